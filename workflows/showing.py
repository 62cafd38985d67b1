"""What others see of a run, kept within the limits of the server: cover sheet, search attributes, result, verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate, TypedSearchAttributes

from onboarding import limits
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.messages import Verdict
from onboarding.reading import cover, views

_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


def show(plan: Plan, state: RunState, at: datetime) -> None:
    """Refreshes what the Temporal UI shows: the cover sheet, which costs nothing, and attributes where they changed."""
    workflow.set_current_details(cover.cover(plan, state, at))
    changes = list(attribute_changes(cover.attributes(plan, state), workflow.info().typed_search_attributes))
    if changes:
        workflow.upsert_search_attributes(changes)


def attribute_changes(wanted: dict[str, Any], shown: TypedSearchAttributes) -> Iterator[SearchAttributeUpdate[Any]]:
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
        case _:  # the sandbox stands in front of `datetime`, so it is no class to match here
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
