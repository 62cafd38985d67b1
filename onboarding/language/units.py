"""Durations and positions in time, as a definition writes them.

    3bd  4bh         business days and hours, counted by a calendar
    2d 6h 30m 10s    wall clock, the same for everybody
    due  +2bd  -1bd  a position relative to the due instant
    60%              a share of the time between opening and due

Business and wall-clock units never convert into each other, and neither do business days and
business hours: only a calendar knows how long they are, and it says something else every week.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Family = Literal["business", "wall"]


class Unit(StrEnum):
    """What a duration counts; the value is how the definition spells it."""

    BUSINESS_DAY = "bd"
    BUSINESS_HOUR = "bh"
    DAY = "d"
    HOUR = "h"
    MINUTE = "m"
    SECOND = "s"


# Ten years: longer than any onboarding, short enough that no date leaves the calendar and that the
# search for working days stays bounded.
MAX_BUSINESS_DAYS = 2_600
MAX_BUSINESS_HOURS = 20_000
MAX_DAYS = 3_650
MAX_HOURS = MAX_DAYS * 24
MAX_MINUTES = MAX_HOURS * 60
MAX_SECONDS = MAX_MINUTES * 60

MAX_AMOUNT: dict[Unit, int] = {
    Unit.BUSINESS_DAY: MAX_BUSINESS_DAYS,
    Unit.BUSINESS_HOUR: MAX_BUSINESS_HOURS,
    Unit.DAY: MAX_DAYS,
    Unit.HOUR: MAX_HOURS,
    Unit.MINUTE: MAX_MINUTES,
    Unit.SECOND: MAX_SECONDS,
}

_SECONDS: dict[Unit, int] = {
    Unit.DAY: 86_400,
    Unit.HOUR: 3_600,
    Unit.MINUTE: 60,
    Unit.SECOND: 1,
}

# [0-9] and not \d, which also takes the digits of other scripts.
_DURATION = re.compile(r"([1-9][0-9]*)(bd|bh|d|h|m|s)")
_SHARE = re.compile(r"([1-9][0-9]?|100)%")

# A sentence quotes what it found, but not a whole file of it.
_QUOTED = 40


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive amount of one unit."""

    amount: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.amount}{self.unit.value}"

    @property
    def is_business(self) -> bool:
        """Whether a calendar is needed to say how long this is."""
        return self.unit in (Unit.BUSINESS_DAY, Unit.BUSINESS_HOUR)

    @property
    def family(self) -> Family:
        """The kind of time this counts; the two never convert into each other."""
        return "business" if self.is_business else "wall"

    @property
    def seconds(self) -> int:
        """Length in seconds of a wall-clock duration; `ValueError` for a business one."""
        if self.is_business:
            raise ValueError(f"{self} has no length of its own: only a calendar can measure it.")
        return self.amount * _SECONDS[self.unit]


@dataclass(frozen=True, slots=True)
class Offset:
    """A position relative to due: sign -1 before, +1 after, 0 (and no duration) at due itself."""

    sign: int
    duration: Duration | None = None

    def __str__(self) -> str:
        if self.duration is None:
            return "due"
        return f"{'-' if self.sign < 0 else '+'}{self.duration}"


@dataclass(frozen=True, slots=True)
class Share:
    """The instant at which this part of the time between opening and due has passed."""

    percent: int

    def __str__(self) -> str:
        return f"{self.percent}%"


def parse_duration(text: str) -> Duration:
    """Read `3bd`; anything else is a `ValueError` with a sentence for the author."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(
            f"expected a duration like 3bd, 4bh, 2d, 6h, 30m or 10s (a whole number from 1 and one"
            f" unit, without blanks), found {_quote(text)}."
        )
    digits, unit = found.group(1), Unit(found.group(2))
    most = MAX_AMOUNT[unit]
    # Compare lengths first: Python refuses to read integers of many thousand digits.
    if len(digits) > len(str(most)) or int(digits) > most:
        raise ValueError(f"expected at most {most:,}{unit.value}, found {_quote(text)}.")
    return Duration(int(digits), unit)


def parse_offset(text: str) -> Offset | Share:
    """Read a reminder or ladder position: `due`, `+2bd`, `-1bd` or `60%`."""
    if text == "due":
        return Offset(0, None)
    if text[:1] in ("+", "-"):
        return Offset(1 if text[0] == "+" else -1, parse_duration(text[1:]))
    share = _SHARE.fullmatch(text)
    if share is not None:
        return Share(int(share.group(1)))
    raise ValueError(f"expected a position like due, +2bd, -1bd or a share from 1% to 100%, found {_quote(text)}.")


def comparable(a: Duration, b: Duration) -> bool:
    """Whether one can say which is longer without a calendar."""
    if a.is_business or b.is_business:
        return a.unit is b.unit
    return True


def longer(a: Duration, b: Duration) -> bool | None:
    """Whether `a` is longer than `b`; `None` when only a calendar could tell."""
    if not comparable(a, b):
        return None
    if a.unit is b.unit:
        return a.amount > b.amount
    return a.seconds > b.seconds


def _quote(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
