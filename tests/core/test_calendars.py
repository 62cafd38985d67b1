"""Business time: fixed dates worked out by hand, and laws that hold for any calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings, strategies as st
from pydantic import TypeAdapter

from onboarding.engine.calendars import (
    Calendar,
    Clock,
    NoWorkingTime,
    add,
    add_working_seconds,
    ever_works,
    explain_due,
    is_working,
    next_working,
    reaches,
    share,
    subtract,
    windows,
    working_seconds,
)
from onboarding.engine.working_days import days_of, instant_of, second_of
from onboarding.language.units import Duration, Unit, parse_duration
from runtime.zones import zone
from tests.support.wall import wall_of


def previous_working(clock: Clock, at: datetime) -> datetime:
    """`at` itself when working, otherwise the instant at which work last stopped before it."""
    return instant_of(days_of(clock).last_until(second_of(at))[1])


def calendar(name: str, week: str, *hours: tuple[float, float], holidays: tuple[str, ...] = ()) -> Calendar:
    """A calendar in the hours of a day: `calendar("Europe/Berlin", "01234", (9, 12.5))`."""
    return Calendar(
        zone=zone(name, 2008, 2040),
        week=tuple(int(day) for day in week),
        hours=tuple((round(begin * 60), round(end * 60)) for begin, end in hours),
        holidays=tuple(date.fromisoformat(day) for day in holidays),
    )


HOLIDAYS = ("2025-04-18", "2025-04-21", "2025-06-09", "2025-12-25", "2025-12-26", "2026-01-01")
OFFICE = calendar("Europe/Berlin", "01234", (9, 17), holidays=HOLIDAYS)
SHIFTS = calendar("Europe/Berlin", "01234", (9, 12), (13, 17))
NIGHT = calendar("Europe/Berlin", "0123456", (0, 5))
BRIEF = calendar("Europe/Berlin", "0123456", (2.5, 3))
ROUND = calendar("Europe/Berlin", "0123456", (0, 24))
NEW_YORK = calendar("America/New_York", "01234", (9, 17), holidays=("2025-07-04",))
LOS_ANGELES = calendar("America/Los_Angeles", "01234", (9, 17))
TOKYO = calendar("Asia/Tokyo", "01234", (9, 17))
RIYADH = calendar("Asia/Riyadh", "60123", (8, 16))
KOLKATA = calendar("Asia/Kolkata", "01234", (10, 19))
KATHMANDU = calendar("Asia/Kathmandu", "601234", (10, 17))
BEIRUT = calendar("Asia/Beirut", "0123456", (0, 24))
APIA = calendar("Pacific/Apia", "0123456", (9, 17))
SATURDAYS = calendar("Europe/Berlin", "5", (10, 12))
SYDNEY = calendar("Australia/Sydney", "01234", (9, 17))
LORD_HOWE = calendar("Australia/Lord_Howe", "0123456", (0, 5))
CHATHAM = calendar("Pacific/Chatham", "0123456", (0, 5))
SANTIAGO = calendar("America/Santiago", "01234", (9, 17))
CAIRO = calendar("Africa/Cairo", "60123", (9, 17))
BOSTON = calendar("America/New_York", "01234", (9, 17), holidays=("2026-05-25",))
LEAP = calendar("Europe/Berlin", "01234", (9, 17), holidays=("2028-02-29",))
NEVER = calendar("Europe/Berlin", "", (9, 17))

CLOCKS: dict[str, Clock] = {
    "office": (OFFICE,),
    "shifts": (SHIFTS,),
    "night": (NIGHT,),
    "brief": (BRIEF,),
    "round": (ROUND,),
    "riyadh": (RIYADH,),
    "kolkata": (KOLKATA,),
    "kathmandu": (KATHMANDU,),
    "beirut": (BEIRUT,),
    "apia": (APIA,),
    "saturdays": (SATURDAYS,),
    "sydney": (SYDNEY,),
    "lord howe": (LORD_HOWE,),
    "chatham": (CHATHAM,),
    "santiago": (SANTIAGO,),
    "cairo": (CAIRO,),
    "boston": (BOSTON,),
    "leap": (LEAP,),
    "kathmandu+riyadh": (KATHMANDU, RIYADH),
    "office+new york": (OFFICE, NEW_YORK),
    "new york+office": (NEW_YORK, OFFICE),
    "shifts+new york": (SHIFTS, NEW_YORK),
    "kolkata+shifts": (KOLKATA, SHIFTS),
    "tokyo+los angeles": (TOKYO, LOS_ANGELES),
    "los angeles+tokyo": (LOS_ANGELES, TOKYO),
    "round+beirut": (ROUND, BEIRUT),
    "calendar": (),
}


def local(clock: Clock, text: str) -> datetime:
    """`Fri 2025-03-28 16:10` in the zone of the first calendar; a `*` means the second pass."""
    day, time = text.rstrip("*").split(" ", 1)
    at = datetime.fromisoformat(time)
    assert day == at.strftime("%a"), text
    name = clock[0].zone.name if clock else "UTC"
    return at.replace(tzinfo=wall_of(name), fold=int(text.endswith("*"))).astimezone(UTC)


ADDED = [
    # plain days, and both changes of the clock
    ("office", "Mon 2025-03-03 10:00", "1bd", "Tue 2025-03-04 10:00"),
    ("office", "Mon 2025-03-03 10:00", "3bd", "Thu 2025-03-06 10:00"),
    ("office", "Wed 2025-03-05 09:00", "5bd", "Wed 2025-03-12 09:00"),
    ("office", "Fri 2025-03-28 16:10", "1bd", "Mon 2025-03-31 16:10"),
    ("office", "Fri 2025-10-24 16:10", "1bd", "Mon 2025-10-27 16:10"),
    ("shifts", "Mon 2025-01-06 10:00", "2600bd", "Mon 2034-12-25 10:00"),
    # starts outside working hours move to the next opening first
    ("office", "Mon 2025-03-03 07:30", "1bd", "Tue 2025-03-04 09:00"),
    ("office", "Mon 2025-03-03 16:59", "1bd", "Tue 2025-03-04 16:59"),
    ("office", "Mon 2025-03-03 17:00", "1bd", "Wed 2025-03-05 09:00"),
    ("office", "Mon 2025-03-03 22:00", "1bd", "Wed 2025-03-05 09:00"),
    ("office", "Sat 2025-03-08 11:00", "1bd", "Tue 2025-03-11 09:00"),
    ("shifts", "Mon 2025-03-03 12:30", "1bd", "Tue 2025-03-04 13:00"),
    ("shifts", "Mon 2025-03-03 11:30", "1bd", "Tue 2025-03-04 11:30"),
    # holidays: on a Monday, at the start, over the turn of the year
    ("office", "Thu 2025-04-17 15:00", "1bd", "Tue 2025-04-22 15:00"),
    ("office", "Mon 2025-06-09 12:00", "1bd", "Wed 2025-06-11 09:00"),
    ("office", "Tue 2025-12-23 16:10", "3bd", "Tue 2025-12-30 16:10"),
    ("office", "Tue 2025-12-23 16:10", "5bd", "Fri 2026-01-02 16:10"),
    # leap years and others
    ("office", "Wed 2024-02-28 10:00", "1bd", "Thu 2024-02-29 10:00"),
    ("office", "Thu 2024-02-29 10:00", "1bd", "Fri 2024-03-01 10:00"),
    ("office", "Fri 2025-02-28 10:00", "1bd", "Mon 2025-03-03 10:00"),
    # other weeks and zones
    ("riyadh", "Thu 2025-03-06 15:00", "1bd", "Sun 2025-03-09 15:00"),
    ("riyadh", "Fri 2025-03-07 09:00", "1bd", "Mon 2025-03-10 08:00"),
    ("kolkata", "Mon 2025-03-03 10:00", "1bd", "Tue 2025-03-04 10:00"),
    ("kathmandu", "Fri 2025-03-07 16:15", "1bd", "Sun 2025-03-09 16:15"),
    ("saturdays", "Sat 2025-03-01 11:00", "4bd", "Sat 2025-03-29 11:00"),
    ("apia", "Thu 2011-12-29 10:00", "1bd", "Sat 2011-12-31 10:00"),
    # due dates inside a change of the clock: the jump itself, the first pass, a window that vanishes
    ("night", "Sat 2025-03-29 02:30", "1bd", "Sun 2025-03-30 03:00"),
    ("night", "Sat 2025-10-25 02:30", "1bd", "Sun 2025-10-26 02:30"),
    ("night", "Sun 2025-10-26 02:30", "1bd", "Mon 2025-10-27 02:30"),
    ("night", "Sun 2025-10-26 02:30*", "1bd", "Mon 2025-10-27 03:00"),
    ("brief", "Sat 2025-03-29 02:45", "1bd", "Mon 2025-03-31 02:45"),
    ("round", "Sat 2025-03-29 12:00", "1bd", "Sun 2025-03-30 12:00"),
    ("beirut", "Sat 2025-03-29 00:30", "1bd", "Sun 2025-03-30 01:00"),
    ("beirut", "Sat 2025-10-25 23:30*", "1bd", "Mon 2025-10-27 00:00"),
    # the southern half of the year: clocks go forward in October and back in April
    ("sydney", "Fri 2025-10-03 16:10", "1bd", "Mon 2025-10-06 16:10"),
    ("sydney", "Fri 2025-04-04 16:10", "1bd", "Mon 2025-04-07 16:10"),
    ("sydney", "Fri 2025-10-03 16:00", "2bh", "Mon 2025-10-06 10:00"),
    ("sydney", "Sat 2025-10-04 12:00", "3d", "Tue 2025-10-07 13:00"),
    ("sydney", "Sat 2025-04-05 12:00", "3d", "Tue 2025-04-08 11:00"),
    ("santiago", "Fri 2025-09-05 16:00", "1bd", "Mon 2025-09-08 16:00"),
    ("santiago", "Fri 2025-04-04 16:00", "2bh", "Mon 2025-04-07 10:00"),
    # changes of half an hour, and one from a quarter to three to a quarter to four
    ("lord howe", "Sat 2025-10-04 02:10", "1bd", "Sun 2025-10-05 02:30"),
    ("lord howe", "Sat 2025-04-05 01:40", "1bd", "Sun 2025-04-06 01:40"),
    ("lord howe", "Sun 2025-04-06 01:40*", "1bd", "Mon 2025-04-07 02:00"),
    ("lord howe", "Sun 2025-10-05 01:00", "2bh", "Sun 2025-10-05 03:30"),
    ("lord howe", "Sun 2025-04-06 01:00", "2bh", "Sun 2025-04-06 02:30"),
    ("chatham", "Sat 2025-09-27 03:00", "1bd", "Sun 2025-09-28 03:45"),
    # a weekend of Friday and Saturday, with a change of the clock inside
    ("cairo", "Thu 2025-04-24 16:00", "1bd", "Sun 2025-04-27 16:00"),
    ("cairo", "Thu 2025-04-24 12:00", "3d", "Sun 2025-04-27 13:00"),
    ("cairo", "Thu 2025-10-30 16:00", "2bh", "Sun 2025-11-02 10:00"),
    ("cairo", "Fri 2025-10-31 10:00", "1bd", "Mon 2025-11-03 09:00"),
    ("riyadh", "Thu 2024-02-29 10:00", "1bd", "Sun 2024-03-03 10:00"),
    # half an hour and 45 minutes beside UTC
    ("kolkata", "Fri 2025-03-07 18:30", "1bh", "Mon 2025-03-10 10:30"),
    ("kathmandu", "Fri 2025-03-07 16:15", "2bh", "Sun 2025-03-09 11:15"),
    ("kathmandu+riyadh", "Thu 2025-03-06 12:00", "1bd", "Sun 2025-03-09 12:00"),
    # a holiday on a Monday: before, on it, by the hour
    ("boston", "Fri 2026-05-22 15:00", "1bd", "Tue 2026-05-26 15:00"),
    ("boston", "Mon 2026-05-25 10:00", "1bd", "Wed 2026-05-27 09:00"),
    ("boston", "Fri 2026-05-22 15:00", "4bh", "Tue 2026-05-26 11:00"),
    # 29 February: a working day, a holiday, a start
    ("office", "Mon 2028-02-28 10:00", "1bd", "Tue 2028-02-29 10:00"),
    ("office", "Tue 2028-02-29 16:00", "4bh", "Wed 2028-03-01 12:00"),
    ("leap", "Mon 2028-02-28 10:00", "1bd", "Wed 2028-03-01 10:00"),
    ("leap", "Tue 2028-02-29 10:00", "1bd", "Thu 2028-03-02 09:00"),
    # both: working days of the first calendar on which the two meet
    ("office+new york", "Mon 2025-03-03 10:00", "1bd", "Tue 2025-03-04 15:00"),
    ("office+new york", "Mon 2025-03-03 16:00", "1bd", "Tue 2025-03-04 16:00"),
    ("office+new york", "Fri 2025-07-04 10:00", "1bd", "Tue 2025-07-08 15:00"),
    ("shifts+new york", "Fri 2025-03-28 14:30", "1bd", "Mon 2025-03-31 15:00"),
    ("new york+office", "Fri 2025-03-28 11:30", "1bd", "Mon 2025-03-31 11:00"),
    ("kolkata+shifts", "Fri 2025-03-28 16:00", "1bd", "Mon 2025-03-31 16:30"),
    ("los angeles+tokyo", "Thu 2025-01-09 16:30", "1bd", "Mon 2025-01-13 16:30"),
    ("tokyo+los angeles", "Fri 2025-01-10 09:30", "1bd", "Tue 2025-01-14 09:30"),
    ("tokyo+los angeles", "Fri 2025-03-07 09:30", "1bd", "Tue 2025-11-04 09:30"),
    # business hours
    ("office", "Mon 2025-03-03 10:00", "4bh", "Mon 2025-03-03 14:00"),
    ("office", "Mon 2025-03-03 09:00", "8bh", "Mon 2025-03-03 17:00"),
    ("office", "Mon 2025-03-03 10:00", "8bh", "Tue 2025-03-04 10:00"),
    ("office", "Fri 2025-03-28 16:10", "4bh", "Mon 2025-03-31 12:10"),
    ("office", "Sat 2025-03-08 11:00", "1bh", "Mon 2025-03-10 10:00"),
    ("office", "Thu 2025-04-17 16:00", "2bh", "Tue 2025-04-22 10:00"),
    ("shifts", "Mon 2025-03-03 10:00", "4bh", "Mon 2025-03-03 15:00"),
    ("kathmandu", "Fri 2025-03-07 16:45", "1bh", "Sun 2025-03-09 10:45"),
    ("night", "Sun 2025-03-30 01:00", "2bh", "Sun 2025-03-30 04:00"),
    ("night", "Sun 2025-10-26 01:00", "3bh", "Sun 2025-10-26 03:00"),
    ("round", "Sat 2025-03-29 12:00", "24bh", "Sun 2025-03-30 13:00"),
    ("office+new york", "Mon 2025-03-03 09:00", "3bh", "Tue 2025-03-04 16:00"),
    ("office+new york", "Mon 2025-03-10 09:00", "3bh", "Mon 2025-03-10 17:00"),
    # wall clock, whatever the calendar
    ("office", "Fri 2025-03-28 12:00", "3d", "Mon 2025-03-31 13:00"),
    ("office", "Fri 2025-10-24 12:00", "3d", "Mon 2025-10-27 11:00"),
    ("office", "Fri 2025-03-28 16:30", "2h", "Fri 2025-03-28 18:30"),
    ("office", "Sat 2025-03-08 11:00", "30m", "Sat 2025-03-08 11:30"),
    ("office", "Sat 2025-03-08 11:00", "10s", "Sat 2025-03-08 11:00:10"),
    # every hour of every day
    ("calendar", "Sat 2025-03-29 12:00", "3bd", "Tue 2025-04-01 12:00"),
    ("calendar", "Sat 2025-03-29 00:00", "1bd", "Sun 2025-03-30 00:00"),
    ("calendar", "Sat 2025-03-29 12:00", "30bh", "Sun 2025-03-30 18:00"),
    ("calendar", "Sat 2025-03-29 12:00", "2d", "Mon 2025-03-31 12:00"),
]


@pytest.mark.parametrize(("name", "start", "duration", "due"), ADDED)
def test_a_deadline_falls_where_a_person_would_put_it(name: str, start: str, duration: str, due: str) -> None:
    """Dates worked out by hand, written in the local time of the first calendar."""
    clock = CLOCKS[name]

    assert local(clock, due) == add(clock, local(clock, start), parse_duration(duration))


def test_the_table_of_deadlines_is_long_enough() -> None:
    """More than ninety dates worked out by hand, no two of them the same."""
    assert len(set(ADDED)) == len(ADDED) > 90


@pytest.mark.parametrize(
    ("name", "due", "duration", "expected"),
    [
        ("office", "Tue 2025-03-04 10:00", "1bd", "Mon 2025-03-03 10:00"),
        ("office", "Mon 2025-03-31 16:10", "1bd", "Fri 2025-03-28 16:10"),
        ("office", "Sun 2025-03-09 12:00", "1bd", "Thu 2025-03-06 17:00"),
        ("office", "Mon 2025-03-10 07:30", "1bd", "Thu 2025-03-06 17:00"),
        ("office", "Fri 2025-03-07 17:00", "1bd", "Thu 2025-03-06 17:00"),
        ("office", "Mon 2025-03-10 09:00", "1bd", "Fri 2025-03-07 09:00"),
        ("office", "Tue 2025-04-22 15:00", "1bd", "Thu 2025-04-17 15:00"),
        ("office", "Fri 2026-01-02 16:10", "5bd", "Tue 2025-12-23 16:10"),
        ("shifts", "Tue 2025-03-04 12:30", "1bd", "Mon 2025-03-03 12:00"),
        ("riyadh", "Sun 2025-03-09 15:00", "1bd", "Thu 2025-03-06 15:00"),
        ("night", "Mon 2025-03-31 02:30", "1bd", "Sun 2025-03-30 03:00"),
        ("night", "Mon 2025-10-27 02:30", "1bd", "Sun 2025-10-26 02:30"),
        ("beirut", "Sun 2025-10-26 23:30", "1bd", "Sat 2025-10-25 23:30"),
        ("kolkata+shifts", "Mon 2025-03-31 17:00", "1bd", "Fri 2025-03-28 16:30"),
        ("new york+office", "Mon 2025-03-10 11:30", "1bd", "Fri 2025-03-07 11:00"),
        ("office+new york", "Mon 2025-03-31 15:30", "1bd", "Fri 2025-03-28 15:30"),
        ("office", "Mon 2025-03-10 09:00", "1bh", "Fri 2025-03-07 16:00"),
        ("office", "Mon 2025-03-10 17:00", "8bh", "Mon 2025-03-10 09:00"),
        ("office", "Mon 2025-03-10 12:00", "4bh", "Fri 2025-03-07 16:00"),
        ("shifts", "Mon 2025-03-10 15:00", "4bh", "Mon 2025-03-10 10:00"),
        ("office", "Mon 2025-03-31 13:00", "3d", "Fri 2025-03-28 12:00"),
        ("calendar", "Tue 2025-04-01 12:00", "3bd", "Sat 2025-03-29 12:00"),
    ],
)
def test_subtracting_mirrors_adding(name: str, due: str, duration: str, expected: str) -> None:
    """A reminder before due lands where one would count back to."""
    clock = CLOCKS[name]

    assert local(clock, expected) == subtract(clock, local(clock, due), parse_duration(duration))


@pytest.mark.parametrize(
    ("name", "at", "working", "before", "after"),
    [
        ("office", "Mon 2025-03-03 10:00", True, "Mon 2025-03-03 10:00", "Mon 2025-03-03 10:00"),
        ("office", "Mon 2025-03-03 09:00", True, "Mon 2025-03-03 09:00", "Mon 2025-03-03 09:00"),
        ("office", "Mon 2025-03-03 17:00", False, "Mon 2025-03-03 17:00", "Tue 2025-03-04 09:00"),
        ("office", "Mon 2025-03-03 08:59", False, "Fri 2025-02-28 17:00", "Mon 2025-03-03 09:00"),
        ("office", "Mon 2025-04-21 12:00", False, "Thu 2025-04-17 17:00", "Tue 2025-04-22 09:00"),
        ("shifts", "Mon 2025-03-03 12:30", False, "Mon 2025-03-03 12:00", "Mon 2025-03-03 13:00"),
        ("beirut", "Sat 2025-10-25 23:30*", True, "Sat 2025-10-25 23:30*", "Sat 2025-10-25 23:30*"),
        ("calendar", "Sun 2025-03-30 03:00", True, "Sun 2025-03-30 03:00", "Sun 2025-03-30 03:00"),
        (
            "office+new york",
            "Mon 2025-03-03 10:00",
            False,
            "Fri 2025-02-28 17:00",
            "Mon 2025-03-03 15:00",
        ),
    ],
)
def test_windows_include_their_begin_and_not_their_end(
    name: str, at: str, working: bool, before: str, after: str
) -> None:
    """An instant is working, or lies between the end of one window and the begin of the next."""
    clock = CLOCKS[name]
    instant = local(clock, at)

    assert working is is_working(clock, instant)
    assert local(clock, before) == previous_working(clock, instant)
    assert local(clock, after) == next_working(clock, instant)


@pytest.mark.parametrize(
    ("name", "start", "end", "hours"),
    [
        ("office", "Mon 2025-03-03 00:00", "Mon 2025-03-10 00:00", 40),
        ("office", "Mon 2025-12-22 00:00", "Mon 2026-01-05 00:00", 56),
        ("shifts", "Mon 2025-03-03 11:00", "Mon 2025-03-03 14:00", 2),
        ("night", "Sun 2025-03-30 00:00", "Mon 2025-03-31 00:00", 4),
        ("night", "Sun 2025-10-26 00:00", "Mon 2025-10-27 00:00", 6),
        ("round", "Sat 2025-10-25 12:00", "Mon 2025-10-27 12:00", 49),
        ("office+new york", "Mon 2025-03-03 00:00", "Sat 2025-03-08 00:00", 10),
        ("office+new york", "Mon 2025-03-10 00:00", "Sat 2025-03-15 00:00", 15),
        ("apia", "Thu 2011-12-29 00:00", "Sun 2012-01-01 00:00", 16),
        ("calendar", "Mon 2025-03-03 00:00", "Mon 2025-03-10 00:00", 168),
        ("office", "Mon 2025-03-10 00:00", "Mon 2025-03-03 00:00", 0),
    ],
)
def test_working_time_is_counted_over_changes_of_the_clock(name: str, start: str, end: str, hours: int) -> None:
    """Weeks, years and nights with 23 and 25 hours, counted by hand."""
    clock = CLOCKS[name]

    assert hours * 3_600 == working_seconds(clock, local(clock, start), local(clock, end))


def test_touching_windows_are_one_interval() -> None:
    """Around the clock there is nothing to separate one day from the next, in one zone or in two."""
    start, end = datetime(2025, 3, 28, 7, tzinfo=UTC), datetime(2025, 4, 2, tzinfo=UTC)

    for name in ("round", "beirut", "round+beirut", "calendar"):
        assert [(start, end)] == list(windows(CLOCKS[name], start, end))


@pytest.mark.parametrize(
    ("name", "opened", "due", "percent", "expected"),
    [
        ("office", "Mon 2025-03-03 09:00", "Tue 2025-03-04 17:00", 50, "Mon 2025-03-03 17:00"),
        ("office", "Mon 2025-03-03 09:00", "Tue 2025-03-04 17:00", 75, "Tue 2025-03-04 13:00"),
        ("office", "Fri 2025-03-28 16:00", "Mon 2025-03-31 16:00", 25, "Mon 2025-03-31 10:00"),
        ("office", "Mon 2025-03-03 09:00", "Mon 2025-03-03 17:00", 100, "Mon 2025-03-03 17:00"),
        ("office", "Mon 2025-03-03 09:00", "Mon 2025-03-03 09:01", 33, "Mon 2025-03-03 09:00:19"),
        ("office", "Sat 2025-03-08 10:00", "Sun 2025-03-09 10:00", 50, "Sat 2025-03-08 22:00"),
        ("calendar", "Sat 2025-03-08 10:00", "Tue 2025-03-11 10:00", 50, "Sun 2025-03-09 22:00"),
    ],
)
def test_a_share_is_one_of_working_time(name: str, opened: str, due: str, percent: int, expected: str) -> None:
    """Half of two working days is one, a weekend weighs nothing unless there is nothing else."""
    clock = CLOCKS[name]

    assert local(clock, expected) == share(clock, local(clock, opened), local(clock, due), percent)


@pytest.mark.parametrize(
    ("name", "calendars", "at", "duration", "sentence"),
    [
        (
            "office",
            "customer",
            "Wed 2025-12-24 16:10",
            "3bd",
            "3bd from Wed 16:10 Europe/Berlin, customer calendar, skipping 25 and 26 December",
        ),
        (
            "office",
            "customer",
            "Tue 2025-12-23 16:10",
            "5bd",
            ("5bd from Tue 16:10 Europe/Berlin, customer calendar, skipping 25 and 26 December, 1 January"),
        ),
        (
            "office",
            "provider",
            "Fri 2025-03-28 16:10",
            "3bd",
            "3bd from Fri 16:10 Europe/Berlin, provider calendar, skipping Sat and Sun",
        ),
        (
            "office",
            "provider",
            "Mon 2025-03-03 10:00",
            "4bh",
            "4bh from Mon 10:00 Europe/Berlin, provider calendar",
        ),
        (
            "office",
            "provider",
            "Mon 2025-06-09 12:00",
            "1bd",
            ("1bd from Mon 12:00 Europe/Berlin, counted from Tue 09:00, provider calendar, skipping 9 June"),
        ),
        (
            "office+new york",
            "both",
            "Thu 2025-07-03 15:00",
            "1bd",
            "1bd from Thu 15:00 Europe/Berlin, both calendars, skipping 4 July",
        ),
        (
            "kathmandu",
            "customer",
            "Thu 2025-03-06 10:15",
            "2bd",
            "2bd from Thu 10:15 Asia/Kathmandu, customer calendar, skipping Sat",
        ),
        (
            "office",
            "customer",
            "Fri 2025-03-28 16:10",
            "3d",
            "3d from Fri 16:10 Europe/Berlin, wall clock",
        ),
        (
            "calendar",
            "calendar",
            "Fri 2025-03-28 16:10",
            "3bd",
            "3bd from Fri 16:10 UTC, every hour counts",
        ),
        (
            "cairo",
            "customer",
            "Thu 2025-04-24 16:00",
            "1bd",
            "1bd from Thu 16:00 Africa/Cairo, customer calendar, skipping Fri and Sat",
        ),
    ],
)
def test_a_due_date_explains_itself(name: str, calendars: str, at: str, duration: str, sentence: str) -> None:
    """Start, zone and calendar, a moved start, holidays by date or else the days off."""
    clock = CLOCKS[name]
    start, length = local(clock, at), parse_duration(duration)

    assert sentence == explain_due(clock, calendars, start, length, add(clock, start, length))


def test_many_holidays_are_counted_after_the_first_six() -> None:
    """A sentence that lists a whole year explains nothing."""
    many = tuple(f"2025-03-{day:02}" for day in range(3, 13))
    clock = (calendar("Europe/Berlin", "0123456", (9, 17), holidays=many),)
    start, length = local(clock, "Sun 2025-03-02 10:00"), parse_duration("1bd")

    sentence = explain_due(clock, "customer", start, length, add(clock, start, length))

    assert sentence.endswith(", skipping 3, 4, 5, 6, 7 and 8 March and 4 more")


APART = calendar("Europe/Berlin", "56", (9, 17))


@pytest.mark.parametrize("clock", [(NEVER,), (OFFICE, NEVER), (OFFICE, APART)])
def test_a_clock_that_never_works_is_an_error(clock: Clock) -> None:
    """Every question about the next working time names the zones and the way out."""
    at = datetime(2025, 3, 3, 10, tzinfo=UTC)
    day, hour = parse_duration("1bd"), parse_duration("1bh")

    for ask in (
        lambda: next_working(clock, at),
        lambda: previous_working(clock, at),
        lambda: add(clock, at, day),
        lambda: add(clock, at, hour),
        lambda: subtract(clock, at, day),
        lambda: subtract(clock, at, hour),
    ):
        with pytest.raises(NoWorkingTime, match=r"Europe/Berlin.*check their week") as refused:
            ask()
        assert isinstance(refused.value, ValueError)

    assert not is_working(clock, at)
    assert not working_seconds(clock, at, at + timedelta(days=90))
    assert at + timedelta(days=1) == add(clock, at, parse_duration("1d"))


EVERY_MONDAY = tuple(str(date(2026, 1, 5) + timedelta(weeks=week)) for week in range(110))


@pytest.mark.parametrize(
    ("clock", "works"),
    [
        ((OFFICE,), True),
        ((NEVER,), False),
        ((OFFICE, APART), False),
        ((TOKYO, LOS_ANGELES), True),
        ((calendar("Europe/Berlin", "0", (9, 17), holidays=EVERY_MONDAY),), False),
        ((calendar("Europe/Berlin", "01", (9, 17), holidays=EVERY_MONDAY),), True),
        ((BRIEF,), True),
        ((), True),
    ],
)
def test_a_calendar_that_rests_for_two_years_does_not_work(clock: Clock, works: bool) -> None:
    """Hours that are shared for one season are enough; a list of holidays may leave nothing."""
    assert works is ever_works(clock)


def test_a_duration_is_too_long_where_a_hundred_years_do_not_suffice() -> None:
    """Two hours on Saturdays: a year is fine, 192 of them are not."""
    assert reaches((SATURDAYS,), parse_duration("104bh"))
    assert not reaches((SATURDAYS,), parse_duration("20000bh"))
    assert not reaches((NEVER,), parse_duration("1bd"))
    assert reaches((NEVER,), parse_duration("1d"))


def test_a_crumb_of_working_time_does_not_hold_up_the_caller() -> None:
    """Two hours on Saturdays give 20,000 bh after 192 years: refused, not searched for."""
    with pytest.raises(NoWorkingTime):
        add((SATURDAYS,), datetime(2025, 3, 3, tzinfo=UTC), parse_duration("20000bh"))


def test_a_calendar_survives_the_journey_as_json() -> None:
    """The compiled definition carries calendars and comes back equal."""
    in_json = TypeAdapter(Calendar)

    for clock in CLOCKS.values():
        for one in clock:
            assert one == in_json.validate_json(in_json.dump_json(one))


# Laws. Two years with all changes of the clock, and calendars nobody would think of.

START, END = datetime(2024, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Beirut")

instants = st.one_of(
    st.integers(0, int((END - START).total_seconds())).map(lambda s: START + timedelta(seconds=s)),
    # half of all starts lie around a change of the clock, in Berlin, New York or Beirut
    st.builds(
        lambda day, minutes: datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes),
        st.sampled_from(["2025-03-30", "2025-10-26", "2025-03-09", "2025-11-02", "2025-10-25"]),
        st.integers(-3_000, 3_000),
    ),
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any week, one to three windows, some holidays."""
    marks = draw(st.lists(st.integers(0, 48), min_size=2, max_size=6, unique=True).map(sorted))
    hours = [(b * 30, e * 30) for b, e in zip(marks[::2], marks[1::2], strict=False)]
    days = st.dates(START.date(), END.date())
    return Calendar(
        zone=zone(draw(st.sampled_from(ZONES)), 2008, 2040),
        week=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))),
        hours=tuple(hours),
        holidays=tuple(draw(st.lists(days, max_size=8))),
    )


