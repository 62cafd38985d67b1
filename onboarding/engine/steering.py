"""The moves of people who steer a run: hold, resume, extend, reassign, reopen, note, cancel. Waive is in `waiving.py`."""

from datetime import datetime

from onboarding.engine import deadlines, flow, gates
from onboarding.engine.effects import NoticeKind
from onboarding.engine.moves import Told, find_item, refuse_closed_stage
from onboarding.engine.notices import say
from onboarding.engine.people import INTEGRATION, Person, holder, item_owner, stage_owner, who_is
from onboarding.engine.refusing import conflict, forbidden, must_come, rejected, unknown
from onboarding.engine.state import (
    HoldState,
    ItemStatus,
    Revert,
    RunOutcome,
    RunStatus,
    StageStatus,
)
from onboarding.engine.turn import Turn
from onboarding.engine.waiving import settle_waivers
from onboarding.language.model import ItemKind, Side
from onboarding.messages import UNVERIFIED, Cancel, Extend, Hold, Note, Reassign, Reopen, Resume
from onboarding.nearest import nearest


def _provider_only(person: Person, what: str) -> None:
    if person.nobody or not person.provider:
        raise forbidden("not_entitled", f"{person.named_as!r} may not {what}; roles of the provider may.")


def hold(turn: Turn, message: Hold, person: Person) -> Told:
    """Every clock of the run stops but the review date."""
    _provider_only(person, "hold the run")
    if turn.state.hold is not None:
        since = turn.state.hold.since
        raise conflict("already_held", f"{turn.state.hold.by!r} holds the run since {since:%Y-%m-%d %H:%M} UTC.")
    must_come(message.review_at, turn.at, "The review date", "/review_at")
    stand_still(turn, message.reason, Side(message.side), person.handle, review_at=message.review_at)
    return Told(item=None, code="held_run", sentence="The run is on hold; its clocks stand still.")


def stand_still(
    turn: Turn, reason: str, side: Side, by: str, *, review_at: datetime | None = None, since: datetime | None = None
) -> None:
    """Puts the run on hold. A hold without a review date gets one: nobody is parked for ever.

    `since` is the instant of the ladder step that holds: clocks stood still from there on, however late the run noticed.
    """
    held = HoldState(
        reason=reason, side=side, by=by, since=since or turn.at, review_at=review_at or deadlines.review_after(turn)
    )
    turn.set(status=RunStatus.ON_HOLD, hold=held)


def resume(turn: Turn, message: Resume, person: Person) -> Told:
    """Clocks go on; every instant still to come moves by the business time that was held."""
    _provider_only(person, "resume the run")
    held = turn.state.hold
    if held is None:
        raise conflict("not_held", "The run is not on hold.")
    for name, current in turn.state.items.items():
        if current.planned or (current.due_at is not None and current.closed_at is None):
            deadlines.move_by_hold(turn, turn.plan.items[name], held.since)
    for stage in turn.plan.definition.stages:
        state = turn.state.stages[stage.id]
        if state.status is StageStatus.OPEN:
            clock = turn.plan.clock(stage.clock, state.owner, turn.plan.roles[stage.owner].side)
            instants = (
                ("stall_at", state.stall_at, stage.stall, state.progress_at),
                ("target_at", state.target_at, stage.target, state.target_set_at or state.entered_at),
            )
            moved = {
                name: deadlines.later_by_hold(
                    clock if rule is None or rule.is_business else (), at, max(held.since, counted or at), turn.at
                )
                for name, at, rule, counted in instants
                if at is not None and at > held.since
            }
            turn.stage(stage.id, **moved)
    turn.set(status=RunStatus.RUNNING, hold=None)
    return Told(item=None, code="resumed", sentence="The run goes on; due dates moved by the time it was held.")


def extend(turn: Turn, message: Extend, person: Person) -> Told:
    """A new due instant for an item, or a new target for a stage."""
    if (message.item is None) == (message.stage is None):
        raise rejected("one_of", "Name either an item or a stage.", place="/item")
    if message.stage is not None:
        stage = _stage(turn, message.stage)
        _provider_only(person, "extend a stage")
        refuse_closed_stage(turn, stage)
        must_come(message.due, turn.at, "The new date", "/due")
        before = turn.state.stages[stage].target_at
        turn.stage(stage, target_at=message.due, target_set_at=turn.at)
        return Told(
            item=None, code="extended", sentence=f"{turn.plan.stages[stage].title}: {_move(before, message.due)}."
        )
    item = find_item(turn, message.item or "")
    _provider_only(person, "extend an item")
    current = turn.state.items[item.id]
    refuse_closed_stage(turn, item.stage, item.id)
    if current.status not in flow.ACTIVE:
        raise conflict(
            "not_open",
            f"{item.id!r} is {current.status.replace('_', ' ')}; only an open item has a due date.",
            item=item.id,
        )
    must_come(message.due, turn.at, "The new date", "/due")
    turn.item(item.id, due_at=message.due, due_why=f"extended by {person.handle}", overdue=False)
    deadlines.lay_plan(turn, item)
    return Told(item=item.id, code="extended", sentence=f"{item.title}: {_move(current.due_at, message.due)}.")


