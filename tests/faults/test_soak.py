"""A long while with faults: workers are killed again and again while people send; the one that stays takes no more than in the beginning.

Runs come and go meanwhile, as customers do. A run grows with all that is said to it, so runs that never end would show growth where nothing leaks.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Counting
from tests.support.faults.bench import Bench, bench
from tests.support.faults.loops import LIVE_WITHIN, STARTS_AT_ONCE, figures, judge, settle
from tests.support.faults.oplog import Told
from tests.support.faults.process import Watch
from tests.support.faults.senders import Sender, kills_order
from tests.support.faults.tiers import Tier

pytestmark = [pytest.mark.live, pytest.mark.timeout(7_200)]

RATE = 5
"""Messages a second."""
ENDED = 100
"""Runs that have ended and that `reconcile` looks at, beside all that live: of more than a thousand it would take minutes."""
LIFE = 12
"""Messages until a run is called off and the next one takes its place."""
MIB = 1 << 20


class Place:
    """Where one run lives after the other. The first begins at any age, so that not all end at one time."""

    def __init__(self, house: Bench, seed: str, age: int) -> None:
        self._house, self._seed, self._left, self._lives = house, seed, LIFE - age, 0
        self._sender: Sender

    async def settle_in(self) -> None:
        """The next run begins."""
        self._lives += 1
        order = kills_order(f"soak-{self._seed.replace('/', '-')}-{self._lives}")
        await self._house.start(order)
        self._sender = Sender(self._house, order.run, f"{self._seed}/{self._lives}")
        self.run = order.run

    async def say(self) -> None:
        """The next message; instead of one too many, the end of this run and the next one's beginning."""
        self._left -= 1
        if self._left:
            await self._sender.say()
            return
        self._left = LIFE
        content = {"message_id": "the-end", "actor": "lead", "reason": "They have chosen somebody else."}
        end = self._house.log.new(self.run, "cancel", content)
        until = time.monotonic() + LIVE_WITHIN
        while await self._house.log.send(self._house.client, end) is Told.UNKNOWN and time.monotonic() < until:
            pass
        assert end.told is Told.OK, end
        await self.settle_in()


async def test_a_long_while_with_faults_breaks_nothing_and_leaves_no_more_memory_or_files_in_use(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Two workers: one stays, the other one is killed. What the first takes in its last quarter is held against the second."""
    seconds, count, pause = tier.of((10, 15, 4.0), (150, 100, 30.0), (2_700, 200, 60.0))
    chance = Random(tier.seed)
    async with bench(tmp_path) as house:
        stays, goes = await house.work(), await house.work()
        places = [Place(house, f"{tier.seed}/{n}", chance.randrange(LIFE)) for n in range(count)]
        for first in range(0, count, STARTS_AT_ONCE):
            await asyncio.gather(*(one.settle_in() for one in places[first : first + STARTS_AT_ONCE]))
        watch = Watch(stays.process.pid, pause=seconds / 200)
        watching = asyncio.create_task(watch.look())
        with counting("R24", "seconds of a soak with faults") as trials:
            began, kills, sending = time.monotonic(), 0, []
            for n in range(seconds * RATE):
                await asyncio.sleep(max(0.0, began + n / RATE - time.monotonic()))
                sending.append(asyncio.create_task(chance.choice(places).say()))
                if time.monotonic() > began + (kills + 1) * pause:
                    await house.kill(goes)
                    goes, kills = await house.work(), kills + 1
            trials.done += seconds
            well = time.monotonic()
            await asyncio.gather(*sending)
            watching.cancel()
            lived = await settle(house, chance, well)
            ended = sorted(house.runs.keys() - {one.run for one in places})
            looked_at = [*(one.run for one in places), *chance.sample(ended, min(len(ended), ENDED))]
            await judge(house, repeats=kills, reconcile=looked_at)
    growth, more = watch.growth, watch.more_files
    print(
        f"R24: {seconds} s, {kills} kills, {figures(house)}, {count} at a time, 0 broken; all answer {lived:.1f} s after it; the worker that stayed: "
        f"{watch.memory[-1] / MIB:.0f} MiB, {growth:+.1%} against the second quarter, {more:+.0f} open files"
    )
    assert ended, "runs came and went"
    # Short forms end while caches still fill; what leaks does so without an end.
    assert growth <= tier.of(0.5, 0.25, 0.10)
    assert more <= tier.of(20, 10, 5)
