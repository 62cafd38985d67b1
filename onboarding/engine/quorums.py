"""Whether the people of one start can ever decide what the definition asks them to: judged before the run exists."""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from onboarding.engine.seating import most_seated
from onboarding.language.expressions import declarations_of, evaluate, only_inputs
from onboarding.language.model import Definition, FieldType, Item, ItemKind, Role, RoleSource
from onboarding.messages import MessageFault

_DOERS = 1_000
"""So many ways of sharing out work that four eyes looks at are tried; a group of hundreds is large enough in the first ones."""

People = Mapping[str, tuple[str, ...]]


def unmet(definition: Definition, people: People, inputs: Mapping[str, Any]) -> Iterator[MessageFault]:
    """One fault for each approval whose quorum these people cannot reach, at the place that says who they are."""
    roles = {role.id: role for role in definition.roles}
    for item in definition.items:
        if item.kind is not ItemKind.APPROVAL or not _needed(definition, item, inputs):
            continue
        able = tuple(_seats(roles, people, item))
        most = max(most_seated(able, barred) for barred in _barred(definition, roles, people, item))
        if most < item.quorum:
            why = " who did not do what four_eyes names" if item.four_eyes else ""
            sentence = (
                f"{item.id!r} needs {item.quorum} different people{why}, and of those named here {most} may decide: "
                f"{_who(people, item)}. Name somebody else, or lower the quorum in the definition."
            )
            yield MessageFault(place=_place(definition, roles, item), code="quorum_unmet", sentence=sentence)


def _needed(definition: Definition, item: Item, inputs: Mapping[str, Any]) -> bool:
    """Whether an approval may come at all: what the inputs alone leave out needs nobody."""
    stage = next(stage for stage in definition.stages if stage.id == item.stage)
    conditions = [when for when in (item.when, stage.when) if when is not None and only_inputs(when)]
    declared = declarations_of(definition)
    return all(evaluate(declared, when, {"input": dict(inputs)})[0] for when in conditions)


def _seats(roles: Mapping[str, Role], people: People, item: Item) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in item.owners:
        chain: dict[str, None] = {}
        at: str | None = name
        while at is not None and at not in chain:
            chain[at] = None
            at = roles[at].deputy
        able = tuple(dict.fromkeys(one for each in chain for one in _held(roles, people, each)))
        many = len(able) if roles[name].source is RoleSource.GROUP else 1
        yield from [(name, able)] * many


def _held(roles: Mapping[str, Role], people: People, role: str) -> tuple[str, ...]:
    held = people.get(role, ())
    return held if roles[role].source is RoleSource.GROUP else held[:1]


def _barred(definition: Definition, roles: Mapping[str, Role], people: People, item: Item) -> Iterator[tuple[str, ...]]:
    """Who may not decide, for each way in which the work that four eyes looks at may be done: each owner does their own."""
    doers = dict.fromkeys(
        other.owner for other in definition.items if other.id in item.four_eyes and other.kind is not ItemKind.HOOK
    )
    yield from islice(product(*(_held(roles, people, role) or ("",) for role in doers)), _DOERS)


def _who(people: People, item: Item) -> str:
    return ", ".join(f"{role} is {' and '.join(people.get(role, ())[:5]) or 'nobody'}" for role in item.owners)


def _place(definition: Definition, roles: Mapping[str, Role], item: Item) -> str:
    """What the starter can change: the input or group that names an owner, else the role itself."""
    contacts = next((rule.name for rule in definition.inputs if rule.type is FieldType.CONTACTS), "contacts")
    for name in reversed(item.owners):
        role = roles[name]
        match role.source:
            case RoleSource.FROM:
                return f"/{role.ref.removeprefix('input.')}"
            case RoleSource.CONTACT:
                return f"/{contacts}"
            case RoleSource.GROUP:
                return f"/groups/{role.ref}"
            case RoleSource.VALUE:
                continue
    return f"/roles/{item.owners[-1]}"
