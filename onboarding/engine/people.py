"""Who is who: handles, roles, deputies, and who may say what."""

from dataclasses import dataclass

from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunState
from onboarding.language.model import Item, Side
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
    known: bool

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


def item_owner(plan: Plan, state: RunState, item: Item) -> str:
    """Who owns an item: the stored owner once it opened, before that the holder of its role."""
    return state.items[item.id].owner or holder(plan, state, item.owner)


def stage_owner(plan: Plan, state: RunState, stage: str) -> str:
    """Who owns a stage."""
    return state.stages[stage].owner or holder(plan, state, plan.stages[stage].owner)


def who_is(plan: Plan, state: RunState, actor: str) -> Person:
    """Reads an actor: a handle first, else a role id, which stands for whoever holds it now."""
    roles = _roles_of(plan, state, actor)
    handle = actor
    if not roles and actor in plan.roles:
        handle = holder(plan, state, actor)
        roles = _roles_of(plan, state, handle)
    contact = handle in plan.order.customer_contacts
    sides = dict.fromkeys(plan.roles[role].side for role in roles)
    if contact:
        sides[Side.CUSTOMER] = None
    owned = [plan.items[item.id] for item in state.items.values() if item.owner == handle]
    sides.update(dict.fromkeys(plan.roles[item.owner].side for item in owned))
    sides.update({Side.PROVIDER: None for stage in state.stages.values() if stage.owner == handle})
    return Person(
        handle=handle,
        named_as=actor,
        roles=roles,
        sides=tuple(sides),
        contact=contact,
        known=bool(sides) or handle.startswith(INTEGRATION),
    )


def _roles_of(plan: Plan, state: RunState, handle: str) -> tuple[str, ...]:
    return tuple(role for role in plan.roles if handle in holders(plan, state, role))


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


def decider_role(plan: Plan, state: RunState, item: Item, person: Person) -> str | None:
    """The role through which a person may decide an approval or a review, or `None`."""
    if item.review is not None:
        return item.review if person.handle in with_deputies(plan, state, item.review) else None
    if person.handle == state.items[item.id].owner:
        return item.owner
    voted = [vote.role for vote in state.items[item.id].votes]
    able = [role for role in item.owners if person.handle in with_deputies(plan, state, role)]
    return next((role for role in able if role not in voted), able[0] if able else None)


def entitled_to_decide(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    """The distinct people asked for a decision: one for each owning role, the stored owner first."""
    stored = state.items[item.id].owner
    asked = dict.fromkeys([stored] if stored else [])
    for role in item.owners:
        if role != item.owner or not stored:
            asked.update(dict.fromkeys(holders(plan, state, role)))
    return tuple(asked)


def acting(plan: Plan, state: RunState, item: Item) -> tuple[str, Side]:
    """Who has an open item now, and on which side that time counts."""
    current = state.items[item.id]
    stage = stage_owner(plan, state, item.stage)
    if current.status is ItemStatus.IN_REVIEW and item.review is not None:
        return holder(plan, state, item.review), plan.roles[item.review].side
    if current.status is ItemStatus.ANSWERED:
        return stage, Side.PROVIDER
    if current.by_person:
        return item_owner(plan, state, item), Side.PROVIDER
    voted = [vote.handle for vote in current.votes]
    if voted:
        waiting = [handle for handle in entitled_to_decide(plan, state, item) if handle not in voted]
        if waiting:
            sides = who_is(plan, state, waiting[0]).sides
            return waiting[0], sides[0] if sides else item.side
    return item_owner(plan, state, item), item.side


def _owners(plan: Plan, state: RunState, item: Item) -> tuple[str, ...]:
    return (item_owner(plan, state, item), *with_deputies(plan, state, item.owner))
