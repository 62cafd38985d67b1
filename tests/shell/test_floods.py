"""A worker that comes back finds everything at once: it is done in parts, in order, and no workflow task computes too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client

from onboarding import limits
from tests.support import large_plans, pace
from tests.support.activations import Activated
from tests.support.agreement import replays
from tests.support.clock import Clock
from tests.support.figures import Figure
from tests.support.shell import Edge, a_run, a_worker, an_order, instant

pytestmark = pytest.mark.usefixtures("own_memory_only")

MOST = 0.5
"""Seconds of computing in one workflow task, on the machine of `pace`; the SDK gives up at two."""
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


FLOODS = {
    "1,000 notes": (1_000, "note", {"text": "hello"}),
    "1,000 nameless signals": (1_000, "noote", {"text": "hello"}),
    "100 events of 64 KiB": (100, "happen", {"event": "contract_signed", "data": {"x": "y" * 65_000}}),
    "100 answers of 64 KiB": (100, "submit", {"item": "company_details", "fields": {f"f{n}": "y" * 50 for n in range(900)}}),
    "40 messages of 64 KiB in small parts": (40, "note", {f"{n:x}": n for n in range(5_500)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_signals_is_applied_in_parts(name: str, figure: Figure) -> None:
    """All of them wait when the worker comes; each task takes as many as it can compute, and none is left out."""
    count, message, content = FLOODS[name]
    run = Activated(an_order("b2b-standard", customer="c-1"), NOW)
    run.spent.clear()
    run.signals((message, {"message_id": f"m-{n}", "actor": "dana", **content}) for n in range(count))
    assert run.pauses > 0
    run.wait(NOW + timedelta(seconds=30))
    heard = run.state.refused_count + len(run.state.remembered)
    figure(f"S6: {name} at once: {max(run.spent) * 1_000:.0f} ms of computing in the longest of {len(run.spent)} tasks")

    assert heard == count
    assert pace.within(max(run.spent), MOST)


def test_signals_are_applied_in_their_order_and_the_clock_waits_for_them() -> None:
    """What came before its deadline was acted on is in time, however many came before it; the last one is behind them all."""
    run = Activated(an_order("short", customer="c-1"), NOW)
    count = 3 * limits.SIGNALS_PER_TURN
    notes = [("note", {"message_id": f"m-{n}", "actor": "dana", "text": "x"}) for n in range(count)]
    due = min(one.due_at for one in run.state.items.values() if one.due_at)
    run.now = due + timedelta(hours=1)
    run.signals([*notes, ("complete", {"message_id": "last", "actor": "dana", "item": "first"})])
    at_first = len(run.state.remembered)
    run.wait(run.now + timedelta(seconds=1))

    assert at_first == limits.SIGNALS_PER_TURN, "rows that land at once are no new workflow task"
    assert run.pauses == 3
    assert str(run.state.items["first"].status) == "done"
    assert run.state.items["first"].overdue is False
    assert list(run.state.remembered)[-1] == "last"
    assert list(run.state.remembered)[:-1] == [f"m-{n}" for n in range(count)]


def test_no_update_overtakes_a_hundred_signals() -> None:
    """Its sender is told to come again; nothing of it is kept, and behind the signals the same one is accepted. A few may be overtaken."""
    run = Activated(an_order("short", customer="c-1"), NOW)
    part = limits.SIGNALS_PER_TURN
    run.signals(
        ("note", {"message_id": f"m-{n}", "actor": "dana", "text": "x"}) for n in range(3 * part - 1)
    )  # one part is applied at once
    before = run.state
    mine = {"message_id": "mine", "actor": "dana", "text": "y"}
    first = run.update("note", mine)
    told = run.state
    run.wait(run.now + timedelta(milliseconds=1))
    few = run.update("note", mine)

    assert first is not None
    assert (first["outcome"], first["code"]) == ("retry_later", "signals_wait")
    assert told == before
    assert few is not None
    assert few["outcome"] == "accepted"
    assert list(run.state.remembered).index("mine") == 2 * part
    run.wait(run.now + timedelta(seconds=1))
    assert len(run.state.remembered) == 3 * part


def test_a_usual_run_knows_nothing_of_parts() -> None:
    """What is not too much is done at once, and no timer is set for it."""
    run = Activated(an_order("short", customer="c-1"), NOW)
    run.signals(
        ("note", {"message_id": f"m-{n}", "actor": "dana", "text": "x"}) for n in range(limits.SIGNALS_PER_TURN)
    )
    run.sleep(NOW + timedelta(days=400))

    assert run.pauses == 0
    assert len(run.state.remembered) == limits.SIGNALS_PER_TURN


def test_an_absence_of_two_months_is_caught_up_with_in_parts(tmp_path: Path, figure: Figure) -> None:
    """Forty tasks that are reminded of every day: what rings is told once each, and no task computes too long."""
    run = Activated(large_plans.order_of(large_plans.an_endless_reminder(40), tmp_path), NOW)
    run.spent.clear()
    run.sleep(NOW + timedelta(days=60))
    run.wait(run.now + timedelta(minutes=5))
    keys = [notice["key"] for notice in run.notices]
    figure(f"S6: 60 days away: {max(run.spent) * 1_000:.0f} ms of computing in the longest of {len(run.spent)} tasks")

    assert len(run.spent) > 10  # at once it would be two: the turn and its rows
    assert all(item.overdue and set(item.fired) == {0, 1} for item in run.state.items.values())
    assert len(keys) == len(dict.fromkeys(keys))
    assert pace.within(max(run.spent), MOST)


def failures(events: list[Any]) -> list[Any]:
    """Workflow tasks that failed. That something arrives while a run goes on or ends is no failure: the server has it looked at again."""
    found = [
        one.workflow_task_failed_event_attributes
        for one in events
        if one.HasField("workflow_task_failed_event_attributes")
    ]
    return [one for one in found if one.cause != WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND]


@pytest.mark.live
async def test_what_came_while_the_worker_was_away_is_applied_in_its_order_and_can_be_replayed(
    client: Client, customer: str, figure: Figure
) -> None:
    """On a real server: more than one task may take, then an end of the run behind all of them; nothing is left out."""
    count = 2 * limits.SIGNALS_PER_TURN + 50
    edge, queue, order = Edge(), f"flood-{customer}", an_order("short", customer=customer)
    async with a_worker(client, edge, queue):
        run = await a_run(client, order, queue)
        await run.ask("status")
    for n in range(count):
        await run.signal("note", {"message_id": f"m-{n}", "actor": "dana", "text": f"{n}"})
    await run.signal("cancel", {"message_id": "last", "actor": "dana", "reason": "enough"})
    await run.signal("note", {"message_id": "late", "actor": "dana", "text": "too late"})
    async with a_worker(client, edge, queue):
        result = await run.handle.result()
        rows = edge.store.kept[order.run].trail.values()
    told = [entry.message_id for entry in rows if entry.message == "note"]
    failed = failures(await run.events())
    figure(f"S6: {count + 2} signals after an absence, on a real server: all in order, {len(failed)} tasks failed")

    assert result["outcome"] == "cancelled"
    assert told == [f"m-{n}" for n in range(count)]
    assert failed == []
    assert await replays(client, run) >= 1


@pytest.mark.live
async def test_more_deadlines_than_one_task_acts_on_pass_in_several(
    client: Client, clock: Clock, customer: str, tmp_path: Path, figure: Figure
) -> None:
    """170 tasks late at one instant, each with a step of its ladder: every one is told once."""
    text = large_plans.tasks(170, default="owner: boss, clock: calendar, due: 2d, escalation: steep")
    order = large_plans.order_of(text, tmp_path, customer)
    edge, queue = Edge(), f"late-{customer}"
    async with a_worker(client, edge, queue):
        run = await a_run(client, order, queue)
        due = max(instant(one["due_at"]) for one in (await run.ask("status"))["items"])
        await clock.advance(run.handle, due + timedelta(minutes=10))
        status = await run.ask("status")
    told = [
        kept.notice.item for kept in edge.store.notices.values() if kept.notice and kept.notice.kind == "escalation"
    ]
    failed = failures(await run.events())
    figure(f"S6: 340 instants at once on a real server: {len(told)} people told once each, {len(failed)} tasks failed")

    assert 2 * limits.INSTANTS_PER_TURN < 2 * 170
    assert all(one["late"] and one["steps"] == 1 for one in status["items"])
    assert sorted(told) == sorted(one["id"] for one in status["items"])
    assert failed == []
    assert await replays(client, run) >= 1
