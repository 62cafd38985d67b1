"""What follows from a change: stages are entered and left, items open, close and go back, the run ends.

`settle` is called at the end of every event and goes on until nothing more follows. It opens nothing whose needs do not hold.
"""

from collections.abc import Callable

from onboarding.engine import calling, deadlines, gates, holding, rota
from onboarding.engine.effects import NoticeKind, RunHook
from onboarding.engine.emitting import item_event
from onboarding.engine.notices import all_over, goes_on, paid, say, settled
from onboarding.engine.people import holder
from onboarding.engine.state import (
    Debt,
    HeldMessage,
    ItemStatus,
    RunOutcome,
    RunStatus,
    StageStatus,
)
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Stage, StageAction
from onboarding.messages import OutcomeWord

ACTIVE = (ItemStatus.OPEN, ItemStatus.ANSWERED, ItemStatus.IN_REVIEW, ItemStatus.RETURNED)
"""Statuses of an item that somebody has to do something about."""
LOOKED_AT = (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW)
"""Statuses in which an answer is with us."""

RUN_FINISHED = ("run_finished", "The run ended before its item opened.")
REPLACED = ("replaced", "A later answer for the same item came before it opened; that one counts.")

ApplyHeld = Callable[[Turn, HeldMessage], None]


def settle(turn: Turn, apply_held: ApplyHeld) -> None:
    """Goes on until nothing more follows from what has changed, or the run has ended."""
    _skip_by_inputs(turn)
    moved = True
    while moved and turn.state.status is not RunStatus.CLOSED:
        _end_hold_of_ladder(turn)
        moved = _settle_debts(turn) | _enter_stages(turn) | _open_items(turn)
        moved = _meet_held(turn, apply_held) | moved | _leave_stages(turn)
        if all(stage.status in (StageStatus.DONE, StageStatus.SKIPPED) for stage in turn.state.stages.values()):
            close_run(turn, RunOutcome.LIVE, "every stage is done")


def _skip_by_inputs(turn: Turn) -> None:
    # What only the inputs decide never changes: it is said once, at the start, so that no plan shows what will not happen.
    if turn.before.items:
        return
    for name in turn.plan.settled_by_inputs:
        stage = turn.plan.stages.get(name)
        rule = stage or turn.plan.items[name]
        if rule.when is not None and not gates.holds(turn.plan, turn.state, rule.when)[0]:
            if stage is not None:
                _skip_stage(turn, stage)
            else:
                skip_item(turn, turn.plan.items[name])


def _end_hold_of_ladder(turn: Turn) -> None:
    """A run that stands still for want of one answer goes on when it is there."""
    held = turn.state.hold
    if held is not None and held.item is not None and turn.state.items[held.item].status not in deadlines.WAITING:
        turn.record(
            "hold", item=held.item, code="hold_ended", sentence=f"{turn.plan.items[held.item].title} is answered"
        )
        holding.go_on(turn)


def _settle_debts(turn: Turn) -> bool:
    met = [debt for debt in turn.state.debts if debt.settled_at is None and _is_met(turn, debt)]
    for debt in met:
        paid(turn, debt)
    return bool(met)


def _is_met(turn: Turn, debt: Debt) -> bool:
    if debt.item is not None:
        # Left out by a time-out that the definition wants: nobody owes it any more.
        return turn.state.items[debt.item].status in (ItemStatus.DONE, ItemStatus.SKIPPED)
    gate = turn.plan.stages[debt.stage].gate
    meant = [one for one in gate.all + gate.any if one.text == debt.condition]
    return all(gates.raw_condition(turn.plan, turn.state, debt.stage, one)[0] for one in meant)


def _enter_stages(turn: Turn) -> bool:
    moved = False
    for stage in turn.plan.definition.stages:
        current = turn.state.stages[stage.id]
        if current.status is not StageStatus.NOT_READY or not gates.needs_met(turn.plan, turn.state, stage.needs):
            continue
        moved = True
        if stage.when is not None and not gates.holds(turn.plan, turn.state, stage.when)[0]:
            _skip_stage(turn, stage)
        else:
            enter_stage(turn, stage)
    return moved


def _skip_stage(turn: Turn, stage: Stage) -> None:
    turn.stage(stage.id, status=StageStatus.SKIPPED)
    for name in stage.items:
        if turn.state.items[name].status is ItemStatus.NOT_READY:
            skip_item(turn, turn.plan.items[name])