def _move(before: datetime | None, due: datetime) -> str:
    was = "no date" if before is None else f"{before:%Y-%m-%d %H:%M} UTC"
    return f"due {due:%Y-%m-%d %H:%M} UTC instead of {was}"


def _stage(turn: Turn, name: str) -> str:
    if name not in turn.plan.stages:
        raise unknown("unknown_stage", f"This run has no such stage{nearest(name, turn.plan.stages)}.")
    return name


def reassign(turn: Turn, message: Reassign, person: Person) -> Told:
    """Another owner for an item or stage, or another holder of a role; exactly one stays, the clock goes on."""
    if sum(one is not None for one in (message.item, message.stage, message.role)) != 1:
        raise rejected("one_of", "Name exactly one of item, stage and role.", place="/item")
    stranger = _stranger(turn, who_is(turn.plan, turn.state, message.to).handle)
    if message.item is not None:
        item = find_item(turn, message.item)
        _provider_only(person, "reassign an item")
        refuse_closed_stage(turn, item.stage, item.id)
        if turn.state.items[item.id].status in gates.MET:
            raise conflict("not_open", f"{item.id!r} is closed.", item=item.id)
        to = _new_owner(turn, message, turn.plan.roles[item.owner].side)
        before = item_owner(turn.plan, turn.state, item)
        give_item(turn, item.id, to)
        _revert(turn, "item", item.id, (before,), message.until)
        return Told(item=item.id, code="reassigned", sentence=f"{item.title}: {to} instead of {before}.{stranger}")
    if message.stage is not None:
        stage = _stage(turn, message.stage)
        _provider_only(person, "reassign a stage")
        refuse_closed_stage(turn, stage)
        to = _new_owner(turn, message, Side.PROVIDER)
        before = stage_owner(turn.plan, turn.state, stage)
        give_stage(turn, stage, to)
        _revert(turn, "stage", stage, (before,), message.until)
        return Told(
            item=None,
            code="reassigned",
            sentence=f"{turn.plan.stages[stage].title}: {to} instead of {before}.{stranger}",
        )
    role = message.role or ""
    if role not in turn.plan.roles:
        raise unknown("unknown_role", f"This run has no such role{nearest(role, turn.plan.roles)}.")
    _provider_only(person, "reassign a role")
    to = _new_owner(turn, message, turn.plan.roles[role].side)
    held = turn.state.holders.get(role, ())
    give_role(turn, role, (to, *(handle for handle in held[1:] if handle != to)))
    _revert(turn, "role", role, held, message.until)
    before = held[0] if held else "nobody"
    return Told(item=None, code="reassigned", sentence=f"Role {role}: {to} instead of {before}.{stranger}")


def _new_owner(turn: Turn, message: Reassign, side: Side) -> str:
    """The handle that `to` names, a person or whoever holds a role. What is ours never goes to a customer."""
    must_come(message.until, turn.at, "The end of the reassignment", "/until")
    to = who_is(turn.plan, turn.state, message.to).handle
    if to == UNVERIFIED or to.startswith(INTEGRATION):
        raise rejected("not_a_person", "An owner is a person or a role.", place="/to")
    if to.startswith("customer:") and to not in turn.plan.order.customer_contacts:
        hint = nearest(to, turn.plan.order.customer_contacts) or "."
        raise rejected("unknown_person", f"This customer has no such contact{hint}", place="/to")
    if side is Side.PROVIDER and to in turn.plan.order.customer_contacts:
        raise rejected("wrong_side", "What our side owns cannot be given to the customer.", place="/to")
    return to


def _stranger(turn: Turn, to: str) -> str:
    """A new colleague is welcome, but a slip of the pen must not go unnoticed: nobody would ever see the work."""
    state = turn.state
    held = [handle for each in (*turn.plan.order.people.values(), *state.holders.values()) for handle in each]
    owned = [item.owner for item in state.items.values()] + [stage.owner for stage in state.stages.values()]
    known = dict.fromkeys([*held, *owned, *turn.plan.order.customer_contacts])
    return "" if to in known else f" Nobody in this run was called {to!r} before{nearest(to, known) or '.'}"


