"""What a run is: frozen values, nothing computed, nothing that could not be written down as JSON.

Only `engine/` builds a changed `RunState`. Dictionaries are treated as frozen too: a change makes a new one, and their order
(that of the definition) is part of the value.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import pydantic

from onboarding.engine import rules
from onboarding.engine.calendars import Calendar
from onboarding.engine.copies import quick
from onboarding.language.model import Definition, Mark, Side
from onboarding.messages import MessageFault


class RunStatus(StrEnum):
    """Where a run as a whole is."""

    RUNNING = "running"
    ON_HOLD = "on_hold"
    CLOSED = "closed"


class RunOutcome(StrEnum):
    """How a run ended."""

    LIVE = "live"
    LOST = "lost"
    CANCELLED = "cancelled"


class StageStatus(StrEnum):
    """Where a stage is."""

    NOT_READY = "not_ready"
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class ItemStatus(StrEnum):
    """Where an item is. Overdue is no status: it is a due instant in the past and the ladder step reached."""

    NOT_READY = "not_ready"
    OPEN = "open"
    ANSWERED = "answered"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    DONE = "done"
    SKIPPED = "skipped"
    WAIVED = "waived"
    CANCELLED = "cancelled"


class PlannedKind(StrEnum):
    """What the clock will do to an open item by itself."""

    REMINDER = "reminder"
    STEP = "step"
    DUE = "due"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the latest `runs` finished runs of a definition and variant took: for each stage the seconds that each of them was in it,
    and those from entering it to going live.
    """

    runs: int
    stages: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOrder:
    """The one argument of a run: everything it needs for life, fixed before it starts.

    `people` are the handles that hold each role at the start, `customer_contacts` all handles of the customer, `calendars` the
    calendars by name with their zone tables, `calendar_of` the calendar of a person where it is not that of the side.
    `inputs` hold handles where the start file gave mail addresses. `snapshot` and `rows_after`, the
    last batch of rows that was written, are set by continue-as-new alone.
    """

    run: str
    customer: str
    definition: Definition
    inputs: dict[str, Any]
    people: dict[str, tuple[str, ...]]
    customer_contacts: tuple[str, ...]
    calendars: dict[str, Calendar]
    calendar_of: dict[str, str] = field(default_factory=dict)
    input_digest: str = ""
    started_by: str = "unverified"
    rules_version: int = rules.FIRST
    history: History | None = None
    """What the forecast of this run rests on, as it was known when it started."""
    snapshot: "RunState | None" = None
    rows_after: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An instant at which the clock acts on an item. `index` is the step's place in its plan, `times` the repetition.

    `since` is the repetition before, from which this one is counted; `put_off` tells that it waits for its reader's hours or gap.
    """

    at: datetime
    kind: PlannedKind
    index: int = 0
    times: int = 1
    since: datetime | None = None
    put_off: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Somebody is told that something is not as it should be. Before `leaves_at` nobody knows of it."""

    to: str
    key: str
    leaves_at: datetime
    again: bool = False
    """They have read an earlier one, which this one stands for as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's decision in the current round of an approval."""

    handle: str
    role: str
    outcome: str
    at: datetime
    comment: str | None = None
    on_behalf_of: str | None = None
    """The absent person whose seat it is."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was delivered: values, file references, by whom, and the digest a decision is tied to."""

    fields: dict[str, Any]
    files: tuple[dict[str, Any], ...]
    by: str
    on_behalf_of: str | None
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """One item of one run. `due_at` and `planned` are computed once, when the item opens, and stored."""

    id: str
    status: ItemStatus = ItemStatus.NOT_READY
    round: int = 1
    owner: str = ""
    given: bool = False
    """Given to its owner by name, so that it does not follow the role."""
    wanted: bool = False
    """Asked for once more: its stage waits for it although it is optional."""
    hands: int = 0
    """How often it went to another owner."""
    opened_at: datetime | None = None
    due_at: datetime | None = None
    due_why: str = ""
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    answer: Answer | None = None
    answers: int = 0
    """How many answers came in the whole life of the item: each is checked under a key of its own."""
    laid_at: datetime | None = None
    """When the present dates were computed: a hold moves them by what it has lasted since."""
    counted_for: str = ""
    """On whose clock the present dates are counted: the owner of that time, for the clock goes on when the item changes hands."""
    due_base: datetime | None = None
    """The due instant as it was computed or given, before holds moved it."""
    due_from: str = ""
    """How `due_base` came about; `due_why` adds what has moved it since."""
    due_given: bool = False
    """Somebody gave the due instant, or it had passed in another calendar: none computes it anew."""
    draft_fields: dict[str, Any] = field(default_factory=dict)
    draft_files: tuple[dict[str, Any], ...] = ()
    faults: tuple[MessageFault, ...] = ()
    """Why the last answer was returned, for whoever must answer again."""
    votes: tuple[Vote, ...] = ()
    actors: tuple[str, ...] = ()
    """Who submitted, completed or decided, or on whose behalf: what four eyes looks at."""
    checks: tuple[str, ...] = ()
    """One word for each check of the current answer: `pending`, `passed`, `failed`, `broken`."""
    not_made: tuple[MessageFault, ...] = ()
    """Calls that brought nothing, at `place` by their activity: checks of the current answer, or the hook that nobody was given."""
    returns: dict[str, int] = field(default_factory=dict)
    """How often each outcome of this approval has reopened items."""
    awaits: tuple[str, ...] = ()
    """Items this approval sent back and waits for."""
    planned: tuple[Planned, ...] = ()
    fired: tuple[int, ...] = ()
    """Ladder steps taken in this round, by their place in the ladder; none is taken twice."""
    mark: Mark | None = None
    alarms: tuple[Alarm, ...] = ()
    """Who is told that this item is late: they hear when it is settled."""
    sent: tuple[str, ...] = ()
    """Keys of the reminders of this round: withdrawn, where still possible, when the answer lands."""
    unsent_asks: tuple[str, ...] = ()
    """Keys of asks that waited for their reader's hours: withdrawn when nothing in them is open any more."""
    overdue: bool = False
    """The deadline was acted on: what comes now is late."""
    late: bool = False
    tacit: bool = False
    by_person: bool = False
    """A hook that failed and became a person's job."""
    assign_at: datetime | None = None
    """When a member of its group gets it, or its review, unless one of them takes it before."""
    reviewer: str = ""
    """The member of a group who has the review."""
    shown: tuple[str, ...] = ()
    """Digests of what people were asked to decide on in this round; more than one: it changed under their eyes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """One stage of one run. `visit` counts how often it was entered."""

    id: str
    status: StageStatus = StageStatus.NOT_READY
    owner: str = ""
    given: bool = False
    """Given to its owner by name, so that it does not follow the role."""
    visit: int = 0
    entered_at: datetime | None = None
    left_at: datetime | None = None
    target_at: datetime | None = None
    target_set_at: datetime | None = None
    """When somebody gave the stage another target."""
    progress_at: datetime | None = None
    stall_at: datetime | None = None
    stalled: bool = False
    alarms: tuple[Alarm, ...] = ()
    """Who is told that nothing moves: they hear when it does."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something known about the customer, with its origin."""

    name: str
    value: Any
    item: str
    round: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoable:
    """What a hook did in one round, and the facts that it gave: those of a later round are others, and reopening takes them away."""

    item: str
    round: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A waiver: what was passed without being met. Settled when it is met after all."""

    stage: str
    item: str | None
    condition: str | None
    by: str
    reason: str
    at: datetime
    counts: bool = True
    expires_at: datetime | None = None
    expired: bool = False
    settled_at: datetime | None = None
    alarms: tuple[Alarm, ...] = ()
    """Who is told that it has run out: they hear when it is paid."""

    @property
    def in_force(self) -> bool:
        """Whether it still lets pass what it was given for."""
        return self.settled_at is None and not self.expired

    @property
    def text(self) -> str:
        """What was waived, as `gate` shows it."""
        return self.condition or self.item or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldState:
    """The run stands still since `since`; only `review_at` goes on, and the absences of people."""

    reason: str
    side: Side
    by: str
    since: datetime
    review_at: datetime
    item: str | None = None
    """The item whose ladder put the run on hold: its answer ends the hold."""
    alarms: tuple[Alarm, ...] = ()
    """Who is told to review it: they hear when the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A hold that is over."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarChange:
    """A calendar was replaced at `at`: `before` is what counted until then, `None` where that was the calendar of the order."""

    at: datetime
    name: str
    before: Calendar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """A reassignment that ends by itself: who gets `kind` `target` back at `at`; an empty `to` is whoever has its role then."""

    at: datetime
    kind: str
    target: str
    to: tuple[str, ...]


