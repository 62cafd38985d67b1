"""Which behaviour a run began with: a number in its start order, so that a new release changes only what starts after it.

Whatever a release makes otherwise for runs (what they decide, or which commands follow) asks here from which number on. A number
that was released is never given another meaning; one may be taken away when no run with a smaller one is open.
"""

FIRST = 1
"""What an order means that names none."""

KEEPS_INSTANTS = 2
"""A run leaves an event wherever it has heard something, so that a replay hears it at the same instant."""

NAMES_CHAINS = 2
"""The chain of a trail begins with the name of its run: the trail of one cannot pass for that of another."""

REASONS_BY_DIGEST = 2
"""The changes of a trail tell the reason of a promise by its SHA-256: the text can be erased, and the trail still verifies."""

IN_PARTS = 2
"""A turn hears only so many signals and acts on only so many instants; a signal in which a key stands twice is refused."""

SHORT_EXECUTIONS = 2
"""An execution ends at `EVENTS_PER_RUN`; before, it did at `EVENTS_PER_FIRST_RUN`, and the history of an older run holds what came between."""

REFUSES_UNBEARABLE = 2
"""An order that is too much for any run is refused where it would start one."""

TELLS_WHY_A_HOOK_FAILED = 3
"""The sentence of a hook that failed is the one that it gave; before, it was the same for all.

An item keeps why a check of it could not be made, or why its hook was passed over or ended the run; before, only the trail knew.
"""

FINISHES_STAGE_HOOKS = 3
"""Hooks of leaving a stage, and of entering it, are done although the run is live; before, the end called them back."""

EVENTS_NAME_THEIR_RUN = 3
"""An event that says nothing of what its definition matches it by is refused: it may be about anybody."""

COUNTS_APART = 4
"""Activities that write rows in a workflow task have numbers of their own.

A replay may write rows in more batches than the run did; before, each of these moved the number of every activity behind it.
"""

NEWEST = 4
"""What this release gives to new runs, and the largest number that it knows."""


def unknown(version: int) -> bool:
    """Whether an order is of a later release: such a run waits for a worker of that release and is harmed by none of this one."""
    return version > NEWEST
