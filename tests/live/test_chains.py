"""Long runs: what a chain of executions carries, what it costs to read one again, and messages at the seams."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from console.replaying import checking
from onboarding import limits
from runtime.connection import plugin
from tests.support.agreement import whole_trail
from tests.support.floor import Floor
from tests.support.recorded import histories_of
from tests.support.shell import Edge, Run, a_run, a_worker, an_order, answer_all

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

IN_FLIGHT = 4
"""As many as a sender may have to one run."""
COLD = 2.0
"""Seconds of computing that reading a run again may take, at the limit of an execution. By the wall it is what others leave."""
RETRIED = (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.UNAVAILABLE, RPCStatusCode.ABORTED)
"""What a sender hears of a task that the server repeats because a message came while it ended the execution."""
STEPS = 12
SEAM = 0.05
"""Seconds before and after a seam."""


async def test_a_run_of_many_messages_forgets_nothing_and_stays_quick_to_read(
    client: Client, floor: Floor, customer: str, request: pytest.FixtureRequest
) -> None:
    """Ids, deadlines and the refused list go from execution to execution; each is short enough to be read again in two seconds."""
    count = 700 if request.config.getoption("--tier", default="C") == "C" else 3_000
    order = an_order("quick-start", customer=customer)
    run = await a_run(client, order, floor.task_queue)
    for n in range(5):
        await run.signal("submit", {"message_id": f"bad-{n}", "actor": "dana", "item": "nothing"})
    before = await run.ask("status")
    refused = (await run.ask("refused"))["rows"]

    outcomes = await _notes(run, count)

    again = [(await run.say("note", f"n-{n}", **note(n)))["outcome"] for n in (0, 1, 9, 20)]  # of the first execution
    reused = await run.say("note", "n-1", actor="dana", text="Another word.")
    after = await run.ask("status")
    assert set(outcomes) <= {"accepted", "duplicate"}, "a repeat whose first answer was lost is a duplicate"
    assert again == ["duplicate"] * 4
    assert (reused["outcome"], reused["code"]) == ("conflict", "id_reused")
    assert [one["code"] for one in refused] == ["unknown_item"] * 5
    assert (await run.ask("refused"))["rows"] == refused
    assert {one["id"]: one["due_at"] for one in after["items"]} == {one["id"]: one["due_at"] for one in before["items"]}
    trail = floor.edge.store.kept[order.run].trail
    assert sorted(one.message_id for one in trail.values() if one.message == "note") == sorted(
        f"n-{n}" for n in range(count)
    )

    histories = await histories_of(client, run)
    took, computed = [], []
    async with checking(plugin()) as check:
        await check.of(histories[-1])  # the first one also loads the program
        for history in histories:
            began, busy = time.monotonic(), time.process_time()
            found = await check.of(history)
            took.append(time.monotonic() - began)
            computed.append(time.process_time() - busy)
            assert found.verdict == "replays", found
    most = max(len(history.events) for history in histories)
    print(
        f"R22: {count} of {count} messages over {len(histories)} executions, at most {most} events in one, "
        f"read again with {max(computed):.2f} s of computing, {max(took):.2f} s by the wall"
    )
    assert len(histories) >= 2
    assert most <= 4_096
    assert max(computed) <= COLD, (computed, took)


async def _notes(run: Run, count: int) -> list[str]:
    """Says so many notes, each tenth as a signal; the outcomes of the others."""
    numbers = iter(range(count))
    outcomes: list[str] = []

    async def speak() -> None:
        for n in numbers:
            if n % 10 == 9:
                await run.signal("note", {"message_id": f"n-{n}", **note(n)})
            else:
                outcomes.append(await _verdict(run, "note", f"n-{n}", note(n)))

    await asyncio.gather(*(speak() for _ in range(IN_FLIGHT)))
    return outcomes


def note(n: int) -> dict[str, Any]:
    """What is said."""
    return {"actor": "dana", "text": f"Word {n}."}


async def test_messages_at_the_seam_of_two_executions_are_heard_once(
    client: Client, floor: Floor, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of them, while the run goes on as new after each fifth."""
    monkeypatch.setattr(limits, "MESSAGES_PER_RUN", 5)
    order = an_order("quick-start", customer=customer)
    run = await a_run(client, order, floor.task_queue)
    chance = random.Random(22)

    async def speak(n: int) -> None:
        await asyncio.sleep(chance.uniform(0, 8))
        if n % 2:
            await run.signal("note", {"message_id": f"n-{n}", **note(n)})
        else:
            assert await _verdict(run, "note", f"n-{n}", note(n)) in ("accepted", "duplicate")

    await asyncio.gather(*(speak(n) for n in range(100)))
    heard = await _heard(run, 100)
    executions = len(await histories_of(client, run))
    monkeypatch.undo()

    print(f"R22: {len(set(heard))} of 100 messages heard once, sent across {executions - 1} seams of executions")
    assert sorted(heard) == sorted(f"n-{n}" for n in range(100))
    assert executions > 3, "the server lets a run go on as new once a second"


