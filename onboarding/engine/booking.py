"""Whose time it is: every instant of a run is booked to exactly one side.

Several items may be open at once; a stretch of time belongs to the required one that has been open longest, in definition
order among equals. While the run is on hold it belongs to the hold; when nothing is open but a gate does not hold,
to the owner of the stage. Off-hours are split off when the stretch is read or written (`split`).
"""

from dataclasses import fields
from datetime import datetime

from onboarding import limits
from onboarding.engine import eras, flow, people
from onboarding.engine.copies import replace
from onboarding.engine.effects import LedgerRow
from onboarding.engine.people import acting, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import Booking, ItemStatus, RunState, RunStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import ItemKind, Side

HOLD = "hold"
OFF_HOURS = "off_hours"
SIDES = (Side.CUSTOMER, Side.PROVIDER, Side.THIRD_PARTY, HOLD, OFF_HOURS)
"""What a minute can be booked to, in the order of the contract."""
_WHOSE = tuple(one.name for one in fields(Booking) if one.name != "since")


def holding(plan: Plan, state: RunState) -> str | None:
    """The item that the run's time is booked to now, or `None`."""
    best: tuple[datetime, int] | None = None
    found: str | None = None
    for n, (name, current) in enumerate(state.items.items()):
        if current.status not in flow.ACTIVE:
            continue
        item = plan.items[name]
        if state.stages[item.stage].status is not StageStatus.OPEN:
            continue
        since = (
            current.answered_at if current.status in (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW) else current.opened_at
        )
        if item.optional and not current.wanted:
            continue  # nobody waits for it: where nothing else is open, a gate is in the way, and its owner has that
        rank = (since or state.at, n)
        if best is None or rank < best:
            best, found = rank, name
    return found


def present(plan: Plan, state: RunState, at: datetime) -> Booking:
    """Who has the run's time from `at` on."""
    name = holding(plan, state)
    stage = plan.items[name].stage if name else open_stage(plan, state)
    if state.hold is not None:
        held = state.hold
        return Booking(
            item=name or "", stage=stage, round=1, side=HOLD, who=held.by, clock="calendar", since=at, held_side=held.side
        )  # fmt: skip
    if name is None:
        owner = stage_owner(plan, state, stage)
        return Booking(
            item="", stage=stage, round=1, side=Side.PROVIDER, who=owner, clock=plan.stages[stage].clock, since=at
        )
    item, current = plan.items[name], state.items[name]
    who, side = acting(plan, state, item)
    ours = side is not item.side or item.kind is ItemKind.HOOK
    clock = item.clock if not ours else "calendar" if item.clock == "calendar" else "owner"
    return Booking(item=name, stage=stage, round=current.round, side=side, who=who, clock=clock, since=at)


def open_stage(plan: Plan, state: RunState) -> str:
    """The first open stage, or the last stage of all when none is open."""
    return people.open_stage(state) or list(state.stages)[-1]


def book(turn: Turn) -> tuple[LedgerRow, ...]:
    """Closes the present stretch when somebody else has the run's time now; returns the rows that are final."""
    state = turn.state
    current = state.booking
    closed = state.status is RunStatus.CLOSED
    following = None if closed else present(turn.plan, state, turn.at)
    if current is not None and following is not None and _same(current, following):
        return ()
    if current is None or current.since >= turn.at:
        turn.set(booking=following)
        return ()
    ended = replace(current, to=turn.at)
    booked = {side: state.booked.get(side, 0) for side in SIDES}
    for side, start, end in split(turn.plan, turn.state, ended, turn.at):
        booked[side] += _seconds(start, end)
    n = state.ledger_count + 1
    turn.set(ledger=(*state.ledger, ended)[-limits.LEDGER_KEPT :], ledger_count=n, booked=booked, booking=following)
    return (row(turn.plan, turn.state, ended, n),)


def _same(one: Booking, other: Booking) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _WHOSE)


def split(plan: Plan, state: RunState, booking: Booking, until: datetime) -> list[tuple[str, datetime, datetime]]:
    """A stretch as (side, from, to), cut where working hours of whoever had it begin and end, and where calendars were replaced."""
    end = booking.to or until
    if booking.side == HOLD:
        return [(HOLD, booking.since, end)]
    found: list[tuple[str, datetime, datetime]] = []
    at = booking.since
    side = Side(booking.side)
    for start, stop in eras.working_windows(plan, state, booking.clock, booking.who, side, booking.since, end):
        if start > at:
            found.append((OFF_HOURS, at, start))
        found.append((booking.side, start, stop))
        at = stop
    if end > at:
        found.append((OFF_HOURS, at, end))
    return found


def row(plan: Plan, state: RunState, booking: Booking, n: int) -> LedgerRow:
    """The record of the n-th closed stretch."""
    assert booking.to is not None, "only a closed stretch becomes a row"
    working = sum(
        _seconds(start, end) for side, start, end in split(plan, state, booking, booking.to) if side != OFF_HOURS
    )
    return LedgerRow(
        n=n, item=booking.item, stage=booking.stage, round=booking.round, side=booking.side, who=booking.who,
        held_side=booking.held_side, clock=booking.clock, since=booking.since, to=booking.to, seconds=_seconds(booking.since, booking.to),
        working_seconds=working,
    )  # fmt: skip


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
