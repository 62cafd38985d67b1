"""Channels for tests of sending: each does what it is told to, and remembers what it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from integrations.letters import Letter, Postponed


class Told:
    """A channel that asks before each letter: what the answer raises is what happens."""

    sort = "mail"

    def __init__(self, name: str, asks: Callable[[Letter], None] = lambda letter: None, seconds: float = 0.0) -> None:
        self.name, self._asks, self._seconds = name, asks, seconds
        self.tried: list[str] = []
        self.took: list[str] = []
        self.at_once = self.most_at_once = 0

    async def send(self, letter: Letter) -> None:
        """Takes it, or raises."""
        self.tried.append(letter.key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds)
            self._asks(letter)
            self.took.append(letter.key)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        """Nothing to give back."""


class Hanging(Told):
    """A server that takes the connection and says nothing more."""

    async def send(self, letter: Letter) -> None:
        """Waits for an answer that never comes."""
        self.tried.append(letter.key)
        self.at_once += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.at_once -= 1


class Hand:
    """A clock that stands where it is put; begins now, as stores take what leaves at once by their own."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **much: float) -> None:
        """Later by so much."""
        self.now += timedelta(**much)


def raising(error: Exception) -> Callable[[Letter], None]:
    """The answer to every letter."""

    def answer(letter: Letter) -> None:
        raise error

    return answer


class Capped(Told):
    """Takes so many letters a minute, one after another at even gaps; whoever comes too early is told when it is their turn.

    Shared by several senders it caps them together, as the receiver would.
    """

    def __init__(self, name: str, per_minute: int) -> None:
        super().__init__(name)
        self._gap, self._next = 60.0 / per_minute, 0.0
        self.at: list[float] = []
        """When it took each, in seconds."""

    async def send(self, letter: Letter) -> None:
        """In turn where that is within two seconds."""
        now = time.monotonic()
        turn = max(now, self._next)
        if turn - now > 2.0:
            raise Postponed("paced", turn - now)
        self._next = turn + self._gap
        await asyncio.sleep(turn - now)
        self.at.append(time.monotonic())
        await super().send(letter)
