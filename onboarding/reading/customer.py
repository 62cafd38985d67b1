"""What the customer may see of their run: where it stands, what they are asked for, who acts next. Nothing of how we work inside.

Whatever is shown is named here field by field, so that nothing new becomes visible by being added elsewhere. People of ours appear
as roles, internal items not at all, facts, comments, debt and reasons never.
"""

from datetime import datetime

from onboarding.engine import health
from onboarding.engine.flow import ACTIVE
from onboarding.engine.people import acting, who_is
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemState, ItemStatus, RunState, RunStatus, StageStatus
from onboarding.engine.waits import missing
from onboarding.language.model import Item, ItemKind, Side
from onboarding.reading.items import open_ones
from onboarding.reading.shapes import STATUS_ROWS, Shape, cut, instant, told

_SHOWN = {ItemStatus.WAIVED: "skipped"}
"""That something was waived is ours to know; for the customer it is not needed."""


def customer_view(plan: Plan, state: RunState, at: datetime) -> Shape:
    """Stages with dates, the customer's own asks with what is missing, and the next step."""
    asks = [
        item for item in plan.definition.items if _is_theirs(plan, item) and state.items[item.id].opened_at is not None
    ]
    shown = [stage for stage in plan.definition.stages if state.stages[stage.id].status is not StageStatus.SKIPPED]
    return {
        "run": state.run,
        "customer": state.customer,
        "title": cut(plan.definition.title),
        "state": str(state.status),
        "started_at": instant(state.started_at),
        "closed_at": instant(state.closed_at),
        "promised_at": instant(state.promised_at),
        "first_promised_at": instant(state.first_promised_at),
        "waiting_on": str(health.waiting_on(plan, state)),
        "stages": [
            {
                "id": stage.id,
                "title": cut(stage.title),
                "state": str(state.stages[stage.id].status),
                "entered_at": instant(state.stages[stage.id].entered_at),
                "left_at": instant(state.stages[stage.id].left_at),
                "target_at": instant(state.stages[stage.id].target_at),
            }
            for stage in shown[:STATUS_ROWS]
        ],
        "asks": [_ask(plan, state, item) for item in asks[:STATUS_ROWS]],
        "next_step": _next_step(plan, state),
        "read_at": instant(at),
    }


def _is_theirs(plan: Plan, item: Item) -> bool:
    owners = item.owners if item.kind is ItemKind.APPROVAL else (item.owner,)
    asked = item.kind in (ItemKind.REQUEST, ItemKind.APPROVAL)
    return asked and any(plan.roles[role].side is Side.CUSTOMER for role in owners)


def _ask(plan: Plan, state: RunState, item: Item) -> Shape:
    current = state.items[item.id]
    side, role = _actor(plan, state, item) if current.status in ACTIVE else (None, None)
    return {
        "item": item.id,
        "title": cut(item.title),
        "kind": str(item.kind),
        "stage": item.stage,
        "status": _SHOWN.get(current.status, str(current.status)),
        "optional": item.optional,
        "opened_at": instant(current.opened_at),
        "due_at": instant(current.due_at),
        "answered_at": instant(current.answered_at),
        "closed_at": instant(current.closed_at),
        "missing": _missing(item, current),
        "who_acts": {"side": side, "role": role},
    }


def _missing(item: Item, current: ItemState) -> list[str]:
    if current.status not in (ItemStatus.OPEN, ItemStatus.RETURNED) or item.kind is not ItemKind.REQUEST:
        return []
    if current.status is ItemStatus.RETURNED and current.faults:
        # A fault called `returned` holds what the reviewer wrote: it travels in the ask to whoever answers, not in a read.
        return told(
            "A correction, as written to you." if fault.code == "returned" else fault.sentence
            for fault in current.faults
        )
    return told(missing(item, current))


def _actor(plan: Plan, state: RunState, item: Item) -> tuple[str, str | None]:
    """Who acts on an item now: the side, and the role where it is one of the customer's."""
    handle, side = acting(plan, state, item)
    if side is not Side.CUSTOMER:
        return str(side), None
    roles = [role for role in who_is(plan, state, handle).roles if plan.roles[role].side is Side.CUSTOMER]
    return str(side), item.owner if item.owner in roles else next(iter(roles), None)


def _next_step(plan: Plan, state: RunState) -> Shape:
    """Their own next ask if they have one, else the stage that somebody else works on."""
    if state.status is RunStatus.CLOSED:
        return {
            "side": "nobody",
            "role": None,
            "what": "This onboarding is closed.",
            "item": None,
            "stage": None,
            "by": None,
        }
    stage_id = health.current_stage(plan, state)
    stage = plan.stages.get(stage_id)
    if state.hold is not None:
        what = "This onboarding is on hold."
        return {"side": "nobody", "role": None, "what": what, "item": None, "stage": stage_id or None, "by": None}
    mine = [
        item
        for item in open_ones(plan, state)
        if _is_theirs(plan, item) and _actor(plan, state, item)[0] == Side.CUSTOMER
    ]
    mine.sort(
        key=lambda item: (item.optional, state.items[item.id].due_at is None, state.items[item.id].due_at or state.at)
    )
    if mine:
        first = mine[0]
        side, role = _actor(plan, state, first)
        what = f"Please see to: {cut(first.title)}"
        due = instant(state.items[first.id].due_at)
        return {"side": side, "role": role, "what": what, "item": first.id, "stage": first.stage, "by": due}
    side = str(health.waiting_on(plan, state))
    title = f": {cut(stage.title)}" if stage else ""
    by = instant(state.stages[stage_id].target_at) if stage else None
    what = (
        f"We are working on the next step{title}." if side != Side.THIRD_PARTY else f"We wait for a third party{title}."
    )
    return {"side": side, "role": None, "what": what, "item": None, "stage": stage_id or None, "by": by}
