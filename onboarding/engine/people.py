"""Who is who: handles, roles, deputies, and who may say what."""

from dataclasses import dataclass
from datetime import datetime

from onboarding.engine.copies import quick, replace
from onboarding.engine.known import once_for_items
from onboarding.engine.plan import Plan
from onboarding.engine.presence import (
    acted_for as acted_for,
    deputy_of as deputy_of,
    holder as holder,
    holders as holders,
    is_away,
    item_owner as item_owner,
    item_principal,
    members,
    roles_of,
    stage_owner as stage_owner,
    stand_in,
    with_deputies as with_deputies,
)
from onboarding.engine.seating import able_for, counted, entitled_to_decide as entitled_to_decide, seats, voice_of
from onboarding.engine.state import ItemState, ItemStatus, RunState, StageStatus
from onboarding.language.model import Item, ItemKind, Side
from onboarding.messages import UNVERIFIED

INTEGRATION = "integration:"


@quick
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


def main_contact(plan: Plan, state: RunState) -> str | None:
    """Who hears for the customer: the holder of the first customer role of the file that owns something of this run."""
    for role, items in plan.asked_customers.items():
        if any(not _left_out(state, name) for name in items):
            return holder(plan, state, role)
    return None


def _left_out(state: RunState, item: str) -> bool:
    current = state.items[item]
    return current.status is ItemStatus.SKIPPED and current.opened_at is None


def open_stage(state: RunState) -> str | None:
    """The first stage that is open: whose owner answers for the run as a whole."""
    return next((name for name, stage in state.stages.items() if stage.status is StageStatus.OPEN), None)


def who_is(plan: Plan, state: RunState, actor: str) -> Person:
    """Reads an actor: a handle first, else a role or contact role, which stands for whoever holds it now."""
    roles = roles_of(plan, state, actor)
    handle = actor
    if not roles and actor not in plan.order.customer_contacts:
        handle = holder(plan, state, actor) if actor in plan.roles else plan.contacts.get(actor, actor)
        roles = roles_of(plan, state, handle)
    contact = handle in plan.order.customer_contacts
    sides = dict.fromkeys(plan.roles[role].side for role in roles)
    if contact:
        sides[Side.CUSTOMER] = None
    if not contact:  # whatever a contact was given to do, they steer nothing
        for item in state.items.values():
            if item.owner and (
                handle == item.owner or (state.absences and handle == item_owner(plan, state, plan.items[item.id]))
            ):
                sides[plan.roles[plan.items[item.id].owner].side] = None
        for stage in state.stages.values():
            if stage.owner and handle in (stage.owner, stage_owner(plan, state, stage.id)):
                sides[Side.PROVIDER] = None
    return Person(handle=handle, named_as=actor, roles=roles, sides=tuple(sides), contact=contact)


def known_people(plan: Plan, state: RunState) -> tuple[str, ...]:
    """Every handle that this run has ever heard of: who held or holds a role, owns something, or is a contact."""
    held = [handle for each in (*plan.order.people.values(), *state.holders.values()) for handle in each]
    owned = [item.owner for item in state.items.values()] + [stage.owner for stage in state.stages.values()]
    lent = [one.to for one in state.absences if one.to is not None]
    return tuple(dict.fromkeys(one for one in (*held, *owned, *plan.order.customer_contacts, *lent) if one))


def side_of(plan: Plan, state: RunState, handle: str) -> Side:
    """On which side somebody reads; a colleague without a part in the run is one of ours."""
    if handle in plan.order.customer_contacts:
        return Side.CUSTOMER
    sides = tuple(plan.roles[role].side for role in roles_of(plan, state, handle))
    sides = sides or who_is(plan, state, handle).sides or (Side.PROVIDER,)
    return Side.CUSTOMER if Side.CUSTOMER in sides else sides[0]


def has_since(state: ItemState) -> datetime | None:
    """Since when whoever has an item now has had it: an answer hands it over."""
    with_us = state.status in (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW)
    return state.answered_at or state.opened_at if with_us else state.opened_at


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
    asked = () if state.items[item.id].assign_at is not None else (reviewer_of(plan, state, item),)
    return person.handle in (*_reviewers(plan, state, item), *asked)


