"""Who has it: another owner for an item or stage, another holder for a role, for good or until a date.

Note [By name or by role]
    Who owns an item or stage follows its role, until somebody gives it away by name (`given`). Then it stays there, also in its
    next round, until the date named or until it is given away again; a role that is handed over takes along only what follows it.
"""

from datetime import datetime

from onboarding.engine import deadlines, gates, rota
from onboarding.engine.effects import NoticeKind
from onboarding.engine.moves import Told, find_item, find_stage, provider_only, refuse_closed_stage
from onboarding.engine.notices import not_asked, say, taken_by, when
from onboarding.engine.people import INTEGRATION, Person, asked_of, known_people, reviewer_of, who_is
from onboarding.engine.presence import item_principal, principal, stage_owner, stand_in
from onboarding.engine.promises import told
from onboarding.engine.refusing import conflict, forbidden, must_come, rejected, unknown
from onboarding.engine.seating import barred_by_eyes
from onboarding.engine.state import ItemStatus, PromiseKind, Revert, StageStatus
from onboarding.engine.turn import Turn
from onboarding.engine.waits import to_review
from onboarding.language.model import Item, ItemKind, Side
from onboarding.messages import UNVERIFIED, Reassign
from onboarding.nearest import nearest


def reassign(turn: Turn, message: Reassign, person: Person) -> Told:
    """Another owner for an item or stage, or another holder of a role; exactly one stays, the clock goes on."""
    if sum(one is not None for one in (message.item, message.stage, message.role)) != 1:
        raise rejected("one_of", "Name exactly one of item, stage and role.", place="/item")
    if message.item is not None:
        title, to, before = _reassign_item(turn, message, message.item, person)
    elif message.stage is not None:
        title, to, before = _reassign_stage(turn, message, message.stage, person)
    else:
        title, to, before = _reassign_role(turn, message, message.role or "", person)
    said = f"{title}: {to} instead of {before}.{_stranger(turn, to)}"
    return Told(item=message.item, code="reassigned", sentence=said)


def _reassign_item(turn: Turn, message: Reassign, name: str, person: Person) -> tuple[str, str, str]:
    item, current = find_item(turn, name), turn.state.items.get(name)
    provider_only(person, "reassign an item")
    refuse_closed_stage(turn, item.stage, item.id)
    if current is None or current.status in gates.MET:
        raise conflict("not_open", f"{item.id!r} is closed.", item=item.id)
    if current.status is ItemStatus.IN_REVIEW and item.review is not None and turn.plan.is_group(item.review):
        return _reassign_review(turn, message, item, item.review)
    to = new_owner(
        turn, message.to, message.until, turn.plan.roles[item.owner].side, decides=item.kind is ItemKind.APPROVAL
    )
    before = item_principal(turn.plan, turn.state, item)
    _until(turn, "item", item.id, (current.owner,) if current.given else (), message.until)
    give_item(turn, item.id, to)
    return item.title, to, before


def _reassign_review(turn: Turn, message: Reassign, item: Item, role: str) -> tuple[str, str, str]:
    """Who has an answer that a group reviews is one of the group; whose the item is, should it go back, stays as it is."""
    if message.until is not None:
        raise rejected(
            "not_for_a_review", "A review is given for good; leave `until` out.", place="/until", item=item.id
        )
    to = new_owner(turn, message.to, None, turn.plan.roles[role].side, decides=True)
    if to in turn.state.items[item.id].actors:
        raise forbidden("own_submission", f"{to!r} gave the answer and may not review it.", item=item.id)
    before = reviewer_of(turn.plan, turn.state, item)
    rota.give_review(turn, item, to)
    return item.title, to, before


def _reassign_stage(turn: Turn, message: Reassign, name: str, person: Person) -> tuple[str, str, str]:
    stage = find_stage(turn, name)
    provider_only(person, "reassign a stage")
    refuse_closed_stage(turn, stage)
    to = new_owner(turn, message.to, message.until, Side.PROVIDER)
    current, before = turn.state.stages[stage], stage_owner(turn.plan, turn.state, stage)
    _until(turn, "stage", stage, (current.owner,) if current.given else (), message.until)
    give_stage(turn, stage, to)
    return turn.plan.stages[stage].title, to, before


