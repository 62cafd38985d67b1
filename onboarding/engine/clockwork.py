"""What the clock does by itself: reminders, ladder steps, deadlines, stalls, waivers and reassignments that end.

Instants are acted on in their order, each once, and what follows from one follows before the next. When the clock jumps over
several, the effects are those of many small steps; but what opens in the middle of a jump opens when the run acts, because a
worker that was away must not make anybody late for an ask they never got (docs/decisions/0005-after-an-absence.md).
"""

from datetime import datetime
from enum import Enum, auto

from onboarding.engine import (
    absences,
    assigning,
    deadlines,
    deciding,
    flow,
    gates,
    going_live,
    health,
    holding,
    reminding,
    rota,
    waiving,
)
from onboarding.engine.copies import replace
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say, when, with_alarm
from onboarding.engine.people import acting, has_since, open_stage
from onboarding.engine.presence import holder, principal, stage_owner
from onboarding.engine.state import (
    Absence,
    Debt,
    ItemState,
    ItemStatus,
    Planned,
    PlannedKind,
    Revert,
    RunOutcome,
    RunState,
    RunStatus,
    StageState,
    StageStatus,
)
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, LadderStep, Mark, StepAction


class OfTheRun(Enum):
    """Instants that belong to no item or stage."""

    PROMISED = auto()
    SILENCE = auto()


Due = tuple[datetime, int, str, "Planned | ItemState | StageState | Debt | Revert | Absence | OfTheRun"]
"""When, in which order of the same instant, about what."""


BLOCKERS_TOLD = 5
"""What an alert about a stage names: more than this says no longer what to do."""


def alarm_at(state: RunState) -> datetime | None:
    """The next instant at which something happens by itself, or `None`. Later than the last clock event that was handled whole."""
    if state.status is RunStatus.CLOSED:
        return None
    review = () if state.hold is None else (state.hold.review_at,)
    return min((*review, *(at for at, *_ in _pending(state))), default=None)


def _pending(state: RunState) -> list[Due]:
    # People come and go while a run stands still, and before anything that happens at the same instant.
    found: list[Due] = [
        (one.until if one.begun else one.since, n - len(state.absences), one.person, one)
        for n, one in enumerate(state.absences)
    ]
    if state.hold is not None:
        return found
    for n, (name, item) in enumerate(state.items.items()):
        one = deadlines.pending(item)
        if one is not None:
            found.append((one.at, n, name, one))
        if item.assign_at is not None and item.status in (*deadlines.WAITING, ItemStatus.IN_REVIEW):
            found.append((item.assign_at, n, name, item))
    for n, (name, stage) in enumerate(state.stages.items(), len(found) + 1_000):
        if stage.status is StageStatus.OPEN and stage.stall_at is not None and not stage.stalled:
            found.append((stage.stall_at, n, name, stage))
    for n, debt in enumerate(state.debts, 2_000):
        if debt.expires_at is not None and debt.settled_at is None and not debt.expired:
            found.append((debt.expires_at, n, debt.stage, debt))
    for n, back in enumerate(state.reverts, 3_000):
        found.append((back.at, n, back.target, back))
    promised = going_live.pending(state)
    if promised is not None:
        found.append((promised, 4_000, "", OfTheRun.PROMISED))
    if state.silence_at is not None:
        found.append((state.silence_at, 4_001, "", OfTheRun.SILENCE))
    return found


def advance(turn: Turn, apply_held: flow.ApplyHeld, most: int | None = None) -> None:
    """Acts on every instant up to `turn.at`, in order, on at most `most` of them; a hold or the end of the run stops it."""
    acted = 0
    while turn.state.status is not RunStatus.CLOSED and (most is None or acted < most):
        acted += 1
        due = [one for one in _pending(turn.state) if one[0] <= turn.at]
        held = turn.state.hold
        if held is not None and held.review_at <= turn.at and all(held.review_at < one[0] for one in due):
            _review(turn)
            continue
        if not due:
            return
        _, _, name, what = min(due, key=lambda one: one[:2])
        if isinstance(what, Planned):
            _fire(turn, turn.plan.items[name], what)
        elif isinstance(what, ItemState):
            rota.assign(turn, name)
        elif isinstance(what, Absence):
            (absences.end if what.begun else absences.begin)(turn, what)
        elif isinstance(what, StageState):
            _stall(turn, name)
        elif isinstance(what, Debt):
            waiving.expire(turn, what)
        elif isinstance(what, Revert):
            assigning.revert(turn, what)
        elif what is OfTheRun.PROMISED:
            going_live.passed(turn)
        else:
            reminding.report(turn)
        flow.settle(turn, apply_held)
        health.tell(turn)


