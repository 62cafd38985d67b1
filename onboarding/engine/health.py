"""What managers filter by: where a run is, how it does, whom it waits for, what comes next."""

from datetime import datetime

from onboarding.engine import booking, going_live
from onboarding.engine.deadlines import WAITING, pending
from onboarding.engine.emitting import Happened
from onboarding.engine.people import acting, main_contact, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, PlannedKind, RunState, RunStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Mark, Side

ON_TRACK, NOBODY = "on_track", "nobody"
HEALTH: tuple[str, ...] = (ON_TRACK, *Mark, RunStatus.ON_HOLD)
"""Every word that `health` knows."""
WAITING_ON: tuple[str, ...] = (*Side, NOBODY)
"""Every word that `waiting_on` knows."""

_TIMEOUTS = {
    "escalate": "; after that it is escalated",
    "pass": "; without an answer it passes",
    "skip": "; without an answer it is left out",
    "fail": "; without an answer the run ends as lost",
}


def health(plan: Plan, state: RunState) -> str:
    """`on_hold`, `escalated`, `stalled`, `at_risk` or `on_track`: the worst that holds of what is open."""
    if state.hold is not None:
        return RunStatus.ON_HOLD
    marks = [item.mark for item in state.items.values() if item.mark is not None and item.closed_at is None]
    if Mark.ESCALATED in marks:
        return Mark.ESCALATED
    if Mark.STALLED in marks or any(
        stage.stalled and stage.status is StageStatus.OPEN for stage in state.stages.values()
    ):
        return Mark.STALLED
    late = state.status is not RunStatus.CLOSED and (
        (state.promise_missed_at is not None and going_live.live_at(plan, state) is None)
        or any(debt.expired and debt.settled_at is None for debt in state.debts)
        or any(
            item.overdue and item.status in WAITING and (item.wanted or not plan.items[name].optional)
            for name, item in state.items.items()
        )
    )
    return Mark.AT_RISK if Mark.AT_RISK in marks or late else ON_TRACK


def tell(turn: Turn) -> None:
    """The outside hears how the run does where that has changed. That it is on hold is told by itself."""
    if not turn.plan.listeners or turn.state.status is RunStatus.CLOSED:
        return
    if turn.health is None:
        turn.health = health(turn.plan, turn.before) if turn.before.items else ON_TRACK
    before, turn.health = turn.health, health(turn.plan, turn.state)
    if turn.health not in (before, RunStatus.ON_HOLD):
        stage = booking.open_stage(turn.plan, turn.state)
        turn.happen(Happened(f"run.{turn.health}", "", {"stage": stage, "before": str(before)}))


def waiting_on(plan: Plan, state: RunState) -> str:
    """`customer`, `provider`, `third_party`, or `nobody` once the run has ended."""
    now = state.booking
    if state.status is RunStatus.CLOSED or now is None:
        return NOBODY
    return str(now.held_side or now.side)


def waiting_since(state: RunState) -> datetime | None:
    """Since when the run has waited for the side that it waits for now, whoever it is there."""
    now = state.booking
    if now is None:
        return None
    since = now.since
    for before in reversed(state.ledger):
        if (before.held_side or before.side) != (now.held_side or now.side) or (before.side == "hold") != (
            now.side == "hold"
        ):
            break
        since = before.since
    return since


def current_stage(plan: Plan, state: RunState) -> str:
    """The id of the stage that the run's time is spent in."""
    return state.booking.stage if state.booking is not None else booking.open_stage(plan, state)


def current_owner(plan: Plan, state: RunState) -> str:
    """The handle of the owner of the current stage."""
    return stage_owner(plan, state, current_stage(plan, state))


def next_due(state: RunState) -> datetime | None:
    """The next due instant of an open item that is not overdue, else the earliest one."""
    due = [
        (item.overdue, item.due_at)
        for item in state.items.values()
        if item.due_at is not None and item.closed_at is None
    ]
    return min(due)[1] if due else None


def upcoming(plan: Plan, state: RunState) -> tuple[tuple[datetime, str, str | None], ...]:
    """What will happen by itself, as (instant, what, item): reminders, deadlines, ladder steps, stalls, reviews."""
    if state.status is RunStatus.CLOSED:
        return ()
    found: list[tuple[datetime, str, str | None]] = [
        (one.until, f"{one.person} is back", None) if one.begun else (one.since, f"{one.person} is away", None)
        for one in state.absences
    ]
    if state.hold is not None:
        found.append((state.hold.review_at, "the hold is reviewed", None))
        return tuple(sorted(found, key=lambda one: (one[0], one[1])))
    for name, current in state.items.items():
        item = plan.items[name]
        for one in current.planned if pending(current) else ():
            match one.kind:
                case PlannedKind.REMINDER:
                    what = f"reminder to {acting(plan, state, item)[0]}: {item.title}"
                case PlannedKind.DUE:
                    after = _TIMEOUTS.get(item.on_timeout, f"; without an answer: {item.on_timeout}")
                    alarms = not item.optional or item.on_timeout != "escalate"
                    what = f"{item.title} is due{after if alarms else ''}"
                case PlannedKind.STEP:
                    what = f"escalation step {one.index + 1} ({item.ladder[one.index].do}): {item.title}"
            found.append((one.at, what, name))
        if current.assign_at is not None and current.status in (*WAITING, ItemStatus.IN_REVIEW):
            found.append((current.assign_at, f"somebody of the group gets it in turn: {item.title}", name))
    for name, stage in state.stages.items():
        if stage.status is StageStatus.OPEN and stage.stall_at is not None and not stage.stalled:
            found.append((stage.stall_at, f"alert if nothing happens: {plan.stages[name].title}", None))
    for debt in state.debts:
        if debt.expires_at is not None and debt.settled_at is None and not debt.expired:
            found.append((debt.expires_at, f"the waiver ends: {debt.text}", debt.item))
    promised = going_live.pending(state)
    if promised is not None and going_live.live_at(plan, state) is None:
        found.append((promised, "the promised date of going live", None))
    if state.silence_at is not None:
        to = main_contact(plan, state)
        found.append((state.silence_at, f"report to {to}, if the customer hears nothing before", None))
    for back in state.reverts:
        found.append((back.at, f"{back.target} goes back to {back.to[0] if back.to else 'its owner'}", None))
    return tuple(sorted(found, key=lambda one: (one[0], one[1])))
