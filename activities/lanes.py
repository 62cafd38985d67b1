"""How many calls of one hook are made at once and in a minute, so that a slow one never has all the threads of a worker.

A call that finds its lane full does not wait in a thread: it is parked. Its attempt stays open at the server, the worker says in its
name that it lives (`activities/parking.py`), and it is made when its turn comes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from onboarding.engine.effects import RunHook

MINUTE = 60.0
PARKED = 10_000
"""Calls that may wait in one worker: more are sent away and come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A call whose turn has not come, and the attempt that it belongs to."""

    effect: RunHook
    token: bytes
    run: str
    activity: str
    execution: str
    number: int = 1
    """Which attempt it is, counted from one."""
    heartbeat: float
    """Seconds after which the server takes the attempt for lost."""


@dataclass(slots=True)
class _Lane:
    at_once: int
    per_minute: int | None
    running: int = 0
    made: deque[float] = field(default_factory=deque)
    waiting: deque[Parked] = field(default_factory=deque)

    def is_free(self, now: float) -> bool:
        while self.made and self.made[0] <= now - MINUTE:
            self.made.popleft()
        return self.running < self.at_once and (self.per_minute is None or len(self.made) < self.per_minute)

    def take(self, now: float) -> None:
        self.running += 1
        if self.per_minute is not None:
            self.made.append(now)


class Lanes:
    """One lane for each hook. Used by the threads of calls and by the loop that serves what is parked."""

    def __init__(
        self, limits: Callable[[str], tuple[int, int | None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limits` says of a hook how many calls at once, and how many in a minute (`None`: any number)."""
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def enter(self, name: str) -> bool:
        """Whether a call may be made now; whoever hears yes must `leave`. Those who wait already come first."""
        with self._lock:
            lane, now = self._lane(name), self._clock()
            if lane.waiting or not lane.is_free(now):
                return False
            lane.take(now)
            return True

    def leave(self, name: str) -> None:
        """A call is over."""
        with self._lock:
            self._lane(name).running -= 1

    def park(self, parked: Parked) -> bool:
        """Puts a call at the end of its lane; `False` where too many wait."""
        with self._lock:
            if sum(len(lane.waiting) for lane in self._lanes.values()) >= PARKED:
                return False
            self._lane(parked.effect.activity).waiting.append(parked)
            return True

    def ready(self) -> list[Parked]:
        """The calls whose turn has come, each with its place in the lane taken."""
        found = []
        with self._lock:
            now = self._clock()
            for lane in self._lanes.values():
                while lane.waiting and lane.is_free(now):
                    lane.take(now)
                    found.append(lane.waiting.popleft())
        return found

    def drop(self, token: bytes) -> None:
        """Nobody waits for this call any more."""
        with self._lock:
            for lane in self._lanes.values():
                lane.waiting = deque(one for one in lane.waiting if one.token != token)

    def waiting(self) -> list[Parked]:
        """What is parked now."""
        with self._lock:
            return [one for lane in self._lanes.values() for one in lane.waiting]

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Of each lane: calls being made, calls that wait."""
        with self._lock:
            return {name: (lane.running, len(lane.waiting)) for name, lane in self._lanes.items()}

    def _lane(self, name: str) -> _Lane:
        if name not in self._lanes:
            at_once, per_minute = self._limits(name)
            self._lanes[name] = _Lane(at_once, per_minute)
        return self._lanes[name]
