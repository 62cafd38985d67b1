"""Which events a change of an item, a stage or the run is, see `onboarding/emitted.py`; what each of them says beside whose it is.

They are found where a turn changes something, so that they stand in the order in which things have happened, whatever a turn does at
once. Only a run whose definition has `emit` looks.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from onboarding.engine.plan import Plan
from onboarding.engine.state import (
    EmittedEvent,
    HoldState,
    ItemState,
    ItemStatus,
    RunState,
    RunStatus,
    StageState,
    StageStatus,
)

CLOSED = "run.closed"

_ENDS = {
    ItemStatus.DONE: "item.done",
    ItemStatus.SKIPPED: "item.skipped",
    ItemStatus.WAIVED: "item.waived",
    ItemStatus.CANCELLED: "item.cancelled",
}
_STAGES = {StageStatus.DONE: "stage.left", StageStatus.SKIPPED: "stage.skipped"}
_ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Happened:
    """An event before it has a number."""

    type: str
    subject: str
    data: dict[str, Any]


def of_item(plan: Plan, before: ItemState, after: ItemState) -> Iterator[Happened]:
    """What the change of an item tells. That it opens is told by `flow.open_item`, once its dates are laid."""
    if after.answers > before.answers:
        yield item_event(plan, "item.answered", after)
    if after.round > before.round and before.status in _ENDS and after.status not in _ENDS:
        yield item_event(plan, "item.reopened", after)
    ended = _ENDS.get(after.status) if after.status is not before.status else None
    if ended is not None and not (after.status is ItemStatus.CANCELLED and after.opened_at is None):
        yield item_event(plan, ended, after)
    if after.overdue and not before.overdue:
        yield item_event(plan, "item.overdue", after)
    if after.hands > before.hands:
        yield item_event(plan, "item.reassigned", after)


def item_event(plan: Plan, name: str, state: ItemState) -> Happened:
    """An event about an item as it stands."""
    item = plan.items[state.id]
    return Happened(
        name,
        item.id,
        {
            "item": item.id, "stage": item.stage, "kind": str(item.kind), "round": state.round, "role": item.owner,
            "side": str(item.side), "status": str(state.status), "optional": item.optional, "opened_at": _text(state.opened_at),
            "due_at": _text(state.due_at), "outcome": state.outcome, "late": state.late or state.overdue, "tacit": state.tacit,
        },
    )  # fmt: skip


def of_stage(before: StageState, after: StageState) -> Iterator[Happened]:
    """What the change of a stage tells."""
    name = "stage.entered" if after.visit > before.visit else None
    if after.status is not before.status and after.status in _STAGES:
        name = _STAGES[after.status]
    if name is not None:
        data = {
            "stage": after.id, "visit": after.visit, "entered_at": _text(after.entered_at), "left_at": _text(after.left_at),
            "target_at": _text(after.target_at),
        }  # fmt: skip
        yield Happened(name, after.id, data)


def of_run(plan: Plan, before: RunState, after: RunState) -> Iterator[Happened]:
    """What a change of the run itself tells; how it does is told by `health.tell`."""
    if before.milestones is not after.milestones:
        stages = {stage.milestone: stage.id for stage in plan.definition.stages}
        for name in after.milestones:
            if name not in before.milestones:
                yield Happened("milestone.reached", name, {"milestone": name, "stage": stages.get(name, "")})
        for name in before.milestones:
            if name not in after.milestones:
                yield Happened("milestone.undone", name, {"milestone": name, "stage": stages.get(name, "")})
    if before.status is not after.status:
        yield from _of_status(before, after)


def _of_status(before: RunState, after: RunState) -> Iterator[Happened]:
    if after.status is RunStatus.CLOSED and after.closed_at is not None:
        seconds = int((after.closed_at - after.started_at).total_seconds())
        yield Happened(CLOSED, "", {"outcome": str(after.outcome), "seconds": seconds})
    elif after.hold is not None:
        yield Happened("run.held", "", {"side": str(after.hold.side), "review_at": _text(after.hold.review_at)})
    elif before.hold is not None:
        yield Happened("run.resumed", "", _resumed(before.hold))


def _resumed(hold: HoldState) -> dict[str, Any]:
    return {"side": str(hold.side), "since": _text(hold.since)}


def numbered(plan: Plan, state: RunState, happened: list[Happened], at: datetime) -> tuple[EmittedEvent, ...]:
    """The events of a turn that somebody asked for, after those that were. That the run has ended is said last."""
    found: list[EmittedEvent] = []
    wanted = [one for one in happened if plan.listeners.get(one.type)]
    for one in sorted(wanted, key=lambda one: one.type == CLOSED):
        n = state.event_count + len(found) + 1
        found.append(
            EmittedEvent(
                n=n, id=_id(state, n, at, one), type=one.type, at=at, subject=one.subject, data=one.data, to=plan.listeners[one.type],
            )
        )  # fmt: skip
    return tuple(found)


def _id(state: RunState, n: int, at: datetime, one: Happened) -> str:
    """The same event has the same id, however often it is decided; another one in its place has another."""
    said = [state.run, _text(state.started_at), n, _text(at), one.type, one.subject, one.data]
    return "evt_" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:_ID_LENGTH]


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
