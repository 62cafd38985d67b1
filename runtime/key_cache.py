"""The keys of customers in memory, for a few seconds: every payload needs one, and a destroyed key must be forgotten soon.

Where the database cannot be asked, a key that is in memory serves on for a while: runs that are open should not stand still
because rows cannot be written. Where nothing is in memory the error is raised, which fails the task and loses nothing; it must
never be taken for the answer that there is no such key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from onboarding.errors import CustomerErased

LIFE: Final = 5.0
"""Seconds after which a key is asked for again: so soon a destroyed one is forgotten everywhere."""
LONGEST: Final = 600.0
"""Seconds for which a key serves that could not be asked for again. Whoever erases while a worker cannot reach the database waits so long."""
PATIENCE: Final = 1.0
"""Seconds that a caller who has an older key waits for news."""
REST: Final = 2.0
"""Seconds between two tries while the database does not answer."""
PAUSES: Final = (0.1, 0.4)
"""Seconds between the tries of a caller who has nothing: what passes at once should fail no task."""
MOST: Final = 20_000
"""Keys in memory. What is over goes, oldest first."""


class Key(Protocol):
    """What encrypts."""

    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> bytes: ...


class KeySource(Protocol):
    """Where keys are. May block; raises where it cannot look, which is not an answer."""

    def is_on(self) -> bool:
        """Whether anything is encrypted here. Raises nothing."""

    def active(self, customer: str) -> Key:
        """The key to encrypt with. Raises `CustomerErased`."""

    def find(self, key_id: str, customer: str) -> Key | None:
        """The key of a payload, `None` for one that this customer has not or not any more."""


@dataclass(slots=True)
class _Held:
    key: Key | None
    since: float


class KeyCache:
    """One source, asked in threads, once for all who want the same."""

    def __init__(self, source: KeySource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._held: dict[tuple[str, ...], _Held] = {}
        self._asking: dict[tuple[str, ...], asyncio.Task[Key | None]] = {}
        self._rests_until = 0.0

    def is_on(self) -> bool:
        """Whether anything is encrypted here."""
        return self._source.is_on()

    async def active(self, customer: str) -> Key:
        """The key to encrypt with. Raises `CustomerErased`, and whatever keeps the source from looking."""
        key = await self._get(("active", customer), lambda: self._source.active(customer))
        assert key is not None, "a source that cannot give one raises"
        return key

    async def find(self, key_id: str, customer: str) -> Key | None:
        """The key of a payload; `None` where there is none for ever. Raises whatever keeps the source from looking."""
        return await self._get(("find", key_id, customer), lambda: self._source.find(key_id, customer))

    async def _get(self, name: tuple[str, ...], ask: Callable[[], Key | None]) -> Key | None:
        held, now = self._held.get(name), self._clock()
        if held is None or now - held.since > LONGEST:
            return await self._patiently(name, ask)
        if now - held.since > LIFE and now >= self._rests_until:
            task = self._ask(name, ask)
            await asyncio.wait((task,), timeout=PATIENCE)
            if not task.done():
                self._rests_until = self._clock() + REST
                return held.key
            return self._news(task, held)
        return held.key

    def _news(self, task: asyncio.Task[Key | None], held: _Held) -> Key | None:
        try:
            return task.result()
        except CustomerErased:
            raise
        except Exception:  # cannot look now: what is in memory was right a moment ago
            self._rests_until = self._clock() + REST
            return held.key

    async def _patiently(self, name: tuple[str, ...], ask: Callable[[], Key | None]) -> Key | None:
        for pause in PAUSES:
            began = self._clock()
            try:
                return await asyncio.shield(self._ask(name, ask))
            except CustomerErased:
                raise
            except Exception:
                if self._clock() - began > PATIENCE:
                    raise  # it has waited already
            await asyncio.sleep(pause)
        return await asyncio.shield(self._ask(name, ask))

    def _ask(self, name: tuple[str, ...], ask: Callable[[], Key | None]) -> asyncio.Task[Key | None]:
        task = self._asking.get(name)
        if task is None or task.done():
            task = self._asking[name] = asyncio.get_running_loop().create_task(self._learn(name, ask))
            task.add_done_callback(lambda done: self._end(name, done))
        return task

    async def _learn(self, name: tuple[str, ...], ask: Callable[[], Key | None]) -> Key | None:
        began = self._clock()
        try:
            key = await asyncio.to_thread(ask)
        except CustomerErased:
            self._held.pop(name, None)
            raise
        self._held.pop(name, None)
        self._held[name] = _Held(key, began)
        if name[0] == "active" and key is not None:  # its own answer will want to be read
            self._held["find", key.id, name[1]] = _Held(key, began)
        while len(self._held) > MOST:
            self._held.pop(next(iter(self._held)))
        return key

    def _end(self, name: tuple[str, ...], task: asyncio.Task[Any]) -> None:
        if self._asking.get(name) is task:
            del self._asking[name]
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody is left where they did not wait
