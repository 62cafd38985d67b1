"""Which calendars held when. A calendar may be replaced in the middle of a run; time that is over stays counted as it was."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise

from onboarding.engine import calendars
from onboarding.engine.calendars import Calendar
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.language.model import Side

Era = tuple[datetime, datetime, Mapping[str, Calendar]]


def eras(state: RunState, start: datetime, end: datetime) -> Iterator[Era]:
    """The span from `start` to `end`, cut where a calendar was replaced, each part with the calendars that held in it."""
    inside = dict.fromkeys(change.at for change in state.calendar_changes if start < change.at < end)
    for since, until in pairwise((start, *inside, end)):
        yield since, until, _until(state, until)


def _until(state: RunState, until: datetime) -> Mapping[str, Calendar]:
    """The calendars that held right before `until`."""
    if not state.calendar_changes or state.calendar_changes[-1].at < until:
        return state.calendars
    found = dict(state.calendars)
    for change in reversed(state.calendar_changes):
        if change.at < until:
            break
        if change.before is None:
            found.pop(change.name, None)
        else:
            found[change.name] = change.before
    return found


def working_windows(
    plan: Plan, state: RunState, clock: str, who: str, side: Side, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The working time of somebody between two instants, by the calendars of each moment; on the clock `calendar` all of it."""
    for since, until, now in eras(state, start, end):
        counted = plan.clock(now, clock, who, side)
        if counted:
            yield from calendars.windows(counted, since, until)
        elif since < until:
            yield since, until
