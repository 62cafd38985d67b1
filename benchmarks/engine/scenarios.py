"""What is done with a contender, and what is measured of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

from benchmarks.engine import contenders, job
from benchmarks.engine.contenders import Contender, Handle
from benchmarks.engine.job import Message
from benchmarks.engine.processes import Stand, Usage

MESSAGES: Final = tuple(job.messages())
ENDS_WITHIN: Final = 120.0
"""Seconds from the last verdict to the end of a run."""
AGAIN: Final = 0.01
"""Seconds until an approval is decided again that was not open yet: the stage before waited for its automated tasks."""
PERCENTILES: Final[Mapping[int, int]] = {95: 20, 99: 100}
"""Of a hundred; and of how many values at least."""
_NOT_YET: Final = ("not_open_yet",)


class Refused(Exception):
    """A contender has refused a message that was right."""


class Unfinished(Exception):
    """A run has ended without having done the whole job."""


class Log:
    """Latencies in seconds, and how often a message came before its time."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.early = 0


async def tell(contender: Contender, handle: Handle, message: Message, log: Log) -> None:
    """One message until its verdict. Raises `Refused`."""
    content, tries = message.content, 0
    began = time.perf_counter()
    while code := await contender.say(handle, replace(message, content=content)):
        if code not in _NOT_YET:
            raise Refused(f"{contender.name}, {message.item}: {code}")
        tries += 1
        log.early += 1
        content = {**message.content, "message_id": f"{message.content['message_id']}-{tries}"}
        await asyncio.sleep(AGAIN)
        began = time.perf_counter()
    log.latencies.append(time.perf_counter() - began)


async def whole_run(contender: Contender, stand: Stand, name: str, log: Log) -> None:
    """A run from its start to its end. Raises `Refused`, `Unfinished`, `TimeoutError`."""
    handle = await contender.begin(stand, name)
    for message in MESSAGES:
        await tell(contender, handle, message, log)
    result = await asyncio.wait_for(handle.result(), ENDS_WITHIN)
    if not contender.has_done(result):
        raise Unfinished(f"{contender.name}, {name}: {str(result)[:300]}")


async def load(contender: Contender, stand: Stand, *, runs: int, at_once: int, mark: str = "load") -> dict[str, Any]:
    """So many runs, so many of them at a time, each with one message in flight."""
    log, left = Log(), iter(range(runs))

    async def one_after_the_other() -> None:
        for number in left:
            await whole_run(contender, stand, f"c-{mark}-{at_once}-{number}", log)

    before, began = stand.used(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_the_other())
    seconds = time.perf_counter() - began
    await contenders.rest(contender, stand)
    rested = time.perf_counter() - began - seconds
    return {
        "runs": runs, "seconds": seconds, "rested_after": rested, "runs_per_second": runs / seconds,
        "messages_per_second": runs * len(MESSAGES) / seconds, **spread_of(log.latencies), "early": log.early,
        **cpu_of(before, stand.used(), runs),
    }  # fmt: skip


def spread_of(latencies: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, in milliseconds; a percentile only of so many values that it is not the largest of them."""
    ordered = sorted(latencies)
    count = len(ordered)
    ranks = {share: math.ceil(share * count / 100) for share, least in PERCENTILES.items() if count >= least}
    return {
        "p50_ms": median(ordered) * 1_000,
        **{f"p{share}_ms": ordered[at - 1] * 1_000 for share, at in ranks.items()},
    }


def cpu_of(before: dict[str, Usage], after: dict[str, Usage], runs: int) -> dict[str, float]:
    """Milliseconds of CPU for each run, of worker and server."""
    return {f"{who}_cpu_ms": (after[who].cpu - before[who].cpu) * 1_000 / runs for who in before}
