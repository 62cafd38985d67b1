"""Whole onboardings on a real Temporal server: quick ones, one of two months in seconds, one in spite of fifty bad messages."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.common import RawValue

from onboarding.engine.effects import NoticeKind
from onboarding.engine.plan import Plan
from onboarding.engine.state import StartOrder
from runtime.devserver import DevServer
from tests.support.clock import Clock
from tests.support.floor import Floor
from tests.support.shell import Run, a_run, an_order, answer_all, as_argument, good_answer, instant
from workflows import showing

pytestmark = pytest.mark.live


async def test_a_quick_start_runs_to_its_end(client: Client, floor: Floor, customer: str) -> None:
    """Stages, hooks and an event from outside; rows, result and attributes agree."""
    order = an_order("quick-start", customer=customer)
    run = await a_run(client, order, floor.task_queue)

    await finish(run, order)

    result = await run.handle.result()
    row = floor.edge.store.kept[order.run].row
    ledger = await run.ask("ledger")
    assert (result["outcome"], row.outcome, row.state) == ("live", "live", "closed")
    assert ledger["elapsed"] == sum(ledger["by_side"].values())
    assert result["metrics"] == ledger["metrics"]
    status = await run.ask("status")
    assert result["state_hash"] == status["state_hash"]
    attributes = (await run.handle.describe()).typed_search_attributes
    assert next(pair.value for pair in attributes if pair.key.name == "OnboardingWaitingOn") == "nobody"


async def test_fifty_malformed_signals_stop_nothing(client: Client, floor: Floor, customer: str) -> None:
    """After each of them `status` answers; the refused list counts them; the run finishes."""
    order = an_order("quick-start", customer=customer)
    run = await a_run(client, order, floor.task_queue)

    for n in range(50):
        name, args = MALFORMED[n % len(MALFORMED)]
        await run.signal(name, *args)
        assert (await run.ask("status"))["state"] == "running"

    assert (await run.ask("status"))["refused"] == 50
    await finish(run, order)
    assert (await run.handle.result())["outcome"] == "live"
    assert await failed_tasks(run) == 0


async def test_two_months_pass_in_seconds(client: Client, floor: Floor, clock: Clock, customer: str) -> None:
    """Reminders, ladder and hold happen on their days; answers at set times settle them; nothing is lost on the way."""
    order = an_order("two-months", customer=customer)
    run = await a_run(client, order, floor.task_queue)
    begin = instant((await run.ask("status"))["started_at"])

    async def day(number: float) -> None:
        await clock.advance(run.handle, begin + timedelta(days=number, seconds=40))

    await day(5)
    assert (await run.ask("status"))["health"] == "at_risk"
    await day(9)
    held = await run.say("hold", actor="dana", reason="The customer moves house.", side="customer")
    assert held["outcome"] == "accepted", held
    await day(29)
    assert (await run.ask("status"))["health"] == "on_hold"
    assert (await run.say("resume", actor="dana"))["outcome"] == "accepted"
    assert await answer_all(run, order, most=1) == 1
    await day(40)
    assert await answer_all(run, order, most=1) == 1
    await day(61)
    await answer_all(run, order)

    result = await run.handle.result()
    kinds = [
        kept.notice.kind for kept in floor.edge.store.notices.values() if kept.notice and kept.notice.run == order.run
    ]
    ledger = await run.ask("ledger")
    assert result["outcome"] == "live"
    assert timedelta(days=60) < instant(result["closed_at"]) - begin < timedelta(days=62)
    assert kinds.count(NoticeKind.REMINDER) >= 3
    assert kinds.count(NoticeKind.ESCALATION) >= 2
    assert timedelta(days=20) == pytest.approx(timedelta(seconds=ledger["by_side"]["hold"]), abs=timedelta(minutes=2))
    assert ledger["elapsed"] == sum(ledger["by_side"].values())


async def test_the_reference_onboarding_stays_within_its_budget(
    client: Client, floor: Floor, clock: Clock, customer: str
) -> None:
    """27 messages, 3 reminders, 6 stage changes: at most 70 Actions and 215 events, and 45 and 200 without the rows of turns (P3)."""
    order, run = await begun_in_its_second(client, floor, customer)

    settled = await answer_all(run, order, leave=("pack",))
    due = next(item["due_at"] for item in (await run.ask("status"))["items"] if item["id"] == "pack")
    for days in (3, 2, 1):
        await clock.advance(run.handle, instant(due) - timedelta(days=days) + timedelta(seconds=40))
    settled += await answer_all(run, order)
    await run.handle.result()

    events = [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in await run.events()]
    ours = [event for event in events if event not in OF_TIME_SKIPPING]
    kept = floor.edge.store.kept[order.run]
    reminders = [one for one in floor.edge.store.notices.values() if one.notice and one.notice.run == order.run]
    assert settled == 27
    assert [one.notice.kind for one in reminders if one.notice].count(NoticeKind.REMINDER) == 3
    assert len([stage for stage in kept.stages.values() if stage.status == "done"]) == 7
    assert len(kept.trail) >= 28
    without = [event for event in ours if event != "MARKER_RECORDED"]
    print(f"P3: {actions(ours)} Actions, {len(ours)} events; {actions(without)} and {len(without)} without rows")
    shown = [event.upsert_workflow_search_attributes_event_attributes.search_attributes for event in await run.events()]
    assert actions(ours) <= 70, [dict(one.indexed_fields) for one in shown if one.indexed_fields]
    assert len(ours) <= 215, ours
    assert ours.count("MARKER_RECORDED") >= 27, "the rows of every turn were written"
    assert actions(without) <= 45, without
    assert len(without) <= 200, without


async def test_the_temporal_command_line_alone_drives_a_run(
    dev_server: DevServer, client: Client, floor: Floor, customer: str
) -> None:
    """Start and every message by `temporal`, as signals; no client of ours sends anything."""
    order = an_order("quick-start", customer=customer, imports_data=False)

    def temporal(*words: str) -> None:
        command = [str(dev_server.cli_path), *words, "--address", dev_server.address]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    temporal(
        "workflow", "start", "--type", "OnboardingRun", "--task-queue", floor.task_queue,
        "--workflow-id", order.run, "--input", json.dumps(as_argument(order)),
    )  # fmt: skip
    run = Run(client.get_workflow_handle(order.run))
    for _ in range(20):
        status = await run.ask("status")
        todo = [item for item in status["items"] if item["status"] == "open" and item["kind"] != "hook"]
        if status["state"] == "closed":
            break
        if todo:
            name, content = good_answer(order, todo[0])
            temporal("workflow", "signal", "--workflow-id", order.run, "--name", name, "--input", json.dumps(content))

    assert (await run.handle.result())["outcome"] == "live"


OF_TIME_SKIPPING = ("WORKFLOW_EXECUTION_OPTIONS_UPDATED", "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED")
BILLED = (
    "WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_SIGNALED", "TIMER_STARTED",
    "ACTIVITY_TASK_SCHEDULED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
)  # fmt: skip


def actions(events: Sequence[str]) -> int:
    """Billable Actions of a history; local activities are one for each workflow task that has any."""
    local = sum(
        "MARKER_RECORDED" in task for task in "/".join(events).split("WORKFLOW_TASK_COMPLETED")[1:]
    )  # fmt: skip
    return local + sum(event in BILLED for event in events)


MALFORMED: list[tuple[str, list[Any]]] = [
    ("submit", []),
    ("submit", [None]),
    ("submit", ["text"]),
    ("submit", [[1, 2]]),
    ("submit", [{"item": 5}]),
    ("submit", [{"actor": "dana"}, {"actor": "dana"}]),
    ("decide", [{"item": "nothing", "outcome": "accept"}]),
    ("hold", [{"side": "moon"}]),
    ("nonsense", [{"message_id": "x"}]),
    ("complete", [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{broken"))]),
    ("note", [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 100_000))]),
    ("note", [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b'{"text": NaN}'))]),
    ("cancel", [RawValue(Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\xff"))]),
]


async def finish(run: Run, order: Any) -> None:
    """Settles everything, waiting for hooks."""
    for _ in range(100):
        await answer_all(run, order)
        if (await run.ask("status"))["state"] == "closed":
            return
    raise AssertionError(await run.ask("status"))


async def failed_tasks(run: Run) -> int:
    """Workflow tasks that failed."""
    return sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in await run.events())


async def begun_in_its_second(client: Client, floor: Floor, customer: str) -> tuple[StartOrder, Run]:
    """A reference run whose attributes, given with the start, are of the very second in which it begins.

    Where a second begins between the two, the dates of the attributes are a second early, and the run says them anew with its first
    reminder: one Action more, which depends on the machine and not on the run (tests/shell/test_budget.py).
    """
    for n in range(20):
        order = an_order("reference", customer=f"{customer}-{n}")
        await asyncio.sleep(1 - datetime.now(UTC).microsecond / 1_000_000)
        at = datetime.now(UTC).replace(microsecond=0)
        run = await a_run(client, order, floor.task_queue, search_attributes=showing.at_start(Plan(order), at))
        if instant((await run.ask("status"))["started_at"]) == at:
            return order, run
        await run.handle.terminate()
    raise AssertionError("no run began in the second in which it was started")
