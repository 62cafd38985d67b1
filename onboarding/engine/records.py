"""The rows of one turn: what changed between two states, each with its natural key."""

from onboarding.engine import booking, figures, flow, health
from onboarding.engine.effects import ItemRow, LedgerRow, RunRow, StageRow, WriteRecords
from onboarding.engine.people import acting, item_owner, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, StageState
from onboarding.engine.turn import Turn


def rows(turn: Turn, booked: tuple[LedgerRow, ...]) -> WriteRecords:
    """Everything that one turn changed, to be written together.

    A round or visit that gives way to a new one is written once more, as it stood: nobody will look at it again.
    """
    before, after, plan = turn.before, turn.state, turn.plan
    items: list[ItemRow] = []
    for name, item in after.items.items():
        known = before.items.get(name)
        if known is not None and known.round != item.round:
            items.append(item_row(plan, before, name))
        if known is not item or _changed_hands(plan, before, after, name):
            items.append(item_row(plan, after, name))
    stages: list[StageRow] = []
    for name, stage in after.stages.items():
        entered = before.stages.get(name)
        if entered is not None and entered.visit and entered.visit != stage.visit:
            stages.append(stage_row(plan, before, entered))
        if entered is not stage or (stage.owner and stage_owner(plan, before, name) != stage_owner(plan, after, name)):
            stages.append(stage_row(plan, after, stage))
    return WriteRecords(
        run=run_row(plan, after),
        trail=tuple(entry for entry in after.trail if entry.n > before.trail_count),
        ledger=booked,
        items=tuple(items),
        stages=tuple(stages),
        refused=tuple(entry for entry in after.refused if entry.n > before.refused_count),
        withdrawn=tuple(dict.fromkeys(turn.withdrawn)),
    )


def _changed_hands(plan: Plan, before: RunState, after: RunState, name: str) -> bool:
    """Whether somebody else has an item that is otherwise the same."""
    item = plan.items[name]
    given = before.holders is not after.holders or before.stages[item.stage].owner != after.stages[item.stage].owner
    # Whoever has acted on what four eyes looks at may no longer decide here: their deputy has it now.
    barred = any(before.items[other].actors != after.items[other].actors for other in item.four_eyes)
    away = before.absences is not after.absences
    if not (given or barred or away):
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
        whole=True,
    )


def stage_row(plan: Plan, state: RunState, stage: StageState) -> StageRow:
    """One stage as it stands now."""
    return StageRow(
        stage=stage.id, visit=max(stage.visit, 1), title=plan.stages[stage.id].title, owner=stage.owner and stage_owner(plan, state, stage.id), status=stage.status,
        entered_at=stage.entered_at, left_at=stage.left_at, target_at=stage.target_at,
    )  # fmt: skip


def item_row(plan: Plan, state: RunState, name: str) -> ItemRow:
    """One item as it stands now."""
    item, current = plan.items[name], state.items[name]
    who, side = (
        acting(plan, state, item) if current.status in flow.ACTIVE else (item_owner(plan, state, item), item.side)
    )
    return ItemRow(
        item=name, round=current.round, stage=item.stage, kind=item.kind, title=item.title, status=current.status, owner=who,
        side=side, optional=item.optional, opened_at=current.opened_at, due_at=current.due_at, answered_at=current.answered_at,
        closed_at=current.closed_at, late=current.late or current.overdue, tacit=current.tacit, outcome=current.outcome,
        steps=len(current.fired), blocks=plan.dependents[name],
    )  # fmt: skip


def run_row(plan: Plan, state: RunState) -> RunRow:
    """The run as it stands now."""
    definition, inputs = plan.definition, plan.order.inputs
    reached = dict(state.milestones)
    return RunRow(
        run=state.run, customer=state.customer, definition=definition.id, version=definition.version, hash=definition.hash,
        variant=definition.variant, segment=_word(inputs.get("segment")), wave=_word(inputs.get("wave")), state=state.status,
        outcome=state.outcome, health=health.health(plan, state), stage=health.current_stage(plan, state),
        owner=health.current_owner(plan, state), waiting_on=health.waiting_on(plan, state),
        waiting_since=health.waiting_since(state), signed_at=figures.read_instant(inputs.get("signed_at")),
        started_at=state.started_at, closed_at=state.closed_at, promised_at=state.promised_at, due_at=health.next_due(state),
        first_value="first_value" in reached, milestones=reached, metrics=figures.metrics(plan, state, state.at), asks=state.asks,
        escalations=state.escalations, refused=state.refused_count,
    )  # fmt: skip


def _word(value: object) -> str:
    return value[:100] if isinstance(value, str) else ""
