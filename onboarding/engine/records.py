"""The rows of one turn: what changed between two states, each with its natural key."""

from datetime import datetime, timedelta
from typing import TypeVar

from onboarding.engine import booking, figures, flow, health, numbers, waiting
from onboarding.engine.changes import COLUMNS, FINAL, Changes, put, put_milestones, put_promise, put_run
from onboarding.engine.effects import (
    FaultRow,
    HandoffRow,
    ItemRow,
    LedgerRow,
    MilestoneRow,
    RunRow,
    StageRow,
    WriteRecords,
)
from onboarding.engine.people import acting, item_owner, stage_owner, stands_for
from onboarding.engine.plan import Plan
from onboarding.engine.state import (
    EmittedEvent,
    Handoff,
    Promise,
    PromiseKind,
    RefusedEntry,
    RunState,
    RunStatus,
    StageState,
    TrailEntry,
)
from onboarding.engine.turn import Turn

_Entry = TypeVar("_Entry", Promise, RefusedEntry, TrailEntry, EmittedEvent)


def rows(turn: Turn, booked: tuple[LedgerRow, ...]) -> WriteRecords:
    """Everything that one turn changed, to be written together; its last entry in the trail tells what that is.

    A round or visit that gives way to a new one is written once more, as it stood: nobody will look at it again.
    """
    before, after, plan = turn.before, turn.state, turn.plan
    changes: Changes = {}
    items = _items(turn, changes)
    stages = _stages(turn, changes)
    for row in booked:
        put(changes, None, row)
    promises = _since(after.promises, before.promise_count)
    for promise in promises:
        put_promise(changes, promise, plan.order.rules_version)
    handoffs = _handoffs(turn, changes)
    milestones = None if before.milestones == after.milestones else milestone_rows(plan, after)
    if milestones is not None:
        put_milestones(changes, milestone_rows(plan, before), milestones)
    run = run_row(plan, after)
    told = (*COLUMNS["run"], *FINAL) if after.status is RunStatus.CLOSED else COLUMNS["run"]
    put_run(changes, numbers.facts(plan, before) if before.items else {}, {name: getattr(run, name) for name in told})
    turn.explain(changes)
    refused = _since(after.refused, before.refused_count)
    waited, waits = waiting.changed(plan, before, after, tuple(dict.fromkeys(row.item for row in items)))
    return WriteRecords(
        run=run,
        trail=_since(turn.state.trail, before.trail_count),
        ledger=booked,
        items=items,
        stages=stages,
        refused=refused,
        milestones=milestones,
        handoffs=handoffs,
        promises=promises,
        faults=(*_faults_of_answers(after, before), *_faults_of_signals(refused)),
        events=_since(after.events, before.event_count),
        waiting=waits,
        waited=waited,
        withdrawn=tuple(dict.fromkeys(turn.withdrawn)),
    )


def _since(entries: tuple[_Entry, ...], n: int) -> tuple[_Entry, ...]:
    """The entries after the n-th: numbers ascend, so they stand last."""
    first = len(entries)
    while first and entries[first - 1].n > n:
        first -= 1
    return entries[first:]


def _items(turn: Turn, changes: Changes) -> tuple[ItemRow, ...]:
    before, after, plan = turn.before, turn.state, turn.plan
    found: list[ItemRow] = []
    rounds: dict[tuple[str, int], ItemRow | None] = {}
    for name, state in turn.past:
        found.append(item_row(plan, state, name))
    told = [one.name for one in _since(after.promises, before.promise_count) if one.kind is PromiseKind.ITEM]
    elsewhere = before.holders is not after.holders or before.absences is not after.absences
    stages = [name for name, stage in before.stages.items() if stage.owner != after.stages[name].owner]
    for name, item in after.items.items():
        changed = before.items.get(name) is not item or name in told
        if changed or _changed_hands(plan, before, after, name, anyway=elsewhere or plan.items[name].stage in stages):
            found.append(item_row(plan, after, name))
    for row in found:
        known = before.items.get(row.item)
        key = row.item, row.round
        if key not in rounds:
            rounds[key] = item_row(plan, before, row.item) if known is not None and known.round == row.round else None
        put(changes, rounds[key], row)
        rounds[key] = row
    return tuple(found)