def works(clock: Clock) -> bool:
    """Whether two calendars meet in winter and in summer."""
    months = (datetime(2025, month, 1, tzinfo=UTC) for month in (1, 7))
    return all(working_seconds(clock, month, month + timedelta(days=31)) for month in months)


clocks = st.one_of(
    st.sampled_from(list(CLOCKS.values())),
    calendars().map(lambda one: (one,)),
    st.tuples(calendars(), calendars()).filter(works),
)
business = st.one_of(
    st.builds(Duration, st.integers(1, 40), st.just(Unit.BUSINESS_DAY)),
    st.builds(Duration, st.integers(1, 200), st.just(Unit.BUSINESS_HOUR)),
)
durations = business | st.builds(Duration, st.integers(1, 200), st.just(Unit.HOUR))
SECOND = timedelta(seconds=1)


@given(clocks, instants, instants, durations)
def test_a_later_start_never_has_an_earlier_deadline(
    clock: Clock, a: datetime, b: datetime, duration: Duration
) -> None:
    """Adding and subtracting keep the order of their starts."""
    a, b = sorted((a, b))

    assert add(clock, a, duration) <= add(clock, b, duration)
    assert subtract(clock, a, duration) <= subtract(clock, b, duration)


@given(clocks, instants, st.integers(1, 7_200), durations)
def test_the_order_of_close_starts_is_kept_too(clock: Clock, a: datetime, later: int, duration: Duration) -> None:
    """Minutes apart, where a repeated hour could turn the order round."""
    b = a + timedelta(seconds=later)

    assert add(clock, a, duration) <= add(clock, b, duration)
    assert subtract(clock, a, duration) <= subtract(clock, b, duration)


