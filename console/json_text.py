"""JSON as people type it: a key that stands twice is refused, because whoever wrote it does not know which one counts."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


class KeyTwice(Exception):
    """A key stands twice in one object. `place` is its JSON pointer."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(place)


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written."""


def read(text: str) -> Any:
    """The value of a text. Raises `KeyTwice`, `ValueError` for what is no JSON, `RecursionError` for what is nested too deep."""
    found = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_Pairs)
    return _plain(found, "")


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, _Pairs):
        found: dict[str, Any] = {}
        for key, inner in value:
            below = f"{place}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in found:
                raise KeyTwice(below)
            found[key] = _plain(inner, below)
        return found
    if isinstance(value, list):
        return [_plain(inner, f"{place}/{n}") for n, inner in enumerate(value)]
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(digits: str) -> float:
    """Python reads 1e999 as infinity, which nobody can write as JSON again."""
    found = float(digits)
    if not math.isfinite(found):
        raise ValueError("a number beyond all that can be held")
    return found
