"""One onboarding by `b2b-standard` in which everybody answers at once: the events of a whole run, made once and played many times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from onboarding.engine import machine
from onboarding.engine.effects import Decision, RunHook
from onboarding.engine.events import Event, HookSucceeded, MessageReceived
from onboarding.engine.orders import build_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemState, ItemStatus, RunState, RunStatus, StartOrder
from onboarding.language.model import Field, Item, ItemKind
from onboarding.messages import Received
from onboarding.parsing import parse
from runtime import library
from runtime.holidays_data import public_holidays
from runtime.zones import zone

BEGIN = datetime(2026, 11, 23, 9, tzinfo=UTC)
BETWEEN = timedelta(minutes=20)
"""From one event to the next."""
DEFINITION = "b2b-standard"
INPUTS = {"segment": "mid", "legacy_system": True, "sso": True}
"""The longest of its variants but for the enterprise's review: nothing is left out."""

_VALUES: dict[str, Any] = {
    "string": "AB-12345678", "int": 5, "number": 1.5, "bool": True, "date": "2026-12-01", "datetime": "2026-12-01T10:00:00Z",
    "email": "tech@customer.example", "list": ["one"], "vat_id": "DE136695976",
}  # fmt: skip
"""An answer to a field, by its name or else by its type."""
_WHO_ACTS = (ItemStatus.OPEN, ItemStatus.RETURNED, ItemStatus.IN_REVIEW)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: the event, the item that it is about, and whether it is a check of an answer that comes back."""

    event: Event
    item: str
    check: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """An order, everything that happens, and how the run stands when all of it has happened."""

    order: StartOrder
    steps: tuple[Step, ...]
    end: RunState


def order() -> StartOrder:
    """The order of the story, made as a door makes it."""
    given = library.read_mapping(library.DEFINITIONS / "examples" / f"{DEFINITION}.input.yaml")
    made, _ = build_order(
        library.load(DEFINITION), customer="c-1042", inputs={**given, **INPUTS}, zones=partial(zone, from_year=2026, to_year=2029),
        holidays=partial(public_holidays, from_year=2026, to_year=2029), groups={}, started_by="dana",
    )  # fmt: skip
    return made


def tell() -> Story:
    """Plays the run once: what is open is answered, and what is called comes back, one after the other."""
    made = order()
    plan, at, steps, hooks = Plan(made), BEGIN, list[Step](), list[RunHook]()

    def take(decision: Decision) -> RunState:
        assert decision.verdict is None or not decision.verdict.refused, decision.verdict
        hooks.extend(effect for effect in decision.effects if isinstance(effect, RunHook))
        return decision.state

    state = take(machine.start(plan, at))
    while state.status is not RunStatus.CLOSED:
        at += BETWEEN
        steps.append(_comes_back(plan, hooks.pop(0), at) if hooks else _answer(plan, state, at, len(steps)))
        state = take(machine.apply(plan, state, steps[-1].event))
    return Story(made, tuple(steps), state)


def play(story: Story) -> RunState:
    """The whole run once more in the pure core, from its order to its end."""
    plan = Plan(story.order)
    state = machine.start(plan, BEGIN).state
    for step in story.steps:
        state = machine.apply(plan, state, step.event).state
    return state


def _comes_back(plan: Plan, hook: RunHook, at: datetime) -> Step:
    provides = plan.items[hook.item].provides if hook.item and hook.check is None else ()
    event = HookSucceeded(at=at, key=hook.key, result={"ok": True, "provides": _values(provides)})
    return Step(event, hook.item or "", check=hook.check is not None)


def _answer(plan: Plan, state: RunState, at: datetime, number: int) -> Step:
    current = next(one for one in state.items.values() if one.status in _WHO_ACTS)
    item = plan.items[current.id]
    name, content = _message(item, current)
    received = parse(name, {"message_id": f"m-{number}", **content}, via="update", fallback_id=f"m-{number}")
    assert isinstance(received, Received), received
    return Step(MessageReceived(at=at, received=received), item.id)


def _message(item: Item, current: ItemState) -> tuple[str, dict[str, Any]]:
    about = {"item": item.id, "actor": current.owner}
    if item.event is not None:
        data = {"reference": "c-1042", "customer": "c-1042", "account": "c-1042"}
        return "happen", {"event": item.event, "data": data, "actor": "integration:demo"}
    if item.kind is ItemKind.TASK:
        return "complete", {**about, "provides": _values(item.provides)}
    if item.kind is ItemKind.APPROVAL:
        voted = [vote.role for vote in current.votes]
        role = next(role for role in item.owners if role not in voted)
        return "decide", {**about, "actor": role, "outcome": next(one.name for one in item.outcomes if one.passes)}
    if current.status is ItemStatus.IN_REVIEW:
        return "decide", {**about, "actor": item.review, "outcome": "accept"}
    fields = {"reference": "vault:kv/c-1042"} if item.secret else _values(item.fields)
    return "submit", {**about, "fields": fields, "files": _files(item)}


def _values(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {field.name: _VALUES.get(field.name, _VALUES[field.type]) for field in fields}


def _files(item: Item) -> list[dict[str, Any]]:
    if item.files is None:
        return []
    kind = item.files.types[0]
    paper = {"type": kind, "bytes": 1_000}
    return [
        {"uri": f"s3://in/{n}.{kind}", "sha256": f"{n:064x}", "name": f"{n}.{kind}", **paper}
        for n in range(item.files.min)
    ]
