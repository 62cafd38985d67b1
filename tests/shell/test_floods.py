"""A worker that comes back finds everything at once: it is done in parts, in order, and no workflow task computes too long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import _workflow_instance

from onboarding import limits
from tests.support import large_plans
from tests.support.agreement import replays
from tests.support.clock import Clock
from tests.support.history import Written, json_payload
from tests.support.shell import Edge, a_run, a_worker, an_order, instant

MOST = 0.5
"""Seconds of computing in one activation; the SDK gives up at two."""


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds of computing of every activation, the first one of a run among them."""
    found: list[float] = []
    activate = _workflow_instance._WorkflowInstanceImpl.activate

    def timed(self: Any, act: Any) -> Any:
        begun = time.thread_time()
        try:
            return activate(self, act)
        finally:
            found.append(time.thread_time() - begun)

    monkeypatch.setattr(_workflow_instance._WorkflowInstanceImpl, "activate", timed)
    return found


FLOODS = {
    "4,000 notes": (4_000, "note", {"text": "hello"}),
    "4,000 nameless signals": (4_000, "noote", {"text": "hello"}),
    "500 events of 64 KiB": (500, "happen", {"event": "contract_signed", "data": {"x": "y" * 65_000}}),
    "500 answers of 64 KiB": (500, "submit", {"item": "company_details", "fields": {f"f{n}": "y" * 50 for n in range(900)}}),
    "500 messages of 64 KiB in small parts": (500, "note", {f"{n:x}": n for n in range(5_500)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_of_signals_is_applied_in_parts(
    name: str, spent: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them wait when the worker comes; each task takes as many as it can compute."""
    count, message, content = FLOODS[name]
    history = Written.of(an_order("b2b-standard", customer="c-1"))
    for n in range(count):
        history.signal(message, json_payload({"message_id": f"m-{n}", "actor": "dana", **content}))
    history.task()
    # A second time, because the first one pays for what a process needs only once.
    assert await history.replay(strict=False) is None
    spent.clear()
    assert await history.replay(strict=False) is None
    with capsys.disabled():
        print(f"\n  S6: {name} at once: {max(spent) * 1_000:.0f} ms of computing in the longest of {len(spent)} tasks")

    assert 0 < max(spent) < MOST


@pytest.mark.live
async def test_what_came_while_the_worker_was_away_is_applied_in_its_order_and_can_be_replayed(
    client: Client, customer: str, spent: list[float], capsys: pytest.CaptureFixture[str]
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
    spent.clear()
    async with a_worker(client, edge, queue):
        result = await run.handle.result()
        told = [entry.message_id for entry in edge.store.trails[order.run] if entry.message == "note"]
    failed = [one for one in await run.events() if one.HasField("workflow_task_failed_event_attributes")]
    with capsys.disabled():
        print(
            f"\n  S6: {count} signals after an absence: {max(spent) * 1_000:.0f} ms in the longest of {len(spent)} tasks"
        )

    assert result["outcome"] == "cancelled"
    assert told == [f"m-{n}" for n in range(count)]
    assert failed == []
    assert await replays(client, run) >= 1


@pytest.mark.live
async def test_more_deadlines_than_one_task_acts_on_pass_in_several(
    client: Client, clock: Clock, customer: str, tmp_path: Path, spent: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """170 tasks late at one instant, each with a step of its ladder: every one is told once."""
    text = large_plans.tasks(170, default="owner: boss, clock: calendar, due: 2d, escalation: steep")
    order = large_plans.order_of(text, tmp_path, customer)
    edge, queue = Edge(), f"late-{customer}"
    async with a_worker(client, edge, queue):
        run = await a_run(client, order, queue)
        due = max(instant(one["due_at"]) for one in (await run.ask("status"))["items"])
        spent.clear()
        await clock.advance(run.handle, due + timedelta(minutes=10))
        status = await run.ask("status")
    told = [
        kept.notice.item for kept in edge.store.notices.values() if kept.notice and kept.notice.kind == "escalation"
    ]
    failed = [one for one in await run.events() if one.HasField("workflow_task_failed_event_attributes")]
    with capsys.disabled():
        print(f"\n  S6: 340 instants at once: {max(spent) * 1_000:.0f} ms in the longest of {len(spent)} tasks")

    assert 2 * limits.INSTANTS_PER_TURN < 2 * 170
    assert all(one["late"] and one["steps"] == 1 for one in status["items"])
    assert sorted(told) == sorted(one["id"] for one in status["items"])
    assert failed == []
    assert await replays(client, run) >= 1
