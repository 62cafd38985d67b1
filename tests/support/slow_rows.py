"""A run that is asked and told things all the time while its rows outlast its workflow tasks."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from onboarding.engine.effects import WriteRecords
from tests.support.races import deadline_order
from tests.support.shell import Run, a_run, send

TASK_TIMEOUT = timedelta(seconds=1)
"""Of the run's workflow tasks: 80 % of it is what a local activity may take before the task leaves no event."""


class SlowStore:
    """A store whose transactions take so long that some of them outlast a workflow task, and none what a write at once may take."""

    def __init__(self, inner: Any, seed: int) -> None:
        self._inner, self._chance = inner, random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, batch: WriteRecords) -> str:
        """As the store, after a while."""
        time.sleep(self._chance.choice((0.01, 0.2, 0.9, 1.2)))
        answer: str = self._inner.write(batch)
        return answer


async def busy_run(client: Client, folder: Path, customer: str, task_queue: str, *, seconds: float, seed: int) -> Run:
    """A run with five deadlines that hears notes, mostly as signals, and queries, for so long."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    order = deadline_order(folder, customer, [3 + due * 2 for due in range(5)], seed)
    run = await a_run(client, order, task_queue, task_timeout=TASK_TIMEOUT)
    asking = [asyncio.create_task(_asks(run, random.Random(seed + n))) for n in (1, 2)]
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await asyncio.sleep(chance.uniform(0.05, 1.2))
        n += 1
        note = {"message_id": f"n{n}", "actor": "dana", "text": "A word."}
        if chance.random() < 0.7:
            await run.signal("note", note)
        else:
            # Nobody knows yet what became of one without an answer, and no claim needs it.
            with suppress(WorkflowUpdateRPCTimeoutOrCancelledError):
                await send(run.handle, "note", note)
    for one in asking:
        one.cancel()
    await asyncio.wait(asking)
    return run


async def _asks(run: Run, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0, 0.4))
        with suppress(RPCError):  # so many at once that some are turned away
            await run.handle.query("status", rpc_timeout=timedelta(seconds=5))
