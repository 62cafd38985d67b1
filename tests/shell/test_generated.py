"""R3: shell and core are one. Generated histories through the SDK's own workflow instance, by an exact clock and without a server."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any

import pytest

from onboarding.engine.events import ClockAdvanced
from tests.support.told import Alone, Twins

HISTORIES = int(os.environ.get("GENERATED_HISTORIES", "500"))
"""Five thousand before a release."""
TASKS = 20


@pytest.mark.timeout(120 + HISTORIES)
def test_generated_histories_leave_the_state_that_the_core_alone_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Several messages in one workflow task, a timer before or behind them, the SDK's new flag on and off, and once more by a cold worker."""
    began, tasks, tied, flagged, closed = time.perf_counter(), 0, 0, 0, 0
    for seed in range(HISTORIES):
        twins = Twins(seed)
        try:
            twins.play(TASKS)
            twins.replayed_cold()
        except AssertionError as broken:
            broken.add_note(f"seed {seed}, after {len(twins.run.activated)} activations")
            raise
        tasks, tied = tasks + len(twins.run.activated), tied + twins.together
        flagged, closed = flagged + bool(twins.run.flags), closed + twins.run.closed
    took = time.perf_counter() - began
    with capsys.disabled():
        print(
            f"\nR3: {HISTORIES:,} generated histories, {tasks:,} activations, {tied:,} workflow tasks with a message and a timer, "
            f"{flagged:,} with the new flag, {closed:,} to their end, all replayed cold: 0 differing states in {took:.0f} s"
        )

    assert min(tied, flagged, HISTORIES - flagged) > HISTORIES // 4


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
