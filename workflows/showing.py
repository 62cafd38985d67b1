"""What others see of a run, kept within the limits of the server: search attributes, result, verdicts."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from onboarding import limits
from onboarding.engine.machine import start
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.messages import Verdict
from onboarding.reading import cover, views

_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


QUIET = ("OnboardingDueAt", "OnboardingAsks", "OnboardingEscalations", "OnboardingPromisedAt")
"""Attributes that travel with others: each upsert costs, and these change with almost every message.

A date that comes nearer does not wait, and when the alarm rings all are refreshed. So a date shown may be nearer than the true
one until it is reached, and never later.
"""
_DUE = "OnboardingDueAt"


def show(plan: Plan, state: RunState, *, rang: bool) -> None:
    """Refreshes the attributes by which managers filter runs, where that is worth it."""
    wanted = cover.attributes(plan, state)
    shown = workflow.info().typed_search_attributes
    changes = list(attribute_changes(wanted, shown))
    if any(rang or change.key.name not in QUIET or _is_nearer(change, shown) for change in changes):
        workflow.upsert_search_attributes(changes)


def at_start(plan: Plan, at: datetime) -> TypedSearchAttributes:
    """The attributes of a run that starts at `at`: given with the start they cost nothing."""
    changes = attribute_changes(cover.attributes(plan, start(plan, at).state), TypedSearchAttributes.empty)
    return TypedSearchAttributes([SearchAttributePair(change.key, change.value) for change in changes])


def _is_nearer(change: SearchAttributeUpdate[Any], shown: TypedSearchAttributes) -> bool:
    before = next((pair.value for pair in shown if pair.key.name == _DUE), None)
    return change.key.name == _DUE and change.value is not None and (before is None or change.value < before)


def attribute_changes(wanted: Mapping[str, Any], shown: TypedSearchAttributes) -> Iterator[SearchAttributeUpdate[Any]]:
    """The changes from what is shown to what is wanted; `None` takes an attribute away."""
    known = {pair.key.name: pair for pair in shown}
    for name, value in wanted.items():
        if value is None:
            if name in known:
                yield known[name].key.value_unset()
            continue
        key, fitting_value = _attribute(name, value)
        if name not in known or known[name].value != fitting_value:
            yield key.value_set(fitting_value)


def _attribute(name: str, value: Any) -> tuple[SearchAttributeKey[Any], Any]:
    match value:
        case bool():
            return SearchAttributeKey.for_bool(name), value
        case int():
            return SearchAttributeKey.for_int(name), value
        case str():
            return SearchAttributeKey.for_keyword(name), value[: limits.ATTRIBUTE_LENGTH]
        case _:  # under the strict sandbox `datetime` is no class to match here
            return SearchAttributeKey.for_datetime(name), value


def fitting(verdict: Verdict) -> Verdict:
    """The verdict, with fewer faults and less of what comes next where it would be too large to send."""
    while len(_VERDICT.dump_json(verdict)) > limits.VERDICT_BYTES and (verdict.faults or verdict.next):
        verdict = replace(
            verdict, faults=verdict.faults[: len(verdict.faults) // 2], next=verdict.next[: len(verdict.next) // 2]
        )
    return verdict


def result(plan: Plan, state: RunState) -> dict[str, Any]:
    """What the workflow answers when it is over."""
    at = state.closed_at or state.at
    status, ledger = views.status(plan, state, at), views.ledger(plan, state, at)
    return {name: status[name] for name in ("outcome", "closed_at", "state_hash")} | {"metrics": ledger["metrics"]}
