"""From raw data to the grammar's models: every fault of shape at its key or value, and a model of what is left.

A broken part must not hide faults in the rest of the file. So parts that do not fit are taken out, or get a
placeholder where something is required, and the rest is checked as if they were not there; what is then missing
only because it was taken out is not reported (`Faults.known`).
"""

import copy
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from onboarding.language.grammar import FileModel
from onboarding.language.places import Document, Path, Place, spell, without
from onboarding.language.rules import RULES, Faults
from onboarding.nearest import nearest, nearest_name

UNKNOWN = "?"
"""What stands where a required text was missing; no name, so nothing can refer to it by accident."""

_ROUNDS = 12  # taking a part out can uncover that something around it is now missing
# Something else that is missing takes the mapping around it along.
_PLACEHOLDERS: dict[str, Any] = {"schema": "onboarding/v1", "version": 1, "title": UNKNOWN, "owner": UNKNOWN}
_TYPES = {
    "string_type": "a text; put it in quotes",
    "int_type": "a whole number, without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number, without quotes",
    "float_parsing": "a number",
    "bool_type": "true or false (in YAML 1.2 yes, no, on and off are texts)",
    "list_type": "a list, such as [a, b]",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of keywords",
    "model_attributes_type": "a mapping of keywords",
}


@dataclass(frozen=True, slots=True)
class Shaped:
    """The model of what fits, the data it was made from, and the names that stand anywhere in the file if parts
    had to be taken out."""

    file: FileModel | None
    data: Document
    known: frozenset[str] = frozenset()


def shape(document: Document, faults: Faults) -> Shaped:
    """Check the shape of a whole document."""
    data = copy.deepcopy(document.data)
    _refuse_later_keywords(data, faults)
    empty = [path for path, value in _walk(data) if value is None]
    for path in empty:
        faults.add("empty_value", path, f"{spell(path[-1:])!r} has no value: give one, or remove the line.", key=True)
    clean = True
    places = document.places
    for attempt in range(_ROUNDS):
        try:
            file = FileModel.model_validate(data)
        except ValidationError as problem:
            details = problem.errors(include_url=False, include_input=False)
            found = [(_real_path(detail["loc"], data), detail) for detail in details]
            for path, detail in found if attempt == 0 else ():
                if path not in empty:
                    _report(detail, path, data, faults)
            places = _mend_all(found, data, places, attempt)
            clean = False
        else:
            tainted = not clean or bool(empty)
            names = frozenset(_names(document.data)) | {UNKNOWN} if tainted else frozenset()
            return Shaped(file, Document(data, places), names)
    return Shaped(None, document)


def model_inside(model: Any, step: str | int) -> Any:
    """The type that the grammar has for a key or index of a type, or `None`."""
    for choice in _choices(model):
        origin = get_origin(choice)
        if origin is dict:
            return get_args(choice)[1]
        if origin in (list, tuple) and isinstance(step, int):
            return get_args(choice)[0]
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            for name, field in choice.model_fields.items():
                if (field.alias or name) == step:
                    return field.annotation
    return None


def keys_of(model: Any) -> tuple[str, ...]:
    """The keywords of a type of the grammar."""
    return tuple(
        field.alias or name
        for choice in _choices(model)
        if isinstance(choice, type) and issubclass(choice, BaseModel)
        for name, field in choice.model_fields.items()
    )


def _choices(model: Any) -> Iterator[Any]:
    if hasattr(model, "__metadata__"):
        model = model.__origin__
    if get_origin(model) in (Union, types.UnionType):
        for part in get_args(model):
            yield from _choices(part)
    elif get_origin(model) is not Literal:
        yield model


def _walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in pairs:
        yield (*path, step), value
        yield from _walk(value, (*path, step))


def _names(data: Any) -> Iterator[str]:
    for path, value in _walk(data):
        if isinstance(path[-1], str):
            yield path[-1]
        if path[-1] in ("id", "milestone") and isinstance(value, str):
            yield value


_LATER: tuple[tuple[Path, str], ...] = (
    (("portal",), "The customer portal"),
    (("retention", "files"), "A time to keep files"),
    (("retention", "redact_on_close"), "Forgetting single fields"),
)


def _refuse_later_keywords(data: Any, faults: Faults) -> None:
    """Report and take out what the language has and this release does not."""
    document = Document(data)
    late = [(path, what) for path, what in _LATER if _stands(document.get(path[:-1]), path[-1])]
    if document.get(("on_new_version",)) not in (None, "stay"):
        late.append((("on_new_version",), "Moving running customers to a new version"))
    for path, what in late:
        faults.add(
            "not_built_yet", path, f"{what} ({spell(path)}) is not built yet: remove this line for now.", key=True
        )
    for path, _ in reversed(late):
        _remove(data, path)


