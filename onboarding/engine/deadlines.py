"""Instants: due dates, reminders, ladder steps. Computed once, when an item opens or is extended, and stored.

Note [The tie goes to the sender]
    What the run reads before it has acted on a deadline is in time. The shell applies all messages of a workflow task before it
    advances the clock, and an item is overdue only once the clock was advanced past its due instant here.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from onboarding.engine import calendars
from onboarding.engine.calendars import Clock
from onboarding.engine.presence import item_owner
from onboarding.engine.state import ItemState, ItemStatus, Planned, PlannedKind
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, Side
from onboarding.language.units import Duration, Offset, Share

WAITING = (ItemStatus.OPEN, ItemStatus.RETURNED)
"""Statuses in which the owner's deadline runs."""

QUIET = timedelta(days=7)
"""How long nothing may happen where a definition says nothing about it: nobody waits unnoticed, not even for a review."""

_RANK = {PlannedKind.REMINDER: 0, PlannedKind.DUE: 1, PlannedKind.STEP: 2}


def item_clock(turn: Turn, item: Item) -> Clock:
    """The clock of an item as it is owned now."""
    return turn.plan.clock(
        turn.state.calendars, item.clock, item_owner(turn.plan, turn.state, item), _owner_side(turn, item)
    )


def _owner_side(turn: Turn, item: Item) -> Side:
    return turn.plan.roles[item.owner].side


def lay(turn: Turn, item: Item) -> None:
    """Computes the due instant of a freshly opened item, with its derivation, and all that follows from it."""
    if item.due is None:
        turn.item(item.id, due_at=None, due_why="", planned=(), laid_at=None)
        return
    clock = item_clock(turn, item)
    due = calendars.add(clock, turn.at, item.due)
    why = calendars.explain_due(clock, item.clock, turn.at, item.due, due)
    turn.item(item.id, due_at=due, due_why=why)
    lay_plan(turn, item)


def lay_plan(turn: Turn, item: Item) -> None:
    """Plans reminders and ladder steps around the present due instant; what lies in the past is left out.

    Ladder steps already taken in this round are not planned again, reminders are laid anew.
    """
    current = turn.state.items[item.id]
    due, opened = current.due_at, current.opened_at
    if due is None or opened is None:
        return
    clock = item_clock(turn, item)
    planned = [Planned(at=due, kind=PlannedKind.DUE)]
    for index, step in enumerate(item.reminders):
        if step.at is not None:
            at = _offset(clock, due, step.at)
        else:
            assert step.every is not None, "a reminder has `at` or `every`"
            at = calendars.add(clock, due, step.every)
        at = _readable(turn, item, at)
        if at > turn.at:
            planned.append(Planned(at=at, kind=PlannedKind.REMINDER, index=index))
    for index, rung in enumerate(item.ladder):
        if index in current.fired:
            continue
        if isinstance(rung.at, Share):
            at = calendars.share(clock, opened, due, rung.at.percent)
        else:
            at = _offset(clock, due, rung.at)
        if at > turn.at:
            planned.append(Planned(at=at, kind=PlannedKind.STEP, index=index))
    turn.item(item.id, planned=_sorted(planned), laid_at=turn.at)


def again(turn: Turn, item: Item, fired: Planned) -> None:
    """Plans the next repetition of a reminder that repeats, counted from the one before."""
    step = item.reminders[fired.index]
    if step.every is None or fired.times >= step.max:
        return
    at = _readable(turn, item, calendars.add(item_clock(turn, item), fired.at, step.every))
    current = turn.state.items[item.id]
    following = replace(fired, at=at, times=fired.times + 1)
    turn.item(item.id, planned=_sorted([*current.planned, following]))


def move_by_hold(turn: Turn, item: Item, since: datetime) -> None:
    """Moves every instant of an open item by the time that passed while the run stood still.

    Dates that were computed or given during the hold move only by what was left of it.
    """
    current = turn.state.items[item.id]
    if current.laid_at is None or current.status not in WAITING:
        return
    start = max(since, current.laid_at)
    # A wall-clock due date stood still for wall-clock time, a business one for the business time that was held.
    clock = item_clock(turn, item) if item.due is not None and item.due.is_business else ()
    moved = tuple(replace(one, at=later_by_hold(clock, one.at, start, turn.at)) for one in current.planned)
    due = None if current.due_at is None else later_by_hold(clock, current.due_at, start, turn.at)
    if current.overdue:
        due = current.due_at
    turn.item(item.id, planned=_sorted(list(moved)), due_at=due)


def later_by_hold(clock: Clock, at: datetime, since: datetime, until: datetime) -> datetime:
    """An instant of the future, moved by the working time between `since` and `until`; never into the past."""
    held = calendars.working_seconds(clock, since, until)
    moved = calendars.add_working_seconds(clock, at, held) if held else at
    if held and calendars.is_working(clock, at):
        moved = calendars.next_working(clock, moved)  # nine in the morning does not become five the day before
    return max(moved, until + timedelta(seconds=1))


def _offset(clock: Clock, due: datetime, offset: Offset | Share) -> datetime:
    assert isinstance(offset, Offset), "only ladder steps may be shares"
    if offset.duration is None:
        return due
    if offset.sign < 0:
        return calendars.subtract(clock, due, offset.duration)
    return calendars.add(clock, due, offset.duration)


def _readable(turn: Turn, item: Item, at: datetime) -> datetime:
    """`send_in: working_hours`: the next working instant of whoever is written to."""
    if turn.plan.definition.contact.send_in != "working_hours" or turn.plan.definition.scale is not None:
        return at
    who = item_owner(turn.plan, turn.state, item)
    reader = turn.plan.clock(turn.state.calendars, "owner", who, _owner_side(turn, item))
    return calendars.next_working(reader, at) if reader else at


def _sorted(planned: list[Planned]) -> tuple[Planned, ...]:
    return tuple(sorted(planned, key=lambda one: (one.at, _RANK[one.kind], one.index)))


def stall_at(turn: Turn, stage: str) -> datetime:
    """When a stage counts as stalled if nothing more happens in it; without a window of its own after `QUIET`."""
    rule, current = turn.plan.stages[stage], turn.state.stages[stage]
    if rule.stall is None:
        return (current.progress_at or turn.at) + QUIET
    clock = turn.plan.clock(turn.state.calendars, rule.clock, current.owner, turn.plan.roles[rule.owner].side)
    return calendars.add(clock, current.progress_at or turn.at, rule.stall)


def review_after(turn: Turn) -> datetime:
    """When a hold without a date of its own is looked at again: nobody is parked for ever.

    The run's stall window where the definition has one, else `QUIET`.
    """
    stall = turn.plan.definition.stall
    if stall is None:
        return turn.at + QUIET
    return calendars.add(turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER), turn.at, stall)


def plan_length(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """`at` plus a duration on a clock."""
    return calendars.add(clock, at, duration)


def pending(current: ItemState) -> Planned | None:
    """The next instant at which the clock acts on an item; only while its owner's deadline runs."""
    return current.planned[0] if current.planned and current.status in WAITING else None