def _stages(turn: Turn, changes: Changes) -> tuple[StageRow, ...]:
    before, after, plan = turn.before, turn.state, turn.plan
    found: list[StageRow] = []
    for name, stage in after.stages.items():
        entered = before.stages.get(name)
        if entered is not None and entered.visit and entered.visit != stage.visit:
            found.append(stage_row(plan, before, entered))
        if entered is not stage or (stage.owner and stage_owner(plan, before, name) != stage_owner(plan, after, name)):
            row = stage_row(plan, after, stage)
            same = entered is not None and max(entered.visit, 1) == row.visit
            put(changes, stage_row(plan, before, entered) if entered is not None and same else None, row)
            found.append(row)
    return tuple(found)


def _handoffs(turn: Turn, changes: Changes) -> tuple[HandoffRow, ...]:
    """What ended in this turn, also where it was handed over again at once, and what waits now."""
    if turn.before.handoffs is turn.state.handoffs:
        return ()
    known = {(one.item, one.n): one for one in handoff_rows(turn.before)}
    found = []
    for row in (*(_handoff_row(one) for one in turn.handed_over), *handoff_rows(turn.state)):
        if known.get((row.item, row.n)) != row:
            put(changes, known.get((row.item, row.n)), row)
            known[row.item, row.n] = row
            found.append(row)
    return tuple(found)


def _changed_hands(plan: Plan, before: RunState, after: RunState, name: str, *, anyway: bool) -> bool:
    """Whether somebody else has an item that is otherwise the same. `anyway`: another holder, stage owner or absence may have done it."""
    # Whoever has acted on what four eyes looks at may no longer decide here: their deputy has it now.
    eyes = plan.items[name].four_eyes
    if not anyway and not any(before.items[other].actors != after.items[other].actors for other in eyes):
        return False
    return item_row(plan, before, name) != item_row(plan, after, name)


def whole(plan: Plan, state: RunState) -> WriteRecords:
    """Everything that a run still carries, as it stands now: what a store takes that has lost the thread."""
    first = state.ledger_count - len(state.ledger) + 1
    return WriteRecords(
        run=run_row(plan, state),
        trail=state.trail,
        ledger=tuple(booking.row(plan, state, one, n) for n, one in enumerate(state.ledger, start=first)),
        items=tuple(item_row(plan, state, name) for name in state.items),
        stages=tuple(stage_row(plan, state, stage) for stage in state.stages.values()),
        refused=state.refused,
        milestones=milestone_rows(plan, state),
        handoffs=handoff_rows(state),
        promises=state.promises,
        faults=(*_faults_of_answers(state, None), *_faults_of_signals(state.refused)),
        events=state.events,
        event_count=state.event_count,
        waiting=waiting.everything(plan, state),
        whole=True,
    )


def stage_row(plan: Plan, state: RunState, stage: StageState) -> StageRow:
    """One stage as it stands now."""
    rule = plan.stages[stage.id]
    return StageRow(
        stage=stage.id, visit=max(stage.visit, 1), place=plan.stage_place[stage.id], title=rule.title,
        owner=stage.owner and stage_owner(plan, state, stage.id), status=stage.status, milestone=rule.milestone,
        entered_at=stage.entered_at, left_at=stage.left_at, target_at=stage.target_at,
    )  # fmt: skip