def _stands(around: Any, key: int | str) -> bool:
    return isinstance(around, dict) and key in around


def _remove(data: Any, path: Path) -> None:
    if not path:
        return
    around = Document(data).get(path[:-1]) if len(path) > 1 else data
    if isinstance(around, dict):
        around.pop(path[-1], None)
    elif isinstance(around, list) and isinstance(path[-1], int) and path[-1] < len(around):
        del around[path[-1]]


def _real_path(loc: tuple[int | str, ...], data: Any) -> Path:
    """pydantic's location without its own words for keys and branches of a union."""
    path: list[int | str] = []
    for step in loc:
        inside = Document(data).get(tuple(path)) if path else data
        if (isinstance(inside, dict) and step in inside) or (isinstance(inside, list) and isinstance(step, int)):
            path.append(step)
    return tuple(path)


def _mend_all(
    found: list[tuple[Path, ErrorDetails]], data: Any, places: Mapping[Path, Place], attempt: int
) -> Mapping[Path, Place]:
    """Take out what does not fit, or put something where it is missing, from the end so that indexes stay right."""
    gone: dict[Path, None] = {}
    for number, (path, detail) in enumerate(reversed(found)):
        if any(path[:length] in gone for length in range(len(path) + 1)):
            continue
        key = str(detail["loc"][-1])
        if detail["type"] == "missing" and key == "id":
            Document(data).get(path)[key] = f"unknown_{attempt}_{number}"
        elif detail["type"] == "missing" and key in _PLACEHOLDERS:
            Document(data).get(path)[key] = _PLACEHOLDERS[key]
        else:
            _remove(data, path)
            gone[path] = None
            places = without(places, path)
    return places


def _report(detail: ErrorDetails, path: Path, data: Any, faults: Faults) -> None:
    kind, loc = detail["type"], detail["loc"]
    context = detail.get("ctx", {})
    around: Any = FileModel
    for step in path[:-1] if kind != "missing" else path:
        around = model_inside(around, step)
    if kind == "missing":
        key = loc[-1]
        hint = nearest_name(str(key), [str(each) for each in _known_keys(data, path) if each not in keys_of(around)])
        instead = f" (found {hint!r})" if hint else ""
        faults.add("missing_key", path, f"{spell(path) or 'The file'} needs the keyword {str(key)!r}{instead}: add it.")
    elif kind == "extra_forbidden":
        known = keys_of(around)
        way_out = nearest(str(path[-1]), known) or f"; known here: {', '.join(known)}."
        faults.add(
            "unknown_key",
            path,
            f"{spell(path[-1:])!r} is no keyword of {spell(path[:-1]) or 'the file'}{way_out}",
            key=True,
        )
    elif kind in ("literal_error", "enum"):
        _report_choice(str(context.get("expected", "")), path, data, faults)
    elif kind in _TYPES:
        faults.add("wrong_type", path, f"{spell(path) or 'The file'} is {_TYPES[kind]}.")
    elif kind in ("string_too_long", "too_long"):
        most = context.get("max_length", 0)
        faults.add(
            "too_long",
            path,
            f"{spell(path)} has at most {most} {'characters' if kind[0] == 's' else 'entries'}: shorten it.",
        )
    elif kind in ("string_too_short", "too_short"):
        faults.add("empty_value", path, f"{spell(path)} is empty: give at least one entry, or remove the keyword.")
    elif kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        faults.add("wrong_value", path, f"{spell(path)} is {bound}.")
    elif kind in RULES:
        faults.add(kind, path, detail["msg"], key=loc[-1] == "[key]")
    else:
        faults.add("wrong_value", path, f"{spell(path)} does not fit here.")


def _known_keys(data: Any, path: Path) -> tuple[str, ...]:
    around = Document(data).get(path) if path else data
    return tuple(around) if isinstance(around, dict) else ()


def _report_choice(expected: str, path: Path, data: Any, faults: Faults) -> None:
    if path == ("schema",):
        faults.add(
            "unknown_schema", path, "The schema of this release is onboarding/v1: write `schema: onboarding/v1`."
        )
        return
    if path[-1:] == ("secret",):  # what stands here may be a secret: it is never repeated
        faults.add(
            "wrong_value", path, "A secret is never written down: `secret: reference` asks for a link into a vault."
        )
        return
    found = Document(data).get(path)
    choices = expected.replace(" or ", ", ").replace("'", "").split(", ")
    hint = nearest(found, choices) if isinstance(found, str) else ""
    faults.add("wrong_value", path, f"{spell(path)} is one of {', '.join(choices)}{hint or '.'}")
