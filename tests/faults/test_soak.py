"""A long while with faults: workers are killed again and again while people send; the one that stays takes no more than in the beginning."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Counting
from tests.support.faults.bench import bench
from tests.support.faults.loops import STARTS_AT_ONCE, figures, judge, settle
from tests.support.faults.process import Watch
from tests.support.faults.senders import Sender, kills_order
from tests.support.faults.tiers import Tier

pytestmark = [pytest.mark.live, pytest.mark.timeout(7_200)]

RATE = 5
"""Messages a second."""
MIB = 1 << 20


async def test_a_long_while_with_faults_breaks_nothing_and_leaves_no_more_memory_or_files_in_use(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Two workers: one stays, the other one is killed. What the first takes in its last quarter is held against the second."""
    seconds, count, pause = tier.of((10, 15, 4.0), (150, 100, 30.0), (2_700, 200, 60.0))
    chance = Random(tier.seed)
    async with bench(tmp_path) as house:
        stays, goes = await house.work(), await house.work()
        orders = [kills_order(f"soak-{n}") for n in range(count)]
        for first in range(0, count, STARTS_AT_ONCE):
            await asyncio.gather(*(house.start(one) for one in orders[first : first + STARTS_AT_ONCE]))
        senders = [Sender(house, one.run, f"{tier.seed}/{one.run}") for one in orders]
        watch = Watch(stays.process.pid, pause=seconds / 200)
        watching = asyncio.create_task(watch.look())
        with counting("R24", "seconds of a soak with faults") as trials:
            began, kills, sending = time.monotonic(), 0, []
            for n in range(seconds * RATE):
                await asyncio.sleep(max(0.0, began + n / RATE - time.monotonic()))
                sending.append(asyncio.create_task(chance.choice(senders).say()))
                if time.monotonic() > began + (kills + 1) * pause:
                    await house.kill(goes)
                    goes, kills = await house.work(), kills + 1
            trials.done += seconds
            well = time.monotonic()
            await asyncio.gather(*sending)
            watching.cancel()
            lived = await settle(house, chance, well)
            await judge(house, repeats=kills)
    growth, more = watch.growth, watch.more_files
    print(
        f"R24: {seconds} s, {kills} kills, {figures(house)}, 0 broken; all answer {lived:.1f} s after it; the worker that stayed: "
        f"{watch.memory[-1] / MIB:.0f} MiB, {growth:+.1%} against the second quarter, {more:+.0f} open files"
    )
    # Short forms end while caches still fill; what leaks does so without an end.
    assert growth <= tier.of(0.5, 0.25, 0.10)
    assert more <= tier.of(20, 10, 5)
