"""Who is who: handles, roles, deputies, and who may say what."""

from dataclasses import dataclass
from datetime import datetime

from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemState, ItemStatus, RunState
from onboarding.language.model import Item, ItemKind, Side
from onboarding.messages import UNVERIFIED

INTEGRATION = "integration:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever speaks: the handle that acts, and the role through which they were named, if any."""

    handle: str
    named_as: str
    roles: tuple[str, ...]
    sides: tuple[Side, ...]
    contact: bool

    @property
    def nobody(self) -> bool:
        """A signal typed by hand, without a name."""
        return self.handle == UNVERIFIED

    @property
    def integration(self) -> bool:
        """A system that reports what happened outside."""
        return self.handle.startswith(INTEGRATION)

    @property
    def provider(self) -> bool:
        """Somebody on our side."""
        return Side.PROVIDER in self.sides


def holder(plan: Plan, state: RunState, role: str) -> str:
    """The one handle that answers for a role now."""
    held = state.holders.get(role) or plan.order.people.get(role) or ()
    return held[0] if held else role


def holders(plan: Plan, state: RunState, role: str) -> tuple[str, ...]:
    """All handles that may act for a role: one person, or the members of a group, the answering one first."""
    held = state.holders.get(role) or plan.order.people.get(role) or (role,)
    return held if plan.is_group(role) else held[:1]


def with_deputies(plan: Plan, state: RunState, role: str) -> tuple[str, ...]:
    """The holders of a role and of its deputies, in that order."""
    found: dict[str, None] = {}
    seen: dict[str, None] = {}
    at: str | None = role
    while at is not None and at not in seen:
        seen[at] = None
        found.update(dict.fromkeys(holders(plan, state, at)))
        at = plan.roles[at].deputy
    return tuple(found)


def deputy_of(plan: Plan, state: RunState, role: str) -> str | None:
    """The handle of the first deputy of a role, or `None`."""
    deputy = plan.roles[role].deputy
    return None if deputy is None else holder(plan, state, deputy)


def main_contact(plan: Plan, state: RunState) -> str | None:
    """Who hears for the customer: the holder of the first customer role of the file that owns something of this run."""
    for role in plan.roles.values():
        if role.side is Side.CUSTOMER and any(
            role.id in item.owners and not _left_out(state, item.id) for item in plan.items.values()
        ):
            return holder(plan, state, role.id)
    return None


def _left_out(state: RunState, item: str) -> bool:
    current = state.items[item]
    return current.status is ItemStatus.SKIPPED and current.opened_at is None


def item_owner(plan: Plan, state: RunState, item: Item) -> str:
    """Who owns an item: the stored owner once it opened, before that the holder of its role."""
    return state.items[item.id].owner or holder(plan, state, item.owner)


def stage_owner(plan: Plan, state: RunState, stage: str) -> str:
    """Who owns a stage."""
    return state.stages[stage].owner or holder(plan, state, plan.stages[stage].owner)


def who_is(plan: Plan, state: RunState, actor: str) -> Person:
    """Reads an actor: a handle first, else a role or contact role, which stands for whoever holds it now."""
    roles = _roles_of(plan, state, actor)
    handle = actor
    if not roles and actor not in plan.order.customer_contacts:
        handle = holder(plan, state, actor) if actor in plan.roles else plan.contacts.get(actor, actor)
        roles = _roles_of(plan, state, handle)
    contact = handle in plan.order.customer_contacts
    sides = dict.fromkeys(plan.roles[role].side for role in roles)
    if contact:
        sides[Side.CUSTOMER] = None
    if not contact:  # whatever a contact was given to do, they steer nothing
        for item in state.items.values():
            if item.owner == handle:
                sides[plan.roles[plan.items[item.id].owner].side] = None
        for stage in state.stages.values():
            if stage.owner == handle:
                sides[Side.PROVIDER] = None
    return Person(handle=handle, named_as=actor, roles=roles, sides=tuple(sides), contact=contact)


