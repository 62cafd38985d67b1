"""Which names the rows know: what a command compares to the name that it was given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select

from storage.engine import reading
from storage.tables import RUNS


def runs_known(engine: Engine, names: Sequence[str]) -> frozenset[str]:
    """Those of these runs that have rows."""
    with reading(engine) as connection:
        return frozenset(connection.execute(select(RUNS.c.run).where(RUNS.c.run.in_(names))).scalars())


def definitions_known(engine: Engine) -> tuple[str, ...]:
    """The definitions of all runs, in order."""
    with reading(engine) as connection:
        return tuple(connection.execute(select(RUNS.c.definition).distinct().order_by(RUNS.c.definition)).scalars())
