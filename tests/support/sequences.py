"""Sequences by chance in a world that fails: a network that loses, doubles, delays and swaps messages, a clock that is not rung, a
worker that dies between deciding and keeping, and a run that is written as JSON and read back wherever it has changed.

Beside the invariants of `simulation.py` two witnesses watch who know nothing of the machine: the senders, who keep what they
sent and what they heard, and a store, which keeps the rows. In the end both must tell the story that the run tells.
One number tells a whole sequence: `play(seed)`.
"""

from __future__ import annotations

import gc
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from random import Random

from onboarding.engine import deadlines, machine, records
from onboarding.engine.chain import beginning, content_of, digest_of
from onboarding.engine.effects import Decision, ItemRow, LedgerRow, RunRow, StageRow, WriteRecords
from onboarding.engine.events import ClockAdvanced, Event, MessageReceived, MessageUnreadable
from onboarding.engine.plan import Plan
from onboarding.engine.state import RefusedEntry, RunState, RunStatus, TrailEntry
from onboarding.messages import OutcomeWord, Received, Verdict
from tests.support.simulation import Simulation, order_of, random_definition

STEPS = 14
"""Things that are done in one sequence; what the network doubles and delays comes on top."""
TAKEN = (OutcomeWord.ACCEPTED, OutcomeWord.HELD)


