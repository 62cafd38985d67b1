"""Who decides: the seats of an approval, who may take each, who is asked, and who is barred.

How seats count is in docs/decisions/0003-how-a-return-counts.md. Where a definition says `in_order`, the owning roles speak one
after the other; see `turns_open`.
"""

from onboarding.engine.plan import Plan
from onboarding.engine.presence import (
    acted_for,
    is_away,
    members,
    stand_in,
    with_deputies,
)
from onboarding.engine.state import RunState, Vote
from onboarding.language.model import Item, ItemKind

Seats = tuple[tuple[str, tuple[str, ...]], ...]
"""The seats of a decision, each with those who may take it."""


def barred_by_eyes(state: RunState, item: Item) -> tuple[str, ...]:
    """Who acted on what `four_eyes` names and may not decide."""
    return tuple(handle for other in item.four_eyes for handle in state.items[other].actors)


def able_for(plan: Plan, state: RunState, item: Item, role: str) -> tuple[str, ...]:
    """Who may act for one of an item's roles, the owner first. Whoever it was taken from may not, unless they are its deputy."""
    barred, current = barred_by_eyes(state, item), state.items[item.id]
    able = with_deputies(plan, state, role, barred)
    if role != item.owner or not current.owner:
        return able
    if current.assign_at is not None and item.kind is ItemKind.APPROVAL:
        return able  # whoever has it until a member of the group does sees to it, and decides nothing
    if current.given and not plan.is_group(role):
        deputy = plan.roles[role].deputy
        able = () if deputy is None else with_deputies(plan, state, deputy, barred)
    first = (current.owner,) if current.owner in barred else (stand_in(plan, state, current.owner, role), current.owner)
    return tuple(dict.fromkeys((*first, *able)))


