"""Whether something may open or be left: needs, `when`, gate conditions, waivers and debt."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onboarding.engine.copies import quick
from onboarding.engine.people import holders, item_owner, stage_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import Debt, ItemState, ItemStatus, RunState, StageStatus
from onboarding.language.expressions import evaluate
from onboarding.language.model import Condition, ConditionKind

MET = (ItemStatus.DONE, ItemStatus.SKIPPED, ItemStatus.WAIVED, ItemStatus.CANCELLED)
"""Statuses of an item that nobody waits for any more."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionView:
    """One condition of a gate as it stands: met or why not, who holds it up, waived or not."""

    text: str
    met: bool
    why: str
    holder: str | None
    waived: bool
    kind: str


def item_met(state: RunState, item: str) -> bool:
    """Whether nobody waits for an item any more; a late answer to what was waived or passed by time-out holds nobody up."""
    current = state.items[item]
    return current.status in MET or current.tacit or item_waiver(state, item) is not None


def item_came(plan: Plan, state: RunState, item: str) -> bool:
    """Whether a gate may count an item as met: what the end of the run cut off in an open stage never came."""
    if state.items[item].status is ItemStatus.CANCELLED:
        return state.stages[plan.items[item].stage].status is StageStatus.DONE
    return item_met(state, item)


def item_waiver(state: RunState, item: str) -> Debt | None:
    """The waiver in force for an item, or `None`."""
    return next((debt for debt in state.debts if debt.item == item and debt.in_force), None)


def item_debt(state: RunState, item: str) -> Debt | None:
    """The waiver of an item that was not settled yet, also when it has run out; or `None`."""
    return next((debt for debt in state.debts if debt.item == item and debt.settled_at is None), None)


def required(plan: Plan, state: RunState, stage: str) -> tuple[str, ...]:
    """The items that a stage cannot be left without."""
    return tuple(name for name in plan.stages[stage].items if not plan.items[name].optional or state.items[name].wanted)


def need_met(state: RunState, need: str) -> bool:
    """Whether one entry of `needs`, an item or a stage, holds when looked at alone."""
    stage = state.stages.get(need)
    if stage is not None:
        return stage.status in (StageStatus.DONE, StageStatus.SKIPPED)
    return item_met(state, need)


def needs_met(plan: Plan, state: RunState, names: tuple[str, ...]) -> bool:
    """Whether all of `needs` hold.

    What was skipped counts as met only as soon as it would have opened: who comes after something that is left out in this run
    still comes after everything before it.
    """
    waiting = list(names)
    seen: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen[name] = None
        if not need_met(state, name):
            return False
        if name in plan.stages:
            if state.stages[name].status is StageStatus.SKIPPED:
                waiting += plan.stages[name].needs
        elif state.items[name].status is ItemStatus.SKIPPED:
            waiting += plan.items[name].needs + plan.stages[plan.items[name].stage].needs
    return True


