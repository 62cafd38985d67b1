"""When somebody works: business time over explicit zone data, with no clock and no time-zone table.

    bd   the start moves to the next working instant, then N working days on, same local time of
         day, clamped into the windows of that day
    bh   counts working seconds
    d h m s   wall time, whatever the calendar says

A clock works when all its calendars work; the first one says what a day is. Inside, instants are
epoch seconds and days are numbers counted from 1 January 1970, because both are exact and cheap.

Note [Order survives]
    A later start must never get an earlier deadline. Zone changes threaten that twice, so both
    conversions are monotone: a local time that the clocks jump over is the instant of the jump,
    and in a repeated hour a local time means its first pass; the second pass counts, for the time
    of day, as the end of the hour.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from onboarding.language.units import Duration, Unit

# A calendar that does not work for two years is a mistake in the definition, not a long holiday.
HORIZON_DAYS = 731
# The largest duration in a one-day week takes fifty years; beyond a hundred, a walk over days would
# only hold up its caller.
MOST_DAYS = 36_525
# More names than this do not explain, they hide.
MOST_NAMED_HOLIDAYS = 6

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 3  # it was a Thursday
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# fmt: off
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")
# fmt: on

_Windows = tuple[tuple[int, int], ...]


class NoWorkingTime(ValueError):
    """Raised when a clock has no, or far too little, working time to count in.

    You got here with calendars whose week, hours and holidays leave nothing, or with two of `both`
    that never work at the same time. Try the clock once when a definition is loaded, and do not
    catch this later: the calendars have to change.
    """

    def __init__(self, zones: tuple[str, ...], near: datetime) -> None:
        super().__init__(zones, near)
        self.zones = zones
        self.near = near

    def __str__(self) -> str:
        return (
            f"expected working time near {self.near:%Y-%m-%d}, found none that suffices in the"
            f" calendars of {_listed(self.zones)}: check their week, hours and holidays."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A time zone as explicit data: pairs of (epoch second from which, UTC offset in seconds).

    Ascending and not empty; the first offset also holds before its instant, the last one for ever.
    """

    name: str
    transitions: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Who works when: weekdays (0 is Monday), windows in minutes from local midnight, holidays.

    Windows are half-open, sorted and do not overlap; 1440 is the end of the day.
    """

    zone: Zone
    week: tuple[int, ...]
    hours: tuple[tuple[int, int], ...]
    holidays: tuple[date, ...] = ()


# The empty clock is "calendar": every hour of every day, a bd of 24 hours, a bh of one.
Clock = tuple[Calendar, ...]

_ALWAYS = Calendar(zone=Zone(name="UTC", transitions=((0, 0),)), week=tuple(range(7)), hours=((0, 1_440),))


def is_working(clock: Clock, at: datetime) -> bool:
    """Whether somebody works at this instant; the end of a window is no longer working time."""
    second = _second(at)
    days = _days(clock)
    today = days.day_of(second)
    return any(begin <= second < end for day in (today - 1, today) for begin, end in days.windows(day))


def next_working(clock: Clock, at: datetime) -> datetime:
    """The first working instant from `at` on, which is `at` itself when that is one."""
    return _instant(_days(clock).first_from(_second(at))[1])


def previous_working(clock: Clock, at: datetime) -> datetime:
    """`at` itself when working, otherwise the instant at which work last stopped before it."""
    return _instant(_days(clock).last_until(_second(at))[1])


def windows(clock: Clock, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Working intervals clipped to [start, end), in order, as long as they can be."""
    for begin, stop in _days(clock).between(_second(start), _second(end)):
        yield _instant(begin), _instant(stop)


def working_seconds(clock: Clock, start: datetime, end: datetime) -> int:
    """Working time in [start, end); none when the end is not after the start."""
    return sum(stop - begin for begin, stop in _days(clock).between(_second(start), _second(end)))


def add_working_seconds(clock: Clock, at: datetime, seconds: int) -> datetime:
    """The first instant by which so much working time has passed; negative counts backwards."""
    days = _days(clock)
    if seconds < 0:
        return _instant(days.backward(_second(at), -seconds))
    return _instant(days.forward(_second(at), seconds))


