"""Instants: due dates, reminders, ladder steps. Computed once, when an item opens or is extended, and stored.

Note [The tie goes to the sender]
    What the run reads before it has acted on a deadline is in time. The shell applies all messages of a workflow task before it
    advances the clock, and an item is overdue only once the clock was advanced past its due instant here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from onboarding.engine import calendars, moving, readers
from onboarding.engine.calendars import Clock
from onboarding.engine.copies import replace
from onboarding.engine.people import acting
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
    """The clock that the present dates of an item are counted on."""
    current = turn.state.items[item.id]
    return turn.plan.clock(
        turn.state.calendars,
        item.clock,
        current.counted_for or item_owner(turn.plan, turn.state, item),
        _owner_side(turn, item),
    )


def held_clock(turn: Turn, item: Item) -> Clock:
    """The clock by which a hold moves the dates of an item: a wall-clock due date stood still for wall-clock time."""
    return item_clock(turn, item) if item.due is not None and item.due.is_business else ()


def _owner_side(turn: Turn, item: Item) -> Side:
    return turn.plan.roles[item.owner].side


def lay(turn: Turn, item: Item) -> None:
    """Computes the due instant of a freshly opened item, with its derivation, and all that follows from it."""
    owner = item_owner(turn.plan, turn.state, item)
    turn.item(
        item.id,
        due_at=None,
        due_why="",
        planned=(),
        laid_at=None,
        due_base=None,
        due_from="",
        due_given=False,
        counted_for=owner,
    )
    if item.due is not None:
        due, why = moving.explained(item_clock(turn, item), item.clock, turn.at, item.due)
        _begin(turn, item, due, why)


def give(turn: Turn, item: Item, due: datetime, why: str) -> None:
    """Somebody gives an item another due instant; what is planned around it is laid anew."""
    turn.item(item.id, counted_for=item_owner(turn.plan, turn.state, item), overdue=False)
    _begin(turn, item, due, why, given=True)


def _begin(turn: Turn, item: Item, due: datetime, why: str, *, given: bool = False) -> None:
    turn.item(item.id, due_at=due, due_base=due, due_why=why, due_from=why, due_given=given)
    lay_plan(turn, item)


def lay_plan(turn: Turn, item: Item) -> None:
    """Plans reminders and ladder steps around the present due instant; what lies in the past is left out.

    Ladder steps already taken in this round are not planned again, reminders are laid anew.
    """
    current = turn.state.items[item.id]
    if current.due_at is None or current.opened_at is None:
        return
    found = [Planned(at=current.due_at, kind=PlannedKind.DUE)]
    found += [Planned(at=turn.at, kind=PlannedKind.REMINDER, index=index) for index in range(len(item.reminders))]
    found += [
        Planned(at=turn.at, kind=PlannedKind.STEP, index=index)
        for index in range(len(item.ladder))
        if index not in current.fired
    ]
    clock = item_clock(turn, item)
    planned = [replace(one, at=instant_of(turn, item, one, clock)) for one in found]
    coming = [one for one in planned if one.at > turn.at or one.kind is PlannedKind.DUE]
    turn.item(item.id, planned=in_order(coming), laid_at=turn.at)


def instant_of(turn: Turn, item: Item, one: Planned, clock: Clock) -> datetime:
    """When something that is planned happens, before holds move it: counted from the due instant, or from the repetition before.

    `clock` is that of the item (`item_clock`).
    """
    current = turn.state.items[item.id]
    due = current.due_base or current.due_at
    assert due is not None, "what is planned has a due instant"
    match one.kind:
        case PlannedKind.REMINDER:
            step = item.reminders[one.index]
            if step.at is not None:
                return _readable(turn, item, _offset(clock, due, step.at))
            assert step.every is not None, "a reminder has `at` or `every`"
            return _readable(turn, item, moving.reckoned(calendars.add, clock, one.since or due, step.every))
        case PlannedKind.STEP:
            rung = item.ladder[one.index].at
            if isinstance(rung, Share):
                return moving.reckoned(calendars.share, clock, current.opened_at or due, due, rung.percent)
            return _offset(clock, due, rung)
        case PlannedKind.DUE:
            return due


def put(turn: Turn, item: Item, planned: Planned) -> None:
    """Plans one instant more."""
    turn.item(item.id, planned=in_order([*turn.state.items[item.id].planned, planned]))


def take(turn: Turn, item: Item, wanted: Callable[[Planned], bool]) -> bool:
    """Takes reminders out of an item's plan as if they had been said; repetitions go on from their own instants."""
    taken = False
    while True:
        current = turn.state.items[item.id]
        mine = [one for one in current.planned if one.kind is PlannedKind.REMINDER and wanted(one)]
        if not mine:
            return taken
        taken = True
        turn.item(item.id, planned=tuple(one for one in current.planned if one not in mine))
        for one in mine:
            again(turn, item, one)


