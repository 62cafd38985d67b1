"""What can be read about all runs without asking one of them: one row for each run and each open item.

Rows are ready for JSON: instants are texts in UTC. Reads that can grow answer
`{"rows", "next_cursor"}`; the cursor is the key of the last row, so that a page stays right while rows
are written. Everything raises `DatabaseUnavailable` when the database fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Unpack, cast

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, exists, or_, select

from onboarding import limits
from onboarding.errors import OnboardingError
from storage import rows
from storage.engine import reading
from storage.tables import ITEMS, LEDGER, NOTICES, REFUSED, RUNS, STAGES, TRAIL


class CursorInvalid(OnboardingError):
    """A cursor is none of ours.

    Raised by the paged reads. Give the `next_cursor` of the page before unchanged, or none; catch it at
    a door and leave as for wrong usage.
    """

    def __str__(self) -> str:
        return "This cursor cannot be read: give the next_cursor of the page before, or leave it out."


class Filters(TypedDict, total=False):
    """What `list` can be narrowed to; each may be a text, or several of which one must fit."""

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


class ReadTable:
    """Reads over the rows that `SqlRecordStore` writes."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def runs(
        self,
        *,
        ids: Sequence[str] = (),
        limit: int = limits.PAGE,
        cursor: str | None = None,
        **filters: Unpack[Filters],
    ) -> dict[str, Any]:
        """Lines of `list`, ordered by run. `stage` and `owner` also find stages that are open beside the first."""
        query = select(RUNS).order_by(RUNS.c.run)
        if ids:
            query = query.where(RUNS.c.run.in_(ids))
        if cursor is not None:
            query = query.where(RUNS.c.run > cursor)
        for name, wanted in cast("dict[str, str | Sequence[str]]", filters).items():
            query = query.where(_fits(name, [wanted] if isinstance(wanted, str) else wanted))
        return self._page(query, limit, rows.run_shape, lambda row: str(row.run))

    def find(self, run: str) -> dict[str, Any] | None:
        """The line of one run, or `None` for a run that is not known here."""
        with reading(self._engine) as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.run == run)).first()
        return None if row is None else rows.run_shape(row)

    def closed(self, run: str) -> bool:
        """Whether the run is known and closed: what tells `closed` from `unknown` after the retention."""
        found = self.find(run)
        return found is not None and found["state"] == "closed"

    def inbox(self, person: str, *, limit: int = limits.PAGE, cursor: str | None = None) -> dict[str, Any]:
        """The open items that a person has, over all open runs, the most urgent first."""
        newer = ITEMS.alias()
        query = (
            select(ITEMS)
            .join(RUNS, RUNS.c.run == ITEMS.c.run)
            .where(
                ITEMS.c.owner == person,
                ITEMS.c.status.in_(rows.OPEN),
                RUNS.c.closed_at.is_(None),
                ~exists().where(
                    newer.c.run == ITEMS.c.run,
                    newer.c.item == ITEMS.c.item,
                    newer.c.round > ITEMS.c.round,
                ),
            )
            .order_by(ITEMS.c.due_at.is_(None), ITEMS.c.due_at, ITEMS.c.run, ITEMS.c.item)
        )
        start = _number(cursor)
        page = self._page(query.offset(start), limit, lambda row: rows.item_shape(row, row.run), lambda _: "")
        if page["next_cursor"] is not None:
            page["next_cursor"] = str(start + limit)
        return page

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

    def outbox(self, run: str | None = None, *, limit: int = limits.PAGE, cursor: str | None = None) -> dict[str, Any]:
        """What was sent or would be, oldest first, of one run or of all."""
        query = select(NOTICES).where(NOTICES.c.at.is_not(None))
        if run is not None:
            query = query.where(NOTICES.c.run == run)
        with reading(self._engine) as connection:
            if cursor is not None:
                query = query.where(_later_than(connection, cursor))
            found = connection.execute(query.order_by(NOTICES.c.at, NOTICES.c.key).limit(limit + 1)).all()
        lines = [rows.notice_shape(row, row.state) for row in found[:limit]]
        return {"rows": lines, "next_cursor": lines[-1]["key"] if len(found) > limit else None}

    def _page(
        self,
        query: Select[Any],
        limit: int,
        shape: Callable[[Any], dict[str, Any]],
        key: Callable[[Any], str],
    ) -> dict[str, Any]:
        with reading(self._engine) as connection:
            found = connection.execute(query.limit(limit + 1)).all()
        page = [shape(row) for row in found[:limit]]
        return {"rows": page, "next_cursor": key(found[limit - 1]) if len(found) > limit else None}

    def _numbered(
        self,
        table: Table,
        run: str,
        shape: Callable[[Any], dict[str, Any]],
        first: int,
        limit: int,
    ) -> dict[str, Any]:
        query = (
            select(table).where(table.c.run == run, table.c.n >= first).order_by(table.c.n)
        )  # fmt: skip
        return self._page(query, limit, shape, lambda row: str(row.n))

    def _all(self, table: Table, run: str, shape: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        query = select(table).where(table.c.run == run).order_by(*table.primary_key)
        with reading(self._engine) as connection:
            return [shape(row) for row in connection.execute(query)]


def _fits(name: str, wanted: Sequence[str]) -> ColumnElement[bool]:
    fits = RUNS.c[name].in_(wanted)
    if name not in ("stage", "owner"):
        return fits
    beside = exists().where(STAGES.c.run == RUNS.c.run, STAGES.c.status == "open", STAGES.c[name].in_(wanted))
    return or_(fits, beside)


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
