"""Cross rules about names: declared once, and declared at all."""

from onboarding.language.checking import Checking
from onboarding.language.grammar import Common, HookCommon, ItemModel, RequestCommon, RequestModel, StepModel
from onboarding.language.lowering import NONE
from onboarding.language.model import FieldType, ItemKind
from onboarding.language.places import Path

CLOCKS = ("provider", "customer", "both", "owner", "calendar")
_PERSON = (FieldType.EMAIL, FieldType.STRING)
_ZONE = (FieldType.STRING,)


def check_names(checking: Checking) -> None:
    """Everything named anywhere exists, and every id is used once."""
    _duplicates(checking)
    _roles(checking)
    _calendars(checking)
    _defaults(checking)
    _stages(checking)
    _items(checking)


def _duplicates(checking: Checking) -> None:
    """Stages and items share their names, because override and extend name both."""
    ids: list[tuple[str, Path]] = []
    for path, stage in checking.source.stages():
        ids.append((stage.id, (*path, "id")))
    ids += [(entry.item.id, (*entry.path, "id")) for entry in checking.entries]
    _once(checking, "duplicate_id", "The id", ids)
    milestones = [
        (stage.milestone, (*path, "milestone")) for path, stage in checking.source.stages() if stage.milestone
    ]
    _once(checking, "duplicate_milestone", "The milestone", milestones)
    variants = [(variant.id, ("variants", index, "id")) for index, variant in enumerate(checking.source.file.variants)]
    _once(checking, "duplicate_id", "The id", [(name, path) for name, path in variants])


def _once(checking: Checking, rule: str, what: str, names: list[tuple[str, Path]]) -> None:
    document = checking.source.document
    seen: dict[str, int] = {}
    for name, path in sorted(names, key=lambda each: (document.place(each[1]).line, document.place(each[1]).column)):
        if name in seen:
            checking.faults.add(
                rule, path, f"{what} {name!r} is used already in line {seen[name]}: choose another one."
            )
        else:
            seen[name] = document.place(path).line


def _roles(checking: Checking) -> None:
    roles = checking.source.file.roles
    for name, role in roles.items():
        path: Path = ("roles", name)
        given = [
            key for key in ("from", "value", "contact", "group") if getattr(role, "from_" if key == "from" else key)
        ]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            sentence = f"The role {name!r} has exactly one of from, value, contact, group, found {found}."
            checking.faults.add("role_source", path, sentence, name=name if not given else None, key=True)
        if role.assign_after and not role.group:
            sentence = f"{name!r} is held by one person, who has everything at once: remove `assign_after`, or give the role a group."
            checking.faults.add("assign_without_group", (*path, "assign_after"), sentence, key=True)
        if role.from_:
            refer_input(checking, (*path, "from"), role.from_, _PERSON)
        if role.deputy and checking.refer("unknown_role", (*path, "deputy"), role.deputy, roles, "role"):
            _deputy(checking, name)
        if role.contact and not any(rule.type is FieldType.CONTACTS for rule in checking.source.file.inputs.values()):
            sentence = (
                f"The role {name!r} is looked up in the contacts, and no input has the type contacts: declare one."
            )
            checking.faults.add("unknown_input", (*path, "contact"), sentence, name="contacts")


def _deputy(checking: Checking, name: str) -> None:
    roles = checking.source.file.roles
    path: Path = ("roles", name, "deputy")
    deputy = roles[name].deputy or ""
    if roles[deputy].side != roles[name].side:
        sides = f"{name!r} is on the {roles[name].side} side, its deputy {deputy!r} on the {roles[deputy].side} side"
        checking.faults.add("deputy_side", path, f"{sides}: choose a deputy from the same side.")
    chain = [name]
    while roles[chain[-1]].deputy in roles and len(chain) <= 4:
        chain.append(roles[chain[-1]].deputy or "")
        if chain[-1] in chain[:-1]:
            if chain[-1] == name:  # a circle is reported once, by its last member in the file
                members = chain[:-1]
                last = max(members, key=lambda each: checking.source.document.place(("roles", each)).line)
                if last == name:
                    checking.faults.add(
                        "deputy_chain",
                        path,
                        f"The deputies go round in a circle ({' → '.join(chain)}): end it somewhere.",
                    )
            return
    if len(chain) > 4:
        checking.faults.add(
            "deputy_chain", path, f"The chain of deputies ({' → '.join(chain)}) has more than 3 links: shorten it."
        )


def refer_input(checking: Checking, path: Path, written: str, types: tuple[FieldType, ...]) -> None:
    """A reference input.x (or input.contacts.tz) leads to an input of a fitting type."""
    inputs = checking.source.file.inputs
    root, _, rest = written.partition(".")
    name, _, part = rest.partition(".")
    if root != "input" or not name:
        sentence = f"A reference to an input is written input.x, found {written[:80]!r}."
        checking.faults.add("unknown_input", path, sentence, name=written)
    elif checking.refer("unknown_input", path, name, inputs, "input"):
        found = inputs[name].type
        through = part == "tz" and found is FieldType.CONTACTS and types == _ZONE
        if not through and (part or found not in types):
            sentence = f"The input {name!r} has the type {found.value}, and {' or '.join(types)} is needed here."
            checking.faults.add("wrong_input_type", path, sentence)