class _Seen(Mapping[str, Any]):
    """What conditions see of each entry, made when one asks for it: of hundreds of items hundreds of conditions name one or two each."""

    __slots__ = ("_entries", "_shape")

    def __init__(self, entries: Mapping[str, Any], shape: Callable[[Any], Any]) -> None:
        """`shape` says what is seen of an entry."""
        self._entries, self._shape = entries, shape

    def __getitem__(self, name: str) -> Any:
        return self._shape(self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def activation(plan: Plan, state: RunState) -> Mapping[str, Any]:
    """What a condition sees: inputs, known facts, items, milestones, the number of open waivers."""
    return {
        "input": plan.order.inputs,
        "facts": _Seen(state.facts, lambda fact: fact.value),
        "items": _Seen(state.items, _item_seen),
        "milestones": {
            stage.milestone: stage.milestone in state.milestones for stage in plan.definition.stages if stage.milestone
        },
        "debt": open_debt(state),
    }


def _item_seen(item: ItemState) -> dict[str, Any]:
    return {"status": str(item.status), "done": item.status is ItemStatus.DONE, "outcome": item.outcome or ""}


def holds(plan: Plan, state: RunState, expression: str) -> tuple[bool, str | None]:
    """Whether a CEL condition is true now; when not, why, where the evaluator can say (an absent fact)."""
    return evaluate(plan.declarations, expression, activation(plan, state))


def open_debt(state: RunState) -> int:
    """Waivers that count as debt and were not settled by what they stood for."""
    return sum(1 for debt in state.debts if debt.counts and debt.settled_at is None)


def waiver(state: RunState, stage: str, text: str) -> Debt | None:
    """The waiver in force for a condition of a stage, or `None`."""
    for debt in state.debts:
        if debt.stage == stage and debt.condition == text and debt.in_force:
            return debt
    return None


def condition(plan: Plan, state: RunState, stage: str, one: Condition) -> ConditionView:
    """One gate condition as it stands now."""
    waived = waiver(state, stage, one.text) is not None
    met, why, who = raw_condition(plan, state, stage, one)
    if one.kind is ConditionKind.ITEM and one.ref in plan.items:
        met = met or item_came(plan, state, one.ref)  # what was waived or passed is on its way
    return ConditionView(
        text=one.text, met=met or waived, why=why, holder=who, waived=waived and not met, kind=one.kind
    )


def raw_condition(plan: Plan, state: RunState, stage: str, one: Condition) -> tuple[bool, str, str | None]:
    """Whether a condition is met without any waiver, why not, and who holds it up."""
    if one.kind is ConditionKind.ITEM:
        item = plan.items.get(one.ref)
        if item is None or (state.items[one.ref].status in MET and item_came(plan, state, one.ref)):
            return True, "", None
        return False, f"{item.title} is {state.items[one.ref].status.replace('_', ' ')}", item_owner(plan, state, item)
    if one.kind is ConditionKind.FACT:
        sources = plan.sources.get(one.ref, ())
        if one.ref in state.facts or plan.order.inputs.get(one.ref) is not None:
            return True, "", None
        if sources and all(state.items[name].status is ItemStatus.SKIPPED for name in sources):
            return True, "", None
        giver = item_owner(plan, state, plan.items[sources[0]]) if sources else stage_owner(plan, state, stage)
        return False, f"{one.ref} is not known yet", giver
    met, why = holds(plan, state, one.text)
    return met, "" if met else why or _why_false(state, one), stage_owner(plan, state, stage)


def _why_false(state: RunState, one: Condition) -> str:
    open_ = [debt.text for debt in state.debts if debt.counts and debt.settled_at is None]
    if open_ and re.search(r"\bdebt\b", one.text):
        return f"{len(open_)} waiver{'s are' if len(open_) > 1 else ' is'} open: {', '.join(open_[:5])}; deliver what was waived"
    return "the condition is false"


def conditions(plan: Plan, state: RunState, stage: str) -> tuple[ConditionView, ...]:
    """Everything that must hold to leave a stage: its entry needs, its required items, its gate."""
    rule = plan.stages[stage]
    found: list[ConditionView] = []
    for need in rule.needs:
        met = need_met(state, need)
        other = plan.stages.get(need)
        who = stage_owner(plan, state, need) if other else item_owner(plan, state, plan.items[need])
        title = other.title if other else plan.items[need].title
        found.append(_view(need, met, f"{title} is not finished", who, "need"))
    must = required(plan, state, stage)
    for name in rule.items:
        item = plan.items[name]
        if name not in must and not any(c.kind is ConditionKind.ITEM and c.ref == name for c in rule.gate.all):
            continue
        current = state.items[name]
        why = f"{item.title} is {current.status.replace('_', ' ')}"
        view = _view(name, item_came(plan, state, name), why, item_owner(plan, state, item), "item")
        found.append(view)
    found += [condition(plan, state, stage, one) for one in rule.gate.all if not _is_required_item(plan, stage, one)]
    if rule.gate.any:
        views = [condition(plan, state, stage, one) for one in rule.gate.any]
        if any(view.met for view in views):
            views = [
                ConditionView(text=v.text, met=True, why="", holder=None, waived=v.waived, kind=v.kind) for v in views
            ]
        found += views
    return tuple(found)


def _is_required_item(plan: Plan, stage: str, one: Condition) -> bool:
    return one.kind is ConditionKind.ITEM and one.ref in plan.stages[stage].items


def _view(text: str, met: bool, why: str, who: str, kind: str) -> ConditionView:
    return ConditionView(
        text=text, met=met, why="" if met else why, holder=None if met else who, waived=False, kind=kind
    )


def may_leave(plan: Plan, state: RunState, stage: str) -> bool:
    """Whether a stage may be left now. The cheap half first: conditions are evaluated only when all items are met."""
    rule = plan.stages[stage]
    if not needs_met(plan, state, rule.needs):
        return False
    if any(not item_met(state, name) for name in required(plan, state, stage)):
        return False
    return all(view.met for view in conditions(plan, state, stage))


def unmet(plan: Plan, state: RunState, stage: str) -> tuple[str, ...]:
    """Sentences that say what keeps a stage from being left."""
    return tuple(view.why or view.text for view in conditions(plan, state, stage) if not view.met)


def progress(plan: Plan, state: RunState, stage: str) -> tuple[int, int]:
    """How many of a stage's conditions are met, and of how many."""
    views = conditions(plan, state, stage)
    return sum(1 for view in views if view.met), len(views)


def waivable(plan: Plan, stage: str) -> tuple[str, ...]:
    """The texts that `waive` may name in a stage: its gate conditions."""
    gate = plan.stages[stage].gate
    return tuple(one.text for one in gate.all + gate.any)


def overriders(plan: Plan, state: RunState, stage: str) -> tuple[str, ...]:
    """The handles that may waive in a stage."""
    override = plan.stages[stage].gate.override
    return () if override is None else tuple(one for role in override.by for one in holders(plan, state, role))
