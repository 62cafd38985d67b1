"""What can be read about all runs without asking one of them.

Rows are ready for JSON: instants are texts in UTC. Reads that can grow answer
`{"rows", "next_cursor"}`; the cursor is the place of the last row, so that a page stays right while rows
are written. How lists and inboxes are made is in `run_list` and `inbox`. Everything raises `DatabaseUnavailable` when the database fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, or_, select

from onboarding import limits
from storage import inbox, rows, run_list
from storage.engine import reading
from storage.paging import CursorInvalid as CursorInvalid
from storage.run_list import Filters
from storage.tables import ERASURES, ITEMS, LEDGER, NOTICES, REFUSED, RUNS, STAGES, TRAIL


class ReadTable:
    """Reads over the rows that `SqlRecordStore` writes."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def runs(
        self,
        *,
        sort: str = "run",
        reverse: bool = False,
        limit: int = limits.PAGE,
        cursor: str | None = None,
        **filters: Unpack[Filters],
    ) -> dict[str, Any]:
        """Lines of `list`, in one of `run_list.SORTS`. `stage` and `owner` also find stages that are open beside the first."""
        with reading(self._engine) as connection:
            return run_list.page(connection, filters, run_list.order_of(sort, reverse), cursor, limit)

    def any_run(self) -> bool:
        """Whether there is a run at all."""
        with reading(self._engine) as connection:
            return run_list.any_run(connection)

    def runs_total(self, **filters: Unpack[Filters]) -> int:
        """How many runs fit."""
        with reading(self._engine) as connection:
            return run_list.total(connection, filters)

    def run_counts(self, **filters: Unpack[Filters]) -> list[dict[str, Any]]:
        """How many runs fit, by what they are and how they do."""
        with reading(self._engine) as connection:
            return run_list.counts(connection, filters)

    def unknown_word(self, **filters: Unpack[Filters]) -> tuple[str, str] | None:
        """The first filter, with its word, that no row has ever had; `None` where all words are known, or where there is no run."""
        with reading(self._engine) as connection:
            if not run_list.any_run(connection):
                return None
            given: Mapping[str, Any] = filters
            for name in run_list.NAMED:
                word = run_list.unknown(connection, name, given[name]) if name in given else None
                if word is not None:
                    return name, word
        return None

    def known_words(self, name: str, word: str, most: int) -> list[str]:
        """Words near this one for which one of `run_list.NAMED` finds something."""
        with reading(self._engine) as connection:
            return run_list.known(connection, name, word, most)

    def find(self, run: str) -> dict[str, Any] | None:
        """The line of one run, or `None` for a run that is not known here. What was erased has its instant in `erased_at`."""
        with reading(self._engine) as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.run == run)).first()
            erased = connection.execute(select(ERASURES.c.at).where(ERASURES.c.run == run)).scalar()
        if row is None:
            return None
        return rows.run_shape(row) | ({"erased_at": rows.instant(erased)} if erased else {})

    def closed(self, run: str) -> bool:
        """Whether the run is known and closed: what tells `closed` from `unknown` after the retention."""
        found = self.find(run)
        return found is not None and found["state"] == "closed"

    def inbox(self, person: str, *, limit: int = limits.PAGE, cursor: str | None = None) -> dict[str, Any]:
        """What waits for a person, over all open runs, the most urgent first."""
        with reading(self._engine) as connection:
            return inbox.of_person(connection, person, cursor, limit)

    def group_inbox(self, group: str, *, limit: int = limits.PAGE, cursor: str | None = None) -> dict[str, Any]:
        """What waits for whoever has a role, once each, with those who may take it."""
        with reading(self._engine) as connection:
            return inbox.of_group(connection, group, cursor, limit)

    def inbox_total(self, person: str) -> int:
        """How much waits for a person."""
        with reading(self._engine) as connection:
            return inbox.person_total(connection, person)

    def group_total(self, group: str) -> int:
        """How much waits for whoever has a role."""
        with reading(self._engine) as connection:
            return inbox.group_total(connection, group)

    def heard_of(self, name: str, *, group: bool = False) -> bool:
        """Whether any run knows this handle, or this role; also where nothing waits."""
        with reading(self._engine) as connection:
            return (inbox.heard_of_group if group else inbox.heard_of)(connection, name)

    def names_near(self, name: str, most: int, *, group: bool = False) -> list[str]:
        """Handles, or roles, near this one for whom something waits or might."""
        with reading(self._engine) as connection:
            return (inbox.groups if group else inbox.people)(connection, name, most)

    def stages(self, run: str) -> list[dict[str, Any]]:
        """Every stage of a run in every visit."""
        return self._all(STAGES, run, rows.stage_shape)

    def items(self, run: str) -> list[dict[str, Any]]:
        """Every item of a run in every round."""
        return self._all(ITEMS, run, lambda row: rows.item_shape(row, run))

    def ledger(self, run: str) -> list[dict[str, Any]]:
        """The closed stretches of a run's time, end to end; `metrics.report.ledger_of` adds them up."""
        return self._all(LEDGER, run, rows.ledger_shape)

    def trail(
        self, run: str, from_n: int = 1, *, limit: int = limits.PAGE, cursor: str | None = None
    ) -> dict[str, Any]:
        """Who did what in a run, from entry `from_n` on."""
        return self._numbered(TRAIL, run, rows.trail_shape, max(from_n, _after(cursor)), limit)

    def refused(self, run: str, *, limit: int = limits.PAGE, cursor: str | None = None) -> dict[str, Any]:
        """The signals of a run that changed nothing."""
        return self._numbered(REFUSED, run, rows.refused_shape, _after(cursor), limit)

    def outbox(
        self, run: str | None = None, *, state: str | None = None, limit: int = limits.PAGE, cursor: str | None = None
    ) -> dict[str, Any]:
        """What was sent or will be, oldest first, of one run or of all; of one `state` or of all."""
        query = select(NOTICES).where(NOTICES.c.at.is_not(None))
        if state is not None:
            query = query.where(NOTICES.c.state == state)
        if run is not None:
            query = query.where(NOTICES.c.run == run)
        with reading(self._engine) as connection:
            if cursor is not None:
                query = query.where(_later_than(connection, cursor))
            found = connection.execute(query.order_by(NOTICES.c.at, NOTICES.c.key).limit(limit + 1)).all()
        lines = [rows.notice_shape(row, row) for row in found[:limit]]
        return {"rows": lines, "next_cursor": lines[-1]["key"] if len(found) > limit else None}

    def _numbered(
        self,
        table: Table,
        run: str,
        shape: Callable[[Any], dict[str, Any]],
        first: int,
        limit: int,
    ) -> dict[str, Any]:
        query = select(table).where(table.c.run == run, table.c.n >= first).order_by(table.c.n)
        with reading(self._engine) as connection:
            found = connection.execute(query.limit(limit + 1)).all()
        following = str(found[limit - 1].n) if len(found) > limit else None
        return {"rows": [shape(row) for row in found[:limit]], "next_cursor": following}

    def _all(self, table: Table, run: str, shape: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        query = select(table).where(table.c.run == run).order_by(*table.primary_key)
        with reading(self._engine) as connection:
            return [shape(row) for row in connection.execute(query)]


def _later_than(connection: Connection, key: str) -> ColumnElement[bool]:
    at = connection.execute(select(NOTICES.c.at).where(NOTICES.c.key == key)).scalar()
    if at is None:
        raise CursorInvalid
    return or_(NOTICES.c.at > at, and_(NOTICES.c.at == at, NOTICES.c.key > key))


def _after(cursor: str | None) -> int:
    return 1 if cursor is None else _number(cursor) + 1


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise CursorInvalid
    return int(cursor)