def take_along(turn: Turn, handle: str, day: int, stays: Callable[[Item], bool] = lambda _: False) -> tuple[Item, ...]:
    """`digest`: takes the reminders to one person on one day of theirs out of the plans; the items they were about.

    What `stays` holds for keeps its reminders.
    """
    if not turn.plan.definition.contact.digest:
        return ()
    mine = [
        item
        for item in turn.plan.items.values()
        if turn.state.items[item.id].status in WAITING
        and not stays(item)
        and acting(turn.plan, turn.state, item)[0] == handle
    ]
    return tuple(item for item in mine if take(turn, item, lambda one: readers.day_of(turn, handle, one.at) == day))


def again(turn: Turn, item: Item, fired: Planned) -> None:
    """Plans the next repetition of a reminder that repeats, counted from the one before."""
    step = item.reminders[fired.index]
    if step.every is None or fired.times >= step.max:
        return
    following = replace(fired, times=fired.times + 1, since=fired.at, put_off=False)
    put(turn, item, replace(following, at=instant_of(turn, item, following, item_clock(turn, item))))


def move_by_hold(turn: Turn, item: Item, since: datetime) -> None:
    """Moves every instant of an open item by the time that passed while the run stood still.

    Dates that were computed or given during the hold move only by what was left of it.
    """
    current = turn.state.items[item.id]
    if current.laid_at is None or current.status not in WAITING:
        return
    start, clock = max(since, current.laid_at), held_clock(turn, item)
    moved = [replace(one, at=moving.later_by_hold(clock, one.at, start, turn.at)) for one in current.planned]
    turn.item(item.id, planned=in_order(moved))
    if current.due_at is not None and not current.overdue:
        due = moving.later_by_hold(clock, current.due_at, start, turn.at)
        base = current.due_from or current.due_why
        why = moving.told(base, clock, turn.state.holds, current.laid_at)
        turn.item(item.id, due_at=due, due_why=why, due_from=base)


def _offset(clock: Clock, due: datetime, offset: Offset | Share) -> datetime:
    assert isinstance(offset, Offset), "only ladder steps may be shares"
    if offset.duration is None:
        return due
    if offset.sign < 0:
        return moving.reckoned(calendars.subtract, clock, due, offset.duration)
    return moving.reckoned(calendars.add, clock, due, offset.duration)


def _readable(turn: Turn, item: Item, at: datetime) -> datetime:
    return readers.reads_from(turn, acting(turn.plan, turn.state, item)[0], at)


def in_order(planned: list[Planned]) -> tuple[Planned, ...]:
    """What is planned, as it will happen."""
    return tuple(sorted(planned, key=lambda one: (one.at, _RANK[one.kind], one.index)))


def stall_at(turn: Turn, stage: str) -> datetime:
    """When a stage counts as stalled if nothing more happens in it; without a window of its own after `QUIET`."""
    rule, current = turn.plan.stages[stage], turn.state.stages[stage]
    if rule.stall is None:
        return (current.progress_at or turn.at) + QUIET
    clock = turn.plan.clock(turn.state.calendars, rule.clock, current.owner, turn.plan.roles[rule.owner].side)
    return plan_length(clock, current.progress_at or turn.at, rule.stall)


def review_after(turn: Turn) -> datetime:
    """When a hold without a date of its own is looked at again: nobody is parked for ever.

    The run's stall window where the definition has one, else `QUIET`.
    """
    stall = turn.plan.definition.stall
    if stall is None:
        return turn.at + QUIET
    return plan_length(turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER), turn.at, stall)


def plan_length(clock: Clock, at: datetime, duration: Duration) -> datetime:
    """`at` plus a duration on a clock."""
    return moving.reckoned(calendars.add, clock, at, duration)


def pending(current: ItemState) -> Planned | None:
    """The next instant at which the clock acts on an item; only while its owner's deadline runs."""
    return current.planned[0] if current.planned and current.status in WAITING else None
