"""When somebody works: business time over explicit zone data, with no clock and no time-zone table.

    bd   the start moves to the next working instant, then N working days on, same local time of
         day, clamped into the windows of that day
    bh   counts working seconds
    d h m s   wall time, whatever the calendar says

The arithmetic is in `working_days.py`.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from onboarding.engine.copies import replace
from onboarding.engine.working_days import (
    DIFFERENT,
    HOUR,
    WEEKDAYS,
    Calendar,
    Clock,
    Days,
    NoWorkingTime,
    Zone,
    date_of,
    days_of,
    instant_of,
    second_of,
    weekday_of,
)
from onboarding.language.units import Duration, Unit

__all__ = [
    "Calendar", "Clock", "NoWorkingTime", "Zone", "add", "add_working_seconds", "end_of_day", "ever_works", "explain_due", "is_working", "local_day",
    "next_working",
    "reaches", "share", "subtract", "windows", "working_seconds",
]  # fmt: skip

# More names than this do not explain, they hide.
MOST_NAMED_HOLIDAYS = 6

# Two years of two zones that both change in spring and autumn.
_CHANGES = 8

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


def is_working(clock: Clock, at: datetime) -> bool:
    """Whether somebody works at this instant; the end of a window is no longer working time."""
    second = second_of(at)
    days = days_of(clock)
    today = days.day_of(second)
    return any(begin <= second < end for day in (today - 1, today) for begin, end in days.windows(day))


def next_working(clock: Clock, at: datetime) -> datetime:
    """The first working instant from `at` on, which is `at` itself when that is one."""
    return instant_of(days_of(clock).first_from(second_of(at))[1])


def end_of_day(clock: Clock, day: date) -> datetime:
    """The last working instant of a local day, or the one before it where nobody works on that day."""
    days = days_of(clock)
    return instant_of(days.last_until(days.midnight_after(day))[1])


def local_day(clock: Clock, at: datetime) -> int:
    """The number of the day in the first zone of a clock, or in UTC; the same number is the same day."""
    return days_of(clock).day_of(second_of(at))


def ever_works(clock: Clock) -> bool:
    """Whether a clock has working time, always again: after some of the last changes of its zones, for some hours are shared in summer
    only, and after each of its holidays, for a list of them may leave out two years."""
    days = days_of(clock)
    return any(_finds(days, begin) for begin in _beginnings(clock)) and all(
        _finds(days, second) for second in _holidays_between_changes(clock)
    )


def reaches(clock: Clock, duration: Duration) -> bool:
    """Whether the working time of a clock suffices for a duration."""
    return any(_adds(clock, begin, duration) for begin in _beginnings(clock))


def _beginnings(clock: Clock) -> list[int]:
    changes = sorted({begin for calendar in clock for begin, _ in calendar.zone.transitions} or {0})
    return changes[-_CHANGES:]


def _holidays_between_changes(clock: Clock) -> list[int]:
    """Where zone data end, a season lasts for ever: what two zones share there says nothing about the years before."""
    changes = [begin for calendar in clock for begin, _ in calendar.zone.transitions]
    last = max(changes) if len(changes) > len(clock) else None
    midnights = [second_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) for one in clock for day in one.holidays]
    return sorted(second for second in dict.fromkeys(midnights) if last is None or second < last)


def _finds(days: Days, second: int) -> bool:
    with suppress(NoWorkingTime):
        days.first_from(second)
        return True
    return False


def _adds(clock: Clock, second: int, duration: Duration) -> bool:
    with suppress(NoWorkingTime, OverflowError):
        add(clock, instant_of(second), duration)
        return True
    return False


def windows(clock: Clock, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Working intervals clipped to [start, end), in order, as long as they can be."""
    for begin, stop in days_of(clock).between(second_of(start), second_of(end)):
        yield instant_of(begin), instant_of(stop)


def working_seconds(clock: Clock, start: datetime, end: datetime) -> int:
    """Working time in [start, end); none when the end is not after the start."""
    return sum(stop - begin for begin, stop in days_of(clock).between(second_of(start), second_of(end)))


