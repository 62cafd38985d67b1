"""What may be written: one frozen pydantic model per level of a definition file.

Only the shape is checked here; what needs more than one place of the file is checked in `check.py`. The
descriptions are the keyword documentation: `keywords.py` makes the list and the JSON Schema from them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from onboarding.language.model import FieldType, Mark, StepAction
from onboarding.language.words import (
    MAX_LIST,
    Count,
    DurationText,
    EventName,
    Holiday,
    Hours,
    HyphenId,
    Id,
    OutcomeName,
    Position,
    Text,
    Week,
)

Strings = Annotated[list[Text], Field(max_length=MAX_LIST)]
# How long a condition may be is said by the rule about conditions.
ConditionText = Annotated[str, Field(strict=True, min_length=1)]
Conditions = Annotated[list[ConditionText], Field(max_length=MAX_LIST)]
Flag = Annotated[bool, Field(strict=True)]
Later = Any  # of the language, refused with `not_built_yet` before the grammar is asked
SideName = Literal["customer", "provider", "third_party"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _number(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("wrong_type", "A bound is a number, without quotes.")


def _outcome(value: Any) -> str:
    return "mapping" if isinstance(value, dict | ReopenModel) else "word"


def _word(value: Any) -> Any:
    if value == "pass":
        return value
    raise PydanticCustomError("wrong_value", "An outcome is `pass`, or `{reopen: [ids]}` with the items to do again.")


def _holidays(value: Any) -> str:
    return "mapping" if isinstance(value, dict | HolidaysOf) else "list"


def _day_off(value: Any) -> str:
    return "mapping" if isinstance(value, dict | HolidaysOf) else "date"


OneOrMany = Annotated[Strings, BeforeValidator(_listed)]
Number = Annotated[int | float, BeforeValidator(_number)]


class Model(BaseModel):
    """The base: frozen, no unknown keywords, names as written."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=False)


class FieldRule(Model):
    """A typed value: a start input, a field of a request, a fact of a task or hook."""

    type: FieldType = Field(description="What kind of value it is.")
    required: Flag = Field(False, description="Whether it must be given.")
    values: Annotated[list[Text], Field(min_length=1, max_length=MAX_LIST)] | None = Field(
        None, description="The values of an enum."
    )
    pattern: Text | None = Field(None, description="An RE2 pattern a text must match.")
    min: Number | None = Field(None, description="Smallest number, shortest text, or fewest entries.")
    max: Number | None = Field(None, description="Largest number, longest text, or most entries.")
    title: Text | None = Field(None, description="What people read instead of the name.")


class InputRule(FieldRule):
    """A start input."""

    default: Any = Field(None, description="Taken when the input is not given.")


class HolidaysOf(Model):
    """The public holidays of a country, or of a part of it."""

    country: Text = Field(description="Two capital letters, such as DE; its public holidays are days off.")
    subdivision: Text | None = Field(None, description="A state, canton or region of it, such as BE or Berlin.")


DayOff = Annotated[
    Annotated[Holiday, Tag("date")] | Annotated[HolidaysOf, Tag("mapping")],
    Discriminator(_day_off),
]
Holidays = Annotated[
    Annotated[HolidaysOf, Tag("mapping")] | Annotated[list[DayOff], Field(max_length=MAX_LIST), Tag("list")],
    Discriminator(_holidays),
]


class CalendarModel(Model):
    """When somebody works."""

    tz: Text | None = Field(None, description="An IANA zone, such as Europe/Berlin.")
    from_: Text | None = Field(
        None, alias="from", description="The input that holds the zone: input.x, or input.contacts.tz."
    )
    week: Week = Field((0, 1, 2, 3, 4), description="Working days: mon-fri, or a list.")
    hours: Hours = Field(((540, 1020),), description='Working hours: "09:00-17:00", or a list of windows.')
    holidays: Holidays = Field([], description="Days off: ISO dates, and {country, subdivision} for public holidays.")
    fallback: Text | None = Field(None, description="The calendar used where the zone is not known.")


class RoleModel(Model):
    """Who acts, and where the person comes from (exactly one of from, value, contact, group)."""

    side: SideName = Field(description="Whose time it is.")
    from_: Text | None = Field(None, alias="from", description="The input that holds the person: input.x.")
    value: Text | None = Field(None, description="A fixed person or mailbox.")
    contact: Text | None = Field(None, description="The role of an entry of the contacts input.")
    group: Text | None = Field(None, description="A group of this installation; any member may act.")
    deputy: Text | None = Field(None, description="The role that stands in, on the same side.")
    assign_after: DurationText | None = Field(
        None,
        description="How long the members of a group may take what is theirs; then one gets it in turn. At once when left out.",
    )


