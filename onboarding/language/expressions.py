"""Conditions: the only file that knows CEL.

A condition is checked against the definition's own declarations when the file is loaded, so that evaluating it
in a run cannot fail for a reason the author could have seen. What remains (an absent fact, a division by zero)
makes it false, with a sentence that says why. Evaluation is deterministic and asks no clock.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from cel_expr_python import cel

from onboarding.language.condition_text import (
    ROOTS,
    read,
)
from onboarding.language.model import ConditionKind, Definition, Field, FieldType, Item, ItemKind

MAX_CONDITION = 500
"""Characters of a condition: the language's figure; it also bounds the time one evaluation takes."""


_FACT = re.compile(r"facts\.([a-z][a-z0-9_]*)")
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
_CEL_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_FOUND = re.compile(r"(?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) '(.*?)'(?: expecting .*)?$", re.S)  # fmt: skip
_LIKE_THIS = (
    "compare with ==, !=, < or >, join with &&, || and !, quote text, as in input.country == 'DE' && !input.sso"
)
_OVERLOAD = re.compile(r"found no matching overload for '_?([^_' ]+?)_?' applied to '(?:\w+\.)?\(?(.*?)\)?'")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a condition, and where in its text; `name` is the unknown word, if that is the matter."""

    rule: str
    message: str
    line: int = 1
    column: int = 1
    name: str | None = None


class Result(NamedTuple):
    """Whether a condition holds, and what kept it from being decided, if anything did."""

    holds: bool
    why: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Declarations:
    """The names a condition may use. Two of them are the same when their signatures are."""

    inputs: Mapping[str, Field]
    facts: Mapping[str, Field]
    items: Mapping[str, tuple[str, ...]]
    milestones: tuple[str, ...]
    signature: str = field(default="")

    def __hash__(self) -> int:
        return hash(self.signature)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Declarations) and other.signature == self.signature


def declare(inputs: tuple[Field, ...], items: tuple[Item, ...], milestones: tuple[str, ...]) -> Declarations:
    """Declarations of these parts of a definition."""
    facts = {given.name: given for item in items for given in (*item.fields, *item.provides)}
    outcomes = {
        item.id: tuple(outcome.name for outcome in item.outcomes) for item in items if item.kind is ItemKind.APPROVAL
    }
    parts = {item.id: outcomes.get(item.id, ()) for item in items}
    typed = [(each.name, each.type.value, each.values) for each in (*inputs, *facts.values())]
    signature = repr((len(inputs), typed, parts, milestones))
    return Declarations({each.name: each for each in inputs}, facts, parts, milestones, signature)


class _Same:
    """Makes a value a cache key by identity: a definition is large, frozen and made once."""

    __slots__ = ("value",)

    def __init__(self, value: Definition) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


def declarations_of(definition: Definition) -> Declarations:
    """The declarations of a compiled definition; asking again for the same one costs nothing."""
    return _declarations(_Same(definition))


@lru_cache(maxsize=64)
def _declarations(same: _Same) -> Declarations:
    definition = same.value
    milestones = tuple(stage.milestone for stage in definition.stages if stage.milestone)
    return declare(definition.inputs, definition.items, milestones)


def reference_kind(text: str) -> tuple[ConditionKind, str]:
    """How an entry of a gate is read: a fact, an item, or an expression."""
    fact = _FACT.fullmatch(text)
    if fact:
        return ConditionKind.FACT, fact.group(1)
    if _PLAIN.fullmatch(text) and text not in (*ROOTS, "true", "false"):
        return ConditionKind.ITEM, text
    return ConditionKind.CEL, text


def only_inputs(text: str) -> bool:
    """Whether a condition refers to start inputs and nothing else."""
    return all(reference.names[0] == "input" for reference in read(text[:MAX_CONDITION]).references)


def warm() -> None:
    """Pay the price of the first expression of a process (a third of a second) outside of a workflow task."""
    cel.NewEnv(variables={}).compile("true")


@dataclass(frozen=True, slots=True)
class _Variable:
    """A declared name: where its value lies in the activation."""

    name: str
    path: tuple[str, ...]
    number: bool
    asked: bool


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled condition."""

    expression: Any
    variables: tuple[_Variable, ...]

    def evaluate(self, activation: Mapping[str, Any]) -> Result:
        """The result for these values; never raises."""
        values: dict[str, Any] = {}
        absent: str | None = None
        for variable in self.variables:
            value: Any = activation
            for step in variable.path:
                value = value.get(step) if isinstance(value, Mapping) else None
            if variable.asked:
                values[variable.name] = value is not None
            elif value is None:
                absent = absent or variable.name
            else:
                values[variable.name] = float(value) if variable.number and isinstance(value, int) else _plain(value)
        try:
            found = self.expression.eval(data=values).value()
        except Exception:  # what the engine of another language raises is no reason to stop a run
            found = None
        if isinstance(found, bool):
            return Result(found)
        return Result(False, f"{absent} is not known yet" if absent else "it cannot be decided with the values known")


