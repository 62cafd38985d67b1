"""The outbox: what would be sent to whom, and what became of it. Fulfils `integrations.outbox.NoticeStore`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from onboarding.engine.effects import Notice, WriteRecords
from onboarding.ports import HeldNotice
from storage.engine import reading, writing
from storage.rows import values_of
from storage.standing import is_erased
from storage.tables import NOTICES, RUNS

_CONTENT = tuple(field.name for field in fields(Notice))


class SqlNoticeStore:
    """Notices in the `notices` table, once for each key, whoever brings them first."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def keep(self, notice: Notice) -> str:
        """Keeps a notice as pending unless its key is known; its state now. To a run that was erased nobody writes any more."""
        with writing(self._engine) as connection:
            if is_erased(connection, notice.run):
                return "withdrawn"
            add(connection, notice, _now())
            return _state(connection, notice.key) or "pending"

    def settle(self, key: str, state: str, at: datetime) -> bool:
        """Turns a pending or failed notice into `sent` or `failed`; `False` when it was not either."""
        sent_at = at if state == "sent" else None
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(NOTICES)
                .where(NOTICES.c.key == key, NOTICES.c.state.in_(("pending", "failed")))
                .values(state=state, sent_at=sent_at, changed_at=at)
            )
            return changed.rowcount == 1

    def early(self, key: str) -> None:
        """The notice waits for nothing any more but its reader's hours: its rows are history."""
        with writing(self._engine) as connection:
            waits = and_(NOTICES.c.key == key, NOTICES.c.state == "pending")
            connection.execute(update(NOTICES).where(waits).values(batch=None, execution=None))

    def ripe(self, most: int, now: datetime) -> Sequence[Notice]:
        """Notices whose reader's hours have come, the longest waiting first."""
        waits = and_(NOTICES.c.state == "pending", NOTICES.c.batch.is_(None), NOTICES.c.not_before <= now)
        query = select(NOTICES).where(waits).order_by(NOTICES.c.not_before, NOTICES.c.key).limit(most)
        with reading(self._engine) as connection:
            return tuple(_notice(row) for row in connection.execute(query).mappings())

    def held(self, most: int, before: datetime | None = None) -> Sequence[HeldNotice]:
        """Notices that wait for their rows to be history, the longest waiting first; only those that have since `before`."""
        stands = RUNS.c.batch.label("stands")
        query = select(NOTICES, stands).join(RUNS, RUNS.c.run == NOTICES.c.run, isouter=True)
        query = query.where(NOTICES.c.state == "pending", NOTICES.c.batch.is_not(None))
        if before is not None:
            query = query.where(NOTICES.c.changed_at <= before)
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(NOTICES.c.changed_at).limit(most)).mappings().all()
        return tuple(
            HeldNotice(_notice(row), row["batch"], row["execution"], row["stands"] or row["batch"]) for row in found
        )

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""
        with writing(self._engine) as connection:
            forget(connection, run, batch)

    def withdraw(self, key: str) -> bool:
        """`True` when nobody will read the notice: not sent yet, or not even known (and then never sent)."""
        with writing(self._engine) as connection:
            return withdraw(connection, key, _now())


def add(connection: Connection, notice: Notice, at: datetime, records: WriteRecords | None = None) -> None:
    """Inserts a notice as pending; nothing happens when its key is known, also as withdrawn.

    One that waits for its rows to be history is replaced: if the turn was decided again, this is what it says now.
    """
    source = {"batch": records.id, "execution": records.execution} if records else {"batch": None, "execution": None}
    row = values_of(notice) | {"state": "pending", "changed_at": at, "sent_at": None} | source
    connection.execute(_adding(connection.dialect.name, tuple(row), records is not None), row)


@functools.cache
def _adding(dialect: str, names: tuple[str, ...], may_replace: bool) -> Any:
    """The statement of `add`: to build it takes longer than to run it."""
    statement = insert_in(dialect, NOTICES)
    if not may_replace:
        return statement.on_conflict_do_nothing()
    changed = {name: statement.excluded[name] for name in names if name != "key"}
    waits = and_(NOTICES.c.state == "pending", NOTICES.c.batch.is_not(None))
    return statement.on_conflict_do_update(index_elements=["key"], set_=changed, where=waits)


def forget(connection: Connection, run: str, batch: str) -> None:
    """As `SqlNoticeStore.forget`, in the caller's transaction."""
    waits = and_(NOTICES.c.run == run, NOTICES.c.batch == batch, NOTICES.c.state == "pending")
    connection.execute(delete(NOTICES).where(waits))


def withdraw(connection: Connection, key: str, at: datetime) -> bool:
    """As `SqlNoticeStore.withdraw`, in the caller's transaction."""
    tombstone = {"key": key, "state": "withdrawn", "changed_at": at, "lines": (), "items": ()}
    connection.execute(insert(connection, NOTICES).values(tombstone).on_conflict_do_nothing())
    connection.execute(
        update(NOTICES)
        .where(NOTICES.c.key == key, NOTICES.c.state.in_(("pending", "failed")))
        .values(state="withdrawn", changed_at=at)
    )
    return _state(connection, key) == "withdrawn"


def insert(connection: Connection, table: Table) -> Any:
    """An insert that can say what happens on a conflict: both dialects spell it alike, the common one not at all."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> Any:
    """The same without a connection, for a statement that is kept."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def _notice(row: Mapping[Any, Any]) -> Notice:
    return Notice(**{name: row[name] for name in _CONTENT})


def _state(connection: Connection, key: str) -> str | None:
    return connection.execute(select(NOTICES.c.state).where(NOTICES.c.key == key)).scalar()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
