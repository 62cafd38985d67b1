"""Working time as numbers: instants are epoch seconds and days are counted from 1 January 1970, because both are exact and cheap.

A clock works when all its calendars work; the first one says what a day is.

Note [Order survives]
    A later start must never get an earlier deadline. Zone changes threaten that twice, so both
    conversions are monotone: a local time that the clocks jump over is the instant of the jump,
    and in a repeated hour a local time means its first pass; the second pass counts, for the time
    of day, as the end of the hour.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

# A calendar that does not work for two years is a mistake in the definition, not a long holiday.
HORIZON_DAYS = 731
# The largest duration in a one-day week takes fifty years; beyond a hundred, a walk over days would
# only hold up its caller.
MOST_DAYS = 36_525

# Each run brings calendars of its own, though most are equal: so many clocks are the handful of each of some fifty runs that a worker
# computes in turn. Each entry is a reference to windows that equal clocks share.
_REMEMBERED = 256
# An installation has a few different ones. The windows of a year of one take 120 kB, so all together some megabytes.
DIFFERENT = 64

_MINUTE, HOUR, _DAY = 60, 3_600, 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 3  # it was a Thursday
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

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
            f" calendars of {' and '.join(self.zones)}: check their week, hours and holidays."
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


class Days:
    """The working windows of a clock by day, remembered: deadlines ask for the same days again."""

    __slots__ = ("_holidays", "_hours", "_known", "_offsets", "_others", "_week", "_zones")

    def __init__(self, calendar: Calendar, others: tuple["Days", ...]) -> None:
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

    def midnight_after(self, day: date) -> int:
        """The instant at which a local day ends."""
        return self._offsets.second((day.toordinal() - _EPOCH_ORDINAL + 1) * _DAY)

    def spoken(self, second: int) -> str:
        day, time = divmod(second + self._offsets.at(second), _DAY)
        hour, rest = divmod(time, HOUR)
        return f"{WEEKDAYS[weekday_of(day)]} {hour:02}:{rest // _MINUTE:02}"

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
        raise NoWorkingTime(self._zones, instant_of(second))

    def last_until(self, second: int) -> tuple[int, int]:
        """The working day and instant at or before `second`, ends of windows included."""
        today = self.day_of(second)
        for day in range(today, today - HORIZON_DAYS, -1):
            for begin, end in reversed(self.windows(day)):
                if begin <= second:
                    return day, min(end, second)
        raise NoWorkingTime(self._zones, instant_of(second))

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
        if weekday_of(day) not in self._week or day in self._holidays:
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
        raise NoWorkingTime(self._zones, instant_of(day * _DAY))


_by_calendars: dict[tuple[int, ...], tuple[Clock, Days]] = {}


def days_of(clock: Clock) -> Days:
    """The working windows of a clock."""
    # Equal calendars share their windows, but to find out that they are equal costs more than most questions about them. A clock
    # that is kept keeps its calendars, so that their identities stay theirs.
    calendars = tuple([id(calendar) for calendar in clock])
    known = _by_calendars.get(calendars)
    if known is None:
        if len(_by_calendars) >= _REMEMBERED:
            _by_calendars.clear()
        known = _by_calendars[calendars] = (clock, _days_of(clock))
    return known[1]


@lru_cache(maxsize=DIFFERENT)
def _days_of(clock: Clock) -> Days:
    first, *others = clock or (_ALWAYS,)
    return Days(first, tuple(days_of((other,)) for other in others))


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


def weekday_of(day: int) -> int:
    return (day + _EPOCH_WEEKDAY) % 7


def date_of(day: int) -> date:
    return date.fromordinal(day + _EPOCH_ORDINAL)


def second_of(at: datetime) -> int:
    return (at - _EPOCH) // _SECOND


def instant_of(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)
