"""The tables, as they stand in the database: the only place with `table=True`.

A row is a value of the core and the run it belongs to: column names are those of
`onboarding.engine.effects` and `.state`, and the natural key is the primary key, so that nothing can be
stored twice. Nothing is validated here (a table class of SQLModel accepts anything): only checked
values of the core become rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Index, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC. SQLite drops zones, so they are taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database. Raises `ValueError` for an instant without an offset: nobody knows when it was."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("an instant without an offset is not stored")
        inside = value.astimezone(UTC)
        return inside.replace(tzinfo=None) if dialect.name == "sqlite" else inside

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database: always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Instants(TypeDecorator[dict[str, datetime]]):
    """Names with an instant each (milestones), as one JSON object."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, datetime] | None, dialect: Dialect) -> Any:
        """Into the database, as text in UTC."""
        return {name: at.astimezone(UTC).isoformat() for name, at in (value or {}).items()}

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, datetime]:
        """Out of the database."""
        return {name: datetime.fromisoformat(at) for name, at in (value or {}).items()}


class Words(TypeDecorator[tuple[str, ...]]):
    """Several texts in order, as one JSON list."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        """Into the database."""
        return list(value or ())

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        """Out of the database."""
        return tuple(value or ())


class RunRecord(SQLModel, table=True):
    """A run as it stands now. The last three say which batch of rows that is, see `storage/records.py`."""

    __tablename__ = "runs"
    __table_args__ = (Index("runs_by_start", "started_at", "run"),)
    run: str = Field(primary_key=True)
    customer: str
    definition: str = Field(index=True)
    version: int = Field(sa_type=BigInteger)
    hash: str
    variant: str
    segment: str
    wave: str
    state: str = Field(index=True)
    outcome: str | None
    health: str
    stage: str
    owner: str
    waiting_on: str
    waiting_since: datetime | None = Field(sa_type=UtcInstant)
    signed_at: datetime | None = Field(sa_type=UtcInstant)
    started_at: datetime = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(sa_type=UtcInstant)
    promised_at: datetime | None = Field(sa_type=UtcInstant)
    due_at: datetime | None = Field(sa_type=UtcInstant)
    first_value: bool
    milestones: dict[str, datetime] = Field(sa_type=Instants)
    metrics: dict[str, int | None] = Field(sa_type=JSON)
    asks: int
    escalations: int
    refused: int
    chain: str
    batch: str
    decided_at: datetime | None = Field(sa_type=UtcInstant)


class StageRecord(SQLModel, table=True):
    """A stage in one visit, as it stands now."""

    __tablename__ = "stages"
    run: str = Field(primary_key=True, foreign_key="runs.run")
    stage: str = Field(primary_key=True)
    visit: int = Field(primary_key=True)
    title: str
    owner: str
    status: str
    entered_at: datetime | None = Field(sa_type=UtcInstant)
    left_at: datetime | None = Field(sa_type=UtcInstant)
    target_at: datetime | None = Field(sa_type=UtcInstant)


class ItemRecord(SQLModel, table=True):
    """An item in one round, as it stands now."""

    __tablename__ = "items"
    __table_args__ = (Index("items_by_owner", "owner", "status"),)
    run: str = Field(primary_key=True, foreign_key="runs.run")
    item: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    stage: str
    kind: str
    title: str
    status: str
    owner: str
    side: str
    optional: bool
    opened_at: datetime | None = Field(sa_type=UtcInstant)
    due_at: datetime | None = Field(sa_type=UtcInstant)
    answered_at: datetime | None = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(sa_type=UtcInstant)
    late: bool
    tacit: bool
    outcome: str | None
    steps: int
    blocks: tuple[str, ...] = Field(sa_type=Words)


class LedgerRecord(SQLModel, table=True):
    """A closed stretch of a run's time; written once."""

    __tablename__ = "ledger"
    run: str = Field(primary_key=True, foreign_key="runs.run")
    n: int = Field(primary_key=True)
    item: str
    stage: str
    round: int
    side: str
    who: str
    held_side: str | None
    since: datetime = Field(sa_type=UtcInstant)
    to: datetime = Field(sa_type=UtcInstant)
    seconds: int
    working_seconds: int


class TrailRecord(SQLModel, table=True):
    """Who did what on whose behalf; written once."""

    __tablename__ = "trail"
    run: str = Field(primary_key=True, foreign_key="runs.run")
    n: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcInstant)
    actor: str
    on_behalf_of: str | None
    channel: str | None
    message: str
    item: str | None
    outcome: str
    code: str
    message_id: str | None
    digest: str
    sentence: str


class RefusedRecord(SQLModel, table=True):
    """A signal that changed nothing, and why; written once."""

    __tablename__ = "refused"
    run: str = Field(primary_key=True, foreign_key="runs.run")
    n: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcInstant)
    via: str
    name: str
    message_id: str
    code: str
    sentence: str


class NoticeRecord(SQLModel, table=True):
    """The outbox. `state` is pending, sent, withdrawn or failed.

    A key that was withdrawn before its notice came has a row without content, so that the notice does
    nothing when it comes. A notice may be earlier than the first row of its run: no foreign key.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("notices_by_run", "run", "at"), Index("notices_by_state", "state", "changed_at"))
    key: str = Field(primary_key=True)
    state: str
    changed_at: datetime = Field(sa_type=UtcInstant)
    sent_at: datetime | None = Field(sa_type=UtcInstant)
    run: str | None
    customer: str | None
    kind: str | None
    to: str | None
    template: str | None
    subject: str | None
    lines: tuple[str, ...] = Field(sa_type=Words)
    at: datetime | None = Field(sa_type=UtcInstant)
    stage: str | None
    item: str | None
    round: int | None
    step: int | None
    items: tuple[str, ...] = Field(sa_type=Words)
    channel: str | None
    not_before: datetime | None = Field(sa_type=UtcInstant)
    """When its reader reads again, where that was later: before it nothing leaves."""
    retracts: tuple[str, ...] | None = Field(sa_type=Words)
    """Keys of what it calls off."""
    batch: str | None
    """The rows it came with, and the execution that decided them: it leaves once these are history."""
    execution: str | None


class PersonRecord(SQLModel, table=True):
    """How to reach whoever holds a role in a run: the only table with personal data."""

    __tablename__ = "people"
    run: str = Field(primary_key=True)
    handle: str = Field(primary_key=True)
    role: str = Field(primary_key=True)
    address: str | None
    name: str | None
    zone: str | None


_TABLES = SQLModel.metadata.tables
RUNS: Table = _TABLES["runs"]
STAGES: Table = _TABLES["stages"]
ITEMS: Table = _TABLES["items"]
LEDGER: Table = _TABLES["ledger"]
TRAIL: Table = _TABLES["trail"]
REFUSED: Table = _TABLES["refused"]
NOTICES: Table = _TABLES["notices"]
PEOPLE: Table = _TABLES["people"]
ALL: tuple[Table, ...] = (
    RUNS, STAGES, ITEMS, LEDGER, TRAIL, REFUSED, NOTICES, PEOPLE,
)  # fmt: skip