def add(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """The instant `duration` after `at`; a later start never gives an earlier result."""
    match duration.unit:
        case Unit.BUSINESS_DAY:
            return _instant(_days(clock).days_after(_second(at), duration.amount))
        case Unit.BUSINESS_HOUR:
            return add_working_seconds(clock, at, duration.amount * _HOUR)
        case _:
            return at + timedelta(seconds=duration.seconds)


def subtract(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """The instant `duration` before `at`, the mirror image of `add`."""
    match duration.unit:
        case Unit.BUSINESS_DAY:
            return _instant(_days(clock).days_before(_second(at), duration.amount))
        case Unit.BUSINESS_HOUR:
            return add_working_seconds(clock, at, -duration.amount * _HOUR)
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
    days = _days(clock)
    parts = [f"{duration} from {days.spoken(_second(at))} {days.zone_name}"]
    if not duration.is_business:
        return f"{parts[0]}, wall clock"
    if not clock:
        return f"{parts[0]}, every hour counts"
    started = next_working(clock, at)
    if started != at:
        parts.append(f"counted from {days.spoken(_second(started))}")
    parts.append(f"{calendar_name} calendar{'s' if len(clock) > 1 else ''}")
    skipped = _skipped(clock, at, due)
    if skipped:
        parts.append(f"skipping {skipped}")
    return ", ".join(parts)


def _skipped(clock: Clock, at: datetime, due: datetime) -> str:
    """Holidays by date, because they surprise; without any, the days off by name."""
    days = _days(clock)
    usual = _days(tuple(replace(calendar, holidays=()) for calendar in clock))
    span = range(days.day_of(_second(at)), days.day_of(_second(due)) + 1)
    idle = [day for day in span if not days.windows(day)]
    holidays = [_date(day) for day in idle if usual.windows(day)]
    if holidays:
        return _listed_dates(holidays)
    return _listed(dict.fromkeys(_WEEKDAYS[_weekday(day)] for day in idle))


class _Offsets:
    """Conversion between epoch seconds and local seconds of one zone; Note [Order survives]."""

    __slots__ = ("_begins", "_offsets")

    def __init__(self, zone: Zone) -> None:
        self._begins = [begin for begin, _ in zone.transitions]
        self._offsets = [offset for _, offset in zone.transitions]

    def at(self, second: int) -> int:
        return self._offsets[self._index(second)]

    def local(self, second: int) -> int:
        index = self._index(second)
        local = second + self._offsets[index]
        if index == 0:
            return local
        return max(local, self._begins[index] + self._offsets[index - 1])

    def second(self, local: int) -> int:
        # No offset reaches a day, so the right segment does not begin before this one.
        index = self._index(local - _DAY)
        while index + 1 < len(self._begins):
            if local < self._begins[index + 1] + self._offsets[index]:
                break
            index += 1
        second = local - self._offsets[index]
        return second if index == 0 else max(second, self._begins[index])

    def constant_around(self, local: int) -> int | None:
        """The offset of a whole local day, or `None` when a change is near."""
        index = self._index(local - _DAY)
        if index + 1 < len(self._begins) and self._begins[index + 1] <= local + 2 * _DAY:
            return None
        return self._offsets[index]

    def _index(self, second: int) -> int:
        return max(bisect_right(self._begins, second) - 1, 0)


class _Days:
    """The working windows of a clock by day, remembered: deadlines ask for the same days again."""

    __slots__ = ("_holidays", "_hours", "_known", "_offsets", "_others", "_week", "_zones")

    def __init__(self, calendar: Calendar, others: tuple["_Days", ...]) -> None:
        self._zones = (calendar.zone.name, *(other.zone_name for other in others))
        self._offsets = _Offsets(calendar.zone)
        self._week = calendar.week
        self._hours = _joined((begin * _MINUTE, end * _MINUTE) for begin, end in calendar.hours)
        self._holidays = frozenset(day.toordinal() - _EPOCH_ORDINAL for day in calendar.holidays)
        self._others = others
        self._known: dict[int, _Windows] = {}

    @property
    def zone_name(self) -> str:
        return self._zones[0]

    def day_of(self, second: int) -> int:
        """The local day; a repeated hour before midnight already counts as the day after."""
        return self._offsets.local(second) // _DAY

    def spoken(self, second: int) -> str:
        day, time = divmod(second + self._offsets.at(second), _DAY)
        hour, rest = divmod(time, _HOUR)
        return f"{_WEEKDAYS[_weekday(day)]} {hour:02}:{rest // _MINUTE:02}"

    def windows(self, day: int) -> _Windows:
        known = self._known.get(day)
        if known is None:
            known = self._own(day)
            for other in self._others:
                known = other._shared(known)
            self._known[day] = known
        return known

    def between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        if end <= start:
            return
        pending: tuple[int, int] | None = None
        for day in range(self.day_of(start) - 1, self.day_of(end) + 1):
            for begin, stop in self.windows(day):
                begin, stop = max(begin, start), min(stop, end)
                if begin >= stop:
                    continue
                if pending and pending[1] == begin:
                    pending = (pending[0], stop)
                    continue
                if pending:
                    yield pending
                pending = (begin, stop)
        if pending:
            yield pending

    def first_from(self, second: int) -> tuple[int, int]:
        """The working day and instant at or after `second`."""
        today = self.day_of(second)
        for day in range(today - 1, today + HORIZON_DAYS):
            for begin, end in self.windows(day):
                if second < end:
                    return day, max(begin, second)
        raise NoWorkingTime(self._zones, _instant(second))

    def last_until(self, second: int) -> tuple[int, int]:
        """The working day and instant at or before `second`, ends of windows included."""
        today = self.day_of(second)
        for day in range(today, today - HORIZON_DAYS, -1):
            for begin, end in reversed(self.windows(day)):
                if begin <= second:
                    return day, min(end, second)
        raise NoWorkingTime(self._zones, _instant(second))

    def days_after(self, second: int, amount: int) -> int:
        day, start = self.first_from(second)
        target = self._walk(day, amount, 1)
        wanted = self._same_time(day, start, target)
        for begin, end in self.windows(target):
            if wanted < end:
                return max(begin, wanted)
        return self.windows(target)[-1][1]

    def days_before(self, second: int, amount: int) -> int:
        day, start = self.last_until(second)
        target = self._walk(day, amount, -1)
        wanted = self._same_time(day, start, target)
        for begin, end in reversed(self.windows(target)):
            if wanted >= begin:
                return min(end, wanted)
        return self.windows(target)[0][0]

    def forward(self, second: int, amount: int) -> int:
        if amount == 0:
            return second
        first = day = self.day_of(second) - 1
        while True:
            for begin, end in self.windows(day):
                length = end - max(begin, second)
                if length >= amount:
                    return end - length + amount
                amount -= max(length, 0)
            day = self._step(day, 1, first)

    def backward(self, second: int, amount: int) -> int:
        first = day = self.day_of(second)
        while True:
            for begin, end in reversed(self.windows(day)):
                length = min(end, second) - begin
                if length >= amount:
                    return begin + length - amount
                amount -= max(length, 0)
            day = self._step(day, -1, first)

    def _own(self, day: int) -> _Windows:
        if _weekday(day) not in self._week or day in self._holidays:
            return ()
        midnight = day * _DAY
        offset = self._offsets.constant_around(midnight)
        if offset is not None:
            base = midnight - offset
            return tuple([(base + begin, base + end) for begin, end in self._hours])
        second = self._offsets.second
        return _joined((second(midnight + begin), second(midnight + end)) for begin, end in self._hours)

    def _shared(self, theirs: _Windows) -> _Windows:
        return _joined(
            (max(begin, low), min(end, high))
            for low, high in theirs
            for day in range(self.day_of(low) - 1, self.day_of(high) + 1)
            for begin, end in self.windows(day)
        )

    def _same_time(self, day: int, second: int, target: int) -> int:
        return self._offsets.second(self._offsets.local(second) + (target - day) * _DAY)

    def _walk(self, first: int, amount: int, direction: int) -> int:
        day = first
        for _ in range(amount):
            day = self._step(day, direction, first)
        return day

    def _step(self, day: int, direction: int, first: int) -> int:
        """The neighbouring working day, as long as it is not absurdly far from `first`."""
        for distance in range(1, HORIZON_DAYS + 1):
            reached = day + direction * distance
            if self.windows(reached):
                if abs(reached - first) > MOST_DAYS:
                    break
                return reached
        raise NoWorkingTime(self._zones, _instant(day * _DAY))


@lru_cache(maxsize=64)
def _days(clock: Clock) -> _Days:
    first, *others = clock or (_ALWAYS,)
    return _Days(first, tuple(_days((other,)) for other in others))


def _joined(found: Iterable[tuple[int, int]]) -> _Windows:
    """Windows in order, touching ones as one, empty ones left out."""
    joined: list[tuple[int, int]] = []
    for begin, end in found:
        if begin >= end:
            continue
        if joined and joined[-1][1] == begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return tuple(joined)


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


def _weekday(day: int) -> int:
    return (day + _EPOCH_WEEKDAY) % 7


def _date(day: int) -> date:
    return date.fromordinal(day + _EPOCH_ORDINAL)


def _second(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


def _instant(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)
