"""A start order, indexed: what stays the same for the life of a run, ready to be asked.

Made once for each run in memory and never stored; everything in it follows from the order.
"""

from collections.abc import Mapping

from onboarding.engine.calendars import Calendar, Clock, ever_works
from onboarding.engine.state import StartOrder
from onboarding.language.expressions import declarations_of, only_inputs
from onboarding.language.model import FieldType, Item, ItemKind, Role, RoleSource, Side, SignalRule, Stage


class Plan:
    """The indexed definition, people and calendars of one run."""

    def __init__(self, order: StartOrder) -> None:
        definition = order.definition
        self.order = order
        self.definition = definition
        self.stages: dict[str, Stage] = {stage.id: stage for stage in definition.stages}
        self.items: dict[str, Item] = {item.id: item for item in definition.items}
        self.roles: dict[str, Role] = {role.id: role for role in definition.roles}
        self.signals: dict[str, SignalRule] = {rule.event: rule for rule in definition.signals}
        self.declarations = declarations_of(definition)
        self.place: dict[str, int] = {item: n for n, item in enumerate(self.items)}
        self.groups: dict[str, bool] = {role.id: role.source is RoleSource.GROUP for role in definition.roles}
        self._shared: dict[tuple[Calendar, Calendar], Clock] = {}
        self.contacts = self._contacts()
        self.dependents = self._dependents()
        self.sources = self._sources()
        self.settled_by_inputs: tuple[str, ...] = tuple(
            name
            for name, when in [(item.id, item.when) for item in definition.items]
            + [(stage.id, stage.when) for stage in definition.stages]
            if when is not None and only_inputs(when)
        )

    def _contacts(self) -> dict[str, str]:
        """`customer:<contact role>` to handle: a contact with a handle of their own still answers to the role."""
        found: dict[str, str] = {}
        for rule in self.definition.inputs:
            given = self.order.inputs.get(rule.name) if rule.type is FieldType.CONTACTS else None
            for contact in given if isinstance(given, list) else ():
                if isinstance(contact, dict) and contact.get("handle") in self.order.customer_contacts:
                    found.setdefault(f"customer:{contact.get('role')}", contact["handle"])
        return found

    def _dependents(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {item: [] for item in self.items}
        for item in self.items.values():
            for need in item.needs:
                for one in self.stages[need].items if need in self.stages else (need,):
                    found[one].append(item.id)
        return {item: tuple(names) for item, names in found.items()}

    def _sources(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for item in self.items.values():
            for given in item.fields + item.provides:
                found.setdefault(given.name, []).append(item.id)
        return {fact: tuple(names) for fact, names in found.items()}

    def downstream(self, items: tuple[str, ...]) -> tuple[str, ...]:
        """Everything that depends on `items` through `needs`, in definition order, without the items themselves."""
        reached = dict.fromkeys(items)
        frontier = list(items)
        while frontier:
            for name in self.dependents[frontier.pop()]:
                if name not in reached:
                    reached[name] = None
                    frontier.append(name)
        return tuple(item for item in self.items if item in reached and item not in items)

    def clock(self, now: Mapping[str, Calendar], name: str, handle: str, side: Side) -> Clock:
        """The calendars that count for somebody on `side` under the clock called `name`; empty means every hour.

        `now` are the calendars that were replaced since the start (`RunState.calendars`).

        Two who share no working hour count on the provider's calendar: a start is refused for it, but a reassignment may bring
        such a pair together, and a deadline somewhere is better than a run that cannot go on.
        """
        calendars = {**self.order.calendars, **now} if now else self.order.calendars
        own = self.order.calendar_of.get(handle)
        customer = calendars[own] if own is not None else calendars["customer"]
        match name:
            case "calendar":
                return ()
            case "provider":
                return (calendars["provider"],)
            case "customer":
                return (customer,)
            case "both":
                return self._both(calendars["provider"], customer)
            case "owner" if own is not None:
                return (calendars[own],)
            case "owner" if side is Side.CUSTOMER:
                return (customer,)
            case "owner" if side is Side.PROVIDER:
                return (calendars["provider"],)
            case "owner":
                return ()
            case _:
                return (calendars[name],)

    def _both(self, ours: Calendar, theirs: Calendar) -> Clock:
        pair = (ours, theirs)
        if pair not in self._shared:
            self._shared[pair] = pair if ever_works(pair) else (ours,)
        return self._shared[pair]

    def asks_customer(self, item: Item) -> bool:
        """Whether opening this item is an ask made to the customer: alone or, in an approval, among others."""
        asked = item.owners if item.kind is ItemKind.APPROVAL else (item.owner,)
        kinds = (ItemKind.REQUEST, ItemKind.APPROVAL)
        return item.kind in kinds and any(self.roles[role].side is Side.CUSTOMER for role in asked)

    def is_group(self, role: str) -> bool:
        """Whether any member of the role's group may act for it."""
        return self.groups[role]
