"""From a definition and a start input to a start order, with every fault at once."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from console import ground, json_text
from console.leaving import Misused

if TYPE_CHECKING:
    from onboarding.engine.calendars import Zone
    from onboarding.engine.roster import Person
    from onboarding.engine.state import StartOrder
    from onboarding.language.model import Field, Scale

YEARS_BEFORE, YEARS_AFTER = 1, 6
"""The zone data and holidays that an order holds, around its start: dates further away are none of an onboarding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An order that can be started, and the people it leaves outside."""

    order: StartOrder
    people: tuple[Person, ...]
    at: datetime


def prepare(
    definition: str,
    *,
    customer: str,
    input_file: str | None = None,
    given: Mapping[str, Any] | None = None,
    settings: Iterable[str] = (),
    at: datetime | None = None,
    actor: str | None = None,
    scale: Scale | None = None,
) -> Prepared:
    """The order of one run. Raises `DefinitionInvalid` or `StartRefused` with every fault; nothing is sent."""
    from onboarding.engine.orders import build_order
    from runtime import library

    at = (at or datetime.now(UTC)).replace(microsecond=0)
    compiled = library.load(
        definition, folder=ground.settings().definitions, installation=ground.installation(), scale=scale
    )
    inputs = dict(given or {}) | ({} if input_file is None else library.read_mapping(input_file))
    inputs |= typed(settings, compiled.inputs)
    order, people = build_order(
        compiled,
        customer=customer,
        inputs=inputs,
        zones=partial(zone_around, year=at.year),
        holidays=partial(holidays_around, year=at.year),
        groups=ground.groups(),
        started_by=actor or who_types(),
        rules_version=ground.settings().rules_version,
    )
    return Prepared(order=order, people=people, at=at)


def zone_around(name: str, year: int) -> Zone:
    """A zone with the years that an onboarding around `year` needs; `UnknownZone` for none."""
    from runtime.zones import zone

    return zone(name, year - YEARS_BEFORE, year + YEARS_AFTER)


def holidays_around(country: str, subdivision: str | None, year: int) -> tuple[date, ...]:
    """The public holidays of these years; `UnknownRegion` for a country or subdivision that nobody knows."""
    from runtime.holidays_data import public_holidays

    return public_holidays(country, subdivision, year - YEARS_BEFORE, year + YEARS_AFTER)


def typed(settings: Iterable[str], fields: Iterable[Field]) -> dict[str, Any]:
    """`--set k=v` with each value read as the type that the definition declares; what does not fit is left to its check."""
    from onboarding.language.model import FieldType

    types = {field.name: field.type for field in fields}
    found: dict[str, Any] = {}
    for one in settings:
        name, sign, text = one.partition("=")
        if not sign or not name:
            raise Misused(f"--set takes NAME=VALUE, found {one[:60]!r}.")
        if name in found:
            raise Misused(f"--set names {name[:60]!r} twice: keep one of them.")
        match types.get(name):
            case FieldType.BOOL:
                found[name] = {"true": True, "false": False}.get(text.strip().lower(), text)
            case FieldType.INT:
                found[name] = int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text) else text
            case FieldType.NUMBER:
                found[name] = float(text) if re.fullmatch(r"[-+]?[0-9]{1,18}(\.[0-9]{1,18})?", text) else text
            case FieldType.LIST | FieldType.CONTACTS:
                found[name] = _json_or_text(name, text)
            case _:
                found[name] = text
    return found


def _json_or_text(name: str, text: str) -> Any:
    try:
        return json_text.read(text)
    except json_text.KeyTwice as twice:
        raise Misused(f"--set {name} has the key {twice.place[:200]!r} twice: keep one of them.") from None
    except (ValueError, RecursionError):
        return text


def who_types() -> str:
    """Whoever is logged in, as a handle; `unverified` where the system does not say."""
    from onboarding.engine.roster import handle_of

    try:
        return handle_of(getpass.getuser()) or "unverified"
    except (OSError, KeyError):
        return "unverified"


def instant(text: str | None, option: str) -> datetime | None:
    """An instant of the command line; it carries an offset."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year <= 2150:
        raise Misused(f"{option} takes an instant with an offset, such as 2026-11-21T10:00:00Z.")
    return found.astimezone(UTC)
