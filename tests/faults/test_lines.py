"""Bad lines: between senders and the server, and between the worker and the server.

What a sender does not hear is neither done nor failed: the same id tells, and nothing happens twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from temporalio.client import Client

from runtime.connection import connect
from runtime.devserver import DevServer
from tests.faults.conftest import Counting
from tests.support.agreement import whole_trail
from tests.support.calls import Door
from tests.support.doors import environment_of, worker_process
from tests.support.faults.bench import Bench
from tests.support.faults.far import far_bench
from tests.support.faults.loops import PROGRESS_WITHIN, figures, judge, progress, settle, talking
from tests.support.faults.oplog import Operation, Told
from tests.support.faults.proxy import Fault, FaultProxy, Weather
from tests.support.faults.senders import kills_order
from tests.support.faults.tiers import Tier
from tests.support.shell import DATA, a_run, an_order

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

QUEUE = "lines"
CUTS = (Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_WITHIN)
WITHIN = 30.0
"""Seconds in which a command has ended: 15 for a verdict, the rest for a busy machine."""


async def test_a_message_over_a_bad_line_takes_effect_once_or_not_at_all_and_the_same_id_tells(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Requests that never arrive and replies that are lost, drawn by chance; each sender's last message before a long cut."""
    chance = Random(tier.seed)
    senders, each = tier.of((4, 3), (8, 40), (8, 200))
    async with far_bench(tmp_path) as house:
        await house.work()
        runs = [(await house.start(kills_order(f"line-{n}"))).handle.id for n in range(senders)]
        draws = [
            [
                (chance.choice(CUTS), chance.choice((1, 1, 2, 3)), chance.choice(("update", "update", "signal")))
                for _ in range(each)
            ]
            for _ in runs
        ]

        async def send(n: int, run: str) -> None:
            with FaultProxy(house.server.address, seed=n) as line:
                mine = await connect(address=line.address, namespace="default")
                for m, (fault, nth, via) in enumerate(draws[n]):
                    line.once(fault, on=f"l-{n}-{m}".encode(), nth=nth)
                    await house.log.send(mine, a_note(house, run, f"l-{n}-{m}", via))
                    trials.done += 1
                # The second request with the id is the update itself; the line does not come back before its sender gives up.
                line.once(CUTS[n % 2], on=b"last", nth=2, then=Weather(fault=Fault.REFUSE))
                await house.log.send(mine, a_note(house, run, f"l-{n}-last", "update"))
                trials.done += 1

        with counting("L4", "messages over a line that was cut") as trials:
            await asyncio.gather(*(send(n, run) for n, run in enumerate(runs)))
            unknown = [one for one in house.log.operations if one.told is Told.UNKNOWN]
            done = {row["message_id"] for run, _ in house.runs.values() for row in await whole_trail(run)}
            # Of what nobody was told, half had been done.
            last = [f"l-{n}-last" for n in range(senders)]
            assert {one.id for one in unknown} >= set(last)
            assert [one in done for one in last] == [n % 2 == 1 for n in range(senders)]
            for one in unknown:
                assert await house.log.send(house.client, one) is Told.OK
                assert one.outcomes == ("duplicate" if one.id in done else "accepted",), one
            await house.rest()
            await judge(house, repeats=0)

            assert {one.told for one in house.log.operations} == {Told.OK}
            assert len(house.log.operations) == senders * (each + 1)
    print(
        f"L4: {trials.done} messages over bad lines, {len(unknown)} unknown at first "
        f"({sum(one.id in done for one in unknown)} done, the others not), 0 lost, 0 twice"
    )


def a_note(house: Bench, run: str, message_id: str, via: str) -> Operation:
    """A message that is taken whatever the run does."""
    content = {"message_id": message_id, "actor": "dana", "text": f"Words of {message_id}"}
    return house.log.new(run, "note", content, via)


@dataclass(frozen=True)
class Call:
    """A command over a line that fails: what it says may be one of these codes."""

    words: tuple[str, ...]
    fault: Fault
    on: str
    """What the request that fails has in it; empty for the weather of all requests."""
    codes: tuple[int, ...]
    nth: int = 1


NOTE = ("note", "RUN", "x", "--actor", "dana", "--id", "ID")
CALLS = {
    # The first three are those of every change.
    "everything is refused": Call(NOTE, Fault.REFUSE, "", (69,)),
    "its reply is lost": Call(NOTE, Fault.CUT_AFTER, "ID", (0,), 2),
    "the reply to a signal is lost": Call((*NOTE, "--signal"), Fault.CUT_AFTER, "ID", (0,)),
    "silence after it": Call(NOTE, Fault.HALF_OPEN, "ID", (0, 75), 2),
    "nothing gets through": Call(NOTE, Fault.CUT_BEFORE, "", (69,)),
    "replies are lost": Call(NOTE, Fault.CUT_AFTER, "", (69,)),
    "nothing is answered": Call(("status", "RUN"), Fault.HALF_OPEN, "", (69,)),
    "the message never arrives": Call(NOTE, Fault.CUT_BEFORE, "ID", (0,), 2),
    "a signal never arrives": Call((*NOTE, "--signal"), Fault.CUT_BEFORE, "ID", (0,)),
    "silence after a signal": Call((*NOTE, "--signal"), Fault.HALF_OPEN, "ID", (0, 75)),
}


