"""How a notice is tried: how long to wait between two tries, for how long at all, and when a channel is left in peace.

The pauses keep below thirty tries in any hour (30 s, 60 s, 120 s, then 132 to 150 s); a crowd that failed in one moment comes back in
many. How long trying makes sense depends on what a notice is for.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from integrations.letters import Channel, Letter, NotTaken, Postponed
from onboarding.engine.effects import NoticeKind

FIRST: Final = 30.0
"""Seconds until the second try; it doubles up to `LONGEST`."""
LONGEST: Final = 120.0
SPREAD: Final = (1.1, 1.25)
"""Times `LONGEST`, by chance, from then on."""
FURTHEST: Final = 86_400.0
"""Seconds that a receiver may ask for: more would be as good as never."""
PASSING: Final = (NoticeKind.REMINDER, NoticeKind.DIGEST, NoticeKind.SILENCE)
"""What the next one of its sort says again."""
OF_PASSING, OF_OTHERS = timedelta(hours=24), timedelta(days=7)
"""For how long a notice is tried since it could leave first."""
OF_UNKNOWN = timedelta(minutes=10)
"""For how long a reader whom nobody knows is asked for: a directory may learn of somebody later than their first notice leaves, and what
a hook has answered is remembered for half of that."""
UNKNOWN: Final = "reader_unknown"
"""The code of a notice whose reader nobody knows, where no channel goes without an address."""
AT_ONCE: Final = 10
"""Letters on their way through one channel."""
EACH: Final = 15.0
"""Seconds for one letter through one channel, and as many until it is its turn there."""
SOON, GUESS = 2.0, 0.5
"""Seconds that a letter waits for its turn, as far as can be foreseen from how long others took; and as long as nothing is known of that."""
IN_A_ROW: Final = 5
"""Letters that did not get through, one after another, until a channel is left in peace for `REST`; then one tries for all."""
REST: Final = timedelta(seconds=10)
PACED: Final = "paced"
"""The code of a channel that says its own cap is reached: nothing was tried, so it is no trouble and no try."""
LEASE_OVER: Final = "lease_over"
"""The code of a letter that may be in other hands by now."""
SMALLEST_GAP: Final = 0.05
WIDEST_GAP: Final = 3.0
"""Seconds between two letters that were told to come later."""
_CERTAIN: Final = frozenset(
    (
        PACED, LEASE_OVER, "busy", "http_425", "http_429", "resting", "unreachable", "unresolved", "certificate", "login_refused",
        "directory_failed", "directory_hook", "not_rendered", "no_route", UNKNOWN,
    )
)  # fmt: skip
"""Codes after which the other side has certainly not taken the letter. Of any other nobody knows."""


def pause(tries: int, after: float | None, draw: Callable[[float, float], float]) -> timedelta:
    """How long to wait after so many tries; at least as long as the receiver has asked for, at most a day."""
    wait = FIRST * 2.0 ** min(tries - 1, 8)
    if wait > LONGEST:
        wait = LONGEST * draw(*SPREAD)
    if after is not None and math.isfinite(after):
        wait = max(wait, min(after, FURTHEST))
    return timedelta(seconds=wait)


def lasts(kind: NoticeKind) -> timedelta:
    """For how long one of this kind is tried."""
    return OF_PASSING if kind in PASSING else OF_OTHERS


def is_doubtful(code: str) -> bool:
    """Whether a letter that was put off with this code may have arrived all the same."""
    return code not in _CERTAIN


class Way:
    """One channel as senders share it: so many at once, and peace while nothing gets through.

    Without the peace a channel that answers nobody would keep every hand busy waiting for it, and letters of other channels behind it.
    """

    def __init__(self, channel: Channel, clock: Callable[[], datetime]) -> None:
        """By the clock its rest ends."""
        self._channel = channel
        self._clock = clock
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._inside = self._waiting = 0
        self._took = GUESS
        self._told = clock()
        self._row = 0
        self._rests_until: datetime | None = None
        self._probing = False
        self._stopped = False

    async def send(self, letter: Letter, mark: Callable[[], Awaitable[None]], until: datetime) -> None:
        """As the channel, and then marks what has left. Raises `Postponed` also where it rests, and where nothing was heard for `EACH`.

        From `until` on it does not begin: the machine may have slept, and another one have taken the letter meanwhile.

        The mark counts as part of the way: so a worker that dies has never more than `AT_ONCE` letters that left and are not marked.
        """
        self._demand_awake()
        await self._enter()
        try:
            self._demand_awake()  # others may have failed meanwhile
            if self._clock() >= until:
                raise Postponed(LEASE_OVER)
            await self._send(letter)
            await asyncio.shield(mark())
        finally:
            self._gate.release()

    def stop(self) -> None:
        """From here on no letter begins; what comes hears at once that it is not its turn, so that another sender takes it."""
        self._stopped = True

    async def close(self) -> None:
        """As the channel."""
        await self._channel.close()

    async def _enter(self) -> None:
        """Through the gate, if it is soon its turn: who waits longer holds a hand that letters of other channels need."""
        if self._waiting * self._took / AT_ONCE >= SOON:
            raise self._in_turn(self._took / 2)  # at twice the speed: the channel must never wait for letters
        self._waiting += 1
        try:
            async with asyncio.timeout(EACH):
                await self._gate.acquire()
        except TimeoutError:
            raise self._in_turn(self._took) from None
        finally:
            self._waiting -= 1

    async def _send(self, letter: Letter) -> None:
        began = time.monotonic()
        self._probing = self._rests_until is not None
        self._inside += 1
        try:
            async with asyncio.timeout(EACH):
                await self._channel.send(letter)
        except Postponed as later:
            if later.code == PACED:
                raise self._in_turn(later.after or 1.0) from None
            self._count()
            raise
        except TimeoutError:
            self._count()
            raise Postponed("timeout") from None
        except NotTaken:
            self._row, self._rests_until = 0, None  # somebody has answered
            raise
        else:
            self._row, self._rests_until = 0, None
        finally:
            self._took = (self._took + time.monotonic() - began) / 2
            self._inside -= 1
            self._probing = False

    def _in_turn(self, after: float) -> Postponed:
        """Each letter for which it is too early hears another instant: told the same one, they would all come back at once, mostly in
        vain. How far apart is seen from those inside: that many come first, and take so long."""
        now = self._clock()
        others = self._inside - 1
        self._told = max(self._told, now + timedelta(seconds=after))
        told = self._told - now
        self._told += timedelta(seconds=min(after / others, WIDEST_GAP) if others > 0 else SMALLEST_GAP)
        return Postponed(PACED, told.total_seconds())

    def _demand_awake(self) -> None:
        if self._stopped:
            raise Postponed(PACED)
        if self._rests_until is not None and (self._probing or self._clock() < self._rests_until):
            raise Postponed("resting")

    def _count(self) -> None:
        self._row += 1
        if self._row >= IN_A_ROW:
            self._rests_until = self._clock() + REST
