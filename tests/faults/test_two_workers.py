"""Two workers on one database: one stands still for a while and comes back, one is told to stop. Nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Counting
from tests.support.faults.bench import bench
from tests.support.faults.loops import figures, judge, progress, settle, talking
from tests.support.faults.tiers import Tier

pytestmark = [pytest.mark.live, pytest.mark.timeout(1200)]

DRAINED = 30.0
"""Seconds that a worker takes at most after SIGTERM."""
LEAVES = 8.0
"""More, for its last look at notices and for a busy machine."""
TURNS = 15.0
"""Seconds until what a stopped worker held is given to the other one: the time limit of a workflow task, and a little."""


async def test_a_worker_that_stands_still_and_comes_back_does_nothing_twice(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """SIGSTOP to one of two for longer than any of its tasks may take; what it held is done by the other one before it wakes."""
    times, still = tier.of((1, 11.0), (4, 15.0))
    async with bench(tmp_path) as house:
        workers = [await house.work(), await house.work()]
        with counting("R5-still", "workers that stood still") as trials:
            longest = well = 0.0
            async with talking(house, tier.seed, tier.of(8, 50)):
                for turn in range(times):
                    await asyncio.sleep(1)
                    sleeper = workers[turn % 2].process
                    sleeper.send_signal(signal.SIGSTOP)
                    stopped = time.monotonic()
                    try:
                        longest = max(longest, await progress(house.log, stopped, TURNS))
                        await asyncio.sleep(max(0.0, stopped + still - time.monotonic()))
                    finally:
                        sleeper.send_signal(signal.SIGCONT)
                    well = time.monotonic()
                    trials.done += 1
            lived = await settle(house, Random(tier.seed), well)
            # What reached the world right before it stood still may be told again by the other one, under the same key.
            await judge(house, repeats=times)
            assert [one.process.poll() for one in workers] == [None, None]
    print(
        f"zombie: one of two workers stood still {times} times for {still:.0f} s: {figures(house)}, 0 lost, 0 twice; "
        f"somebody was told yes within {longest:.1f} s, all answered {lived:.1f} s after it"
    )


async def test_a_worker_that_is_told_to_stop_under_load_ends_in_time_and_loses_nothing(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """SIGTERM while everybody talks, then a new one; also with nobody beside it."""
    times = tier.of(2, 10)
    async with bench(tmp_path) as house:
        worker = await house.work()
        took: list[float] = []
        with counting("R5-drain", "workers told to stop under load") as trials:
            async with talking(house, tier.seed, tier.of(8, 50)):
                for turn in range(times):
                    await asyncio.sleep(2)
                    after = await house.work() if turn % 2 else None
                    began = time.monotonic()
                    code = await worker.stop()
                    took.append(time.monotonic() - began)
                    house.workers.remove(worker)
                    assert code == 0, worker.words()[-2_000:]
                    assert "Traceback" not in worker.words()
                    worker = after or await house.work()
                    trials.done += 1
            await settle(house, Random(tier.seed), time.monotonic())
            await judge(house, repeats=0)
    print(f"drain: {times} workers told to stop: {figures(house)}, 0 lost, 0 twice; the longest took {max(took):.1f} s")
    assert max(took) < DRAINED + LEAVES
