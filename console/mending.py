"""Rows brought again by the runs themselves: after a restore, or where somebody has changed some.

An open run is asked to write them, since nobody may write beside it. One that has ended tells what they are, and they are written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from console import ground, histories, reads
from console.leaving import Answered
from console.printing import hint

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from temporalio.client import Client

AT_ONCE = 8
"""Runs that are asked at the same time."""
ANSWERS = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Open runs that have taken the request, and closed ones whose rows were written."""

    asked: tuple[str, ...]
    written: tuple[str, ...]


async def mended(engine: Engine, runs: Sequence[str]) -> Mended:
    """Lets these runs bring their rows; one that does not answer is named in a hint."""
    client = await ground.client()
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(run: str) -> str:
        async with turns:
            if await histories.is_open(client, run):
                return "asked" if await _ask(client, run) else ""
            return "written" if await _write(client, engine, run) else ""

    done = await asyncio.gather(*(one(run) for run in runs))
    found = dict(zip(runs, done, strict=True))
    return Mended(
        asked=tuple(run for run in runs if found[run] == "asked"),
        written=tuple(run for run in runs if found[run] == "written"),
    )


async def _ask(client: Client, run: str) -> bool:
    from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
    from temporalio.service import RPCError

    try:
        # An id of its own each time: the server would answer a known one from memory, and nothing would be written.
        await client.get_workflow_handle(run).execute_update(
            "write_rows", id=f"write-rows-{uuid4()}", rpc_timeout=ANSWERS
        )
    except WorkflowUpdateFailedError:
        hint(f"{run} does not know the request: its worker is of an earlier release.")
    except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
        hint(f"{run} did not answer: it brings its rows with its next turn.")
    else:
        return True
    return False


async def _write(client: Client, engine: Engine, run: str) -> bool:
    """Of a run that has ended: what its history still tells. Nothing for one that the server has forgotten."""
    from pydantic import TypeAdapter, ValidationError
    from temporalio.client import WorkflowQueryFailedError

    from onboarding.engine.effects import WriteRecords
    from onboarding.errors import RecordConflict
    from storage.records import SqlRecordStore

    try:
        told = await reads.ask(client, run, "rows")
        rows = TypeAdapter(WriteRecords).validate_python(told)
        # No execution will hold these: what the run has told other systems may leave at once.
        rows = replace(rows, execution="")
        return await asyncio.to_thread(SqlRecordStore(engine).write, rows) == rows.id
    except Answered as no:
        hint(f"{run} was not asked: {no.answer['sentence']}")
    except (WorkflowQueryFailedError, ValidationError):
        hint(f"{run} has ended and does not tell its rows: restore a newer copy.")
    except RecordConflict:
        hint(f"{run} was erased, or its rows are of another run of that name: nothing was written.")
    return False
