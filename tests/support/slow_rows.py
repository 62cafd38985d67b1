"""A run that is asked and told things all the time while its rows outlast its workflow tasks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowQueryFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from onboarding.engine.effects import WriteRecords
from tests.support.races import deadline_order
from tests.support.shell import Run, a_run, send

TASK_TIMEOUT = timedelta(seconds=1)
"""Of the run's workflow tasks: 80 % of it is what a local activity may take before the task leaves no event."""


SLOW = (0.01, 0.2, 0.9, 1.2)
"""Seconds: some outlast a workflow task, and none what a write at once may take."""
USUAL = (0.005, 0.01, 0.02)
"""What a database takes that has other work as well."""


class SlowStore:
    """A store whose transactions take so many seconds, one or the other."""

    def __init__(self, inner: Any, seed: int, pauses: Sequence[float] = SLOW) -> None:
        self._inner, self._chance, self._pauses = inner, random.Random(seed), pauses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, batch: WriteRecords) -> str:
        """As the store, after a while."""
        time.sleep(self._chance.choice(self._pauses))
        answer: str = self._inner.write(batch)
        return answer


async def busy_run(client: Client, folder: Path, customer: str, task_queue: str, *, seconds: float, seed: int) -> Run:
    """A run with five deadlines that hears notes, mostly as signals, and queries, for so long."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    order = deadline_order(folder, customer, [3 + due * 2 for due in range(5)], seed)
    run = await a_run(client, order, task_queue, task_timeout=TASK_TIMEOUT)
    end, n = time.monotonic() + seconds, 0
    async with asked(run, seed, 2):
        while time.monotonic() < end:
            await asyncio.sleep(chance.uniform(0.05, 1.2))
            n += 1
            note = {"message_id": f"n{n}", "actor": "dana", "text": "A word."}
            if chance.random() < 0.7:
                await run.signal("note", note)
            else:
                await say(run, "note", note)
    return run


async def say(run: Run, name: str, content: dict[str, Any]) -> None:
    """An update. Nobody knows yet what became of one without an answer, and no claim needs it."""
    with suppress(WorkflowUpdateRPCTimeoutOrCancelledError):
        await send(run.handle, name, content)


@asynccontextmanager
async def asked(run: Run, seed: int, count: int) -> AsyncIterator[None]:
    """So many people ask for the status of a run again and again."""
    asking = [asyncio.create_task(_asks(run, random.Random(seed + n))) for n in range(count)]
    try:
        yield
    finally:
        for one in asking:
            one.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
    for error in ended:  # who asks no more tries nothing
        if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
            raise error


async def _asks(run: Run, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0, 0.4))
        # So many at once that some are turned away, or meet the end of a local activity (sdk-rust 1304).
        with suppress(RPCError, WorkflowQueryFailedError):
            await run.handle.query("status", rpc_timeout=timedelta(seconds=5))
