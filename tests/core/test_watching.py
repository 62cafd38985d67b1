"""What is wrong with a run, judged from what rows and server say of it: each kind, and what it must not be taken for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from onboarding.reading.watching import (
    ATTEMPTS,
    PATIENCE,
    Call,
    Kept,
    KeptNotice,
    Kind,
    Rows,
    Task,
    There,
    judge,
    judge_notices,
    suspicious,
)

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
JUST_NOW = NOW - PATIENCE + timedelta(seconds=1)
SHOWN = {"stage": "intake", "owner": "dana", "health": "on_track", "waiting_on": "customer"}
ATTRIBUTES = {
    "OnboardingStage": "intake",
    "OnboardingOwner": "dana",
    "OnboardingHealth": "on_track",
    "OnboardingWaitingOn": "customer",
}


def kept(**changes: Any) -> Kept:
    """What the rows say of a run that is well."""
    return Kept(**{"run": "r", "shown": SHOWN, "decided_at": LONG_AGO, "started_at": LONG_AGO, **changes})


def there(**changes: Any) -> There:
    """What the server says of it."""
    return There(**{"run": "r", "started_at": LONG_AGO, "shown": ATTRIBUTES, **changes})


def task(attempt: int = 1, since: datetime = LONG_AGO, *, taken: bool = False) -> Task:
    """A workflow task that is not done."""
    return Task(attempt=attempt, since=since, taken=taken)


def rows_call(attempt: int = 1, since: datetime = LONG_AGO) -> Call:
    """A batch of rows on its way."""
    return Call(activity="write_records", attempt=attempt, since=since)


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        (there(), kept()),
        (there(task=task(ATTEMPTS - 1, JUST_NOW)), kept()),
        (there(task=task(1, JUST_NOW)), kept()),
        (there(calls=(rows_call(1, JUST_NOW),)), kept()),
        (there(calls=(Call(activity="run_hook", attempt=9, since=LONG_AGO),)), kept()),
        (there(), kept(passed_at=JUST_NOW)),
        (there(started_at=JUST_NOW), None),
        (there(state="completed", closed_at=JUST_NOW), kept()),
        (there(state="completed", closed_at=LONG_AGO), None),
    ],
)
def test_what_takes_its_time_is_well(said: There, rows: Kept | None) -> None:
    """Also a hook that is tried again and again: that is its definition's affair."""
    assert list(judge(said, rows, NOW)) == []


@pytest.mark.parametrize(
    ("said", "rows", "kind", "since"),
    [
        (there(task=task(ATTEMPTS, JUST_NOW)), kept(), Kind.FAILING_TASK, JUST_NOW),
        (there(task=task(ATTEMPTS)), kept(passed_at=LONG_AGO), Kind.FAILING_TASK, LONG_AGO),
        (there(task=task()), kept(passed_at=LONG_AGO), Kind.OVERDUE_ALARM, LONG_AGO),
        (there(), kept(passed_at=LONG_AGO), Kind.OVERDUE_ALARM, LONG_AGO),
        (there(task=task()), kept(), Kind.TASK_WAITS, LONG_AGO),
        (there(task=task(taken=True)), None, Kind.TASK_WAITS, LONG_AGO),
        (there(calls=(rows_call(ATTEMPTS, JUST_NOW),)), kept(), Kind.ROWS_LAG, JUST_NOW),
        (there(calls=(rows_call(1),)), kept(passed_at=LONG_AGO), Kind.ROWS_LAG, LONG_AGO),
        (there(shown={**ATTRIBUTES, "OnboardingHealth": "stalled"}), kept(), Kind.ROWS_LAG, LONG_AGO),
        (there(), None, Kind.NO_ROWS, LONG_AGO),
        (there(state="terminated", closed_at=LONG_AGO), kept(), Kind.NO_RUN, LONG_AGO),
        (there(state="unknown"), kept(), Kind.NO_RUN, LONG_AGO),
        (there(calls=(Call(activity="deliver_notice", attempt=3, since=LONG_AGO),)), kept(), Kind.NOTICE_LAG, LONG_AGO),
    ],
)
def test_what_stands_still_is_named_by_its_first_reason(
    said: There, rows: Kept | None, kind: Kind, since: datetime
) -> None:
    """One finding, since when, a sentence and the way out."""
    (found,) = judge(said, rows, NOW)

    assert (found.run, found.kind, found.since) == ("r", kind, since)
    assert found.sentence.endswith(".")
    assert found.way_out


def test_a_run_that_has_ended_is_well_while_it_takes_back_what_its_hooks_did() -> None:
    """Without a call it should be over on the server, too; and a run of which nothing was written is not well for calling a hook."""
    undoing = there(calls=(Call(activity="run_hook", attempt=2, since=LONG_AGO),))

    assert list(judge(undoing, None, NOW, ended=True)) == []
    assert [one.kind for one in judge(there(), None, NOW, ended=True)] == [Kind.NO_ROWS]
    assert [one.kind for one in judge(undoing, None, NOW, ended=False)] == [Kind.NO_ROWS]


def test_nothing_is_said_of_rows_that_nobody_could_read() -> None:
    """What the server alone tells is said all the same."""
    assert list(judge(there(), None, NOW, rows_read=False)) == []
    assert [one.kind for one in judge(there(task=task(ATTEMPTS)), None, NOW, rows_read=False)] == [Kind.FAILING_TASK]


def test_a_notice_that_should_have_left_is_told_once_for_its_run() -> None:
    """And not while a worker may still be about to let it go."""
    late = [KeptNotice(run=run, since=since, held=held) for run, since, held in (
        ("a", LONG_AGO, True), ("a", LONG_AGO, False), ("b", JUST_NOW, False), ("c", LONG_AGO, False),
    )]  # fmt: skip
    found = list(judge_notices(Rows(runs={}, notices=tuple(late)), NOW))

    assert [(one.run, one.kind) for one in found] == [("a", Kind.NOTICE_LAG), ("c", Kind.NOTICE_LAG)]
    assert "history" in found[0].sentence


@pytest.mark.parametrize(
    ("rows", "said", "odd"),
    [
        (kept(), there(), False),
        (None, there(), True),
        (kept(), None, True),
        (kept(passed_at=LONG_AGO), there(), True),
        (kept(), there(shown={}), True),
    ],
)
def test_a_run_is_looked_at_closely_where_lists_are_odd(rows: Kept | None, said: There | None, odd: bool) -> None:
    """Without asking anybody."""
    assert suspicious(rows, said, NOW) is odd
