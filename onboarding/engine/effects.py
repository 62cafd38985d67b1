"""Everything a run can ask of the world, as values. The shell performs them in order; the machine never waits for one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from onboarding.engine.state import RefusedEntry, RunState, TrailEntry
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

    @property
    def leaves_at(self) -> datetime:
        """When it is on its way to its reader."""
        return self.not_before or self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverNotice:
    """Send this notice."""

    notice: Notice


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
    since: datetime
    to: datetime
    seconds: int
    working_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An item in one round, as it stands now; the read table of open items and the record of closed ones."""

    item: str
    round: int
    stage: str
    kind: str
    title: str
    status: str
    owner: str
    side: str
    optional: bool
    opened_at: datetime | None
    due_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    late: bool
    tacit: bool
    outcome: str | None
    steps: int
    blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage in one visit, as it stands now."""

    stage: str
    visit: int
    title: str
    owner: str
    status: str
    entered_at: datetime | None
    left_at: datetime | None
    target_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands now: what lists show and reports count."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the machine says to an event: the new state, the answer to a message, what the world must do, in order."""

    state: RunState
    effects: tuple[Effect, ...] = ()
    verdict: Verdict | None = None
