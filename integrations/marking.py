"""Marks what has left: several letters in one transaction, since each of its own costs as much as all together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from onboarding.ports import Sent


@dataclass(slots=True)
class _Group:
    """What is written together."""

    marks: list[Sent] = field(default_factory=list)
    written: asyncio.Task[None] | None = None


class Marks:
    """Whoever comes while some are being written goes with the next ones; nobody waits for others to come."""

    def __init__(self, write: Callable[[Sequence[Sent]], Awaitable[None]]) -> None:
        """`write` keeps all of them or raises."""
        self._write = write
        self._writing = asyncio.Lock()
        self._next = _Group()

    async def add(self, mark: Sent) -> None:
        """Returns when it is kept. Raises what `write` has raised. Whoever is cancelled meanwhile takes nobody else along."""
        mine = self._next
        mine.marks.append(mark)
        if mine.written is None:
            mine.written = asyncio.create_task(self._write_all(mine))
            mine.written.add_done_callback(_look_at)
        await asyncio.shield(mine.written)

    async def _write_all(self, group: _Group) -> None:
        async with self._writing:
            self._next = _Group()
            await self._write(group.marks)


def _look_at(written: asyncio.Task[None]) -> None:
    """Those who wait hear what went wrong; where nobody does any more, the loop need not complain of it either."""
    if not written.cancelled():
        written.exception()