def _reassign_role(turn: Turn, message: Reassign, role: str, person: Person) -> tuple[str, str, str]:
    if role not in turn.plan.roles:
        raise unknown("unknown_role", f"This run has no such role{nearest(role, turn.plan.roles)}.")
    provider_only(person, "reassign a role")
    to = new_owner(turn, message.to, message.until, turn.plan.roles[role].side, decides=True)
    held = turn.state.holders.get(role, ())
    _until(turn, "role", role, held, message.until)
    give_role(turn, role, (to, *(handle for handle in held[1:] if handle != to)))
    return f"Role {role}", to, held[0] if held else "nobody"


def new_owner(turn: Turn, named: str, until: datetime | None, side: Side, *, decides: bool = False) -> str:
    """The handle that the field `to` names, a person or whoever holds a role. Nobody's decision goes to the other side."""
    must_come(until, turn.at, "The end of the reassignment", "/until")
    to = who_is(turn.plan, turn.state, named).handle
    if to == UNVERIFIED or to.startswith(INTEGRATION):
        raise rejected("not_a_person", "An owner is a person or a role.", place="/to")
    if to.startswith("customer:") and to not in turn.plan.order.customer_contacts:
        hint = nearest(to, turn.plan.order.customer_contacts) or "."
        raise rejected("unknown_person", f"This customer has no such contact{hint}", place="/to")
    wrong = wrong_side(turn, to, side, decides=decides)
    if wrong is not None:
        raise rejected("wrong_side", wrong, place="/to")
    return to


def wrong_side(turn: Turn, to: str, side: Side, *, decides: bool) -> str | None:
    """Why somebody may not be given what `side` owns, or decides; `None` where they may."""
    if side is Side.PROVIDER and to in turn.plan.order.customer_contacts:
        return "What our side owns cannot be given to the customer."
    if side is Side.CUSTOMER and decides and _is_ours(turn, to):
        return "What the customer decides cannot be given to our side."
    return None


def _is_ours(turn: Turn, handle: str) -> bool:
    return any(
        handle in held and turn.plan.roles[role].side is Side.PROVIDER
        for role, held in (*turn.plan.order.people.items(), *turn.state.holders.items())
    )


def _stranger(turn: Turn, to: str) -> str:
    """A new colleague is welcome, but a slip of the pen must not go unnoticed: nobody would ever see the work."""
    known = known_people(turn.plan, turn.before)
    return "" if to in known else f" Nobody in this run was called {to!r} before{nearest(to, known) or '.'}"


def give_item(turn: Turn, name: str, to: str, *, given: bool = True) -> None:
    """Another owner for one item, who hears of it; `given` by name, or because its role has another holder."""
    item, before = turn.plan.items[name], turn.state.items[name].owner
    waited = turn.state.items[name].assign_at is not None and turn.state.items[name].status in deadlines.WAITING
    asked = asked_of(turn.plan, turn.state, item)
    current = turn.item(name, owner=to, given=given)
    if waited:
        current = turn.item(name, assign_at=None, hands=current.hands + 1)
        taken_by(turn, item, (to,), asked)
    if before == to and not waited:
        return
    current = turn.item(name, hands=current.hands + 1)
    now = asked_of(turn.plan, turn.state, item)
    not_asked(turn, item, tuple(one for one in asked if one not in now))
    to = stand_in(turn.plan, turn.state, to, item.owner)
    if now and current.status in deadlines.WAITING and name not in turn.opened:
        lines = (f"{item.title} is yours now, due {when(current.due_at)}.",)
        say(
            turn, NoticeKind.HANDOFF, to, "handover", f"Yours now: {item.title}", lines, part=f"to.{current.hands}", item=item
        )  # fmt: skip
        told(turn, PromiseKind.ITEM, name, current.due_at, to)


