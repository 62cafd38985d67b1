"""What `list` shows: runs, narrowed, in an order, in pages, or only counted.

Everything is read from the rows; no run is asked. What a filter compares with the present takes the instant as its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Connection, Select, exists, func, literal_column, or_, select

from storage import rows, standing, words
from storage.paging import Order
from storage.tables import RUNS, STAGES, WAITING

NAMED = ("stage", "owner", "definition", "variant", "segment", "wave", "customer", "month")
"""Filters whose words come from definitions and orders: a word that no row has is a slip of the pen."""

COUNTED = ("state", "health", "waiting_on", "stage", "outcome", "definition")
"""What `list --count` counts by, in the order of the index that is counted along. How a closed run does, or where it was, says nothing: of these only open ones count."""
_OF_OPEN_RUNS = ("health", "waiting_on", "stage")

_OPEN: ColumnElement[str] = literal_column("'open'")
"""Written out, because an index over open stages only is not found for a value that comes later."""


class Filters(TypedDict, total=False):
    """What `list` can be narrowed to; each word may be several, of which one must fit."""

    stage: str | Sequence[str]
    owner: str | Sequence[str]
    health: str | Sequence[str]
    definition: str | Sequence[str]
    state: str | Sequence[str]
    outcome: str | Sequence[str]
    waiting_on: str | Sequence[str]
    variant: str | Sequence[str]
    segment: str | Sequence[str]
    wave: str | Sequence[str]
    customer: str | Sequence[str]
    month: str | Sequence[str]
    ids: str | Sequence[str]
    """Names of runs."""
    since: datetime
    """Started then or later; `until`: started before."""
    until: datetime
    overdue: datetime
    """Something is past its due date at this instant."""
    at_risk: datetime
    """In danger at this instant."""


_ORDERS: Mapping[str, tuple[str, ...]] = {
    "run": ("run",),
    "due": ("due_at", "run"),
    "promised": ("promised_at", "run"),
    "started": ("started_at", "run"),
    "waiting": ("waiting_since", "run"),
    "customer": ("customer", "run"),
}
SORTS = tuple(_ORDERS)
"""What `list` can be ordered by."""


def order_of(sort: str, reverse: bool) -> Order:
    """The order that a word names."""
    columns = [RUNS.c[name] for name in _ORDERS[sort]]
    return Order(f"{sort}-" if reverse else sort, tuple(columns), bool(columns[0].nullable), reverse)


def narrowed(query: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    """A query over runs, kept to those that all filters fit."""
    return query.where(*(_fits(name, value) for name, value in filters.items()))


def _fits(name: str, value: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool]
    match name:
        case "ids":
            found = RUNS.c.run.in_(_several(value))
        case "since":
            found = RUNS.c.started_at >= value
        case "until":
            found = RUNS.c.started_at < value
        case "overdue":
            found = _overdue(value)
        case "at_risk":
            found = standing.at_risk(value)
        case "stage" | "owner":
            found = _now_or_beside(name, _several(value))
        case _:
            found = RUNS.c[name].in_(_several(value))
    return found


def _several(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _now_or_beside(name: str, wanted: Sequence[str]) -> ColumnElement[bool]:
    """The stage that a run's time is spent in, and those that are open beside it."""
    beside = select(STAGES.c.run).where(STAGES.c.status == _OPEN, STAGES.c[name].in_(wanted))
    return or_(RUNS.c[name].in_(wanted), RUNS.c.run.in_(beside))


def _overdue(at: datetime) -> ColumnElement[bool]:
    late = select(WAITING.c.run).join(RUNS, RUNS.c.run == WAITING.c.run).where(standing.overdue(at))
    return RUNS.c.run.in_(late.correlate(None))


def page(
    connection: Connection, filters: Mapping[str, Any], order: Order, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Lines of `list`. Raises `CursorInvalid`.

    First which runs, which an index tells, and then all about these: rows are wide, and a page shows few of them.
    """
    chosen, following = order.page(connection, narrowed(select(*order.columns), filters), cursor, limit)
    names = [row.run for row in chosen]
    found = {row.run: row for row in connection.execute(select(RUNS).where(RUNS.c.run.in_(names)))}
    return {"rows": [rows.run_shape(found[name]) for name in names if name in found], "next_cursor": following}


def open_kinds(connection: Connection) -> list[str]:
    """A run of each form of a definition that open runs follow."""
    query = select(func.min(RUNS.c.run)).where(RUNS.c.state != "closed").group_by(RUNS.c.definition, RUNS.c.hash)
    return sorted(connection.execute(query).scalars())


def any_run(connection: Connection) -> bool:
    """Whether there is one."""
    return bool(connection.execute(select(exists().where(RUNS.c.run.is_not(None)))).scalar())


def total(connection: Connection, filters: Mapping[str, Any]) -> int:
    """How many runs fit."""
    return int(connection.execute(narrowed(select(func.count()).select_from(RUNS), filters)).scalar_one())


def counts(connection: Connection, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How many runs fit, by each of `COUNTED`, the most frequent word first."""
    columns = [RUNS.c[name] for name in COUNTED]
    query = narrowed(select(*columns, func.count().label("runs")), filters).group_by(*columns)
    found: dict[tuple[str, str], int] = {}
    for row in connection.execute(query).mappings():
        for name in COUNTED:
            value = row[name]
            if value is not None and not (row["state"] == "closed" and name in _OF_OPEN_RUNS):
                found[name, value] = found.get((name, value), 0) + row["runs"]
    ranked = sorted(found.items(), key=lambda one: (COUNTED.index(one[0][0]), -one[1], one[0][1]))
    return [{"by": name, "value": value, "runs": runs} for (name, value), runs in ranked]


def unknown(connection: Connection, name: str, value: str | Sequence[str]) -> str | None:
    """The first of these words that no run has ever had, or `None`."""
    return next((word for word in _several(value) if not words.heard(connection, _homes(name), word)), None)


def known(connection: Connection, name: str, word: str, most: int) -> list[str]:
    """Words near this one for which a filter finds something."""
    return words.near(connection, _homes(name), word, most)


def _homes(name: str) -> Sequence[ColumnElement[Any]]:
    return (RUNS.c[name], STAGES.c[name]) if name in ("stage", "owner") else (RUNS.c[name],)