def give_item(turn: Turn, name: str, to: str) -> None:
    """Another owner for one item; who was asked before is not asked again, who is asked now hears of it."""
    item = turn.plan.items[name]
    if turn.state.items[name].owner == to:
        return
    current = turn.item(name, owner=to, hands=turn.state.items[name].hands + 1)
    is_asked = item.kind not in (ItemKind.EVENT, ItemKind.HOOK) or current.by_person
    if is_asked and current.status in deadlines.WAITING and name not in turn.opened:
        lines = (
            f"{item.title} is yours now, due {'' if current.due_at is None else format(current.due_at, '%a %d %b %H:%M UTC')}.",
        )
        say(
            turn,
            NoticeKind.HANDOFF,
            to,
            "handover",
            f"Yours now: {item.title}",
            lines,
            part=f"to.{current.hands}",
            item=item,
        )


def give_stage(turn: Turn, name: str, to: str) -> None:
    """Another owner for a stage, who hears of it where it has begun."""
    before = turn.state.stages[name].owner
    turn.stage(name, owner=to)
    if turn.state.stages[name].status is StageStatus.OPEN and before != to:
        title = turn.plan.stages[name].title
        part = f"to.{turn.state.trail_count}.{len(turn.effects)}"
        say(
            turn,
            NoticeKind.HANDOFF,
            to,
            "handover",
            f"Yours now: {title}",
            (f"{title} is yours now.",),
            part=part,
            stage=name,
        )


def give_role(turn: Turn, role: str, to: tuple[str, ...]) -> None:
    """Another holder of a role: open items and stages that the old one had through it go along."""
    before = holder(turn.plan, turn.state, role)
    turn.set(holders={**turn.state.holders, role: to})
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        if item.owner == role and current.owner == before and current.closed_at is None:
            give_item(turn, item.id, to[0])
    for stage in turn.plan.definition.stages:
        state = turn.state.stages[stage.id]
        if stage.owner == role and state.owner == before and state.left_at is None:
            give_stage(turn, stage.id, to[0])
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        if item.review == role and current.status is ItemStatus.IN_REVIEW and to[0] != before:
            lines = (f"{item.title} was answered and waits for you: accept or return.",)
            part = f"review.{current.answers}.{turn.state.trail_count}"
            say(turn, NoticeKind.ASK, to[0], "ask", f"Please review: {item.title}", lines, part=part, item=item)


def _revert(turn: Turn, kind: str, target: str, to: tuple[str, ...], until: datetime | None) -> None:
    kept = tuple(one for one in turn.state.reverts if (one.kind, one.target) != (kind, target))
    if until is not None:
        kept += (Revert(at=until, kind=kind, target=target, to=to),)
    turn.set(reverts=kept)


def revert(turn: Turn, one: Revert) -> None:
    """A reassignment with an end is over."""
    turn.set(reverts=tuple(other for other in turn.state.reverts if other is not one))
    if not one.to:
        return  # nobody had the role before, and nobody is no owner
    if one.kind == "item":
        if turn.state.items[one.target].status not in gates.MET:
            give_item(turn, one.target, one.to[0])
    elif one.kind == "stage":
        if turn.state.stages[one.target].left_at is None:
            give_stage(turn, one.target, one.to[0])
    else:
        give_role(turn, one.target, one.to)
    about = one.target if one.kind == "item" else None
    turn.record("reassign", item=about, code="reassign_ended", sentence=f"back to {one.to[0]}")


def reopen(turn: Turn, message: Reopen, person: Person) -> Told:
    """A new round for items that are done; exactly what depended on them is open again."""
    names = tuple(dict.fromkeys(message.items))
    for name in names:
        find_item(turn, name, f"/items/{message.items.index(name)}" if len(names) > 1 else "")
    _provider_only(person, "reopen items")
    for name in names:
        status = turn.state.items[name].status
        if status is ItemStatus.SKIPPED:
            raise conflict("not_needed", f"{name!r} is not needed in this run.", item=name)
        if status not in (ItemStatus.DONE, ItemStatus.WAIVED):
            raise conflict(
                "not_done", f"{name!r} is {status.replace('_', ' ')}; only what is done can be reopened.", item=name
            )
    for name in names:  # what is asked again is no debt any more
        turn.set(debts=settle_waivers(turn, turn.plan.items[name].stage, name, None))
    flow.reopen(turn, names, ItemStatus.OPEN)
    return Told(item=names[0], code="reopened", sentence=f"{', '.join(names)}: open again.")


def note(turn: Turn, message: Note, person: Person) -> Told:
    """Recorded; no progress."""
    if person.nobody or not person.sides:
        raise forbidden("not_entitled", f"{person.named_as!r} has no part in this run.")
    return Told(item=None, code="noted", sentence="The note is kept.")


def cancel(turn: Turn, message: Cancel, person: Person) -> Told:
    """Closes the run for good."""
    _provider_only(person, "cancel the run")
    flow.close_run(turn, RunOutcome(message.outcome), message.reason)
    return Told(item=None, code="closed_run", sentence=f"The run is closed as {message.outcome}.")
