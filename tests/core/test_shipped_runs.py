"""Every shipped definition goes to its end in the core: everybody answers, and some things go back once."""

# ruff: noqa: SIM300 – tests put the expected value first

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from onboarding.engine import machine
from onboarding.engine.effects import Decision, RunHook
from onboarding.engine.events import HookSucceeded, MessageReceived
from onboarding.engine.orders import build_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemState, ItemStatus, RunOutcome, RunState, RunStatus
from onboarding.language.model import Field, Item, ItemKind
from onboarding.messages import Received
from onboarding.parsing import parse
from runtime import library
from runtime.holidays_data import public_holidays
from runtime.zones import zone

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
ANSWERS: dict[str, Any] = {
    "string": "AB-12345678", "int": 5, "number": 1.5, "bool": True, "date": "2026-12-01", "datetime": "2026-12-01T10:00:00Z",
    "email": "tech@customer.example", "phone": "+49 30 1234567", "url": "https://customer.example", "country": "DE",
    "vat": "DE136695976", "iban": "DE89370400440532013000", "list": ["one"], "vat_id": "DE136695976",
}  # fmt: skip
TURN = (ItemStatus.OPEN, ItemStatus.RETURNED, ItemStatus.IN_REVIEW)


class Everybody:
    """All people of a run at once: each step is one answer, or one hook that comes back."""

    def __init__(self, name: str, returns: dict[str, str], **inputs: Any) -> None:
        given = library.read_mapping(library.DEFINITIONS / "examples" / f"{name}.input.yaml")
        order, _ = build_order(
            library.load(name),
            customer="c-1042",
            inputs={**given, **inputs},
            zones=partial(zone, from_year=2026, to_year=2029),
            holidays=lambda country, part: public_holidays(country, part, 2026, 2029),
            groups={},
            started_by="dana",
        )
        self.plan, self.at, self.said = Plan(order), MONDAY, 0
        self.returns = dict(returns)
        self.hooks: list[RunHook] = []
        self.state: RunState = self._take(machine.start(self.plan, self.at))

    def to_the_end(self) -> RunState:
        for _ in range(200):
            if self.state.status is RunStatus.CLOSED:
                break
            self.at += timedelta(minutes=20)
            self.state = self._take(machine.apply(self.plan, self.state, self._next()))
        return self.state

    def _take(self, decision: Decision) -> RunState:
        assert decision.verdict is None or not decision.verdict.refused, decision.verdict
        self.hooks += [effect for effect in decision.effects if isinstance(effect, RunHook)]
        return decision.state

    def _next(self) -> HookSucceeded | MessageReceived:
        if self.hooks:
            hook = self.hooks.pop(0)
            item = self.plan.items[hook.item] if hook.item and hook.check is None else None
            return HookSucceeded(
                at=self.at, key=hook.key, result={"ok": True, **({"provides": _values(item.provides)} if item else {})}
            )
        for name, current in self.state.items.items():
            if current.status in TURN:
                return MessageReceived(at=self.at, received=self._answer(self.plan.items[name], current))
        waiting = {name: str(item.status) for name, item in self.state.items.items()}
        raise AssertionError(f"nobody can do anything: {waiting}")

    def _answer(self, item: Item, current: ItemState) -> Received:
        self.said += 1
        name, content = self._message(item, current)
        received = parse(name, {"message_id": f"m-{self.said}", **content}, via="update", fallback_id="x")
        assert isinstance(received, Received), received
        return received

    def _message(self, item: Item, current: ItemState) -> tuple[str, dict[str, Any]]:
        content: dict[str, Any] = {"item": item.id, "actor": current.owner}
        if current.status is ItemStatus.IN_REVIEW:
            return "decide", {**content, "actor": item.review, "outcome": "accept"}
        if item.event is not None:
            data = {"reference": "c-1042", "customer": "c-1042", "account": "c-1042"}
            return "happen", {"event": item.event, "data": data, "actor": "integration:demo"}
        if item.kind is ItemKind.TASK:
            return "complete", {**content, "provides": _values(item.provides)}
        if item.kind is ItemKind.APPROVAL:
            voted = [vote.role for vote in current.votes]
            role = next(role for role in item.owners if role not in voted)
            outcome = self.returns.pop(item.id, next(one.name for one in item.outcomes if one.passes))
            return "decide", {**content, "actor": role, "outcome": outcome, "comment": "please look again"}
        fields = {"reference": "vault:kv/c-1042"} if item.secret else _values(item.fields)
        return "submit", {**content, "fields": fields, "files": _files(item, current.round)}


def _values(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {field.name: ANSWERS.get(field.name, ANSWERS[field.type]) for field in fields}


def _files(item: Item, round_: int) -> list[dict[str, Any]]:
    rule = item.files
    if rule is None:
        return []
    kind = rule.types[0]
    return [
        {
            "uri": f"s3://in/{n}.{kind}",
            "sha256": f"{round_:02}{n:02}" * 16,
            "type": kind,
            "bytes": 1_000,
            "name": f"{n}.{kind}",
        }
        for n in range(rule.min)
    ]


@pytest.mark.parametrize(
    ("name", "inputs", "asks"),
    [
        ("quick-start", {"imports_data": True}, 3),
        ("quick-start", {"imports_data": False}, 3),
        ("b2b-standard", {"segment": "smb", "legacy_system": False}, 4),
        ("b2b-standard", {"segment": "mid", "legacy_system": True, "sso": True}, 6),
        ("b2b-standard", {"segment": "enterprise", "legacy_system": True, "sso": True}, 6),
        ("document-intake", {"regulated": True}, 5),
        ("document-intake", {"regulated": False, "sso": False}, 5),
    ],
)
def test_each_plan_reaches_its_end_in_every_variant(name, inputs, asks) -> None:
    """When everybody answers, the run closes live, with every milestone and within the asks it promised."""
    run = Everybody(name, {}, **inputs)

    state = run.to_the_end()

    assert (RunStatus.CLOSED, RunOutcome.LIVE) == (state.status, state.outcome)
    assert [stage.milestone for stage in run.plan.definition.stages if stage.milestone] == sorted(
        state.milestones, key=lambda milestone: state.milestones[milestone]
    )
    assert (asks, 0) == (state.asks, state.rounds)


@pytest.mark.parametrize(
    ("name", "returns", "inputs"),
    [
        ("quick-start", {"goal_confirmed": "correct"}, {}),
        (
            "b2b-standard",
            {
                "handoff_accepted": "return",
                "data_quality": "return",
                "go_decision": "no_go",
                "success_accepts": "return",
            },
            {},
        ),
        ("document-intake", {"plan_agreed": "change", "file_complete": "documents_missing"}, {"regulated": False}),
        ("document-intake", {"file_complete": "data_wrong", "result_validated": "wrong"}, {"regulated": True}),
    ],
)
def test_each_plan_recovers_from_what_is_sent_back(name, returns, inputs) -> None:
    """A decision that reopens earlier work, also in a closed stage, delays the end and does not prevent it."""
    run = Everybody(name, returns, **inputs)

    state = run.to_the_end()

    assert {} == run.returns
    assert RunOutcome.LIVE == state.outcome
    assert "first_value" in state.milestones
    assert state.rounds > 0
