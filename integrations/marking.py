"""Marks what has left: several letters in one transaction, since each of its own costs as much as all together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from onboarding.ports import Sent


@dataclass(slots=True)
class _Group:
    """What is written together, and what came of it."""

    marks: list[Sent] = field(default_factory=list)
    error: BaseException | None = None


class Marks:
    """Whoever comes while some are being written goes with the next ones; nobody waits for others to come."""

    def __init__(self, write: Callable[[Sequence[Sent]], Awaitable[None]]) -> None:
        """`write` keeps all of them or raises."""
        self._write = write
        self._writing = asyncio.Lock()
        self._next = _Group()

    async def add(self, mark: Sent) -> None:
        """Returns when it is kept. Raises what `write` has raised."""
        mine = self._next
        mine.marks.append(mark)
        async with self._writing:
            if mine is self._next:
                self._next = _Group()
                try:
                    await self._write(mine.marks)
                except BaseException as error:
                    mine.error = error
                    raise
            elif mine.error is not None:
                raise mine.error
