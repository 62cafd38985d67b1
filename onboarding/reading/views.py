"""What can be asked of a run, as plain JSON: the shapes of the contract. Nothing here changes anything.

Every read is a function of the plan, the state and the instant of asking; an unknown name is an answer, never an exception.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from onboarding.engine import figures, gates, health
from onboarding.engine.flow import ACTIVE
from onboarding.engine.gates import ConditionView
from onboarding.engine.numbers import on_time
from onboarding.engine.people import acting, has_since, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import Debt, RunState, StageStatus
from onboarding.language.model import ConditionKind, Item, Stage
from onboarding.messages import canonical_json
from onboarding.reading import trail as trails
from onboarding.reading.customer import customer_view
from onboarding.reading.forecast import forecast_shape
from onboarding.reading.hands import absence_rows, handoff_rows
from onboarding.reading.items import item_row, open_items, why
from onboarding.reading.ledger import ledger
from onboarding.reading.promises import promises
from onboarding.reading.shapes import (
    SENTENCE_LENGTH,
    STATUS_ROWS,
    Shape,
    cut,
    instant,
    no_cursor,
    no_such,
    page,
    place_of,
    told,
)

__all__ = [
    "customer_view",
    "gate",
    "ledger",
    "open_items",
    "promises",
    "refused",
    "state_hash",
    "status",
    "trail",
    "why",
]

_One = TypeVar("_One")

NEXT_INSTANTS = 3
"""Instants of `next` in `status`: what comes after them is not news yet."""


def status(plan: Plan, state: RunState, at: datetime) -> Shape:
    """A run on one page: where it is, who has it, what is open, what happens next."""
    definition = plan.definition
    stages = _capped(definition.stages, lambda stage: state.stages[stage.id].status is StageStatus.OPEN)
    items = _capped(definition.items, lambda item: state.items[item.id].status in ACTIVE)
    found: Shape = {
        "run": state.run,
        "customer": state.customer,
        "definition": {
            "id": definition.id,
            "version": definition.version,
            "hash": definition.hash,
            "variant": definition.variant,
            "title": cut(definition.title),
            "scale": str(definition.scale) if definition.scale else None,
        },
        "state": str(state.status),
        "outcome": str(state.outcome) if state.outcome else None,
        "reason": cut(state.reason) or None,
        "health": str(health.health(plan, state)),
        "waiting_on": str(health.waiting_on(plan, state)),
        "waiting_since": instant(health.waiting_since(state)),
        "signed_at": instant(figures.read_instant(plan.order.inputs.get("signed_at"))),
        "started_at": instant(state.started_at),
        "closed_at": instant(state.closed_at),
        "promised_at": instant(state.promised_at),
        "first_promised_at": instant(state.first_promised_at),
        "on_time": on_time(plan, state, at),
        "forecast": forecast_shape(plan, state, at),
        "stage": health.current_stage(plan, state) or None,
        "hold": _hold(state),
        "stages": [_stage_row(plan, state, stage) for stage in stages],
        "items": [item_row(plan, state, item) for item in items],
        "milestones": {
            stage.milestone: instant(state.milestones.get(stage.milestone)) for stage in stages if stage.milestone
        },
        "facts": list(state.facts)[:STATUS_ROWS],
        "debt": gates.open_debt(state),
        "asks": state.asks,
        "ask_budget": definition.contact.request_budget,
        "escalations": state.escalations,
        "rounds": state.rounds,
        "handoffs": handoff_rows(state, at),
        "absences": absence_rows(state),
        "refused": state.refused_count,
        "next": [
            {"at": instant(moment), "what": cut(what), "item": item}
            for moment, what, item in health.upcoming(plan, state)[:NEXT_INSTANTS]
        ],
        "state_hash": state_hash(state),
        "read_at": instant(at),
    }
    left_out = len(definition.stages) + len(definition.items) - len(stages) - len(items)
    return {**found, "left_out": left_out} if left_out else found


def _capped(every: Sequence[_One], first: Callable[[_One], bool]) -> Sequence[_One]:
    """All of a sensible definition; of a huge one what is open, then the rest, in the order of the file."""
    ranked = sorted(range(len(every)), key=lambda n: (not first(every[n]), n))
    return [every[n] for n in sorted(ranked[:STATUS_ROWS])]


def _hold(state: RunState) -> Shape | None:
    if state.hold is None:
        return None
    held = state.hold
    return {
        "reason": cut(held.reason),
        "side": str(held.side),
        "by": held.by,
        "since": instant(held.since),
        "review_at": instant(held.review_at),
    }


def _stage_row(plan: Plan, state: RunState, stage: Stage) -> Shape:
    current = state.stages[stage.id]
    views = gates.conditions(plan, state, stage.id)
    over = current.status in (StageStatus.DONE, StageStatus.SKIPPED)
    return {
        "id": stage.id,
        "title": cut(stage.title),
        "owner": stage_owner(plan, state, stage.id),
        "state": str(current.status),
        "entered_at": instant(current.entered_at),
        "left_at": instant(current.left_at),
        "target_at": instant(current.target_at),
        "progress": {"met": sum(view.met for view in views), "of": len(views)},
        "unmet": [] if over else told(view.why or view.text for view in views if not view.met),
        "stalled": current.stalled,
        "visit": current.visit,
    }


# Gate -----------------------------------------------------------------------------------------------------------------


def gate(plan: Plan, state: RunState, stage: Any) -> Shape:
    """What must hold to leave a stage, what does, who holds up the rest and since when, and what was waived."""
    if not isinstance(stage, str) or stage not in plan.stages:
        return no_such("stage", stage, plan.stages)
    views = gates.conditions(plan, state, stage)
    return {
        "stage": stage,
        "holds": all(view.met for view in views),
        "conditions": [_condition(plan, state, stage, view) for view in views[:STATUS_ROWS]],
        "debt": [_debt(debt) for debt in state.debts if debt.stage == stage and debt.settled_at is None],
    }


def _condition(plan: Plan, state: RunState, stage: str, view: ConditionView) -> Shape:
    holder, since = _held_by(plan, state, stage, view)
    return {
        "text": view.text,
        "met": view.met,
        "holder": holder,
        "since": instant(since),
        "why": cut(view.why, 300) or None,
        "waived": view.waived,
        "kind": str(view.kind),
    }


def _held_by(plan: Plan, state: RunState, stage: str, view: ConditionView) -> tuple[str | None, datetime | None]:
    """Who holds up a condition and since when; of a met one, since when it is met, where that is known."""
    name = view.text.removeprefix("facts.")
    fact = state.facts.get(name) if view.kind == ConditionKind.FACT else None
    item = _item_of(plan, view)
    if not view.met:
        if item is not None and state.items[item.id].status in ACTIVE:
            return acting(plan, state, item)[0], has_since(state.items[item.id])
        return view.holder, state.stages[stage].entered_at
    if fact is not None:
        return None, fact.at
    if item is not None:
        return None, state.items[item.id].closed_at
    return None, state.stages[name].left_at if name in state.stages else None


def _item_of(plan: Plan, view: ConditionView) -> Item | None:
    if view.kind != ConditionKind.FACT:
        return plan.items.get(view.text)
    sources = plan.sources.get(view.text.removeprefix("facts."), ())
    return plan.items[sources[0]] if sources else None


def _debt(debt: Debt) -> Shape:
    return {
        "text": debt.text,
        "by": debt.by,
        "reason": cut(debt.reason, 300),
        "at": instant(debt.at),
        "expires_at": instant(debt.expires_at),
        "expired": debt.expired,
        "counts": debt.counts,
    }


# Lists ----------------------------------------------------------------------------------------------------------------


def trail(plan: Plan, state: RunState, cursor: Any = None) -> Shape:
    """Who did what on whose behalf, oldest first."""
    return trails.trail(state, cursor)


def refused(plan: Plan, state: RunState, cursor: Any = None) -> Shape:
    """Signals that changed nothing, and why, oldest first; `earlier` counts those that only the written rows still have."""
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    rows = (
        (
            entry.n,
            {
                "n": entry.n,
                "at": instant(entry.at),
                "via": entry.via,
                "name": entry.name,
                "message_id": entry.message_id,
                "code": entry.code,
                "sentence": cut(entry.sentence, SENTENCE_LENGTH),
            },
        )
        for entry in state.refused
    )
    return {**page(rows, start), "earlier": state.refused_count - len(state.refused)}


def state_hash(state: RunState) -> str:
    """SHA-256 of what the run holds, without when, in which order, by which message and for whom it came to be."""
    held: Shape = {
        "run": [str(state.status), str(state.outcome)],
        "stages": {name: [str(stage.status), stage.owner] for name, stage in state.stages.items()},
        "items": {name: [str(item.status), item.round, item.outcome, item.owner] for name, item in state.items.items()},
        "holders": {role: list(handles) for role, handles in state.holders.items()},
        "facts": {name: fact.value for name, fact in state.facts.items()},
    }
    away = {one.person: one.to for one in state.absences if one.begun}
    if away:  # who answers for what is part of who has it
        held["away"] = away
    return hashlib.sha256(canonical_json(held).encode("utf-8", "surrogatepass")).hexdigest()