def give_stage(turn: Turn, name: str, to: str, *, given: bool = True) -> None:
    """Another owner for a stage, who hears of it where it has begun."""
    before = turn.state.stages[name].owner
    current = turn.stage(name, owner=to, given=given)
    if current.status is StageStatus.OPEN and before != to:
        title = turn.plan.stages[name].title
        say(
            turn, NoticeKind.HANDOFF, stand_in(turn.plan, turn.state, to, turn.plan.stages[name].owner), "handover", f"Yours now: {title}", (f"{title} is yours now.",),
            part=f"to.{turn.state.trail_count}.{len(turn.effects)}", stage=name,
        )  # fmt: skip


def give_role(turn: Turn, role: str, to: tuple[str, ...]) -> None:
    """Another holder of a role: what follows the role goes along, and who had it hears of that, wanted or not."""
    before = principal(turn.plan, turn.state, role)
    turn.set(holders={**turn.state.holders, role: to})
    if to[0] == before:
        return
    reader = stand_in(turn.plan, turn.state, to[0], role)
    part = f"role.{turn.state.trail_count}.{len(turn.effects)}"
    said = f"{to[0]} is {role!r} in this onboarding now."
    say(turn, NoticeKind.HANDOFF, before, "handover", f"No longer yours: role {role}", (said,), part=part)
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        if item.owner == role and not current.given and current.owner == before and current.closed_at is None:
            give_item(turn, item.id, to[0], given=False)
    for stage in turn.plan.definition.stages:
        state = turn.state.stages[stage.id]
        if stage.owner == role and not state.given and state.owner == before and state.left_at is None:
            give_stage(turn, stage.id, to[0], given=False)
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        mine = current.reviewer == before if turn.plan.is_group(role) else not current.reviewer
        if item.review == role and current.status is ItemStatus.IN_REVIEW and mine:
            if turn.plan.is_group(role):
                turn.item(item.id, reviewer=to[0])
            lines = to_review(item, turn.state.items[item.id])
            part = f"review.{current.answers}.{turn.state.trail_count}"
            say(turn, NoticeKind.ASK, reader, "ask", f"Please review: {item.title}", lines, part=part, item=item)


def _until(turn: Turn, kind: str, target: str, now: tuple[str, ...], until: datetime | None) -> None:
    """Plans the way back: at `until` it goes to whoever would have had it then. For good: nothing comes back any more."""
    mine = sorted(
        (one for one in turn.state.reverts if (one.kind, one.target) == (kind, target)), key=lambda one: one.at
    )
    others = tuple(one for one in turn.state.reverts if one not in mine)
    if until is None:
        turn.set(reverts=others)
        return
    then = now
    for one in mine:
        if one.at <= until:
            then = one.to
    later = tuple(one for one in mine if one.at > until)
    turn.set(reverts=(*others, Revert(at=until, kind=kind, target=target, to=then), *later))


def _whose(turn: Turn, item: Item) -> str:
    group = turn.plan.is_group(item.owner) and turn.state.items[item.id].status not in gates.MET
    if group:
        return rota.in_turn(turn, item, item.owner, barred_by_eyes(turn.state, item))
    return principal(turn.plan, turn.state, item.owner)


def revert(turn: Turn, one: Revert) -> None:
    """A reassignment with an end is over. What is done meanwhile stays whose it was; its next round is asked of the right one."""
    turn.set(reverts=tuple(other for other in turn.state.reverts if other is not one))
    given = bool(one.to)
    if one.kind == "item":
        item = turn.plan.items[one.target]
        back = one.to[0] if given else _whose(turn, item)
        if turn.state.items[one.target].status in gates.MET:
            turn.item(one.target, given=given, owner=back if given else turn.state.items[one.target].owner)
        else:
            give_item(turn, one.target, back, given=given)
    elif one.kind == "stage":
        back = one.to[0] if given else principal(turn.plan, turn.state, turn.plan.stages[one.target].owner)
        give_stage(turn, one.target, back, given=given)
    elif given:
        back = one.to[0]
        give_role(turn, one.target, one.to)
    else:
        return  # nobody had the role before, and nobody is no owner
    about = one.target if one.kind == "item" else None
    turn.record("reassign", item=about, code="reassign_ended", sentence=f"back to {back}")
