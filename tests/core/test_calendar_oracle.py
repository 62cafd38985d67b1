"""Ten thousand due dates by chance against somebody who looks at the clock on the wall, minute by minute, and counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from onboarding.engine.calendars import Calendar, Clock, add, is_working
from onboarding.language.units import Duration, Unit
from runtime.zones import zone
from tests.support.wall import wall_of

VECTORS = 10_000
MINUTE = timedelta(minutes=1)
DAYS_SEEN, DAYS_OF_START = 85, 25
# Around both changes of the clock in both halves of the world, in zones of half and quarter hours and with a change of half an hour.
SEASONS = (date(2027, 3, 1), date(2027, 9, 20), date(2028, 2, 20), date(2027, 12, 10))
ZONES = (
    "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Santiago", "Africa/Cairo", "Africa/Casablanca",
    "Asia/Riyadh", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Beirut", "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe",
    "Pacific/Chatham", "Atlantic/Azores", "UTC",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """A calendar as somebody would write it on a door."""

    zone: str
    week: tuple[int, ...]
    hours: tuple[tuple[int, int], ...]
    holidays: tuple[date, ...]

    def calendar(self) -> Calendar:
        """The same for our code."""
        return Calendar(zone=zone(self.zone, 2026, 2030), week=self.week, hours=self.hours, holidays=self.holidays)


class OnSite:
    """Every minute of a season as the clock on the wall shows it, and whether somebody is at work.

    A minute that the wall shows for the second time is the last one of its first pass that goes on: work that would end
    then goes on, work that has ended stays ended. For the time of day it is the end of the hour that repeats.
    """

    def __init__(self, rule: Rule, first: date) -> None:
        self.begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
        there = wall_of(rule.zone)
        self.day: list[date] = []
        self.time: list[datetime] = []
        self.works: list[bool] = []
        shown = datetime.min
        for minute in range(DAYS_SEEN * 1_440):
            wall = (self.begin + minute * MINUTE).astimezone(there).replace(tzinfo=None)
            self.time.append(wall if wall > shown else shown + MINUTE)
            shown = max(shown, wall)
            of_day = shown.hour * 60 + shown.minute
            open_today = shown.weekday() in rule.week and shown.date() not in rule.holidays
            self.day.append(shown.date())
            self.works.append(open_today and any(begin <= of_day < end for begin, end in rule.hours))

    def both(self, other: OnSite) -> OnSite:
        """The hours in which both work; days are ours."""
        found: OnSite = object.__new__(OnSite)
        found.begin, found.day, found.time = self.begin, self.day, self.time
        found.works = [mine and theirs for mine, theirs in zip(self.works, other.works, strict=True)]
        return found

    def after(self, start: int, duration: Duration) -> int | None:
        """The minute in which `duration` is over; `None` where it is after the season."""
        if duration.unit is Unit.BUSINESS_DAY:
            return self._days_after(start, duration.amount)
        if duration.unit is Unit.BUSINESS_HOUR:
            left = duration.amount * 60
            for minute in range(start, len(self.works)):
                left -= self.works[minute]
                if left == 0:
                    return minute + 1
            return None
        return start + duration.seconds // 60

    def _days_after(self, start: int, amount: int) -> int | None:
        first = next((minute for minute in range(start, len(self.works)) if self.works[minute]), None)
        if first is None:
            return None
        wanted = self.time[first] - _midnight(self.day[first])
        target, left = self.day[first], amount
        here: list[int] = []
        for minute in range(first, len(self.works)):
            if not self.works[minute]:
                continue
            if self.day[minute] != target:
                if left == 0:
                    break
                target, left, here = self.day[minute], left - 1, []
            here.append(minute)
        else:
            return None
        late_enough = [minute for minute in here if self.time[minute] - _midnight(target) >= wanted]
        return late_enough[0] if late_enough else here[-1] + 1


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def a_rule(rng: Random, first: date) -> Rule:
    """A week of any shape, one to three windows, some holidays."""
    marks = sorted(rng.sample(range(97), rng.choice((2, 2, 2, 4, 6))))
    weeks = (
        (0, 1, 2, 3, 4),
        (0, 1, 2, 3, 6),
        (0, 1, 2, 3, 5, 6),
        tuple(sorted(rng.sample(range(7), rng.randint(3, 7)))),
    )
    return Rule(
        zone=rng.choice(ZONES),
        week=rng.choice(weeks),
        hours=tuple((begin * 15, end * 15) for begin, end in zip(marks[::2], marks[1::2], strict=True)),
        holidays=tuple(first + timedelta(days=rng.randrange(60)) for _ in range(rng.randrange(6))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2027])
def test_ten_thousand_due_dates_are_what_somebody_with_a_clock_would_say(seed: int) -> None:
    """Exact; a later start is never due earlier; business time ends in business hours."""
    rng = Random(seed)
    found = 0
    zones: set[str] = set()
    while found < VECTORS:
        first = rng.choice(SEASONS)
        rules = [a_rule(rng, first) for _ in range(rng.choice((1, 1, 1, 2)))]
        seen = OnSite(rules[0], first)
        if len(rules) == 2:
            seen = seen.both(OnSite(rules[1], first))
        if sum(seen.works) < DAYS_SEEN * 20:  # hardly any hours together
            continue
        clock: Clock = tuple(rule.calendar() for rule in rules)
        found += _compare(rng, seen, clock, min(400, VECTORS - found))
        zones.update(rule.zone for rule in rules)

    assert found == VECTORS
    assert len(zones) > 10


def _compare(rng: Random, seen: OnSite, clock: Clock, how_many: int) -> int:
    dues: dict[Duration, list[tuple[datetime, datetime]]] = defaultdict(list)
    found = 0
    for _ in range(how_many):
        unit, most = rng.choice(((Unit.BUSINESS_DAY, 8), (Unit.BUSINESS_HOUR, 24), (Unit.HOUR, 90)))
        duration = Duration(rng.randint(1, most), unit)
        start = rng.randrange(1_440, DAYS_OF_START * 1_440)
        expected = seen.after(start, duration)
        if expected is None:
            continue
        at = seen.begin + start * MINUTE
        due = add(clock, at, duration)

        assert seen.begin + expected * MINUTE == due, (clock, at, duration)
        if duration.is_business:
            assert is_working(clock, due) or is_working(clock, due - timedelta(seconds=1))
        dues[duration].append((at, due))
        found += 1
    for pairs in dues.values():
        ends = [due for _, due in sorted(pairs)]
        assert sorted(ends) == ends
    return found