def seats(plan: Plan, state: RunState, item: Item) -> Seats:
    """The seats of a decision: one for each owning role, any number for a group; in order, as often as each one's turn comes.

    An owner and their deputy are two people and one seat, so that no role can outvote the others. See `seated`. In order,
    whoever has a seat of their own speaks on that one: somebody else's turn is not theirs to use up.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    own = {role: _own_seat(plan, state, item, role) for role in item.owners if item.in_order}
    more = max(item.quorum - len(item.owners), 0)
    for role in item.owners:
        able = able_for(plan, state, item, role)
        if item.in_order:
            elsewhere = [one for other, people in own.items() if other != role for one in people]
            able = tuple(one for one in able if one in own[role] or one not in elsewhere)
        many = len(able) if plan.is_group(role) else 1
        if item.in_order and plan.is_group(role):
            many = 1 + min(more, len(members(plan, state, role)) - 1)
            more -= many - 1
        found += [(role, able)] * many
    return tuple(found)


def _own_seat(plan: Plan, state: RunState, item: Item, role: str) -> tuple[str, ...]:
    current, held = state.items[item.id], members(plan, state, role)
    if role != item.owner or not current.owner or current.assign_at is not None:
        return held
    return (current.owner,) if current.given and not plan.is_group(role) else (current.owner, *held)


def seated(able: Seats, people: tuple[str, ...]) -> dict[str, str] | None:
    """Everybody on a seat of their own, as handle to role, or `None` when there is none for somebody."""
    taken: dict[int, str] = {}
    if not all(_sit(able, taken, handle) for handle in people):
        return None
    return {handle: able[n][0] for n, handle in taken.items()}


def _sit(able: Seats, taken: dict[int, str], handle: str, tried: dict[int, None] | None = None) -> bool:
    """Whether one more finds a seat, where those who sit may move to another of theirs; nobody has moved where not."""
    tried = {} if tried is None else tried
    for n, (_, may) in enumerate(able):
        if n in tried or handle not in may:
            continue
        tried[n] = None
        if n not in taken or _sit(able, taken, taken[n], tried):
            taken[n] = handle
            return True
    return False


def most_seated(able: Seats, barred: tuple[str, ...], spoken: tuple[str, ...] = ()) -> int:
    """How many more people could speak: each on a seat of their own, barred ones left out."""
    taken: dict[int, str] = {}

    def sits(handle: str) -> bool:
        free = next((n for n, (_, may) in enumerate(able) if n not in taken and handle in may), None)
        if free is not None:  # how many there are does not depend on who moves, and in a large group nobody has to
            taken[free] = handle
            return True
        return _sit(able, taken, handle)

    if not all(sits(handle) for handle in spoken):
        return 0
    others = dict.fromkeys(handle for _, may in able for handle in may if handle not in spoken and handle not in barred)
    return sum(sits(handle) for handle in others)


def counted(able: Seats, state: RunState, item: Item) -> tuple[Vote, ...]:
    """The votes that count: who has lost the seat since, or acted on what four eyes names, has not decided."""
    barred = barred_by_eyes(state, item)
    seated_now = [handle for _, may in able for handle in may]
    return tuple(vote for vote in state.items[item.id].votes if vote.handle in seated_now and vote.handle not in barred)


def seats_left(state: RunState, item: Item, able: Seats) -> int:
    """How many more people could still speak in the present round."""
    spoken = tuple(vote.handle for vote in counted(able, state, item))
    return most_seated(able, barred_by_eyes(state, item), spoken)


def turns_open(able: Seats, state: RunState, item: Item, votes: tuple[Vote, ...]) -> tuple[str, ...]:
    """Where people decide in order: the roles that may speak now, the last of which is the one whose turn it is.

    Its turn has the first role with a seat left and somebody who may take it and is there. Roles of which everybody is away are
    passed over, and may still speak; they are waited for when nobody else is left. Of whom everybody is barred, nobody waits.
    """
    spoken, barred = [vote.handle for vote in votes], barred_by_eyes(state, item)
    people = {role: [one for one in may if one not in spoken and one not in barred] for role, may in able}
    waiting = [
        role
        for role, willing in people.items()
        if willing and sum(1 for seat, _ in able if seat == role) > sum(1 for vote in votes if vote.role == role)
    ]
    there = [n for n, role in enumerate(waiting) if any(not is_away(state, one) for one in people[role])]
    return tuple(waiting[: there[0] + 1] if there else waiting[:1])


def entitled_to_decide(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """The distinct people asked for a decision, the owner first: one for each owning role, all of a group where one voice is
    not enough or none of its members has it yet. Whoever four eyes bars is replaced by their deputies, and left out where there
    are none. In order: whoever's turn it is, after those who have spoken.
    """
    if item.in_order:
        return _asked_in_order(plan, state, item)
    asked: dict[str, None] = {}
    for role in item.owners:
        asked.update(dict.fromkeys(_asked_for(plan, state, item, role, barred_by_eyes(state, item))))
    return tuple(asked)


def _asked_in_order(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    able = seats(plan, state, item)
    votes = counted(able, state, item)
    spoken = tuple(vote.handle for vote in votes)
    barred = (*barred_by_eyes(state, item), *spoken)
    for role in turns_open(able, state, item, votes)[-1:]:
        may = next(people for seat, people in able if seat == role)
        willing = [one for one in _asked_for(plan, state, item, role, barred) if one in may]
        others = sorted((one for one in may if one not in barred), key=lambda one: is_away(state, one))
        return tuple(dict.fromkeys((*spoken, *(willing or others[:1]))))
    return tuple(dict.fromkeys(spoken))


def _asked_for(plan: Plan, state: RunState, item: Item, role: str, barred: tuple[str, ...]) -> tuple[str, ...]:
    current = state.items[item.id]
    held = members(plan, state, role)
    mine = held[:1] if item.quorum == 1 or not plan.is_group(role) else held
    everybody = item.quorum > 1
    if role == item.owner and current.assign_at is not None:
        mine, everybody = held, True
    elif role == item.owner and current.owner:
        mine = (current.owner,) if not (plan.is_group(role) and item.quorum > 1) else (current.owner, *held)
    answering = [stand_in(plan, state, one, role) for one in mine if one not in barred]
    able = [one for one in dict.fromkeys(answering) if one not in barred]
    if not able:
        others = [one for one in with_deputies(plan, state, role, barred) if one not in barred]
        able = sorted(others, key=lambda one: is_away(state, one))[:1]
    return tuple(able if everybody else able[:1])


def voice_of(plan: Plan, state: RunState, item: Item, role: str, handle: str) -> str | None:
    """The absent person for whom somebody decides on the seat of a role, or `None`."""
    held = _own_seat(plan, state, item, role)
    return acted_for(plan, state, role, held, handle, barred_by_eyes(state, item))
