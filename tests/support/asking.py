"""A run with checks and hooks that come and go while it is told things and asked for its status all the time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any

from temporalio.client import Client

from integrations.hooks import HookRegistry
from tests.support.shell import Run, a_run, an_order
from tests.support.slow_rows import asked, say


def quick_and_slow() -> HookRegistry:
    """Checks and hooks that take as long as they please, and one that never says yes."""
    chance = random.Random(3)

    def after(*pauses: float, ok: bool = True) -> Any:
        def hook(_: Mapping[str, Any]) -> dict[str, Any]:
            time.sleep(chance.choice(pauses))
            return {"ok": ok}

        return hook

    return HookRegistry(
        {"soon": after(0.0, 0.01, 0.3), "late": after(0.05, 0.5, 1.5), "never": after(0.0, 0.3, ok=False)}
    )


async def asked_run(client: Client, customer: str, task_queue: str, *, seconds: float, asking: int, seed: int) -> Run:
    """A run that hears answers, an answer that is sent back again and again, and notes, while so many ask for its status."""
    chance = random.Random(seed)
    run = await a_run(client, an_order("asked", customer=customer), task_queue)
    end, n, left = time.monotonic() + seconds, 0, [1, 2, 3, 4, 5]
    async with asked(run, seed, asking):
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


async def settled(run: Run) -> None:
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
