"""Scenarios: a calendar of events with what each must lead to, told in YAML and played against whatever can play it.

A file names its definition, when it begins, and steps in the order of time. A step is one of

    say: submit     a message; `as` is the actor, `with` its fields, `via` how (update unless it says signal)
    wait: true      time passes until `at`
    hook: item      the hook of an item comes back, `check: 0` a check of its answer; `ok: false` refuses, `broken: true` fails;
                    `undo: true`: what takes the work of that hook back

and `expect` says what follows from it: `outcome`, `code` and `fault` of the verdict, `items`, `stages`, `run`, `hold`, `facts`,
`debt`, `asks`, `escalations`, `due`, `owner`, `who` (has an item now), `stands_for`, `behalf` (in whose place the message
was said), `handed` (seconds between release and acceptance), and `notices`: all that is sent, as `kind to item`, in order. `play` plays a
scenario against the core; a shell plays `scenario.steps` by its own means and compares with `met`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from onboarding.engine import gates, machine
from onboarding.engine.effects import Decision, DeliverNotice
from onboarding.engine.events import (
    ClockAdvanced,
    Event,
    HookFailed,
    HookSucceeded,
    MessageReceived,
    MessageUnreadable,
)
from onboarding.engine.handoffs import seconds_in_all
from onboarding.engine.orders import build_order
from onboarding.engine.people import acting, stands_for
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, StartOrder
from onboarding.messages import Received, Verdict, canonical_json
from onboarding.parsing import parse
from runtime import library, zones
from runtime.holidays_data import public_holidays

FOLDER = Path(__file__).parent.parent / "scenarios"
_PAPER = {"uri": "s3://bucket/a.pdf", "type": "pdf", "bytes": 1_000}


def _files(step: int, count: int) -> list[dict[str, Any]]:
    return [{**_PAPER, "sha256": f"{step:032x}{n:032x}", "name": f"{n}.pdf"} for n in range(count)]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happens, and what must follow from it."""

    at: datetime
    number: int
    say: str | None = None
    actor: str = "dana"
    content: dict[str, Any] = field(default_factory=dict)
    via: str = "update"
    hook: str | None = None
    check: int | None = None
    ok: bool = True
    broken: bool = False
    undo: bool = False
    expect: dict[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether only time passes: such a step looks at everything since the one before."""
        return self.say is None and self.hook is None

    @property
    def part(self) -> str:
        """How the key of a hook ends that is its item's own, or takes its work back."""
        return "undo" if self.undo else "hook"

    @property
    def message_id(self) -> str:
        """The id of the message: the same in every world that plays it, unless the step names one."""
        return str(self.content.get("message_id", f"step-{self.number}"))

    @property
    def raw(self) -> dict[str, Any]:
        """The message as its sender writes it; `files: 2` stands for two small references, `answer: {step: 5, files: 2}` for the
        digest of the two that came in the fifth step."""
        content = dict(self.content)
        if isinstance(content.get("files"), int):
            content["files"] = _files(self.number, content["files"])
        if isinstance(content.get("answer"), dict):
            given = {"fields": {}, "files": _files(content["answer"]["step"], content["answer"]["files"])}
            content["answer"] = hashlib.sha256(canonical_json(given).encode()).hexdigest()
        return {"message_id": self.message_id, "actor": self.actor, **content}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One story. `order()` is what its run is started with."""

    name: str
    title: str
    definition: str
    input: dict[str, Any]
    begin: datetime
    steps: tuple[Step, ...]

    def order(self) -> StartOrder:
        """The start order, made as a door would make it."""
        order, _ = build_order(
            _compiled(self.definition),
            customer="c-1",
            inputs=self.input,
            zones=lambda name: zones.zone(name, 2025, 2030),
            holidays=lambda country, part: public_holidays(country, part, 2025, 2030),
            groups={"implementation": ["ivy", "ian"]},
            started_by="dana",
        )
        return order


@cache
def _compiled(name: str) -> Any:
    found = FOLDER / "definitions" / f"{name}.yaml"
    return library.load(str(found) if found.exists() else name)


def load_scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """All scenarios, by name."""
    return tuple(_read(path) for path in sorted(folder.glob("*.yaml")))


def _read(path: Path) -> Scenario:
    told = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    steps = tuple(_step(number, step) for number, step in enumerate(told["steps"], 1))
    assert list(steps) == sorted(steps, key=lambda step: step.at), f"{path.name}: steps stand in the order of time"
    return Scenario(
        name=path.stem, title=told["title"], definition=told.get("definition", "rehearsal"),
        input=told.get("input", _CONTACTS), begin=_instant(told["begin"]), steps=steps,
    )  # fmt: skip


_CONTACTS = {
    "contacts": [
        {"role": "champion", "email": "carla@customer.example", "name": "Carla", "handle": "carla"},
        {"role": "signer", "email": "sid@customer.example", "name": "Sid", "handle": "sid"},
    ]
}
_KEYS = ("at", "say", "as", "with", "via", "wait", "hook", "check", "ok", "broken", "undo", "expect")


def _step(number: int, told: dict[str, Any]) -> Step:
    unknown = [key for key in told if key not in _KEYS]
    assert not unknown, f"step {number}: {unknown}"
    return Step(
        at=_instant(told["at"]), number=number, say=told.get("say"), actor=told.get("as", "dana"), content=told.get("with", {}),
        via=told.get("via", "update"), hook=told.get("hook"), check=told.get("check"), ok=told.get("ok", True),
        broken=told.get("broken", False), undo=told.get("undo", False), expect=told.get("expect", {}),
    )  # fmt: skip


def _instant(told: Any) -> datetime:
    read = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return read.replace(tzinfo=read.tzinfo or UTC)


def event_of(step: Step, state: RunState) -> Event:
    """What happens to the machine in a step."""
    if step.say is not None:
        read = parse(step.say, step.raw, via=step.via, fallback_id=step.message_id)  # type: ignore[arg-type]
        if isinstance(read, Received):
            return MessageReceived(at=step.at, received=read)
        return MessageUnreadable(at=step.at, refusal=read)
    if step.hook is None:
        return ClockAdvanced(at=step.at)
    current = state.items[step.hook]
    part = step.part if step.check is None else f"check{step.check}.{current.answers}"
    key = f"{state.run}/{step.hook}/{current.round}/{part}"
    if step.broken:
        return HookFailed(at=step.at, key=key, code="gone", sentence="The call failed at every attempt.")
    return HookSucceeded(at=step.at, key=key, result={"ok": step.ok})


def play(plan: Plan, scenario: Scenario) -> list[Decision]:
    """Plays a scenario against the core and checks every step; alarms on the way ring, as they would in the world."""
    decisions = [machine.start(plan, scenario.begin)]
    for step in scenario.steps:
        rung = _ring(plan, decisions[-1].state, step)
        state = rung[-1].state if rung else decisions[-1].state
        decision = machine.apply(plan, state, event_of(step, state))
        decisions += [*rung, decision]
        looked_at = [*rung, decision] if step.waits else [decision]
        sent = [word for one in looked_at for word in notices(one)]
        problems = met(step, plan, decision.state, decision.verdict, sent)
        assert not problems, f"{scenario.name}, step {step.number} ({step.at:%a %d %b %H:%M}): " + "; ".join(problems)
    return decisions


def _ring(plan: Plan, state: RunState, step: Step) -> list[Decision]:
    """What every alarm before the step does; at the same instant a message is heard first."""
    rung: list[Decision] = []
    while True:
        alarm = machine.alarm_at(state)
        if alarm is None or alarm > step.at or (alarm == step.at and not step.waits):
            return rung
        rung.append(machine.apply(plan, state, ClockAdvanced(at=alarm)))
        state = rung[-1].state


def notices(decision: Decision) -> list[str]:
    """What a decision sends, as `kind to item`; an ask for several items names them all, one that waits says until when."""
    sent = [effect.notice for effect in decision.effects if isinstance(effect, DeliverNotice)]
    return [
        spoken_notice(f"{one.kind} {one.to}", one.items, str(one.item or one.stage), _spoken(one.not_before))
        for one in sent
    ]


def spoken_notice(what: str, items: Sequence[str], about: str, until: str | None) -> str:
    """One notice in the words of a scenario."""
    return f"{what} {'+'.join(items) or about}{f' from {until}' if until else ''}"


def met(step: Step, plan: Plan, state: RunState, verdict: Verdict | None, sent: list[str]) -> list[str]:
    """What a step expected and did not get, as sentences."""
    found: dict[str, Any] = {
        "outcome": verdict and str(verdict.outcome),
        "code": verdict and str(verdict.code),
        "fault": verdict and [f"{fault.place} {fault.code}" for fault in verdict.faults],
        "run": f"{state.status} {state.outcome}" if state.outcome else str(state.status),
        "hold": state.hold is not None,
        "debt": gates.open_debt(state),
        "undo": [one.item for one in state.undo],
        "asks": state.asks,
        "escalations": state.escalations,
        "notices": sent,
        "behalf": _behalf(state, step),
        "handed": seconds_in_all(state, step.at),
    }
    parts: dict[str, dict[str, Any]] = {
        "items": {name: str(item.status) for name, item in state.items.items()},
        "stages": {name: str(stage.status) for name, stage in state.stages.items()},
        "due": {name: _spoken(item.due_at) for name, item in state.items.items()},
        "why": {name: item.due_why for name, item in state.items.items()},
        "who": {name: acting(plan, state, plan.items[name])[0] for name in state.items},
        "stands_for": {name: stands_for(plan, state, plan.items[name]) for name in state.items},
        "owner": {name: item.owner for name, item in state.items.items()},
        "rounds": {name: item.round for name, item in state.items.items()},
        "late": {name: item.late or item.overdue for name, item in state.items.items()},
        "tacit": {name: item.tacit for name, item in state.items.items()},
        "facts": {name: fact.value for name, fact in state.facts.items()},
        "milestones": {stage.milestone: stage.milestone in state.milestones for stage in plan.definition.stages},
    }
    wrong = [
        f"{key} is {found[key]!r}, not {wanted!r}"
        for key, wanted in step.expect.items()
        if key in found and found[key] != wanted
    ]
    for key, wanted in step.expect.items():
        assert key in found or key in parts, f"nothing is called {key!r}"
        for name, value in wanted.items() if key in parts else ():
            got = parts[key].get(name)
            if got != (_spoken(_instant(value)) if key == "due" else value):
                wrong.append(f"{key} of {name} is {got!r}, not {value!r}")
    return wrong


def _behalf(state: RunState, step: Step) -> str | None:
    return next((one.on_behalf_of for one in state.trail if one.message_id == step.message_id), None)


def _spoken(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
