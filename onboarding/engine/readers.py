"""When people read: the clock of whoever is written to, and when the run may next say something to them by itself."""

from datetime import datetime

from onboarding.engine import calendars, moving
from onboarding.engine.calendars import Clock
from onboarding.engine.people import side_of
from onboarding.engine.turn import Turn


def clock_of(turn: Turn, handle: str) -> Clock:
    """Whose hours count for what somebody reads: their own; in compressed time every hour."""
    if turn.plan.definition.scale is not None:
        return ()
    return turn.plan.clock(turn.state.calendars, "owner", handle, side_of(turn.plan, turn.state, handle))


def reads_from(turn: Turn, handle: str, at: datetime) -> datetime:
    """`send_in: working_hours`: the first working instant of a reader from `at` on; without it `at` itself."""
    if turn.plan.definition.contact.send_in != "working_hours":
        return at
    return moving.reckoned(calendars.next_working, clock_of(turn, handle), at)


def free_from(turn: Turn, handle: str) -> datetime:
    """From when on the run may say something to somebody by itself: in their hours, and `min_gap` after the last time."""
    gap, last = turn.plan.definition.contact.min_gap, last_written(turn, handle)
    if gap is None or last is None:
        return reads_from(turn, handle, turn.at)
    return reads_from(turn, handle, max(turn.at, moving.reckoned(calendars.add, clock_of(turn, handle), last, gap)))


def last_written(turn: Turn, handle: str) -> datetime | None:
    """When somebody was last prompted, or will be by what waits for their hours."""
    coming = [at for key, at in turn.state.unread.items() if key.rpartition("/")[2] == handle]
    said = turn.state.written.get(handle)
    return max((*coming, said) if said is not None else coming, default=None)


def day_of(turn: Turn, handle: str, at: datetime) -> int:
    """The day of a reader in which an instant lies; in compressed time days are counted from the start of the run."""
    scale = turn.plan.definition.scale
    if scale is not None:
        return int((at - turn.state.started_at).total_seconds()) // scale.business_day
    return calendars.local_day(clock_of(turn, handle), at)
