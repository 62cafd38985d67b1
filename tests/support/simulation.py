"""Runs by chance: random small definitions, random scripts, and the invariants that hold after every step.

Everything is drawn from a `random.Random` that the caller gives, so that a seed tells the whole story; Hypothesis gives one of
its own, which it can shrink. `Simulation.step` does one thing to a run and checks what came of it; `finish` plays a helpful
world until the run has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from pydantic import TypeAdapter

from onboarding.engine import answers, figures, gates, machine
from onboarding.engine.calendars import Calendar, Zone
from onboarding.engine.effects import Decision, DeliverNotice, RunHook, WriteRecords
from onboarding.engine.events import (
    ClockAdvanced,
    Event,
    HookFailed,
    HookSucceeded,
    MessageReceived,
    MessageUnreadable,
    NoticeFailed,
)
from onboarding.engine.flow import ACTIVE
from onboarding.engine.people import acting, asked_of, item_owner, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.presence import is_away
from onboarding.engine.state import ItemState, ItemStatus, RunState, RunStatus, StageStatus, StartOrder
from onboarding.language.expressions import reference_kind
from onboarding.language.model import (
    Check,
    Condition,
    ConditionKind,
    ContactPolicy,
    Definition,
    Field,
    FieldType,
    FileRule,
    Gate,
    Item,
    ItemKind,
    LadderStep,
    Outcome,
    Override,
    ReminderStep,
    Role,
    RoleSource,
    Side,
    SignalRule,
    Stage,
    StageAction,
    StepAction,
)
from onboarding.language.units import Offset, Share, parse_duration
from onboarding.messages import BY_NAME, OutcomeWord, Received, Refusal, Verdict
from onboarding.parsing import parse
from tests.support.ears import Ears

BEGIN = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
STATE: TypeAdapter[RunState] = TypeAdapter(RunState)
_UTC_ZONE = Zone(name="UTC", transitions=((0, 0),))
OFFICE = Calendar(zone=_UTC_ZONE, week=(0, 1, 2, 3, 4), hours=((540, 1_020),))

PEOPLE = {
    "lead": ("olga",),
    "head": ("henk",),
    "crew": ("ivy", "ian", "ida"),
    "champion": ("customer:champion",),
    "signer": ("sid",),
}
ROLES = (
    Role(id="lead", side=Side.PROVIDER, source=RoleSource.VALUE, ref="olga", deputy="head"),
    Role(id="head", side=Side.PROVIDER, source=RoleSource.VALUE, ref="henk"),
    Role(id="crew", side=Side.PROVIDER, source=RoleSource.GROUP, ref="crew", deputy="lead"),
    Role(id="champion", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="champion", deputy="signer"),
    Role(id="signer", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="signer"),
)
ACTORS = ("olga", "henk", "ivy", "ian", "ida", "sid", "customer:champion", "customer:signer", "lead", "head", "crew")
STRANGERS = ("nobody", "unverified", "integration:crm", "customer:sponsor", "mail@x.example", "")
OURS = ("lead", "head", "crew")
THEIRS = ("champion", "signer")
OFTEN = {
    "submit": 12, "decide": 12, "complete": 10, "happen": 10, "hold": 1.5, "resume": 4, "extend": 5, "set_calendar": 3, "reassign": 6, "absence": 5, "waive": 6,
    "reopen": 7, "promise": 2, "note": 2, "cancel": 0.1,
}  # fmt: skip
"""How often each message is drawn."""


# Definitions ----------------------------------------------------------------------------------------------------------


def random_definition(rng: Random, *, tacit: bool = True, contact: bool = True) -> Definition:
    """A small definition that can always be finished: needs point backwards, conditions can be met or waived.

    Without `tacit` nothing is settled by a time-out and nothing holds or ends the run by itself; without `contact` every word leaves
    at once.
    """
    stages: list[Stage] = []
    items: list[Item] = []
    for s in range(rng.randint(1, 3)):
        stage = f"s{s}"
        own: list[Item] = []
        for _ in range(rng.randint(1, 4)):
            own.append(_random_item(rng, f"i{len(items) + len(own)}", stage, items, own, tacit=tacit))
        items += own
        needs = tuple(sorted({other.id for other in stages if rng.random() < 0.6}))
        stages.append(
            Stage(
                id=stage,
                title=f"Stage {s}",
                owner=rng.choice(OURS),
                items=tuple(item.id for item in own),
                needs=needs,
                when=rng.choice((None, None, None, "input.legacy", "!input.legacy")) if s else None,
                target=parse_duration(rng.choice(("1bd", "3h"))),
                stall=rng.choice((None, parse_duration("2bd"), parse_duration("9h"))),
                gate=_random_gate(rng, own),
                milestone=f"m{s}" if rng.random() < 0.5 else None,
                on_enter=(StageAction(notify="champion"),) if rng.random() < 0.2 else (),
                on_exit=(StageAction(hook="publish"),) if rng.random() < 0.2 else (),
            )
        )
    if rng.random() < 0.3:  # what is owed must be payable: nobody may waive this one
        gate = Gate(all=(Condition(text="debt == 0", kind=ConditionKind.CEL, ref="debt == 0"),))
        last = _random_item(rng, f"i{len(items)}", "last", [], [], tacit=tacit)
        last = replace(last, optional=False)
        items.append(last)
        before = tuple(stage.id for stage in stages)
        stages.append(Stage(id="last", title="Last", owner="lead", items=(last.id,), needs=before, gate=gate))
    events = tuple(SignalRule(event=item.event, fulfils=item.id, match={}) for item in items if item.event)
    return Definition(
        schema="onboarding/v1", id="chance", version=1, title="By chance", hash="0" * 64, stages=tuple(stages), items=tuple(items),
        roles=_random_roles(rng), inputs=(Field(name="legacy", type=FieldType.BOOL),), target=parse_duration("9bd"), signals=events,
        contact=_random_contact(rng) if contact else ContactPolicy(),
    )  # fmt: skip


def _random_contact(rng: Random) -> ContactPolicy:
    silence = rng.choice((None, "1bd", "2bd", "30h"))
    # A gap of business hours is longer than thirty hours on a weekend, and then the gap counts.
    gap = rng.choice((None, "2h") if silence == "30h" else (None, "2h", "4bh"))
    return ContactPolicy(
        send_in=rng.choice(("any_time", "working_hours")),
        request_budget=rng.choice((None, 2)),
        digest=rng.random() < 0.5,
        min_gap=parse_duration(gap) if gap else None,
        max_silence=parse_duration(silence) if silence else None,
    )


def _random_roles(rng: Random) -> tuple[Role, ...]:
    """The people of a run; a group has its work at once, or its members may take it for a while."""
    wait = rng.choice((None, None, parse_duration("4bh"), parse_duration("50m")))
    return tuple(replace(role, assign_after=wait) if role.id == "crew" else role for role in ROLES)


def _random_item(rng: Random, name: str, stage: str, before: list[Item], beside: list[Item], *, tacit: bool) -> Item:
    kind = rng.choice(
        (ItemKind.REQUEST, ItemKind.REQUEST, ItemKind.TASK, ItemKind.APPROVAL, ItemKind.EVENT, ItemKind.HOOK)
    )
    earlier = [item.id for item in before + beside]
    needs = tuple(sorted({rng.choice(earlier) for _ in range(rng.randint(0, 2))})) if earlier else ()
    owner = rng.choice(THEIRS if kind is ItemKind.REQUEST else (*OURS, *THEIRS) if kind is ItemKind.APPROVAL else OURS)
    side = Side.CUSTOMER if owner in THEIRS else Side.PROVIDER
    timed = rng.random() < 0.8
    shared: dict[str, Any] = {
        "id": name, "title": f"Title of {name}", "kind": kind, "stage": stage, "owner": owner, "owners": (owner,),
        "side": Side.THIRD_PARTY if kind is ItemKind.EVENT else side,
        "clock": rng.choice(("provider", "customer", "both", "owner", "calendar")), "needs": needs,
        "when": rng.choice((None,) * 6 + ("input.legacy", "!input.legacy", "debt == 0")),
        "due": parse_duration(rng.choice(("2bd", "4bh", "30h", "45s", "1bd"))) if timed else None,
        "optional": rng.random() < 0.15,
    }  # fmt: skip
    if timed:
        shared |= _random_times(rng, tacit=tacit)
    match kind:
        case ItemKind.REQUEST:
            shared |= _random_request(rng, name)
        case ItemKind.TASK:
            shared["provides"] = (
                (Field(name=f"f_{name}", type=FieldType.STRING, required=True),) if rng.random() < 0.5 else ()
            )
        case ItemKind.APPROVAL:
            shared |= _random_approval(rng, needs, owner, tacit=tacit)
            shared["side"] = Side.CUSTOMER if shared["owner"] in THEIRS else Side.PROVIDER
        case ItemKind.EVENT:
            shared["event"] = f"e.{name}"
        case ItemKind.HOOK:
            shared |= {"activity": "act", "on_failure": rng.choice(("task", "task", "skip")), "provides": ()}
            if tacit and rng.random() < 0.1:
                shared["on_failure"] = "fail"
    return Item(**shared)


def _random_times(rng: Random, *, tacit: bool) -> dict[str, Any]:
    reminders = (ReminderStep(at=Offset(-1, parse_duration("1h"))), ReminderStep(every=parse_duration("5h"), max=3))
    calm = (StepAction.NOTIFY, StepAction.NOTIFY, StepAction.REASSIGN)
    wild = (*calm, StepAction.HOLD, StepAction.SKIP) + ((StepAction.FAIL,) if rng.random() < 0.1 else ())
    places = (Share(50), Offset(0), Offset(1, parse_duration("3h")), Offset(1, parse_duration("1bd")))
    ladder = tuple(
        LadderStep(at=at, do=rng.choice(wild if tacit else calm), to=(rng.choice((*OURS, "champion")),))
        for at in places
        if rng.random() < 0.4
    )
    on_timeout = rng.choice(("escalate", "escalate", "pass", "skip")) if tacit else "escalate"
    return {"reminders": reminders if rng.random() < 0.5 else (), "ladder": ladder, "on_timeout": on_timeout}


def _random_request(rng: Random, name: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"bundle": rng.choice((None, "pack")), "review": rng.choice((None, None, "lead", "crew"))}
    match rng.randint(0, 3):
        case 0:
            shape["files"] = FileRule(min=1, types=("pdf",))
        case 1:
            shape["secret"] = True
        case 2:
            shape["event"] = f"e.{name}"
            return {**shape, "review": None}
        case _:
            shape["fields"] = (Field(name=f"f_{name}", type=FieldType.STRING, required=True),)
    shape["checks"] = tuple(Check(activity="look", blocks=rng.random() < 0.7) for _ in range(rng.randint(0, 2)))
    return shape


def _random_approval(rng: Random, needs: tuple[str, ...], owner: str, *, tacit: bool) -> dict[str, Any]:
    owners = tuple(dict.fromkeys((owner, *(rng.choice((*OURS, *THEIRS)) for _ in range(rng.randint(0, 2))))))
    back = Outcome(
        name="no",
        passes=False,
        reopen=needs,
        max_rounds=rng.choice((None, 1, 2)),
        then=rng.choice(("escalate", "skip")),
    )
    outcomes = (Outcome(name="yes", passes=True), *((Outcome(name="fine", passes=True),) if rng.random() < 0.2 else ()))
    return {
        "owners": owners,
        "quorum": rng.randint(1, len(owners)),
        "outcomes": (*outcomes, back) if needs else outcomes,
        "four_eyes": needs[:1] if rng.random() < 0.3 else (),
        "in_order": len(owners) > 1 and rng.random() < 0.4,
        "handoff": bool(needs) and all(role in OURS for role in owners) and rng.random() < 0.6,
    }


def _random_gate(rng: Random, own: list[Item]) -> Gate:
    texts = [item.id for item in own if item.optional and rng.random() < 0.5]
    texts += [f"facts.{field.name}" for item in own for field in item.fields + item.provides if rng.random() < 0.5]
    texts += [rng.choice(("debt == 0", "size(input) > 0 || true"))] if rng.random() < 0.2 else []
    conditions = tuple(
        Condition(text=text, kind=reference_kind(text)[0], ref=reference_kind(text)[1]) for text in texts
    )
    some = conditions[:2] if len(conditions) > 2 else ()
    expires = rng.choice((None, parse_duration("1bd")))
    override = Override(by=("head",), expires=expires) if rng.random() < 0.8 else None
    return Gate(all=conditions[len(some) :], any=some, override=override)


def order_of(definition: Definition, *, legacy: bool = False) -> StartOrder:
    """The order of a random definition."""
    return StartOrder(
        run=f"onboarding/c-1/{definition.id}", customer="c-1", definition=definition, inputs={"legacy": legacy}, people=PEOPLE,
        customer_contacts=("customer:champion", "sid"), calendars={"provider": OFFICE, "customer": OFFICE}, started_by="olga",
    )  # fmt: skip


# Playing --------------------------------------------------------------------------------------------------------------


class Simulation:
    """A run, what the world owes it, and everything that was decided."""

    def __init__(self, plan: Plan, rng: Random, *, restores: float = 0.1) -> None:
        self.plan, self.rng, self.restores = plan, rng, restores
        self.now = BEGIN
        self.waiting: dict[str, RunHook] = {}
        self.ears = Ears(plan)
        self.keys: dict[str, None] = {}
        self.heard: list[Received] = []
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.number = 0
        self.restored = 0
        self.events: list[Event] = []
        self.decisions: list[Decision] = []
        decision = machine.start(plan, self.now)
        self.state = self._read_back = RunState(run="", customer="", started_at=BEGIN, at=BEGIN)
        self._after(self.state, None, decision)

    # One step.

    def step(self) -> Decision:
        """Does one thing by chance."""
        kind = self.rng.choices(
            ("message", "clock", "hook", "again", "reuse", "broken", "notice"), (55, 18, 14, 4, 2, 4, 3)
        )[0]
        return getattr(self, f"_{kind}")()

    def _message(self) -> Decision:
        if self.rng.random() < 0.5:
            return self._sensible()
        name = self.rng.choices(tuple(BY_NAME), [OFTEN[name] for name in BY_NAME])[0]
        return self.say(name, self._content(name))

    def _sensible(self) -> Decision:
        """What an open item waits for, said by somebody who may."""
        current = [name for name, item in self.state.items.items() if item.status in ACTIVE]
        if not current:
            return self._clock()
        name = self.rng.choice(current)
        item, status = self.plan.items[name], self.state.items[name].status
        if item.event:
            return self.say("happen", {"event": item.event}, actor="integration:x")
        if item.kind is ItemKind.REQUEST and status is ItemStatus.IN_REVIEW:
            word = self.rng.choice(("accept", "accept", "return"))
            said = {"item": name, "outcome": word, **self.looked_at(name)}
            return self.say("decide", said, actor=item.review or self.rng.choice(OURS))
        if item.kind is ItemKind.REQUEST:
            return self.say("submit", {"item": name, **self.answer(name)}, actor="customer:champion")
        if item.kind is ItemKind.APPROVAL:
            word = self.rng.choice([one.name for one in item.outcomes])
            said = {"item": name, "outcome": word, "comment": "so", **self.looked_at(name)}
            return self.say("decide", said, actor=self.rng.choice(item.owners))
        return self.say("complete", {"item": name, "provides": self.given(name)}, actor=item.owner)

    def _content(self, name: str) -> dict[str, Any]:
        rng = self.rng
        current = [item for item in self.plan.items if self.state.items[item].status in ACTIVE]
        item = rng.choice(current) if current and rng.random() < 0.8 else rng.choice(tuple(self.plan.items))
        stage = rng.choice(tuple(self.plan.stages))
        later = (self.now + timedelta(seconds=rng.choice((30, 4_000, 90_000, 400_000)))).isoformat()
        wrong = rng.random() < 0.1
        match name:
            case "submit":
                return {"item": item, **self.answer(item, wrong=wrong), "draft": rng.random() < 0.1}
            case "decide":
                names = [one.name for one in self.plan.items[item].outcomes] or ["accept", "return"]
                said = {"comment": "because"} if rng.random() < 0.7 else {}
                about = self.looked_at(item) if rng.random() < 0.6 else {"answer": "0" * 8} if wrong else {}
                return {"item": item, "outcome": "perhaps" if wrong else rng.choice(names), **said, **about}
            case "complete":
                return {"item": item, "provides": {} if wrong else self.given(item)}
            case "happen":
                return {"event": "e.none" if wrong else rng.choice(tuple(self.plan.signals) or ("e.none",)), "data": {}}
            case "hold":
                return {"reason": "wait", **({"review_at": later} if rng.random() < 0.5 else {})}
            case "promise":
                return {"due": later, "reason": "agreed", "side": rng.choice(("customer", "provider", "third_party"))}
            case "extend":
                return {rng.choice(("item", "stage")): rng.choice((item, stage)), "due": later, "reason": "more time"}
            case "set_calendar":
                return {**self._calendar_parts(wrong=wrong), "reason": "they asked"}
            case "reassign":
                target = rng.choice(({"item": item}, {"stage": stage}, {"role": rng.choice(tuple(PEOPLE))}))
                until = {"until": later} if rng.random() < 0.4 else {}
                return {**target, "to": rng.choice((*ACTORS, "newcomer")), **until}
            case "absence":
                begins = rng.choice((-90_000, 0, 30, 4_000, 90_000))
                since = self.now + timedelta(seconds=begins)
                until = self.now + timedelta(seconds=rng.choice((20, 7_000, 100_000, 500_000)) + max(begins, 0))
                named = {"to": rng.choice((*ACTORS, "newcomer"))} if rng.random() < 0.3 else {}
                person = rng.choice((*ACTORS, "newcomer"))
                return {"person": person, "since": since.isoformat(), "until": until.isoformat(), **named}
            case "waive":
                texts = gates.waivable(self.plan, stage)
                target = {"condition": rng.choice(texts)} if texts and rng.random() < 0.5 else {"item": item}
                return {**target, "reason": "trust", **({"expires": later} if rng.random() < 0.3 else {})}
            case "reopen":
                names = tuple(self.plan.items)
                return {"items": [rng.choice(names) for _ in range(rng.randint(1, 2))], "reason": "again"}
            case "note":
                return {"text": "hello"}
            case _:
                return {"reason": "because"}

    def _calendar_parts(self, *, wrong: bool) -> dict[str, Any]:
        """A calendar of the run or of a person, and what becomes of it: nothing of it stops the run from working."""
        rng = self.rng
        whose = rng.choice(("provider", "customer", "customer:signer", "ivy", "nobody" if wrong else "customer"))
        parts: dict[str, Any] = {
            "week": rng.choice(("mon-fri", "sun-thu", ["sat"], "mon-sun")),
            "hours": rng.choice(("09:00-17:00", ["08:00-12:00", "13:00-16:30"], "00:00-24:00", "22:00-23:00")),
            "holidays": [
                str(self.now.date() + timedelta(days=day)) for day in rng.sample(range(30), rng.randint(0, 6))
            ],
            "zone": {"name": "Asia/Kathmandu", "transitions": [[0, 20_700]] if not wrong else []},
        }
        kept = rng.sample(sorted(parts), rng.randint(1, len(parts)))
        return {"calendar": whose, **{name: parts[name] for name in kept}}

    def answer(self, name: str, *, wrong: bool = False) -> dict[str, Any]:
        """What fits a request, or nearly."""
        item = self.plan.items[name]
        if wrong:
            return {"fields": {"nonsense": 1}}
        if item.files is not None:
            return {
                "files": [
                    {"uri": "s3://x", "sha256": f"{self.number:064x}", "type": "pdf", "bytes": 9, "name": "a.pdf"}
                ]
            }
        if item.secret:
            return {"fields": {"reference": "vault:kv/1"}}
        return {"fields": self.given(name)}

    def looked_at(self, name: str) -> dict[str, Any]:
        """What a decision on an item is about now, as whoever decides names it."""
        digest = answers.present(self.plan, self.state, self.plan.items[name])
        return {} if digest is None else {"answer": digest}

    def given(self, name: str) -> dict[str, Any]:
        """The facts that an item asks for."""
        item = self.plan.items[name]
        return {field.name: f"v{self.number}" for field in item.fields + item.provides}

    def say(self, name: str, content: dict[str, Any], actor: str | None = None, via: str | None = None) -> Decision:
        """Sends one message with an id of its own."""
        self.number += 1
        who = actor or self.rng.choice(ACTORS if self.rng.random() < 0.92 else STRANGERS)
        how = via or self.rng.choice(("update", "update", "signal"))
        read = parse(name, {"message_id": f"m{self.number}", "actor": who, **content}, via=how, fallback_id="f")  # type: ignore[arg-type]
        if isinstance(read, Refusal):
            return self.hear(MessageUnreadable(at=self.now, refusal=read))
        self.heard.append(read)
        return self.hear(MessageReceived(at=self.now, received=read))

    def _again(self) -> Decision:
        if not self.heard:
            return self._message()
        return self.hear(MessageReceived(at=self.now, received=self.rng.choice(self.heard)))

    def _reuse(self) -> Decision:
        if not self.heard:
            return self._message()
        old = self.rng.choice(self.heard)
        raw = {"message_id": old.message.message_id, "actor": "olga", "text": f"other {self.number}"}
        read = parse("note", raw, via="update", fallback_id="f")
        assert isinstance(read, Received)
        return self.hear(MessageReceived(at=self.now, received=read))

    def _broken(self) -> Decision:
        raw = self.rng.choice(
            ([], None, {"actor": 5}, {"message_id": "x" * 200}, {"item": "\ud800"}, "text", {"x": float("nan")})
        )
        name = self.rng.choice((*BY_NAME, "explode"))
        read = parse(name, raw, via=self.rng.choice(("update", "signal")), fallback_id="f")
        assert isinstance(read, Refusal)
        return self.hear(MessageUnreadable(at=self.now, refusal=read))

    def _clock(self) -> Decision:
        alarm = machine.alarm_at(self.state)
        if alarm is not None and self.rng.random() < 0.7:
            self.now = max(self.now, alarm)
        else:
            self.now += timedelta(seconds=self.rng.choice((0, 1, 60, 3_600, 40_000, 200_000)))
        return self.hear(ClockAdvanced(at=self.now))

    def _hook(self) -> Decision:
        if not self.waiting:
            return self._clock()
        key = self.rng.choice(tuple(self.waiting))
        return self.back(key, self.rng.choices(("ok", "no", "broken", "odd"), (70, 12, 12, 6))[0])

    def back(self, key: str, how: str) -> Decision:
        """A hook or check comes back."""
        # An answer may come twice; of hooks without an item nothing is kept that could tell.
        if self.rng.random() < 0.95 or self.waiting[key].item is None:
            self.waiting.pop(key, None)
        if how == "broken":
            return self.hear(HookFailed(at=self.now, key=key, code="gone", sentence="No answer."))
        result: Any = {"ok": {"ok": True}, "no": {"ok": False, "faults": [{"sentence": "bad \ud800"}, 7]}, "odd": [1]}[
            how
        ]
        return self.hear(HookSucceeded(at=self.now, key=key, result=result))

    def _notice(self) -> Decision:
        key = self.rng.choice((*tuple(self.keys)[-5:], "no key at all"))
        return self.hear(NoticeFailed(at=self.now, key=key, code="bounced"))

    # What holds after every step.

    def hear(self, event: Event) -> Decision:
        """Applies an event and checks everything that must hold."""
        if self.rng.random() < self.restores and self.state is not self._read_back:
            restored = STATE.validate_json(STATE.dump_json(self.state))
            assert restored == self.state, "a snapshot is the whole truth"
            self.state = self._read_back = restored  # until it changes, reading it again would prove nothing more
            self.restored += 1
        before = self.state
        self.events.append(event)
        decision = machine.apply(self.plan, before, event)
        self._after(before, event, decision)
        return decision

    def _after(self, before: RunState, event: Event | None, decision: Decision) -> None:
        self.decisions.append(decision)
        self.state = decision.state
        for effect in decision.effects:
            if isinstance(effect, RunHook):
                assert effect.key not in self.waiting, f"asked twice: {effect.key}"
                self.waiting[effect.key] = effect
            key = (
                effect.key
                if isinstance(effect, RunHook)
                else effect.notice.key
                if isinstance(effect, DeliverNotice)
                else None
            )
            if key is not None:
                assert key not in self.keys, f"one key, two effects: {key}"
                self.keys[key] = None
        if self.plan.order.calendars["provider"] == OFFICE:
            self.ears.listen(decision, self.now, ticked=isinstance(event, ClockAdvanced))
        if isinstance(event, MessageReceived):
            self._check_verdict(before, event.received, decision)
        check_step(self.plan, before, event, decision)

    def _check_verdict(self, before: RunState, received: Received, decision: Decision) -> None:
        told = decision.verdict
        assert told is not None
        assert told.code != "internal", "a bug of ours"
        name = (received.message.message_id, received.digest)
        first = self.verdicts.get(name)
        if first is not None:
            assert told.outcome is OutcomeWord.DUPLICATE
            same = (told.code, told.item, told.status, told.received_at)
            assert (first.code, first.item, first.status, first.received_at) == same, "the first answer again"
            assert (before, ()) == (decision.state, decision.effects)
        elif not told.refused:
            self.verdicts[name] = told
            new = [one for one in decision.state.trail if one.n > before.trail_count and one.message_id == name[0]]
            words = [str(told.outcome)] if told.outcome is OutcomeWord.ACCEPTED else ["held"]
            assert words == [one.outcome for one in new][:1], "what was told is in the trail"

    # A helpful world.

    def finish(self, most: int = 400) -> bool:
        """Everybody answers what is open until the run has ended."""
        for _ in range(most):
            if self.state.status is RunStatus.CLOSED:
                return True
            self._help()
        return False

    def _help(self) -> None:
        if self.state.hold is not None:
            self._try("resume", {}, OURS)
            return
        if self.waiting:
            self.back(next(iter(self.waiting)), "ok")
            return
        for name, current in self.state.items.items():
            if current.status in ACTIVE and self._settle(name):
                return
        for stage in self.plan.stages:
            open_stage = self.state.stages[stage].status is StageStatus.OPEN
            for view in gates.conditions(self.plan, self.state, stage) if open_stage else ():
                if not view.met and view.text in gates.waivable(self.plan, stage):
                    told = self.say(
                        "waive", {"condition": view.text, "reason": "end"}, actor="head", via="update"
                    ).verdict
                    if told is not None and not told.refused:
                        return
                    sources = self.plan.sources.get(view.text.removeprefix("facts."), ())
                    done = [
                        one for one in sources if self.state.items[one].status in (ItemStatus.DONE, ItemStatus.WAIVED)
                    ]
                    if done:
                        self.say(
                            "reopen", {"items": done[:1], "reason": "a fact is missing"}, actor="head", via="update"
                        )
                        return
                if not view.met and view.text == "debt == 0" and self._pay():
                    return
        self.now = max(self.now, machine.alarm_at(self.state) or self.now)
        self.hear(ClockAdvanced(at=self.now))

    def _pay(self) -> bool:
        """What was waived is asked for again."""
        for debt in self.state.debts:
            sources = self.plan.sources.get((debt.condition or "").removeprefix("facts."), ())
            for name in [debt.item] if debt.item else sources:
                if debt.settled_at is None and self._try("reopen", {"items": [name], "reason": "debt"}, OURS):
                    return True
        return False

    def _settle(self, name: str) -> bool:
        item, current = self.plan.items[name], self.state.items[name]
        if item.event:
            return self._try("happen", {"event": item.event}, ("integration:x",))
        everybody = (*ACTORS, *item.owners, "newcomer")
        if item.kind is ItemKind.REQUEST and current.status is ItemStatus.IN_REVIEW:
            roles = (item.review or self.plan.stages[item.stage].owner,)
            said = {"item": name, "outcome": "accept", **self.looked_at(name)}
            return self._try("decide", said, everybody) or self._unblock(name, "accept", roles)
        if item.kind is ItemKind.REQUEST:
            return self._try("submit", {"item": name, **self.answer(name)}, ("customer:champion",))
        if item.kind is ItemKind.APPROVAL:
            passed = self._try("decide", {"item": name, "outcome": "yes", **self.looked_at(name)}, everybody)
            return passed or self._unblock(name, "yes", item.owners)
        return self._try("complete", {"item": name, "provides": self.given(name)}, everybody)

    def _unblock(self, name: str, outcome: str, roles: Sequence[str]) -> bool:
        """Nobody may decide: the seats, or the item that was given away, go to people who have done nothing yet."""
        for role in roles:
            if self._give_and_decide(name, outcome, {"role": role}):
                return True
        return self._give_and_decide(name, outcome, {"item": name})

    def _give_and_decide(self, name: str, outcome: str, what: dict[str, Any]) -> bool:
        self.number += 1
        someone = f"fresh{self.number}"
        given = self._try("reassign", {**what, "to": someone}, ("head",))
        return given and self._try("decide", {"item": name, "outcome": outcome, **self.looked_at(name)}, (someone,))

    def _try(self, name: str, content: dict[str, Any], actors: Sequence[str]) -> bool:
        for actor in actors:
            verdict = self.say(name, content, actor=actor, via="update").verdict
            if verdict is not None and not verdict.refused and verdict.code != "no_agreement":
                return True
        return False


def check_step(plan: Plan, before: RunState, event: Event | None, decision: Decision) -> None:
    """Everything that must hold of one decision, whatever happened."""
    state = decision.state
    if isinstance(event, ClockAdvanced):
        alarm = machine.alarm_at(state)
        assert alarm is None or alarm > event.at
    if state is before:  # what holds of it was looked at when it came to be
        assert decision.effects == ()
        return
    rows = [effect for effect in decision.effects if isinstance(effect, WriteRecords)]
    assert len(rows) == (1 if decision.effects else 0), "all rows of a turn are written together"
    if before.status is RunStatus.CLOSED:
        assert before is state or before == state
        assert decision.effects == ()
    verdict = decision.verdict
    if verdict is not None and verdict.refused:
        counted = replace(before, refused=state.refused, refused_count=state.refused_count, at=state.at)
        assert counted == state, "a refused message changes nothing"
        assert all(isinstance(effect, WriteRecords) for effect in decision.effects)
    assert state.at >= before.at
    if state.status is RunStatus.CLOSED:
        assert machine.alarm_at(state) is None
        assert not any(item.status in ACTIVE for item in state.items.values())
    _check_ledger(plan, state)
    _check_calendars(plan, before, decision)
    _check_items(plan, before, state)
    _check_stages(plan, before, state)
    _check_owners(plan, state, event)
    _check_names(plan, before, event, decision)
    _check_handoffs(plan, state)


def _check_owners(plan: Plan, state: RunState, event: Event | None) -> None:
    """At every instant each open stage and each active item has exactly one owner, who is a person of this run."""
    groups = [role.ref for role in plan.roles.values() if plan.is_group(role.id)]
    nobody = ("", "unverified", "engine", *plan.roles, *groups)
    for name, stage in state.stages.items():
        if stage.status is StageStatus.OPEN:
            assert stage.owner not in nobody, "a stage is a person's"
            assert stage_owner(plan, state, name) not in nobody, "a person answers for a stage"
    for name, item in state.items.items():
        if item.status in ACTIVE:
            rule = plan.items[name]
            assert item.owner not in nobody, "an item is a person's"
            assert acting(plan, state, rule)[0] not in nobody, "a person has an item"
            assert item_owner(plan, state, rule) not in nobody, "a person answers for an item"
            assert "" not in asked_of(plan, state, rule)
            assert (
                item.assign_at is None
                or item.assign_at > state.at
                or not isinstance(event, ClockAdvanced)
                or state.hold is not None
                or item.status is ItemStatus.ANSWERED
            )
    if state.booking is not None and state.hold is None:
        assert state.booking.who not in nobody, "the time is one person's"
    people = [one.person for one in state.absences]
    assert len(set(people)) == len(people), "one absence for each person"


def _check_names(plan: Plan, before: RunState, event: Event | None, decision: Decision) -> None:
    """Nobody acts in the place of an absent person without both names in the record."""
    told = decision.verdict
    if not isinstance(event, MessageReceived) or told is None or told.outcome is not OutcomeWord.ACCEPTED:
        return
    if event.received.name not in ("submit", "complete") or told.item is None:
        return
    owner = before.items[told.item].owner
    if before.items[told.item].assign_at is not None or not owner or not is_away(before, owner):
        return
    mine = [one for one in decision.state.trail if one.message_id == event.received.message.message_id]
    entry = mine[-1]
    if told.code != "draft_kept" and entry.actor not in (owner, "unverified"):
        assert owner in (entry.on_behalf_of or "") or owner in entry.sentence, "both names are in the trail"


def _check_handoffs(plan: Plan, state: RunState) -> None:
    """What was handed over is on the clock of one person from its release until somebody decides, and not a second longer."""
    for name, item in plan.items.items():
        running = state.handoffs.get(name)
        waits = item.handoff and state.items[name].status is ItemStatus.OPEN
        assert waits == (running is not None and running.ended_at is None), "released, or decided"
        if running is not None:
            assert running.receiver, "somebody must accept it"
            assert running.seconds >= 0


def _check_ledger(plan: Plan, state: RunState) -> None:
    sides = figures.by_side(plan, state, state.at)
    assert int((state.at - state.started_at).total_seconds()) == sum(sides.values()), "the ledger adds up"
    assert all(seconds >= 0 for seconds in sides.values())
    entries = [*state.ledger, *([state.booking] if state.booking else [])]
    for one, following in pairwise(entries):
        assert one.to == following.since, "entries lie end to end"


def _check_calendars(plan: Plan, before: RunState, decision: Decision) -> None:
    """Another calendar changes dates that are still to come, for the later or for now; it undoes nothing."""
    state, verdict = decision.state, decision.verdict
    if verdict is None or verdict.code != "calendar_set" or verdict.outcome is not OutcomeWord.ACCEPTED:
        return
    now = state.at if before.hold is None else before.hold.since
    counted = [figures.by_side(plan, one, state.at) for one in (before, state)]
    assert counted[0] == counted[1], "time that is over stays counted as it was"
    for name, old in before.items.items():
        new = state.items[name]
        assert (old.status, old.fired, old.overdue, old.owner) == (new.status, new.fired, new.overdue, new.owner)
        if not plan.definition.contact.digest:  # a reminder may be said with the new dates
            assert [(one.kind, one.index, one.times) for one in old.planned] == sorted_like(old, new), (
                "nothing planned is lost"
            )
        if new.due_at != old.due_at:
            assert not old.due_given or state.holds, "what somebody gave stays"
            assert new.due_at is not None
            assert new.due_at > now, "no date moves into the past"
            assert new.due_why, "and it says why"
        for one in new.planned:
            assert one in old.planned or one.at > now, "nothing is planned in the past"
    for name, stage in state.stages.items():
        if stage != before.stages[name]:
            assert stage.stall_at is None or stage.stalled or stage.stall_at > now


def sorted_like(old: ItemState, new: ItemState) -> list[tuple[str, int, int]]:
    """What is planned now, in the order in which it was planned before: times may have changed the order."""
    kinds = [(one.kind, one.index, one.times) for one in old.planned]
    return sorted(((one.kind, one.index, one.times) for one in new.planned), key=kinds.index)


def _check_items(plan: Plan, before: RunState, state: RunState) -> None:
    for name, current in state.items.items():
        old = before.items.get(name)
        if old is current:
            continue
        item = plan.items[name]
        if current.status in ACTIVE:
            assert current.owner, "exactly one owner"
            assert current.opened_at is not None
        if old is not None and current.status in ACTIVE and old.status is ItemStatus.NOT_READY:
            # A waiver may have run out in the same turn, after what it let pass.
            owed = any(gates.item_debt(state, one) is not None for one in item.needs if one in state.items)
            assert owed or gates.needs_met(plan, state, item.needs), "nothing opens before its needs hold"
            assert state.stages[item.stage].status is StageStatus.OPEN
        if current.closed_at and current.opened_at:
            assert current.closed_at >= current.opened_at
        assert len(set(current.fired)) == len(current.fired), "no step twice"
        assert current.tacit or current.outcome != "timeout", "what people did is not called a time-out"
        decided = item.kind is ItemKind.APPROVAL and current.status is ItemStatus.DONE and not current.tacit
        if decided and old is not None and old.status is not ItemStatus.DONE:
            said = {vote.handle for vote in current.votes if vote.outcome == current.outcome}
            assert len(said) >= item.quorum, "a quorum of distinct people"
            single = [vote.role for vote in current.votes if not plan.is_group(vote.role)]
            assert len(set(single)) == len(single), "one seat, one voice"
            assert not any(handle in state.items[other].actors for handle in said for other in item.four_eyes)


def _check_stages(plan: Plan, before: RunState, state: RunState) -> None:
    for name, current in state.stages.items():
        old = before.stages.get(name)
        if old is current or old is None:
            continue
        assert current.visit >= old.visit
        if current.left_at and current.entered_at:
            assert current.left_at >= current.entered_at
        if current.status is StageStatus.DONE and old.status is not StageStatus.DONE:
            rule = plan.stages[name]
            for one in rule.items:
                # A waiver may have run out in the same turn, after the stage was left.
                met = gates.item_met(state, one) or gates.item_debt(state, one) is not None
                assert plan.items[one].optional or met, "left with all required items met"
            owed = [debt.text for debt in state.debts if debt.settled_at is None]
            unmet = [view.text for view in gates.conditions(plan, state, name) if not view.met]
            assert all(text in owed for text in unmet), "left with its gate open"
        if old.status is StageStatus.DONE:
            assert current.status is StageStatus.DONE or current.visit > old.visit, "forward only, but for a reopening"
