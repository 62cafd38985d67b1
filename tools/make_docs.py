"""Writes the generated parts of the documentation, or with --check says whether they are up to date.

    python tools/make_docs.py            write them
    python tools/make_docs.py --check    exit 1 on a difference

Generated are the keyword list in definitions/README.md, docs/machine.md, in docs/integrating.md the messages and the search
attributes, in docs/hostile-input.md the limits, in docs/events.md the types of events, and their schemas beside it.
"""

import ast
import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator

ROOT = Path(__file__).resolve().parent.parent
README = Path("definitions/README.md")
MACHINE = Path("docs/machine.md")
INTEGRATING = Path("docs/integrating.md")
HOSTILE = Path("docs/hostile-input.md")
EVENTS = Path("docs/events.md")


def keyword_table() -> str:
    """Every keyword of the language as Markdown tables, one for each level of a file."""
    levels: dict[str, list[str]] = {}
    for keyword in import_module("onboarding.language.keywords").keywords():
        cells = (f"`{keyword.name}`", keyword.type, keyword.default, keyword.description)
        levels.setdefault(keyword.level, []).append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n\n".join(
        "\n".join([f"| {level} | takes | default | meaning |", "|---|---|---|---|", *rows])
        for level, rows in levels.items()
    )


def message_tables() -> str:
    """Every message with its own fields, made from their classes."""
    module = import_module("onboarding.messages")
    common = list(module.Message.model_fields)
    parts = ["Every message has these:", _fields(module.Message, common)]
    for kind in module.KINDS:
        parts += [
            f"**`{kind.name}`** – {kind.__doc__}",
            _fields(kind, [one for one in kind.model_fields if one not in common]),
        ]
    for title, part in (("A file reference", module.FileReference), ("A zone", module.ZoneData)):
        parts += [f"{title} – {part.__doc__}", _fields(part, list(part.model_fields))]
    return "\n\n".join(part for part in parts if part)


def _fields(kind: Any, names: list[str]) -> str:
    commands = import_module("console.messages")
    own = {
        "message_id": "The key of deduplication, made by you.",
        "uri": "Where it is; never fetched by the engine.", "sha256": "64 digits in lower-case hexadecimal.", "type": "pdf or application/pdf.",
        "bytes": "Its size, at least 1.", "name": "As it is called where it comes from.",
        "transitions": "Pairs of a second since 1970 and the offset from UTC in seconds that holds from there on, in the order of time.",
    }  # fmt: skip
    targets = commands.TARGETS.get(kind.name, ()) if hasattr(kind, "name") else ()
    rows = []
    for name in names:
        field = kind.model_fields[name]
        needed = "one of them" if name in targets else "yes" if field.is_required() else ""
        said = own[name] if name in own else commands.meaning(kind, name)
        cells = (f"`{name}`", _json(field.annotation), needed, _cell(said.replace(", or @FILE", "")))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(["| field | JSON | required | meaning |", "|---|---|---|---|", *rows]) if rows else ""


def _takes_one(part: Any) -> bool:
    """Whether a list may also be given as its only entry."""
    return isinstance(part, BeforeValidator) and part.func is import_module("onboarding.messages")._listed


def _json(annotation: Any) -> str:
    """What a field is in JSON."""
    if any(_takes_one(part) for part in getattr(annotation, "__metadata__", ())):
        return "text or list"
    inner = [one for one in get_args(annotation) if one is not type(None)]
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in inner)
    if origin in (dict, tuple):
        return "object" if origin is dict else "list"
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return "object"
    words = {"str": "text", "bool": "true or false", "int": "whole number", "datetime": "instant"}
    name = getattr(annotation, "__name__", "")
    return words[name] if name in words else _json(inner[0])


def attribute_table() -> str:
    """The search attributes of a run and their types."""
    found = import_module("runtime.search_attributes").SEARCH_ATTRIBUTES
    return "\n".join(
        ["| search attribute | type |", "|---|---|", *(f"| `{name}` | {kind} |" for name, kind in found.items())]
    )


def limit_table() -> str:
    """Every named limit with its figure and its reason, made from the docstrings behind the names."""
    module = import_module("onboarding.limits")
    body = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body
    rows = []
    for named, said in pairwise(body):
        match named, said:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(meaning))):
                rows.append(f"| `{name}` | {getattr(module, name):,} | {_cell(meaning)} |")
    return "\n".join(["| limit | figure | what it is, and why |", "|---|---:|---|", *rows])


def between(path: Path, **made: Callable[[], str]) -> str:
    """A page with its generated parts of today, each between its two markers."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, make in made.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"{path}: expected the markers {begin} and {end}, one after the other.")
        text = f"{before}{begin}\n\n{make()}\n\n{end}{after}"
    return text


def readme() -> str:
    """definitions/README.md with the keyword list of today."""
    return between(README, keywords=keyword_table)


def integrating() -> str:
    """docs/integrating.md with the messages and search attributes of today."""
    return between(INTEGRATING, messages=message_tables, attributes=attribute_table)


def hostile() -> str:
    """docs/hostile-input.md with the limits of today."""
    return between(HOSTILE, limits=limit_table)


def machine_page() -> str:
    """docs/machine.md, drawn from the machine itself."""
    return str(import_module("onboarding.reading.picture").machine_page()).rstrip("\n") + "\n"


def schema_of_event(name: str) -> str:
    """JSON Schema of one type of event, as receivers get it."""
    return json.dumps(import_module("onboarding.emitted").schema_of(name), indent=2, ensure_ascii=False) + "\n"


def event_table() -> str:
    """Every type of event with what it says."""
    types = import_module("onboarding.emitted").TYPES
    rows = []
    for name, (told, meaning) in types.items():
        common = import_module("onboarding.emitted").Told.model_fields
        own = ", ".join(f"`{field}`" for field in told.model_fields if field not in common)
        rows.append(f"| `{name}` | {meaning} | {own or '–'} |")
    return "\n".join(["| type | what has happened | what it says, beside whose it is |", "|---|---|---|", *rows])


def events_page() -> str:
    """docs/events.md with the types of today."""
    return between(EVENTS, types=event_table)


def event_schemas() -> dict[Path, Callable[[], str]]:
    """A file for each type of event and its version."""
    emitted = import_module("onboarding.emitted")
    return {
        Path(f"docs/events/{name}.{emitted.VERSION}.json"): partial(schema_of_event, name) for name in emitted.TYPES
    }


PAGES: dict[Path, Callable[[], str]] = {
    README: readme,
    MACHINE: machine_page,
    INTEGRATING: integrating,
    HOSTILE: hostile,
    EVENTS: events_page,
}


def main(check: bool) -> int:
    """Writes every page, or only compares; the exit code is 1 when `check` found a difference."""
    different = []
    for path, make in (PAGES | event_schemas()).items():
        wanted, target = make(), ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == wanted:
            continue
        different.append(path)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted, encoding="utf-8")
    for path in different:
        print(f"{path}: {'not up to date: run python tools/make_docs.py' if check else 'written'}")
    return 1 if check and different else 0


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(check="--check" in sys.argv[1:]))