def add_working_seconds(clock: Clock, at: datetime, seconds: int) -> datetime:
    """The first instant by which so much working time has passed; negative counts backwards."""
    days = days_of(clock)
    if seconds < 0:
        return instant_of(days.backward(second_of(at), -seconds))
    return instant_of(days.forward(second_of(at), seconds))


def add(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """The instant `duration` after `at`; a later start never gives an earlier result."""
    match duration.unit:
        case Unit.BUSINESS_DAY:
            return instant_of(days_of(clock).days_after(second_of(at), duration.amount))
        case Unit.BUSINESS_HOUR:
            return add_working_seconds(clock, at, duration.amount * HOUR)
        case _:
            return at + timedelta(seconds=duration.seconds)


def subtract(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """The instant `duration` before `at`, the mirror image of `add`."""
    match duration.unit:
        case Unit.BUSINESS_DAY:
            return instant_of(days_of(clock).days_before(second_of(at), duration.amount))
        case Unit.BUSINESS_HOUR:
            return add_working_seconds(clock, at, -duration.amount * HOUR)
        case _:
            return at - timedelta(seconds=duration.seconds)


def share(clock: Clock, opened: datetime, due: datetime, percent: int) -> datetime:
    """The first instant by which `percent` of the working time from `opened` to `due` has passed.

    A wall-clock due can lie in one long weekend; then the share is one of wall time.
    """
    total = working_seconds(clock, opened, due)
    if total == 0:
        clock, total = (), working_seconds((), opened, due)
    return add_working_seconds(clock, opened, total * percent // 100)


def explain_due(clock: Clock, calendar_name: str, at: datetime, duration: Duration, due: datetime) -> str:
    """How `due` came about, for a reader: start, zone, calendar, and what was skipped."""
    days = days_of(clock)
    parts = [f"{duration} from {days.spoken(second_of(at))} {days.zone_name}"]
    if not duration.is_business:
        return f"{parts[0]}, wall clock"
    if not clock:
        return f"{parts[0]}, every hour counts"
    started = next_working(clock, at)
    if started != at:
        parts.append(f"counted from {days.spoken(second_of(started))}")
    if calendar_name == "both" and len(clock) == 1:  # `Plan.clock` has fallen back
        parts.append("provider calendar, because both share no working hour")
    else:
        parts.append(f"{calendar_name} calendar{'s' if len(clock) > 1 else ''}")
    skipped = _skipped(clock, at, due)
    if skipped:
        parts.append(f"skipping {skipped}")
    return ", ".join(parts)


def _skipped(clock: Clock, at: datetime, due: datetime) -> str:
    """Holidays by date, because they surprise; without any, the days off by name."""
    days = days_of(clock)
    span = range(days.day_of(second_of(at)), days.day_of(second_of(due)) + 1)
    idle = [day for day in span if not days.windows(day)]
    if not idle:
        return ""
    usual = days_of(_without_holidays(clock))
    holidays = [date_of(day) for day in idle if usual.windows(day)]
    if holidays:
        return _listed_dates(holidays)
    return _listed(dict.fromkeys(WEEKDAYS[weekday_of(day)] for day in idle))


@lru_cache(maxsize=DIFFERENT)
def _without_holidays(clock: Clock) -> Clock:
    return tuple(replace(calendar, holidays=()) for calendar in clock)


def _listed_dates(dates: list[date]) -> str:
    """`25 and 26 December, 1 January`: days of one month share its name."""
    named = dates[:MOST_NAMED_HOLIDAYS]
    months: dict[tuple[int, int], list[str]] = {}
    for day in named:
        months.setdefault((day.year, day.month), []).append(str(day.day))
    text = ", ".join(f"{_listed(days)} {_MONTHS[month - 1]}" for (_, month), days in months.items())
    more = len(dates) - len(named)
    return f"{text} and {more} more" if more else text


def _listed(words: Iterable[str]) -> str:
    *most, last = [*words] or [""]
    return f"{', '.join(most)} and {last}" if most else last
