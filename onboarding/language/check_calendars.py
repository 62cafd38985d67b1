"""Cross rules about calendars: zones and countries that exist, and working time that is there when it is counted.

Only calendars with a fixed zone can be judged here; what a start input decides is judged when a run starts.
"""

from collections.abc import Iterator

from onboarding.language.checking import Checking
from onboarding.language.installation import CalendarTables
from onboarding.language.model import CalendarRule, Region, Side
from onboarding.language.places import Path
from onboarding.language.source import Entry
from onboarding.language.units import Duration


def check_calendars(checking: Checking) -> None:
    """Every calendar works, and so does every clock that can be known before a run starts."""
    tables = checking.installation.calendars
    if tables is None:
        return
    if _unknown(checking, tables) or _idle(checking, tables):
        return  # the rest would only say the same again
    for path, clock, rules, due in _counted(checking):
        if rules and clock == "both" and not tables.works(rules):
            zones = " and ".join(rule.tz or "" for rule in rules)
            sentence = f"Both sides never work at the same time ({zones}): use `clock: customer` or `provider`, or change the hours of one of them."
            checking.faults.add("no_shared_hours", path, sentence)
        elif rules and due is not None and not tables.reaches(rules, due):
            sentence = f"{due} of this working time take more than a hundred years: shorten it, or change the hours of the calendar."
            checking.faults.add("due_too_far", path, sentence)


def _unknown(checking: Checking, tables: CalendarTables) -> bool:
    found: list[tuple[str, Path, str | None]] = []
    for name, rule in checking.source.file.calendars.items():
        path: Path = ("calendars", name)
        if rule.tz:
            found.append(("unknown_zone", (*path, "tz"), tables.zone_fault(rule.tz)))
    for compiled in checking.definition.calendars:
        for where, region in zip(_regions_of(checking, compiled.id), compiled.regions, strict=True):
            country = tables.region_fault(Region(country=region.country))
            part = tables.region_fault(region) if country is None else None
            found += [
                ("unknown_country", (*where, "country"), country),
                ("unknown_country", (*where, "subdivision"), part),
            ]
    for broken, place, sentence in found:
        if sentence is not None:
            checking.faults.add(broken, place, sentence)
    return any(sentence for _, _, sentence in found)


def _regions_of(checking: Checking, name: str) -> Iterator[Path]:
    """Where the regions of a calendar are written, in order."""
    rule = checking.source.file.calendars.get(name)
    written = rule.holidays if rule else []
    if not isinstance(written, list):
        yield ("calendars", name, "holidays")
        return
    for index, day in enumerate(written):
        if not isinstance(day, str):
            yield ("calendars", name, "holidays", index)


def _idle(checking: Checking, tables: CalendarTables) -> bool:
    idle = [rule.id for rule in checking.definition.calendars if rule.tz and not tables.works((rule,))]
    for name in idle:
        sentence = (
            f"The calendar {name!r} has no working time for two years on end: change its week, hours or holidays."
        )
        checking.faults.add("no_working_time", ("calendars", name), sentence, key=True)
    return bool(idle)


def _counted(checking: Checking) -> Iterator[tuple[Path, str, tuple[CalendarRule, ...], Duration | None]]:
    """Whatever counts business time: where that is written, on which clock, its calendars if they are known, how long."""
    sides = {role.id: role.side for role in checking.definition.roles}
    for entry, item in checking.pairs():
        if item.due is not None:
            due = item.due if item.due.is_business else None
            yield _place(checking, entry), item.clock, _fixed(checking, item.clock, sides.get(item.owner)), due
    for path, written_stage in checking.source.stages():
        stage = checking.definition.stages[int(path[1])]
        for length in (stage.target, stage.stall):
            if length is not None:
                place = (*path, "clock" if written_stage.clock else "id")
                due = length if length.is_business else None
                yield place, stage.clock, _fixed(checking, stage.clock, sides.get(stage.owner)), due


def _place(checking: Checking, entry: Entry) -> Path:
    """Where it is written how the time of an item is counted."""
    for key in ("clock", "due"):
        if getattr(entry.item, key):
            return (*entry.path, key)
    default: Path = ("defaults", entry.kind.value)
    inherited = next((key for key in ("clock", "due") if getattr(checking.source.default(entry.kind), key)), None)
    return (*default, inherited) if inherited else (*entry.path, "id")


def _fixed(checking: Checking, clock: str, side: Side | None) -> tuple[CalendarRule, ...]:
    """The calendars of a clock where all of them have a fixed zone, else none."""
    names: tuple[str, ...] = (clock,)
    if clock == "both":
        names = ("provider", "customer")
    elif clock == "owner":
        names = (side.value,) if side in (Side.PROVIDER, Side.CUSTOMER) else ()
    found = [_with_zone(checking, name) for name in names]
    rules = tuple(rule for rule in found if rule is not None)
    return rules if len(rules) == len(names) else ()


def _with_zone(checking: Checking, name: str | None) -> CalendarRule | None:
    """A calendar, or the fallback that stands for it, if its zone is known before the start."""
    rules = {rule.id: rule for rule in checking.definition.calendars}
    for _ in rules:
        rule = rules.get(name or "")
        if rule is None or rule.tz or rule.source:
            return rule if rule and rule.tz else None
        name = rule.fallback
    return None