@given(clocks, instants, durations)
def test_a_longer_duration_is_never_due_earlier(clock: Clock, at: datetime, duration: Duration) -> None:
    """One more is later when adding and earlier when subtracting, and both leave the start."""
    more = Duration(duration.amount + 1, duration.unit)

    assert at < add(clock, at, duration) < add(clock, at, more)
    assert at > subtract(clock, at, duration) > subtract(clock, at, more)


@given(clocks, instants, business)
def test_business_time_ends_in_business_hours(clock: Clock, at: datetime, duration: Duration) -> None:
    """A deadline is a working instant or the end of a window."""
    for due in (add(clock, at, duration), subtract(clock, at, duration)):
        assert is_working(clock, due) or is_working(clock, due - SECOND)


@given(clocks, instants, st.integers(1, 400))
def test_business_hours_are_working_time(clock: Clock, at: datetime, hours: int) -> None:
    """Between a start and its deadline lies exactly the time that was promised."""
    duration = Duration(hours, Unit.BUSINESS_HOUR)

    assert hours * 3_600 == working_seconds(clock, at, add(clock, at, duration))
    assert hours * 3_600 == working_seconds(clock, subtract(clock, at, duration), at)


@given(clocks, instants, st.integers(-500_000, 500_000))
def test_the_time_added_is_the_time_passed_and_not_a_second_more(clock: Clock, at: datetime, seconds: int) -> None:
    """The nearest instant that has it: one second closer to the start, one is missing."""
    reached = add_working_seconds(clock, at, seconds)
    closer = reached - SECOND if seconds > 0 else reached + SECOND

    if seconds == 0:
        assert at == reached
        return
    assert abs(seconds) == working_seconds(clock, *sorted((at, reached)))
    assert abs(seconds) - 1 == working_seconds(clock, *sorted((at, closer)))


