"""A file of the configuration against a model of ours: every fault at its line and column, with a code and the way out.

Values are never repeated: what somebody has written down by mistake may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language.places import Document, Path, spell
from onboarding.language.shape import keys_of, model_inside
from onboarding.nearest import nearest

_Model = TypeVar("_Model", bound=BaseModel)

_TYPES: Final = {
    "string_type": "a text; put it in quotes",
    "int_type": "a whole number, without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number, without quotes",
    "bool_type": "true or false",
    "list_type": "a list, such as [a, b]",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of keywords",
    "model_attributes_type": "a mapping of keywords",
}


@dataclass(slots=True)
class PlacedFaults:
    """Collects the faults of one document."""

    document: Document
    found: list[Fault] = field(default_factory=list)

    def add(self, rule: str, path: Path, sentence: str, *, key: bool = False, severity: Any = "error") -> None:
        """Notes a fault at the value of a path, or at its key."""
        place = self.document.place(path)
        line, column = (place.key_line, place.key_column) if key else (place.line, place.column)
        self.found.append(Fault(line, column, rule, severity, sentence, spell(path)))

    def demand_none(self, file: str) -> None:
        """Raises `DefinitionInvalid` with every error, in the order of the lines."""
        if any(one.severity == "error" for one in self.found):
            raise DefinitionInvalid(sorted(self.found, key=lambda one: (one.line, one.column, one.rule)), file)


def fit(model: type[_Model], document: Document, faults: PlacedFaults) -> _Model | None:
    """The document as a model, or `None` with every fault of its shape."""
    try:
        return model.model_validate(document.data)
    except ValidationError as problem:
        for one in problem.errors(include_url=False, include_input=False):
            _tell(one["type"], one["loc"], one.get("ctx", {}), one["msg"], model, document, faults)
        return None


def _tell(
    kind: str,
    loc: tuple[int | str, ...],
    context: Mapping[str, Any],
    said: str,
    model: type[BaseModel],
    document: Document,
    faults: PlacedFaults,
) -> None:
    path = _real(loc, document)
    if kind == "string_type" and isinstance(document.get(path), dict):
        return  # one half of "a text, or where the secret is": the other half tells
    name = spell(path) or "The file"
    if kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        way_out = nearest(str(path[-1]), known) or f"; known here: {', '.join(known)}."
        faults.add(
            "unknown_key",
            path,
            f"{spell(path[-1:])!r} is no keyword of {spell(path[:-1]) or 'the file'}{way_out}",
            key=True,
        )
    elif kind == "missing":
        faults.add("missing_key", path, f"{name} needs the keyword {str(loc[-1])!r}: add it.", key=True)
    elif kind in ("union_tag_not_found", "union_tag_invalid"):
        choices = str(context.get("expected_tags", "")).replace("'", "") or "mail, slack, teams, webhook, notify"
        faults.add("wrong_value", path, f"{name} needs a `kind`, one of {choices}.", key=True)
    elif kind in ("literal_error", "enum"):
        faults.add(
            "wrong_value",
            path,
            f"{name} is one of {str(context.get('expected', '')).replace(' or ', ', ').replace(chr(39), '')}.",
        )
    elif document.get(path) is None and path in document.places:
        faults.add("empty_value", path, f"{name} has no value: give one, or remove the line.", key=True)
    elif kind in _TYPES:
        faults.add("wrong_type", path, f"{name} is {_TYPES[kind]}.")
    elif kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        faults.add("wrong_value", path, f"{name} is {bound}.")
    elif kind in ("string_too_long", "too_long"):
        faults.add(
            "too_long",
            path,
            f"{name} has at most {context.get('max_length', 0)} {'characters' if kind[0] == 's' else 'entries'}: shorten it.",
        )
    elif kind in ("string_too_short", "too_short"):
        faults.add("empty_value", path, f"{name} is empty: give at least one, or remove the line.")
    elif kind.startswith(("bad_", "secret_", "unknown_")):
        faults.add(kind, path, said, key=loc[-1:] == ("[key]",))
    else:
        faults.add("wrong_value", path, f"{name} does not fit here.")


def _real(loc: tuple[int | str, ...], document: Document) -> Path:
    """pydantic's location without its own words for keys and branches of a union."""
    path: list[int | str] = []
    for step in loc:
        around = document.get(tuple(path)) if path else document.data
        if (isinstance(around, dict) and step in around) or (isinstance(around, list) and isinstance(step, int)):
            path.append(step)
    return tuple(path)


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keywords at a location. Where a union was decided by its `kind`, the location names the branch."""
    around: Any = model
    for step in loc:
        inside = model_inside(around, step)
        if inside is None:
            inside = next((one for one in _branches(around) if _kind(one) == step), around)
        around = inside
    return keys_of(around)


def _branches(model: Any) -> tuple[Any, ...]:
    model = getattr(model, "__origin__", model) if hasattr(model, "__metadata__") else model
    return tuple(getattr(model, "__args__", ()))


def _kind(model: Any) -> Any:
    """What the keyword `kind` of a model says."""
    found = getattr(model, "model_fields", {}).get("kind")
    return getattr(found.annotation, "__args__", (None,))[0] if found else None