def evaluate(declarations: Declarations, text: str, activation: Mapping[str, Any]) -> Result:
    """Whether a condition holds for these values. What is absent makes it false and is named."""
    program = program_of(declarations, text)
    if isinstance(program, Problem):
        return Result(False, program.message)
    return program.evaluate(activation)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


@lru_cache(maxsize=4_096)
def program_of(declarations: Declarations, text: str) -> Program | Problem:
    """The compiled condition, or what the CEL package has against it."""
    reading = read(text)
    variables: dict[str, _Variable] = {}
    types: dict[str, FieldType] = {}
    for reference in reading.references:
        path = reference.names[: {"items": 3, "debt": 1}.get(reference.names[0], 2)]
        asked = reference.asked and len(reference.names) == len(path)
        name = ".".join(("has", *path) if asked else path)
        kind = _type(declarations, path)
        variables[name] = _Variable(name, path, kind is FieldType.NUMBER, asked)
        types[name] = FieldType.BOOL if asked else kind
    expression = _compiled(reading.rewritten, tuple(types.items()))
    return expression if isinstance(expression, Problem) else Program(expression, tuple(variables.values()))


@lru_cache(maxsize=4_096)
def _compiled(text: str, types: tuple[tuple[str, FieldType], ...]) -> Any:
    """What the CEL package makes of a text, or has against it. Runs of many definitions share it: compiling is what costs."""
    try:
        expression = cel.NewEnv(variables={name: _TYPES.get(kind, cel.Type.STRING) for name, kind in types}).compile(
            text
        )
    except Exception as error:
        return _from_cel(str(error))
    found = expression.return_type().name()
    if found != "BOOL":
        return Problem(
            "condition_type", f"A condition is true or false, this one is a {_word(found)}: compare it with something."
        )
    return expression


_TYPES = {
    FieldType.INT: cel.Type.INT,
    FieldType.NUMBER: cel.Type.DOUBLE,
    FieldType.BOOL: cel.Type.BOOL,
    FieldType.LIST: cel.Type.List(cel.Type.DYN),
    FieldType.CONTACTS: cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN)),
}
"""Texts and what is written as one are not listed."""


def _type(declarations: Declarations, path: tuple[str, ...]) -> FieldType:
    if path[0] == "debt":
        return FieldType.INT
    if path[0] == "milestones" or (path[0] == "items" and path[-1:] == ("done",)):
        return FieldType.BOOL
    table = {"input": declarations.inputs, "facts": declarations.facts}.get(path[0], {})
    found = table.get(path[1]) if len(path) > 1 else None
    return FieldType.STRING if found is None else found.type


def _word(cel_type: str) -> str:
    words = {
        "STRING": "text",
        "INT": "whole number",
        "DOUBLE": "number",
        "LIST": "list",
        "MAP": "mapping",
        "NULL": "nothing",
    }
    return words.get(cel_type.upper().partition("(")[0].partition("<")[0], "value")


def _from_cel(text: str) -> Problem:
    place = _CEL_PLACE.search(text)
    if place is None:
        return Problem("condition_nesting", "The condition is nested too deeply: split it into several.")
    line, column, said = int(place.group(1)), int(place.group(2)), place.group(3)
    overload = _OVERLOAD.search(said)
    if overload:
        operator, kinds = overload.groups()
        words = " and ".join(_word(kind.strip()) for kind in kinds.split(",") if kind.strip())
        hint = "; write whole numbers as 2.0 beside a number" if "double" in kinds and "int" in kinds else ""
        return Problem(
            "condition_type", f"{operator!r} does not fit {words}: compare values of one type{hint}.", line, column
        )
    rule = "condition_syntax" if "yntax error" in said else "condition_type"
    said = said.removeprefix("Syntax error: ").removesuffix(" [INVALID_ARGUMENT]")
    return Problem(rule, f"{_in_our_words(said)}: {_LIKE_THIS}.", line, column)


def _in_our_words(said: str) -> str:
    """What the parser found: its own words speak of its grammar, and not of the condition."""
    if said.startswith("missing "):
        return f"The condition lacks {said.removeprefix('missing ').split(' at ')[0]} here"
    found = _FOUND.match(said)
    if found is None:
        return f"The condition cannot be used here ({said.split(' (in container')[0]})"
    if found.group(1) == "<EOF>":
        return "The condition ends too early, something is missing behind its last word"
    return f"{found.group(1).strip()!r} cannot stand here in the condition"
