"""The forecast of a run: a range from finished runs, one date by the plan where there are too few, and the item in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from onboarding.engine import forecast as forecasts, machine
from onboarding.engine.forecast import at_risk, forecast
from onboarding.engine.plan import Plan
from onboarding.engine.state import History, HoldState, RunState
from onboarding.language.model import Side
from onboarding.limits import FORECAST_RUNS
from onboarding.reading.cover import cover
from onboarding.reading.views import status
from tests.support.shell import an_order
from tests.support.simulation import BEGIN, Simulation, order_of, random_definition

DAY = 86_400
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


def with_history(plan: Plan, pairs: tuple[tuple[int, int], ...], stage: str, runs: int | None = None) -> Plan:
    """The same run, started when so many had finished."""
    return Plan(replace(plan.order, history=History(runs=runs or len(pairs), stages={stage: pairs})))


@pytest.fixture
def begun() -> tuple[Plan, RunState]:
    """A run that has just begun, with nothing but its plan."""
    rng = Random(3)
    plan = Plan(order_of(random_definition(rng)))
    return plan, machine.start(plan, BEGIN).state


def stage_of(state: RunState) -> str:
    """The stage that time is spent in."""
    assert state.booking is not None
    return state.booking.stage


def test_a_range_is_what_half_and_four_of_five_took(begun: tuple[Plan, RunState]) -> None:
    """Eleven runs, one to eleven days: the sixth and the ninth."""
    plan, state = begun
    plan = with_history(plan, tuple((n * DAY // 2, n * DAY) for n in range(1, 12)), stage_of(state))

    found = forecast(plan, state, BEGIN)

    assert found is not None
    assert (found.likely_at, found.late_at) == (BEGIN + timedelta(days=6), BEGIN + timedelta(days=9))
    assert found.runs == 11


def test_only_runs_that_were_there_as_long_tell_what_is_left(begun: tuple[Plan, RunState]) -> None:
    """After two and a half days those that had left the stage by then say nothing any more."""
    plan, state = begun
    plan = with_history(plan, tuple((n * DAY // 2, n * DAY) for n in range(1, 12)), stage_of(state))
    later = BEGIN + timedelta(days=2.5)

    found = forecast(plan, state, later)

    assert found is not None
    assert found.likely_at == BEGIN + timedelta(days=8.5)  # six to eleven days are left: the median is eight and a half
    assert found.late_at == BEGIN + timedelta(days=10)


def test_who_is_there_longer_than_all_of_them_is_taken_as_if_it_ended_now(begun: tuple[Plan, RunState]) -> None:
    """What came after the stage is still to come."""
    plan, state = begun
    plan = with_history(plan, tuple((DAY, DAY + n * DAY) for n in range(11)), stage_of(state))
    later = BEGIN + timedelta(days=30)

    found = forecast(plan, state, later)

    assert found is not None
    assert (found.likely_at, found.late_at) == (later + timedelta(days=5), later + timedelta(days=8))


@pytest.mark.parametrize("runs", [0, 1, FORECAST_RUNS - 1])
def test_with_few_finished_runs_it_is_the_plan_and_says_so(begun: tuple[Plan, RunState], runs: int) -> None:
    """One date, no range, and how many there are."""
    plan, state = begun
    if runs:
        plan = with_history(plan, tuple((DAY, DAY) for _ in range(runs)), stage_of(state))

    found, told = forecast(plan, state, BEGIN), status(plan, state, BEGIN)["forecast"]

    assert found is not None
    assert (found.runs, found.likely_at) == (0, found.late_at)
    assert (told["basis"], told["runs"]) == ("plan", runs)
    assert f"{runs or 'no'} finished run" in told["sentence"]


@pytest.mark.parametrize(
    ("definition", "live", "first"),
    [
        ("quick-start", "2026-12-01T09:00:00Z", "welcome_call"),
        ("b2b-standard", "2026-12-09T09:00:00Z", "handoff_pack"),
        ("document-intake", "2027-01-04T09:00:00Z", "handoff_pack"),
    ],
)
def test_by_the_plan_every_stage_on_the_longest_way_takes_its_target(definition: str, live: str, first: str) -> None:
    """Worked out by hand from the targets of the shipped definitions, from a Monday morning; none is at risk on its first day."""
    plan = Plan(an_order(definition, customer="c-1"))
    state = machine.start(plan, MONDAY).state

    told = status(plan, state, MONDAY)["forecast"]

    assert (told["likely_at"], told["critical_item"], told["at_risk"]) == (live, first, False)


def test_a_weekend_is_not_counted_once_more_in_every_stage() -> None:
    """Started on a Saturday, the same targets end when they would have, had it started as the week begins."""
    plan = Plan(an_order("quick-start", customer="c-1"))
    saturday = MONDAY - timedelta(days=2)

    found = forecast(plan, machine.start(plan, saturday).state, saturday)

    assert found is not None
    assert found.likely_at == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_a_stage_that_is_late_moves_all_that_comes_after_it() -> None:
    """Its target has passed: what is left begins now."""
    plan = Plan(an_order("quick-start", customer="c-1"))
    state = machine.start(plan, MONDAY).state
    late = MONDAY + timedelta(days=14)

    found = forecast(plan, state, late)

    assert found is not None
    assert found.likely_at == late + timedelta(days=4)
    assert at_risk(state, found)


def test_the_item_in_the_way_is_open_and_moves_on_when_it_is_done() -> None:
    """Along random runs: always an open item while there is one, and never one behind going live."""
    looked = 0
    for seed in range(80):
        rng = Random(seed)
        plan = Plan(order_of(random_definition(rng)))
        simulation = Simulation(plan, rng, restores=0)
        for _ in range(30):
            simulation.step()
            found = forecast(plan, simulation.state, simulation.now)
            if found is None or found.item is None:
                continue
            looked += 1
            assert str(simulation.state.items[found.item].status) in ("open", "answered", "in_review", "returned")
            assert found.likely_at <= found.late_at
            assert found.likely_at >= simulation.now

    assert looked > 300


def test_a_run_that_is_live_or_over_has_no_forecast() -> None:
    """Nor does its sheet speak of one."""
    over = 0
    for seed in range(60):
        simulation = a_finished(seed)
        if simulation.state.closed_at is None:
            continue
        over += 1
        assert forecast(simulation.plan, simulation.state, simulation.now) is None
        assert status(simulation.plan, simulation.state, simulation.now)["forecast"] is None
        assert "**Live**" not in cover(simulation.plan, simulation.state, simulation.now)

    assert over > 5


def a_finished(seed: int) -> Simulation:
    """A run after many steps; some of them end."""
    rng = Random(seed)
    simulation = Simulation(Plan(order_of(random_definition(rng))), rng, restores=0)
    for _ in range(60):
        simulation.step()
    return simulation


def test_it_is_at_risk_when_one_of_five_would_miss_the_promise(begun: tuple[Plan, RunState]) -> None:
    """The late end of the range against the promised date, in `status` and on the sheet."""
    plan, state = begun
    plan = with_history(plan, tuple((n * DAY, n * DAY) for n in range(1, 12)), stage_of(state))
    found = forecast(plan, state, BEGIN)
    assert found is not None

    for promised, risk in ((found.late_at, False), (found.late_at - timedelta(seconds=1), True), (None, False)):
        promised_state = replace(state, promised_at=promised)
        told = status(plan, promised_state, BEGIN)["forecast"]
        assert at_risk(promised_state, found) is risk
        assert told["at_risk"] is risk
        assert ("at risk" in told["sentence"]) is risk
        assert ("**at risk**" in cover(plan, promised_state, BEGIN)) is risk


def test_a_run_on_hold_goes_on_when_the_hold_is_reviewed() -> None:
    """What is left is counted from the review, and the time on hold is none in the stage."""
    plan, state = _held()
    found = forecast(plan, state, state.at + timedelta(days=3))

    assert state.hold is not None
    assert found is not None
    assert found.likely_at == state.hold.review_at + timedelta(days=6)


def _held() -> tuple[Plan, RunState]:
    plan = Plan(order_of(random_definition(Random(3))))
    state = machine.start(plan, BEGIN).state
    plan = with_history(plan, tuple((20 * DAY, n * DAY) for n in range(1, 12)), stage_of(state))
    review = BEGIN + timedelta(days=10)
    return plan, replace(
        state, hold=HoldState(reason="r", side=Side.CUSTOMER, by="dana", since=BEGIN, review_at=review)
    )


def test_the_way_is_measured_once(begun: tuple[Plan, RunState], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn asks for a forecast: as long as no stage ends or is late, no calendar is asked again."""
    plan, state = begun
    first = forecast(plan, state, BEGIN)
    monkeypatch.setattr(forecasts, "_after", lambda *_: pytest.fail("counted again"))

    assert forecast(plan, state, BEGIN) == first


def test_what_a_plan_remembers_is_what_a_new_one_finds() -> None:
    """A run that continues has a plan made anew: along random runs, with other calendars and owners, both say the same."""
    looked = 0
    for seed in range(60):
        simulation = Simulation(Plan(order_of(random_definition(Random(seed)))), Random(seed), restores=0)
        for _ in range(30):
            simulation.step()
            fresh = Plan(simulation.plan.order)
            assert forecast(simulation.plan, simulation.state, simulation.now) == forecast(
                fresh, simulation.state, simulation.now
            )
            looked += 1

    assert looked == 1_800
