"""From a definition as written to the compiled model: defaults filled in, plans looked up, durations scaled.

Nothing is refused here. A name that leads nowhere is kept or left out; `check.py` reports it, and a definition
with errors is never handed out.
"""

from typing import Any

from onboarding import emitted
from onboarding.language.expressions import reference_kind
from onboarding.language.grammar import (
    ActionModel,
    ApprovalModel,
    Common,
    EventModel,
    FieldRule,
    FileModel,
    GateModel,
    HolidaysOf,
    HookCommon,
    HookModel,
    InputRule,
    LadderModel,
    RequestCommon,
    RequestModel,
    StageModel,
    TaskModel,
)
from onboarding.language.model import (
    CalendarRule,
    Check,
    Condition,
    ContactPolicy,
    Definition,
    Emission,
    Field,
    FileRule,
    Gate,
    Item,
    ItemKind,
    LadderStep,
    Metric,
    Outcome,
    Override,
    Region,
    ReminderStep,
    Role,
    RoleSource,
    Scale,
    Side,
    SignalRule,
    Stage,
    StageAction,
    StepAction,
)
from onboarding.language.source import Entry, Source
from onboarding.language.units import Duration, Offset, Share, Unit

NONE = "none"
"""Written as a plan's name: no reminders, or no ladder, although the kind has a default."""

_SIDE_CLOCK = {Side.PROVIDER: "provider", Side.CUSTOMER: "customer", Side.THIRD_PARTY: "calendar"}


def lower(source: Source, *, digest: str, variant: str = "", scale: Scale | None = None) -> Definition:
    """The compiled definition of one file with its variants applied."""
    return _Lowering(source, scale).definition(digest, variant)


def fields_of(rules: dict[str, Any]) -> tuple[Field, ...]:
    """Named field rules as fields, in file order."""
    return tuple(_field(name, rule) for name, rule in rules.items())


def emissions(file: FileModel) -> tuple[Emission, ...]:
    """Who is told what, each type in full: what a later release adds to a group is for runs that start then."""
    return tuple(
        Emission(webhook=one.webhook, events=tuple(name for named in one.events for name in emitted.expanded(named)))
        for one in (file.emit.to if file.emit else ())
    )


def _field(name: str, rule: FieldRule) -> Field:
    return Field(
        name=name,
        type=rule.type,
        required=rule.required,
        values=tuple(rule.values or ()),
        pattern=rule.pattern,
        min=rule.min,
        max=rule.max,
        default=rule.default if isinstance(rule, InputRule) else None,
        title=rule.title,
    )


