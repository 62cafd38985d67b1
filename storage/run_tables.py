"""The tables of what a run has decided, as it wrote it: the run, its stages and items, its time, its trail.

Column names are those of `onboarding.engine.effects` and `.state`, and the natural key is the primary key, so that nothing can be
stored twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instants, UtcInstant, Words


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
