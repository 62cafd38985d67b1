"""What the customer was told by when, and whether it was kept."""

from datetime import datetime
from typing import Any

from onboarding.engine.going_live import live_at
from onboarding.engine.plan import Plan
from onboarding.engine.state import Promise, PromiseKind, RunState
from onboarding.reading.shapes import SENTENCE_LENGTH, Shape, cut, instant, no_cursor, page, place_of


def promises(plan: Plan, state: RunState, at: datetime, cursor: Any = None) -> Shape:
    """Every date that the customer was told, oldest first; `earlier` counts those that a run does not carry any more."""
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    rows = ((one.n, _row(plan, state, one, at)) for one in state.promises)
    return {**page(rows, start), "earlier": state.promise_count - len(state.promises)}


def _row(plan: Plan, state: RunState, one: Promise, at: datetime) -> Shape:
    met = _met_at(plan, state, one)
    kept = met <= one.due_at if met is not None else False if at > one.due_at else None
    return {
        "n": one.n,
        "about": str(one.kind),
        "id": one.name or None,
        "title": _title(plan, one),
        "due_at": instant(one.due_at),
        "told_at": instant(one.at),
        "to": one.to or None,
        "by": one.by,
        "cause": one.cause,
        "side": str(one.side),
        "reason": cut(one.reason, SENTENCE_LENGTH) or None,
        "kept": kept,
    }


def _met_at(plan: Plan, state: RunState, one: Promise) -> datetime | None:
    """When what was promised came: the customer live, the stage left, the item answered or closed."""
    match one.kind:
        case PromiseKind.GO_LIVE:
            return live_at(plan, state)
        case PromiseKind.STAGE:
            return state.stages[one.name].left_at
        case PromiseKind.ITEM:
            return state.items[one.name].answered_at or state.items[one.name].closed_at


def _title(plan: Plan, one: Promise) -> str:
    match one.kind:
        case PromiseKind.GO_LIVE:
            return "Going live"
        case PromiseKind.STAGE:
            return cut(plan.stages[one.name].title)
        case PromiseKind.ITEM:
            return cut(plan.items[one.name].title)
