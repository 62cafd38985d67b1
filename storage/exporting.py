"""Tables as they leave the house: whole rows in the order of their keys, streamed, so that a year of runs needs no memory.

How to reach people (`people`) is no table of an export, and neither is what a notice says to its reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Engine, Integer, Select, Table, select
from sqlmodel import AutoString

from storage.chosen import Chosen
from storage.engine import reading
from storage.rows import instant
from storage.tables import (
    ERASURES,
    EVENT_CURSORS,
    EVENTS,
    FAULTS,
    HANDOFFS,
    ITEMS,
    LEDGER,
    MILESTONES,
    NOTICES,
    PROMISES,
    REFUSED,
    RUNS,
    STAGES,
    TRAIL,
    WAITING,
    UtcInstant,
    Words,
)

AT_ONCE = 2_000
"""Rows that are fetched, and kept in memory, together."""
_INSIDE: Mapping[str, tuple[str, ...]] = {
    "runs": ("chain", "batch", "decided_at"),
    "events": ("batch", "execution"),
    "event_cursors": ("leased_until", "leased_by"),
    "notices": (
        "subject", "lines", "template", "batch", "execution", "ready_at", "next_at", "leased_until", "doubtful", "recalled", "reason",
    ),
}  # fmt: skip
"""Columns that stay: our own book-keeping, and the words to a person."""
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        RUNS, LEDGER, TRAIL, ITEMS, STAGES, MILESTONES, HANDOFFS, PROMISES, FAULTS, REFUSED, NOTICES, EVENTS, EVENT_CURSORS, ERASURES,
    )
}  # fmt: skip
"""What can be exported, by name."""


def columns_of(name: str) -> dict[str, str]:
    """The columns of a table in their order, with what they hold: `instant`, `number`, `truth`, `words`, `text` or `object`."""
    inside = _INSIDE.get(name, ())
    return {column.name: _kind(column.type) for column in _table(name).columns if column.name not in inside}


def rows(engine: Engine, name: str, chosen: Chosen) -> Iterator[dict[str, Any]]:
    """Every row of the runs that are chosen, as plain JSON. Raises `DatabaseUnavailable`, also in the middle."""
    with reading(engine) as connection:
        yield from rows_of(connection, name, chosen)


def rows_of(connection: Connection, name: str, chosen: Chosen) -> Iterator[dict[str, Any]]:
    """The same, in a transaction of the caller's. Also of the table `waiting`, which does not leave."""
    kinds = columns_of(name)
    instants = [column for column, kind in kinds.items() if kind == "instant"]
    lists = [column for column, kind in kinds.items() if kind == "words"]
    query = _query(name, tuple(kinds), chosen)
    with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as found:
        for row in found.mappings():
            plain = dict(row)
            for column in instants:
                plain[column] = instant(plain[column])
            for column in lists:
                plain[column] = list(plain[column])
            if "milestones" in plain:
                plain["milestones"] = {milestone: instant(at) for milestone, at in plain["milestones"].items()}
            yield plain


def _query(name: str, columns: Sequence[str], chosen: Chosen) -> Select[Any]:
    table = _table(name)
    query = select(*(table.c[column] for column in columns)).order_by(*table.primary_key)
    if chosen.everything:
        return query
    if table is RUNS:
        return query.where(*chosen.conditions())
    return query.where(table.c.run.in_(select(RUNS.c.run).where(*chosen.conditions())))


def _table(name: str) -> Table:
    return WAITING if name == WAITING.name else TABLES[name]


def _kind(of: Any) -> str:
    match of:
        case UtcInstant():
            return "instant"
        case Words():
            return "words"
        case Boolean():
            return "truth"
        case Integer():
            return "number"
        case AutoString():
            return "text"
    return "object"
