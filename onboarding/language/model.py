"""The compiled definition: what a run carries and the engine reads.

Nothing here is optional by accident: every default of the language is already filled in, every duration parsed, every
reference resolved to an id that exists. What may be *written* is `grammar.py`; `compile.py` turns one into the other.
All values are frozen and travel as JSON inside the start order of a run.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import pydantic

from onboarding.language.units import Duration, Offset, Share


class ItemKind(StrEnum):
    """The five kinds of things that must happen."""

    REQUEST = "request"
    TASK = "task"
    APPROVAL = "approval"
    EVENT = "event"
    HOOK = "hook"


class Side(StrEnum):
    """Who a minute of waiting is booked to."""

    CUSTOMER = "customer"
    PROVIDER = "provider"
    THIRD_PARTY = "third_party"


class FieldType(StrEnum):
    """The types of inputs, fields and provided facts."""

    STRING = "string"
    INT = "int"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    COUNTRY = "country"
    VAT = "vat"
    IBAN = "iban"
    ENUM = "enum"
    LIST = "list"
    CONTACTS = "contacts"


class StepAction(StrEnum):
    """What a ladder step does."""

    NOTIFY = "notify"
    REASSIGN = "reassign"
    HOLD = "hold"
    FAIL = "fail"
    SKIP = "skip"


class Mark(StrEnum):
    """The flag a ladder step puts on an open item."""

    AT_RISK = "at_risk"
    STALLED = "stalled"
    ESCALATED = "escalated"


class RoleSource(StrEnum):
    """Where the holder of a role comes from."""

    FROM = "from"
    VALUE = "value"
    CONTACT = "contact"
    GROUP = "group"


class ConditionKind(StrEnum):
    """How a gate condition is read: item done, fact known, or a CEL expression."""

    ITEM = "item"
    FACT = "fact"
    CEL = "cel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One typed value that somebody must or may give."""

    name: str
    type: FieldType
    required: bool = False
    values: tuple[str, ...] = ()
    pattern: str | None = None
    min: int | float | None = None
    max: int | float | None = None
    default: Any = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRule:
    """How many files of which types and sizes count as an answer; `max_mb` is 10^6 bytes for each file."""

    min: int = 1
    max: int | None = None
    types: tuple[str, ...] = ()
    max_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """An activity that looks at an answer; a blocking one must pass before the item goes on."""

    activity: str
    with_fields: tuple[str, ...] = ()
    blocks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderStep:
    """Either `at` one offset from due, or `every` so long after due, at most `max` times."""

    at: Offset | None = None
    every: Duration | None = None
    max: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderStep:
    """One step of an escalation ladder; `to` holds role ids and the word `deputy`."""

    at: Offset | Share
    do: StepAction
    to: tuple[str, ...] = ()
    mark: Mark | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A named outcome of an approval: it passes, or it reopens items, at most `max_rounds` times and `then`."""

    name: str
    passes: bool
    reopen: tuple[str, ...] = ()
    max_rounds: int | None = None
    then: str = "escalate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that must happen.

    `owners` are the role ids entitled to decide (approvals), otherwise just `owner`. `clock` is one of `provider`,
    `customer`, `both`, `owner`, `calendar` or the name of a further calendar. `on_timeout` is `escalate`, `pass`,
    `fail`, `skip` or an outcome's name.
    """

    id: str
    title: str
    kind: ItemKind
    stage: str
    owner: str
    owners: tuple[str, ...]
    side: Side
    clock: str
    needs: tuple[str, ...] = ()
    when: str | None = None
    due: Duration | None = None
    reminders: tuple[ReminderStep, ...] = ()
    ladder: tuple[LadderStep, ...] = ()
    on_timeout: str = "escalate"
    optional: bool = False
    # request
    fields: tuple[Field, ...] = ()
    files: FileRule | None = None
    secret: bool = False
    event: str | None = None
    bundle: str | None = None
    checks: tuple[Check, ...] = ()
    review: str | None = None
    confirm: str = "received"
    # task, and a hook that became a person's job
    provides: tuple[Field, ...] = ()
    # approval
    quorum: int = 1
    outcomes: tuple[Outcome, ...] = ()
    four_eyes: tuple[str, ...] = ()
    in_order: bool = False
    handoff: bool = False
    # hook
    activity: str | None = None
    with_facts: tuple[str, ...] = ()
    attempts: int = 8
    backoff: float = 2.0
    timeout: Duration | None = None
    on_failure: str = "task"
    undo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A gate condition: the text as written (shown by `gate`, named by `waive`), how to read it, and what it names."""

    text: str
    kind: ConditionKind
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who may waive conditions of a gate, for how long, and whether that is debt."""

    by: tuple[str, ...]
    reason: bool = True
    expires: Duration | None = None
    debt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Conditions beyond the items: every one of `all`, and at least one of `any` where it is given."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    override: Override | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAction:
    """What happens on entering or leaving a stage: a notice to a role, or a hook without an item."""

    notify: str | None = None
    template: str | None = None
    hook: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Part of a run with one owner, an entry rule (`needs`, `when`) and a gate. `items` are ids in file order."""

    id: str
    title: str
    owner: str
    items: tuple[str, ...]
    needs: tuple[str, ...] = ()
    when: str | None = None
    target: Duration | None = None
    stall: Duration | None = None
    clock: str = "provider"
    gate: Gate = Gate()
    milestone: str | None = None
    on_enter: tuple[StageAction, ...] = ()
    on_exit: tuple[StageAction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role and where its holder comes from; `ref` is the input path, the value, the contact role or the group.

    `assign_after` is how long the members of a group may take what is theirs, before it is given to one of them.
    """

    id: str
    side: Side
    source: RoleSource
    ref: str
    deputy: str | None = None
    assign_after: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A country, or a part of it, whose public holidays are days off."""

    country: str
    subdivision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRule:
    """A calendar as written; zones and countries are resolved when the run starts. Hours are minutes from local midnight."""

    id: str
    tz: str | None = None
    source: str | None = None
    week: tuple[int, ...] = (0, 1, 2, 3, 4)
    hours: tuple[tuple[int, int], ...] = ((540, 1020),)
    holidays: tuple[str, ...] = ()
    fallback: str | None = None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number of the run: an interval (`start` to `end` on `clock`, with a `goal`), a `sum`, or a `count`."""

    id: str
    start: str | None = None
    end: str | None = None
    clock: str = "calendar"
    goal: Duration | None = None
    sum: str | None = None
    count: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRule:
    """An outside event: the item it fulfils, and which payload fields must equal which inputs."""

    event: str
    fulfils: str
    match: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """What the run tells one receiver: the name of a webhook of the installation, and types of events, each in full."""

    webhook: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPolicy:
    """How people are written to: `send_in` is `any_time` or `working_hours`; `request_budget` caps separate asks.

    `digest` merges reminders of one person and day, `min_gap` lies between two things the run says by itself, `max_silence` is the
    longest time in which the customer hears nothing.
    """

    send_in: str = "any_time"
    request_budget: int | None = None
    digest: bool = False
    min_gap: Duration | None = None
    max_silence: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Compressed time for demos: business units become wall-clock seconds, every clock becomes `calendar`."""

    business_day: int
    business_hour: int

    def __str__(self) -> str:
        return f"1bd = {self.business_day}s, 1bh = {self.business_hour}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One onboarding plan, with the chosen variants applied. `hash` covers the whole file, all variants and the scale.

    `variant` is the ids of the variants that were applied, joined by `+`, or empty.
    """

    schema: str
    id: str
    version: int
    title: str
    hash: str
    stages: tuple[Stage, ...]
    items: tuple[Item, ...]
    roles: tuple[Role, ...]
    inputs: tuple[Field, ...] = ()
    calendars: tuple[CalendarRule, ...] = ()
    target: Duration | None = None
    stall: Duration | None = None
    contact: ContactPolicy = ContactPolicy()
    metrics: tuple[Metric, ...] = ()
    signals: tuple[SignalRule, ...] = ()
    variant: str = ""
    scale: Scale | None = None
    keep_facts: Annotated[Duration | None, pydantic.Field(exclude_if=lambda kept: kept is None)] = None
    """How long what people said is kept after the run has closed, in real time also under a scale; `None`: for ever, and then not in an
    order either, so that workers of the release before read it."""
    emits: Annotated[tuple[Emission, ...], pydantic.Field(exclude_if=lambda rules: not rules)] = ()
    """What is told to the outside; where that is nothing, an order does not say so."""
