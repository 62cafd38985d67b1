"""Whether everything that tells of a run tells the same: its answers, its rows, and its history."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import Replayer

from onboarding.engine.chain import beginnings, digest_of
from runtime.connection import plugin
from storage.read_table import ReadTable
from tests.support.shell import Run
from workflows.onboarding_run import OnboardingRun

_NOT_CHAINED = ("digest", "sentence")
_OF_ITEMS = ("id", "round", "status", "owner", "due_at", "closed_at", "outcome", "late", "steps")


async def rows_are_history(run: Run, database: Engine) -> None:
    """Trail, items and ledger of the run and of the rows are the same, and the chain of the trail holds."""
    reads = ReadTable(database)
    for _ in range(300):  # rows may be a moment behind the answer, on a busy machine a long one
        trail, status = await whole_trail(run), await run.ask("status")
        written = rows_of_trail(reads, run)
        if [row["digest"] for row in trail] == [row["digest"] for row in written]:
            break
        await asyncio.sleep(0.05)
    assert [row["digest"] for row in trail] == [row["digest"] for row in written]
    before = beginnings(run.handle.id)
    for row in written:
        content = {name: value for name, value in row.items() if name not in _NOT_CHAINED}
        assert row["digest"] in [digest_of(one, content) for one in before]
        before = (row["digest"],)
    assert _picked(status["items"], _OF_ITEMS) == _picked(_latest(reads.items(run.handle.id), "round"), _OF_ITEMS)
    stages = _latest(reads.stages(run.handle.id), "visit")
    assert _picked(status["stages"], ("id", "state")) == _picked(stages, ("id", "state"))
    stretches = reads.ledger(run.handle.id)
    assert [row["n"] for row in stretches] == list(range(1, len(stretches) + 1))
    assert all(one["to"] == after["from"] for one, after in itertools.pairwise(stretches))
    row = reads.find(run.handle.id)
    assert row is not None
    names = ("state", "outcome", "asks", "escalations", "refused")
    assert [status[name] for name in names] == [row[name] for name in names]


async def whole_trail(run: Run) -> list[dict[str, Any]]:
    """All the trail that a run carries, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await run.ask("trail", *([{"cursor": cursor}] if cursor else []))
        found += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def rows_of_trail(reads: ReadTable, run: Run) -> list[dict[str, Any]]:
    """All the trail that the store has of a run."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = reads.trail(run.handle.id, cursor=cursor)
        found += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def replays(client: Client, *runs: Run) -> int:
    """Every execution of these runs goes the same way again in the strict sandbox; how many there were."""
    replayer = Replayer(workflows=[OnboardingRun], plugins=[plugin(strict=True)])
    count = 0
    for run in runs:
        before: str | None = None
        while before != "":
            history = await client.get_workflow_handle(run.handle.id, run_id=before).fetch_history()
            await replayer.replay_workflow(history)
            count += 1
            before = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return count


def _latest(rows: list[dict[str, Any]], count: str) -> list[dict[str, Any]]:
    """The row of the last round or visit of each."""
    return list({row["id"]: row for row in sorted(rows, key=lambda row: int(row[count]))}.values())


def _picked(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some fields of each row, in one order."""
    return sorted(({name: row[name] for name in names} for row in rows), key=lambda row: str(row["id"]))