def known_people(plan: Plan, state: RunState) -> tuple[str, ...]:
    """Every handle that this run has ever heard of: who held or holds a role, owns something, or is a contact."""
    held = [handle for each in (*plan.order.people.values(), *state.holders.values()) for handle in each]
    owned = [item.owner for item in state.items.values()] + [stage.owner for stage in state.stages.values()]
    return tuple(dict.fromkeys(one for one in (*held, *owned, *plan.order.customer_contacts) if one))


def side_of(plan: Plan, state: RunState, handle: str) -> Side:
    """On which side somebody reads; a colleague without a part in the run is one of ours."""
    if handle in plan.order.customer_contacts:
        return Side.CUSTOMER
    sides = tuple(plan.roles[role].side for role in _roles_of(plan, state, handle))
    sides = sides or who_is(plan, state, handle).sides or (Side.PROVIDER,)
    return Side.CUSTOMER if Side.CUSTOMER in sides else sides[0]


def has_since(state: ItemState) -> datetime | None:
    """Since when whoever has an item now has had it: an answer hands it over."""
    with_us = state.status in (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW)
    return state.answered_at or state.opened_at if with_us else state.opened_at


def _roles_of(plan: Plan, state: RunState, handle: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for role, group in plan.groups.items():
        held = state.holders.get(role) or plan.order.people.get(role) or (role,)
        if handle == held[0] or (group and handle in held):
            found += (role,)
    return found


def may_submit(plan: Plan, state: RunState, item: Item, person: Person, behalf: Person | None) -> bool:
    """The owner and deputies, contacts for customer items, the stage owner on behalf of them, and `unverified`."""
    customer_item = plan.roles[item.owner].side is Side.CUSTOMER
    entitled = _owners(plan, state, item)
    if person.nobody or person.handle in entitled or (person.contact and customer_item):
        return True
    if behalf is None or not (behalf.handle in entitled or behalf.contact):
        return False
    return person.handle in (
        stage_owner(plan, state, item.stage),
        *with_deputies(plan, state, plan.stages[item.stage].owner),
    )


def may_complete(plan: Plan, state: RunState, item: Item, person: Person) -> bool:
    """The owner and deputies of the item, and the owner of its stage."""
    return person.handle in (*_owners(plan, state, item), stage_owner(plan, state, item.stage))


def may_review(plan: Plan, state: RunState, item: Item, person: Person) -> bool:
    """The reviewing role and its deputies, and whoever the review was asked of because these gave the answer themselves."""
    return person.handle in (*_reviewers(plan, state, item), reviewer_of(plan, state, item))


def _reviewers(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """Where no role is named, the stage owner's: a check that broke is theirs to judge."""
    if item.review is not None:
        return with_deputies(plan, state, item.review)
    return (stage_owner(plan, state, item.stage), *with_deputies(plan, state, plan.stages[item.stage].owner))


def reviewer_of(plan: Plan, state: RunState, item: Item) -> str:
    """Who is asked to review an answer: the first who did not give it; in the end the owner of the stage, to find somebody."""
    stage = stage_owner(plan, state, item.stage)
    able = (*_reviewers(plan, state, item), stage, *with_deputies(plan, state, plan.stages[item.stage].owner))
    return next((handle for handle in able if handle not in state.items[item.id].actors), stage)


def seats(plan: Plan, state: RunState, item: Item) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The seats of a decision with those who may take each: one for each owning role, any number for a group.

    An owner and their deputy are two people and one seat, so that no role can outvote the others. See `seated`.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    for role in item.owners:
        able = _acting_for(plan, state, item, role)
        found += [(role, able)] * (len(able) if plan.is_group(role) else 1)
    return tuple(found)


def seated(able: tuple[tuple[str, tuple[str, ...]], ...], people: tuple[str, ...]) -> dict[str, str] | None:
    """Everybody on a seat of their own, as handle to role, or `None` when there is none for somebody."""
    taken: dict[int, str] = {}

    def sit(handle: str, tried: list[int]) -> bool:
        for n, (_, may) in enumerate(able):
            if handle not in may or n in tried:
                continue
            tried.append(n)
            if n not in taken or sit(taken[n], tried):
                taken[n] = handle
                return True
        return False

    if not all(sit(handle, []) for handle in people):
        return None
    return {handle: able[n][0] for n, handle in taken.items()}


def barred_by_eyes(state: RunState, item: Item) -> tuple[str, ...]:
    """Who acted on what `four_eyes` names and may not decide."""
    return tuple(handle for other in item.four_eyes for handle in state.items[other].actors)


def seats_left(plan: Plan, state: RunState, item: Item, able: tuple[tuple[str, tuple[str, ...]], ...]) -> int:
    """How many more people could still speak: each on a seat of their own, barred ones left out."""
    spoken = tuple(vote.handle for vote in state.items[item.id].votes)
    barred = barred_by_eyes(state, item)
    others = dict.fromkeys(handle for _, may in able for handle in may if handle not in spoken and handle not in barred)
    people = spoken
    for handle in others:
        if seated(able, (*people, handle)) is not None:
            people += (handle,)
    return len(people) - len(spoken)


def entitled_to_decide(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """The distinct people asked for a decision, the stored owner first: one for each owning role, all of a group where one
    voice is not enough. Whoever four eyes bars is replaced by their deputies, and left out where there are none.
    """
    stored, barred = state.items[item.id].owner, barred_by_eyes(state, item)
    asked: dict[str, None] = {}
    for role in item.owners:
        first = (stored,) if stored and role == item.owner else ()
        mine = dict.fromkeys((*first, *(holders(plan, state, role) if item.quorum > 1 or not first else ())))
        able = [handle for handle in mine if handle not in barred]
        able = able or [handle for handle in with_deputies(plan, state, role) if handle not in barred][:1]
        asked.update(dict.fromkeys(able if item.quorum > 1 else able[:1]))
    return tuple(asked)


def acting(plan: Plan, state: RunState, item: Item) -> tuple[str, Side]:
    """Who has an open item now, and on which side that time counts."""
    current = state.items[item.id]
    stage = stage_owner(plan, state, item.stage)
    if current.status is ItemStatus.IN_REVIEW:
        reviewer = reviewer_of(plan, state, item)
        named = item.review is not None and reviewer in with_deputies(plan, state, item.review)
        return reviewer, plan.roles[item.review].side if item.review is not None and named else Side.PROVIDER
    if current.status is ItemStatus.ANSWERED:
        return stage, Side.PROVIDER
    if current.by_person:
        return item_owner(plan, state, item), Side.PROVIDER
    owner = item_owner(plan, state, item)
    if item.kind is ItemKind.APPROVAL and current.status is not ItemStatus.NOT_READY:
        voted = [vote.handle for vote in current.votes]
        waiting = [handle for handle in entitled_to_decide(plan, state, item) if handle not in voted]
        if not waiting:  # nobody who was asked may still speak: whoever has the stage brings somebody who may
            return stage, Side.PROVIDER
        if waiting[0] != owner:
            sides = who_is(plan, state, waiting[0]).sides
            return waiting[0], sides[0] if sides else item.side
    return owner, item.side


def _owners(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    return _acting_for(plan, state, item, item.owner) or (item_owner(plan, state, item),)


def _acting_for(plan: Plan, state: RunState, item: Item, role: str) -> tuple[str, ...]:
    """Who may act for one of an item's roles, the owner first. Whoever it was taken from may not, unless they are its deputy."""
    able, current = with_deputies(plan, state, role), state.items[item.id]
    if role != item.owner or not current.owner:
        return able
    if current.given and not plan.is_group(role):
        able = able[len(holders(plan, state, role)) :]
    return tuple(dict.fromkeys((current.owner, *able)))
