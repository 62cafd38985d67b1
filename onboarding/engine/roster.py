"""Who holds each role at the start of a run: mail addresses become handles, and addresses stay outside of the run.

Note [One handle, one person]
    Rights, quorums and four eyes compare handles, so two people must never share one. Whoever is known by two different
    mail addresses counts as two; a contact is never the same as somebody of ours, unless the address says so. One person in
    two customer roles is written as two contacts with the same address and the same `handle`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onboarding.language.model import Definition, FieldType, Item, Role, RoleSource, Side, Stage
from onboarding.language.values import HANDLE
from onboarding.messages import UNVERIFIED, MessageFault, canonical_actor

CONTACT = "customer:"
_NOT_IN_A_HANDLE = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of a run and how to reach them: kept outside of the run, looked up when a notice leaves."""

    handle: str
    role: str
    email: str | None = None
    name: str | None = None
    tz: str | None = None
    language: str | None = None


def handle_of(mail: str) -> str:
    """The part before the @ as a handle; what a handle cannot hold (such as +) becomes a dash."""
    local = canonical_actor(mail.rpartition("@")[0] or mail)
    return _NOT_IN_A_HANDLE.sub("-", local).lstrip("._-")[:63]


def contact_handle(contact: Mapping[str, Any]) -> str:
    """`customer:<role>`, unless the contact names its own."""
    return str(contact.get("handle") or f"{CONTACT}{contact['role']}")


