"""What everything that waits for a history shares: histories are read side by side, and what is not there is looked for ever more seldom."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

_One = TypeVar("_One")
LOOK: Final = 0.5
"""Seconds between two looks at the rows."""
LONGEST: Final = 600.0
"""Seconds until the same batch is looked for again: it doubles from `LOOK`, since a turn that was lost may never come back."""
MOST: Final = 1_000
"""Taken up in one look."""
WIDEST: Final = 10_000
"""So many more where as many were put off: behind them the others must still be seen. A store that takes none at all is not asked for more."""
SOON: Final = 5.0
"""Seconds until a history that could not be read is read again, at most: nothing was learned of the batch, which may stand there."""
AT_ONCE: Final = 10
"""Histories read at once."""


class Pauses:
    """When something is tried again: each time after twice as long, at most after `longest` seconds."""

    def __init__(self, first: float, longest: float, now: Callable[[], float]) -> None:
        """`now`: seconds of a clock that never goes back."""
        self._first, self._longest, self._now = first, longest, now
        self._until: dict[str, tuple[float, float]] = {}

    def put_off(self, name: str) -> None:
        """It was tried in vain."""
        pause = min(2 * self._until[name][1], self._longest) if name in self._until else self._first
        self._until[name] = self._now() + pause, pause

    def rests(self, name: str) -> bool:
        """Whether it is not its turn yet."""
        return self._until.get(name, (0.0, 0.0))[0] > self._now()

    def keep(self, names: Iterable[str]) -> None:
        """Forgets all others: nobody waits for them any more."""
        known = set(names)
        self._until = {name: when for name, when in self._until.items() if name in known}


class Looks:
    """When a batch is looked for again: ever more seldom where its history was read without finding it, soon where it could not be read.

    A server that was away for long must not delay, when it is back, what has been history all the time.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds of a clock that never goes back."""
        self._missed, self._unread = Pauses(LOOK, LONGEST, now), Pauses(LOOK, SOON, now)

    def put_off(self, batch: str, *, unread: bool) -> None:
        """It was looked for in vain; `unread`: by nobody who could have seen it."""
        (self._unread if unread else self._missed).put_off(batch)

    def rests(self, batch: str) -> bool:
        """Whether it is not its turn yet."""
        return self._missed.rests(batch) or self._unread.rests(batch)

    def keep(self, batches: Iterable[str]) -> None:
        """Forgets all others: nobody waits for them any more."""
        known = set(batches)
        self._missed.keep(known)
        self._unread.keep(known)


def groups(waiting: Sequence[_One], of: Callable[[_One], tuple[str, ...]]) -> list[list[_One]]:
    """What belongs together, in its order."""
    return [list(group) for _, group in itertools.groupby(sorted(waiting, key=of), of)]


async def in_turn(step: Callable[[Sequence[_One]], Awaitable[int]], found: Sequence[Sequence[_One]]) -> int:
    """The step for each group, so many at once; the sum of what they say."""
    count = 0
    for first in range(0, len(found), AT_ONCE):
        count += sum(await asyncio.gather(*(step(group) for group in found[first : first + AT_ONCE])))
    return count
