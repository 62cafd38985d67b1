"""R3: shell and core are one. Generated histories through the SDK's workflow instance and its replayer, by an exact clock and without a server."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime
from typing import Any

import pytest

from onboarding.engine.events import ClockAdvanced
from tests.support.figures import Figure
from tests.support.replaying import Kept, replay
from tests.support.told import Alone, Twins

HISTORIES = int(os.environ.get("GENERATED_HISTORIES", "500"))
"""Five thousand before a release."""
TASKS = 16
AT_ONCE = 50


@pytest.mark.timeout(120 + HISTORIES)
def test_generated_histories_leave_the_state_that_the_core_alone_has(figure: Figure) -> None:
    """Several messages in one workflow task, a timer before or behind them, the SDK's new flag on and off; then through its replayer."""
    began, events, tied, flagged, closed = time.perf_counter(), 0, 0, 0, 0
    for first in range(0, HISTORIES, AT_ONCE):
        played = [_played(seed) for seed in range(first, min(first + AT_ONCE, HISTORIES))]
        kept = [Kept(one.run) for one in played]
        for seed, (one, again) in enumerate(zip(played, asyncio.run(replay(kept)), strict=True), start=first):
            assert again.failure is None, f"seed {seed}: the SDK takes it for another history: {again.failure}"
            assert again.state == one.alone.state, f"seed {seed}: replayed, it is another state"
        events += sum(len(one.events) for one in kept)
        tied, flagged = tied + sum(one.together for one in played), flagged + sum(bool(one.run.flags) for one in played)
        closed += sum(one.run.closed for one in played)
    took = time.perf_counter() - began
    figure(
        f"R3: {HISTORIES:,} generated histories of {events:,} events through the SDK's replayer, {tied:,} workflow tasks with a "
        f"message and a timer, {flagged:,} with the new flag, {closed:,} to their end: 0 differing states in {took:.0f} s"
    )

    assert min(tied, flagged, HISTORIES - flagged) > HISTORIES // 4


def _played(seed: int) -> Twins:
    twins = Twins(seed)
    try:
        twins.play(TASKS)
        if seed % 10 == 0:
            twins.replayed_cold()
    except AssertionError as broken:
        broken.add_note(f"seed {seed}, after {len(twins.run.activated)} activations")
        raise
    return twins


def test_a_history_that_was_changed_is_another_ones() -> None:
    """The negative control of the replayer: a call of another name."""
    kept = Kept(_played(0).run)
    call = next(one for one in kept.events if one.HasField("activity_task_scheduled_event_attributes"))
    call.activity_task_scheduled_event_attributes.activity_type.name = "another"

    assert asyncio.run(replay([kept]))[0].failure is not None


def test_a_clock_that_came_before_the_messages_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half of the proof: with another order in the core's half some history comes apart."""
    task = Alone.task

    def early(self: Alone, at: datetime, *rest: Any, **more: Any) -> None:
        self._apply(ClockAdvanced(at=at))
        task(self, at, *rest, **more)

    monkeypatch.setattr(Alone, "task", early)
    apart = 0
    for seed in range(40):
        try:
            Twins(seed).play(TASKS)
        except AssertionError:
            apart += 1

    assert apart > 5
