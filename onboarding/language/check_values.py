"""Cross rules inside one typed value: what its type has, and what fits it."""

from collections.abc import Mapping
from typing import Any

import re2

from onboarding import limits
from onboarding.language.checking import Checking
from onboarding.language.grammar import FieldRule, InputRule
from onboarding.language.lowering import fields_of
from onboarding.language.model import FieldType
from onboarding.language.places import Path
from onboarding.language.values import check_value

_SIZED = (FieldType.STRING, FieldType.INT, FieldType.NUMBER, FieldType.LIST, FieldType.CONTACTS)
_TEXTS = (
    FieldType.STRING,
    FieldType.EMAIL,
    FieldType.PHONE,
    FieldType.URL,
    FieldType.COUNTRY,
    FieldType.VAT,
    FieldType.IBAN,
)


def check_field(checking: Checking, path: Path, name: str, rule: FieldRule) -> None:
    """A field, fact or input has values, bounds, pattern and default that fit its type."""
    faults, kind = checking.faults, rule.type
    if kind is FieldType.ENUM and not rule.values:
        faults.add(
            "enum_values", path, f"The enum {name!r} has no values: add `values: [a, b]`.", key=True, name="values"
        )
    elif kind is not FieldType.ENUM and rule.values:
        faults.add(
            "enum_values",
            (*path, "values"),
            f"Only an enum has values: write `type: enum`, or remove them from {name!r}.",
            key=True,
        )
    for key in ("min", "max"):
        bound = getattr(rule, key)
        if bound is not None and kind not in _SIZED:
            faults.add(
                "bound_not_used",
                (*path, key),
                f"A {kind.value} has no size, so {key} means nothing: remove it.",
                key=True,
            )
        elif (
            bound is not None
            and kind is not FieldType.NUMBER
            and (not isinstance(bound, int) or (kind is not FieldType.INT and bound < 0))
        ):
            faults.add("wrong_value", (*path, key), f"The {key} of a {kind.value} is a whole number of things.")
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        faults.add(
            "min_over_max",
            (*path, "min"),
            f"The min {rule.min} of {name!r} is above its max {rule.max}: exchange them.",
        )
    if rule.pattern is not None:
        _pattern(checking, (*path, "pattern"), rule)
    if isinstance(rule, InputRule) and rule.default is not None:
        _default(checking, path, name, rule)


def _pattern(checking: Checking, path: Path, rule: FieldRule) -> None:
    if rule.type not in _TEXTS:
        checking.faults.add(
            "pattern_not_used", path, f"A pattern is for text, and a {rule.type.value} is none: remove it.", key=True
        )
        return
    try:
        re2.compile(rule.pattern or "", _quiet())
    except Exception:  # the package has an error type of its own for some, and none for others
        sentence = (
            "The pattern is not RE2: look-around and back-references take unbounded time and are not known there."
        )
        checking.faults.add("bad_pattern", path, sentence)


def check_patterns(checking: Checking, path: Path, rules: Mapping[str, FieldRule]) -> None:
    """All patterns of one form together take less than a quarter of a second, whatever texts they are given."""
    work = sum(_work(rule) for rule in rules.values() if rule.pattern is not None and rule.type in _TEXTS)
    if work > limits.PATTERN_WORK:
        sentence = (
            "The patterns here could take long on long texts: give their fields a `max`, or write fewer repetitions."
        )
        checking.faults.add("bad_pattern", path, sentence, key=True)


def _work(rule: FieldRule) -> int:
    """Steps of a pattern's program, each of which may be taken for each character."""
    try:
        program: int = re2.compile(rule.pattern or "", _quiet()).programsize
    except Exception:  # reported at its own place
        return 0
    most = int(rule.max) if rule.max is not None else limits.TEXT_LENGTH
    return program * min(max(most, limits.PATTERN_TEXT), limits.TEXT_LENGTH)


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _default(checking: Checking, path: Path, name: str, rule: InputRule) -> None:
    field = fields_of({name: rule})[0]
    broken = rule.type is FieldType.ENUM and not rule.values
    found = () if broken else check_value(field, rule.default)
    if found:
        quote = "; put it in quotes" if rule.type in _TEXTS and not isinstance(rule.default, str) else ""
        sentence = f"The default of {name!r} does not fit: {found[0].sentence.rstrip('.')}{quote}."
        checking.faults.add("default_type", (*path, "default"), sentence)
