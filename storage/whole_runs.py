"""Everything that the rows hold of one run, at one instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, or_, select

from onboarding.errors import OnboardingError
from storage.chosen import Chosen
from storage.engine import reading
from storage.exporting import rows_of
from storage.tables import RUNS

_TABLES = (
    "runs", "items", "stages", "ledger", "trail", "milestones", "handoffs", "promises", "faults", "refused", "waiting", "erasures",
)  # fmt: skip
_PAGE = 1_000


class RowUnreadable(OnboardingError):
    """A column holds what none of ours can: somebody else has written it. `table` says where.

    Raised by `tables_of`. Show it as a difference; nothing of ours repairs it.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(table)

    def __str__(self) -> str:
        return f"A row of {self.table} cannot be read."


def names(engine: Engine, closed_since: datetime | None) -> Iterator[str]:
    """Every run that is open, and those that closed since then; without an instant all there are. In their order."""
    last = ""
    while True:
        query = select(RUNS.c.run).where(RUNS.c.run > last).order_by(RUNS.c.run).limit(_PAGE)
        if closed_since is not None:
            query = query.where(or_(RUNS.c.closed_at.is_(None), RUNS.c.closed_at >= closed_since))
        with reading(engine) as connection:
            found = connection.execute(query).scalars().all()
        yield from found
        if len(found) < _PAGE:
            return
        last = found[-1]


def tables_of(engine: Engine, run: str) -> dict[str, list[dict[str, Any]]] | None:
    """The rows of a run by table, none of them older than another; `None` for a run without rows. Raises `RowUnreadable`."""
    with reading(engine) as connection:
        found = {name: _read(connection, name, run) for name in _TABLES}
    return found if found["runs"] else None


def _read(connection: Connection, name: str, run: str) -> list[dict[str, Any]]:
    try:
        return list(rows_of(connection, name, Chosen(runs=(run,))))
    except (ValueError, TypeError, AttributeError):
        raise RowUnreadable(name) from None
