"""A run that this build cannot carry on: it loses nothing while it stands still, and a reset brings it back."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory, WorkflowQueryFailedError
from temporalio.service import RPCError

from console.replaying import Replayed, checking
from onboarding.engine import rules
from runtime.connection import plugin
from runtime.devserver import DevServer
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.agreement import rows_are_history, whole_trail
from tests.support.prompt import Prompt
from tests.support.shell import Edge, Run, a_run, a_worker, an_order

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


async def test_a_run_that_no_build_carries_on_is_brought_back_by_a_reset(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that was changed in the middle of its work is gone; check-replay names the event, and all that was said is heard again."""
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    edge = Edge(records=SqlRecordStore(database), notifier=Prompt(SqlNoticeStore(database)))
    order, queue = an_order("reference", customer=customer), f"reset-{customer}"
    async with a_worker(client, edge, queue):
        run = await a_run(client, order, queue)
        await _both_ways(run, "before")
        monkeypatch.setattr(rules, "KEEPS_INSTANTS", rules.NEWEST + 1)
        await _both_ways(run, "changed")
        monkeypatch.undo()

    async with a_worker(client, edge, queue):
        with pytest.raises(WorkflowQueryFailedError, match="TMPRL1100"):
            await run.handle.query("status")
        broken = await _check(await run.handle.fetch_history())
        assert broken.verdict == "breaks"
        place = _task_before(await run.handle.fetch_history(), broken.event or 0)
        await asyncio.to_thread(_reset, dev_server, order.run, place)
        await _hears(run, 4)
        await rows_are_history(run, database)
        heard = [row["message_id"] for row in await whole_trail(run) if row["message"] == "note"]
        verdict = await run.say("cancel", actor="dana", reason="They left.")

    replayed = await _check(await run.handle.fetch_history())
    print(
        f"Reset: {len(heard)} of 4 messages are there after a reset to event {place}, where event {broken.event} broke"
    )
    assert sorted(heard) == ["before-s", "before-u", "changed-s", "changed-u"]
    assert verdict["outcome"] == "accepted"
    assert replayed.verdict == "replays"


async def _both_ways(run: Run, word: str) -> None:
    await run.signal("note", {"message_id": f"{word}-s", "actor": "dana", "text": "A word."})
    assert (await run.say("note", f"{word}-u", actor="dana", text="A word."))["outcome"] == "accepted"


async def _check(history: WorkflowHistory) -> Replayed:
    async with checking(plugin()) as check:
        return await check.of(history)


def _task_before(history: WorkflowHistory, event: int) -> int:
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return max(one.event_id for one in history.events if one.event_type == done and one.event_id < event)


def _reset(server: DevServer, run: str, event: int) -> None:
    words = ["workflow", "reset", "--workflow-id", run, "--event-id", str(event), "--reason", "does not replay"]
    subprocess.run(
        [str(server.cli_path), *words, "--address", server.address], check=True, capture_output=True, timeout=30
    )


async def _hears(run: Run, count: int) -> None:
    for _ in range(200):
        try:
            if sum(row["message"] == "note" for row in await whole_trail(run)) >= count:
                return
        except RPCError:  # between the two executions
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("what was said after the event was not heard again")
