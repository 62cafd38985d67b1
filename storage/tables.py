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

from sqlalchemy import JSON, BigInteger, DateTime, Index, Table, UniqueConstraint, text
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
    __table_args__ = (
        Index("runs_by_start", "started_at", "run"),
        Index("runs_by_customer", "customer", "run"),
        # What lists narrow by, order by or count: rows are wide, and most are closed. Without what has no bounded length (variants
        # that hold together have a name as long as all of theirs): PostgreSQL writes no row whose entry exceeds 2,700 bytes.
        Index(
            "runs_standing", "state", "health", "waiting_on", "stage", "outcome", "definition", "owner", "segment", "wave",
            "month", "due_at", "promised_at", "waiting_since", "started_at", "live_at", "first_value_at", "on_time",
            "forecast_late_at", "customer", "run",
        ),
    )  # fmt: skip
    run: str = Field(primary_key=True)
    customer: str
    definition: str = Field(index=True)
    version: int = Field(sa_type=BigInteger)
    hash: str
    variant: str
    segment: str
    wave: str
    state: str
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
    counted_from: datetime = Field(sa_type=UtcInstant)
    month: str
    first_promised_at: datetime | None = Field(sa_type=UtcInstant)
    owed_at: datetime | None = Field(sa_type=UtcInstant)
    on_time: bool | None
    first_value_at: datetime | None = Field(sa_type=UtcInstant)
    live_at: datetime | None = Field(sa_type=UtcInstant)
    time_to_first_value: int | None = Field(sa_type=BigInteger)
    time_to_live: int | None = Field(sa_type=BigInteger)
    elapsed: int | None = Field(sa_type=BigInteger)
    customer_seconds: int = Field(sa_type=BigInteger)
    provider_seconds: int = Field(sa_type=BigInteger)
    third_party_seconds: int = Field(sa_type=BigInteger)
    hold_seconds: int = Field(sa_type=BigInteger)
    off_hours_seconds: int = Field(sa_type=BigInteger)
    handoff_seconds: int = Field(sa_type=BigInteger)
    longest_silence: int = Field(sa_type=BigInteger)
    rounds: int
    requests: int
    first_pass: int
    customer_due: int
    customer_on_time: int
    forecast_at: datetime | None = Field(sa_type=UtcInstant)
    forecast_late_at: datetime | None = Field(sa_type=UtcInstant)
    forecast_runs: int | None
    forecast_item: str | None
    forget_at: datetime | None = Field(sa_type=UtcInstant)
    chain: str
    batch: str
    decided_at: datetime | None = Field(sa_type=UtcInstant)


class OfRun(SQLModel):
    """What every row of a run says first: whose it is, and by which definition it came about."""

    run: str = Field(primary_key=True, foreign_key="runs.run")
    definition: str
    version: int = Field(sa_type=BigInteger)
    variant: str
    hash: str


class StageRecord(OfRun, table=True):
    """A stage in one visit, as it stands now."""

    __tablename__ = "stages"
    __table_args__ = (
        # In the order of a question for one stage; whoever asks for an owner reads all open ones, which are few.
        Index("stages_open", "stage", "owner", "run", sqlite_where=text("status = 'open'"), postgresql_where=text("status = 'open'")),
        # A report reads all of this index and nothing else, in the order in which it groups.
        Index(
            "stages_by_time", "definition", "version", "variant", "stage", "visit", "entered_at", "left_at", "target_at", "run", "place",
        ),
        Index("stages_again", "run", "stage", sqlite_where=text("visit > 1"), postgresql_where=text("visit > 1")),
    )  # fmt: skip
    stage: str = Field(primary_key=True)
    visit: int = Field(primary_key=True)
    place: int
    title: str
    owner: str
    status: str
    milestone: str | None
    entered_at: datetime | None = Field(sa_type=UtcInstant)
    left_at: datetime | None = Field(sa_type=UtcInstant)
    target_at: datetime | None = Field(sa_type=UtcInstant)


