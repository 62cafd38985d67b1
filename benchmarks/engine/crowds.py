"""What is done with many runs that stand open at their first gate: open, herd, recover."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.engine import contenders
from benchmarks.engine.contenders import Contender, Handle
from benchmarks.engine.processes import Stand, size
from benchmarks.engine.scenarios import MESSAGES, Log, cpu_of, spread_of, tell

STARTS_AT_ONCE: Final = 16
PARKED: Final = 4
"""Events of a history whose first workflow task is done."""
LOOK: Final = 0.1
"""Seconds between two looks at a run that has just begun: more of them would be the server's work, and be measured as its cost."""
CACHE: Final = 1_000
"""Runs that both workers keep in memory: the SDK's own default."""
REST_WITHIN: Final = 300.0
"""Seconds until what follows the starts of up to 10,000 runs has left."""
HERD_WITHIN: Final = 300.0
"""Seconds from the instant to the last escalation."""


async def open_runs(contender: Contender, stand: Stand, *, count: int, answers: int, warm: int) -> dict[str, Any]:
    """So many runs are started after `warm` others and stay open; then some, spread over all, get an answer each, one after the other."""
    await start(contender, stand, warm, "warm")
    await contenders.rest(contender, stand, staying=warm)
    disk = _disk(stand)
    before, began = stand.used(), time.perf_counter()
    handles = await start(contender, stand, count, "open")
    seconds = time.perf_counter() - began
    await contenders.rest(contender, stand, REST_WITHIN, staying=warm + count)
    rested = time.perf_counter() - began - seconds
    # The server writes some of it a moment later, and by hand nothing rests.
    await asyncio.sleep(max(0.0, 1 - rested))
    after, log = stand.used(), Log()
    kept = {f"{name}_kib": (now - disk[name]) / count / 1024 for name, now in _disk(stand).items()}
    for number in range(answers):
        await tell(contender, handles[number * count // answers], MESSAGES[0], log)
    kept_by = {"worker": min(count, CACHE - warm), "server": count}
    memory = {
        f"{who}_memory_kib": (after[who].memory - before[who].memory) / runs / 1024 for who, runs in kept_by.items()
    }
    return {
        "runs": count, "seconds": seconds, "rested_after": rested, "starts_per_second": count / seconds, **spread_of(log.latencies), **memory,
        "worker_memory_mib": after["worker"].memory / 2**20, **kept, **cpu_of(before, after, count),
    }  # fmt: skip


async def herd(contender: Contender, stand: Stand, *, count: int, warm: int) -> dict[str, Any]:
    """The first deadline of so many runs is at one instant, and nobody answers: each must be told once.

    How long starting them takes is guessed from `warm` others.
    """
    began = time.perf_counter()
    await start(contender, stand, warm, "warm")
    lead = math.ceil(1.5 * count * (time.perf_counter() - began) / warm) + 4
    contender.prepare(range(1, lead + 2))
    instant = math.ceil(time.time()) + lead
    await start(contender, stand, count, "herd", lambda: max(1, instant - int(time.time())))
    late = max(0.0, time.time() - instant)
    await asyncio.sleep(max(0.0, instant - time.time() - 0.1))
    before = stand.used()
    async with asyncio.timeout(HERD_WITHIN):
        told = len(stand.escalated())
        while told < count:
            await asyncio.sleep(0.05)
            told = len(stand.escalated())
    seconds = time.time() - instant
    await asyncio.sleep(2)  # a second one would have come by then
    await contenders.rest(contender, stand, REST_WITHIN, staying=warm + count)
    return {
        "runs": count, "seconds": seconds, "escalations_per_second": count / seconds, "started_too_late": late,
        "told_twice": sum(times > 1 for times in stand.escalated().values()), **cpu_of(before, stand.used(), count),
    }  # fmt: skip


async def recover(contender: Contender, stand: Stand, *, count: int) -> dict[str, Any]:
    """The worker is killed while so many runs are open; seconds until a new one has answered each of them."""
    handles = await start(contender, stand, count, "recover")
    await stand.end(signal.SIGKILL)
    log, began = Log(), time.perf_counter()
    stand.spawn()
    async with asyncio.TaskGroup() as group:
        for handle in handles:
            group.create_task(tell(contender, handle, MESSAGES[0], log))
    seconds = time.perf_counter() - began
    return {
        "runs": count, "seconds": seconds, "first_seconds": min(log.latencies),
        "worker_cpu_ms": stand.used()["worker"].cpu * 1_000 / count,
    }  # fmt: skip


async def start(
    contender: Contender, stand: Stand, count: int, mark: str, due: Callable[[], int] | None = None
) -> list[Handle]:
    """Starts so many runs, some at a time, each until it stands at its first gate."""
    left, handles = iter(range(count)), []

    async def one_after_the_other() -> None:
        for number in left:
            run = f"c-{mark}-{number}"
            handle = await contender.begin(stand, run, *([due()] if due else []))
            handles.append(handle)
            await parked(handle)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(STARTS_AT_ONCE, count)):
            group.create_task(one_after_the_other())
    return handles


async def parked(handle: Handle) -> None:
    """Waits until the first workflow task of a run is done, asking only the server."""
    async with asyncio.timeout(contenders.CALL.total_seconds()):
        found = await handle.describe()
        while found.history_length < PARKED:
            await asyncio.sleep(LOOK)
            found = await handle.describe()


def _disk(stand: Stand) -> dict[str, int]:
    return {"server_disk": size(stand.folder / "temporal.sqlite"), "rows_disk": size(stand.folder / "rows.sqlite")}
