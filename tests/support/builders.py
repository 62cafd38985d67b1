"""Readable test data: a small definition, its order, and a run that hears messages and the clock.

Everything is in UTC and on the provider's working week (Monday to Friday, 9 to 17). `at(1)` is Monday, 30 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from onboarding.engine import machine
from onboarding.engine.calendars import Calendar, Zone
from onboarding.engine.effects import Effect
from onboarding.engine.events import ClockAdvanced, HookFailed, HookSucceeded, MessageReceived, MessageUnreadable
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, StartOrder
from onboarding.language.model import (
    Condition,
    ConditionKind,
    Definition,
    Field,
    FieldType,
    FileRule,
    Gate,
    Item,
    ItemKind,
    LadderStep,
    Metric,
    Outcome,
    Override,
    ReminderStep,
    Role,
    RoleSource,
    Side,
    SignalRule,
    Stage,
    StepAction,
)
from onboarding.language.units import Offset, parse_duration
from onboarding.messages import Received, Verdict
from onboarding.parsing import parse

UTC_ZONE = Zone(name="UTC", transitions=((0, 0),))
OFFICE = Calendar(zone=UTC_ZONE, week=(0, 1, 2, 3, 4), hours=((540, 1_020),))

CUSTOMER_ROLES = ("champion", "signer")


def at(day: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    """An instant of the story: day 1 is Monday, 30 November 2026."""
    return datetime(2026, 11, 29, tzinfo=UTC) + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def text(name: str, **changes: Any) -> Field:
    """A required text."""
    return Field(**{"name": name, "type": FieldType.STRING, "required": True, **changes})


def an_item(item: str, kind: ItemKind, stage: str, owner: str, **changes: Any) -> Item:
    """An item with the defaults that the compiler would fill in."""
    customer = owner in CUSTOMER_ROLES
    given = {
        "id": item,
        "title": f"Title of {item}",
        "kind": kind,
        "stage": stage,
        "owner": owner,
        "owners": (owner,),
        "side": Side.CUSTOMER if customer else Side.PROVIDER,
        "clock": "customer" if customer else "provider",
        **changes,
    }
    if isinstance(given.get("due"), str):
        given["due"] = parse_duration(given["due"])
    return Item(**given)


def a_stage(stage: str, items: tuple[str, ...], owner: str = "lead", **changes: Any) -> Stage:
    """A stage of these items."""
    given = {"id": stage, "title": f"Stage {stage}", "owner": owner, "items": items, **changes}
    for name in ("target", "stall"):
        if isinstance(given.get(name), str):
            given[name] = parse_duration(given[name])
    return Stage(**given)


def a_definition(**changes: Any) -> Definition:
    """Three stages, seven items of all five kinds, two sides, one gate that may be waived."""
    items = (
        an_item("details", ItemKind.REQUEST, "intake", "champion", fields=(text("legal_name"), text("vat_id")), due="3bd",
                reminders=(ReminderStep(at=Offset(-1, parse_duration("1bd"))),),
                ladder=(LadderStep(at=Offset(1, parse_duration("1bd")), do=StepAction.NOTIFY, to=("head",)),)),
        an_item("papers", ItemKind.REQUEST, "intake", "champion", files=FileRule(min=2, types=("pdf",)), review="lead", due="5bd"),
        an_item("credit_check", ItemKind.TASK, "intake", "lead", title="Look into their debts", provides=(text("rating"),), due="2bd"),
        an_item("provision", ItemKind.HOOK, "setup", "lead", activity="provision_tenant"),
        an_item("go", ItemKind.APPROVAL, "setup", "champion", owners=("champion", "lead"), quorum=2, needs=("provision",),
                outcomes=(Outcome(name="go", passes=True), Outcome(name="stop", passes=False, reopen=("details",)))),
        an_item("export", ItemKind.TASK, "setup", "lead", when="input.legacy"),
        an_item("first_use", ItemKind.EVENT, "live", "champion", event="product.used"),
    )  # fmt: skip
    gate = Gate(
        all=(Condition(text="facts.legal_name", kind=ConditionKind.FACT, ref="legal_name"),
             Condition(text="facts.rating != 'bad'", kind=ConditionKind.CEL, ref="facts.rating != 'bad'")),
        override=Override(by=("head",)),
    )  # fmt: skip
    given: dict[str, Any] = {
        "schema": "onboarding/v1",
        "id": "small",
        "version": 2,
        "title": "A small onboarding",
        "hash": "0" * 64,
        "stages": (
            a_stage(
                "intake",
                ("details", "papers", "credit_check"),
                gate=gate,
                target="3bd",
                stall="3bd",
                milestone="collected",
            ),
            a_stage("setup", ("provision", "go", "export"), needs=("intake",)),
            a_stage("live", ("first_use",), needs=("setup",), milestone="first_value"),
        ),
        "items": items,
        "roles": (
            Role(id="lead", side=Side.PROVIDER, source=RoleSource.VALUE, ref="olga"),
            Role(id="head", side=Side.PROVIDER, source=RoleSource.VALUE, ref="henk"),
            Role(id="champion", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="champion"),
        ),
        "inputs": (
            Field(name="legacy", type=FieldType.BOOL, default=False),
            Field(name="signed_at", type=FieldType.DATETIME),
            Field(name="segment", type=FieldType.STRING),
        ),
        "metrics": (
            Metric(id="time_to_value", start="input.signed_at", end="milestones.first_value"),
            Metric(id="asks_made", count="asks"),
        ),
        "signals": (SignalRule(event="product.used", fulfils="first_use", match={}),),
        "target": parse_duration("10bd"),
        **changes,
    }
    return Definition(**given)


def an_order(definition: Definition | None = None, **changes: Any) -> StartOrder:
    """An order for customer c-1; `changes` replace its parts."""
    chosen = definition or a_definition()
    given: dict[str, Any] = {
        "run": f"onboarding/c-1/{chosen.id}",
        "customer": "c-1",
        "definition": chosen,
        "inputs": {"legacy": False, "signed_at": "2026-11-27T12:00:00Z", "segment": "smb"},
        "people": {"lead": ("olga",), "head": ("henk",), "champion": ("customer:champion",)},
        "customer_contacts": ("customer:champion",),
        "calendars": {"provider": OFFICE, "customer": OFFICE},
        "started_by": "dana",
        **changes,
    }
    return StartOrder(**given)


@dataclass
class Run:
    """A run in a test: what it is now, and everything it asked for since it began."""

    plan: Plan
    state: RunState
    now: datetime
    effects: list[Effect] = field(default_factory=list)
    sent: int = 0

    def say(
        self, name: str, actor: str = "olga", *, when: datetime | None = None, via: str = "update", **content: Any
    ) -> Verdict:
        """Sends a message and returns its verdict; ids are made up unless given."""
        self.sent += 1
        raw = {"message_id": f"m{self.sent}", "actor": actor, **content}
        read = parse(name, raw, via=via, fallback_id="none")  # type: ignore[arg-type]
        self.now = when or self.now
        happened = MessageReceived if isinstance(read, Received) else MessageUnreadable
        event = happened(at=self.now, **({"received": read} if isinstance(read, Received) else {"refusal": read}))
        decision = machine.apply(self.plan, self.state, event)
        self.state = decision.state
        self.effects += decision.effects
        assert decision.verdict is not None
        return decision.verdict

    def hear(self, event: Any) -> None:
        """Anything else happens."""
        decision = machine.apply(self.plan, self.state, event)
        self.now, self.state = event.at, decision.state
        self.effects += decision.effects

    def wait(self, until: datetime) -> None:
        """Time passes."""
        self.hear(ClockAdvanced(at=until))

    def hook(self, item: str, ok: bool = True, when: datetime | None = None, **result: Any) -> None:
        """The hook of an item comes back."""
        key = f"{self.state.run}/{item}/{self.state.items[item].round}/hook"
        moment = when or self.now
        if ok:
            self.hear(HookSucceeded(at=moment, key=key, result={"ok": True, **result}))
        else:
            self.hear(HookFailed(at=moment, key=key, code="broken", sentence="It broke."))

    def change(self, **changes: Any) -> None:
        """Puts the run into a state by hand, for what would take too long to play."""
        self.state = replace(self.state, **changes)


def a_run(order: StartOrder | None = None, start: datetime | None = None) -> Run:
    """A run that has just begun."""
    plan = Plan(order or an_order())
    began = start or at(1)
    decision = machine.start(plan, began)
    return Run(plan=plan, state=decision.state, now=began, effects=list(decision.effects))


def papers(count: int = 2) -> list[dict[str, Any]]:
    """References to this many small files."""
    return [
        {"uri": f"vault:{n}", "sha256": f"{n:064x}", "type": "pdf", "bytes": 1_000, "name": f"{n}.pdf"}
        for n in range(1, count + 1)
    ]


def a_finished_run() -> Run:
    """A run that went straight to the end within four days."""
    run = a_run()
    run.say("complete", item="credit_check", provides={"rating": "good"}, when=at(1, 12))
    run.say(
        "submit", "customer:champion", item="details", fields={"legal_name": "Acme", "vat_id": "DE1"}, when=at(2, 10)
    )
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(2, 11))
    run.say("decide", item="papers", outcome="accept", when=at(2, 15))
    run.hook("provision", when=at(2, 16))
    run.say("decide", "customer:champion", item="go", outcome="go", when=at(3, 10))
    run.say("decide", item="go", outcome="go", when=at(3, 11))
    run.say("happen", "integration:app", event="product.used", when=at(4, 10))
    return run
