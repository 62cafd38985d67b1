"""Cross rules about the world around a run: numbers, signals, and what this installation provides."""

from onboarding import emitted
from onboarding.language.check_names import refer_clock, refer_input
from onboarding.language.checking import Checking
from onboarding.language.model import FieldType, ItemKind
from onboarding.language.places import Path

_INSTANT = (FieldType.DATETIME, FieldType.DATE)


def check_outside(checking: Checking) -> None:
    """Metrics and signals name what exists, and this installation has what the file asks of it."""
    _metrics(checking)
    _signals(checking)
    _emitted(checking)
    _installed(checking)


def _metrics(checking: Checking) -> None:
    stages = checking.source.file.stages
    tables = {
        "milestones": [stage.milestone for stage in stages if stage.milestone],
        "items": [entry.item.id for entry in checking.entries],
    }
    rules = {"milestones": "unknown_milestone", "items": "unknown_item"}
    for name, metric in checking.source.file.metrics.items():
        path: Path = ("metrics", name)
        refer_clock(checking, path, metric.clock)
        for key, end in (("from", metric.from_), ("to", metric.to)):
            root, _, rest = (end or "").partition(".")
            if end is None:
                continue
            if root == "input":
                refer_input(checking, (*path, key), end, _INSTANT)
            elif root in tables and rest:
                checking.refer(rules[root], (*path, key), rest, tables[root], root.removesuffix("s"))
            else:
                sentence = f"A metric refers to milestones.x, items.x or input.x, found {end[:80]!r}."
                checking.faults.add("bad_reference", (*path, key), sentence)
        interval, given = (
            metric.from_ and metric.to,
            [key for key in ("from", "to", "sum", "count") if getattr(metric, "from_" if key == "from" else key)],
        )
        if not (interval and len(given) == 2) and given not in (["sum"], ["count"]):
            checking.faults.add(
                "metric_shape",
                path,
                f"The metric {name!r} has from and to, or sum, or count; found {', '.join(given) or 'none'}.",
                key=True,
            )
        if metric.goal:
            clock = metric.clock or "calendar"
            if (clock == "calendar") == metric.goal.is_business:
                unit = "wall-clock units (d, h)" if clock == "calendar" else "business units (bd, bh)"
                checking.faults.add(
                    "goal_family",
                    (*path, "goal"),
                    f"The clock {clock} counts {unit}, and {metric.goal} is none: change one of them.",
                )


def _signals(checking: Checking) -> None:
    waiting = {entry.item.id: item.event for entry, item in checking.pairs() if item.event}
    for event, rule in checking.source.file.signals.items():
        path: Path = ("signals", event)
        known = checking.refer("unknown_item", (*path, "fulfils"), rule.fulfils, waiting, "item with an event")
        if known and waiting[rule.fulfils] != event and waiting[rule.fulfils] in checking.source.file.signals:
            sentence = f"{rule.fulfils!r} waits for {waiting[rule.fulfils]!r}, not {event!r}: let both name one event."
            checking.faults.add("event_elsewhere", (*path, "fulfils"), sentence)
        for name, payload in rule.match.items():
            checking.refer(
                "unknown_input", (*path, "match", name), name, checking.source.file.inputs, "input", key=True
            )
            if not payload.startswith("payload.") or payload == "payload.":
                sentence = f"What must equal the input {name!r} is a field of the event, written payload.x."
                checking.faults.add("bad_reference", (*path, "match", name), sentence)
    for entry, item in checking.pairs():
        found = checking.source.file.signals.get(item.event or "")
        if found and found.fulfils != item.id and waiting.get(found.fulfils) == item.event:
            sentence = f"The event {item.event!r} fulfils {found.fulfils!r}, and one event fulfils one item: name another event."
            checking.faults.add("event_elsewhere", (*entry.path, "event"), sentence)


def _emitted(checking: Checking) -> None:
    """What the run tells the outside is known, and nobody is told anything twice."""
    emit = checking.source.file.emit
    here: list[str] = []
    for index, receiver in enumerate(emit.to if emit else ()):
        path: Path = ("emit", "to", index)
        if receiver.webhook in here:
            sentence = f"The webhook {receiver.webhook!r} stands under `emit` before: put all its events there."
            checking.faults.add("told_twice", (*path, "webhook"), sentence)
        here.append(receiver.webhook)
        told: dict[str, str] = {}
        for n, named in enumerate(receiver.events):
            place = (*path, "events", n)
            checking.refer("unknown_event", place, named, (*emitted.GROUPS, *emitted.TYPES), "event that runs tell")
            again = next((told[name] for name in emitted.expanded(named) if name in told), None)
            if again is not None:
                sentence = f"{named!r} tells what {again!r} tells already: leave one of them out."
                checking.faults.add("told_twice", place, sentence)
            told |= dict.fromkeys(emitted.expanded(named), named)


def _installed(checking: Checking) -> None:
    """Names that this installation must provide."""
    here, file = checking.installation, checking.source.file
    activities: list[tuple[Path, str]] = []
    templates: list[tuple[Path, str]] = []
    for path, stage in checking.source.stages():
        for key in ("on_enter", "on_exit"):
            for index, action in enumerate(getattr(stage, key)):
                activities += [((*path, key, index, "hook"), action.hook)] if action.hook else []
                templates += [((*path, key, index, "template"), action.template)] if action.template else []
    for entry in checking.entries:
        for index, check in enumerate(getattr(entry.item, "checks", ())):
            activities.append(((*entry.path, "checks", index, "activity"), check.activity))
        if entry.kind is ItemKind.HOOK:
            activities.append(((*entry.path, "activity"), getattr(entry.item, "activity", "")))
            undo = getattr(entry.item, "undo", None)
            activities += [((*entry.path, "undo"), undo)] if undo else []
        confirm = getattr(entry.item, "confirm", None)
        templates += [((*entry.path, "confirm"), confirm)] if confirm else []
    if file.defaults.request.confirm:
        templates.append((("defaults", "request", "confirm"), file.defaults.request.confirm))
    groups: list[tuple[Path, str]] = [
        (("roles", name, "group"), role.group) for name, role in file.roles.items() if role.group
    ]
    webhooks: list[tuple[Path, str]] = [
        (("emit", "to", index, "webhook"), receiver.webhook)
        for index, receiver in enumerate(file.emit.to if file.emit else ())
    ]
    tables = (
        ("unknown_activity", activities, here.activities, "activity in this installation"),
        ("unknown_template", templates, here.templates, "template in this installation"),
        ("unknown_group", groups, here.groups, "group in this installation"),
        ("unknown_webhook", webhooks, here.webhooks, "webhook in this installation"),
    )
    for rule, named, registered, what in tables:
        for path, name in named if registered is not None else ():
            checking.refer(rule, path, name, registered or (), what)