def enter_stage(turn: Turn, stage: Stage) -> None:
    """A stage opens, for the first time or again; its target and stall window start."""
    current = turn.state.stages[stage.id]
    owner = rota.stage_holder(turn, stage.id)
    side = turn.plan.roles[stage.owner].side
    clock = turn.plan.clock(turn.state.calendars, stage.clock, owner, side)
    target = None if stage.target is None else deadlines.plan_length(clock, turn.at, stage.target)
    first = current.visit == 0
    turn.stage(
        stage.id, status=StageStatus.OPEN, owner=owner, visit=current.visit + 1, progress_at=turn.at, stalled=False, left_at=None,
        entered_at=turn.at, target_at=target if first and current.target_set_at is None else current.target_at,
    )  # fmt: skip
    turn.stage(stage.id, stall_at=deadlines.stall_at(turn, stage.id))
    turn.record("stage", item=stage.id, code="stage_entered", sentence=f"{stage.title} begins")
    if first:
        _act(turn, stage, stage.on_enter, "enter")


def _act(turn: Turn, stage: Stage, actions: tuple[StageAction, ...], part: str) -> None:
    for index, action in enumerate(actions):
        if action.notify is not None:
            lines = (f"{stage.title}: {'begins' if part == 'enter' else 'is finished'}.",)
            say(
                turn, NoticeKind.HANDOFF, holder(turn.plan, turn.state, action.notify), action.template or "handover",
                f"{stage.title}", lines, part=f"{part}{index}", stage=stage.id,
            )  # fmt: skip
        if action.hook is not None:
            key = f"{turn.state.run}/{stage.id}/{turn.state.stages[stage.id].visit}/{part}{index}"
            turn.call(
                RunHook(
                    key=key, activity=action.hook, stage=stage.id, item=None, title=stage.title, round=1, check=None,
                    arguments=calling.arguments(turn, stage.id, {}), attempts=8, backoff=2.0, timeout_seconds=600,
                )
            )  # fmt: skip


def _open_items(turn: Turn) -> bool:
    moved = False
    for item in turn.plan.definition.items:
        if turn.state.items[item.id].status is not ItemStatus.NOT_READY or not may_open(turn, item):
            continue
        moved = True
        if item.when is not None and not gates.holds(turn.plan, turn.state, item.when)[0]:
            skip_item(turn, item)
        else:
            open_item(turn, item)
    return moved


def may_open(turn: Turn, item: Item) -> bool:
    """Whether an item may open now: its stage is open, and the needs of both hold."""
    if turn.state.stages[item.stage].status is not StageStatus.OPEN:
        return False
    needs = turn.plan.stages[item.stage].needs + item.needs + turn.state.items[item.id].awaits
    return gates.needs_met(turn.plan, turn.state, needs)


def _meet_held(turn: Turn, apply_held: ApplyHeld) -> bool:
    """Early messages meet their item, once it is open or will never be."""
    ready = tuple(one for one in turn.state.held if turn.state.items[one.item].status is not ItemStatus.NOT_READY)
    if ready:
        turn.set(held=tuple(one for one in turn.state.held if one not in ready))
    for n, one in enumerate(ready):
        if turn.state.status is RunStatus.CLOSED:
            _dropped(turn, one, OutcomeWord.CLOSED, *RUN_FINISHED)
        elif any(_replaces(later, one) for later in ready[n + 1 :]):
            _dropped(turn, one, OutcomeWord.CONFLICT, *REPLACED)
        else:
            apply_held(turn, one)
    return bool(ready)


def _replaces(later: HeldMessage, earlier: HeldMessage) -> bool:
    """Whether an early answer corrects one that came before it; parts of a draft add up."""
    same = (later.item, later.name) == (earlier.item, earlier.name)
    return (
        same
        and later.name in ("submit", "complete")
        and not (later.content.get("draft") or earlier.content.get("draft"))
    )


def _dropped(turn: Turn, held: HeldMessage, outcome: OutcomeWord, code: str, said: str) -> None:
    message_id, actor = str(held.content["message_id"]), str(held.content["actor"])
    turn.refuse(via=held.via, name=held.name, message_id=message_id, code=code, sentence=said, item=held.item)
    turn.record(
        held.name,
        actor=actor,
        item=held.item,
        outcome=outcome,
        code=code,
        sentence=said,
        message_id=message_id,
    )


def open_item(turn: Turn, item: Item, status: ItemStatus = ItemStatus.OPEN) -> None:
    """An item opens: it has an owner, a due instant, a plan of what happens by itself, and is asked for.

    Nothing of an earlier round is left on it (`rounds.fresh`) but who it was given to by name, drafts, and what was wrong before.
    """
    owner, assign_at = rota.first_owner(turn, item)
    turn.item(item.id, status=status, owner=owner, opened_at=turn.at, awaits=(), assign_at=assign_at)
    deadlines.lay(turn, item)
    name = "item.returned" if status is ItemStatus.RETURNED else "item.opened"
    if turn.plan.listeners:
        turn.happen(item_event(turn.plan, name, turn.state.items[item.id]))
    turn.opened.append(item.id)
    if item.kind is ItemKind.HOOK:
        calling.call_hook(turn, item)