@dataclass(slots=True)
class Roster:
    """The people of one start, filled role by role. `faults` collects everything that does not fit."""

    definition: Definition
    inputs: Mapping[str, Any]
    groups: Mapping[str, Sequence[str]]
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    contacts: tuple[str, ...] = ()
    directory: dict[tuple[str, str], Person] = field(default_factory=dict)
    faults: list[MessageFault] = field(default_factory=list)
    _identities: dict[str, tuple[str | None, bool]] = field(default_factory=dict)

    def fill(self) -> None:
        """Reads contacts, roles, and the inputs that name people without giving them a role."""
        for place, contact in self.each_contact():
            self._add(place, contact_handle(contact), contact["role"], contact["email"], contact=contact)
        used = used_roles(self.definition)
        for role in self.definition.roles:
            held = self._holders(role, required=role.id in used)
            if held:
                self.people[role.id] = tuple(dict.fromkeys(held))
            if role.side is Side.CUSTOMER:
                self.contacts = tuple(dict.fromkeys((*self.contacts, *held)))
        known = {person.handle for person in self.directory.values()}
        for rule in self.definition.inputs:
            if rule.type is FieldType.EMAIL and rule.name in self.inputs:
                mail = self.inputs[rule.name]
                if handle_of(mail) not in known or self._identities[handle_of(mail)][0] != mail.lower():
                    self._add(f"/{rule.name}", handle_of(mail), "", mail)

    def each_contact(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every contact of the start input with its place."""
        for rule in self.definition.inputs:
            if rule.type is FieldType.CONTACTS:
                for index, contact in enumerate(self.inputs.get(rule.name, ())):
                    yield f"/{rule.name}/{index}", contact

    def without_addresses(self) -> dict[str, Any]:
        """The inputs as the run holds them: handles for addresses, no names of people."""
        held = dict(self.inputs)
        for rule in self.definition.inputs:
            if rule.name not in held:
                continue
            if rule.type is FieldType.EMAIL:
                held[rule.name] = handle_of(held[rule.name])
            elif rule.type is FieldType.CONTACTS:
                held[rule.name] = [_bare(contact) for contact in held[rule.name]]
        return held

    def definition_without_addresses(self) -> Definition:
        """The definition as the run holds it: a role that names a person by mail names the handle."""
        roles = tuple(
            replace(role, ref=handle_of(role.ref)) if role.source is RoleSource.VALUE and "@" in role.ref else role
            for role in self.definition.roles
        )
        return replace(self.definition, roles=roles)

    def _holders(self, role: Role, *, required: bool) -> list[str]:
        match role.source:
            case RoleSource.GROUP:
                members = self.groups.get(role.ref) or (role.ref,)
                return [self._named(f"/groups/{role.ref}", role.id, member) for member in members]
            case RoleSource.VALUE:
                return [self._named(f"/roles/{role.id}", role.id, role.ref)]
            case RoleSource.FROM:
                name = role.ref.removeprefix("input.")
                if name in self.inputs:
                    return [self._named(f"/{name}", role.id, str(self.inputs[name]))]
                if required:
                    self._fault(f"/{name}", "required", f"This field is required: it says who is {role.id!r}.")
            case RoleSource.CONTACT:
                found = [contact_handle(one) for _, one in self.each_contact() if one["role"] == role.ref]
                if found or not required:
                    return found
                sentence = f"Expected a contact with the role {role.ref!r}: the definition writes to {role.id!r}."
                self._fault(self._contacts_place(), "contact_missing", sentence)
        return []

    def _contacts_place(self) -> str:
        names = [rule.name for rule in self.definition.inputs if rule.type is FieldType.CONTACTS]
        return f"/{names[0]}" if names else "/contacts"

    def _named(self, place: str, role: str, who: str) -> str:
        mail = who if "@" in who else None
        handle = handle_of(who) if mail else canonical_actor(who)
        self._add(place, handle, role, mail)
        return handle

    def _add(
        self, place: str, handle: str, role: str, mail: str | None, *, contact: Mapping[str, Any] | None = None
    ) -> None:
        if not HANDLE.fullmatch(handle.removeprefix(CONTACT) if contact else handle) or handle == UNVERIFIED:
            self._fault(place, "not_a_handle", "Nobody can be called by this: give another address or handle.")
            return
        mine = (mail.lower() if mail else None, contact is not None)
        known = self._identities.setdefault(handle, mine)
        if known[0] != mine[0] and (known[1] or mine[1] or (known[0] and mine[0])):
            sentence = (
                f"Two different people would be called {handle!r} in this run; give one of them a handle of their own."
            )
            self._fault(place, "same_handle", sentence)
            return
        if known[0] is None:
            self._identities[handle] = mine
        if contact is not None:
            self.contacts = tuple(dict.fromkeys((*self.contacts, handle)))
        details = contact or {}
        person = Person(
            handle=handle, role=role, email=mail, name=details.get("name"), tz=details.get("tz"), language=details.get("language"),
        )  # fmt: skip
        self.directory.setdefault((handle, role), person)

    def _fault(self, place: str, code: str, sentence: str) -> None:
        fault = MessageFault(place=place, code=code, sentence=sentence)
        if fault not in self.faults:
            self.faults.append(fault)


def _bare(contact: Mapping[str, Any]) -> dict[str, Any]:
    bare = {"role": contact["role"], "handle": contact_handle(contact)}
    return {**bare, "tz": contact["tz"]} if "tz" in contact else bare


def used_roles(definition: Definition) -> tuple[str, ...]:
    """The roles that some item, stage or plan of this definition needs somebody for, with their deputies."""
    used: dict[str, None] = {}
    for stage in definition.stages:
        used.update(dict.fromkeys(_roles_of_stage(stage)))
    for item in definition.items:
        used.update(dict.fromkeys(_roles_of_item(item)))
    roles = {role.id: role for role in definition.roles}
    waiting = list(used)
    while waiting:
        role = roles.get(waiting.pop())
        deputy = role.deputy if role is not None else None
        if deputy is not None and deputy not in used:
            used[deputy] = None
            waiting.append(deputy)
    return tuple(role for role in roles if role in used)


def _roles_of_stage(stage: Stage) -> Iterator[str]:
    yield stage.owner
    if stage.gate.override is not None:
        yield from stage.gate.override.by
    for action in stage.on_enter + stage.on_exit:
        if action.notify is not None:
            yield action.notify


def _roles_of_item(item: Item) -> Iterator[str]:
    yield item.owner
    yield from item.owners
    if item.review is not None:
        yield item.review
    for step in item.ladder:
        yield from step.to
