"""The same question for Temporal: filters of `list` as a visibility query, for its UI and its command line.

Temporal knows of a run what its search attributes say. A filter that is none of them has no answer there, and a query without
it would look like one: such a filter is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.leaving import Misused
from onboarding import limits
from storage.standing import AT_RISK
from workflows.address import WORKFLOW_TYPE

ATTRIBUTES: Mapping[str, str] = {
    "customer": "OnboardingCustomer",
    "definition": "OnboardingDefinition",
    "stage": "OnboardingStage",
    "owner": "OnboardingOwner",
    "health": "OnboardingHealth",
    "waiting_on": "OnboardingWaitingOn",
    "segment": "OnboardingSegment",
    "wave": "OnboardingWave",
}
"""Filters that are search attributes."""

NARROWER = ("stage", "owner")
"""Filters that find less there: stages that are open beside the one in which the time is spent are no search attribute."""

_STATES: Mapping[str, str] = {
    "running": "(ExecutionStatus = 'Running' AND OnboardingHealth != 'on_hold')",
    "on_hold": "(ExecutionStatus = 'Running' AND OnboardingHealth = 'on_hold')",
    "closed": "ExecutionStatus = 'Completed'",
}
# An execution that has continued as another one is no run any more.
_ANY_STATE = "ExecutionStatus IN ('Running', 'Completed')"


def query_of(filters: Mapping[str, Any]) -> str:
    """A query that finds the runs which these filters of `list` find. Raises `Misused` for what Temporal does not know."""
    _refuse([name for name in filters if name not in (*ATTRIBUTES, "state")])
    return " AND ".join([f"WorkflowType = '{WORKFLOW_TYPE}'", *_parts(filters)])


def _refuse(unknown: Sequence[str]) -> None:
    if not unknown:
        return
    named = ", ".join(f"--{name.replace('_', '-')}" for name in unknown)
    instead = ""
    if "at_risk" in unknown:  # it looks at promises and forecasts, too
        instead = f", or ask for {' '.join(f'--health {word}' for word in AT_RISK)}"
    raise Misused(f"Temporal does not know {named}: leave it out{instead}, or leave out --as-query.")


def _parts(filters: Mapping[str, Any]) -> Iterator[str]:
    states = [_STATES[state] for state in filters.get("state", ())]
    yield _any(states) if states else _ANY_STATE
    yield from (_one_of(name, filters[name]) for name in ATTRIBUTES if name in filters)


def _any(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"


def _one_of(name: str, words: Sequence[str]) -> str:
    quoted = [_quoted(word) for word in words]
    attribute = ATTRIBUTES[name]
    return f"{attribute} = {quoted[0]}" if len(quoted) == 1 else f"{attribute} IN ({', '.join(quoted)})"


def _quoted(word: str) -> str:
    """A text as the server reads it. It strips quotes from both ends and leaves escapes in, so that some texts are found by no query."""
    kept = word[: limits.ATTRIBUTE_LENGTH]
    if any(char in '"\\' or not char.isprintable() for char in kept) or "'" in (kept[:1], kept[-1:]):
        raise Misused(f"No query of Temporal finds the text {word[:60]!r}: leave it out, or leave out --as-query.")
    return "'" + kept.replace("'", "''") + "'"
