"""New rounds: what is asked for once more, and what depended on it."""

from typing import Any

from onboarding.engine import flow
from onboarding.engine.copies import replace
from onboarding.engine.gates import item_debt
from onboarding.engine.notices import paid, settled
from onboarding.engine.numbers import judged
from onboarding.engine.state import ItemState, ItemStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import ItemKind

_KEPT = ("id", "owner", "given", "hands", "answers", "draft_fields", "draft_files", "returns")
"""What an item carries into its next round. Everything else belongs to one round, whatever is added later."""


def fresh(turn: Turn, name: str, **changes: Any) -> ItemState:
    """Begins the next round of an item, not open yet: its facts are not known any more, who was alarmed hears of it."""
    current, item = turn.state.items[name], turn.plan.items[name]
    used = current.opened_at is not None or current.answer is not None
    if used:
        due, kept_date = judged(item, current)
        turn.past.append((name, turn.state))
        turn.set(judged=(turn.state.judged[0] + due, turn.state.judged[1] + kept_date))
    settled(turn, item, "", said="begins anew")
    turn.forget(name)
    kept = {one: getattr(current, one) for one in _KEPT}
    return turn.item_anew(replace(ItemState(**kept), round=current.round + 1 if used else current.round, **changes))


def reopen(turn: Turn, names: tuple[str, ...], status: ItemStatus, *, wanted: bool = True) -> None:
    """A new round for `names`; exactly what depended on them through `needs` is invalid again and waits for them.

    Their stages are entered again; a milestone of such a stage is no longer reached. What was waived is passed without, so it
    stays waived, unless it is itself asked for: then nothing is owed any more. `wanted`: stages wait for `names` although they
    are optional.
    """
    for name in (*names, *turn.plan.downstream(names)):
        item, current = turn.plan.items[name], turn.state.items[name]
        if name in names:
            settle_waivers(turn, item.stage, name, None)
        else:
            left_out = (
                name in turn.plan.settled_by_inputs or turn.state.stages[item.stage].status is StageStatus.SKIPPED
            )
            if current.status is ItemStatus.NOT_READY or left_out:
                continue
            if item_debt(turn.state, name) is not None:
                if current.status is not ItemStatus.WAIVED:
                    fresh(turn, name, status=ItemStatus.WAIVED, closed_at=turn.at)
                continue
        if current.opened_at is not None:
            turn.set(rounds=turn.state.rounds + 1)
        fresh(turn, name, wanted=wanted and name in names)
        _enter_again(turn, item.stage)
    waiting = [name for before in names for name in turn.plan.downstream((before,))]
    for name in names:
        item = turn.plan.items[name]
        if name not in waiting and flow.may_open(turn, item):
            flow.open_item(turn, item, status if item.kind is not ItemKind.HOOK else ItemStatus.OPEN)


def _enter_again(turn: Turn, stage: str) -> None:
    if turn.state.stages[stage].status is not StageStatus.DONE:
        return
    rule = turn.plan.stages[stage]
    if rule.milestone is not None:
        turn.set(milestones={name: at for name, at in turn.state.milestones.items() if name != rule.milestone})
    flow.enter_stage(turn, rule)
    for name in rule.items:
        if turn.state.items[name].status is ItemStatus.CANCELLED:
            fresh(turn, name)


def settle_waivers(turn: Turn, stage: str, item: str | None, condition: str | None) -> None:
    """All waivers of one thing are settled: nothing is owed twice, and not what is asked for again."""
    about = (stage, item, condition)

    for debt in turn.state.debts:
        if (debt.stage, debt.item, debt.condition) == about and debt.settled_at is None:
            paid(turn, debt)