@dataclass
class Figures:
    """What was played: added up over sequences."""

    sequences: int = 0
    events: int = 0
    restores: int = 0
    crashes: int = 0
    repeats: int = 0
    lost: int = 0
    delayed: int = 0
    ticks_lost: int = 0
    hooks_lost: int = 0
    after_deadline: int = 0
    """Messages heard after a due instant that nobody had acted on yet."""

    def add(self, other: Figures) -> None:
        """Takes the figures of others in."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def told(self) -> str:
        """All of it in one line."""
        return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in vars(self).items())


@dataclass
class Rows:
    """A store that knows nothing but rows and their keys."""

    run: RunRow | None = None
    items: dict[tuple[str, int], ItemRow] = field(default_factory=dict)
    stages: dict[tuple[str, int], StageRow] = field(default_factory=dict)
    trail: dict[int, TrailEntry] = field(default_factory=dict)
    ledger: dict[int, LedgerRow] = field(default_factory=dict)
    refused: dict[int, RefusedEntry] = field(default_factory=dict)

    def write(self, batch: WriteRecords) -> None:
        """What a turn writes. An entry of a list is written once; what stands now may be written again."""
        self.run = batch.run
        self.items |= {(row.item, row.round): row for row in batch.items}
        self.stages |= {(row.stage, row.visit): row for row in batch.stages}
        for kept, new in ((self.trail, batch.trail), (self.ledger, batch.ledger), (self.refused, batch.refused)):
            for row in new:
                assert row.n not in kept, f"written twice: {row}"
                kept[row.n] = row  # type: ignore[index]


@dataclass
class Sent:
    """What a sender has of one message: its words, and every answer that it was given."""

    received: Received
    heard: list[Verdict] = field(default_factory=list)


class Storm(Simulation):
    """A run in a world that fails. `step` does one thing; `calm` delivers what is still on its way and asks both witnesses."""

    def __init__(self, plan: Plan, rng: Random) -> None:
        self.rows = Rows()
        self.sent: dict[tuple[str, str], Sent] = {}
        self.post: list[MessageReceived] = []
        """Messages on their way, in no order."""
        self.signals_refused = 0
        self.figures = Figures(sequences=1)
        self.storm = True
        super().__init__(plan, rng, restores=1.0)

    # What fails.

    def step(self) -> Decision:
        """Does one thing by chance, or something that was on its way arrives."""
        if self.post and self.rng.random() < 0.3:
            return self._arrive()
        return super().step()

    def _arrive(self) -> Decision:
        event = self.post.pop(self.rng.randrange(len(self.post)))
        return super().hear(MessageReceived(at=self.now, received=event.received))

    def hear(self, event: Event) -> Decision:
        """The network first: a message may be lost, delayed, doubled, or its answer lost, so that it is sent again."""
        if not self.storm or not isinstance(event, MessageReceived):
            return super().hear(event)
        self.sent.setdefault(_name(event.received), Sent(event.received))
        fate = self.rng.random()
        if fate < 0.08:  # lost, and nobody sends it again
            self.figures.lost += 1
            return Decision(state=self.state)
        if fate < 0.25:  # lost and sent again, or only slow
            self.figures.delayed += 1
            self.post.append(event)
            return Decision(state=self.state)
        if fate < 0.40:  # doubled on the way, or its answer was lost
            self.post.append(event)
        return super().hear(event)

    def _clock(self) -> Decision:
        if self.storm and self.rng.random() < 0.3:  # nobody was there when it rang
            self.figures.ticks_lost += 1
            alarm = machine.alarm_at(self.state) or self.now
            self.now = max(self.now, alarm) + timedelta(seconds=self.rng.choice((0, 1, 50_000)))
            return Decision(state=self.state)
        return super()._clock()

    def back(self, key: str, how: str) -> Decision:
        """A hook comes back, or its answer is lost and it is called again."""
        if self.storm and self.rng.random() < 0.2:
            self.figures.hooks_lost += 1
            return Decision(state=self.state)
        return super().back(key, how)

    # What is watched.

    def _after(self, before: RunState, event: Event | None, decision: Decision) -> None:
        if event is not None and self.rng.random() < 0.1:  # the worker died before anything was kept: decided again
            self.figures.crashes += 1
            assert machine.apply(self.plan, before, event) == decision, "decided again, and differently"
        super()._after(before, event, decision)
        self.figures.events += event is not None
        for effect in decision.effects:
            if isinstance(effect, WriteRecords):
                self.rows.write(effect)
        if not isinstance(event, MessageReceived | MessageUnreadable):
            return
        verdict = decision.verdict
        assert verdict is not None, "every message is answered"
        via = event.received.via if isinstance(event, MessageReceived) else event.refusal.via
        self.signals_refused += verdict.refused and via == "signal" and before.status is not RunStatus.CLOSED
        if isinstance(event, MessageReceived):
            self.figures.repeats += verdict.outcome is OutcomeWord.DUPLICATE
            self.sent.setdefault(_name(event.received), Sent(event.received)).heard.append(verdict)
            self._in_time(before, event, decision.state, verdict)

    def _in_time(self, before: RunState, event: MessageReceived, state: RunState, verdict: Verdict) -> None:
        """The tie goes to the sender: what is read before anybody acted on the deadline is in time."""
        old = before.items.get(verdict.item or "")
        if verdict.outcome is not OutcomeWord.ACCEPTED or old is None or old.due_at is None:
            return
        if old.status not in deadlines.WAITING or old.overdue or old.due_at > event.at:
            return
        new = state.items[old.id]
        self.figures.after_deadline += 1
        if new.round == old.round:
            assert (new.late, new.overdue, new.tacit) == (old.late, False, old.tacit), "read in time, and called late"

    # The end.

    def calm(self) -> None:
        """The storm is over: whatever is still on its way arrives, and everybody is asked what happened."""
        while self.post:
            self._arrive()
        super().hear(ClockAdvanced(at=self.now))
        self._ask_the_senders()
        self._ask_the_store()
        self.figures.restores = self.restored

    def _ask_the_senders(self) -> None:
        """What was accepted happened once and for good; what was not accepted did not happen; no answer changed."""
        entries: dict[str, list[TrailEntry]] = {}
        for entry in self.rows.trail.values():
            if entry.message_id is not None:
                entries.setdefault(entry.message_id, []).append(entry)
        taken: Counter[str] = Counter()
        for (message_id, _), one in self.sent.items():
            first = next((verdict for verdict in one.heard if verdict.outcome in TAKEN), None)
            if first is None:
                continue
            taken[message_id] += 1
            later = one.heard[one.heard.index(first) + 1 :]
            assert all(verdict.outcome is OutcomeWord.DUPLICATE for verdict in later), (
                "accepted, and then something else"
            )
            alike = {(verdict.code, verdict.item, verdict.status, verdict.received_at) for verdict in (first, *later)}
            assert len(alike) == 1, f"asked again, answered differently: {alike}"
            outcomes = [entry.outcome for entry in entries[message_id]]
            kept = first.outcome is OutcomeWord.HELD
            assert outcomes[0] == first.outcome, "told one thing, did another"
            assert len(outcomes) <= 1 + kept, f"{message_id} happened more than once: {outcomes}"
            assert {entry.message for entry in entries[message_id]} == {one.received.name}
        assert all(count == 1 for count in taken.values()), "one id, two messages accepted"
        assert taken.keys() == entries.keys(), "the trail knows of messages whose senders were refused, or forgets some"

    def _ask_the_store(self) -> None:
        """The rows are the run: every entry of every list once, in order, and what stands now as it stands now."""
        state, plan = self.state, self.plan
        digest = beginning(plan.order.run, plan.order.rules_version)
        for n, entry in enumerate(self.rows.trail.values(), 1):
            digest = digest_of(digest, content_of(entry))
            assert (n, digest) == (entry.n, entry.digest), "the chain of the trail is broken"
        assert state.trail == tuple(self.rows.trail.values())[-len(state.trail) :]
        assert len(self.rows.trail) == state.trail_count
        assert list(self.rows.refused) == list(range(1, state.refused_count + 1))
        ended_badly = [
            entry
            for entry in self.rows.trail.values()
            if entry.message_id is not None and entry.outcome not in ("accepted", "held")
        ]
        assert state.refused_count == self.signals_refused + len(ended_badly), "a signal vanished"
        assert list(self.rows.ledger) == list(range(1, state.ledger_count + 1))
        for name, item in state.items.items():
            assert self.rows.items[name, item.round] == records.item_row(plan, state, name), name
        for stage in state.stages.values():
            assert self.rows.stages[stage.id, max(stage.visit, 1)] == records.stage_row(plan, state, stage), stage.id
        row = self.rows.run
        assert row is not None
        told = (row.state, row.outcome, row.asks, row.escalations, row.refused, row.milestones)
        assert told == (
            state.status, state.outcome, state.asks, state.escalations, state.refused_count, state.milestones,
        )  # fmt: skip


def _name(received: Received) -> tuple[str, str]:
    return received.message.message_id, received.digest


def play(seed: int) -> Figures:
    """One whole sequence; raises where anything does not hold."""
    rng = Random(f"sequence {seed}")
    definition = random_definition(rng)
    storm = Storm(Plan(order_of(definition, legacy=rng.random() < 0.5)), rng)
    for _ in range(STEPS):
        storm.step()
    storm.calm()
    return storm.figures


def play_all(seeds: Iterable[int]) -> tuple[Figures, list[tuple[int, str]]]:
    """Many sequences, in a process of their own: their figures, and the seeds that broke something, with the story."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # nearly everything here dies at once and has no circles
    figures, broken = Figures(), []
    for seed in seeds:
        try:
            figures.add(play(seed))
        except Exception:
            broken.append((seed, traceback.format_exc(limit=-4)))
    return figures, broken
