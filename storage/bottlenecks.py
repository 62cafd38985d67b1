"""Where the time of closed runs went, and what their stages are called: what a report on a page needs beyond its numbers.

Reads raise `DatabaseUnavailable` when the database fails.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, func, select

from storage.chosen import Chosen
from storage.engine import reading
from storage.report_terms import values_of, whole
from storage.tables import LEDGER, RUNS, STAGES

RECENT = 20
"""The last runs of a definition that are asked what its stages are called: a stage may be missing in a variant."""


class Bottlenecks:
    """Reads over the ledger and the stages of the runs that a report is about."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def read(self, chosen: Chosen) -> list[dict[str, Any]]:
        """For each stage and side the elapsed seconds of every closed run in which that side had the turn there (`values`)."""
        each = (
            select(LEDGER.c.definition, LEDGER.c.stage, LEDGER.c.side, func.sum(LEDGER.c.seconds).label("seconds"))
            .join(RUNS, RUNS.c.run == LEDGER.c.run)
            .where(RUNS.c.state == "closed", *chosen.conditions())
            .group_by(LEDGER.c.run, LEDGER.c.definition, LEDGER.c.stage, LEDGER.c.side)
            .subquery("each")
        )
        names = (each.c.definition, each.c.stage, each.c.side)
        query = select(*names, values_of(each.c.seconds).label("told")).group_by(*names)
        with reading(self._engine) as connection:
            return [
                {"definition": row.definition, "stage": row.stage, "side": row.side, "values": whole(row.told)}
                for row in connection.execute(query.order_by(*names))
            ]  # fmt: skip

    def titles(self, definitions: tuple[str, ...]) -> dict[tuple[str, str], str]:
        """What the stages of these definitions are called in the latest runs that have them."""
        found: dict[tuple[str, str], str] = {}
        with reading(self._engine) as connection:
            for definition in definitions:
                for stage, title in _titles(connection, definition):
                    found.setdefault((definition, stage), title)
        return found


def _titles(connection: Connection, definition: str) -> list[tuple[str, str]]:
    latest = (
        select(RUNS.c.run)
        .where(RUNS.c.definition == definition)
        .order_by(RUNS.c.started_at.desc(), RUNS.c.run)
        .limit(RECENT)
        .subquery("latest")
    )
    query = (
        select(STAGES.c.stage, STAGES.c.title)
        .join(latest, latest.c.run == STAGES.c.run)
        .join(RUNS, RUNS.c.run == STAGES.c.run)
        .order_by(RUNS.c.started_at.desc(), RUNS.c.run, STAGES.c.stage)
    )
    return [(row.stage, row.title) for row in connection.execute(query)]
