"""The start order of a run: everything it needs for life, made from a definition and a start input, or every fault at once.

Nothing is looked up here. Zones come as explicit data through the caller, groups as lists of members, and people leave as a
directory of their own: a run holds handles, never an address or a name.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from onboarding import limits
from onboarding.engine import quorums, rules
from onboarding.engine.calendars import Calendar, Clock, Zone, ever_works, reaches
from onboarding.engine.order_text import run_name, write_order
from onboarding.engine.plan import Plan
from onboarding.engine.roster import Person, Roster, contact_handle
from onboarding.engine.state import StartOrder
from onboarding.errors import StartRefused
from onboarding.language.model import CUSTOMER, CalendarRule, Definition, Field, FieldType, Item, Stage
from onboarding.language.units import Duration
from onboarding.language.values import HANDLE, check_fields
from onboarding.messages import MessageFault, canonical_actor, canonical_json

_FALLBACK = Calendar(zone=Zone(name="UTC", transitions=((0, 0),)), week=(0, 1, 2, 3, 4), hours=((540, 1_020),))

HolidaysOf = Callable[[str, str | None], Sequence[date]]
"""From a country and perhaps a subdivision to its public holidays; raises `ValueError` for one that is not known."""


def _no_country(country: str, subdivision: str | None) -> Sequence[date]:
    raise ValueError(country, subdivision)


class Compiled(Protocol):
    """What is needed of a compiled file: its inputs, and the definition with the variants that these inputs choose."""

    @property
    def inputs(self) -> tuple[Field, ...]: ...

    def choose(self, inputs: Mapping[str, Any]) -> Definition: ...


def build_order(
    compiled: Compiled,
    *,
    customer: str,
    inputs: Mapping[str, Any],
    zones: Callable[[str], Zone],
    groups: Mapping[str, Sequence[str]],
    started_by: str,
    holidays: HolidaysOf = _no_country,
    rules_version: int = rules.NEWEST,
) -> tuple[StartOrder, tuple[Person, ...]]:
    """The order of one run and the directory of its people; `StartRefused` with every fault of key and input."""
    faults = list(_key_faults(customer))
    if not isinstance(inputs, Mapping):
        raise StartRefused(
            (*faults, _fault("", "not_an_object", "A start input is one mapping of the definition's inputs."))
        )
    values, found = check_fields(compiled.inputs, _with_customer(compiled, customer, inputs), prefix="")
    faults += found
    if values.get(CUSTOMER, customer) != customer:
        faults.append(_fault(f"/{CUSTOMER}", "other_customer", "Expected the key of the customer that is started."))
    try:
        definition = compiled.choose(values)
    except LookupError:  # inputs with faults may fit no combination of variants
        if faults:
            raise StartRefused(faults) from None
        raise
    roster = Roster(definition=definition, inputs=values, groups=groups)
    roster.fill()
    calendars = _Calendars(definition, values, zones, holidays)
    calendars.fill(roster)
    # People are looked at in spite of faulty inputs, so that one try tells everything; what follows from those is left out.
    known = {_input_of(one.place) for one in faults}
    faults += [one for one in roster.faults + calendars.faults if _input_of(one.place) not in known]
    if not faults:
        faults += calendars.idle(roster.people)
        faults += quorums.unmet(definition, roster.people, values)
    if faults:
        raise StartRefused(faults)
    order = StartOrder(
        run=run_name(customer, definition.id),
        customer=customer,
        definition=roster.definition_without_addresses(),
        inputs=roster.without_addresses(),
        people=roster.people,
        customer_contacts=roster.contacts,
        calendars=calendars.made,
        calendar_of=calendars.of,
        input_digest=_digest(definition, values),
        started_by=canonical_actor(started_by),
        rules_version=rules_version,
    )
    faults += _too_far(order)
    if faults:
        raise StartRefused(faults)
    size = len(write_order(order).encode())
    if size > limits.ORDER_BYTES:
        sentence = (
            f"The start order has {size} bytes, {limits.ORDER_BYTES} are allowed; shorten the definition or the input."
        )
        raise StartRefused((_fault("", "order_too_large", sentence),))
    return order, tuple(roster.directory.values())


def _too_far(order: StartOrder) -> list[MessageFault]:
    """Durations for which the working time of whoever must act does not suffice."""
    plan = Plan(order)
    counted: list[tuple[Item | Stage, Duration | None]] = [(one, one.due) for one in plan.items.values()]
    counted += [(one, length) for one in plan.stages.values() for length in (one.target, one.stall)]
    found = []
    for what, length in counted:
        owner = order.people.get(what.owner, ("",))[0]
        clock = plan.clock({}, what.clock, owner, plan.roles[what.owner].side)
        if length is not None and length.is_business and not reaches(clock, length):
            sentence = f"{length} for {what.id!r} take more than a hundred years of working time: shorten it in the definition, or give its calendar more hours."
            found.append(_fault("", "due_too_far", sentence))
    return found


def _key_faults(customer: Any) -> tuple[MessageFault, ...]:
    if isinstance(customer, str) and HANDLE.fullmatch(customer):
        return ()
    sentence = (
        "A customer's key is opaque: 1 to 63 lower-case letters, digits, dots, dashes and _, such as c-1042; no name."
    )
    return (_fault("/customer", "not_a_key", sentence),)


def _input_of(place: str) -> str:
    return place.split("/")[1] if place else ""


def _with_customer(compiled: Compiled, customer: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    declared = any(rule.name == CUSTOMER for rule in compiled.inputs)
    if declared and inputs.get(CUSTOMER) is None:
        return {**inputs, CUSTOMER: customer}
    return inputs


def _digest(definition: Definition, values: Mapping[str, Any]) -> str:
    """Tells a repeated start from another one: which plan, and the values as checked, so that spelling does not count."""
    return hashlib.sha256(canonical_json([definition.hash, dict(values)]).encode()).hexdigest()


class _Calendars:
    """The calendars of one run with their zones written out; `of` says whose calendar is not that of their side."""

    def __init__(
        self, definition: Definition, inputs: Mapping[str, Any], zones: Callable[[str], Zone], holidays: HolidaysOf
    ) -> None:
        self.definition = definition
        self.places: dict[str, str] = {}
        """Where the zone of a calendar was given, for those that an input gives."""
        self.rules = {rule.id: rule for rule in definition.calendars}
        self.inputs = inputs
        self.types = {rule.name: rule.type for rule in definition.inputs}
        self.zones = zones
        self.holidays = holidays
        self.made: dict[str, Calendar] = {}
        self.of: dict[str, str] = {}
        self.faults: list[MessageFault] = []

    def fill(self, roster: Roster) -> None:
        for rule in self.rules.values():
            self.made[rule.id] = self.calendar(rule)
        self.made.setdefault("provider", _FALLBACK)
        self.made.setdefault("customer", self.made["provider"])
        customer = self.rules.get("customer")
        if customer is not None and self.follows_contacts(customer):
            self.each_their_own(roster, customer)

    def each_their_own(self, roster: Roster, rule: CalendarRule) -> None:
        """One calendar for each contact with a zone; whoever names none has the fallback."""
        for place, contact in roster.each_contact():
            handle = contact_handle(contact)
            if contact.get("tz") is None:
                self.of.setdefault(handle, rule.fallback or "provider")
                continue
            made = self.in_zone(rule, contact["tz"], f"{place}/tz")
            self.made[f"customer:{handle}"] = made
            self.of[handle] = f"customer:{handle}"
            self.places[f"customer:{handle}"] = f"{place}/tz"

    def idle(self, people: Mapping[str, Sequence[str]]) -> list[MessageFault]:
        """What counts time on a clock that has none: found here, it would stop a run in the middle."""
        found = [
            _fault(f"/calendars/{name}", "no_working_time", "This calendar never works: change its week, hours or holidays in the definition.")
            for name, calendar in self.made.items()
            if not ever_works((calendar,))
        ]  # fmt: skip
        counted = [(one.id, one.clock, one.owner) for one in self.definition.items if one.due is not None]
        counted += [(one.id, one.clock, one.owner) for one in self.definition.stages if one.target or one.stall]
        for name, clock, owner in counted if not found else ():
            for handle in people.get(owner, ()) if clock == "both" else ():
                whose = self.of.get(handle, "customer")
                theirs = self.made[whose]
                both: Clock = (self.made["provider"], theirs)
                if not ever_works(both):
                    sentence = (
                        f"{name!r} counts the hours in which both sides work, and {both[0].zone.name} and {theirs.zone.name} share"
                        " none: give it `clock: customer` or `provider` in the definition, or one of them other hours."
                    )
                    found.append(_fault(self.places.get(whose, ""), "no_shared_hours", sentence))
        return list(dict.fromkeys(found))

    def calendar(self, rule: CalendarRule, seen: tuple[str, ...] = ()) -> Calendar:
        if rule.tz is not None:
            return self.in_zone(rule, rule.tz, f"/calendars/{rule.id}/tz")
        zone = self.zone_from_inputs(rule)
        if zone is not None:
            self.places.setdefault(rule.id, zone[1])
            return self.in_zone(rule, *zone)
        fallback = self.rules.get(rule.fallback or "provider")
        if fallback is None or fallback.id in (*seen, rule.id):
            return _FALLBACK
        return self.calendar(fallback, (*seen, rule.id))

    def zone_from_inputs(self, rule: CalendarRule) -> tuple[str, str] | None:
        """The zone an input names, and the place of that input: the first contact that has one, or a text."""
        name, _, rest = (rule.source or "").removeprefix("input.").partition(".")
        if name not in self.inputs:
            return None
        if not rest:
            return str(self.inputs[name]), f"/{name}"
        for index, contact in enumerate(self.inputs[name]):
            if contact.get(rest) is not None:
                return contact[rest], f"/{name}/{index}/{rest}"
        return None

    def follows_contacts(self, rule: CalendarRule) -> bool:
        name = (rule.source or "").removeprefix("input.").partition(".")[0]
        return self.types.get(name) is FieldType.CONTACTS

    def in_zone(self, rule: CalendarRule, tz: str, place: str) -> Calendar:
        try:
            zone = self.zones(tz)
        except ValueError:
            fault = _fault(place, "unknown_zone", "Expected an IANA time zone such as Europe/Berlin.")
            if fault not in self.faults:
                self.faults.append(fault)
            zone = _FALLBACK.zone
        return Calendar(zone=zone, week=rule.week, hours=rule.hours, holidays=self.days_off(rule))

    def days_off(self, rule: CalendarRule) -> tuple[date, ...]:
        days = [date.fromisoformat(day) for day in rule.holidays]
        for region in rule.regions:
            try:
                days += self.holidays(region.country, region.subdivision)
            except ValueError:
                fault = _fault(
                    f"/calendars/{rule.id}/holidays",
                    "unknown_country",
                    "Expected a country, and perhaps a subdivision, with known holidays, such as DE and BE.",
                )
                if fault not in self.faults:
                    self.faults.append(fault)
        return tuple(sorted(dict.fromkeys(days)))


def _fault(place: str, code: str, sentence: str) -> MessageFault:
    return MessageFault(place=place, code=code, sentence=sentence)