class ItemRecord(OfRun, table=True):
    """An item in one round, as it stands now."""

    __tablename__ = "items"
    __table_args__ = (Index("items_by_owner", "owner", "status"),)
    item: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    stage: str
    kind: str
    title: str
    status: str
    owner: str
    side: str
    asked: str
    clock: str
    optional: bool
    opened_at: datetime | None = Field(sa_type=UtcInstant)
    due_at: datetime | None = Field(sa_type=UtcInstant)
    promised_at: datetime | None = Field(sa_type=UtcInstant)
    answered_at: datetime | None = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(sa_type=UtcInstant)
    late: bool
    tacit: bool
    outcome: str | None
    steps: int
    mark: str | None
    stands_for: str | None
    blocks: tuple[str, ...] = Field(sa_type=Words)


class LedgerRecord(OfRun, table=True):
    """A closed stretch of a run's time; written once."""

    __tablename__ = "ledger"
    n: int = Field(primary_key=True)
    item: str
    stage: str
    round: int
    side: str
    who: str
    held_side: str | None
    clock: str
    since: datetime = Field(sa_type=UtcInstant)
    to: datetime = Field(sa_type=UtcInstant)
    seconds: int
    working_seconds: int


class MilestoneRecord(OfRun, table=True):
    """A milestone that a run has reached."""

    __tablename__ = "milestones"
    name: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcInstant)
    seconds: int = Field(sa_type=BigInteger)


class HandoffRecord(OfRun, table=True):
    """The n-th time that something was handed over."""

    __tablename__ = "handoffs"
    item: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    giver: str
    receiver: str
    released_at: datetime = Field(sa_type=UtcInstant)
    ended_at: datetime | None = Field(sa_type=UtcInstant)
    accepted: bool | None
    outcome: str | None
    seconds: int | None = Field(sa_type=BigInteger)


class PromiseRecord(OfRun, table=True):
    """A date that the customer was told; written once."""

    __tablename__ = "promises"
    n: int = Field(primary_key=True)
    kind: str
    name: str
    due_at: datetime = Field(sa_type=UtcInstant)
    at: datetime = Field(sa_type=UtcInstant)
    to: str
    by: str
    cause: str
    side: str
    reason: str


class FaultRecord(OfRun, table=True):
    """What was wrong in an answer or a refused signal, by place; written once. Holds no values."""

    __tablename__ = "faults"
    source: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    k: int = Field(primary_key=True)
    place: str
    code: str
    at: datetime = Field(sa_type=UtcInstant)


class WaitingRecord(OfRun, table=True):
    """What waits for a person now: one row for everybody who may act."""

    __tablename__ = "waiting"
    __table_args__ = (
        Index("waiting_by_person", "person", "due_at", "run", "kind", "about"),
        Index("waiting_by_role", "role", "due_at", "run", "kind", "about"),
        Index("waiting_by_date", "due_at", "status", "kind", "run"),
    )
    kind: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    stage: str
    item: str | None
    round: int
    role: str
    first: bool
    title: str
    status: str
    side: str
    since: datetime | None = Field(sa_type=UtcInstant)
    due_at: datetime | None = Field(sa_type=UtcInstant)
    waits_for: str
    stands_for: str | None
    mark: str | None
    blocks: tuple[str, ...] = Field(sa_type=Words)


class TrailRecord(OfRun, table=True):
    """Who did what on whose behalf, and what that has made of the record; written once."""

    __tablename__ = "trail"
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
    changes: dict[str, dict[str, Any]] = Field(sa_type=JSON)
    said: str | None
    """Of an entry whose sentence was erased: its SHA-256, which the digest covers."""


class RefusedRecord(OfRun, table=True):
    """A signal that changed nothing, and why; written once."""

    __tablename__ = "refused"
    n: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcInstant)
    via: str
    name: str
    message_id: str
    code: str
    sentence: str
    item: str | None


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
