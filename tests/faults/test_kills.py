"""kill -9 at random moments, to workers and to the server, while senders talk to every run: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Counting
from tests.support.faults.bench import Bench, bench
from tests.support.faults.counts import Trials
from tests.support.faults.loops import PROGRESS_WITHIN, figures, judge, progress, settle, talking
from tests.support.faults.tiers import Tier

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.timeout(3_000)
async def test_workers_killed_at_random_moments_lose_nothing(tmp_path: Path, tier: Tier, counting: Counting) -> None:
    """Now one of two, now both; somebody is told yes at most fifteen seconds after one is there again."""
    runs, kills = tier.of(8, 50, 50), tier.of(8, 150, 600)
    random = Random(tier.seed)
    with counting("R5", "kills of a worker at a random moment") as trials:
        async with bench(tmp_path) as made:
            await asyncio.gather(made.work(), made.work())
            async with talking(made, tier.seed, runs):
                slowest = 0.0
                while trials.done < kills:
                    await asyncio.sleep(random.uniform(0.2, 2.0))
                    slowest = max(slowest, await _kill_some(made, random, trials))
                last = time.monotonic()
            lived = await settle(made, random, last)
            await judge(made, repeats=trials.done)
            print(
                f"R5: {trials.done} kills, {figures(made)}, 0 lost, 0 double, 0 stuck; "
                f"first progress at most {slowest:.1f} s after a restart, all runs answer after {lived:.1f} s; seed {tier.seed}"
            )


async def _kill_some(made: Bench, random: Random, trials: Trials) -> float:
    """Kills one worker or both, and starts as many again; the seconds until somebody was told yes after that."""
    victims = random.sample(made.workers, random.choice((1, 1, 2)))
    for one in victims:
        await made.kill(one)
        trials.done += 1
    await asyncio.sleep(random.uniform(0.0, 0.5))
    await asyncio.gather(*(made.work() for _ in victims))
    if len(made.workers) > len(victims):
        return 0.0  # the other one has gone on all the time
    return await progress(made.log, time.monotonic(), PROGRESS_WITHIN)


@pytest.mark.timeout(3_000)
async def test_a_server_killed_and_started_on_its_file_loses_nothing(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Workers and clients stay as they are; every run answers again within two minutes."""
    runs, kills = tier.of(12, 300, 1_000), tier.of(1, 5, 3)
    random = Random(tier.seed)
    with counting("R7", "kills of the server with its database file") as trials:
        async with bench(tmp_path) as made:
            await asyncio.gather(made.work(), made.work())
            async with talking(made, tier.seed, runs):
                for _ in range(kills):
                    await asyncio.sleep(random.uniform(1.0, 4.0))
                    await made.kill_server(random.choice((0.0, 2.0, 8.0) if tier.counts else (1.0,)))
                    trials.done += 1
                    await progress(made.log, time.monotonic(), 60.0)
                    await _workers_again(made)
                last = time.monotonic()
            lived = await settle(made, random, last)
            await judge(made, repeats=trials.done)
            print(
                f"R7: {trials.done} kills of the server, {figures(made)}, 0 lost, 0 double, 0 stuck; "
                f"all runs answer after {lived:.1f} s; seed {tier.seed}"
            )


async def _workers_again(made: Bench) -> None:
    """A worker whose poll broke in the middle may end with 70, as docs/operating.md says: its supervisor starts another one."""
    for one in list(made.workers):
        if one.process.poll() is not None:
            made.workers.remove(one)
            await made.work()
