"""The keywords of the language as data: for the list in definitions/README.md and for editors."""

import types
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from onboarding.language import grammar, words
from onboarding.language.units import Duration, Offset, Share

LEVELS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("file", grammar.FileModel),
    ("input", grammar.InputRule),
    ("calendar", grammar.CalendarModel),
    ("country", grammar.HolidaysOf),
    ("role", grammar.RoleModel),
    ("policies", grammar.Policies),
    ("reminder step", grammar.ReminderModel),
    ("ladder step", grammar.LadderModel),
    ("contact", grammar.ContactModel),
    ("defaults", grammar.Defaults),
    ("stage", grammar.StageModel),
    ("gate", grammar.GateModel),
    ("override", grammar.OverrideModel),
    ("action", grammar.ActionModel),
    ("every item", grammar.ItemModel),
    ("request", grammar.RequestModel),
    ("field", grammar.FieldRule),
    ("files", grammar.FilesModel),
    ("check", grammar.CheckModel),
    ("task", grammar.TaskModel),
    ("approval", grammar.ApprovalModel),
    ("outcome", grammar.ReopenModel),
    ("event", grammar.EventModel),
    ("hook", grammar.HookModel),
    ("retry", grammar.RetryModel),
    ("variant", grammar.VariantModel),
    ("metric", grammar.MetricModel),
    ("signal", grammar.SignalModel),
    ("emit", grammar.EmitModel),
    ("receiver", grammar.ReceiverModel),
    ("retention", grammar.RetentionModel),
)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword: where it stands, what it is called, what it takes, and what it means."""

    level: str
    name: str
    type: str
    default: str
    description: str


def keywords() -> list[Keyword]:
    """Every keyword, in the order of the levels; what all items share is listed once."""
    shared = [field.alias or name for name, field in grammar.ItemModel.model_fields.items()]
    found = []
    for level, model in LEVELS:
        item = issubclass(model, grammar.StepModel) and model is not grammar.ItemModel
        for name, field in model.model_fields.items():
            key = field.alias or name
            if not (item and key in shared):
                found.append(Keyword(level, key, _spelled(field), _default(field), field.description or ""))
    return found


def json_schema() -> dict[str, Any]:
    """JSON Schema of a definition, for editors."""
    schema: dict[str, Any] = grammar.FileModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Onboarding definition"} | schema


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value is PydanticUndefined or value in ([], {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "mon-fri" if value == (0, 1, 2, 3, 4) else "09:00-17:00"
    return str(value)


_NAMED: tuple[tuple[Any, str], ...] = (
    (words.Id, "id"),
    (words.HyphenId, "id"),
    (words.EventName, "event name"),
    (words.OutcomeName, "name"),
    (words.DurationText, "duration"),
    (words.Position, "position"),
    (words.Week, "days"),
    (words.Hours, "windows"),
    (words.Holiday, "date"),
    (grammar.OneOrMany, "name or list"),
    (grammar.Number, "number"),
    (grammar.Decision, "pass or {reopen, max_rounds, then}"),
    (grammar.DayOff, "date or country"),
)
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", Duration: "duration", Any: "–"}


def _spelled(field: FieldInfo) -> str:
    # pydantic keeps the parts of an annotated type apart; its reader tells which of ours it was.
    readers = [part for part in field.metadata if isinstance(part, BeforeValidator)]
    for named, word in _NAMED:
        if any(part in readers for part in named.__metadata__ if isinstance(part, BeforeValidator)):
            return word
    return _type(field.annotation)


def _type(annotation: Any) -> str:
    for named, word in _NAMED:
        if annotation is named or annotation == named:
            return word
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is Literal:
        return ", ".join(str(part) for part in parts)
    if origin is list:
        return f"list of {_type(parts[0])}"
    if annotation == dict[str, Any]:
        return "keywords"
    if origin is dict:
        return f"names to {_type(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(member.value for member in annotation)
    if annotation in (Offset, Share):
        return "position"
    for level, model in LEVELS:
        if annotation is model:
            return level
    return "mapping"
