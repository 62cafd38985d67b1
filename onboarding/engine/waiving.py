"""Waive: a gate condition or an item passes without being met, for a while, and becomes debt until it is met after all."""

from datetime import datetime

from onboarding.engine import deadlines, flow, gates, rounds
from onboarding.engine.copies import replace
from onboarding.engine.effects import NoticeKind
from onboarding.engine.moves import Told, find_item, refuse_closed_stage
from onboarding.engine.notices import say, with_alarm
from onboarding.engine.people import Person, stage_owner
from onboarding.engine.refusing import conflict, forbidden, must_come, rejected, unknown
from onboarding.engine.state import Debt, ItemStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.condition_text import read
from onboarding.language.model import Override, Side
from onboarding.messages import Waive
from onboarding.nearest import nearest


def waive(turn: Turn, message: Waive, person: Person) -> Told:
    """Passes a gate condition or an item without it being met; that becomes debt until it is met after all."""
    if (message.item is None) == (message.condition is None):
        raise rejected("one_of", "Name either an item or a condition.", place="/item")
    stage, name, condition = _what_to_waive(turn, message)
    override = turn.plan.stages[stage].gate.override
    if person.nobody or person.handle not in gates.overriders(turn.plan, turn.state, stage) or override is None:
        raise forbidden("not_entitled", f"{person.named_as!r} may not waive in {stage!r}.", item=name)
    refuse_closed_stage(turn, stage, name)
    if turn.state.stages[stage].status is not StageStatus.OPEN:
        raise rejected("not_open_yet", f"{stage!r} is not open yet; waive when it is.", place="/item", item=name)
    if name is not None and gates.item_met(turn.state, name):
        raise conflict("already_done", f"{name!r} is {turn.state.items[name].status}.", item=name)
    if condition is not None and gates.waiver(turn.state, stage, condition) is not None:
        raise conflict("already_waived", "This condition is waived already.")
    debt = Debt(
        stage=stage, item=name, condition=condition, by=person.handle, reason=_waiver_reason(override, message, name),
        at=turn.at, counts=override.debt and not _about_debt(condition), expires_at=_waiver_end(turn, override, message, name),
    )  # fmt: skip
    rounds.settle_waivers(turn, stage, name, condition)
    turn.set(debts=(*turn.state.debts, debt))
    if name is not None and turn.state.items[name].status not in flow.LOOKED_AT:
        # An answer that is here already is looked at all the same, and pays what is owed from now on.
        flow.finish_item(turn, turn.plan.items[name], person.handle, ItemStatus.WAIVED)
    return Told(
        item=name, code="waived", sentence=f"{debt.text} is waived{' and noted as debt' if debt.counts else ''}."
    )


def _what_to_waive(turn: Turn, message: Waive) -> tuple[str, str | None, str | None]:
    """The stage, and the item or condition in it. `gate` shows items by their ids, so a condition may name one, too."""
    if message.item is not None:
        item = find_item(turn, message.item)
        return item.stage, item.id, None
    text = message.condition or ""
    gate_of = [stage for stage in turn.plan.stages if text in gates.waivable(turn.plan, stage)]
    named = turn.plan.items.get(text)
    if named is not None and (named.stage in gate_of or not gate_of):
        return named.stage, named.id, None
    return _stage_of_condition(turn, text), None, text


def _about_debt(condition: str | None) -> bool:
    """Whether a condition looks at the debt: its waiver is none, or `debt == 0` could never hold again."""
    return condition is not None and any(one.names[0] == "debt" for one in read(condition).references)


def _waiver_reason(override: Override, message: Waive, name: str | None) -> str:
    reason = (message.reason or "").strip()
    if override.reason and not reason:
        raise rejected("required", "A waiver needs a reason.", place="/reason", item=name)
    return reason


def _waiver_end(turn: Turn, override: Override, message: Waive, name: str | None) -> datetime | None:
    must_come(message.expires, turn.at, "The end of the waiver", "/expires", item=name)
    if override.expires is None:
        return message.expires
    latest = deadlines.plan_length(
        turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER), turn.at, override.expires
    )
    if message.expires is not None and message.expires > latest:
        said = f"A waiver of this gate ends at {latest:%Y-%m-%d %H:%M} UTC at the latest."
        raise rejected("too_far", said, place="/expires", item=name)
    return message.expires or latest


def _stage_of_condition(turn: Turn, text: str) -> str:
    stages = [stage.id for stage in turn.plan.definition.stages if text in gates.waivable(turn.plan, stage.id)]
    if not stages:
        known = [one for stage in turn.plan.stages for one in gates.waivable(turn.plan, stage)]
        raise unknown("unknown_condition", f"No gate of this run has such a condition{nearest(text, known)}.")
    return next((one for one in stages if turn.state.stages[one].status is StageStatus.OPEN), stages[0])


def expire(turn: Turn, debt: Debt) -> None:
    """A waiver has run out and what it stood for is still not met: an open gate closes again, people hear of it."""
    n = next(n for n, one in enumerate(turn.state.debts) if one is debt)
    turn.record("waive", item=debt.item, code="waiver_expired", sentence=f"{debt.text} is still not met")
    turn.set(escalations=turn.state.escalations + 1)
    lines = (f"{debt.text} was waived until now and is still not met.", f"Reason given then: {debt.reason}")
    expired = replace(debt, expired=True)
    for to in dict.fromkeys((stage_owner(turn.plan, turn.state, debt.stage), debt.by)):
        notice = say(
            turn, NoticeKind.ESCALATION, to, "escalation", f"A waiver has run out: {debt.text}", lines, part=f"debt.{n}", stage=debt.stage,
        )  # fmt: skip
        expired = replace(expired, alarms=with_alarm(expired.alarms, notice))
    turn.set(debts=tuple(expired if one is debt else one for one in turn.state.debts))
    stage = turn.state.stages[debt.stage]
    if (
        debt.item is not None
        and stage.status is StageStatus.OPEN
        and turn.state.items[debt.item].status is ItemStatus.WAIVED
    ):
        rounds.fresh(turn, debt.item)