class _Lowering:
    def __init__(self, source: Source, scale: Scale | None) -> None:
        self.source = source
        self.file = source.file
        self.scale = scale
        self.item_ids = tuple(entry.item.id for entry in source.entries())
        self.roles = {role.id: role for role in map(self.role, self.file.roles)}

    def definition(self, digest: str, variant: str) -> Definition:
        file, contact = self.file, self.file.policies.contact
        return Definition(
            schema=file.schema_,
            id=file.id,
            version=file.version,
            title=file.title,
            hash=digest,
            stages=tuple(self.stage(index, stage) for index, stage in enumerate(file.stages)),
            items=tuple(self.item(entry) for entry in self.source.entries()),
            roles=tuple(self.roles.values()),
            inputs=fields_of(file.inputs),
            calendars=self.calendars(),
            target=self.duration(file.target),
            stall=self.duration(file.stall),
            contact=ContactPolicy(
                send_in="any_time" if self.scale else contact.send_in,
                request_budget=contact.request_budget,
                digest=contact.digest,
                min_gap=self.duration(contact.min_gap),
                max_silence=self.duration(contact.max_silence),
            ),
            metrics=tuple(self.metric(name) for name in file.metrics),
            signals=tuple(
                SignalRule(event=name, fulfils=rule.fulfils, match=dict(rule.match))
                for name, rule in file.signals.items()
            ),
            variant=variant,
            scale=self.scale,
            keep_facts=file.retention.facts if file.retention else None,
            emits=emissions(file),
        )

    def duration(self, written: Duration | None) -> Duration | None:
        """As written, or under a scale in wall-clock seconds; minutes and seconds stay."""
        if written is None or self.scale is None or written.unit in (Unit.MINUTE, Unit.SECOND):
            return written
        a_day = written.unit in (Unit.BUSINESS_DAY, Unit.DAY)
        seconds = self.scale.business_day if a_day else self.scale.business_hour
        return Duration(written.amount * seconds, Unit.SECOND)

    def offset(self, written: Offset) -> Offset:
        return Offset(written.sign, self.duration(written.duration))

    def clock(self, name: str | None, side: Side) -> str:
        return "calendar" if self.scale else name or _SIDE_CLOCK[side]

    def role(self, name: str) -> Role:
        written = self.file.roles[name]
        sources = (
            (RoleSource.FROM, (written.from_ or "").removeprefix("input.")),
            (RoleSource.VALUE, written.value),
            (RoleSource.CONTACT, written.contact),
            (RoleSource.GROUP, written.group),
        )
        source, ref = next(((kind, text) for kind, text in sources if text), (RoleSource.VALUE, ""))
        return Role(
            id=name, side=Side(written.side), source=source, ref=ref or "", deputy=written.deputy,
            assign_after=self.duration(written.assign_after),
        )  # fmt: skip

    def side_of(self, role: str) -> Side:
        found = self.roles.get(role)
        return found.side if found else Side.PROVIDER

    def calendars(self) -> tuple[CalendarRule, ...]:
        written = dict.fromkeys(("provider", "customer", *self.file.calendars))
        return tuple(self.calendar(name) for name in written)

    def calendar(self, name: str) -> CalendarRule:
        found = self.file.calendars.get(name)
        if found is None:  # they always exist: a file without calendars works in UTC hours
            return CalendarRule(id=name, tz="UTC") if name == "provider" else CalendarRule(id=name, fallback="provider")
        follows = found.tz is None and name != "provider"
        written = found.holidays if isinstance(found.holidays, list) else [found.holidays]
        return CalendarRule(
            id=name,
            tz=found.tz,
            source=found.from_.removeprefix("input.") if found.from_ else None,
            week=found.week,
            hours=found.hours,
            holidays=tuple(sorted(day for day in written if isinstance(day, str))),
            regions=tuple(
                Region(country=one.country, subdivision=one.subdivision)
                for one in written
                if isinstance(one, HolidaysOf)
            ),
            fallback=found.fallback or ("provider" if follows else None),
        )

    def metric(self, name: str) -> Metric:
        written = self.file.metrics[name]
        return Metric(
            id=name,
            start=written.from_,
            end=written.to,
            clock="calendar" if self.scale else written.clock or "calendar",
            goal=self.duration(written.goal),
            sum=written.sum,
            count=written.count,
        )

    def stage(self, index: int, written: StageModel) -> Stage:
        return Stage(
            id=written.id,
            title=written.title,
            owner=written.owner,
            items=tuple(entry.item.id for entry in self.source.items_of(index)),
            needs=tuple(written.needs),
            when=written.when,
            target=self.duration(written.target),
            stall=self.duration(written.stall or self.file.stall),
            clock=self.clock(written.clock, self.side_of(written.owner)),
            gate=self.gate(written.gate) if written.gate else Gate(),
            milestone=written.milestone,
            on_enter=tuple(map(_action, written.on_enter)),
            on_exit=tuple(map(_action, written.on_exit)),
        )

    def gate(self, written: GateModel) -> Gate:
        override = written.override and Override(
            by=tuple(written.override.by),
            reason=written.override.reason == "required",
            expires=self.duration(written.override.expires),
            debt=written.override.debt,
        )
        return Gate(
            all=tuple(map(_condition, written.all)),
            any=tuple(map(_condition, written.any)),
            override=override or None,
        )

    def item(self, entry: Entry) -> Item:
        written, default = entry.item, self.source.default(entry.kind)
        owners = tuple(written.owners or ()) if isinstance(written, ApprovalModel) else ()
        owner = written.owner or (owners[0] if owners else default.owner) or entry.stage.owner
        side = self.side(entry, owner)
        reminders = written.reminders or default.reminders or NONE
        ladder = written.escalation or default.escalation or NONE
        policies = self.file.policies
        shared: dict[str, Any] = {
            "id": written.id,
            "title": getattr(written, "title", None) or written.id.replace("_", " ").capitalize(),
            "kind": entry.kind,
            "stage": entry.stage.id,
            "owner": owner,
            "owners": owners or (owner,),
            "side": side,
            "clock": self.clock(written.clock or default.clock, side),
            "needs": tuple(written.needs),
            "when": written.when,
            "due": self.duration(written.due or default.due),
            "reminders": tuple(
                ReminderStep(
                    at=self.offset(step.at) if isinstance(step.at, Offset) else None,
                    every=self.duration(step.every),
                    max=step.max or 1,
                )
                for step in policies.reminders.get(reminders, ())
            ),
            "ladder": tuple(self.ladder_step(step) for step in policies.escalation.get(ladder, ())),
            "on_timeout": written.on_timeout or default.on_timeout or "escalate",
            "optional": written.optional,
        }
        return Item(**shared, **self.special(written, default, owners or (owner,)))

    def side(self, entry: Entry, owner: str) -> Side:
        if entry.kind is ItemKind.EVENT and entry.item.owner is None:
            return Side.THIRD_PARTY
        if entry.kind is ItemKind.HOOK:
            return Side.PROVIDER
        return self.side_of(owner)

    def ladder_step(self, written: LadderModel) -> LadderStep:
        at = written.at if isinstance(written.at, Share) else self.offset(written.at)
        to = tuple(written.to) or (("deputy",) if written.do is StepAction.REASSIGN else ())
        return LadderStep(at=at, do=written.do, to=to, mark=written.mark, reason=written.reason)

    def special(self, written: Any, default: Common, owners: tuple[str, ...]) -> dict[str, Any]:
        """What only this kind of item has."""
        if isinstance(written, RequestModel):
            return self.request(written, default)
        if isinstance(written, TaskModel):
            return {"provides": fields_of(written.provides)}
        if isinstance(written, ApprovalModel):
            return {
                "quorum": written.quorum or len(owners),
                "outcomes": self.outcomes(written),
                "four_eyes": tuple(written.four_eyes),
                "in_order": written.in_order,
                "handoff": written.handoff,
            }
        if isinstance(written, EventModel):
            return {"event": written.event}
        return self.hook(written, default)

    def request(self, written: RequestModel, default: Common) -> dict[str, Any]:
        plan = default if isinstance(default, RequestCommon) else RequestCommon.model_construct()
        files = written.files
        return {
            "fields": fields_of(written.fields),
            "files": files and FileRule(min=files.min, max=files.max, types=tuple(files.types), max_mb=files.max_mb),
            "secret": written.secret is not None,
            "event": written.event,
            "bundle": written.bundle,
            "checks": tuple(
                Check(activity=check.activity, with_fields=tuple(check.with_), blocks=check.blocks)
                for check in written.checks
            ),
            "review": written.review or plan.review,
            "confirm": written.confirm or plan.confirm or "received",
        }

    def outcomes(self, written: ApprovalModel) -> tuple[Outcome, ...]:
        if written.decisions is None:
            again = tuple(name for name in written.needs if name in self.item_ids)
            passing = Outcome(name="approve", passes=True)
            return (passing, Outcome(name="return", passes=False, reopen=again)) if again else (passing,)
        return tuple(
            Outcome(name=name, passes=True)
            if rule == "pass"
            else Outcome(name=name, passes=False, reopen=tuple(rule.reopen), max_rounds=rule.max_rounds, then=rule.then)
            for name, rule in written.decisions.items()
        )

    def hook(self, written: HookModel, default: Common) -> dict[str, Any]:
        plan = default if isinstance(default, HookCommon) else HookCommon.model_construct()
        retry = written.retry or plan.retry
        return {
            "activity": written.activity,
            "with_facts": tuple(written.with_),
            "provides": fields_of(written.provides),
            "attempts": retry.attempts if retry else 8,
            "backoff": retry.backoff if retry else 2.0,
            "timeout": self.duration(written.timeout or plan.timeout),
            "on_failure": written.on_failure or plan.on_failure or "task",
            "undo": written.undo,
        }


def _action(written: ActionModel) -> StageAction:
    return StageAction(notify=written.notify, template=written.template, hook=written.hook)


def _condition(text: str) -> Condition:
    kind, ref = reference_kind(text)
    return Condition(text=text, kind=kind, ref=ref)