async def test_messages_at_the_end_of_a_run_are_heard_or_told_that_it_is_over(
    client: Client, floor: Floor, customer: str
) -> None:
    """A hundred, each within a twentieth of a second of the end: in the trail, refused as too late, or told so; never gone."""
    chance = random.Random(23)
    fates = {"heard": 0, "told": 0}
    for number in range(10):
        order = an_order("quick-start", customer=f"{customer}-{number}")
        run = await a_run(client, order, floor.task_queue)
        await run.ask("status")
        told = await asyncio.gather(
            *(_near_the_end(run, n, chance.uniform(0, 2 * SEAM)) for n in range(10)), _ends(run)
        )
        await run.handle.result()
        trail = {row["message_id"] for row in await whole_trail(run)}
        late = {row["message_id"] for row in (await run.ask("refused"))["rows"]}
        for n, fate in enumerate(told[:-1]):
            name = f"n-{n}"
            if fate == "closed":
                assert name not in trail, "told that it is over, and heard"
                fates["told"] += 1
            else:
                assert name in trail | late, f"{name} of {order.run} was {fate} and is gone"
                fates["heard"] += 1

    print(
        f"R22: 100 messages at the end of 10 runs, {fates['heard']} heard, {fates['told']} told that it is over, 0 lost"
    )
    assert sum(fates.values()) == 100


async def _near_the_end(run: Run, n: int, wait: float) -> str:
    """What the sender knows: `accepted`, `sent` for a signal that the server took, or `closed`."""
    await asyncio.sleep(wait)
    if n % 2 == 0:
        return await _verdict(run, "note", f"n-{n}", note(n))
    try:
        await run.signal("note", {"message_id": f"n-{n}", **note(n)})
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return "closed"
    return "sent"


async def _ends(run: Run) -> str:
    await asyncio.sleep(SEAM)
    return await _verdict(run, "cancel", "end", {"actor": "dana", "reason": "They left."})


async def _verdict(run: Run, name: str, message_id: str, content: dict[str, Any]) -> str:
    """As a sender does it: the same message again until there is a verdict."""
    for _ in range(50):
        try:
            return str((await run.say(name, message_id, **content))["outcome"])
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return "closed"
            if error.status not in RETRIED:
                raise
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            pass
        except WorkflowUpdateFailedError as error:
            if getattr(error.cause, "type", "") != "AcceptedUpdateCompletedWorkflow":
                raise
        await asyncio.sleep(0.1)
    raise AssertionError(f"{message_id} got no verdict")


async def _heard(run: Run, count: int) -> list[str]:
    """The ids of the notes in the trail, once all of them are there."""
    heard: list[str] = []
    for _ in range(200):
        try:
            heard = [row["message_id"] for row in await whole_trail(run) if row["message"] == "note"]
        except RPCError as error:  # executions in quick succession are held back by the server
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
        if len(heard) >= count:
            break
        await asyncio.sleep(0.1)
    return heard


async def test_a_run_read_anew_at_every_step_goes_where_one_goes_that_stays_in_a_cache(
    client: Client, customer: str
) -> None:
    """The same script twice: by one worker with a cache of a thousand, and by a new worker for each step, that keeps nothing.

    Not one worker with a cache of size 0: such a one puts runs out in the middle of their tasks (decision 0004).
    """
    orders = [an_order("reference", customer=f"{customer}-{n}") for n in range(2)]
    edge, queues = Edge(), [f"kept-{customer}", f"anew-{customer}"]
    kept, anew = [await a_run(client, order, queue) for order, queue in zip(orders, queues, strict=True)]
    pairs = []
    async with a_worker(client, edge, queues[0], max_cached_workflows=1_000):
        for _ in range(STEPS):
            await answer_all(kept, orders[0], most=1)
            async with a_worker(client, edge, queues[1]):
                await answer_all(anew, orders[1], most=1)
                pairs.append([(await run.ask("status"))["state_hash"] for run in (kept, anew)])

    alike = sum(one == other for one, other in pairs)
    print(f"Cache: after {alike} of {STEPS} steps the state is the same, kept in a cache and read anew")
    assert alike == STEPS
    assert len({one for one, _ in pairs}) == STEPS, "each step leads somewhere"
