"""How fast a channel is used: so many letters a minute, so many at the same time, and none while the other side asks for a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from integrations.letters import Channel, Letter, Postponed

LONGEST_WAIT: Final = 2.0
"""Seconds that a letter waits here for its turn. A longer wait is for the outbox: there it holds nothing that others could use."""
PACED: Final = "paced"
"""The code of a letter that was not even tried, because it was not its turn yet."""


class Greeting(Channel, Protocol):
    """A channel that can be looked at without a letter."""

    async def hello(self) -> None:
        """Connects as for a letter, and sends none. Raises as `send`."""


class Paced:
    """A channel with a cap. Letters get through in the order in which they came; the other side is never asked more often."""

    def __init__(
        self,
        channel: Greeting,
        *,
        per_minute: int | None = None,
        at_once: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without a number there is no cap of that sort. `clock` gives seconds."""
        self._channel = channel
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._gate = asyncio.Semaphore(at_once) if at_once else None
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        self._silent_until = 0.0

    @property
    def name(self) -> str:
        """Of the channel inside."""
        return self._channel.name

    @property
    def sort(self) -> str:
        """Of the channel inside."""
        return self._channel.sort

    async def send(self, letter: Letter) -> None:
        """As the channel inside. Raises `Postponed("paced", seconds)` at once where its turn is too far away."""
        if self._gate is None:
            await self._in_turn(letter)
            return
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._gate.acquire()
        except TimeoutError:
            raise Postponed(PACED, LONGEST_WAIT) from None
        try:
            await self._in_turn(letter)
        finally:
            self._gate.release()

    async def hello(self) -> None:
        """Of the channel inside, whatever its turn: a look is no letter."""
        await self._channel.hello()

    async def close(self) -> None:
        """Of the channel inside."""
        await self._channel.close()

    async def _in_turn(self, letter: Letter) -> None:
        self._demand_no_pause()
        now = self._clock()
        turn = max(now, self._next)
        if turn - now > LONGEST_WAIT:
            raise Postponed(PACED, turn - now)
        self._next = turn + self._gap
        if turn > now:
            await self._sleep(turn - now)
            self._demand_no_pause()  # somebody may have been told to wait meanwhile
        try:
            await self._channel.send(letter)
        except Postponed as later:
            if later.after:
                self._silent_until = max(self._silent_until, self._clock() + later.after)
            raise

    def _demand_no_pause(self) -> None:
        left = self._silent_until - self._clock()
        if left > 0:
            raise Postponed(PACED, left)
