"""What waits for whom: the rows that an inbox shows, one for everybody who may act."""

from collections.abc import Iterator
from datetime import datetime

from onboarding.engine import booking, flow, gates
from onboarding.engine.effects import WaitingRow
from onboarding.engine.people import acting, asked_of, has_since, stage_owner, stands_for
from onboarding.engine.phrases import cut
from onboarding.engine.plan import Plan
from onboarding.engine.seating import able_for
from onboarding.engine.state import ItemStatus, RunState, RunStatus, StageStatus
from onboarding.engine.waits import sentence
from onboarding.language.model import ConditionKind, Item, Side

_ABOUT = 200
"""Characters by which a condition or debt is known here: it is part of a key."""


def changed(
    plan: Plan, before: RunState, after: RunState, items: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[WaitingRow, ...]]:
    """What is told anew, by kind and name, and the rows of it. `items` are those that changed in this turn."""
    if before.absences is not after.absences or before.holders is not after.holders:
        # Who may act is looked up in these; an item that lies still has other readers then.
        items = tuple(name for name in after.items if name in items or after.items[name].status in flow.ACTIVE)
    told = [("item", name) for name in items]
    rows = [row for name in items for row in _of_item(plan, after, plan.items[name])]
    others = {(row.kind, row.about): row for row in _others(plan, after)}
    if before.items:
        known = {(row.kind, row.about): row for row in _others(plan, before)}
        told += [key for key, row in known.items() if others.get(key) != row]
        others = {key: row for key, row in others.items() if known.get(key) != row}
    told += [key for key in others if key not in told]
    return tuple(told), (*rows, *others.values())


def everything(plan: Plan, state: RunState) -> tuple[WaitingRow, ...]:
    """All rows of a run as it stands."""
    of_items = [row for item in plan.definition.items for row in _of_item(plan, state, item)]
    return (*of_items, *_others(plan, state))


def _of_item(plan: Plan, state: RunState, item: Item) -> Iterator[WaitingRow]:
    current = state.items[item.id]
    if current.status not in flow.ACTIVE:
        return
    first, side = acting(plan, state, item)
    absent, said = stands_for(plan, state, item), sentence(plan, state, item)
    for person in dict.fromkeys((first, *asked_of(plan, state, item))):
        yield WaitingRow(
            kind="item", about=item.id, person=person, stage=item.stage, item=item.id, round=current.round,
            role=_role(plan, state, item, person), first=person == first, title=item.title, status=current.status, side=side,
            since=has_since(current), due_at=current.due_at, waits_for=said, stands_for=absent if person == first else None,
            mark=current.mark, blocks=plan.dependents[item.id],
        )  # fmt: skip


def _role(plan: Plan, state: RunState, item: Item, person: str) -> str:
    """Through which role somebody may act."""
    current = state.items[item.id]
    if current.status in (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW):
        return item.review or plan.stages[item.stage].owner
    return next((role for role in item.owners if person in able_for(plan, state, item, role)), item.owner)


def _others(plan: Plan, state: RunState) -> Iterator[WaitingRow]:
    """What somebody must see to although no item of theirs is open: a gate, a hold, what was waived."""
    if state.status is RunStatus.CLOSED:
        return
    for name, stage in state.stages.items():
        if stage.status is StageStatus.OPEN and not any(
            state.items[one].status in flow.ACTIVE for one in gates.required(plan, state, name)
        ):
            yield from _of_gate(plan, state, name)
    if state.hold is not None:
        held, name = state.hold, booking.open_stage(plan, state)
        reviewer = stage_owner(plan, state, name) or held.by
        yield _row(
            plan, state, "hold", "hold", reviewer, name, title=f"Review the hold: {cut(held.reason)}", side=held.side,
            since=held.since, due_at=held.review_at, waits_for=f"Waits for {reviewer} to review the hold.", status=state.status,
        )  # fmt: skip
    for debt in state.debts:
        if debt.settled_at is None:
            yield _row(
                plan, state, "debt", f"{debt.stage}/{cut(debt.text, _ABOUT)}", debt.by, debt.stage, title=f"Owed: {cut(debt.text)}",
                side=Side.PROVIDER, since=debt.at, due_at=debt.expires_at, waits_for=f"Waits for {cut(debt.text)}, which was waived.",
                status="expired" if debt.expired else "waived",
            )  # fmt: skip


def _of_gate(plan: Plan, state: RunState, stage: str) -> Iterator[WaitingRow]:
    """The conditions that keep a stage although nobody has an item in it."""
    for view in gates.conditions(plan, state, stage):
        sources = plan.sources.get(view.text.removeprefix("facts."), ()) if view.kind == ConditionKind.FACT else ()
        elsewhere = any(
            state.items[name].status in flow.ACTIVE for name in (view.text, *sources) if name in state.items
        )
        if view.met or view.kind == "need" or elsewhere:
            continue
        yield _row(
            plan, state, "gate", f"{stage}/{cut(view.text, _ABOUT)}", view.holder or stage_owner(plan, state, stage), stage,
            title=f"{cut(plan.stages[stage].title)} cannot be left", side=Side.PROVIDER, since=state.stages[stage].progress_at,
            due_at=state.stages[stage].target_at, waits_for=f"{cut(view.why or view.text, 300)}.", status="open",
        )  # fmt: skip


def _row(
    plan: Plan,
    state: RunState,
    kind: str,
    about: str,
    person: str,
    stage: str,
    *,
    title: str,
    side: str,
    since: datetime | None,
    due_at: datetime | None,
    waits_for: str,
    status: str,
) -> WaitingRow:
    return WaitingRow(
        kind=kind, about=about, person=person, stage=stage, item=None, round=max(state.stages[stage].visit, 1),
        role=plan.stages[stage].owner, first=True, title=title, status=status, side=side, since=since, due_at=due_at,
        waits_for=waits_for, stands_for=None, mark=None, blocks=(),
    )  # fmt: skip
