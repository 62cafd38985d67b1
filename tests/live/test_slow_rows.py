"""Rows that outlast their workflow task: the server sees tasks that left nothing, and a replay must still go the same way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.agreement import replays, rows_are_history
from tests.support.prompt import Prompt
from tests.support.shell import Edge, Run, a_worker
from tests.support.slow_rows import SlowStore, busy_run

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

RUNS = 8
TURNS = 4
"""A machine that is so busy that it loses a task of each run gets so many."""
SECONDS = 10.0


# A local activity that ends while the SDK takes it back makes it warn, and a warning would end the worker of this test.
@pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning")
async def test_a_run_whose_rows_outlast_its_tasks_replays_and_tells_the_same(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Asked and told things all the time; then by another worker, that knows nothing but the history, trail and rows are one."""
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    notifier = Prompt(SqlNoticeStore(database))
    slow = Edge(records=SlowStore(SqlRecordStore(database), seed=7), notifier=notifier)
    bare = 0
    for turn in range(TURNS):
        async with a_worker(client, slow, "slow-rows"):
            busy = (
                busy_run(
                    client, tmp_path / f"{turn}-{n}", f"{customer}-{turn}-{n}", "slow-rows", seconds=SECONDS, seed=n
                )
                for n in range(RUNS)
            )
            runs = await asyncio.gather(*busy)
        histories = [(run, await run.events()) for run in runs]
        steady = [(run, events) for run, events in histories if not _wrote_later(events)]
        tried = [run for run, _ in steady]
        for _, events in steady:
            kinds = [event.event_type for event in events]
            bare += sum(one == COMPLETED and after == SCHEDULED for one, after in itertools.pairwise(kinds))
        replayed = await replays(client, *tried)
        await _told_the_same(await client_of(dev_server), database, notifier, tried)
        print(f"Slow rows: {replayed} of {len(tried)} runs replay, {bare} workflow tasks among them left no event")
        if bare:
            return
    raise AssertionError("no row outlasted its task, so nothing was tried")


def _wrote_later(events: Sequence[HistoryEvent]) -> bool:
    """A busy machine loses tasks of a second, too: what is written later then is left, see docs/decisions/0012-replay-and-upgrade.md."""
    return any(one.activity_task_scheduled_event_attributes.activity_type.name == "write_records" for one in events)


async def _told_the_same(client: Client, database: Engine, notifier: Prompt, runs: list[Run]) -> None:
    async with a_worker(client, Edge(records=SqlRecordStore(database), notifier=notifier), "slow-rows"):
        for run in runs:
            await rows_are_history(run, database)


COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
SCHEDULED = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
