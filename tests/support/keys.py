"""Keys for tests: a source in memory that can be away, and a ring on a real key file and database."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path

from onboarding.errors import CustomerErased
from runtime.key_cache import KeyCache
from runtime.masters import MasterFile
from storage.engine import open_database
from storage.keys import CustomerKeys


@dataclass(frozen=True)
class MemoryKey:
    """A key."""

    id: str
    customer: str
    secret: bytes = field(repr=False)


class MemoryKeys:
    """Fulfils `runtime.key_cache.KeySource`. `away` is what every question raises while it is set; `asked` counts them."""

    def __init__(self) -> None:
        self.on = True
        self.away: Exception | None = None
        self.asked = 0
        self.destroyed: set[str] = set()
        self._keys: dict[str, MemoryKey] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def is_on(self) -> bool:
        """As it is set."""
        return self.on

    def active(self, customer: str) -> MemoryKey:
        """The newest key of a customer, made at the first question."""
        with self._lock:
            self._look()
            if customer in self.destroyed:
                raise CustomerErased
            held = [one for one in self._keys.values() if one.customer == customer]
            return held[-1] if held else self._made(customer)

    def find(self, key_id: str, customer: str) -> MemoryKey | None:
        """A key by its id."""
        with self._lock:
            self._look()
            found = self._keys.get(key_id)
            return found if found and found.customer == customer and customer not in self.destroyed else None

    def rotate(self, customer: str) -> None:
        """From here on another key encrypts."""
        with self._lock:
            self._made(customer)

    def _made(self, customer: str) -> MemoryKey:
        number = next(self._numbers)
        made = self._keys[f"k-{number}"] = MemoryKey(f"k-{number}", customer, bytes([number]) * 32)
        return made

    def _look(self) -> None:
        self.asked += 1
        if self.away is not None:
            raise self.away


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def ring_of(folder: Path) -> KeyCache:
    """The keys of a folder as `worker_process` and `Door` lay it out: its database, and its key file if there is one."""
    return KeyCache(
        CustomerKeys(open_database(f"sqlite:///{folder / 'rows.sqlite'}"), MasterFile(folder / "keys.json"))
    )


def a_cache(source: MemoryKeys | None = None) -> tuple[KeyCache, MemoryKeys, Clock]:
    """A cache on keys in memory, and what moves it."""
    source, clock = source or MemoryKeys(), Clock()
    return KeyCache(source, clock), source, clock