class ReminderModel(Model):
    """One step of a reminder plan: at, or every with max."""

    at: Position | None = Field(None, description="When, relative to due: -1bd, due, +2bd.")
    every: DurationText | None = Field(None, description="Again and again after due, every so long.")
    max: Count | None = Field(None, description="How often at most; `every` needs it.")


class LadderModel(Model):
    """One step of an escalation ladder."""

    at: Position = Field(description="A share of the allowed time (80%), due, or an offset (+2bd).")
    do: StepAction = Field(description="What happens.")
    to: OneOrMany = Field([], description="Role ids, or the word deputy.")
    mark: Mark | None = Field(None, description="The flag the item gets.")
    reason: Text | None = Field(None, description="The reason a hold is noted with.")


class ContactModel(Model):
    """How people are written to."""

    send_in: Literal["working_hours", "any_time"] = Field(
        "any_time", description="Whether messages wait for the reader's hours; only receipts leave at once."
    )
    request_budget: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = Field(
        None, description="Separate asks to the customer over the whole run, worst case."
    )
    digest: Flag = Field(False, description="Whether the reminders of one person and day become one message.")
    min_gap: DurationText | None = Field(
        None, description="Least time between two things that the run says by itself to one person."
    )
    max_silence: DurationText | None = Field(
        None, description="Longest time in which the customer hears nothing; then they hear how it stands."
    )


class Policies(Model):
    """Named plans."""

    reminders: dict[Id, list[ReminderModel]] = Field({}, description="Reminder plans.")
    escalation: dict[Id, list[LadderModel]] = Field({}, description="Escalation ladders.")
    contact: ContactModel = Field(ContactModel.model_construct(), description="How people are written to.")


class CheckModel(Model):
    """An activity that looks at an answer."""

    activity: Text = Field(description="An activity of this installation.")
    with_: Strings = Field([], alias="with", description="The fields it gets; all when left out.")
    blocks: Flag = Field(True, description="Whether a failure returns the answer.")


class FilesModel(Model):
    """Files that count as an answer."""

    min: Annotated[int, Field(strict=True, ge=0, le=1_000)] = Field(1, description="How many at least.")
    max: Count | None = Field(None, description="How many at most.")
    types: Strings = Field([], description="Endings that are taken, such as pdf; all when left out.")
    max_mb: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = Field(
        None, description="Largest file, in 10^6 bytes."
    )


class ReopenModel(Model):
    """An outcome that sends items back."""

    reopen: Annotated[Strings, Field(min_length=1)] = Field(description="The items to do again.")
    max_rounds: Count | None = Field(None, description="How often at most.")
    then: Literal["escalate", "fail", "skip"] = Field("escalate", description="What happens after max_rounds.")


Decision = Annotated[
    Annotated[Literal["pass"], BeforeValidator(_word), Tag("word")] | Annotated[ReopenModel, Tag("mapping")],
    Discriminator(_outcome),
]


