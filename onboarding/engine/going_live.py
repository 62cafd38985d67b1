"""The date of going live: promised, agreed, moved, and missed where it is. Every move of it has a cause and a side.

Note [What we are measured against]
    `promised_at` is the date in force. `owed_at` tells whether we were on time: it moves with what the customer or a third party
    caused, and not with what we caused ourselves, because a promise is not kept by moving it.
"""

from datetime import date, datetime
from typing import Any

from onboarding.engine import calendars, moving
from onboarding.engine.calendars import Clock
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say, when
from onboarding.engine.people import main_contact, open_stage, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.promises import keep, last_go_live
from onboarding.engine.refusing import FURTHEST_DAYS
from onboarding.engine.state import HoldState, PromiseKind, RunOutcome, RunState
from onboarding.engine.turn import ENGINE, Turn
from onboarding.language.model import FieldType, Side

AGREED = "promised_live_on"
"""The input or fact, of type date, that holds the date which was agreed with the customer: it takes the place of the planned one."""
FIRST_VALUE = "first_value"
"""The milestone with which a customer is live."""


def clock(turn: Turn) -> Clock:
    """Our own calendar: the date of going live is ours to keep."""
    return turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER)


def first(turn: Turn) -> None:
    """The first date of going live: the one that was agreed before the start, else the target of the definition."""
    target, agreed = turn.plan.definition.target, _agreed_before(turn)
    if agreed is not None:
        _agree(turn, agreed, turn.plan.order.started_by)
    elif target is not None:
        due = moving.reckoned(calendars.add, clock(turn), turn.at, target)
        move(turn, due, "plan", Side.PROVIDER, ENGINE, f"planned to take {target}")


def _agreed_before(turn: Turn) -> Any:
    declared = any(rule.name == AGREED and rule.type is FieldType.DATE for rule in turn.plan.definition.inputs)
    return turn.plan.order.inputs.get(AGREED) if declared else None


def learned(turn: Turn) -> None:
    """Somebody has said which date was agreed with the customer."""
    fact, before = turn.state.facts.get(AGREED), turn.before.facts.get(AGREED)
    if fact is not None and fact is not before and _is_date(turn, fact.item):
        _agree(turn, fact.value, fact.by)


def _is_date(turn: Turn, item: str) -> bool:
    rule = turn.plan.items[item]
    return any(one.name == AGREED and one.type is FieldType.DATE for one in (*rule.fields, *rule.provides))


def _agree(turn: Turn, day: Any, by: str) -> None:
    if turn.plan.definition.scale is not None:
        return  # a day of the calendar says nothing about a run in compressed time
    agreed = date.fromisoformat(str(day))
    if abs((agreed - turn.at.date()).days) > FURTHEST_DAYS:
        turn.record("promise", actor=by, code="promise_not_taken", sentence=f"{AGREED} is more than ten years away")
        return
    due = moving.reckoned(calendars.end_of_day, clock(turn), agreed)
    move(turn, due, "agreed", Side.PROVIDER, by, "agreed with the customer")


def live_at(plan: Plan, state: RunState) -> datetime | None:
    """When the customer went live: at the first value where the definition knows it, else with the last stage."""
    if any(stage.milestone == FIRST_VALUE for stage in plan.definition.stages):
        return state.milestones.get(FIRST_VALUE)
    return state.closed_at if state.outcome is RunOutcome.LIVE else None


def by_hold(turn: Turn, held: HoldState) -> None:
    """The run stood still: the date of going live moves like every other, booked to the side that held it."""
    promised = turn.state.promised_at
    if promised is None or turn.state.promise_missed_at is not None or promised <= held.since:
        return
    if live_at(turn.plan, turn.state) is not None:
        return  # what was kept does not move any more
    said = last_go_live(turn.state.promises)
    start = max(held.since, said.at if said is not None else turn.state.started_at)
    moved = moving.later_by_hold(clock(turn), promised, start, turn.at)
    if moved > promised:
        move(turn, moved, "hold", held.side, held.by, held.reason)


def move(turn: Turn, due: datetime, cause: str, side: Side, by: str, reason: str) -> None:
    """Another date of going live, with what it means for the one we are measured against. What the customer hears of it is in `new_dates.py`."""
    state = turn.state
    before = last_go_live(state.promises)
    if before is not None and (before.due_at, before.cause) == (due, cause):
        return  # said once more
    if state.promised_at is None or state.owed_at is None or cause == "agreed":
        owed = due
    elif side is Side.PROVIDER:
        owed = state.owed_at
    else:
        owed = state.owed_at + (due - state.promised_at)
    turn.set(
        promised_at=due, owed_at=owed, first_promised_at=state.first_promised_at or due, promise_missed_at=None,
    )  # fmt: skip
    keep(turn, PromiseKind.GO_LIVE, "", due, main_contact(turn.plan, turn.state) or "", by, cause, side, reason)
    if state.trail_count:  # the first one belongs to the start
        said = f"going live is promised for {due:%Y-%m-%d %H:%M} UTC ({cause}, on the side of the {side.replace('_', ' ')})"
        turn.record("promise", actor=by, code="promise_moved", sentence=said)


def pending(state: RunState) -> datetime | None:
    """When the promised date passes, as long as it can still be missed."""
    settled = state.promise_missed_at is not None or FIRST_VALUE in state.milestones
    return None if settled else state.promised_at


def passed(turn: Turn) -> None:
    """The promised date is here and the customer is not live: whoever has the run now hears of it, once for each date."""
    due = turn.state.promised_at
    assert due is not None, "only a promised date passes"
    turn.set(promise_missed_at=turn.at)
    if live_at(turn.plan, turn.state) is not None:
        return
    stage = open_stage(turn.state)
    turn.record("clock", item=stage, code="promise_missed", sentence=f"promised for {when(due)} and not live")
    turn.set(escalations=turn.state.escalations + 1)
    if stage is None:
        return
    lines = (
        f"We promised to go live by {when(due)}.",
        "Promise a date that can be kept, or tell the customer why it is late.",
    )
    say(
        turn, NoticeKind.ESCALATION, stage_owner(turn.plan, turn.state, stage), "escalation", "The promised date has passed", lines,
        part=f"promise.{turn.state.promise_count}", stage=stage,
    )  # fmt: skip
