"""Two years, and the two nights in which the clocks are moved, with every instant where it must be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onboarding.engine import figures
from onboarding.engine.effects import NoticeKind
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunOutcome
from tests.support.long_runs import TWO_YEARS, begin, last_sunday, live, wait
from tests.support.shell import an_order

MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def day(number: float) -> datetime:
    """So many days after the begin of the two years."""
    return MONDAY + timedelta(days=number)


def test_two_years_pass_with_everything_on_its_day() -> None:
    """Three hundred reminders, two ladders, a hold of a month, a silence that is skipped, business days at the end."""
    plan = Plan(an_order("two-years", customer="c-long", years=(2025, 2030)))
    run = live(plan, MONDAY, [(day(said.day), said.name, said.content) for said in TWO_YEARS])

    items = run.state.items
    assert (run.state.outcome, run.state.closed_at) == (RunOutcome.LIVE, day(734))
    assert run.when(NoticeKind.REMINDER, "plans") == [day(29), *(day(32 + 2 * n) for n in range(150))]
    assert run.when(NoticeKind.ESCALATION, "plans") == [day(30), day(130), day(230), day(230)]
    assert items["plans"].due_at == day(30)
    assert (items["survey"].status, items["survey"].closed_at) == (ItemStatus.SKIPPED, day(100))
    assert items["results"].due_at == day(410)
    assert run.when(NoticeKind.REMINDER, "results") == [day(409), *(day(412 + 2 * n) for n in range(150))]
    assert run.when(NoticeKind.ESCALATION, "results") == [day(410), day(510), day(610), day(610)]
    # Day 720 is a Sunday: ten working days count from Monday morning in Berlin, in winter.
    assert items["review"].due_at == datetime(2028, 12, 4, 8, 0, tzinfo=UTC)
    assert (items["review"].late, items["plans"].late, items["results"].late) == (False, True, True)
    sides = figures.by_side(plan, run.state, day(734))
    assert sides["hold"] == timedelta(days=30).total_seconds()
    assert sum(sides.values()) == timedelta(days=734).total_seconds()


MARCH = {
    "days": ("thu+7 08:00", "wed+6 08:00", ["thu+7 08:00", "fri+8 08:00"]),
    "hours": ("tue+5 08:00", "mon+4 08:00", ["tue+5 08:00", "wed+6 08:00"]),
    "wall": ("sat+2 09:00", None, []),
    "night": ("mon+4 23:00", None, []),
}
OCTOBER = {
    "days": ("thu+7 09:00", "wed+6 09:00", ["thu+7 09:00", "fri+8 09:00"]),
    "hours": ("tue+5 09:00", "mon+4 09:00", ["tue+5 09:00", "wed+6 09:00"]),
    "wall": ("sat+2 08:00", None, []),
    "night": ("mon+4 04:00", None, []),
}
"""Due, reminder and escalations of each item in UTC, as days after the Thursday before the change, on which it is ten in Berlin.

A night of work has an hour less in March and one more in October; who works by day has the same time on the wall before and after.
"""


@pytest.mark.parametrize("year", range(2025, 2037))
@pytest.mark.parametrize(("month", "hour", "expected"), [(3, 9, MARCH), (10, 8, OCTOBER)], ids=["March", "October"])
def test_the_night_in_which_the_clock_is_moved_moves_no_working_hour(
    year: int, month: int, hour: int, expected: dict[str, tuple[str, str | None, list[str]]]
) -> None:
    """Business days, business hours, hours by the wall and night work over the change, in twelve years."""
    thursday = last_sunday(year, month) - timedelta(days=3)

    def instant(told: str) -> datetime:
        name, clock = told.split()
        hours, minutes = clock.split(":")
        found = thursday + timedelta(days=int(name[4:]), hours=int(hours), minutes=int(minutes))
        assert f"{found:%a}".lower() == name[:3]
        return found

    plan = Plan(an_order("clock-changes", customer="c-clock", years=(year - 1, year + 1)))
    run = begin(plan, thursday + timedelta(hours=hour))
    due = {name: item.due_at for name, item in run.state.items.items()}
    wait(run, thursday + timedelta(days=12))

    assert due == {name: instant(told) for name, (told, _, _) in expected.items()}
    for name, (_, reminder, steps) in expected.items():
        assert run.when(NoticeKind.REMINDER, name) == ([instant(reminder)] if reminder else [])
        assert run.when(NoticeKind.ESCALATION, name) == [instant(step) for step in steps]
    assert [run.state.items[name].closed_at for name in ("wall", "night")] == [due["wall"], due["night"]]
    elapsed = sum(figures.by_side(plan, run.state, run.state.at).values())
    assert elapsed == int((run.state.at - run.state.started_at).total_seconds())
