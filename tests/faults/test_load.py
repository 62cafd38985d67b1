"""Much at once: parallel messages to one run, a steady stream, a thousand deadlines in one second, very many open runs.

Figures are printed. What is held against a bound in time is held generously: how busy a machine is says nothing about the program.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from onboarding.engine.state import StartOrder
from runtime import devserver
from tests.faults.conftest import Counting
from tests.support.faults import sink
from tests.support.faults.bench import REST_WITHIN, Bench, bench, reconciled, until
from tests.support.faults.checker import Evidence, check_all
from tests.support.faults.loops import STARTS_AT_ONCE
from tests.support.faults.oplog import Operation, Told
from tests.support.faults.process import memory_of, spread_of
from tests.support.faults.senders import INPUTS, kills_order
from tests.support.faults.tiers import Tier
from tests.support.shell import ROOT, an_order

pytestmark = [pytest.mark.live, pytest.mark.timeout(3_600)]

SLOW = 4
"""So many times the figure that we aim at may be taken by a machine that does other things as well."""
HERD = str(ROOT / "tests" / "faults" / "data" / "herd")
ITEMS = ("one", "two", "three", "four")
GIB = 1 << 30


@dataclass
class Crowd:
    """An installation with very many open runs."""

    house: Bench
    started: float
    """Seconds until all of them were started and nothing was on its way any more."""

    def only(self, runs: Iterable[str]) -> None:
        """From here on these are looked at; the others stay open."""
        self.house.runs = {run: self.all[run] for run in runs}
        self.house.log.operations = [one for one in self.house.log.operations if one.run in self.house.runs]

    def __post_init__(self) -> None:
        self.all = dict(self.house.runs)


@pytest.fixture(scope="module")
async def crowd(tier: Tier, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    """One for this file."""
    async with bench(tmp_path_factory.mktemp("crowd")) as house:
        await house.work()
        orders = [kills_order(f"crowd-{n}") for n in range(tier.of(20, 200, 10_000))]
        began, house.rest_within = time.monotonic(), tier.of(240, 240, 3_000)
        await start(house, orders)
        await house.rest()
        started, house.rest_within = time.monotonic() - began, REST_WITHIN
        yield Crowd(house, started)


async def start(house: Bench, orders: Sequence[StartOrder]) -> None:
    """Starts runs, a few at a time."""
    for first in range(0, len(orders), STARTS_AT_ONCE):
        await asyncio.gather(*(house.start(one) for one in orders[first : first + STARTS_AT_ONCE]))


async def test_very_many_open_runs_are_answered_and_fit_into_one_worker(
    crowd: Crowd, tier: Tier, counting: Counting
) -> None:
    """Asked at random, written to at random."""
    house, chance, asked = crowd.house, Random(tier.seed), []
    with counting("R8", "messages to one of very many runs") as trials:
        for run in chance.choices(list(crowd.all), k=tier.of(20, 100)):
            since = time.monotonic()
            assert (await house.runs[run][0].ask("status"))["state"] == "running"
            asked.append(time.monotonic() - since)
        since = time.monotonic()
        chosen = [
            house.log.new(run, "note", {"message_id": f"v-{n}", "actor": "dana", "text": f"Words {n}"})
            for n, run in enumerate(chance.choices(list(crowd.all), k=100))
        ]
        await asyncio.gather(*(until_told(house, one) for one in chosen))
        effective = time.monotonic() - since
        trials.done += len(chosen)
        memory = memory_of(house.workers[0].process.pid)
        crowd.only({one.run for one in chosen})
        await judged(house)
    print(
        f"R8: {len(crowd.all)} open runs started in {crowd.started:.1f} s; worker {memory / GIB:.2f} GiB; "
        f"status {spread_of(asked)}; 100 random messages effective in {effective:.1f} s"
    )
    assert crowd.started < SLOW * tier.of(60, 60, 900)
    assert memory < 1.5 * GIB
    assert sorted(asked)[int(0.95 * len(asked))] < SLOW * 1.0
    assert effective < SLOW * 60.0


async def test_a_steady_stream_is_answered_without_an_error(crowd: Crowd, tier: Tier, counting: Counting) -> None:
    """Ten a second to at most two hundred runs, whether the one before was answered or not."""
    house, seconds, rate, chance = crowd.house, tier.of(4, 120), 10, Random(tier.seed)
    runs = list(crowd.all)[:200]
    crowd.only(runs)
    with counting("R9", "messages of a steady stream") as trials:
        began, chosen, sending = time.monotonic(), [], []
        for n in range(rate * seconds):
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
            content = {"message_id": f"s-{n}", "actor": "dana", "text": f"Words {n}"}
            chosen.append(house.log.new(chance.choice(runs), "note", content))
            sending.append(asyncio.create_task(house.log.send(house.client, chosen[-1])))
            trials.done += 1
        told = await asyncio.gather(*sending)
        took = [attempt.answered_at - attempt.asked_at for one in chosen for attempt in one.attempts]
        await judged(house)

        assert set(told) == {Told.OK}
    print(f"R9: {len(took)} messages, {rate} a second to {len(runs)} runs, 0 errors: {spread_of(took)}")
    assert sorted(took)[int(0.99 * len(took))] < SLOW * 2.0


async def test_a_herd_of_deadlines_in_one_second_is_handled_and_none_twice(
    crowd: Crowd, tier: Tier, counting: Counting
) -> None:
    """Dates of many runs are moved to one instant; every step of a ladder is told once, soon after it."""
    house, count, began = crowd.house, tier.of(15, 250, 2_500), time.monotonic()
    orders = [an_order(HERD, customer=f"herd-{n}", inputs=INPUTS) for n in range(count)]
    await start(house, orders)
    crowd.all.update(house.runs)
    crowd.only(one.run for one in orders)
    await house.rest()
    # Four messages to each take longer than a start of each, by as much as the machine is busy.
    at = datetime.now(UTC) + timedelta(seconds=5 + 3 * (time.monotonic() - began))
    at = at.replace(microsecond=0)
    gate = asyncio.Semaphore(STARTS_AT_ONCE)

    async def move(run: str) -> None:
        async with gate:
            for item in ITEMS:
                content = {
                    "message_id": f"x-{item}",
                    "actor": "dana",
                    "item": item,
                    "due": at.isoformat(),
                    "reason": "r",
                }
                await until_told(house, house.log.new(run, "extend", content))

    with counting("R16", "deadlines in one second") as trials:
        await asyncio.gather(*(move(one.run) for one in orders))
        assert datetime.now(UTC) < at, "the dates were moved before the instant came"
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        trials.done += count * len(ITEMS)
        due = time.monotonic()

        async def told() -> bool:
            return sum("/step0/" in key for key in sink.read_sink(house.sink)["notice"]) >= count * len(ITEMS)

        await until(told, SLOW * tier.of(60, 60, 600), "every deadline is told")
        took = time.monotonic() - due
        evidence = await judged(house)
        passed = [(one.order.run, row["item"]) for one in evidence for row in one.trail if row["code"] == "overdue"]

        assert len(passed) == len(set(passed)) == count * len(ITEMS)
    print(f"R16: {count * len(ITEMS)} deadlines in one second, all told {took:.1f} s after it, 0 missing, 0 twice")


@pytest.mark.parametrize(("in_flight", "allowed"), [(50, 500), (4, 10)], ids=["fifty", "four"])
async def test_fifty_who_write_to_one_run_at_once_all_have_their_effect_once(
    tmp_path: Path, tier: Tier, counting: Counting, monkeypatch: pytest.MonkeyPatch, in_flight: int, allowed: int
) -> None:
    """All on their way together on a server of ours; four where the server allows ten, as one that is left as it comes does."""
    monkeypatch.setitem(devserver._ALWAYS, "history.maxInFlightUpdates", str(allowed))
    rounds, gate = tier.of(2, 10), asyncio.Semaphore(in_flight)
    async with bench(tmp_path) as house:
        await house.work()
        run = (await house.start(kills_order("crowd"))).handle.id

        async def write(n: int) -> None:
            content = {"message_id": f"w-{n}", "actor": "dana", "text": f"Words {n}"}
            async with gate:
                await until_told(house, house.log.new(run, "note", content))
            trials.done += 1

        with counting("R12", "messages of fifty at once to one run") as trials:
            began = time.monotonic()
            for turn in range(rounds):
                await asyncio.gather(*(write(50 * turn + n) for n in range(50)))
            took = time.monotonic() - began
            (evidence,) = await judged(house)
            effects = [row for row in evidence.trail if str(row["message_id"]).startswith("w-")]

            assert {one.told for one in house.log.operations} == {Told.OK}
            assert len(effects) == 50 * rounds
    print(
        f"R12: {len(effects)} effects of {50 * rounds} sent, {in_flight} of {allowed} in flight, 0 lost, 0 twice, in {took:.1f} s"
    )


async def until_told(house: Bench, one: Operation) -> None:
    """Sends it until there is an answer, which is yes."""
    while (told := await house.log.send(house.client, one)) is Told.UNKNOWN:
        pass
    assert told is Told.OK, one


async def judged(house: Bench) -> Sequence[Evidence]:
    """What the checker has looked at, all of it well. `reconcile` looks at some beside it: ten thousand would take an hour."""
    await house.rest()
    evidence = await house.evidence()
    wrong = check_all(evidence, repeats=0)
    wrong += [f"reconcile: {one}" for one in await asyncio.to_thread(reconciled, house.door, list(house.runs)[:50])]
    assert wrong == []
    return evidence