class PromiseKind(StrEnum):
    """What a promised date is about."""

    GO_LIVE = "go_live"
    STAGE = "stage"
    ITEM = "item"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A date that the customer was told. `name` is the stage or item, `by` whose word it is, `to` who was told.

    `cause` is `plan`, `agreed`, `promise` or `hold` for the date of going live, else `told`; `side` is who has caused the date.
    """

    n: int
    kind: PromiseKind
    name: str
    due_at: datetime
    at: datetime
    to: str
    by: str
    cause: str
    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A person is away from `since` to `until`; `begun` once the run has acted on that. `to` stands in, where it was named."""

    person: str
    since: datetime
    until: datetime
    by: str
    to: str | None = None
    reason: str = ""
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """One thing handed over, as it stands after its last release. `seconds` and `rounds` are those of all that ended.

    It is on the clock of `receiver` from `released_at` to `ended_at`; `accepted` is `None` while nobody has decided, or when it
    ended in another way than by a decision.
    """

    item: str
    giver: str
    receiver: str
    released_at: datetime
    ended_at: datetime | None = None
    accepted: bool | None = None
    outcome: str | None = None
    seconds: int = 0
    rounds: int = 0
    held: int = 0
    """Seconds of the present release in which the run was on hold."""
    last: int = 0
    """Seconds of the last release, once it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """An early message: valid, kept, applied when its item opens. `at` is its receipt."""

    at: datetime
    item: str
    name: str
    content: dict[str, Any]
    via: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The first answer to a message id, kept for the life of the run."""

    digest: str
    outcome: str
    code: str
    item: str | None
    status: str | None
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEntry:
    """A signal that changed nothing, and why. `faults` are places in it with a code each."""

    n: int
    at: datetime
    via: str
    name: str
    message_id: str
    code: str
    sentence: str
    item: str | None = None
    faults: tuple[tuple[str, str], ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """Who did what on whose behalf. `digest` is chained: SHA-256 of the one before and of this entry.

    `changes` is what this has made of the record: new values by row and column, see `engine/changes.py`.
    """

    n: int
    at: datetime
    actor: str
    on_behalf_of: str | None
    channel: str | None
    message: str
    item: str | None
    outcome: str
    code: str
    message_id: str | None
    digest: str
    sentence: str = ""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmittedEvent:
    """Something that the outside is told: the n-th of its run. `data` is JSON, see `onboarding/emitted.py`; `to` names webhooks.

    `id` is its identity for ever: the same event has the same one, however often it is decided or sent.
    """

    n: int
    id: str
    type: str
    at: datetime
    subject: str
    data: dict[str, Any]
    to: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A stretch of the run's time and who had it. `to` is `None` while it goes on; `item` is empty when nobody had it."""

    item: str
    stage: str
    round: int
    side: str
    who: str
    clock: str
    since: datetime
    to: datetime | None = None
    held_side: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything that changes in a run."""

    run: str
    customer: str
    started_at: datetime
    at: datetime
    """The latest instant handled; time never runs backwards."""
    status: RunStatus = RunStatus.RUNNING
    outcome: RunOutcome | None = None
    reason: str = ""
    closed_at: datetime | None = None
    promised_at: datetime | None = None
    first_promised_at: datetime | None = None
    owed_at: datetime | None = None
    """The date that tells whether we were on time, see Note [What we are measured against]."""
    promise_missed_at: datetime | None = None
    live_told: Alarm | None = None
    """The last word about the date of going live: taken back where another one comes before it has left."""
    promises: tuple[Promise, ...] = ()
    promise_count: int = 0
    stages: dict[str, StageState] = field(default_factory=dict)
    items: dict[str, ItemState] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    milestones: dict[str, datetime] = field(default_factory=dict)
    holders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    """Calendars that were replaced since the start; the others are those of the order. `person:<handle>` is somebody's own."""
    calendar_changes: tuple[CalendarChange, ...] = ()
    """What was replaced, in order: time that is over stays counted as it was."""
    debts: tuple[Debt, ...] = ()
    undo: tuple[Undoable, ...] = ()
    """Work of hooks that can be taken back, in the order in which they came back. In a run that has ended, the last one is being undone."""
    at_work: tuple[str, ...] = ()
    """Of a run that has ended before it was live: hooks with an `undo` that are not back. Nothing is taken back before they are."""
    hold: HoldState | None = None
    holds: tuple[Held, ...] = ()
    """The holds that have moved what is still open."""
    reverts: tuple[Revert, ...] = ()
    absences: tuple[Absence, ...] = ()
    """One for each person at most; an absence that is over is gone."""
    turns: dict[str, int] = field(default_factory=dict)
    """For each group role how far round its members the turn has gone."""
    handoffs: dict[str, Handoff] = field(default_factory=dict)
    held: tuple[HeldMessage, ...] = ()
    remembered: dict[str, Remembered] = field(default_factory=dict)
    refused: tuple[RefusedEntry, ...] = ()
    refused_count: int = 0
    trail: tuple[TrailEntry, ...] = ()
    trail_count: int = 0
    ledger: tuple[Booking, ...] = ()
    """The latest closed stretches; `booked` has the sums of all of them, seconds by side."""
    ledger_count: int = 0
    booked: dict[str, int] = field(default_factory=dict)
    booking: Booking | None = None
    asks: int = 0
    escalations: int = 0
    rounds: int = 0
    """Corrections: rounds beyond the first, over all items."""
    written: dict[str, datetime] = field(default_factory=dict)
    """When each handle was last asked, reminded or told how it stands: what `min_gap` counts from."""
    unread: dict[str, datetime] = field(default_factory=dict)
    """Keys of such words that wait for their reader's hours, and when they leave; what is taken back counts for no gap."""
    heard_at: datetime | None = None
    """From when on the customer has heard nothing: what `max_silence` counts from. A hold moves it."""
    coming: dict[str, datetime] = field(default_factory=dict)
    """Keys of notices to the customer that wait for the reader's hours, and when they leave."""
    told_at: datetime | None = None
    """When the last word to somebody of the customer left, whether a guard listens or not; `None`: since the start nobody has."""
    telling: dict[str, datetime] = field(default_factory=dict)
    """Keys of such words that wait for their reader's hours, and when they leave."""
    longest_silence: int = 0
    """Seconds of the longest stretch between two such words."""
    judged: tuple[int, int] = (0, 0)
    """Of rounds that are over: how many of the customer had a due date and were answered or overdue, and how many in time."""
    silence_at: datetime | None = None
    """When the customer is told how it stands, if they hear nothing before."""
    events: Annotated[tuple[EmittedEvent, ...], pydantic.Field(exclude_if=lambda events: not events)] = ()
    """The latest of what the outside is told; all of it stands in the rows. A run whose definition has no `emit` says nothing of this."""
    event_count: Annotated[int, pydantic.Field(exclude_if=lambda count: not count)] = 0
