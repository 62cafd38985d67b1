"""Dates that pass while workers are killed: every escalation that is due reaches the world under one key, and no other does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from onboarding.engine.effects import NoticeKind
from onboarding.engine.state import StartOrder
from tests.faults.conftest import Counting
from tests.support.faults.bench import Bench, bench
from tests.support.faults.checker import Evidence
from tests.support.faults.loops import figures, judge, settle
from tests.support.faults.retelling import retell
from tests.support.faults.senders import INPUTS
from tests.support.faults.tiers import Tier
from tests.support.shell import an_order

pytestmark = [pytest.mark.live, pytest.mark.slow]

OF_A_RUN = 10
"""Dates in each run; of every fifth the item is answered at about that time, so that it may be in time or late."""
HEAD = """
schema: onboarding/v1
id: dates
version: 1
title: Dates that pass
inputs:
  contacts: {type: contacts, required: true}
calendars:
  provider: {tz: Europe/Berlin, week: mon-fri, hours: "09:00-17:00"}
roles:
  owner: {side: provider, value: dana@provider.example}
  head: {side: provider, value: head@provider.example}
policies:
  escalation:
    quick: [{at: due, do: notify, to: [head], mark: at_risk}]
defaults:
  task: {owner: owner, clock: calendar, escalation: quick}
stages:
  - id: only
    title: Only one
    owner: owner
    tasks:
      - {id: anchor, title: What keeps it open, due: 300d}
"""


@pytest.mark.timeout(3_000)
async def test_every_date_that_passes_under_kills_is_told_once(tmp_path: Path, tier: Tier, counting: Counting) -> None:
    """As many keys as dates; what was answered before its date is never told."""
    runs, first, span = tier.of(4, 46, 112), tier.of(4, 15, 30), tier.of(12, 180, 450)
    random = Random(tier.seed)
    with counting("R15", "escalations due while workers are killed") as trials:
        async with bench(tmp_path) as made:
            await asyncio.gather(made.work(), made.work())
            orders = [_order(tmp_path, n, random, first, span) for n in range(runs)]
            began = time.monotonic()
            await asyncio.gather(*(made.start(order) for order in orders))
            answers = [
                asyncio.create_task(_answer(made, order, n, first, span))
                for order in orders
                for n in range(0, OF_A_RUN, 5)
            ]
            while time.monotonic() < began + first + span:
                await asyncio.sleep(random.uniform(0.5, 3.0))
                victim = random.choice(made.workers)
                await made.kill(victim)
                await made.work()
            last = time.monotonic()
            await asyncio.gather(*answers)
            await _all_due(made, orders)
            await settle(made, random, last)
            evidence = await judge(made, repeats=made.kills)
            due, told = _counts(evidence)
            trials.done = due
            assert told == due > 0
            print(
                f"R15: {due} escalations due under {made.kills} kills, {told} keys at the sink, 0 missing, 0 extra, "
                f"{_again(evidence)} repeats; {figures(made)}; seed {tier.seed}"
            )


def _order(folder: Path, number: int, random: Random, first: int, span: int) -> StartOrder:
    """A run whose dates pass in `span` seconds after the `first`."""
    dues = sorted(first + random.randrange(span) for _ in range(OF_A_RUN))
    lines = [f"      - {{id: date_{n}, title: Date {n}, due: {due}s}}" for n, due in enumerate(dues)]
    path = folder / f"dates-{number}"
    path.with_suffix(".yaml").write_text(HEAD.lstrip() + "\n".join(lines) + "\n", encoding="utf-8")
    return an_order(str(path), customer=f"d-{number}", inputs=INPUTS)


async def _answer(made: Bench, order: StartOrder, number: int, first: int, span: int) -> None:
    """Answers one item at about its date: the middle of what is left when it was drawn."""
    await asyncio.sleep(first + span * number / OF_A_RUN)
    content: dict[str, Any] = {"message_id": f"a-{number}", "actor": "dana", "item": f"date_{number}"}
    await made.log.send(made.client, made.log.new(order.run, "complete", content))


async def _all_due(made: Bench, orders: list[StartOrder]) -> None:
    """Waits until only the far date of the anchor is still to come, in every run."""
    ends = time.monotonic() + 60.0
    for order in orders:
        while late := await _late(made, order):
            assert time.monotonic() < ends, f"dates have passed and nothing happened: {late}"
            await asyncio.sleep(0.2)


async def _late(made: Bench, order: StartOrder) -> str:
    run, _ = made.runs[order.run]
    status = await run.ask("status")
    waiting = [one for one in status["items"] if one["status"] == "open" and one["id"] != "anchor" and not one["steps"]]
    if not waiting:
        return ""
    raw = (await run.handle.describe()).raw_description
    dates = {one["id"]: one["due_at"] for one in waiting}
    return f"{order.run} {dates} at {status.get('at')}, workflow task {raw.pending_workflow_task}"


def _counts(evidence: Sequence[Evidence]) -> tuple[int, int]:
    """Escalations that the core says were due and not taken back, and those of them that the world has heard."""
    due = told = 0
    for one in evidence:
        again = retell(one.order, one.trail, one.operations)
        keys = {key for key, notice in again.notices.items() if notice.kind is NoticeKind.ESCALATION} - again.withdrawn
        due += len(keys)
        told += len(keys & set(one.heard["notice"]))
    return due, told


def _again(evidence: Sequence[Evidence]) -> int:
    return sum(count - 1 for one in evidence for count in one.heard["notice"].values())
