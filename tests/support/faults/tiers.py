"""How long a loop of faults is: C with every change, F for the whole of it, R before a release. And the seed that it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

NAMES = ("C", "F", "R")
"""From the shortest to the longest."""
USUAL_SEED = 20_261
"""Of the short form: what fails there was broken by a change and not by a new draw."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Tier:
    """The form in which the loops of this session run. `seed` is the one to draw from, and to repeat with."""

    name: str
    seed: int

    def of(self, c: _Value, f: _Value, r: _Value | None = None) -> _Value:
        """The value for this tier; a release takes that of F where it has none of its own."""
        if self.name == "C":
            return c
        return f if self.name == "F" or r is None else r

    @property
    def counts(self) -> bool:
        """Whether its trials are added up: the short form draws the same ones every time, which proves nothing new."""
        return self.name != "C"

    def command(self, test: str) -> str:
        """The one command that repeats a test of this session, draw by draw."""
        return f'.venv/bin/python -m pytest -s "{test}" --tier {self.name} --seed {self.seed}'
