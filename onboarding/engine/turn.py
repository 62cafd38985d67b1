"""One turn: the state being changed while one event is applied. The only place where a `RunState` changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from onboarding import limits
from onboarding.engine import emitting
from onboarding.engine.chain import beginning, content_of, digest_of
from onboarding.engine.changes import Changes
from onboarding.engine.copies import replace
from onboarding.engine.effects import DeliverNotice, Effect, Notice, RunHook
from onboarding.engine.plan import Plan
from onboarding.engine.state import (
    Fact,
    Handoff,
    ItemState,
    RefusedEntry,
    RunState,
    StageState,
    TrailEntry,
)
from onboarding.messages import MessageFault, OutcomeWord

ENGINE = "engine"
"""The actor of what the run does by itself."""


def clean(text: object, most: int = limits.SENTENCE_LENGTH) -> str:
    """A sentence from outside as it may be kept: short, and without halves of characters that no store takes."""
    found = "" if text is None else str(text)[:most].replace("\x00", "\ufffd")
    return found.encode("utf-8", "replace").decode("utf-8")


def _bounded(trail: tuple[TrailEntry, ...], new: int) -> tuple[TrailEntry, ...]:
    """As many entries as a run carries: the latest, and of long ones fewer. Only where one of the `new` ones is long there is more to weigh."""
    trail = trail[-limits.TRAIL_KEPT :]
    if not any(
        len(one.sentence) > limits.SENTENCE_LENGTH or len(one.changes) > limits.CHANGES_SHORT for one in trail[-new:]
    ):
        return trail
    weight = sum(_weight(one) for one in trail)
    first = 0
    while weight > limits.TRAIL_TEXT and first < len(trail) - 1:
        weight -= _weight(trail[first])
        first += 1
    return trail[first:]


def _weight(entry: TrailEntry) -> int:
    return len(entry.sentence) + sum(len(one) * limits.CHANGE_LENGTH for one in entry.changes.values())


class Turn:
    """Collects the changes and effects of one event; `finish` makes the new state."""

    def __init__(self, plan: Plan, before: RunState, at: datetime) -> None:
        plan.known.begin()
        self.plan = plan
        self.before = before
        self.at = max(at, before.at)
        self.received_at = self.at
        """When what is applied now arrived: earlier than `at` for a message that was kept."""
        self.speaker = ENGINE
        """Whose message is applied."""
        self.state = before
        self.effects: list[Effect] = []
        self.opened: list[str] = []
        """Items to be asked for at the end of the turn."""
        self.withdrawn: list[str] = []
        self.past: list[tuple[str, RunState]] = []
        """Items whose round gave way to a new one, and the state in which each stood last."""
        self.handed_over: list[Handoff] = []
        """Handoffs that ended."""
        self.happened: list[emitting.Happened] = []
        """What the outside is told of this turn, where the definition says that it is told anything."""
        self.health: str | None = None
        """How the run did when somebody last looked in this turn."""

    # What changes. Every change goes through these, so that nothing is half-changed.

    def set(self, **changes: Any) -> None:
        """Changes fields of the run itself."""
        before = self.state
        self.state = replace(before, **changes)
        if self.plan.listeners:
            self.happened += emitting.of_run(self.plan, before, self.state)

    def item(self, name: str, **changes: Any) -> ItemState:
        """Changes one item and returns it as it is now."""
        return self.item_anew(replace(self.state.items[name], **changes))

    def item_anew(self, state: ItemState) -> ItemState:
        """Puts an item into a state that has nothing to do with the one before."""
        before = self.state.items[state.id]
        self.state = replace(self.state, items={**self.state.items, state.id: state})
        if self.plan.listeners:
            for one in emitting.of_item(self.plan, before, state):
                self.happen(one)
        return state

    def stage(self, name: str, **changes: Any) -> StageState:
        """Changes one stage and returns it as it is now."""
        before = self.state.stages[name]
        current = replace(before, **changes)
        self.state = replace(self.state, stages={**self.state.stages, name: current})
        if self.plan.listeners:
            self.happened += emitting.of_stage(before, current)
        return current

    def learn(self, values: Mapping[str, Any], item: str, by: str) -> None:
        """Facts become known."""
        if not values:
            return
        known = dict(self.state.facts)
        for name, value in values.items():
            known[name] = Fact(name=name, value=value, item=item, round=self.state.items[item].round, at=self.at, by=by)
        self.set(facts=known)

    def forget(self, item: str) -> None:
        """The facts that an item gave are no longer known."""
        kept = {name: fact for name, fact in self.state.facts.items() if fact.item != item}
        if len(kept) != len(self.state.facts):
            self.set(facts=kept)

    # What is asked of the world.

    def notify(self, notice: Notice) -> None:
        """Asks for a notice."""
        self.effects.append(DeliverNotice(notice=notice))

    def happen(self, one: emitting.Happened) -> None:
        """The outside is told, where it wants to know. Said twice in a row, it is said once, as it stands then."""
        if self.happened and (self.happened[-1].type, self.happened[-1].subject) == (one.type, one.subject):
            self.happened.pop()
        if self.plan.listeners:
            self.happened.append(one)

    def call(self, hook: RunHook) -> None:
        """Asks for a hook."""
        self.effects.append(hook)

    # What is recorded.

    def record(
        self,
        message: str,
        *,
        actor: str = ENGINE,
        item: str | None = None,
        outcome: str = OutcomeWord.ACCEPTED,
        code: str,
        sentence: str = "",
        message_id: str | None = None,
        on_behalf_of: str | None = None,
        channel: str | None = None,
    ) -> None:
        """Adds an entry to the trail, chained to the one before. It gets its own digest with the next one, or at the end of the turn:
        until then more may be told in it."""
        state = self.state
        n = state.trail_count + 1
        entry = TrailEntry(
            n=n, at=self.at, actor=actor, on_behalf_of=on_behalf_of, channel=channel, message=message, item=item,
            outcome=outcome, code=code, message_id=message_id, digest="", sentence=clean(sentence, limits.TEXT_LENGTH),
        )  # fmt: skip
        self.set(trail=(*self._sealed(), entry), trail_count=n)

    def explain(self, changes: Changes) -> None:
        """Tells in the last entry of this turn what it has made of the record; a turn that said nothing gets one for it."""
        if changes and self.state.trail_count == self.before.trail_count:
            self.record("record", code="changed")
        if self.state.trail_count != self.before.trail_count:
            self.set(trail=self._sealed(changes))

    def _sealed(self, changes: Changes | None = None) -> tuple[TrailEntry, ...]:
        """The trail, its last entry with what it has changed and with its digest: of earlier turns all have theirs."""
        trail = self.state.trail
        if not trail or trail[-1].digest:
            return trail
        before = trail[-2].digest if len(trail) > 1 else beginning(self.plan.order.run, self.plan.order.rules_version)
        last = replace(trail[-1], changes=changes) if changes else trail[-1]
        return (*trail[:-1], replace(last, digest=digest_of(before, content_of(last))))

    def carry(self) -> None:
        """Leaves to the rows, which have all of it by now, what is more than a run carries."""
        new = self.state.trail_count - self.before.trail_count
        if new:
            self.set(trail=_bounded(self.state.trail, new))
        if len(self.state.events) > limits.EVENTS_KEPT:
            self.set(events=self.state.events[-limits.EVENTS_KEPT :])

    def refuse(
        self,
        *,
        via: str,
        name: str,
        message_id: str,
        code: str,
        sentence: str,
        item: str | None = None,
        faults: tuple[MessageFault, ...] = (),
    ) -> None:
        """Adds a signal that changed nothing to the list of refused messages."""
        n = self.state.refused_count + 1
        entry = RefusedEntry(
            n=n,
            at=self.at,
            via=via,
            name=name[: limits.NAME_LENGTH],
            message_id=message_id,
            code=code,
            sentence=sentence,
            item=item,
            faults=tuple((fault.place, fault.code) for fault in faults[: limits.FAULTS_TOLD]),
        )
        self.set(refused=(*self.state.refused, entry)[-limits.REFUSED_KEPT :], refused_count=n)

    def finish(self) -> RunState:
        """The state at the end of the turn."""
        events = emitting.numbered(self.plan, self.state, self.happened, self.at)
        if events:
            self.set(events=(*self.state.events, *events), event_count=events[-1].n)
        if self.state is not self.before:
            self.set(at=self.at)
        return self.state