class RetryModel(Model):
    """How often a hook is tried."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(8, description="How often at most.")
    backoff: Annotated[float, Field(strict=True, ge=1, le=10, allow_inf_nan=False)] = Field(
        2.0, description="How much longer each wait is."
    )


class Common(Model):
    """What defaults and items of every kind share."""

    owner: Text | None = Field(None, description="The role that must act; the owner of the stage when left out.")
    clock: Text | None = Field(
        None, description="Whose time counts: provider, customer, both, owner, calendar, or a calendar."
    )
    due: DurationText | None = Field(None, description="The time allowed from opening.")
    reminders: Text | None = Field(None, description="A reminder plan; `none` for no reminders.")
    escalation: Text | None = Field(None, description="An escalation ladder; `none` for no ladder.")
    on_timeout: Text | None = Field(
        None, description="When `due` passes: escalate, pass, fail, skip, or an outcome; escalate when left out."
    )


class RequestCommon(Common):
    """What requests and their defaults share."""

    confirm: Text | None = Field(None, description="The template of the receipt; received when left out.")
    review: Text | None = Field(None, description="The role that accepts or returns the answer.")


class HookCommon(Common):
    """What hooks and their defaults share."""

    retry: RetryModel | None = Field(None, description="How often it is tried.")
    timeout: DurationText | None = Field(None, description="How long one try may take, wall clock.")
    on_failure: Literal["task", "fail", "skip"] | None = Field(
        None, description="What happens after the last try; task when left out."
    )


class StepModel(Common):
    """What items of every kind share."""

    id: Id = Field(description="Its name for life.")
    needs: Strings = Field([], description="Items and stages that come first.")
    when: ConditionText | None = Field(None, description="A condition; when false the item counts as met.")
    optional: Flag = Field(False, description="Whether the stage can be left without it.")


class ItemModel(StepModel):
    """What items that people see share."""

    title: Text = Field(description="What people read.")


class RequestModel(ItemModel, RequestCommon):
    """The customer delivers."""

    fields: dict[Id, FieldRule] = Field({}, description="Values that count as an answer.")
    files: FilesModel | None = Field(None, description="Files that count as an answer.")
    secret: Literal["reference"] | None = Field(None, description="A link into a vault, never the value.")
    event: EventName | None = Field(None, description="The signal that counts as an answer.")
    bundle: Id | None = Field(None, description="Requests of one bundle are one ask.")
    checks: list[CheckModel] = Field([], description="Activities that look at the answer.")


class TaskModel(ItemModel):
    """A person on our side does it."""

    provides: dict[Id, FieldRule] = Field({}, description="Facts that are given to close it.")


class ApprovalModel(ItemModel):
    """A decision with named outcomes."""

    owners: Annotated[Strings, Field(min_length=1)] | None = Field(None, description="The roles entitled to decide.")
    quorum: Count | None = Field(None, description="How many must decide alike; all when left out.")
    decisions: Annotated[dict[OutcomeName, Decision], Field(min_length=1)] | None = Field(
        None, description="Outcomes: pass, or items to reopen."
    )
    four_eyes: Strings = Field([], description="Items whose doers may not decide here.")
    in_order: Flag = Field(
        False, description="Whether the owners decide one after the other, in the order of `owners`."
    )
    handoff: Flag = Field(
        False,
        description="Whether this accepts what another role hands over; the time until then is a number of its own.",
    )


class EventModel(ItemModel):
    """The outside world says so."""

    event: EventName = Field(description="A name of `signals`.")


class HookModel(StepModel, HookCommon):
    """An activity runs."""

    title: Text | None = Field(None, description="What people read; the id in words when left out.")
    activity: Text = Field(description="An activity of this installation.")
    with_: Strings = Field([], alias="with", description="Inputs and facts it gets; all when left out.")
    provides: dict[Id, FieldRule] = Field({}, description="Facts its result gives.")
    undo: Text | None = Field(
        None, description="An activity that takes its work back when the run ends before it is live."
    )


class OverrideModel(Model):
    """Who may waive the conditions of a gate."""

    by: Annotated[Strings, Field(min_length=1)] = Field(description="Roles that may waive.")
    reason: Literal["required", "optional"] = Field("required", description="Whether a reason must be given.")
    expires: DurationText | None = Field(None, description="How long the waiver holds.")
    debt: Flag = Field(True, description="Whether it counts as open debt.")


class GateModel(Model):
    """Conditions for leaving a stage, beyond its items."""

    all: Conditions = Field([], description="Every one must hold: an item id, facts.x, or a condition.")
    any: Conditions = Field([], description="At least one must hold.")
    override: OverrideModel | None = Field(None, description="Who may waive.")


class ActionModel(Model):
    """A notice with a template, or a hook."""

    notify: Text | None = Field(None, description="The role that is told.")
    template: Text | None = Field(None, description="The template it is told with.")
    hook: Text | None = Field(None, description="An activity of this installation.")


class StageModel(Model):
    """A part of the run with one owner."""

    id: Id = Field(description="Its name for life.")
    title: Text = Field(description="What people read.")
    owner: Text = Field(description="The one role that answers for it.")
    needs: Strings = Field([], description="Stages and items that come first; none: opens at the start.")
    when: ConditionText | None = Field(None, description="A condition; when false the stage is passed over.")
    target: DurationText | None = Field(None, description="How long it should take.")
    stall: DurationText | None = Field(None, description="How long nothing may happen; the file's when left out.")
    clock: Text | None = Field(None, description="Whose time counts; the side of the owner when left out.")
    gate: GateModel | None = Field(None, description="Conditions beyond the items.")
    milestone: Id | None = Field(None, description="Set on leaving.")
    on_enter: list[ActionModel] = Field([], description="Notices and hooks on entering.")
    on_exit: list[ActionModel] = Field([], description="Notices and hooks on leaving.")
    requests: list[RequestModel] = Field([], description="What the customer delivers.")
    tasks: list[TaskModel] = Field([], description="What people on our side do.")
    approvals: list[ApprovalModel] = Field([], description="Decisions.")
    events: list[EventModel] = Field([], description="What the outside world says.")
    hooks: list[HookModel] = Field([], description="What activities do.")


class Defaults(Model):
    """Per kind of item, what is taken where the item says nothing."""

    request: RequestCommon = Field(RequestCommon.model_construct(), description="For requests.")
    task: Common = Field(Common.model_construct(), description="For tasks.")
    approval: Common = Field(Common.model_construct(), description="For approvals.")
    event: Common = Field(Common.model_construct(), description="For events.")
    hook: HookCommon = Field(HookCommon.model_construct(), description="For hooks.")


class VariantModel(Model):
    """A small patch, chosen once at the start."""

    id: Id = Field(description="Its name for life.")
    when: ConditionText = Field(description="A condition on inputs.")
    target: DurationText | None = Field(None, description="Replaces the target of the file.")
    stall: DurationText | None = Field(None, description="Replaces the stall window of the file.")
    remove: Strings = Field([], description="Ids of items and stages to leave out.")
    add: dict[Text, dict[str, Any]] = Field({}, description="Per stage the items to add, or a new stage.")
    override: dict[Text, dict[str, Any]] = Field({}, description="Per item or stage the keywords to change.")


class MetricModel(Model):
    """An interval (from, to), a sum, or a count."""

    from_: Text | None = Field(None, alias="from", description="Where it begins: input.x, items.x or milestones.x.")
    to: Text | None = Field(None, description="Where it ends.")
    clock: Text | None = Field(None, description="Whose time counts; calendar when left out.")
    goal: DurationText | None = Field(None, description="How long it should be.")
    sum: Literal["clock.customer", "clock.provider", "clock.third_party", "clock.hold", "handoff"] | None = Field(
        None, description="Time booked to a side, or between release and acceptance of handoffs."
    )
    count: Literal["asks", "escalations", "rounds", "refusals"] | None = Field(None, description="How many.")


class SignalModel(Model):
    """An outside event and what it fulfils."""

    fulfils: Text = Field(description="The event item, or the request with this event.")
    match: dict[str, Text] = Field({}, description="Inputs and the payload fields that must equal them: payload.x.")


class ReceiverModel(Model):
    """A system outside that is told something."""

    webhook: Text = Field(description="A webhook of this installation.")
    events: Annotated[Strings, Field(min_length=1)] = Field(
        description="What it is told: types such as stage.entered, or item.* for all of one beginning."
    )


class EmitModel(Model):
    """What the run tells the outside."""

    to: Annotated[list[ReceiverModel], Field(min_length=1, max_length=MAX_LIST)] = Field(
        description="Who is told what."
    )


class RetentionModel(Model):
    """How long things are kept once a run has closed."""

    facts: DurationText = Field(
        description="How long what people said is kept after a run has closed; then `erase --due` forgets it. Counts stay."
    )
    files: Later = Field(None, description="How long files are kept (not built yet: they lie elsewhere).")
    redact_on_close: Later = Field(None, description="Fields that go when a run closes (not built yet).")


class FileModel(Model):
    """One onboarding."""

    schema_: Literal["onboarding/v1"] = Field(alias="schema", description="The version of the grammar: onboarding/v1.")
    id: HyphenId = Field(description="Its name for life.")
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(description="Counts up with every change.")
    title: Text = Field(description="What people read.")
    target: DurationText | None = Field(None, description="Start to close, as planned.")
    stall: DurationText | None = Field(
        None, description="How long nothing may happen in a stage; seven days when left out."
    )
    inputs: dict[Id, InputRule] = Field({}, description="The start input, checked before a run starts.")
    calendars: dict[Id, CalendarModel] = Field({}, description="When people work; provider and customer always exist.")
    roles: Annotated[dict[Id, RoleModel], Field(min_length=1)] = Field(description="Who acts.")
    policies: Policies = Field(Policies.model_construct(), description="Named plans.")
    defaults: Defaults = Field(Defaults.model_construct(), description="Per kind of item.")
    stages: Annotated[list[StageModel], Field(min_length=1, max_length=MAX_LIST)] = Field(description="The plan.")
    variants: list[VariantModel] = Field([], description="Patches chosen at the start.")
    metrics: dict[Id, MetricModel] = Field({}, description="Numbers of a run.")
    signals: dict[EventName, SignalModel] = Field({}, description="How outside events reach the run.")
    emit: EmitModel | None = Field(
        None, description="What the run tells other systems, signed and at least once; nothing when left out."
    )
    portal: Later = Field(None, description="Rules of the customer's links (not built yet).")
    retention: RetentionModel | None = Field(None, description="How long things are kept; for ever when left out.")
    on_new_version: Later = Field("stay", description="What running customers do; only stay is built.")
