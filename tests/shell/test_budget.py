"""What the reference onboarding commands does not depend on how fast it goes, and what a start costs that took longer than a second."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from onboarding.engine.plan import Plan
from onboarding.reading import views
from tests.support.activations import Activated
from tests.support.shell import an_order, good_answer
from workflows import showing

AT = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
ORDER = an_order("reference", customer="c-budget")
PLAN = Plan(ORDER)
BILLED = ("start_timer", "schedule_activity", "schedule_local_activity", "upsert_workflow_search_attributes")
EXPECTED = {"start_timer": 4, "schedule_local_activity": 31, "upsert_workflow_search_attributes": 7}
"""With 27 updates and the start these are 70 Actions."""


def commanded(*, begins_after: float, between: float) -> dict[str, int]:
    """Commands that cost something, of the whole run: begun and answered in so many seconds."""
    shown = showing.at_start(PLAN, AT.replace(microsecond=0))
    run = Activated(ORDER, AT + timedelta(seconds=begins_after), shown=shown)
    due = run.state.items["pack"].due_at
    assert due is not None
    for days in (3, 2, 1):
        run.wait(due - timedelta(days=days) + timedelta(seconds=40))
    sent = 0
    while not run.closed:
        run.now += timedelta(seconds=between)
        items = views.status(PLAN, run.state, run.now.replace(microsecond=0))["items"]
        name, content = good_answer(ORDER, next(one for one in items if one["status"] == "open"))
        sent += 1
        run.update(name, {"message_id": f"m-{sent}", **content})
    assert sent == 27
    kinds = (command.WhichOneof("variant") for one in run.activated for command in one.done.successful.commands)
    return dict(Counter(str(kind) for kind in kinds if kind in BILLED))


@pytest.mark.parametrize("between", [0.0, 0.3, 1.7])
def test_the_pace_of_its_messages_costs_nothing(between: float) -> None:
    """Whether or not messages fall into the same second."""
    assert commanded(begins_after=0.4, between=between) == EXPECTED


def test_a_start_that_ends_in_another_second_costs_an_upsert() -> None:
    """The dates that were given with it are a second early then, which harms nobody, and are mended when the first reminder is due."""
    found = commanded(begins_after=0.6, between=0.3)

    assert found == {**EXPECTED, "upsert_workflow_search_attributes": 8}
