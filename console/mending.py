"""Asking open runs for all their rows: after a restore, or where somebody has changed some."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from console import ground, histories
from console.printing import hint

if TYPE_CHECKING:
    from temporalio.client import Client

AT_ONCE = 8
"""Runs that are asked at the same time."""
ANSWERS = timedelta(seconds=10)


async def asked(runs: Sequence[str]) -> list[str]:
    """Those of these runs that are open and have taken the request."""
    client = await ground.client()
    open_ones = asyncio.Semaphore(AT_ONCE)

    async def one(run: str) -> bool:
        async with open_ones:
            return await histories.is_open(client, run) and await _ask(client, run)

    taken = await asyncio.gather(*(one(run) for run in runs))
    return [run for run, took in zip(runs, taken, strict=True) if took]


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
