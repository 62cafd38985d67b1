"""Who did what on whose behalf, chained: no entry can be changed or taken out without the next one saying so."""

from collections.abc import Sequence
from typing import Any

from onboarding.engine.chain import beginnings, content_of as content_of, digest_of as digest_of, follows
from onboarding.engine.state import RunState, TrailEntry
from onboarding.reading.shapes import SENTENCE_LENGTH, Shape, cut, no_cursor, page, place_of


def verify(entries: Sequence[TrailEntry], run: str) -> int | None:
    """The number of the first entry that does not follow from the one before, or `None` when the chain is whole and of this run.

    Of entries that begin in the middle of a trail the first one is believed: what came before it is not here.
    """
    before: TrailEntry | None = None
    for entry in entries:
        if before is None and entry.n > 1:
            before = entry
            continue
        number, previous = (before.n, (before.digest,)) if before else (0, beginnings(run))
        if entry.n != number + 1 or not any(follows(entry, one) for one in previous):
            return entry.n
        before = entry
    return None


def trail(state: RunState, cursor: Any = None) -> Shape:
    """The trail of a run in pages, oldest first; `earlier` counts entries that only the written rows still have."""
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    rows = ((entry.n, _row(entry)) for entry in state.trail)
    return {**page(rows, start), "earlier": state.trail[0].n - 1 if state.trail else 0}


def _row(entry: TrailEntry) -> Shape:
    return {
        **content_of(entry),
        "digest": entry.digest,
        "sentence": cut(entry.sentence, SENTENCE_LENGTH) or None,
    }
