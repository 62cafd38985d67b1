"""Pictures as Mermaid text: the stages and items of a definition, and the machine itself, both drawn from what runs."""

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, get_args

from onboarding.engine import effects, events
from onboarding.engine.machine import TRANSITIONS
from onboarding.engine.state import ItemStatus
from onboarding.language.model import Definition, Item, ItemKind, Stage
from onboarding.reading.shapes import cut

LABEL_LENGTH = 80
"""Characters of one line of a label: longer ones make boxes that nobody can read."""

_SHAPES = {
    ItemKind.REQUEST: ("[/", "/]"),
    ItemKind.TASK: ("[", "]"),
    ItemKind.APPROVAL: ("{{", "}}"),
    ItemKind.EVENT: ("([", "])"),
    ItemKind.HOOK: ("[[", "]]"),
}
_LEGEND = "%% request [/ /]   task [ ]   approval {{ }}   event ([ ])   hook [[ ]]"

# Everything that is not plain writing goes in as a character number: quotes end a label, `%%{` starts a directive anywhere in the
# text, and backticks turn a label into Markdown.
_SPECIAL = re.compile(r"[^\w .,:+'()/§–—…·-]")


def label(text: str, length: int = LABEL_LENGTH) -> str:
    """A text inside a Mermaid label: one line, nothing in it that Mermaid or HTML reads."""
    line = cut(" ".join(text.split()), length)
    return _SPECIAL.sub(lambda found: f"#{ord(found.group())};", line)


def definition_picture(definition: Definition) -> str:
    """The stage graph of a definition: stages as boxes, items in them, solid arrows for needs, dotted ones for what goes back."""
    stages = {stage.id for stage in definition.stages}
    lines = ["flowchart TB", f"  {_LEGEND}"]
    by_id = {item.id: item for item in definition.items}
    for stage in definition.stages:
        lines += _stage(stage, [by_id[name] for name in stage.items])
    for stage in definition.stages:
        lines += [f"  {_node(need, stages)} --> s_{stage.id}" for need in stage.needs]
    for item in definition.items:
        lines += [f"  {_node(need, stages)} --> i_{item.id}" for need in item.needs]
        for outcome in item.outcomes:
            lines += [f'  i_{item.id} -. "{label(outcome.name)}" .-> i_{name}' for name in outcome.reopen]
    return "\n".join(lines) + "\n"


def _node(name: str, stages: Iterable[str]) -> str:
    return f"s_{name}" if name in stages else f"i_{name}"


def _stage(stage: Stage, items: list[Item]) -> list[str]:
    parts = [label(stage.title), f"owner {label(stage.owner)}"]
    if stage.when is not None:
        parts.append(f"only if {label(stage.when)}")
    if stage.target is not None:
        parts.append(f"target {stage.target}")
    if stage.milestone is not None:
        parts.append(f"milestone {label(stage.milestone)}")
    lines = [f'  subgraph s_{stage.id}["{" · ".join(parts)}"]']
    lines += [f"    {_item(item)}" for item in items]
    for word, conditions in (("all", stage.gate.all), ("any", stage.gate.any)):
        if conditions:
            texts = "<br/>".join(label(one.text) for one in conditions)
            lines.append(f'    g_{stage.id}_{word}>"gate, {word} of<br/>{texts}"]')
    return [*lines, "  end"]


def _item(item: Item) -> str:
    open_, close = _SHAPES[item.kind]
    owners = ", ".join(item.owners) if item.kind is ItemKind.APPROVAL and item.owners else item.owner
    about = [str(item.kind), label(owners)]
    if item.due is not None:
        about.append(f"due {item.due}")
    if item.optional:
        about.append("optional")
    condition = f"<br/>only if {label(item.when)}" if item.when is not None else ""
    return f'i_{item.id}{open_}"{label(item.title)}<br/>{" · ".join(about)}{condition}"{close}'


# The machine ----------------------------------------------------------------------------------------------------------


def machine_page() -> str:
    """The page `docs/machine.md`: how an item moves, what can happen to a run, what a run can ask for."""
    parts = (
        "# The machine",
        "Made by `make docs` from `onboarding/engine/`; do not edit it. The rules stand at the head of `machine.py`.",
        "## How an item moves",
        f"```mermaid\n{status_diagram()}```",
        _table(("From", "Event", "To", "Effects"), TRANSITIONS),
        "Overdue is no status: it is a due instant that has passed, and the steps of the ladder that were taken.",
        "## What can happen to a run",
        _table(("Event", "Means", "Carries"), [_described(kind) for kind in get_args(events.Event)]),
        "## What a run can ask for",
        _table(("Effect", "Means", "Carries"), [_described(kind) for kind in get_args(effects.Effect)]),
    )
    return "\n\n".join(parts) + "\n"


def status_diagram() -> str:
    """The transitions of an item as a Mermaid state diagram; what leaves a status as it is stands in the table only."""
    lines = ["stateDiagram-v2", f"  [*] --> {ItemStatus.NOT_READY}"]
    drawn: dict[tuple[str, str], list[str]] = {}
    for sources, event, targets, _ in TRANSITIONS:
        for source in sources.split(", "):
            for target in targets.split(", "):
                stays = source in targets.split(", ") and target in sources.split(", ")
                if not stays:
                    drawn.setdefault((source, target), []).append(_short(event))
    for (source, target), words in drawn.items():
        lines.append(f"  {source} --> {target}: {' / '.join(dict.fromkeys(words))}")
    left = {source for source, _ in drawn}
    lines += [f"  {status} --> [*]" for status in ItemStatus if status not in left]
    return "\n".join(lines) + "\n"


def _short(event: str) -> str:
    """The head of an event's text: a colon, semicolon or hash would end or change the line of a state diagram."""
    return " ".join(re.sub(r"[^\w (),-]", " ", event).split())


def _described(kind: Any) -> tuple[str, str, str]:
    means = (kind.__doc__ or "").strip().partition("\n\n")[0]
    return f"`{kind.__name__}`", " ".join(means.split()), ", ".join(f"`{field.name}`" for field in fields(kind))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *(tuple(cell.replace("|", "\\|") or "–" for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