def skip_item(turn: Turn, item: Item) -> None:
    """An item that is not needed counts as met; nothing of it is ever asked."""
    turn.item(item.id, status=ItemStatus.SKIPPED, closed_at=None, planned=())


def finish_item(
    turn: Turn, item: Item, by: str, status: ItemStatus = ItemStatus.DONE, *, outcome: str | None = None
) -> None:
    """An item ends: its clock stops, alarmed people hear of it, its stage has made progress."""
    current = turn.state.items[item.id]
    settled(turn, item, by)
    turn.item(
        item.id, status=status, closed_at=turn.at, planned=(), outcome=outcome or current.outcome,
        late=current.late or current.overdue, draft_fields={}, draft_files=(), faults=(), assign_at=None,
    )  # fmt: skip
    progress(turn, item.stage, by)


def progress(turn: Turn, stage: str, by: str) -> None:
    """Somebody did something real in a stage: the stall window starts again, an alert clears itself."""
    if turn.state.stages[stage].status is StageStatus.OPEN:
        goes_on(turn, stage, by)
        turn.stage(stage, progress_at=turn.at, stalled=False)
        turn.stage(stage, stall_at=deadlines.stall_at(turn, stage))


def _leave_stages(turn: Turn) -> bool:
    moved = False
    for stage in turn.plan.definition.stages:
        current = turn.state.stages[stage.id]
        if current.status is StageStatus.OPEN and gates.may_leave(turn.plan, turn.state, stage.id):
            moved = True
            _leave(turn, stage)
    return moved


def _call_off(turn: Turn, name: str) -> None:
    """Nobody needs an item any more: unsent notices are withdrawn, and who was alarmed hears of it."""
    current, item = turn.state.items[name], turn.plan.items[name]
    if current.status not in ACTIVE and current.status is not ItemStatus.NOT_READY:
        return
    if current.status in LOOKED_AT:
        said = f"{item.title}: the answer was not looked at before the end"
        turn.record("run", item=name, code="answer_left", sentence=said)
    settled(turn, item, "")
    turn.item(
        name,
        status=ItemStatus.CANCELLED,
        closed_at=turn.at if current.opened_at else None,
        planned=(),
        checks=(),
        assign_at=None,
    )


def _close_with_stage(turn: Turn, name: str) -> None:
    """What becomes of an item whose stage is left without it."""
    current = turn.state.items[name]
    if current.status in LOOKED_AT:
        return  # an answer that was accepted is looked at all the same
    if gates.item_debt(turn.state, name) is None:
        _call_off(turn, name)
    elif current.status in (*deadlines.WAITING, ItemStatus.NOT_READY):
        settled(turn, turn.plan.items[name], "")
        turn.item(
            name, status=ItemStatus.WAIVED, closed_at=turn.at, planned=(), assign_at=None
        )  # it may be paid at any time


def _leave(turn: Turn, stage: Stage) -> None:
    for name in stage.items:
        _close_with_stage(turn, name)
    goes_on(turn, stage.id, "", said="is done")
    turn.stage(stage.id, status=StageStatus.DONE, left_at=turn.at, stall_at=None, stalled=False)
    if stage.milestone is not None:
        turn.set(milestones={**turn.state.milestones, stage.milestone: turn.at})
    turn.record("stage", item=stage.id, code="stage_left", sentence=f"{stage.title} is done")
    _act(turn, stage, stage.on_exit, "exit")


def close_run(turn: Turn, outcome: RunOutcome, reason: str, *, failed: str | None = None) -> None:
    """The run ends and changes no more. `failed` is the hook that ended it: nobody waits for that one."""
    at_work = () if outcome is RunOutcome.LIVE else calling.at_work(turn, failed)
    for name in turn.plan.items:
        _call_off(turn, name)
    all_over(turn)
    for held in turn.state.held:
        _dropped(turn, held, OutcomeWord.CLOSED, *RUN_FINISHED)
    turn.set(
        status=RunStatus.CLOSED,
        outcome=outcome,
        reason=reason,
        closed_at=turn.at,
        hold=None,
        held=(),
        reverts=(),
        absences=(),
        at_work=at_work,
    )
    turn.record("run", code=f"run_{outcome}", sentence=reason)
    if outcome is not RunOutcome.LIVE:
        calling.call_next_undo(turn)
    elif turn.state.undo:
        turn.set(undo=())
