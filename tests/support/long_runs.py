"""Stories of months and years: what is said on which day, and the core that hears it with every alarm on its second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from onboarding.engine import machine
from onboarding.engine.effects import DeliverNotice, NoticeKind
from onboarding.engine.events import ClockAdvanced, MessageReceived
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.messages import Received
from onboarding.parsing import parse
from tests.support.simulation import STATE


@dataclass(frozen=True)
class Said:
    """A message of a story, so many days after its begin."""

    day: float
    name: str
    content: dict[str, Any]


TWO_YEARS = (
    Said(340, "hold", {"message_id": "m-1", "actor": "dana", "reason": "They move house.", "side": "customer"}),
    Said(370, "resume", {"message_id": "m-2", "actor": "dana"}),
    Said(380, "submit", {"message_id": "m-3", "actor": "customer:champion", "item": "plans", "fields": {"goal": "calm"}}),
    Said(720, "submit", {"message_id": "m-4", "actor": "customer:champion", "item": "results", "fields": {"result": "calm"}}),
    Said(734, "complete", {"message_id": "m-5", "actor": "dana", "item": "review"}),
)  # fmt: skip
"""What two years hear; the engine says the rest."""


@dataclass
class Lived:
    """A run in the core, written and read back after every event, and when it sent what."""

    plan: Plan
    state: RunState
    sent: list[tuple[datetime, NoticeKind, str | None]] = field(default_factory=list)

    def when(self, kind: NoticeKind, item: str) -> list[datetime]:
        """The instants of all notices of a kind about an item."""
        return [at for at, sent, about in self.sent if (sent, about) == (kind, item)]


def begin(plan: Plan, at: datetime) -> Lived:
    """A run that begins."""
    lived = Lived(plan, RunState(run="", customer="", started_at=at, at=at))
    _keep(lived, machine.start(plan, at))
    return lived


def wait(lived: Lived, until: datetime) -> None:
    """Every alarm rings on its second."""
    while (alarm := machine.alarm_at(lived.state)) is not None and alarm <= until:
        _keep(lived, machine.apply(lived.plan, lived.state, ClockAdvanced(at=alarm)))


def say(lived: Lived, at: datetime, name: str, content: dict[str, Any]) -> None:
    """Time passes, and then somebody says something."""
    wait(lived, at)
    read = parse(name, content, via="update", fallback_id="none")
    assert isinstance(read, Received)
    decision = machine.apply(lived.plan, lived.state, MessageReceived(at=at, received=read))
    assert decision.verdict is not None
    assert not decision.verdict.refused, decision.verdict
    _keep(lived, decision)


def live(plan: Plan, at: datetime, said: Sequence[tuple[datetime, str, dict[str, Any]]]) -> Lived:
    """A whole story."""
    lived = begin(plan, at)
    for moment, name, content in said:
        say(lived, moment, name, content)
    return lived


def last_sunday(year: int, month: int) -> datetime:
    """The day on which Europe moves its clocks, in March and in October, at midnight in UTC."""
    last = date(year, month, 31)
    sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    return datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC)


def _keep(lived: Lived, decision: Any) -> None:
    lived.state = STATE.validate_json(STATE.dump_json(decision.state))
    assert lived.state == decision.state
    for effect in decision.effects:
        if isinstance(effect, DeliverNotice):
            lived.sent.append((decision.state.at, effect.notice.kind, effect.notice.item))