async def test_a_command_over_a_bad_line_ends_within_its_bounds_with_a_code_and_the_same_id_tells(
    client: Client, dev_server: DevServer, tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """0 where trying again helped, 69 where no server was reached, 75 where there is no verdict; never a traceback."""
    async with worker_process(client, dev_server.address, tmp_path, QUEUE):
        run = await a_run(client, an_order("quick-start", customer="line-cli"), QUEUE)
        gate = asyncio.Semaphore(3)

        async def call(message_id: str, one: Call) -> float:
            words = [{"RUN": run.handle.id, "ID": message_id}.get(word, word) for word in one.words]
            async with gate:
                with FaultProxy(dev_server.address) as line:
                    door = Door(tmp_path, **environment_of(line.address, tmp_path, QUEUE))
                    if one.on:
                        line.once(one.fault, on=message_id.encode(), nth=one.nth)
                    else:
                        line.weather = Weather(fault=one.fault)
                    answer = await asyncio.to_thread(door, *words)
                    assert answer.code in one.codes, (one, answer)
                    assert not one.on or line.resets or one.fault is Fault.HALF_OPEN, "the fault has struck"
                    line.weather = Weather()
                    again = await asyncio.to_thread(door, *words)
            assert again.code == 0, again
            trials.done += 1
            return answer.seconds

        calls = {
            f"call-{turn}-{n}": one
            for turn in range(tier.of(1, 2, 20))
            for n, one in enumerate(list(CALLS.values())[: tier.of(3, None)])
        }
        with counting("L4-commands", "commands over a line that failed") as trials:
            took = await asyncio.gather(*(call(message_id, one) for message_id, one in calls.items()))
            trail = [row["message_id"] for row in await whole_trail(run)]
            sent = [message_id for message_id, one in calls.items() if "ID" in one.words]

            assert {one: trail.count(one) for one in sent} == dict.fromkeys(sent, 1)
            assert max(took) < WITHIN
    print(
        f"L4: {len(took)} commands over bad lines, each told its code, the longest in {max(took):.1f} s, each message once"
    )


async def test_a_start_whose_reply_is_lost_is_one_run_and_the_same_start_says_so(
    client: Client, dev_server: DevServer, tmp_path: Path, tier: Tier
) -> None:
    """The first command may end without an answer; the second one finds the run or makes it, and there is one."""
    for n, fault in enumerate((Fault.CUT_AFTER, Fault.CUT_BEFORE, Fault.HALF_OPEN)[: tier.of(1, 3)]):
        customer = f"line-start-{n}"
        words = (
            "start",
            DATA / "short.yaml",
            "--customer",
            customer,
            "--input",
            DATA / "short.input.yaml",
            "--actor",
            "dana",
        )
        with FaultProxy(dev_server.address) as line:
            door = Door(tmp_path, **environment_of(line.address, tmp_path, QUEUE))
            struck = line.once(fault, on=customer.encode())
            first = await asyncio.to_thread(door, *words)
            again = await asyncio.to_thread(door, *words)

        assert struck.is_set()
        assert first.code in (0, 75), first
        assert again.code == 0, again
        runs = [one async for one in client.list_workflows(f'WorkflowId = "{again.data["run"]}"')]
        handle = client.get_workflow_handle(again.data["run"])
        assert (await handle.describe()).run_id == again.data["run_id"]
        assert len(runs) <= 1, "visibility may be a moment behind, and never shows two"
        await handle.terminate("the test is over")


async def test_a_worker_behind_a_flaky_line_goes_on_and_nothing_is_lost_or_twice(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Cuts, refusals, lost replies, delay and silence, drawn by chance, while people send: one process all the time."""
    chance = Random(tier.seed)
    # With every change a cut, lost replies and silence; the longer forms draw.
    faults = tier.of([FLAKY[0], FLAKY[3], FLAKY[5]], [chance.choice(FLAKY) for _ in range(20)])
    recovered: list[float] = []
    async with far_bench(tmp_path) as house:
        with FaultProxy(house.server.address, seed=tier.seed) as line:
            house.settings = {"TEMPORAL_ADDRESS": line.address}
            worker = await house.work()
            with counting("L4-worker", "faults of the line between worker and server") as trials:
                last = 0.0
                async with talking(house, tier.seed, tier.of(8, 50)):
                    for weather, seconds in faults:
                        line.weather = weather
                        if weather.fault is Fault.NONE:
                            line.cut()
                        await asyncio.sleep(seconds)
                        line.weather, last = Weather(), time.monotonic()
                        # The server waits ten seconds for a task whose answer was lost; what else there is, is a busy machine.
                        recovered.append(await progress(house.log, last, 2 * PROGRESS_WITHIN))
                        trials.done += 1
                lived = await settle(house, chance, last)
                # An answer of a hook that is lost for longer than its limit is a call once more, under the same key.
                await judge(house, repeats=len(faults) * tier.of(8, 50))
                assert worker.process.poll() is None
    print(
        f"L4: {len(faults)} faults between worker and server, {figures(house)}, 0 lost, 0 twice; "
        f"somebody told yes {max(recovered):.1f} s after one at most, all {lived:.1f} s after the last"
    )


FLAKY = (
    (Weather(), 0.5),
    (Weather(fault=Fault.REFUSE), 1.0),
    (Weather(fault=Fault.CUT_BEFORE), 1.0),
    (Weather(fault=Fault.CUT_AFTER), 1.0),
    (Weather(delay=0.05, jitter=0.1), 2.0),
    (Weather(fault=Fault.HALF_OPEN), 2.0),
    (Weather(fault=Fault.CUT_WITHIN), 1.0),
)
"""What a line does, and for how many seconds."""