def item_row(plan: Plan, state: RunState, name: str) -> ItemRow:
    """One item as it stands now."""
    item, current = plan.items[name], state.items[name]
    active = current.status in flow.ACTIVE
    who, side = acting(plan, state, item) if active else (item_owner(plan, state, item), item.side)
    told = _told(state, name) if current.opened_at is not None and current.due_at is not None else None
    return ItemRow(
        item=name, round=current.round, stage=item.stage, kind=item.kind, title=item.title, status=current.status, owner=who,
        side=side, asked=item.side, clock=item.clock, optional=item.optional, opened_at=current.opened_at, due_at=current.due_at,
        promised_at=told, answered_at=current.answered_at,
        closed_at=current.closed_at, late=current.late or current.overdue, tacit=current.tacit, outcome=current.outcome,
        steps=len(current.fired), mark=current.mark, stands_for=stands_for(plan, state, item) if active else None,
        blocks=plan.dependents[name],
    )  # fmt: skip


def _told(state: RunState, name: str) -> datetime | None:
    """The last date that somebody of the customer was told for an item in its present round."""
    since = state.items[name].opened_at
    for one in reversed(state.promises):
        if one.kind is PromiseKind.ITEM and one.name == name:
            return one.due_at if since is not None and one.at >= since else None
    return None


def milestone_rows(plan: Plan, state: RunState) -> tuple[MilestoneRow, ...]:
    """The milestones that are reached."""
    since = numbers.counted_from(plan, state)
    return tuple(
        MilestoneRow(name=name, at=at, seconds=int((at - since).total_seconds()))
        for name, at in state.milestones.items()
    )


def handoff_rows(state: RunState) -> tuple[HandoffRow, ...]:
    """The last time that each thing was handed over."""
    return tuple(_handoff_row(one) for one in state.handoffs.values())


def _handoff_row(one: Handoff) -> HandoffRow:
    waits = one.ended_at is None
    return HandoffRow(
        item=one.item, n=one.rounds + waits, giver=one.giver, receiver=one.receiver, released_at=one.released_at,
        ended_at=one.ended_at, accepted=one.accepted, outcome=one.outcome, seconds=None if waits else one.last,
    )  # fmt: skip


def _faults_of_answers(after: RunState, before: RunState | None) -> tuple[FaultRow, ...]:
    """What was wrong in answers that went back: it stands on the round after theirs."""
    found = []
    for name, item in after.items.items():
        known = before.items.get(name) if before is not None else None
        if not item.faults or (known is not None and known.faults is item.faults):
            continue
        found += [
            FaultRow(
                source="answer", item=name, n=item.round - 1, k=k, place=fault.place, code=fault.code,
                at=item.opened_at or item.closed_at or after.at,
            )
            for k, fault in enumerate(item.faults)
        ]  # fmt: skip
    return tuple(found)


def _faults_of_signals(refused: tuple[RefusedEntry, ...]) -> tuple[FaultRow, ...]:
    return tuple(
        FaultRow(source="signal", item=entry.item or "", n=entry.n, k=k, place=place, code=code, at=entry.at)
        for entry in refused
        for k, (place, code) in enumerate(entry.faults)
    )


def run_row(plan: Plan, state: RunState) -> RunRow:
    """The run as it stands now."""
    definition, inputs = plan.definition, plan.order.inputs
    reached, facts = dict(state.milestones), numbers.facts(plan, state)
    return RunRow(
        run=state.run, customer=state.customer, definition=definition.id, version=definition.version, hash=definition.hash,
        variant=definition.variant, segment=_word(inputs.get("segment")), wave=_word(inputs.get("wave")),
        health=health.health(plan, state), stage=health.current_stage(plan, state),
        owner=health.current_owner(plan, state), waiting_on=health.waiting_on(plan, state),
        waiting_since=health.waiting_since(state), signed_at=figures.input_instant(plan, "signed_at"),
        due_at=health.next_due(state), first_value="first_value" in reached, milestones=reached,
        metrics=figures.metrics(plan, state, state.at), refused=state.refused_count, **facts,
        forget_at=_forget_at(plan, state), **numbers.of_run(plan, state, facts),
    )  # fmt: skip


def _forget_at(plan: Plan, state: RunState) -> datetime | None:
    keep = plan.definition.keep_facts
    return None if keep is None or state.closed_at is None else state.closed_at + timedelta(seconds=keep.seconds)


def _word(value: object) -> str:
    return value[:100] if isinstance(value, str) else ""
