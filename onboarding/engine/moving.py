"""How dates move and how they say so: by holds, and by the time that a calendar has.

Note [There is always a date]
    What loading, starting and `set_calendar` can foresee is refused. What is left, such as two calendars that part in some later
    summer, must not stop a run in the middle: where a calendar has too little working time, every hour counts.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from onboarding.engine import calendars
from onboarding.engine.calendars import Clock, NoWorkingTime
from onboarding.engine.state import Held
from onboarding.language.units import Duration

SECOND = timedelta(seconds=1)

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def reckoned(count: Callable[..., datetime], clock: Clock, *rest: object) -> datetime:
    """What `count` of `calendars` gives on a clock, or on every hour where the clock has too little; Note [There is always a date]."""
    try:
        return count(clock, *rest)
    except NoWorkingTime:
        return count((), *rest)


def explained(clock: Clock, name: str, at: datetime, duration: Duration) -> tuple[datetime, str]:
    """The instant `duration` after `at`, and how it came about."""
    try:
        due = calendars.add(clock, at, duration)
    except NoWorkingTime:
        due = calendars.add((), at, duration)
        return (
            due,
            f"{calendars.explain_due((), name, at, duration, due)}, because the {name} calendar has too little working time",
        )
    return due, calendars.explain_due(clock, name, at, duration, due)


def after_holds(
    clock: Clock, at: datetime, holds: Iterable[Held], laid_at: datetime, *, passed_stays: bool = False
) -> datetime:
    """An instant that was computed at `laid_at`, moved by every hold since, as each one moved it when it ended.

    `passed_stays`: what had passed when a hold began is not moved by it.
    """
    for held in holds:
        if held.until > laid_at and not (passed_stays and at <= held.since):
            at = later_by_hold(clock, at, max(held.since, laid_at), held.until)
    return at


def told(why: str, clock: Clock, holds: Iterable[Held], laid_at: datetime) -> str:
    """Why a date is what it is: how it came about, and what it was moved by."""
    held = sum(calendars.working_seconds(clock, max(one.since, laid_at), one.until) for one in holds)
    if held == 0:
        return why
    working = " of working time" if clock else ""
    return f"{why}, moved by {_length(held, days=not clock)}{working} on hold"


def later_by_hold(clock: Clock, at: datetime, since: datetime, until: datetime) -> datetime:
    """An instant of the future, moved by the working time between `since` and `until`; never into the past."""
    held = calendars.working_seconds(clock, since, until)
    moved = reckoned(calendars.add_working_seconds, clock, at, held) if held else at
    if held and calendars.is_working(clock, at):
        # Nine in the morning does not become five the day before.
        moved = reckoned(calendars.next_working, clock, moved)
    return max(moved, until + SECOND)


def _length(seconds: int, *, days: bool) -> str:
    """`2 days 4 hours`: the two largest units."""
    units = ((_DAY, "day"),) if days else ()
    parts = []
    for size, name in (*units, (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(parts[:2])
