"""What finished runs took: what forecasts of new ones and a look at what might have been rest on."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from sqlalchemy import Engine, case, func, select

from onboarding import limits
from onboarding.engine.state import History
from onboarding.percentile import percentile
from storage.engine import reading
from storage.report_terms import Epoch
from storage.tables import LEDGER, RUNS, STAGES

_LIVE = func.coalesce(RUNS.c.first_value_at, RUNS.c.closed_at)
"""When a run that ended well went live: at its first value, else with its end."""


class Histories:
    """Reads over the rows of runs that went live."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def of(self, definition: str, variant: str) -> History | None:
        """The latest finished runs of a definition and variant, for a start order; `None` where there is none."""
        latest = (
            select(RUNS.c.run, _LIVE.label("live"))
            .where(RUNS.c.definition == definition, RUNS.c.variant == variant, RUNS.c.outcome == "live")
            .order_by(RUNS.c.closed_at.desc(), RUNS.c.run)
            .limit(limits.HISTORY_RUNS)
            .subquery()
        )
        # A stage that was entered again lasted from its first visit to the end of its last.
        visits = (
            select(STAGES.c.stage, STAGES.c.run, STAGES.c.entered_at, STAGES.c.left_at, latest.c.live)
            .join(latest, latest.c.run == STAGES.c.run)
            .where(STAGES.c.entered_at.is_not(None), STAGES.c.left_at.is_not(None))
            .order_by(STAGES.c.place, STAGES.c.stage, STAGES.c.run, STAGES.c.visit)
        )
        with reading(self._engine) as connection:
            runs = connection.execute(select(func.count()).select_from(latest)).scalar() or 0
            found = connection.execute(visits).all()
        if runs == 0:
            return None
        stages: dict[str, list[tuple[int, int]]] = {}
        for (stage, _), group in groupby(found, key=lambda row: (row.stage, row.run)):
            rows = list(group)
            entered, live_at = rows[0].entered_at, rows[0].live
            if entered <= live_at:  # what comes after going live tells nothing of when that is
                left = min(rows[-1].left_at, live_at)
                stages.setdefault(stage, []).append((_seconds(entered, left), _seconds(entered, live_at)))
        return History(runs=runs, stages={stage: tuple(sorted(pairs)) for stage, pairs in stages.items()})

    def customer_medians(self, definition: str, variant: str) -> tuple[int, dict[str, int]]:
        """How many finished runs there are, and for each item the median of the seconds in which the customer had it.

        Elapsed seconds of the ledger until the run went live, all rounds of a run together, over the runs in which the customer had
        the item at all; an item that fewer than `limits.FORECAST_RUNS` runs had has no median.
        """
        finished = (RUNS.c.definition == definition, RUNS.c.variant == variant, RUNS.c.outcome == "live")
        until_live = case((LEDGER.c.to > _LIVE, Epoch(_LIVE) - Epoch(LEDGER.c.since)), else_=LEDGER.c.seconds)
        seconds = func.sum(until_live)
        spent = (
            select(LEDGER.c.item, seconds.label("seconds"))
            .join(RUNS, RUNS.c.run == LEDGER.c.run)
            .where(*finished, LEDGER.c.side == "customer", LEDGER.c.item != "", LEDGER.c.since < _LIVE)
            .group_by(LEDGER.c.run, LEDGER.c.item)
            .order_by(LEDGER.c.item, seconds)
        )
        with reading(self._engine) as connection:
            runs = connection.execute(select(func.count()).select_from(RUNS).where(*finished)).scalar() or 0
            found = connection.execute(spent).all()
        taken = {
            item: [int(row.seconds) for row in rows] for item, rows in groupby(found, key=lambda row: str(row.item))
        }
        return runs, {
            item: round(percentile(values, 50) or 0)
            for item, values in taken.items()
            if len(values) >= limits.FORECAST_RUNS
        }


def _seconds(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds())
