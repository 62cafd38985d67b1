"""A run that stands still: its clocks stop, and go on later by the time that was held."""

from datetime import datetime

from onboarding.engine import deadlines, going_live, handoffs, moving, rota, silence
from onboarding.engine.copies import replace
from onboarding.engine.notices import resumed
from onboarding.engine.state import Debt, Held, HoldState, RunStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Side


def stand_still(
    turn: Turn,
    reason: str,
    side: Side,
    by: str,
    *,
    review_at: datetime | None = None,
    since: datetime | None = None,
    item: str | None = None,
) -> None:
    """Puts the run on hold. A hold without a review date gets one: nobody is parked for ever.

    `since` is the instant of the ladder step that holds, on `item`: clocks stood still from there on, however late the run noticed.
    """
    held = HoldState(
        reason=reason, side=side, by=by, since=since or turn.at, review_at=review_at or deadlines.review_after(turn), item=item
    )  # fmt: skip
    turn.set(status=RunStatus.ON_HOLD, hold=held)


def go_on(turn: Turn, by: str = "") -> None:
    """Ends the hold: due dates, targets, stall windows and waivers move by the time that was held."""
    held = turn.state.hold
    assert held is not None, "only a held run goes on"
    this = (Held(since=held.since, until=turn.at),)
    turn.set(holds=turn.state.holds + this)
    for name, current in turn.state.items.items():
        if current.planned or (current.due_at is not None and current.closed_at is None):
            deadlines.move_by_hold(turn, turn.plan.items[name], held.since)
        rota.move_by_hold(turn, turn.plan.items[name], held.since)
    for stage in turn.plan.definition.stages:
        state = turn.state.stages[stage.id]
        if state.status is not StageStatus.OPEN:
            continue
        clock = turn.plan.clock(turn.state.calendars, stage.clock, state.owner, turn.plan.roles[stage.owner].side)
        instants = (
            ("stall_at", state.stall_at, stage.stall, state.progress_at),
            ("target_at", state.target_at, stage.target, state.target_set_at or state.entered_at),
        )
        moved = {
            name: moving.after_holds(
                clock if rule is None or rule.is_business else (), at, this, counted or at, passed_stays=True
            )
            for name, at, rule, counted in instants
            if at is not None
        }
        turn.stage(stage.id, **moved)
    turn.set(debts=tuple(_later(turn, debt, held.since) for debt in turn.state.debts))
    going_live.by_hold(turn, held)
    handoffs.stood_still(turn, held.since)
    turn.set(status=RunStatus.RUNNING, hold=None, holds=_that_matter(turn))
    silence.resumed(turn, held.since)
    resumed(turn, held, by)


def _that_matter(turn: Turn) -> tuple[Held, ...]:
    """The holds that have moved a date which is still to come; the others are over for good."""
    items = [one.laid_at for one in turn.state.items.values() if one.status in deadlines.WAITING and one.planned]
    stages = [one for one in turn.state.stages.values() if one.status is StageStatus.OPEN]
    counted = [*items, *(at for one in stages for at in (one.entered_at, one.progress_at))]
    first = min((at for at in counted if at is not None), default=turn.at)
    return tuple(one for one in turn.state.holds if one.until > first)


def _later(turn: Turn, debt: Debt, since: datetime) -> Debt:
    if debt.expires_at is None or debt.expired or debt.settled_at is not None or debt.expires_at <= since:
        return debt
    override = turn.plan.stages[debt.stage].gate.override
    business = override is not None and override.expires is not None and override.expires.is_business
    clock = turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER) if business else ()
    return replace(debt, expires_at=moving.later_by_hold(clock, debt.expires_at, max(since, debt.at), turn.at))
