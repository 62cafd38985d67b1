"""Limits of computing time as ratios: they hold for the machine on which they were set, and a slower one is given what it needs.

A limit in plain seconds fails on a slow day and says nothing then. What exceeds it is compared with work of the same kind, done there and
then: only what is also too slow beside that fails.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

NOMINAL = 0.054
"""Seconds of computing that `_work` takes on the machine on which the limits were set, while it does nothing else."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Something frozen, as the core keeps it."""

    name: str
    status: str
    round: int = 1
    planned: tuple[int, ...] = ()


def _work() -> None:
    """What the core does most: frozen values made anew, looked through, and written."""
    kept = {f"t{n}": _Kept(f"t{n}", "open") for n in range(500)}
    for n in range(20):
        kept = {name: replace(one, round=n, planned=(*one.planned[-3:], n)) for name, one in kept.items()}
        assert sum(1 for one in kept.values() if one.status == "open" and n in one.planned) == len(kept)
    rows = [{"name": one.name, "status": one.status, "planned": one.planned} for one in kept.values()]
    assert len(json.loads(json.dumps(rows))) == len(kept)


def slowness(tries: int = 3) -> float:
    """How many times longer than then this machine takes just now; 1 at least. The best of a few, as limits are for the best."""
    spent: list[float] = []
    for _ in range(tries):
        begun = time.thread_time()
        _work()
        spent.append(time.thread_time() - begun)
    return max(1.0, min(spent) / NOMINAL)


MOST_SLOW = 3.0
"""A machine that is slower still is given no more: the SDK's two seconds for a workflow task are the same on each."""


def within(spent: float, limit: float) -> bool:
    """Whether so many seconds of computing are fewer than the limit, or than what it is on a machine as slow as this one."""
    return spent < limit or spent < limit * min(MOST_SLOW, slowness())
