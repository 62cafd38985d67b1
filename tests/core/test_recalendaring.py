"""Another calendar in the middle of a run: what is still to come is counted anew, explains itself, and undoes nothing."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine import figures, machine
from onboarding.engine.calendars import is_working
from onboarding.engine.deadlines import WAITING
from onboarding.engine.effects import WriteRecords
from onboarding.engine.plan import Plan, personal
from onboarding.engine.recalendaring import count_item, count_stage
from onboarding.engine.records import whole
from onboarding.engine.state import ItemState, PlannedKind, RunState, RunStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import ItemKind, ReminderStep
from onboarding.language.units import parse_duration
from onboarding.messages import OutcomeWord
from onboarding.reading import views
from tests.support.builders import OFFICE, Run, a_definition, a_run, a_stage, an_item, an_order, at, text
from tests.support.simulation import Simulation, order_of, random_definition

KATHMANDU = {"name": "Asia/Kathmandu", "transitions": [[0, 20_700]]}
REASON = {"reason": "they asked"}


def due(run: Run, item: str) -> datetime | None:
    return run.state.items[item].due_at


def why(run: Run, item: str) -> str:
    return run.state.items[item].due_why


def set_calendar(run: Run, calendar: str = "customer", actor: str = "olga", **parts: Any) -> Any:
    """The verdict on another calendar."""
    return run.say("set_calendar", actor, calendar=calendar, **{**REASON, **parts})


def two_people() -> Run:
    """Two contacts on the clock of their own, a person of ours on `owner`; all due in three working days."""
    items = (
        an_item("hers", ItemKind.REQUEST, "s", "champion", fields=(text("a"),), due="3bd"),
        an_item("his", ItemKind.REQUEST, "s", "signer", fields=(text("b"),), due="3bd"),
        an_item("ours", ItemKind.TASK, "s", "lead", due="3bd", clock="owner"),
        an_item("shared", ItemKind.TASK, "s", "champion", due="3bd", clock="both"),
    )
    definition = a_definition(
        stages=(a_stage("s", tuple(one.id for one in items)),), items=items, signals=(), metrics=()
    )
    role = replace(definition.roles[2], id="signer", ref="signer")
    definition = replace(definition, roles=(*definition.roles, role))
    people = {"lead": ("olga",), "head": ("henk",), "champion": ("customer:champion",), "signer": ("sid",)}
    own = {"customer:sid": OFFICE, "provider": OFFICE, "customer": OFFICE}
    return a_run(an_order(
        definition, people=people, customer_contacts=("customer:champion", "sid"), calendars=own, calendar_of={"sid": "customer:sid"}
    ))  # fmt: skip


# What it changes -----------------------------------------------------------------------------------------------------


def test_due_dates_are_counted_anew_from_when_the_item_opened() -> None:
    """Tuesday becomes a holiday: what was due on Thursday is due on Friday, and says why."""
    run = a_run()
    verdict = set_calendar(run, holidays=["2026-12-01"])

    assert (OutcomeWord.ACCEPTED, "calendar_set") == (verdict.outcome, verdict.code)
    assert "Calendar 'customer': holidays replaced; 2 due dates moved." == verdict.sentence
    assert at(5) == due(run, "details")
    assert "3bd from Mon 09:00 UTC, customer calendar, skipping 1 December" == why(run, "details")
    assert at(3) == due(run, "credit_check"), "our own calendar is the same"


def test_what_is_left_out_stays_as_it_is() -> None:
    """Zone, week, hours, holidays: each replaces itself alone."""
    run = a_run()
    set_calendar(run, holidays=["2026-12-25"])
    set_calendar(run, zone=KATHMANDU)
    set_calendar(run, week="sun-thu")
    set_calendar(run, hours=["10:00-12:00", "13:00-16:00"])
    set_calendar(run, holidays=[])
    found = run.state.calendars["customer"]

    assert ("Asia/Kathmandu", (0, 1, 2, 3, 6), ((600, 720), (780, 960)), ()) == (
        found.zone.name, found.week, found.hours, found.holidays,
    )  # fmt: skip
    assert 5 == len(run.state.calendar_changes)


def test_reminders_and_ladder_steps_follow_their_due_date() -> None:
    """A reminder a day before and a step a day after lie around the new date."""
    run = a_run()
    set_calendar(run, holidays=["2026-12-01"])
    planned = {one.kind: one.at for one in run.state.items["details"].planned}

    assert {PlannedKind.REMINDER: at(4), PlannedKind.DUE: at(5), PlannedKind.STEP: at(8)} == planned


def test_a_reminder_that_repeats_is_counted_from_the_one_before() -> None:
    """After the first repetition the next one is a working day later, in the new calendar too."""
    item = an_item(
        "ask", ItemKind.REQUEST, "s", "champion", fields=(text("a"),), due="1bd",
        reminders=(ReminderStep(every=parse_duration("1bd"), max=3),),
    )  # fmt: skip
    run = a_run(an_order(a_definition(stages=(a_stage("s", ("ask",)),), items=(item,), signals=(), metrics=())))
    run.wait(at(3))  # due on Tuesday, reminded on Wednesday
    (coming,) = run.state.items["ask"].planned
    set_calendar(run, holidays=["2026-12-03"])
    (moved,) = run.state.items["ask"].planned

    assert (at(4), 2) == (coming.at, coming.times)
    assert (at(5), 2) == (moved.at, moved.times)


def test_targets_and_stall_windows_are_counted_anew() -> None:
    """Three working days of the stage with a holiday of ours in them are four."""
    run = a_run()
    set_calendar(run, "provider", holidays=["2026-12-01"])
    stage = run.state.stages["intake"]

    assert (at(5), at(5)) == (stage.target_at, stage.stall_at)


def test_a_target_that_somebody_gave_stays() -> None:
    """Only what a calendar has computed is computed again."""
    run = a_run()
    run.say("extend", stage="intake", due="2026-12-10T09:00:00Z", reason="more")
    set_calendar(run, "provider", holidays=["2026-12-01"])

    assert at(11) == run.state.stages["intake"].target_at


def test_a_date_that_somebody_gave_stays() -> None:
    """The due date is theirs, the steps around it are counted in the new calendar."""
    run = a_run()
    run.say("extend", item="details", due="2026-12-07T09:00:00Z", reason="more")
    set_calendar(run, holidays=["2026-12-04", "2026-12-08"])
    planned = {one.kind: one.at for one in run.state.items["details"].planned}

    assert (at(8), "extended by olga") == (due(run, "details"), why(run, "details"))
    assert {PlannedKind.REMINDER: at(4), PlannedKind.DUE: at(8), PlannedKind.STEP: at(10)} == planned


def test_what_has_passed_in_the_new_calendar_is_due_at_the_next_instant() -> None:
    """No date moves into the past, and no alarm is stuck there."""
    run = a_run()
    set_calendar(run, holidays=["2026-12-03"])
    run.wait(at(4, 11))
    set_calendar(run, holidays=[], when=at(4, 12))
    soon = at(4, 12, 0, 1)

    assert soon == due(run, "details") == machine.alarm_at(run.state)
    assert why(run, "details").endswith(", which had passed when the calendar was replaced")
    run.wait(soon)
    assert run.state.items["details"].overdue
    assert machine.alarm_at(run.state) > soon  # type: ignore[operator]


def test_what_was_held_before_a_date_had_passed_is_not_counted_twice() -> None:
    """The date is another then; only a hold after it moves it, and both stand in its derivation."""
    run = a_run()
    run.say("hold", reason="wait", when=at(1, 10))
    run.say("resume", when=at(1, 12))
    set_calendar(run, holidays=["2026-12-03"])
    run.wait(at(4, 11))
    set_calendar(run, holidays=[], when=at(4, 12))
    assert unmoved(run.plan, run.state) == []
    run.say("hold", reason="wait")
    run.say("resume", when=at(4, 13))

    assert at(4, 13, 0, 1) == due(run, "details")
    assert why(run, "details").endswith(
        "moved by 2 hours of working time on hold, which had passed when the calendar was replaced,"
        " moved by 1 hour of working time on hold"
    )


def test_what_is_overdue_stays_overdue() -> None:
    """Its date is not touched; the steps that are still to come are counted from it."""
    run = a_run()
    run.wait(at(4))
    set_calendar(run, holidays=["2026-12-01", "2026-12-04"], when=at(4, 10))
    current = run.state.items["details"]

    assert (True, at(4)) == (current.overdue, current.due_at)
    assert [(PlannedKind.STEP, at(8))] == [(one.kind, one.at) for one in current.planned]


def test_the_clock_of_an_item_goes_on_when_it_changes_hands() -> None:
    """Counted on the calendar of who had it first; only that one moves it."""
    run = two_people()
    run.say("reassign", item="hers", to="sid")
    set_calendar(run, "sid", hours="12:00-14:00")
    before = due(run, "hers")
    set_calendar(run, "customer:champion", holidays=["2026-12-01"])

    assert at(4) == before
    assert at(5) == due(run, "hers")


# Whose it is ---------------------------------------------------------------------------------------------------------


def test_a_person_gets_a_calendar_of_their_own() -> None:
    """Hers moves, his does not; `owner` follows a person of ours; `both` follows the contact."""
    run = two_people()
    set_calendar(run, "customer:champion", holidays=["2026-12-01"])
    assert (at(5), at(4), at(4), at(5)) == tuple(due(run, one) for one in ("hers", "his", "ours", "shared"))
    set_calendar(run, "Olga", week="mon-wed")

    assert (at(5), at(4), at(8), at(5)) == tuple(due(run, one) for one in ("hers", "his", "ours", "shared"))
    assert {personal("customer:champion"), personal("olga")} == set(run.state.calendars)


def test_contacts_follow_the_calendar_of_the_customer_in_their_own_zone() -> None:
    """Days off are for all of them; where somebody is stays where they are."""
    run = two_people()
    set_calendar(run, "customer", holidays=["2026-12-01"], zone=KATHMANDU)

    assert (at(5), at(4)) == (due(run, "his"), due(run, "ours"))
    assert ("Asia/Kathmandu", "UTC") == tuple(
        run.state.calendars[name].zone.name for name in ("customer", "customer:sid")
    )


def test_both_who_share_no_hour_any_more_count_on_ours() -> None:
    """The dates of the item say so; the run goes on."""
    run = two_people()
    set_calendar(run, "customer", hours="18:00-20:00")

    assert at(4) == due(run, "shared")
    assert "provider calendar, because both share no working hour" in why(run, "shared")


@pytest.mark.parametrize(
    ("calendar", "actor", "parts", "outcome", "code", "places"),
    [
        ("custommer", "olga", {"week": "mon"}, OutcomeWord.UNKNOWN, "unknown_calendar", []),
        ("customer:cham", "olga", {"week": "mon"}, OutcomeWord.UNKNOWN, "unknown_calendar", []),
        ("customer", "customer:champion", {"week": "mon"}, OutcomeWord.FORBIDDEN, "not_entitled", []),
        ("customer", "integration:crm", {"week": "mon"}, OutcomeWord.FORBIDDEN, "not_entitled", []),
        ("customer", "olga", {}, OutcomeWord.REJECTED, "nothing_given", [""]),
        ("customer", "olga", {"week": "mo-fr"}, OutcomeWord.REJECTED, "bad_week", ["/week"]),
        ("customer", "olga", {"week": []}, OutcomeWord.REJECTED, "bad_week", ["/week"]),
        ("customer", "olga", {"hours": "17:00-09:00"}, OutcomeWord.REJECTED, "bad_hours", ["/hours"]),
        ("customer", "olga", {"hours": ["09:00-12:00", "11:00-13:00"]}, OutcomeWord.REJECTED, "bad_hours", ["/hours"]),
        ("customer", "olga", {"holidays": ["2026-12-25", "25.12."]}, OutcomeWord.REJECTED, "bad_date", ["/holidays/1"]),
        ("customer", "olga", {"holidays": ["2026-02-29"], "week": "x"}, OutcomeWord.REJECTED, "bad_week", ["/week", "/holidays/0"]),
        ("customer", "olga", {"holidays": ["2026-12-25"] * 501}, OutcomeWord.REJECTED, "too_long", ["/holidays"]),
        ("customer", "olga", {"zone": {"name": "X"}}, OutcomeWord.REJECTED, "required", ["/zone/transitions"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": []}}, OutcomeWord.REJECTED, "too_short", ["/zone/transitions"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[0]]}}, OutcomeWord.REJECTED, "required", ["/zone/transitions/0/1"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[0, "1"]]}}, OutcomeWord.REJECTED, "wrong_type", ["/zone/transitions/0/1"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[5, 0], [5, 60]]}}, OutcomeWord.REJECTED, "not_ascending", ["/zone/transitions/1/0"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[0, 86_400]]}}, OutcomeWord.REJECTED, "bad_offset", ["/zone/transitions/0/1"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[2**52, 0]]}}, OutcomeWord.REJECTED, "too_far", ["/zone/transitions/0/0"]),
        ("customer", "olga", {"zone": {"name": "X", "transitions": [[n, 0] for n in range(101)]}}, OutcomeWord.REJECTED, "too_long", ["/zone/transitions"]),
        ("customer", "olga", {"week": "mon", "holidays": [f"{y}-{m:02}-{d:02}" for y in (2026, 2027, 2028) for m in range(1, 13) for d in range(1, 29) if datetime(y, m, d).weekday() == 0]}, OutcomeWord.ACCEPTED, "calendar_set", []),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_is_refused_with_its_place(
    calendar: str, actor: str, parts: dict[str, Any], outcome: OutcomeWord, code: str, places: list[str]
) -> None:
    """Every fault at once; a refused calendar changes nothing."""
    run = a_run()
    before = run.state
    verdict = set_calendar(run, calendar, actor, **parts)

    assert (outcome, code, places) == (verdict.outcome, verdict.code, [fault.place for fault in verdict.faults])
    assert (before is run.state) is verdict.refused


def test_a_calendar_without_working_time_is_refused() -> None:
    """Every Monday of two years is a holiday in a week of Mondays."""
    run = a_run()
    mondays = [f"{at(1 + 7 * week):%Y-%m-%d}" for week in range(110)]
    verdict = set_calendar(run, week=["mon"], holidays=mondays)

    assert ("no_working_time", ["/week"]) == (verdict.code, [fault.place for fault in verdict.faults])
    assert {} == run.state.calendars


def test_a_name_that_is_nearly_right_is_answered_with_the_nearest() -> None:
    """Calendars, people and contacts are offered."""
    run = a_run()

    assert "did you mean 'customer'?" in set_calendar(run, "custommer", week="mon").sentence
    assert "did you mean 'olga'?" in set_calendar(run, "olg", week="mon").sentence


def test_the_same_calendar_changes_nothing() -> None:
    """Not a date, not the list of changes; the trail alone says that it was said."""
    run = a_run()
    before = run.state
    verdict = set_calendar(run, week="mon-fri", hours="09:00-17:00", holidays=[])

    assert "is like that already" in verdict.sentence
    assert (before.items, before.stages, before.calendars) == (run.state.items, run.state.stages, run.state.calendars)
    assert () == run.state.calendar_changes


def test_a_run_takes_only_so_many_calendars() -> None:
    """What is remembered travels with the run."""
    run = a_run()
    for n in range(limits.CALENDARS_REPLACED):
        assert not set_calendar(run, hours=f"09:00-{10 + n % 2}:00").refused
    verdict = set_calendar(run, hours="09:00-12:00")

    assert (OutcomeWord.TOO_LARGE, "too_many_calendars") == (verdict.outcome, verdict.code)


# Holds ---------------------------------------------------------------------------------------------------------------


def test_a_moved_date_says_by_how_much_it_was_moved() -> None:
    """Two working days on hold, told in working time."""
    run = a_run()
    run.say("hold", reason="wait", when=at(2))
    run.say("resume", when=at(4))

    assert at(8) == due(run, "details")
    assert "3bd from Mon 09:00 UTC, customer calendar, moved by 16 hours of working time on hold" == why(run, "details")


def test_an_extended_date_says_what_moved_it() -> None:
    """Given by somebody, moved by a hold that began later; a date given during a hold moves by the rest of it."""
    run = a_run()
    run.say("extend", item="details", due="2026-12-10T09:00:00Z", reason="more")
    run.say("hold", reason="wait", when=at(2))
    run.say("extend", item="papers", due="2026-12-10T09:00:00Z", reason="more", when=at(3))
    run.say("resume", when=at(4))

    assert (at(15), "extended by olga, moved by 16 hours of working time on hold") == (
        due(run, "details"),
        why(run, "details"),
    )
    assert (at(12), "extended by olga, moved by 8 hours of working time on hold") == (
        due(run, "papers"),
        why(run, "papers"),
    )


def test_a_wall_clock_date_is_moved_by_the_days_on_the_wall() -> None:
    """A weekend on hold counts for it."""
    item = an_item("ask", ItemKind.REQUEST, "s", "champion", fields=(text("a"),), due="6d")
    run = a_run(an_order(a_definition(stages=(a_stage("s", ("ask",)),), items=(item,), signals=(), metrics=())))
    run.say("hold", reason="wait", when=at(5, 12))
    run.say("resume", when=at(8, 14))

    assert "6d from Mon 09:00 UTC, wall clock, moved by 3 days 2 hours on hold" == why(run, "ask")


def test_a_hold_outside_of_working_hours_moves_nothing_and_says_nothing() -> None:
    """From the evening to the morning nobody would have worked."""
    run = a_run()
    run.say("hold", reason="wait", when=at(1, 18))
    run.say("resume", when=at(2, 8))

    assert "5bd from Mon 09:00 UTC, customer calendar, skipping Sat and Sun" == why(run, "papers")


def test_what_a_hold_has_moved_is_kept_when_the_calendar_changes() -> None:
    """The held time counts in the new calendar: two days of three hours each were held, not of eight."""
    run = a_run()
    run.say("hold", reason="wait", when=at(2))
    run.say("resume", when=at(4))
    set_calendar(run, hours="09:00-12:00")

    assert at(8) == due(run, "details")
    assert why(run, "details").endswith("moved by 6 hours of working time on hold")


@pytest.mark.parametrize("order", [*permutations(("calendar", "hold and resume", "extend"))])
def test_the_order_of_calendar_hold_and_extension_makes_no_difference_to_what_is_true(order: tuple[str, ...]) -> None:
    """Whatever came first, the date is the given one, moved by what was held after it."""
    run = a_run()
    day = 2
    extended = held = 0
    for act in order:
        day += 1
        if act == "calendar":
            set_calendar(run, holidays=["2026-12-01"], when=at(day - 1))
        elif act == "extend":
            extended = day
            run.say("extend", item="details", due="2026-12-16T09:00:00Z", reason="more", when=at(day - 1))
        else:
            held = day
            run.say("hold", reason="wait", when=at(day - 1))
            run.say("resume", when=at(day - 1, 13))
    moved = held > extended

    assert (at(17, 13) if moved else at(17)) == due(run, "details")
    said = "extended by olga, moved by 4 hours of working time on hold" if moved else "extended by olga"
    assert said == why(run, "details")


def test_a_calendar_set_during_a_hold_finds_the_clocks_standing() -> None:
    """What lies behind the begin of the hold has not passed: resuming moves it on."""
    run = a_run()
    run.say("hold", reason="wait", when=at(2))
    set_calendar(run, holidays=["2026-12-01"], when=at(9))
    standing = due(run, "details")
    run.say("resume", when=at(10))

    assert at(5) == standing
    assert at(12) == due(run, "details")
    assert not run.state.items["details"].overdue


def test_a_run_is_not_held_without_end() -> None:
    """Each hold is remembered as long as it explains a date; two hundred are enough."""
    run = a_run()
    for n in range(limits.HOLDS_KEPT):
        run.say("hold", reason="wait", when=at(1, 9, 0, 2 * n))
        run.say("resume", when=at(1, 9, 0, 2 * n + 1))
    verdict = run.say("hold", reason="wait")

    assert (OutcomeWord.TOO_LARGE, "too_many_holds") == (verdict.outcome, verdict.code)


def test_a_hold_before_everything_that_is_open_is_forgotten() -> None:
    """The second stage opened after it, and so did its item."""
    items = (an_item("first", ItemKind.TASK, "s", "lead"), an_item("ask", ItemKind.TASK, "t", "lead", due="3bd"))
    stages = (a_stage("s", ("first",)), a_stage("t", ("ask",), needs=("s",)))
    run = a_run(an_order(a_definition(stages=stages, items=items, signals=(), metrics=())))
    for day in (2, 3):
        run.say("hold", reason="wait", when=at(day))
        run.say("resume", when=at(day, 10))
    remembered = len(run.state.holds)
    run.say("complete", item="first", when=at(3, 11))
    run.say("hold", reason="wait", when=at(4))
    run.say("resume", when=at(4, 10))

    assert (2, 1) == (remembered, len(run.state.holds))
    assert "moved by 1 hour of working time on hold" in why(run, "ask")


# The ledger ----------------------------------------------------------------------------------------------------------


def test_time_that_is_over_stays_booked_as_it_was() -> None:
    """Tuesday was a working day when it passed; from Wednesday on nobody works in the morning."""
    run = a_run()
    run.say("note", text="x", when=at(3))
    before = figures.by_side(run.plan, run.state, at(3))
    set_calendar(run, "customer", hours="13:00-17:00", when=at(3))
    after = figures.by_side(run.plan, run.state, at(3))
    later = figures.by_side(run.plan, run.state, at(4))

    assert before == after
    assert {"customer": before["customer"] + 4 * 3_600} == {"customer": later["customer"]}
    assert (at(4) - at(1)).total_seconds() == sum(later.values())


def test_the_ledger_shows_each_stretch_in_the_hours_of_its_time() -> None:
    """Entries lie end to end, add up, and are cut where the calendar changed."""
    run = a_run()
    set_calendar(run, "customer", hours="13:00-17:00", when=at(3))
    set_calendar(run, "customer", hours="06:00-08:00", when=at(4))
    run.say("submit", "customer:champion", item="details", fields={"legal_name": "A", "vat_id": "1"}, when=at(5))
    run.say("cancel", reason="over", when=at(6))
    found = views.ledger(run.plan, run.state, at(9))
    customer = [row for row in found["entries"] if row["item"] == "details" and row["side"] == "customer"]

    assert [8, 8, 4, 2] == [row["seconds"] // 3_600 for row in customer]
    assert sum(row["seconds"] for row in found["entries"]) == found["elapsed"] == sum(found["by_side"].values())


# By chance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_counting_anew_in_the_same_calendars_moves_nothing(seed: int) -> None:
    """Whatever happened to a run, holds and extensions among it: every open date is what its derivation gives."""
    rng = Random(seed)
    run = Simulation(Plan(order_of(random_definition(rng))), rng)
    for _ in range(40):
        run.step()
        assert run.state.status is RunStatus.CLOSED or unmoved(run.plan, run.state) == []


def _plain(item: ItemState) -> ItemState:
    """What changed hands was planned in the hours of another reader: its reminders look for those of the new one when they come."""
    planned = [one for one in item.planned if one.kind is not PlannedKind.REMINDER]
    return replace(item, planned=tuple(planned)) if item.hands else item


def unmoved(plan: Plan, state: RunState) -> list[str]:
    """What changes when all dates are counted once more."""
    turn = Turn(plan, state, state.at)
    for name, current in state.items.items():
        if current.status in WAITING:
            count_item(turn, plan.items[name])
    for stage in plan.definition.stages:
        if state.stages[stage.id].status is StageStatus.OPEN:
            count_stage(turn, stage)
    counted = turn.state.items
    return [name for name in state.items if _plain(counted[name]) != _plain(state.items[name])] + [
        name for name in state.stages if turn.state.stages[name] != state.stages[name]
    ]


@pytest.mark.parametrize("seed", range(40))
def test_rows_that_were_written_are_the_rows_that_would_be_written_again(seed: int) -> None:
    """A store that lost the thread gets every closed stretch as it was, whatever calendars came since."""
    rng = Random(seed)
    run = Simulation(Plan(order_of(random_definition(rng))), rng, restores=0)
    for n in range(60):
        run.step()
        if n % 10 == 5:
            run.say("set_calendar", {"calendar": "provider", "hours": f"0{n // 10}:00-12:00", **REASON}, actor="olga")
    written = [
        row
        for one in run.decisions
        for effect in one.effects
        if isinstance(effect, WriteRecords)
        for row in effect.ledger
    ]

    assert written == list(whole(run.plan, run.state).ledger)


WEEKS = ("mon-fri", "sun-thu", "mon-sat", "mon-sun")
HOURS = ("09:00-17:00", "08:00-12:00", "10:00-19:00", "00:00-24:00")


def held_and_set(acts: list[str], *, length: int, parts: dict[str, Any]) -> Run:
    """A run that was held for so many hours, and got another calendar, in this order."""
    run = a_run()
    run.now = at(1, 10)
    for act in acts:
        if act == "set":
            set_calendar(run, **parts)
        else:
            run.say("hold", reason="wait")
            run.say("resume", when=run.now + timedelta(hours=length))
    return run


@pytest.mark.parametrize("seed", range(150))
def test_holds_and_calendars_in_any_order_give_dates_that_keep_their_order(seed: int) -> None:
    """A longer hold never makes a date earlier, nor does another holiday; dates end in business hours and say why."""
    rng = Random(seed)
    acts = ["set", *["hold"] * rng.randint(1, 2)]
    rng.shuffle(acts)
    days = [f"2026-12-{day:02}" for day in rng.sample(range(1, 20), rng.randint(1, 5))]
    parts: dict[str, Any] = {"week": rng.choice(WEEKS), "hours": rng.choice(HOURS), "holidays": days}
    length = rng.randint(1, 30)
    short, long = (held_and_set(acts, length=hours, parts=parts) for hours in (length, length + rng.randint(1, 20)))
    fewer = held_and_set(acts, length=length, parts={**parts, "holidays": days[1:]})

    for item in ("details", "papers"):
        assert due(fewer, item) <= due(short, item) <= due(long, item)  # type: ignore[operator]
        clock = (short.state.calendars["customer"],)
        moment = due(short, item)
        assert moment is not None
        passed = "had passed when the calendar was replaced" in why(short, item)
        assert passed or is_working(clock, moment) or is_working(clock, moment - timedelta(seconds=1))
        assert why(short, item).startswith(("3bd from Mon 09:00 UTC", "5bd from Mon 09:00 UTC"))
        assert unmoved(short.plan, short.state) == []
    sides = figures.by_side(short.plan, short.state, short.now)
    assert (short.now - at(1)).total_seconds() == sum(sides.values())