def _review(turn: Turn) -> None:
    held = turn.state.hold
    assert held is not None, "only a hold is reviewed"
    following = deadlines.review_after(turn)
    turn.record("hold", code="hold_review", sentence=f"on hold since {held.since:%Y-%m-%d}: {held.reason}")
    stage = open_stage(turn.state)
    owner = stage_owner(turn.plan, turn.state, stage) if stage else held.by
    lines = (
        f"On hold since {when(held.since)}: {held.reason}.",
        f"Resume it, or hold it longer; the next review is {when(following)}.",
    )
    notice = say(
        turn, NoticeKind.ESCALATION, owner, "escalation", "A run on hold waits for your review", lines,
        part=f"review.{turn.at:%Y%m%dT%H%M%S}", stage=stage,
    )  # fmt: skip
    turn.set(hold=replace(held, review_at=following, alarms=with_alarm(held.alarms, notice)))


def _fire(turn: Turn, item: Item, planned: Planned) -> None:
    current = turn.state.items[item.id]
    turn.item(item.id, planned=current.planned[1:])
    match planned.kind:
        case PlannedKind.REMINDER:
            reminding.remind(turn, item, planned)
        case PlannedKind.DUE:
            _overdue(turn, item)
        case PlannedKind.STEP:
            _step(turn, item, planned)


def _overdue(turn: Turn, item: Item) -> None:
    """The deadline is acted on: from here on an answer is late. Silence never approves unless the definition says so."""
    turn.item(item.id, overdue=True)
    turn.record("clock", item=item.id, code="overdue", sentence=f"{item.title} is overdue")
    if item.on_timeout == "escalate":
        steps = [one for one in turn.state.items[item.id].planned if one.kind is PlannedKind.STEP]
        if not steps and not item.optional:
            _escalate_without_ladder(turn, item)
        return
    said = f"{item.title}: {item.on_timeout} by time-out, as the definition says"
    turn.record("clock", item=item.id, code="tacit", sentence=said)
    match item.on_timeout:
        case "fail":
            flow.close_run(
                turn, RunOutcome.LOST, f"{item.title} was not settled in time; the definition ends the run here"
            )
        case "skip":
            turn.item(item.id, tacit=True)
            flow.finish_item(turn, item, "engine", ItemStatus.SKIPPED, outcome="timeout")
        case "pass":
            passing = next((one.name for one in item.outcomes if one.passes), "pass")
            turn.item(item.id, tacit=True)
            flow.finish_item(turn, item, "engine", outcome=passing)
        case name:
            chosen = next(one for one in item.outcomes if one.name == name)
            turn.item(item.id, tacit=True)
            if chosen.passes:
                flow.finish_item(turn, item, "engine", outcome=name)
            else:
                deciding.back_to(turn, item, chosen, "engine")


def _escalate_without_ladder(turn: Turn, item: Item) -> None:
    """No step is left that would tell anybody: the owner of the stage hears of it, so that no deadline passes unnoticed."""
    turn.item(item.id, mark=Mark.ESCALATED)
    turn.set(escalations=turn.state.escalations + 1)
    due_at = turn.state.items[item.id].due_at
    to = (stage_owner(turn.plan, turn.state, item.stage),)
    _tell(turn, item, to, f"Overdue: {item.title}", part=f"overdue.{due_at:%Y%m%dT%H%M%S}")


