"""A run that is asked for its status all the time, while checks and hooks come and go, replays: a query that meets rows on their way to the
database ends a workflow task early, and the run then hears that they are written behind what has happened meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from integrations.hooks import HookRegistry
from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.agreement import replays, rows_are_history
from tests.support.prompt import Prompt
from tests.support.shell import Edge, Run, a_run, a_worker, an_order
from tests.support.slow_rows import USUAL, SlowStore, asked, say

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

RUNS = 10
SECONDS = 12.0
ASKING = 4


async def test_a_run_with_hooks_that_is_asked_all_the_time_replays_and_tells_the_same(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Answers, an answer that is sent back again and again, and notes. With the rules before, half of such runs did not replay."""
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    notifier = Prompt(SqlNoticeStore(database))
    edge = Edge(records=SlowStore(SqlRecordStore(database), 7, USUAL), notifier=notifier, hooks=_hooks())
    async with a_worker(client, edge, "asked"):
        runs = await asyncio.gather(*(_busy(client, f"{customer}-{n}", n) for n in range(RUNS)))
        for run in runs:
            await _settled(run)
    histories = [await run.events() for run in runs]
    kinds = Counter(event.event_type for events in histories for event in events)

    assert kinds[EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED] > 10 * RUNS, "too few hooks came and went"
    assert await replays(client, *runs) == RUNS
    async with a_worker(await client_of(dev_server), edge, "asked"):
        for run in runs:
            await rows_are_history(run, database)
            assert (await run.say("note", actor="dana", text="Another worker has it now."))["outcome"] == "accepted"
            await _settled(run)
            await rows_are_history(run, database)
    assert await replays(client, *runs) == RUNS


def _hooks() -> HookRegistry:
    chance = random.Random(3)

    def after(*pauses: float, ok: bool = True) -> Any:
        def hook(_: Mapping[str, Any]) -> dict[str, Any]:
            time.sleep(chance.choice(pauses))
            return {"ok": ok}

        return hook

    return HookRegistry(
        {"soon": after(0.0, 0.01, 0.3), "late": after(0.05, 0.5, 1.5), "never": after(0.0, 0.3, ok=False)}
    )


async def _busy(client: Client, customer: str, seed: int) -> Run:
    chance = random.Random(seed)
    run = await a_run(client, an_order("asked", customer=customer), "asked")
    end, n, left = time.monotonic() + SECONDS, 0, [1, 2, 3, 4, 5]
    async with asked(run, seed, ASKING):
        while time.monotonic() < end:
            await asyncio.sleep(chance.uniform(0.02, 0.5))
            n += 1
            name, content = _something(chance, left)
            message = {"message_id": f"m{n}", **content}
            if chance.random() < 0.5:
                await run.signal(name, message)
            else:
                await say(run, name, message)
    return run


async def _settled(run: Run) -> None:
    """Waits until no hook is on its way and nothing has happened for a moment."""
    before, now = -1, 0
    while before != now:
        await asyncio.sleep(0.5)
        about = (await run.handle.describe()).raw_description
        busy = len(about.pending_activities) or about.HasField("pending_workflow_task")
        before, now = (-1 if busy else now), about.workflow_execution_info.history_length


def _something(chance: random.Random, left: list[int]) -> tuple[str, dict[str, Any]]:
    match chance.randrange(3):
        case 0 if left:
            n = left.pop(0)
            return "submit", {"actor": "customer:champion", "item": f"r{n}", "fields": {f"f{n}": "x"}}
        case 1:
            return "note", {"actor": "dana", "text": "A word."}
        case _:
            return "submit", {"actor": "customer:champion", "item": "company", "fields": {"name": "x"}}
