"""Everything a run can ask of the world, as values. The shell performs them in order; the machine never waits for one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import pydantic

from onboarding.engine.copies import quick
from onboarding.engine.state import EmittedEvent, Promise, RefusedEntry, RunState, TrailEntry
from onboarding.messages import Verdict


class NoticeKind(StrEnum):
    """What a notice is for."""

    ASK = "ask"
    RECEIPT = "receipt"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    RETRACTION = "retraction"
    DIGEST = "digest"
    SILENCE = "silence"
    HANDOFF = "handoff"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to one person. `key` is its identity for ever: the same key is the same notice, however often it is tried.

    `to` is a handle; addresses are looked up at sending time. `lines` say what is missing, who acts next, by when.
    """

    key: str
    kind: NoticeKind
    to: str
    template: str
    subject: str
    lines: tuple[str, ...]
    run: str
    customer: str
    at: datetime
    stage: str | None = None
    item: str | None = None
    round: int = 1
    step: int = 0
    items: tuple[str, ...] = ()
    """All items of a bundle that this person must answer."""
    channel: str = "mail"
    not_before: datetime | None = None
    """The reader's next working instant, where that is later: until then it waits in the outbox."""
    retracts: tuple[str, ...] = ()
    """Keys of what it calls off. If none of them has left it does not leave either; without any it always does."""
    side: str = ""
    """On which side its reader is."""

    @property
    def leaves_at(self) -> datetime:
        """When it is on its way to its reader."""
        return self.not_before or self.at


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverNotice:
    """Send this notice."""

    notice: Notice


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RunHook:
    """Call the registered activity. `check` is the place of a check in its request, or `None` for a hook."""

    key: str
    activity: str
    stage: str
    item: str | None
    title: str
    round: int
    check: int | None
    arguments: dict[str, Any]
    attempts: int
    backoff: float
    timeout_seconds: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A closed stretch of the run's time: `seconds` in all, `working_seconds` of them on the clock of whoever had it."""

    n: int
    item: str
    stage: str
    round: int
    side: str
    who: str
    held_side: str | None
    clock: str
    since: datetime
    to: datetime
    seconds: int
    working_seconds: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An item in one round, as it stands now: whoever had it last is its owner, and `asked` the side that it was asked of."""

    item: str
    round: int
    stage: str
    kind: str
    title: str
    status: str
    owner: str
    side: str
    asked: str
    clock: str
    optional: bool
    opened_at: datetime | None
    due_at: datetime | None
    promised_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    late: bool
    tacit: bool
    outcome: str | None
    steps: int
    mark: str | None
    stands_for: str | None
    blocks: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage in one visit, as it stands now."""

    stage: str
    visit: int
    place: int
    title: str
    owner: str
    status: str
    milestone: str | None
    entered_at: datetime | None
    left_at: datetime | None
    target_at: datetime | None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRow:
    """A milestone that is reached, and how long after the instant that the run is counted from."""

    name: str
    at: datetime
    seconds: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffRow:
    """The n-th time that something was handed over. `seconds` until it ended, without those of a hold; `None` while it waits."""

    item: str
    n: int
    giver: str
    receiver: str
    released_at: datetime
    ended_at: datetime | None
    accepted: bool | None
    outcome: str | None
    seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One thing that was wrong in an answer that went back (the n-th of its item), or in the n-th refused signal. No value is in it."""

    source: str
    item: str
    n: int
    k: int
    place: str
    code: str
    at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """Something waits for a person: an open item, the gate of a stage, the review of a hold, a debt.

    One row for everybody who may act; `first` is the one who answers for it.
    """

    kind: str
    about: str
    person: str
    stage: str
    item: str | None
    round: int
    role: str
    first: bool
    title: str
    status: str
    side: str
    since: datetime | None
    due_at: datetime | None
    waits_for: str
    stands_for: str | None
    mark: str | None
    blocks: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands now: what lists show and reports count.

    Times are whole seconds. Of an open run `customer_seconds` and its neighbours hold the stretches that are closed; of a closed one they
    add up to `elapsed`.
    """

    run: str
    customer: str
    definition: str
    version: int
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
    waiting_since: datetime | None
    signed_at: datetime | None
    started_at: datetime
    closed_at: datetime | None
    promised_at: datetime | None
    due_at: datetime | None
    first_value: bool
    milestones: dict[str, datetime]
    metrics: dict[str, int | None]
    asks: int
    escalations: int
    refused: int
    counted_from: datetime
    """When it was signed, else when it started: what the times to a milestone are counted from."""
    month: str
    first_promised_at: datetime | None
    owed_at: datetime | None
    on_time: bool | None
    first_value_at: datetime | None
    live_at: datetime | None
    time_to_first_value: int | None
    time_to_live: int | None
    elapsed: int | None
    customer_seconds: int
    provider_seconds: int
    third_party_seconds: int
    hold_seconds: int
    off_hours_seconds: int
    handoff_seconds: int
    longest_silence: int
    rounds: int
    requests: int
    """Requests of the customer that are done; `first_pass`: those of them that were right at once."""
    first_pass: int
    customer_due: int
    """Rounds of the customer's items that had a due date and were answered or overdue; `customer_on_time`: those answered by then."""
    customer_on_time: int
    forecast_at: datetime | None
    """When it is expected to go live as of its last turn, see `forecast.py`; `None` for a run that is live or over."""
    forecast_late_at: datetime | None
    forecast_runs: int | None
    forecast_item: str | None
    forget_at: datetime | None = None
    """When what people said in it is to be erased; `None` for an open run, and where its definition keeps everything."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecords:
    """The rows of one or more turns, written together or not at all. Every row has a natural key within the run.

    Batches form a chain, see docs/decisions/0004-rows-of-a-turn.md: `follows` names the batch that stands before this one in
    the history of the run. A `whole` batch follows nothing: it brings all that stands now and replaces what does not.
    """

    run: RunRow
    trail: tuple[TrailEntry, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    items: tuple[ItemRow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    refused: tuple[RefusedEntry, ...] = ()
    milestones: tuple[MilestoneRow, ...] | None = None
    """All that are reached, where that has changed."""
    handoffs: tuple[HandoffRow, ...] = ()
    promises: tuple[Promise, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    events: Annotated[tuple[EmittedEvent, ...], pydantic.Field(exclude_if=lambda events: not events)] = ()
    """What the outside is told. It leaves like a notice, once these rows are history."""
    event_count: Annotated[int, pydantic.Field(exclude_if=lambda count: not count)] = 0
    """Of a whole batch: the number of the last event of the run, which may come in a batch behind this one."""
    waiting: tuple[WaitingRow, ...] = ()
    waited: tuple[tuple[str, str], ...] = ()
    """What `waiting` tells anew, by kind and name: what stood there before is gone. A whole batch tells everything anew."""
    notices: tuple[Notice, ...] = ()
    withdrawn: tuple[str, ...] = ()
    id: str = ""
    """Digest of this batch and of the one it follows: the same rows in the same place are the same batch."""
    follows: str = ""
    """The batch before this one; empty for the first."""
    whole: bool = False
    chain: str = ""
    """The first execution of the run. Another one under the same name must not write among its rows."""
    execution: str = ""
    """The execution that decided this; its history tells whether it did."""
    decided_at: datetime | None = None


Effect = DeliverNotice | RunHook | WriteRecords


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the machine says to an event: the new state, the answer to a message, what the world must do, in order."""

    state: RunState
    effects: tuple[Effect, ...] = ()
    verdict: Verdict | None = None
