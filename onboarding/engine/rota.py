"""Whose turn it is in a group: what a group owns or reviews is given to one of its members, and is never everybody's.

Note [In turn]
    The members of a group take turns, role by role. Where the round begins follows from the name of the run, so that not every
    run begins with the same person. Whoever is away, or barred by four eyes, is passed over.
"""

import hashlib
from datetime import datetime

from onboarding.engine import deadlines, moving
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say, taken_by, when
from onboarding.engine.people import asked_of
from onboarding.engine.plan import Plan
from onboarding.engine.presence import is_away, members, principal
from onboarding.engine.seating import barred_by_eyes
from onboarding.engine.state import ItemStatus, RunState
from onboarding.engine.turn import Turn
from onboarding.engine.waits import left_to_see
from onboarding.language.model import Item, ItemKind, Side, Stage


def next_member(plan: Plan, state: RunState, role: str, barred: tuple[str, ...] = ()) -> tuple[str, int]:
    """Who is next in a group, and how far round the turn has gone then."""
    held = members(plan, state, role)
    start = int.from_bytes(hashlib.sha256(f"{state.run}/{role}".encode()).digest()[:8]) % len(held)
    gone = state.turns.get(role, 0)
    around = [(held[(start + gone + n) % len(held)], gone + n + 1) for n in range(len(held))]
    there = (one for one in around if one[0] not in barred and not is_away(state, one[0]))
    willing = (one for one in around if one[0] not in barred)
    return next(there, None) or next(willing, around[0])


def in_turn(turn: Turn, about: Item | Stage, role: str, barred: tuple[str, ...] = ()) -> str:
    """The member of a group who gets an item or stage now; the turn goes on, and the trail says so."""
    who, gone = next_member(turn.plan, turn.state, role, barred)
    turn.set(turns={**turn.state.turns, role: gone})
    turn.record("assign", item=about.id, code="assigned_in_turn", sentence=f"{about.title}: {who}, in turn, for {role}")
    return who


def first_owner(turn: Turn, item: Item) -> tuple[str, datetime | None]:
    """Who has an item that opens, and when a member of its group gets it who has not taken it before.

    Until then one person answers for it: the owner of the stage, or where the group itself has the stage, the member whose turn it is.
    A new round stays with the member who had the one before.
    """
    current, role = turn.state.items[item.id], item.owner
    if current.given:
        return current.owner, None
    unattended = item.kind is ItemKind.HOOK and not current.by_person
    if not turn.plan.is_group(role) or unattended:
        return principal(turn.plan, turn.state, role), None
    barred = barred_by_eyes(turn.state, item)
    if current.owner in members(turn.plan, turn.state, role) and current.owner not in barred:
        return current.owner, None
    at = None if item.quorum > 1 else _taken_until(turn, role)
    if at is None:
        return in_turn(turn, item, role, barred), None
    return _meanwhile(turn, item, role, barred), at


def review_in_turn(turn: Turn, item: Item) -> None:
    """An answer goes into the review of a group: one member has it, at once or after the time in which anybody may take it."""
    if item.review is None or not turn.plan.is_group(item.review):
        return
    actors = turn.state.items[item.id].actors
    at = _taken_until(turn, item.review)
    if at is None:
        turn.item(item.id, reviewer=in_turn(turn, item, item.review, actors))
    else:
        turn.item(item.id, reviewer=_meanwhile(turn, item, item.review, actors), assign_at=at)


def stage_holder(turn: Turn, stage: str) -> str:
    """Who has a stage that opens: of a group the member whose turn it is. A stage is asked of nobody, so there is nothing to take."""
    rule, current = turn.plan.stages[stage], turn.state.stages[stage]
    if current.given:
        return current.owner
    held = members(turn.plan, turn.state, rule.owner)
    if not turn.plan.is_group(rule.owner):
        return held[0]
    if current.owner in held:
        return current.owner
    return in_turn(turn, rule, rule.owner)


def _taken_until(turn: Turn, role: str) -> datetime | None:
    after = turn.plan.roles[role].assign_after
    if after is None:
        return None
    clock = turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER)
    return deadlines.plan_length(clock, turn.at, after)


def move_by_hold(turn: Turn, item: Item, since: datetime) -> None:
    """The time in which a group may take something stood still with the run."""
    current = turn.state.items[item.id]
    if current.assign_at is None:
        return
    role = turn.plan.roles[_role(item, current.status)]
    business = role.assign_after is not None and role.assign_after.is_business
    clock = turn.plan.clock(turn.state.calendars, "provider", "", Side.PROVIDER) if business else ()
    begun = current.answered_at or current.opened_at or since
    turn.item(item.id, assign_at=moving.later_by_hold(clock, current.assign_at, max(since, begun), turn.at))


def _role(item: Item, status: ItemStatus) -> str:
    return item.review if status is ItemStatus.IN_REVIEW and item.review is not None else item.owner


def _meanwhile(turn: Turn, item: Item, role: str, barred: tuple[str, ...]) -> str:
    owner = turn.plan.stages[item.stage].owner
    if owner != role and turn.plan.roles[owner].side is turn.plan.roles[role].side:
        return turn.state.stages[item.stage].owner or principal(turn.plan, turn.state, owner)
    return next_member(turn.plan, turn.state, role, barred)[0]


def assign(turn: Turn, name: str) -> None:
    """Nobody has taken it: the member whose turn it is gets it and hears of it, the others hear that they need not."""
    item, current = turn.plan.items[name], turn.state.items[name]
    asked = asked_of(turn.plan, turn.state, item)
    review, role = current.status is ItemStatus.IN_REVIEW, _role(item, current.status)
    barred = current.actors if review else barred_by_eyes(turn.state, item)
    turn.item(name, assign_at=None)
    who = in_turn(turn, item, role, barred)
    if review:
        turn.item(name, reviewer=who, hands=current.hands + 1)
    else:
        turn.item(name, owner=who, hands=current.hands + 1)
    _handed_over(turn, item, asked, ", because it is your turn")


def give_review(turn: Turn, item: Item, to: str) -> None:
    """Somebody takes the review of an answer that a group has, or is given it; the others hear that they need not."""
    asked = asked_of(turn.plan, turn.state, item)
    turn.item(item.id, assign_at=None, reviewer=to, hands=turn.state.items[item.id].hands + 1)
    _handed_over(turn, item, asked, "")


def _handed_over(turn: Turn, item: Item, asked: tuple[str, ...], why: str) -> None:
    current, to = turn.state.items[item.id], asked_of(turn.plan, turn.state, item)
    due = "" if current.status is ItemStatus.IN_REVIEW else f"; due {when(current.due_at)}"
    lines = (f"{item.title} is yours now{why}{due}.", *left_to_see(item, current))
    for handle in to:
        say(
            turn, NoticeKind.HANDOFF, handle, "handover", f"Yours now: {item.title}", lines, part=f"to.{current.hands}", item=item,
        )  # fmt: skip
    taken_by(turn, item, to, asked)
