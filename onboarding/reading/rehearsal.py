"""The plan of a run before it starts: the machine played with everybody answering exactly when it is due.

Nothing is sent and nothing is stored. Answers are made up where conditions ask for facts; a condition that no made-up fact can
meet leaves what is behind it without dates, and says so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onboarding.engine import flow
from onboarding.engine.health import upcoming
from onboarding.engine.machine import start
from onboarding.engine.plan import Plan
from onboarding.engine.state import HeldMessage, ItemStatus, RunState, RunStatus, StageState
from onboarding.engine.turn import Turn
from onboarding.language.model import Field, FieldType, Item, ItemKind, Stage
from onboarding.reading.shapes import Shape, cut, instant

_MADE_UP: dict[FieldType, Any] = {
    FieldType.BOOL: True, FieldType.DATE: "2026-01-01", FieldType.DATETIME: "2026-01-01T00:00:00Z", FieldType.LIST: ["–"],
    FieldType.CONTACTS: [],
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """An item as it was when it first opened; `then` is what happens by itself while nobody answers."""

    owner: str
    opens_at: datetime
    due_at: datetime | None
    why: str
    then: list[Shape]


def rehearse(plan: Plan, at: datetime) -> Shape:
    """Every date of a run as planned: `promised_at`; `stages` with `opens_at`, `target_at` and `leaves_at`; and `plan`.

    `plan` has one row for each item, in the order of the definition: `stage`, `item`, `owner`, `opens_at`, `due_at`, `why`, and
    `then`, the reminders and steps that come by themselves where nobody answers.
    """
    state = start(plan, at).state
    promised, seen = state.promised_at, dict[str, _Opened]()
    _look(plan, state, seen)
    while state.status is not RunStatus.CLOSED:
        following = _next(plan, state)
        if following is None:
            break
        state = _answer(plan, state, *following)
        _look(plan, state, seen)
    return {
        "promised_at": instant(promised),
        "stages": [_stage(stage, state.stages[stage.id]) for stage in plan.definition.stages],
        "plan": [_row(plan, state, item, seen.get(item.id)) for item in plan.definition.items],
    }


def _look(plan: Plan, state: RunState, seen: dict[str, _Opened]) -> None:
    new = {name: item for name, item in state.items.items() if name not in seen and item.opened_at is not None}
    coming = upcoming(plan, state) if new else ()
    for name, item in new.items():
        then = [{"at": instant(moment), "what": cut(what)} for moment, what, about in coming if about == name]
        assert item.opened_at is not None, "only what has opened is new"
        seen[name] = _Opened(
            owner=item.owner, opens_at=item.opened_at, due_at=item.due_at, why=item.due_why, then=then
        )  # fmt: skip


def _stage(rule: Stage, stage: StageState) -> Shape:
    return {
        "stage": rule.id,
        "title": cut(rule.title),
        "opens_at": instant(stage.entered_at),
        "target_at": instant(stage.target_at),
        "leaves_at": instant(stage.left_at),
    }


def _next(plan: Plan, state: RunState) -> tuple[Item, datetime] | None:
    """The open item that is answered next, and when: at its due instant, at once where it has none."""
    found = [
        (max(current.due_at or state.at, state.at), plan.place[name], plan.items[name])
        for name, current in state.items.items()
        if current.status in flow.ACTIVE
    ]
    if not found:
        return None
    at, _, item = min(found, key=lambda one: one[:2])
    return item, at


def _answer(plan: Plan, state: RunState, item: Item, at: datetime) -> RunState:
    turn = Turn(plan, state, at)
    passing = next((one.name for one in item.outcomes if one.passes), None)
    by = state.items[item.id].owner
    flow.finish_item(turn, item, by, outcome=passing if item.kind is ItemKind.APPROVAL else None)
    turn.learn({field.name: _made_up(field) for field in item.fields + item.provides}, item.id, by)
    flow.settle(turn, _nothing_is_early)
    return turn.finish()


def _nothing_is_early(turn: Turn, held: HeldMessage) -> None:
    raise AssertionError("nothing is sent in a rehearsal, so nothing is kept")


def _made_up(field: Field) -> Any:
    if field.type is FieldType.ENUM and field.values:
        return field.values[0]
    if field.type in (FieldType.INT, FieldType.NUMBER):
        return field.max if field.max is not None else field.min if field.min is not None else 1
    return _MADE_UP.get(field.type, "–")


def _row(plan: Plan, state: RunState, item: Item, opened: _Opened | None) -> Shape:
    if opened is not None:
        why = opened.why or "no due date of its own"
        owner, opens_at, due_at, then = opened.owner, opened.opens_at, opened.due_at, opened.then
    else:
        left_out = state.items[item.id].status in (ItemStatus.SKIPPED, ItemStatus.CANCELLED)
        why = "not needed in this run" if left_out else "opens only by facts that nobody can know yet"
        holders = plan.order.people.get(item.owner) or (item.owner,)
        owner, opens_at, due_at, then = holders[0], None, None, []
    return {
        "stage": item.stage,
        "item": item.id,
        "title": cut(item.title),
        "owner": owner,
        "opens_at": instant(opens_at),
        "due_at": instant(due_at),
        "why": cut(why, 300),
        "then": then,
    }
