"""What finished runs took, from rows; and what a customer's answers have cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from metrics.counterfactual import counterfactual, lasting
from onboarding.limits import FORECAST_RUNS, HISTORY_RUNS
from storage.history import Histories
from storage.records import SqlRecordStore
from tests.support.records import START, a_run, a_stage, a_stretch, a_turn, at

HOUR = 3_600


def a_finished(engine: Engine, n: int, *, hours: float = 2, customer: int = 5, **changes: Any) -> None:
    """A run that went live with its second stage and was handed over with its third; the customer had one item, twice."""
    name, item = f"onboarding/c{n}/quick-start", changes.pop("item", "company_details")
    live, closed = at(10 + hours), at(20 + hours + n / 1_000)
    stages = (
        a_stage("intake", place=0, status="done", entered_at=at(0), left_at=at(hours)),
        a_stage("setup", place=1, status="done", entered_at=at(hours), left_at=at(4 + hours)),
        a_stage("setup", place=1, visit=2, status="done", entered_at=at(5 + hours), left_at=live),
        a_stage("handover", place=2, status="done", entered_at=live + timedelta(hours=1), left_at=closed),
    )
    stretches = (
        a_stretch(1, item=item, to=at(customer - 1), seconds=(customer - 1) * HOUR),
        a_stretch(2, item=item, since=at(customer - 1), to=at(customer), round=2),
        a_stretch(3, side="provider", item="kickoff", since=at(customer), to=closed, seconds=100),
    )
    values = {
        "state": "closed",
        "outcome": "live",
        "closed_at": closed,
        "first_value_at": live,
        "milestones": {"first_value": live},
    }
    run = a_run(name, **{**values, **changes})
    SqlRecordStore(engine).write(a_turn(1, name, run=run, stages=stages, ledger=stretches))


def test_the_history_of_a_definition_is_what_its_latest_runs_took(engine: Engine) -> None:
    """From the first visit of a stage to its last end, and to going live; what came after that tells nothing."""
    for n, hours in enumerate((1, 3, 2)):
        a_finished(engine, n, hours=hours)

    found = Histories(engine).of("quick-start", "smb")

    assert found is not None
    assert found.runs == 3
    assert found.stages == {
        "intake": ((1 * HOUR, 11 * HOUR), (2 * HOUR, 12 * HOUR), (3 * HOUR, 13 * HOUR)),
        "setup": ((10 * HOUR, 10 * HOUR),) * 3,
    }


def test_other_variants_and_runs_that_were_lost_or_are_open_tell_nothing(engine: Engine) -> None:
    """Only what is alike, and only what has ended well."""
    a_finished(engine, 1, variant="enterprise")
    a_finished(engine, 2, definition="b2b-standard")
    a_finished(engine, 3, outcome="lost", first_value_at=None)
    a_finished(engine, 4, state="running", outcome=None, closed_at=None, first_value_at=None)

    assert Histories(engine).of("quick-start", "smb") is None
    assert Histories(engine).customer_medians("quick-start", "smb") == (0, {})


def test_only_so_many_runs_are_carried_and_they_are_the_latest(engine: Engine) -> None:
    """A start order stays small."""
    for n in range(HISTORY_RUNS + 5):
        a_finished(engine, n, hours=1 if n < 5 else 2)

    found = Histories(engine).of("quick-start", "smb")

    assert found is not None
    assert found.runs == HISTORY_RUNS
    assert {inside for inside, _ in found.stages["intake"]} == {2 * HOUR}


def test_medians_are_of_all_rounds_of_a_run_together(engine: Engine) -> None:
    """Two, four and nine hours with the customer; what we had does not count."""
    for n in range(FORECAST_RUNS):
        a_finished(engine, n, customer=(9, 2, 4, 4, 4)[n % 5])

    assert Histories(engine).customer_medians("quick-start", "smb") == (FORECAST_RUNS, {"company_details": 4 * HOUR})


def test_a_median_needs_enough_runs_of_its_own_item(engine: Engine) -> None:
    """Ten runs of the definition say nothing about an item that two of them had."""
    for n in range(FORECAST_RUNS):
        a_finished(engine, n)
    for n in (20, 21):
        a_finished(engine, n, item="tax")

    assert Histories(engine).customer_medians("quick-start", "smb") == (
        FORECAST_RUNS + 2, {"company_details": 5 * HOUR},
    )  # fmt: skip


def test_a_median_is_of_the_time_until_going_live(engine: Engine) -> None:
    """All of them were live after twelve hours: then the first stretch was going on, and the second had not begun."""
    for n in range(FORECAST_RUNS):
        a_finished(engine, n, customer=15)

    assert Histories(engine).customer_medians("quick-start", "smb")[1] == {"company_details": 12 * HOUR}


def entries(*seconds: tuple[str, str, int]) -> list[dict[str, Any]]:
    """Stretches of a ledger, end to end."""
    found, place = [], START
    for side, item, lasts in seconds:
        to = place + timedelta(seconds=lasts)
        found.append(
            {
                "side": side,
                "item": item,
                "seconds": lasts,
                "from": f"{place:%Y-%m-%dT%H:%M:%SZ}",
                "to": f"{to:%Y-%m-%dT%H:%M:%SZ}",
            }
        )
        place = to
    return found


DAY = 86_400


def test_what_was_longer_than_the_median_is_what_it_cost() -> None:
    """Six days too long on one item, a day faster on another: nobody gets time back for being quick."""
    rows = entries(
        ("customer", "tax", 5 * DAY),
        ("provider", "setup", DAY),
        ("customer", "tax", 3 * DAY),
        ("customer", "logo", DAY),
    )

    found = counterfactual(rows, {"tax": 2 * DAY, "logo": 2 * DAY}, 12, rows[-1]["to"])

    assert found["saved"] == 6 * DAY
    assert found["would_be"] == "2026-11-06T08:00:00Z"
    assert found["items"] == [{"item": "tax", "took": 8 * DAY, "median": 2 * DAY, "saved": 6 * DAY}]
    assert found["sentence"] == (
        "Had the customer answered at the median of 12 finished runs, this would have been live 6 days earlier, most of it on tax."
    )


def test_what_came_after_going_live_cost_nothing() -> None:
    """A stretch that goes on over that instant counts until then."""
    rows = entries(("customer", "tax", 5 * DAY), ("customer", "feedback", 9 * DAY))
    live = f"{START + timedelta(days=4):%Y-%m-%dT%H:%M:%SZ}"

    found = counterfactual(rows, {"tax": DAY, "feedback": 0}, 12, live)

    assert [(one["item"], one["saved"]) for one in found["items"]] == [("tax", 3 * DAY)]


@pytest.mark.parametrize("runs", [0, 1, FORECAST_RUNS - 1])
def test_with_few_runs_nothing_is_claimed(runs: int) -> None:
    """It says how many there are."""
    found = counterfactual(entries(("customer", "tax", DAY)), {"tax": 1}, runs, None)

    assert (found["saved"], found["would_be"]) == (None, None)
    assert f"{runs or 'no'} finished run" in found["sentence"]


def test_of_items_that_too_few_runs_had_nothing_is_claimed() -> None:
    """Neither that the customer was slow nor that they were quick."""
    found = counterfactual(entries(("customer", "tax", DAY)), {"logo": DAY}, 12, None)

    assert (found["saved"], found["would_be"]) == (None, None)
    assert "in fewer than 10 finished runs the customer had these items" in found["sentence"]


def test_a_quick_customer_is_told_so_and_an_open_run_how_far_it_would_be() -> None:
    """Two more sentences for two more cases."""
    quick = counterfactual(entries(("customer", "tax", DAY)), {"tax": DAY}, 10, None)
    slow = counterfactual(entries(("customer", "tax", 2 * DAY)), {"tax": DAY}, 10, None)

    assert quick["sentence"] == "The customer answered everything at the median of 10 finished runs, or faster."
    assert "would be 1 day further by now" in slow["sentence"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (5_400, "1.5 hours"),
        (DAY, "1 day"),
        (int(6.04 * DAY), "6 days"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: int, said: str) -> None:
    """The largest unit, to one place."""
    assert lasting(seconds) == said
