"""A run that is asked for its status all the time, while checks and hooks come and go, replays: a query that meets rows on their way to the
database ends a workflow task early, and the run then hears that they are written behind what has happened meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.agreement import replays, rows_are_history
from tests.support.asking import asked_run, quick_and_slow, settled
from tests.support.prompt import Prompt
from tests.support.shell import Edge, a_worker
from tests.support.slow_rows import USUAL, SlowStore

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
    edge = Edge(records=SlowStore(SqlRecordStore(database), 7, USUAL), notifier=notifier, hooks=quick_and_slow())
    async with a_worker(client, edge, "asked"):
        runs = await asyncio.gather(
            *(
                asked_run(client, f"{customer}-{n}", "asked", seconds=SECONDS, asking=ASKING, seed=n)
                for n in range(RUNS)
            )
        )
        for run in runs:
            await settled(run)
    histories = [await run.events() for run in runs]
    kinds = Counter(event.event_type for events in histories for event in events)

    assert kinds[EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED] > 10 * RUNS, "too few hooks came and went"
    assert await replays(client, *runs) == RUNS
    async with a_worker(await client_of(dev_server), edge, "asked"):
        for run in runs:
            await rows_are_history(run, database)
            assert (await run.say("note", actor="dana", text="Another worker has it now."))["outcome"] == "accepted"
            await settled(run)
            await rows_are_history(run, database)
    assert await replays(client, *runs) == RUNS