@given(clocks, st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_working_time_adds_up(clock: Clock, three: list[datetime]) -> None:
    """A span is the sum of its parts, and never longer than the wall clock."""
    a, b, c = three
    whole = working_seconds(clock, a, c)

    assert whole == working_seconds(clock, a, b) + working_seconds(clock, b, c)
    assert whole <= (c - a).total_seconds()


@given(clocks, instants, st.integers(0, 40 * 86_400))
def test_windows_are_in_order_clipped_and_apart(clock: Clock, start: datetime, length: int) -> None:
    """No window is empty, touches the next or leaves the span; both edges are where work changes."""
    end = start + timedelta(seconds=length)
    found = list(windows(clock, start, end))
    edges = [edge for window in found for edge in window]

    assert sorted(set(edges)) == edges
    assert all(start <= edge <= end for edge in edges)
    assert all(is_working(clock, begin) and is_working(clock, stop - SECOND) for begin, stop in found)
    assert all(begin == start or not is_working(clock, begin - SECOND) for begin, _ in found)
    assert all(stop == end or not is_working(clock, stop) for _, stop in found)


@given(clocks, instants)
def test_nothing_is_missed_before_the_next_working_instant(clock: Clock, at: datetime) -> None:
    """Between the last end of work and the next begin nobody works."""
    before, after = previous_working(clock, at), next_working(clock, at)

    assert before <= at <= after
    assert (at == after) is is_working(clock, at)
    assert is_working(clock, after)
    assert not working_seconds(clock, before, after)


@given(clocks, instants, instants, st.integers(1, 99))
def test_shares_stand_in_order_between_opening_and_due(
    clock: Clock, opened: datetime, due: datetime, percent: int
) -> None:
    """A larger share is never earlier, and none leaves the span."""
    opened, due = sorted((opened, due))
    some, more = share(clock, opened, due, percent), share(clock, opened, due, percent + 1)

    assert opened <= some <= more <= due


@given(instants, st.integers(1, 60))
def test_going_back_the_same_days_returns_to_the_start(at: datetime, amount: int) -> None:
    """In an office with the same hours every day, reminder and deadline are inverse."""
    duration = Duration(amount, Unit.BUSINESS_DAY)
    start = next_working((OFFICE,), at)

    assert start == subtract((OFFICE,), add((OFFICE,), start, duration), duration)


@given(calendars(), instants)
def test_work_is_what_the_wall_clock_on_site_says(one: Calendar, at: datetime) -> None:
    """Outside the second pass of a repeated hour, date and time in the zone alone decide."""
    there = at.astimezone(wall_of(one.zone.name))
    assume(there.fold == 0)
    minute = there.hour * 60 + there.minute

    assert (
        there.weekday() in one.week
        and there.date() not in one.holidays
        and any(begin <= minute < end for begin, end in one.hours)
    ) is is_working((one,), at)


@given(st.tuples(calendars(), calendars()), instants)
def test_both_work_when_each_one_does(two: Clock, at: datetime) -> None:
    """The clock of two is their intersection, in either order."""
    each = all(is_working((one,), at) for one in two)

    assert each is is_working(two, at)
    assert each is is_working(two[::-1], at)


@settings(max_examples=20)
@given(clocks, instants)
def test_counting_minutes_gives_the_same_working_time(clock: Clock, start: datetime) -> None:
    """The sum over windows is what somebody with a stop watch would have counted."""
    minutes = [start.replace(second=0) + timedelta(minutes=minute) for minute in range(2 * 1_440)]
    counted = sum(is_working(clock, minute) for minute in minutes)

    assert counted * 60 == working_seconds(clock, minutes[0], minutes[-1] + timedelta(minutes=1))


@given(clocks, instants, durations)
def test_any_deadline_can_be_explained(clock: Clock, at: datetime, duration: Duration) -> None:
    """One line that starts with the duration."""
    sentence = explain_due(clock, "customer", at, duration, add(clock, at, duration))

    assert sentence.startswith(f"{duration} from ")
    assert "\n" not in sentence
