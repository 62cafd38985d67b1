"""Which runs a read is about: what a report and an export are narrowed by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from storage.tables import RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Every run, or those of these names, definitions and owners, counted from an instant (`since`) to before another (`until`)."""

    runs: tuple[str, ...] = ()
    definition: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether no run is left out."""
        return not (self.runs or self.definition or self.owner or self.since or self.until)

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row of `runs` must fulfil."""
        named = (RUNS.c.run, self.runs), (RUNS.c.definition, self.definition), (RUNS.c.owner, self.owner)
        found: list[ColumnElement[bool]] = [column.in_(wanted) for column, wanted in named if wanted]
        if self.since is not None:
            found.append(RUNS.c.counted_from >= self.since)
        if self.until is not None:
            found.append(RUNS.c.counted_from < self.until)
        return found
