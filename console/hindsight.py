"""What finished runs tell of one run: what its forecast rests on, and what its customer's answers have cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from console import ground
from console.printing import hint

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from console.ordering import Prepared

_Found = TypeVar("_Found")


def with_history(prepared: Prepared) -> Prepared:
    """The order with the latest finished runs of its definition and variant; without them where the rows cannot be read."""
    from storage.history import Histories

    definition = prepared.order.definition
    history = _read(lambda engine: Histories(engine).of(definition.id, definition.variant))
    return replace(prepared, order=replace(prepared.order, history=history))


def counterfactual_of(run: str) -> dict[str, Any] | None:
    """When a run would have been live had its customer answered at our median; `None` where no rows tell."""
    return _read(lambda engine: _counterfactual(engine, run))


def _counterfactual(engine: Engine, run: str) -> dict[str, Any] | None:
    from metrics.counterfactual import counterfactual
    from storage.history import Histories
    from storage.read_table import ReadTable

    table = ReadTable(engine)
    row = table.find(run)
    if row is None:
        return None
    runs, medians = Histories(engine).customer_medians(row["definition"]["id"], row["definition"]["variant"])
    ended_live = row["closed_at"] if row["outcome"] == "live" else None
    return counterfactual(table.ledger(run), medians, runs, row["milestones"].get("first_value") or ended_live)


def _read(look: Callable[[Engine], _Found]) -> _Found | None:
    """What the rows say; a run must not wait for a database that only knows more about others."""
    from onboarding.errors import OnboardingError

    try:
        with ground.database() as engine:
            return look(engine)
    except OnboardingError as error:
        hint(str(error))
        return None
