"""The tables, as they stand in the database, named from here for whoever reads or writes rows; those of a run are in `run_tables.py`.

A row is a value of the core and the run it belongs to. Here are the tables of what leaves a run, of people, keys and erasures. Nothing is
validated (a table class of SQLModel accepts anything): only checked values of the core become rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.columns import UtcInstant as UtcInstant, Words as Words
from storage.run_tables import OfRun as OfRun


class NoticeRecord(SQLModel, table=True):
    """The outbox. `state` is pending, sent, withdrawn or failed.

    A key that was withdrawn before its notice came has a row without content, so that the notice does
    nothing when it comes. A notice may be earlier than the first row of its run: no foreign key.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("notices_by_run", "run", "at"),
        Index("notices_by_state", "state", "changed_at"),
        Index("notices_due", "state", "next_at"),
    )
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
    side: str | None
    """On which side its reader is."""
    batch: str | None
    """The rows it came with, and the execution that decided them: it leaves once these are history."""
    execution: str | None
    ready_at: datetime | None = Field(sa_type=UtcInstant)
    """Since when it could leave: how long it is tried counts from here. `next_at`: not before that; empty while it waits for history."""
    next_at: datetime | None = Field(sa_type=UtcInstant)
    leased_until: datetime | None = Field(sa_type=UtcInstant)
    """Until then one sender has it. One whose lease ran out may have left."""
    tries: int | None
    doubtful: bool | None
    """Whether a try that did not succeed may have reached its reader all the same."""
    recalled: bool | None
    """Taken back while it was being tried: it is not tried again."""
    last_code: str | None
    """Why it has not left."""
    sent_by: str | None
    """The channel that took it."""
    reason: str | None
    """Why somebody dropped it, in their words."""


class EventRecord(OfRun, table=True):
    """Something that other systems are told: the n-th of its run. Holds ids, instants and numbers, nothing that a person said."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_held", "run", "batch", sqlite_where=text("batch IS NOT NULL"), postgresql_where=text("batch IS NOT NULL")),
        Index("events_by_instant", "at", "run", "n"),
    )  # fmt: skip
    n: int = Field(primary_key=True)
    id: str
    type: str
    at: datetime = Field(sa_type=UtcInstant)
    subject: str
    data: dict[str, Any] = Field(sa_type=JSON)
    to: tuple[str, ...] = Field(sa_type=Words)
    """The webhooks that want it."""
    batch: str | None
    """The rows it came with, and the execution that decided them: it leaves once these are history."""
    execution: str | None


class EventCursorRecord(SQLModel, table=True):
    """How far a webhook is in the events of a run: all up to `sent` have arrived, the last one that may leave is `last`.

    A lease (`leased_until`, `leased_by`) keeps two workers from sending the same at the same time. `parked` waits for a person.
    """

    __tablename__ = "event_cursors"
    __table_args__ = (
        Index(
            "event_cursors_behind", "webhook", "changed_at", "run",
            sqlite_where=text("sent < last"), postgresql_where=text("sent < last"),
        ),
        Index("event_cursors_by_run", "run"),
    )  # fmt: skip
    webhook: str = Field(primary_key=True)
    run: str = Field(primary_key=True)
    sent: int
    last: int
    tries: int
    parked: bool
    code: str | None
    """Why the last attempt failed."""
    next_at: datetime | None = Field(sa_type=UtcInstant)
    leased_until: datetime | None = Field(sa_type=UtcInstant)
    leased_by: str | None
    changed_at: datetime = Field(sa_type=UtcInstant)


class PersonRecord(SQLModel, table=True):
    """How to reach whoever holds a role in a run: the only table with personal data."""

    __tablename__ = "people"
    run: str = Field(primary_key=True)
    handle: str = Field(primary_key=True)
    role: str = Field(primary_key=True)
    address: str | None
    name: str | None
    zone: str | None
    language: str | None
    """In which letters are written to them; where it is empty, in that of the installation."""


class KeyRecord(SQLModel, table=True):
    """A key under which the payloads of one customer are encrypted, itself encrypted by a master key that is not in the database.

    `state` is active (one for each customer), retired (still opens what it has closed) or destroyed (`wrapped` is empty).
    """

    __tablename__ = "customer_keys"
    __table_args__ = (
        UniqueConstraint("id", name="customer_keys_id"),
        Index(
            "customer_keys_active", "customer", unique=True,
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
        Index("customer_keys_by_master", "master", "customer", "generation"),
    )  # fmt: skip
    customer: str = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    id: str
    master: str
    wrapped: bytes
    state: str
    created_at: datetime = Field(sa_type=UtcInstant)
    retired_at: datetime | None = Field(sa_type=UtcInstant)
    destroyed_at: datetime | None = Field(sa_type=UtcInstant)


class ErasureRecord(SQLModel, table=True):
    """A run of which everything that people said was erased: when, by whom, how much. Holds nothing of what it was.

    `gone_at` is empty until the server has no history of the run any more. There may be a history without rows: no foreign key.
    """

    __tablename__ = "erasures"
    run: str = Field(primary_key=True)
    customer: str = Field(index=True)
    at: datetime = Field(sa_type=UtcInstant)
    by: str
    cause: str
    people: int
    notices: int
    sentences: int
    histories: int
    gone_at: datetime | None = Field(sa_type=UtcInstant)


class HookWaitRecord(SQLModel, table=True):
    """A hook whose answer comes later, and the attempt of the server that waits for it. Goes when the answer has come.

    It may be there before the first row of its run: no foreign key. No value of a run is in it.
    """

    __tablename__ = "hook_waits"
    key: str = Field(primary_key=True)
    run: str = Field(index=True)
    hook: str
    about: str
    token: bytes
    activity: str
    execution: str
    since: datetime = Field(sa_type=UtcInstant)
    ends_at: datetime = Field(sa_type=UtcInstant)
    progress: str
    poll: str
    every: int
    poll_at: datetime | None = Field(sa_type=UtcInstant)
    beat_at: datetime | None = Field(sa_type=UtcInstant)


_TABLES = SQLModel.metadata.tables
RUNS: Table = _TABLES["runs"]
STAGES: Table = _TABLES["stages"]
ITEMS: Table = _TABLES["items"]
LEDGER: Table = _TABLES["ledger"]
TRAIL: Table = _TABLES["trail"]
REFUSED: Table = _TABLES["refused"]
MILESTONES: Table = _TABLES["milestones"]
HANDOFFS: Table = _TABLES["handoffs"]
PROMISES: Table = _TABLES["promises"]
FAULTS: Table = _TABLES["faults"]
WAITING: Table = _TABLES["waiting"]
NOTICES: Table = _TABLES["notices"]
EVENTS: Table = _TABLES["events"]
EVENT_CURSORS: Table = _TABLES["event_cursors"]
PEOPLE: Table = _TABLES["people"]
KEYS: Table = _TABLES["customer_keys"]
ERASURES: Table = _TABLES["erasures"]
HOOK_WAITS: Table = _TABLES["hook_waits"]
ALL: tuple[Table, ...] = (
    RUNS, STAGES, ITEMS, LEDGER, MILESTONES, HANDOFFS, PROMISES, FAULTS, WAITING, TRAIL, REFUSED, NOTICES, EVENTS, EVENT_CURSORS,
    PEOPLE, KEYS, ERASURES, HOOK_WAITS,
)  # fmt: skip
