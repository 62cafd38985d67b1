"""A start order, indexed: what stays the same for the life of a run, ready to be asked.

Made once for each run in memory and never stored; everything in it follows from the order, but for what `forecast.py` remembers: that
follows from what it is remembered by.
"""

from collections.abc import Mapping
from datetime import datetime

from onboarding.engine.calendars import Calendar, Clock, ever_works
from onboarding.engine.known import Known
from onboarding.engine.state import StartOrder
from onboarding.language.expressions import declarations_of, only_inputs
from onboarding.language.model import FieldType, Item, ItemKind, Role, RoleSource, Side, SignalRule, Stage


def personal(handle: str) -> str:
    """Under which name somebody's own calendar is kept; no definition can call one of its calendars that."""
    return f"person:{handle}"


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
        self.stage_place: dict[str, int] = {stage: n for n, stage in enumerate(self.stages)}
        self.groups: dict[str, bool] = {role.id: role.source is RoleSource.GROUP for role in definition.roles}
        self._shared: dict[tuple[Calendar, Calendar], Clock] = {}
        self.listeners: dict[str, tuple[str, ...]] = {}
        """For each type of event the webhooks that want it; empty where the definition has no `emit`."""
        for rule in definition.emits:
            for event in rule.events:
                self.listeners[event] = (*self.listeners.get(event, ()), rule.webhook)
        self.contacts = self._contacts()
        self.dependents = self._dependents()
        self.stage_followers = self._stage_followers()
        self.ways: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        """What `forecast.py` has found: the way from a stage to going live, by the stages that are left out."""
        self.lengths: dict[str, int] = {}
        """What is planned for an item and for what comes after it in its stage, about; also found by `forecast.py`."""
        self.ends: dict[tuple[tuple[str, ...], datetime, tuple[str, ...], int], datetime] = {}
        """When stages one after the other end: from an instant on, held by whom, with so many calendars replaced."""
        self.sources = self._sources()
        self.known = Known()
        self.instants: dict[str, datetime | None] = {}
        """Inputs as instants, see `figures.input_instant`."""
        self.of_customer = tuple(item for item in definition.items if item.side is Side.CUSTOMER)
        self.asked_customers: dict[str, tuple[str, ...]] = {
            role.id: tuple(item.id for item in definition.items if role.id in item.owners)
            for role in definition.roles
            if role.side is Side.CUSTOMER
        }
        """For each role of the customer, in the order of the file, the items that it owns."""
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

    def _stage_followers(self) -> dict[str, tuple[str, ...]]:
        """The stages that need each stage, or something in it."""
        found: dict[str, dict[str, None]] = {stage: {} for stage in self.stages}
        for stage in self.stages.values():
            for need in stage.needs:
                found[need if need in self.stages else self.items[need].stage][stage.id] = None
        return {stage: tuple(name for name in names if name != stage) for stage, names in found.items()}

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

        `now` are the calendars that were replaced since the start (`RunState.calendars`). A person's own calendar counts on the
        clock `owner`, that of a contact also on `customer` and `both`.

        Two who share no working hour count on the provider's calendar: a start is refused for it, but a reassignment may bring
        such a pair together, and a deadline somewhere is better than a run that cannot go on.
        """
        match name:
            case "calendar":
                return ()
            case "customer":
                return (self._customer(now, handle),)
            case "both":
                return self._both(self.calendar(now, "provider"), self._customer(now, handle))
            case "owner":
                own = self.own_calendar(now, handle)
                if own is not None:
                    return (own,)
                return (self.calendar(now, side),) if side in (Side.CUSTOMER, Side.PROVIDER) else ()
            case _:
                return (self.calendar(now, name),)

    def calendar(self, now: Mapping[str, Calendar], name: str) -> Calendar:
        """The calendar called `name` as it is now."""
        return now[name] if name in now else self.order.calendars[name]

    def own_calendar(self, now: Mapping[str, Calendar], handle: str) -> Calendar | None:
        """The calendar of a person where it is not that of their side."""
        if personal(handle) in now:
            return now[personal(handle)]
        named = self.order.calendar_of.get(handle)
        return None if named is None else self.calendar(now, named)

    def _customer(self, now: Mapping[str, Calendar], handle: str) -> Calendar:
        own = self.own_calendar(now, handle) if handle in self.order.customer_contacts else None
        return own or self.calendar(now, "customer")

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
