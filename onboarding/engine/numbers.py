"""The numbers of a run that a report counts over all runs: times to what counts, whose time it was, what was right at once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from onboarding.engine import figures, going_live, handoffs, hearing
from onboarding.engine.booking import SIDES
from onboarding.engine.forecast import forecast
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemState, ItemStatus, RunOutcome, RunState, RunStatus
from onboarding.language.model import Item, ItemKind, Side

TO_LIVE = "time_to_live"
"""A metric of this name says which instant is the one of going fully live; without it that is the end of the run."""


def counted_from(plan: Plan, state: RunState) -> datetime:
    """When it was signed, else when it started."""
    return figures.input_instant(plan, "signed_at") or state.started_at


def on_time(plan: Plan, state: RunState, at: datetime) -> bool | None:
    """Whether the customer went live by the date we are measured against; `None` while nobody can tell, or nothing was promised."""
    if state.owed_at is None:
        return None
    live = going_live.live_at(plan, state)
    if live is not None:
        return live <= state.owed_at
    return False if state.status is RunStatus.CLOSED or at > state.owed_at else None


def fully_live_at(plan: Plan, state: RunState) -> datetime | None:
    """When the customer was fully live, as the definition's own metric says, else when the run ended so."""
    for metric in plan.definition.metrics:
        if metric.id == TO_LIVE and metric.end is not None:
            return figures.instant(plan, state, metric.end)
    return state.closed_at if state.outcome is RunOutcome.LIVE else None


def judged(item: Item, current: ItemState) -> tuple[int, int]:
    """Whether a round of an item counts for the customer's punctuality, and whether it was in time: each 0 or 1."""
    late = current.late or current.overdue
    came = current.answered_at is not None or current.status is ItemStatus.DONE
    if item.side is not Side.CUSTOMER or current.due_at is None or not (came or late):
        return 0, 0
    return 1, 0 if late else 1


def facts(plan: Plan, state: RunState) -> dict[str, Any]:
    """The columns of a run's row that its trail tells of, see `changes.py`."""
    return {
        "state": state.status,
        "outcome": state.outcome,
        "started_at": state.started_at,
        "closed_at": state.closed_at,
        "counted_from": counted_from(plan, state),
        "promised_at": state.promised_at,
        "first_promised_at": state.first_promised_at,
        "owed_at": state.owed_at,
        "first_value_at": state.milestones.get(going_live.FIRST_VALUE),
        "live_at": fully_live_at(plan, state),
        "asks": state.asks,
        "escalations": state.escalations,
        "rounds": state.rounds,
    }


def of_run(plan: Plan, state: RunState, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a run's row that follow from these facts and from its other rows, as reports read them."""
    since = facts["counted_from"]
    asked = [(item, state.items[item.id]) for item in plan.of_customer]
    requests = [one for item, one in asked if item.kind is ItemKind.REQUEST and one.status is ItemStatus.DONE]
    coming = forecast(plan, state, state.at)
    judgements = [judged(item, current) for item, current in asked]
    return {
        "month": f"{since:%Y-%m}",
        "on_time": on_time(plan, state, state.at),
        "time_to_first_value": _seconds(since, facts["first_value_at"]),
        "time_to_live": _seconds(since, facts["live_at"]),
        "elapsed": _seconds(state.started_at, state.closed_at),
        **{f"{side}_seconds": state.booked.get(side, 0) for side in SIDES},
        "handoff_seconds": handoffs.seconds_in_all(state, state.at),
        "longest_silence": hearing.longest_silence(state),
        "requests": len(requests),
        "first_pass": sum(one.round == 1 for one in requests),
        "customer_due": state.judged[0] + sum(due for due, _ in judgements),
        "customer_on_time": state.judged[1] + sum(kept for _, kept in judgements),
        "forecast_at": None if coming is None else coming.likely_at,
        "forecast_late_at": None if coming is None else coming.late_at,
        "forecast_runs": None if coming is None else coming.runs,
        "forecast_item": None if coming is None else coming.item,
    }


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else int((end - start).total_seconds())
