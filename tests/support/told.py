"""Runs by chance through the real workflow and, beside it, through the core alone: what must come of both is the same.

Note [The order in one workflow task]
    Whatever the SDK hands over together, messages are applied first, in their order, then what has come back, and the clock last:
    a message that is read before its deadline was acted on is in time. So it must not matter where among them a timer stands, nor
    which of the SDK's ways to take them is on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from onboarding.engine import machine
from onboarding.engine.effects import Decision, DeliverNotice, RunHook
from onboarding.engine.events import ClockAdvanced, Event, HookFailed, HookSucceeded, MessageReceived, MessageUnreadable
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.messages import BY_NAME, Received, Verdict
from onboarding.parsing import parse
from tests.support.activations import Activated, cold
from tests.support.simulation import ACTORS, BEGIN, OFTEN, STRANGERS, Simulation, order_of, random_definition

SINGLE_BATCH = 2
"""The SDK's flag to run everything of a workflow task in one batch: off by default, and meant to become the default."""

Said = tuple[str, str, Any]
"""Via, name and content of a message."""


class Teller(Simulation):
    """Draws messages that fit the state that it is shown, or nearly, and applies none of them."""

    def __init__(self, plan: Plan, rng: Random) -> None:
        super().__init__(plan, rng, restores=0)
        self.said: list[Said] = []

    def draw(self) -> Said:
        """One message: a sensible one, any one, one for the second time, an id for the second time, or nonsense."""
        count = len(self.said)
        kind = self.rng.choices(("sensible", "any", "again", "reuse", "nonsense"), (45, 35, 8, 4, 8))[0]
        if kind == "again" and self.said:
            return self.rng.choice(self.said)
        if kind == "reuse" and self.said:
            raw = self.rng.choice(self.said)[2]
            if isinstance(raw, dict) and "message_id" in raw:
                return "update", "note", {"message_id": raw["message_id"], "actor": "olga", "text": f"other {count}"}
        if kind == "nonsense":
            name = self.rng.choice((*BY_NAME, "explode"))
            return (
                "update",
                name,
                self.rng.choice(([], None, "text", {"actor": 5}, {"message_id": "x" * 200}, {"item": 7})),
            )
        if kind == "sensible":
            self._sensible()
        if len(self.said) == count:
            name = self.rng.choices(tuple(BY_NAME), [OFTEN[one] for one in BY_NAME])[0]
            self.say(name, self._content(name))
        return self.said[-1]

    def say(self, name: str, content: dict[str, Any], actor: str | None = None, via: str | None = None) -> Decision:
        """Keeps what is said."""
        self.number += 1
        who = actor or self.rng.choice(ACTORS if self.rng.random() < 0.92 else STRANGERS)
        how = via or self.rng.choice(("update", "signal"))
        self.said.append((how, name, {"message_id": f"m{self.number}", "actor": who, **content}))
        return self.decisions[-1]

    def _clock(self) -> Decision:
        return self.decisions[-1]


class Alone:
    """The core, with nothing around it, told what the workflow is told in the order of Note [The order in one workflow task]."""

    def __init__(self, plan: Plan, at: datetime) -> None:
        self.plan = plan
        begun = machine.start(plan, at)
        self.state, self.effects = begun.state, list(begun.effects)
        self.verdicts: list[Verdict | None] = []
        self._apply(ClockAdvanced(at=at))

    def task(self, at: datetime, said: Sequence[Said] = (), back: Event | None = None) -> None:
        """One workflow task: messages, what has come back, the clock."""
        for via, name, raw in said:
            self._hear(at, via, name, raw)
        if back is not None:
            self._apply(back)
        self._apply(ClockAdvanced(at=at))

    def _hear(self, at: datetime, via: str, name: str, raw: Any) -> None:
        fallback = f"u-{len(self.verdicts) + 1}"
        read = parse(name, json.loads(json.dumps(raw)), via=via, fallback_id=fallback)  # type: ignore[arg-type]
        event = (
            MessageReceived(at=at, received=read)
            if isinstance(read, Received)
            else MessageUnreadable(at=at, refusal=read)
        )
        decision = machine.apply(self.plan, self.state, event)
        verdict = decision.verdict
        assert verdict is not None
        if via == "update":
            self.verdicts.append(verdict)
        if via != "update" or not verdict.refused:  # an update that is refused leaves nothing at all
            self._take(decision)

    def _apply(self, event: Event) -> None:
        self._take(machine.apply(self.plan, self.state, event))

    def _take(self, decision: Decision) -> None:
        self.state = decision.state
        self.effects += decision.effects

    @property
    def calls(self) -> list[str]:
        """Keys of the hooks that were asked for."""
        return [one.key for one in self.effects if isinstance(one, RunHook)]

    @property
    def notices(self) -> list[str]:
        """Keys of the notices."""
        return [one.notice.key for one in self.effects if isinstance(one, DeliverNotice)]


