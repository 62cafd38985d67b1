"""Who answers for whom now: the person who has something, and whoever stands in while that person is away.

Note [Who has it and who answers]
    What is stored (`ItemState.owner`, `StageState.owner`, `RunState.holders`) is the person who has something. An absence changes
    none of it: who answers is worked out each time, so that absences inside one another need no undoing, and with the end of
    the absence everything is as it was.
"""

from collections.abc import Iterator

from onboarding.engine.plan import Plan
from onboarding.engine.state import Absence, RunState
from onboarding.language.model import Item

_ROLES = ("roles",)
"""Under which the roles of all handles are known; no role is called that."""


def members(plan: Plan, state: RunState, role: str) -> tuple[str, ...]:
    """Who has a role, away or not: one person, or everybody of its group."""
    held = state.holders.get(role) or plan.order.people.get(role) or (role,)
    return held if plan.is_group(role) else held[:1]


def absence_of(state: RunState, handle: str) -> Absence | None:
    """The absence of a person that has begun, or `None` for whoever is there."""
    return next((one for one in state.absences if one.begun and one.person == handle), None)


def is_away(state: RunState, handle: str) -> bool:
    """Whether a person is away now."""
    return absence_of(state, handle) is not None


def stand_in(plan: Plan, state: RunState, handle: str, role: str) -> str:
    """Who answers for what a person has through a role: they themselves while they are there.

    Else whom the absence names, another holder of the role (in a group the next member), or the first deputy who is there;
    where there is nobody, it stays with the absent person.
    """
    if not state.absences:
        return handle
    known = plan.known.of_people(state)
    if (handle, role) not in known:
        known[handle, role] = _stand_in(plan, state, handle, role)
    answering: str = known[handle, role]
    return answering


def _stand_in(plan: Plan, state: RunState, handle: str, role: str) -> str:
    if not is_away(state, handle):
        return handle
    found = (_present(state, one) for one in _candidates(plan, state, handle, role))
    return next((one for one in found if one is not None), handle)


def _candidates(plan: Plan, state: RunState, handle: str, role: str) -> Iterator[str]:
    named = absence_of(state, handle)
    if named is not None and named.to is not None:
        yield named.to
    roles = list(chain(plan, role))
    # A deputy to whom it was given is followed by the next one, and not by whoever it was taken from.
    mine = next((n for n, one in enumerate(roles) if handle in members(plan, state, one)), 0)
    for one in roles[mine:]:
        held = members(plan, state, one)
        after = held.index(handle) + 1 if handle in held else 0
        yield from (*held[after:], *held[:after])


def _present(state: RunState, handle: str) -> str | None:
    """A person who is there, or whoever was named for them when they are not; `None` when the names lead nowhere."""
    seen: dict[str, None] = {}
    at: str | None = handle
    while at is not None and at not in seen:
        away = absence_of(state, at)
        if away is None:
            return at
        seen[at] = None
        at = away.to
    return None


def chain(plan: Plan, role: str) -> Iterator[str]:
    """A role, its deputy, the deputy of that, and so on."""
    seen: dict[str, None] = {}
    at: str | None = role
    while at is not None and at not in seen:
        seen[at] = None
        yield at
        at = plan.roles[at].deputy


def principal(plan: Plan, state: RunState, role: str) -> str:
    """The one person who has a role, away or not."""
    return members(plan, state, role)[0]


def holder(plan: Plan, state: RunState, role: str) -> str:
    """The one handle that answers for a role now."""
    return stand_in(plan, state, principal(plan, state, role), role)


def holders(plan: Plan, state: RunState, role: str) -> tuple[str, ...]:
    """All handles that may act for a role without being its deputy: its holder or the members of its group, the answering one
    first, and whoever stands in for one who is away."""
    return _standing(plan, state, role, ())


def with_deputies(plan: Plan, state: RunState, role: str, barred: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The holders of a role and of its deputies, in that order. Nobody stands in for one who is `barred`: their voice is not
    theirs to lend."""
    if state.absences:  # nobody is barred from what nobody lends
        return _with_deputies(plan, state, role, barred)
    found = plan.known.of_people(state)
    if role not in found:
        found[role] = _with_deputies(plan, state, role, ())
    able: tuple[str, ...] = found[role]
    return able


def _with_deputies(plan: Plan, state: RunState, role: str, barred: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for each in chain(plan, role) for one in _standing(plan, state, each, barred)))


def roles_of(plan: Plan, state: RunState, handle: str) -> tuple[str, ...]:
    """The roles that somebody may act for without being their deputy, in the order of the file."""
    known = plan.known.of_people(state)
    if _ROLES not in known:
        found: dict[str, tuple[str, ...]] = {}
        for role in plan.roles:
            for one in dict.fromkeys(holders(plan, state, role)):
                found[one] = (*found.get(one, ()), role)
        known[_ROLES] = found
    of_handle: dict[str, tuple[str, ...]] = known[_ROLES]
    return of_handle.get(handle, ())


def _standing(plan: Plan, state: RunState, role: str, barred: tuple[str, ...]) -> tuple[str, ...]:
    held = members(plan, state, role)
    if not state.absences:
        return held
    answering = [stand_in(plan, state, one, role) for one in held if one not in barred]
    return tuple(dict.fromkeys((*answering, *held)))


def deputy_of(plan: Plan, state: RunState, role: str) -> str | None:
    """The handle of the first deputy of a role, or `None`."""
    deputy = plan.roles[role].deputy
    return None if deputy is None else holder(plan, state, deputy)


def item_owner(plan: Plan, state: RunState, item: Item) -> str:
    """Who answers for an item: whoever has it once it opened, before that the holder of its role."""
    return stand_in(plan, state, item_principal(plan, state, item), _role_of(plan, state, item))


def item_principal(plan: Plan, state: RunState, item: Item) -> str:
    """Who has an item, away or not."""
    return state.items[item.id].owner or principal(plan, state, item.owner)


def _role_of(plan: Plan, state: RunState, item: Item) -> str:
    """The role through which somebody has an item: until a group's item is given to a member, that is mostly the stage's."""
    current = state.items[item.id]
    lent = current.assign_at is not None and current.owner not in members(plan, state, item.owner)
    return plan.stages[item.stage].owner if lent else item.owner


def stage_owner(plan: Plan, state: RunState, stage: str) -> str:
    """Who answers for a stage."""
    role = plan.stages[stage].owner
    return stand_in(plan, state, state.stages[stage].owner or principal(plan, state, role), role)


def acted_for(
    plan: Plan, state: RunState, role: str, held: tuple[str, ...], handle: str, barred: tuple[str, ...] = ()
) -> str | None:
    """The absent person for whom somebody acts on what `held` have through a role; `None` for what is theirs.

    A deputy of somebody who is there acts in their own name, and one who is `barred` has no voice that another could use.
    """
    if not state.absences:
        return None
    for people in (held, *(members(plan, state, one) for one in chain(plan, role) if one != role)):
        if handle in people:
            return None
        absent = [one for one in people if is_away(state, one) and one not in barred]
        if absent:
            return next((one for one in absent if stand_in(plan, state, one, role) == handle), absent[0])
    return None
