"""A start order as JSON: written, read again, and looked at for what a run would trip over where somebody wrote or changed it by hand."""

import functools
import json
from dataclasses import replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from onboarding import limits
from onboarding.engine import rules
from onboarding.engine.state import StartOrder
from onboarding.errors import StartRefused
from onboarding.language.model import Definition
from onboarding.language.values import HANDLE
from onboarding.messages import MessageFault

_ORDER = TypeAdapter(StartOrder)
_DEFINITION = TypeAdapter(Definition)
_NO_DEFINITION = _DEFINITION.dump_python(
    Definition(schema="", id="", version=1, title="", hash="", stages=(), items=(), roles=()), mode="json"
)
"""Stands in an order for the one that is read apart from it."""

_Extra = Literal["ignore", "forbid"]


def run_name(customer: str, definition: str) -> str:
    """The name of a run, which is its workflow id: opaque keys only."""
    return f"onboarding/{customer}/{definition}"


def write_order(order: StartOrder) -> str:
    """An order as JSON text."""
    return _ORDER.dump_json(order).decode()


def read_order(raw: Any) -> StartOrder:
    """An order from JSON text, bytes, or decoded JSON; `StartRefused` with the places that cannot be read, never a value."""
    try:
        decoded = json.loads(raw) if isinstance(raw, str | bytes) else raw
        # A hand-written order with a field too many is a mistake. A snapshot is our own, perhaps of the release after
        # this one (a rollback in the middle of a run): refusing it would end a run that was fine.
        resumed = isinstance(decoded, dict) and decoded.get("snapshot") is not None
        extra: _Extra = "ignore" if resumed else "forbid"
        order = _of_a_known_definition(decoded, extra) or _ORDER.validate_json(_text(decoded), strict=True, extra=extra)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        faults = [_unreadable("".join(f"/{part}" for part in one["loc"]), one["msg"]) for one in details]
        raise StartRefused(faults[: limits.FAULTS_TOLD]) from None
    except (ValueError, TypeError, RecursionError):
        raise StartRefused((_unreadable("", "Expected JSON"),)) from None
    faults = list(_contradictions(order))
    if faults:
        raise StartRefused(faults[: limits.FAULTS_TOLD])
    return order


def _of_a_known_definition(decoded: Any, extra: _Extra) -> StartOrder | None:
    """The order with a definition that others share; `None` where anything cannot be read, so that all places are told together."""
    if not isinstance(decoded, dict) or "definition" not in decoded:
        return None
    text = _text(decoded["definition"])
    if len(text) > limits.DEFINITION_BYTES:
        return None
    try:
        definition = _definition(text, extra)
        others = {**decoded, "definition": _NO_DEFINITION}
        return replace(_ORDER.validate_json(_text(others), strict=True, extra=extra), definition=definition)
    except ValidationError:
        return None


@functools.lru_cache(maxsize=limits.DEFINITIONS_SHARED)
def _definition(text: str, extra: _Extra) -> Definition:
    """Runs of one definition share it: reading it is most of what a start costs, and keeping it most of what an open run takes."""
    return _DEFINITION.validate_json(text, strict=True, extra=extra)


def _text(decoded: Any) -> str:
    return json.dumps(decoded, allow_nan=False)


def unbearable(order: StartOrder) -> tuple[MessageFault, ...]:
    """What no definition file may hold and an order written by hand could: a run would stumble over it in every turn."""
    definition = order.definition
    counted = (
        ("items", len(definition.items), limits.ITEMS),
        ("stages", len(definition.stages), limits.STAGES),
        ("calendars", len(definition.calendars), limits.CALENDARS),
    )
    found = [
        _unreadable(f"/definition/{what}", f"Expected at most {most} {what}, found {count}")
        for what, count, most in counted
        if count > most
    ]
    roles = {role.id for role in definition.roles}
    named = [(f"/definition/roles/{n}/deputy", role.deputy) for n, role in enumerate(definition.roles)]
    for n, item in enumerate(definition.items):
        named.append((f"/definition/items/{n}/review", item.review))
        for step, rung in enumerate(item.ladder):
            named += [(f"/definition/items/{n}/ladder/{step}/to", to) for to in rung.to if to != "deputy"]
    for n, stage in enumerate(definition.stages):
        named += [
            (f"/definition/stages/{n}/gate/override", by)
            for by in (stage.gate.override.by if stage.gate.override else ())
        ]
        named += [(f"/definition/stages/{n}", action.notify) for action in (*stage.on_enter, *stage.on_exit)]
    found += [
        _unreadable(place, "Expected a role of this order")
        for place, role in named
        if role is not None and role not in roles
    ]
    return tuple(found[: limits.FAULTS_TOLD])


def _contradictions(order: StartOrder) -> list[MessageFault]:
    """What a run would trip over for ever: names that lead nowhere in an order that somebody wrote or changed by hand."""
    definition = order.definition
    items, stages = {item.id for item in definition.items}, {stage.id for stage in definition.stages}
    roles = {role.id for role in definition.roles}
    wanted = [("/run", order.run, {run_name(order.customer, definition.id)})]
    wanted += [
        ("/calendars", name, set(order.calendars)) for name in ("provider", "customer", *order.calendar_of.values())
    ]
    for index, stage in enumerate(definition.stages):
        place = f"/definition/stages/{index}"
        wanted += [(f"{place}/items", name, items) for name in stage.items]
        wanted += [(f"{place}/needs", name, items | stages) for name in stage.needs]
        wanted += [(f"{place}/owner", stage.owner, roles)]
    for index, item in enumerate(definition.items):
        place = f"/definition/items/{index}"
        wanted += [(f"{place}/stage", item.stage, stages), (f"{place}/owner", item.owner, roles)]
        wanted += [(f"{place}/owners", name, roles) for name in item.owners]
        wanted += [(f"{place}/needs", name, items | stages) for name in item.needs]
    found = [
        _unreadable(place, "Expected a name that exists in this order")
        for place, name, known in wanted
        if name not in known
    ]
    if order.rules_version < rules.FIRST:
        found.append(_unreadable("/rules_version", "Expected 1 or more"))
    if not HANDLE.fullmatch(order.customer):
        found.append(_unreadable("/customer", "Expected the opaque key of a customer"))
    if any(not calendar.zone.transitions or not calendar.hours for calendar in order.calendars.values()):
        found.append(_unreadable("/calendars", "Expected zone data and hours in every calendar"))
    return found


def _unreadable(place: str, sentence: str) -> MessageFault:
    return MessageFault(place=place[:200], code="order_unreadable", sentence=f"{sentence.rstrip('.')}.")
