"""Notices before their reader's hours, on a real server: kept by activity and by row, let go later, and paid for by nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from onboarding.engine.calendars import Calendar, Zone
from onboarding.engine.state import StartOrder
from runtime.releasing import Releaser
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.prompt import Prompt, leave
from tests.support.shell import Edge, Run, a_run, a_worker, an_order

pytestmark = pytest.mark.live


def away(customer: str) -> StartOrder:
    """A run whose people all work on one day of the week, which is neither today nor tomorrow."""
    order = an_order("quick-start", customer=customer)
    week = ((datetime.now(UTC).weekday() + 3) % 7,)
    calendar = Calendar(zone=Zone(name="UTC", transitions=((0, 0),)), week=week, hours=((540, 1_020),))
    contact = replace(order.definition.contact, send_in="working_hours")
    everywhere = dict.fromkeys(order.calendars, calendar)
    return replace(order, calendars=everywhere, definition=replace(order.definition, contact=contact))


async def test_words_wait_for_their_reader_and_cost_the_run_nothing(
    client: Client, customer: str, tmp_path: Path
) -> None:
    """An ask travels with rows, a handover is an activity of its own; both wait in the outbox, and no timer waits with them."""
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    notices = SqlNoticeStore(database)
    notifier = Prompt(notices)
    edge = Edge(records=SqlRecordStore(database), notifier=notifier)
    releaser = Releaser(client, notices, notifier)
    async with a_worker(client, edge, f"early-{customer}"):
        run = await a_run(client, away(customer), f"early-{customer}")
        stage = next(one["id"] for one in (await run.ask("status"))["stages"] if one["state"] == "open")
        given = await run.say("reassign", actor="dana", stage=stage, to="newcomer", reason="x")
        assert given["outcome"] == "accepted"
        lines = await settled(run, database)
        await releaser.look()
        later = ReadTable(database).outbox(run.handle.id)["rows"]
        events = await run.events()

    assert {"ask", "handoff"} <= {line["kind"] for line in lines}
    assert {"pending"} == {line["state"] for line in later}
    assert all(datetime.fromisoformat(line["not_before"]) > datetime.now(UTC) for line in later)
    assert list(notices.held(9)) == [], "their rows are history, whatever becomes of it"
    assert len(later) == len(leave(notices, datetime(2999, 1, 1, tzinfo=UTC)))
    assert sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in events) == 1, (
        "the alarm of the run alone"
    )
    database.dispose()


async def settled(run: Run, database: Any) -> list[dict[str, Any]]:
    """The outbox once the handover to whoever has the stage now is in it: the one at the start is another."""
    for _ in range(200):
        lines = ReadTable(database).outbox(run.handle.id)["rows"]
        if ("handoff", "newcomer") in {(line["kind"], line["to"]) for line in lines}:
            break
        await asyncio.sleep(0.05)
    return list(lines)