class Twins:
    """One generated history, played by both."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.order = order_of(random_definition(rng), legacy=rng.random() < 0.5)
        plan = Plan(self.order)
        self.now = BEGIN
        self.alone, self.teller = Alone(plan, BEGIN), Teller(plan, rng)
        self.run = Activated(self.order, BEGIN, (SINGLE_BATCH,) if rng.random() < 0.5 else ())
        self.waiting: dict[str, None] = {}
        self.called = 0
        self.together = 0
        """Workflow tasks in which a message came with a timer."""

    def play(self, tasks: int) -> None:
        """So many workflow tasks, or fewer where the run ends."""
        for _ in range(tasks):
            if self.run.closed:
                return
            self._step()
            self._agree()

    def _step(self) -> None:
        self._called()
        if self.waiting and self.rng.random() < 0.4:
            self._answer(self.rng.choice(tuple(self.waiting)))
            return
        self._pass_time()
        self.teller.state, self.teller.now = self.alone.state, self.now
        drawn = [self.teller.draw() for _ in range(self.rng.choice((0, 1, 1, 2, 3, 5)))]
        said = sorted(
            drawn, key=lambda one: one[0] == "update"
        )  # signals are events by the time that updates are taken up
        rings = self.run.rings_at is not None and self.run.rings_at <= self.now
        if not said and not rings:
            return
        self.together += bool(said) and rings
        self.run.now = self.now
        self.run.together(said, timers_first=self.rng.random() < 0.5)
        self.alone.task(self.now, said)

    def _pass_time(self) -> None:
        rings = self.run.rings_at
        if rings is not None and self.rng.random() < 0.4:
            self.now = max(self.now, rings)
        else:
            self.now += timedelta(seconds=self.rng.choice((0, 0, 1, 60, 3_600, 40_000, 200_000)))

    def _called(self) -> None:
        for key in self.alone.calls[self.called :]:
            self.waiting[key] = None
            self.called += 1

    def _answer(self, key: str) -> None:
        del self.waiting[key]
        result = self.rng.choice(({"ok": True}, {"ok": True}, {"ok": False, "faults": [{"sentence": "bad"}]}, None))
        if result is None:
            back: Event = HookFailed(at=self.now, key=key, code="gone", sentence="The call failed at every attempt.")
        else:
            back = HookSucceeded(at=self.now, key=key, result=result)
        self.run.now = self.now
        self.run.hook(key, result)
        self.alone.task(self.now, back=back)

    def _agree(self) -> None:
        """The same state to the last field, the same answers, the same effects; and an alarm that comes in time."""
        run, alone = self.run, self.alone
        assert run.state == alone.state, "shell and core have come apart"
        told = [None if one is None else (one["outcome"], one["code"], one["sentence"]) for one in run.verdicts]
        assert told == [(str(one.outcome), one.code, one.sentence) for one in alone.verdicts if one is not None]
        assert sorted(one["key"] for one in run.notices) == sorted(alone.notices)
        assert [one["key"] for one in run.calls] == alone.calls
        assert run.closed == (alone.state.status is RunStatus.CLOSED)
        alarm = machine.alarm_at(alone.state)
        if alarm is not None:
            assert run.rings_at is not None
            assert run.rings_at <= max(alarm, self.now + timedelta(seconds=1)), "the alarm would ring too late"

    def replayed_cold(self) -> None:
        """A worker that knows nothing comes to the same place by the same commands."""
        assert cold(self.order, BEGIN, self.run) == self.run.state