def _reviewers(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """Where no role is named, the stage owner's: a check that broke is theirs to judge."""
    actors = state.items[item.id].actors
    if item.review is not None:
        return with_deputies(plan, state, item.review, actors)
    deputies = with_deputies(plan, state, plan.stages[item.stage].owner, actors)
    return (stage_owner(plan, state, item.stage), *deputies)


def reviewer_of(plan: Plan, state: RunState, item: Item) -> str:
    """Who is asked to review an answer: the member of a group whose turn it is, else the first who did not give it; in the end
    the owner of the stage, to find somebody.
    """
    current, stage = state.items[item.id], stage_owner(plan, state, item.stage)
    first = () if not current.reviewer else (_standing_reviewer(plan, state, item), current.reviewer)
    deputies = with_deputies(plan, state, plan.stages[item.stage].owner, current.actors)
    able = [one for one in (*first, *_reviewers(plan, state, item), stage, *deputies) if one not in current.actors]
    return next((one for one in able if not is_away(state, one)), able[0] if able else stage)


def _standing_reviewer(plan: Plan, state: RunState, item: Item) -> str:
    role, reviewer = item.review or plan.stages[item.stage].owner, state.items[item.id].reviewer
    lent = reviewer not in members(plan, state, role)
    return stand_in(plan, state, reviewer, plan.stages[item.stage].owner if lent else role)


@once_for_items
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
    if item.kind is ItemKind.APPROVAL and current.status is not ItemStatus.NOT_READY and current.assign_at is None:
        waiting = still_to_decide(plan, state, item)
        if not waiting:  # nobody who was asked may still speak: whoever has the stage brings somebody who may
            return stage, Side.PROVIDER
        if waiting[0] != owner:
            sides = who_is(plan, state, waiting[0]).sides
            return waiting[0], sides[0] if sides else item.side
    return owner, item.side


@once_for_items
def still_to_decide(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """Who is asked for a decision and has not spoken; empty where four eyes bars everybody, or all who are there have."""
    voted = [vote.handle for vote in counted(seats(plan, state, item), state, item)]
    return tuple(one for one in entitled_to_decide(plan, state, item) if one not in voted)


@once_for_items
def asked_of(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """Everybody who is asked to do something about an open item now."""
    current = state.items[item.id]
    if current.status is ItemStatus.ANSWERED:
        return ()
    if current.status is ItemStatus.IN_REVIEW:
        if current.assign_at is None or item.review is None:
            return (reviewer_of(plan, state, item),)
        able = [one for one in _members_there(plan, state, item.review) if one not in current.actors]
        return tuple(able) or (reviewer_of(plan, state, item),)
    if item.kind is ItemKind.APPROVAL:
        # Where nobody who may is left, the owner of the stage must find somebody.
        return still_to_decide(plan, state, item) or (stage_owner(plan, state, item.stage),)
    if item.kind in (ItemKind.EVENT, ItemKind.HOOK) and not current.by_person:
        return ()
    if current.assign_at is not None:
        return _members_there(plan, state, item.owner) or (item_owner(plan, state, item),)
    return (item_owner(plan, state, item),)


def _members_there(plan: Plan, state: RunState, role: str) -> tuple[str, ...]:
    return tuple(one for one in members(plan, state, role) if not is_away(state, one))


def stands_for(plan: Plan, state: RunState, item: Item) -> str | None:
    """The absent person for whom somebody else has an open item now, or `None`."""
    if not state.absences:
        return None
    at_home, now = acting(plan, replace(state, absences=()), item)[0], acting(plan, state, item)[0]
    if at_home == now or not is_away(state, at_home):
        return None
    if item.kind is ItemKind.APPROVAL and not _takes_seat_of(plan, state, item, at_home, now):
        return None  # somebody who is away is passed over, and whoever is next has a seat of their own
    return at_home


def _takes_seat_of(plan: Plan, state: RunState, item: Item, absent: str, handle: str) -> bool:
    seats_of = [role for role in item.owners if handle in able_for(plan, state, item, role)]
    return any(voice_of(plan, state, item, role, handle) == absent for role in seats_of)


def speaks_for(plan: Plan, state: RunState, item: Item, handle: str) -> str | None:
    """The absent person in whose place somebody answers or finishes an item, or `None`. Decisions: `seating.voice_of`."""
    return acted_for(plan, state, item.owner, (item_principal(plan, state, item),), handle)


def reviews_for(plan: Plan, state: RunState, item: Item, handle: str) -> str | None:
    """The absent person in whose place somebody reviews an answer, or `None`."""
    current, role = state.items[item.id], item.review or plan.stages[item.stage].owner
    held = (current.reviewer,) if current.reviewer else members(plan, state, role)
    return acted_for(plan, state, role, held, handle, current.actors)


def _owners(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    return able_for(plan, state, item, item.owner) or (item_owner(plan, state, item),)
