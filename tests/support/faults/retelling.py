"""A run played once more by the core alone: from what its senders said, and from when its trail says that it heard it.

The shell, the server and the database have no part in it. The trail tells only the order and the instants; every word of every entry,
and every notice and hook, comes from the core. The digests of a trail are chained, so one that is equal makes all entries equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from onboarding.engine import machine
from onboarding.engine.effects import Decision, DeliverNotice, Notice, RunHook, WriteRecords
from onboarding.engine.events import ClockAdvanced, Event, HookSucceeded, MessageReceived
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, StartOrder
from onboarding.messages import BY_NAME, Received
from onboarding.parsing import parse
from tests.support.faults.oplog import Operation, Told

HOOK_ANSWER = {"ok": True, "provides": {}, "faults": [], "note": ""}
"""What the registry makes of the answer of the sink's hook."""


class Unexplained(AssertionError):
    """The trail holds something that nothing anybody said, and no date, leads to."""


@dataclass
class Retold:
    """What the core makes of it."""

    state: RunState
    notices: dict[str, Notice] = field(default_factory=dict)
    """Every notice that was ever asked for, by key."""
    withdrawn: set[str] = field(default_factory=set)
    hooks: dict[str, RunHook] = field(default_factory=dict)

    def take(self, decision: Decision) -> None:
        """What one decision asks for."""
        self.state = decision.state
        for effect in decision.effects:
            match effect:
                case DeliverNotice(notice=notice):
                    self.notices[notice.key] = notice
                case RunHook(key=key):
                    self.hooks[key] = effect
                case WriteRecords(withdrawn=keys):
                    self.withdrawn.update(keys)


def retell(
    order: StartOrder,
    trail: Sequence[Mapping[str, Any]],
    operations: Sequence[Operation],
    refused: Sequence[Mapping[str, Any]] = (),
) -> Retold:
    """Plays the run again up to the last entry of its trail. Raises `Unexplained`.

    `refused` are the rows of its refused signals. They change nothing, and the end of a run tells how many there were.
    """
    plan = Plan(order)
    said = {one.id: one for one in sorted(operations, key=lambda one: one.told is Told.OK)}
    end = next((one for one in trail if one["message"] == "cancel"), None)
    first = machine.start(plan, _at(trail[0]))
    told = Retold(first.state)
    told.take(first)
    while told.state.trail_count < len(trail):
        before = told.state.trail_count
        entry = trail[before]
        if entry["message"] == "run" and end is not None:
            entry = end  # that a run is over stands before the words that have ended it
            told.state = replace(told.state, refused_count=_refused_until(end, refused))
        told.take(machine.apply(plan, told.state, _cause(entry, told, said)))
        if told.state.trail_count == before:
            raise Unexplained(f"{order.run}: nothing leads to entry {before + 1} ({_shown(entry)})")
    return told


def _cause(entry: Mapping[str, Any], told: Retold, said: Mapping[str, Operation]) -> Event:
    at, message_id = _at(entry), entry["message_id"]
    if message_id in said and message_id not in told.state.remembered and entry["message"] in BY_NAME:
        one = said[message_id]
        received = parse(one.name, one.content, via=_via(one), fallback_id=message_id)
        if isinstance(received, Received):
            return MessageReceived(at=at, received=received)
        raise Unexplained(f"{one.run}: an entry for {message_id}, which is no message ({_shown(entry)})")
    if entry["message"] == "hook":
        key = next((key for key, hook in reversed(told.hooks.items()) if hook.item == entry["item"]), "")
        return HookSucceeded(at=at, key=key, result=HOOK_ANSWER)
    return ClockAdvanced(at=at)


def _refused_until(entry: Mapping[str, Any], refused: Sequence[Mapping[str, Any]]) -> int:
    """How many signals were refused when the run ended, as the entry says; one of the same second may have come before or after it."""
    said = int(entry["changes"].get("run", {}).get("refused", 0))
    at = [row["at"] for row in refused]
    if not sum(one < _at(entry) for one in at) <= said <= sum(one <= _at(entry) for one in at):
        raise Unexplained(f"the run says that {said} signals were refused until its end, and its rows name {len(at)}")
    return said


def _via(one: Operation) -> Any:
    return one.via


def _at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _shown(entry: Mapping[str, Any]) -> str:
    return f"{entry['at']} {entry['message']} {entry['code']} {entry['item']} {entry['message_id']}"
