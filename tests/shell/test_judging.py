"""An update is decided once: what its validator was told is good for its handler, and for nothing else; a replay comes to the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from onboarding.engine.effects import Decision
from onboarding.engine.events import Event, MessageReceived, MessageUnreadable
from onboarding.engine.machine import apply
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunState
from onboarding.reading.views import state_hash
from tests.support.activations import Activated, cold
from tests.support.history import json_payload
from tests.support.shell import an_order
from workflows import behaviour, onboarding_run
from workflows.onboarding_run import OnboardingRun

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORDER = an_order("short", customer="c-judging")
NOTE = {"message_id": "n", "actor": "dana", "text": "Hello."}


def done(item: str, message_id: str) -> dict[str, str]:
    """What completes an item."""
    return {"message_id": message_id, "actor": "dana", "item": item}


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Every message that the machine was asked about, in order."""
    asked: list[Event] = []

    def counted(plan: Plan, state: RunState, event: Event) -> Decision:
        if isinstance(event, MessageReceived | MessageUnreadable):
            asked.append(event)
        return apply(plan, state, event)

    monkeypatch.setattr(behaviour, "apply", counted)
    return asked


def outcomes(run: Activated) -> list[Any]:
    """What became of every update, in the order in which they were sent."""
    return [told and told["outcome"] for told in run.verdicts]


def replayed(run: Activated) -> None:
    """A worker that asks no validator gives the same commands, verdicts among them, and holds the same in the end."""
    assert state_hash(cold(ORDER, AT, run)) == state_hash(run.state)


def test_an_update_is_decided_once_and_a_replay_decides_the_same(decided: list[Event]) -> None:
    """Once while it is live, and once where only its handler is called."""
    run = Activated(ORDER, AT)

    told = run.update("complete", done("first", "m-1"))

    assert told is not None
    assert (told["outcome"], run.state.items["first"].status) == ("accepted", ItemStatus.DONE)
    assert len(decided) == 1
    replayed(run)
    assert len(decided) == 2


def test_nothing_is_kept_of_an_update_that_was_refused(decided: list[Event]) -> None:
    """The next one gets its own answer, and no history tells of the first."""
    run = Activated(ORDER, AT)
    before = run.state

    run.update("complete", done("nothing", "m-1"))
    assert run.state is before
    run.update("complete", done("first", "m-1"))

    assert outcomes(run) == ["unknown", "accepted"]
    assert len(decided) == 2
    replayed(run)
    assert len(decided) == 3


def test_each_of_two_updates_in_one_task_meets_what_the_one_before_it_has_left(decided: list[Event]) -> None:
    """Of two for the same item the second comes too late, the third meets neither."""
    run = Activated(ORDER, AT)

    both = [done("first", "m-1"), done("first", "m-2"), done("later", "m-3")]
    run.together([("update", "complete", content) for content in both], timers_first=False)

    assert outcomes(run) == ["accepted", "conflict", "accepted"]
    assert len(decided) == 3
    replayed(run)
    assert len(decided) == 5


def test_an_update_beside_a_signal_is_judged_by_what_it_meets(decided: list[Event]) -> None:
    """After a signal for the same item it comes too late, before it it does not, and neither does one for another item."""
    run = Activated(ORDER, AT)
    signal, update = ("signal", "complete", done("first", "m-1")), ("update", "complete", done("first", "m-2"))

    run.together([signal, update, ("update", "complete", done("later", "m-3"))], timers_first=False)

    assert outcomes(run) == ["conflict", "accepted"]
    assert len(decided) == 3
    replayed(run)
    early = Activated(ORDER, AT)
    early.together([update, signal], timers_first=False)
    assert outcomes(early) == ["accepted"]
    replayed(early)


def test_what_is_heard_between_question_and_handler_counts(
    decided: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who puts something between the two, an interceptor for example, makes no message count twice."""
    judge, said = OnboardingRun.judge, [json_payload(done("first", "m-1"))]

    def judge_and_hear(self: OnboardingRun, name: str, args: Any) -> None:
        judge(self, name, args)
        if said:
            self._apply_signal("complete", [onboarding_run.RawValue(said.pop())], "s-1")

    monkeypatch.setattr(OnboardingRun, "judge", judge_and_hear)
    run = Activated(ORDER, AT)
    run.update("complete", done("first", "m-2"))

    assert len(decided) == 3
    assert [entry.message_id for entry in run.state.trail if entry.message == "complete"] == ["m-1"]


@pytest.mark.parametrize("other", [("u-0", AT), ("u-1", AT.replace(hour=11))], ids=["update", "instant"])
def test_the_answer_to_another_update_is_not_taken(
    decided: list[Event], monkeypatch: pytest.MonkeyPatch, other: tuple[str, datetime]
) -> None:
    """Its handler may never have been called."""
    judge = OnboardingRun.judge

    def judge_another(self: OnboardingRun, name: str, args: Any) -> None:
        judge(self, "complete", [onboarding_run.RawValue(json_payload(done("first", "m-1")))])
        assert self._judged is not None
        self._judged = replace(self._judged, asked=other)

    monkeypatch.setattr(OnboardingRun, "judge", judge_another)
    run = Activated(ORDER, AT)
    run.update("note", NOTE)

    assert len(decided) == 2
    assert run.state.items["first"].status is ItemStatus.OPEN
