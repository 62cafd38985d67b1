"""One message sent again and again, by one sender and by many, before and after the run has gone on as new, to another worker: one effect."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from temporalio.client import Client

from onboarding import limits
from tests.support.figures import Figure
from tests.support.shell import Edge, Run, a_run, a_worker, an_order, send
from workflows.address import update_id

pytestmark = pytest.mark.live
CONTENT: dict[str, Any] = {"message_id": "the-same", "actor": "dana", "text": "once"}


async def entries(run: Run) -> list[str]:
    """How often the trail tells of it."""
    return [row["outcome"] for row in (await run.ask("trail"))["rows"] if row["message_id"] == "the-same"]


async def test_a_message_sent_many_times_has_one_effect(
    client: Client, customer: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """Three times in a row, twenty times at once under ids of their own, as a signal, after going on as new, by a worker that knows nothing."""
    edge, queue, heard = Edge(), f"same-{customer}", Counter[str]()

    def count(verdicts: list[dict[str, Any]]) -> None:
        heard.update(verdict["outcome"] for verdict in verdicts)

    async with a_worker(client, edge, queue):
        run = await a_run(client, an_order("short", customer=customer), queue)
        count([await send(run.handle, "note", CONTENT) for _ in range(3)])
        at_once = asyncio.Semaphore(4)

        async def again(n: int) -> dict[str, Any]:
            async with at_once:
                found: dict[str, Any] = await run.handle.execute_update("note", CONTENT, id=f"again-{n}")
                return found

        count(list(await asyncio.gather(*(again(n) for n in range(20)))))
        for _ in range(3):
            await run.signal("note", CONTENT)
        first = (await run.handle.describe()).run_id
        monkeypatch.setattr(limits, "MESSAGES_PER_RUN", 5)
        assert (await run.say("note", "another", actor="dana", text="another"))["outcome"] == "accepted"
        for _ in range(100):
            if (await run.handle.describe()).run_id != first:
                break
            await asyncio.sleep(0.1)
        assert (await run.handle.describe()).run_id != first
        count([await send(run.handle, "note", CONTENT)])
        assert await entries(run) == ["accepted"]
    async with a_worker(client, edge, queue):
        other = {**CONTENT, "text": "something else"}
        count([await send(run.handle, "note", CONTENT), await send(run.handle, "note", other)])
        assert await entries(run) == ["accepted"]
    figure(f"one message sent 30 times: 1 entry in the trail; senders heard {dict(heard)}")

    assert update_id("the-same", "note", CONTENT) != update_id("the-same", "note", other)
    assert heard["conflict"] == 1
    assert set(heard) == {"accepted", "duplicate", "conflict"}
    assert heard["duplicate"] >= 21