def _calendars(checking: Checking) -> None:
    calendars = checking.source.file.calendars
    known = tuple(dict.fromkeys(("provider", "customer", *calendars)))
    for name, rule in calendars.items():
        path: Path = ("calendars", name)
        if rule.tz and rule.from_:
            sentence = "A calendar has either `tz` (a fixed zone) or `from` (an input): remove one."
            checking.faults.add("calendar_source", (*path, "from"), sentence, key=True)
        elif not (rule.tz or rule.from_ or rule.fallback) and name != "customer":
            sentence = f"The calendar {name!r} has no zone: give `tz`, or `from` an input."
            checking.faults.add("calendar_source", path, sentence, key=True, name="tz")
        if rule.from_:
            refer_input(checking, (*path, "from"), rule.from_, _ZONE)
        if rule.fallback and checking.refer("unknown_calendar", (*path, "fallback"), rule.fallback, known, "calendar"):
            _fallback(checking, name)
    business = [item for item in checking.items if item.due and item.due.is_business]
    if business and "provider" not in calendars and "calendars" not in checking.faults.known:
        sentence = (
            "Business time counts 09:00-17:00 UTC, mon-fri, because `calendars.provider` is not declared: declare it."
        )
        checking.faults.add("no_calendar", (), sentence)


def _fallback(checking: Checking, name: str) -> None:
    seen = [name]
    compiled = {calendar.id: calendar for calendar in checking.definition.calendars}
    while True:
        here = compiled.get(seen[-1])
        if here is None or here.tz or not here.fallback:
            return
        if here.fallback in seen:
            sentence = f"The fallbacks go round in a circle ({' → '.join([*seen, here.fallback])}): end at a calendar with `tz`."
            checking.faults.add("calendar_circle", ("calendars", name, "fallback"), sentence)
            return
        seen.append(here.fallback)


def refer_clock(checking: Checking, path: Path, clock: str | None) -> None:
    if clock:
        known = tuple(dict.fromkeys((*CLOCKS, *checking.source.file.calendars)))
        checking.refer("unknown_calendar", (*path, "clock"), clock, known, "clock or calendar")


def _defaults(checking: Checking) -> None:
    defaults = checking.source.file.defaults
    for kind in ItemKind:
        _common(checking, ("defaults", kind.value), getattr(defaults, kind.value))


def _common(checking: Checking, path: Path, written: Common) -> None:
    """What items and defaults share."""
    file = checking.source.file
    if written.owner:
        checking.refer("unknown_role", (*path, "owner"), written.owner, file.roles, "role")
    refer_clock(checking, path, written.clock)
    for key, plans in (("reminders", file.policies.reminders), ("escalation", file.policies.escalation)):
        name = getattr(written, key)
        if name and name != NONE:
            checking.refer("unknown_policy", (*path, key), name, plans, f"{key} plan")
    review = written.review if isinstance(written, RequestCommon) else None
    if review:
        checking.refer("unknown_role", (*path, "review"), review, file.roles, "role")
    timeout = written.timeout if isinstance(written, HookCommon) else None
    if timeout is not None and timeout.is_business:
        sentence = f"A hook runs by the wall clock: write {timeout} in d, h, m or s."
        checking.faults.add("wrong_unit", (*path, "timeout"), sentence)


def _stages(checking: Checking) -> None:
    roles = checking.source.file.roles
    for path, stage in checking.source.stages():
        checking.refer("unknown_role", (*path, "owner"), stage.owner, roles, "role")
        refer_clock(checking, path, stage.clock)
        _needs(checking, (*path, "needs"), stage.needs, stage.id)
        if stage.gate and stage.gate.override:
            checking.roles((*path, "gate", "override", "by"), stage.gate.override.by)
        for key in ("on_enter", "on_exit"):
            for index, action in enumerate(getattr(stage, key)):
                if action.notify:
                    checking.refer("unknown_role", (*path, key, index, "notify"), action.notify, roles, "role")


def _needs(checking: Checking, path: Path, names: list[str], own: str) -> None:
    known = [stage.id for stage in checking.source.file.stages] + [entry.item.id for entry in checking.entries]
    for index, name in enumerate(names):
        if name == own:
            checking.faults.add("self_need", (*path, index), f"{own!r} needs itself: remove it.")
        else:
            checking.refer("unknown_name", (*path, index), name, known, "stage or item")


def _items(checking: Checking) -> None:
    items = [entry.item.id for entry in checking.entries]
    for entry, item in checking.pairs():
        written: StepModel | ItemModel = entry.item
        _common(checking, entry.path, written)
        _needs(checking, (*entry.path, "needs"), written.needs, written.id)
        for index, name in enumerate(item.four_eyes):
            checking.refer("unknown_name", (*entry.path, "four_eyes", index), name, items, "item")
        if entry.kind is ItemKind.APPROVAL and item.owners != (item.owner,):
            checking.roles((*entry.path, "owners"), item.owners)
        for outcome in item.outcomes:
            for index, name in enumerate(outcome.reopen):
                place = (*entry.path, "decisions", outcome.name, "reopen", index)
                if name == item.id:
                    checking.faults.add(
                        "reopens_itself", place, f"{name!r} reopens itself: name the items to do again."
                    )
                else:
                    checking.refer("unknown_name", place, name, items, "item")
        if item.event:
            known = checking.source.file.signals
            checking.refer("unknown_event", (*entry.path, "event"), item.event, known, "event in `signals`")
        if isinstance(written, RequestModel):
            for number, check in enumerate(written.checks):
                for index, name in enumerate(check.with_):
                    place = (*entry.path, "checks", number, "with", index)
                    checking.refer("unknown_field", place, name, written.fields, "field of this request")
        for index, name in enumerate(item.with_facts):
            facts = [given.name for each in checking.items for given in (*each.fields, *each.provides)]
            known_facts = (*checking.source.file.inputs, *facts)
            checking.refer("unknown_fact", (*entry.path, "with", index), name, known_facts, "input or fact")