def _step(turn: Turn, item: Item, planned: Planned) -> None:
    index, rung = planned.index, item.ladder[planned.index]
    current = turn.state.items[item.id]
    turn.item(item.id, fired=(*current.fired, index), mark=rung.mark or current.mark)
    turn.set(escalations=turn.state.escalations + 1)
    to = _recipients(turn, item, rung)
    turn.record("clock", item=item.id, code=f"step_{rung.do}", sentence=f"{item.title}: step {index + 1}, {rung.do}")
    match rung.do:
        case StepAction.REASSIGN if _may_have(turn, item, to[0]):
            assigning.give_item(turn, item.id, to[0])
            return
        case StepAction.HOLD:
            side = turn.plan.roles[item.owner].side
            reason = rung.reason or f"{item.title} is not answered"
            holding.stand_still(turn, reason, side, "engine", since=planned.at, item=item.id)
        case StepAction.FAIL:
            _tell_of_step(turn, item, index, to)
            flow.close_run(turn, RunOutcome.LOST, rung.reason or f"{item.title} was not settled in time")
            return
        case StepAction.SKIP:
            _tell_of_step(turn, item, index, to)
            turn.item(item.id, tacit=True)
            flow.finish_item(turn, item, "engine", ItemStatus.SKIPPED, outcome="timeout")
            return
        case StepAction.REASSIGN | StepAction.NOTIFY:
            pass
    _tell_of_step(turn, item, index, to)


def _may_have(turn: Turn, item: Item, to: str) -> bool:
    """Whether a step may give an item away: nobody's decision goes to the other side, whoever else could make it in time."""
    side = turn.plan.roles[item.owner].side
    return assigning.wrong_side(turn, to, side, decides=item.kind is ItemKind.APPROVAL) is None


def _recipients(turn: Turn, item: Item, rung: LadderStep) -> tuple[str, ...]:
    # What is given away goes to the one who has the role; only what is said goes to whoever stands in meanwhile.
    find = principal if rung.do is StepAction.REASSIGN else holder
    deputy = turn.plan.roles[item.owner].deputy
    roles = [deputy if name == "deputy" else name for name in rung.to]
    found = dict.fromkeys(find(turn.plan, turn.state, role) for role in roles if role is not None)
    return tuple(found) or (stage_owner(turn.plan, turn.state, item.stage),)


def _tell_of_step(turn: Turn, item: Item, index: int, to: tuple[str, ...]) -> None:
    ends = item.ladder[index].do in (StepAction.FAIL, StepAction.SKIP)
    _tell(turn, item, to, f"Escalation {index + 1}: {item.title}", part=f"step{index}", step=index + 1, ends=ends)


def _tell(
    turn: Turn, item: Item, to: tuple[str, ...], subject: str, *, part: str, step: int = 0, ends: bool = False
) -> None:
    """Tells that an item is late. What `ends` it is no alarm that its end could call off."""
    current = turn.state.items[item.id]
    owner = acting(turn.plan, turn.state, item)[0]
    waits = "approve" if item.kind is ItemKind.APPROVAL else "deliver"
    since = when(current.opened_at)
    lines = (
        f"{item.title} is due {when(current.due_at)} and open since {since}.",
        f"We wait for {owner} to {waits} it.",
    )
    for handle in to:
        notice = say(turn, NoticeKind.ESCALATION, handle, "escalation", subject, lines, part=part, item=item, step=step)
        if not ends:
            turn.item(item.id, alarms=with_alarm(turn.state.items[item.id].alarms, notice))


def _stall(turn: Turn, stage: str) -> None:
    """Nothing has happened in a stage for its whole window: its owner hears of it, with the name of the blocker."""
    rule = turn.plan.stages[stage]
    current = turn.stage(stage, stalled=True)
    turn.record(
        "clock", item=stage, code="stalled", sentence=f"{rule.title}: nothing since {when(current.progress_at)}"
    )
    lines = (f"No progress in {rule.title} since {when(current.progress_at)}.", *_blockers(turn, stage))
    notice = say(
        turn, NoticeKind.ESCALATION, stage_owner(turn.plan, turn.state, stage), "escalation", f"No progress: {rule.title}", lines,
        part=f"stall.{current.progress_at:%Y%m%dT%H%M%S}", stage=stage,
    )  # fmt: skip
    turn.stage(stage, alarms=with_alarm(current.alarms, notice))


def _blockers(turn: Turn, stage: str) -> tuple[str, ...]:
    """What is open in a stage, who has it since when; where nothing is, what keeps its gate."""
    found = []
    for name in turn.plan.stages[stage].items:
        current, item = turn.state.items[name], turn.plan.items[name]
        if current.status in flow.ACTIVE:
            who = acting(turn.plan, turn.state, item)[0]
            found.append((item.optional, f"{item.title}: with {who} since {when(has_since(current))}."))
    blocking = [line for _, line in sorted(found, key=lambda one: one[0])]
    return tuple(blocking or gates.unmet(turn.plan, turn.state, stage))[:BLOCKERS_TOLD]
