"""What the rows say of every open run, for whoever looks whether runs go on: a few columns, no contents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, and_, func, or_, select

from onboarding.reading.watching import PATIENCE, SHOWN, Kept, KeptNotice, Rows
from storage import standing
from storage.engine import reading
from storage.tables import NOTICES, RUNS, WAITING

NOTICES_TOLD = 1_000
"""Late notices that are looked at; more of them say nothing new."""
LATELY = timedelta(days=2)
"""For so long after its end a run is left alone while it takes back what its hooks did."""
_COLUMNS = tuple(SHOWN.values())


def rows_of_open_runs(engine: Engine, now: datetime) -> Rows:
    """Everything of one instant. Raises `DatabaseUnavailable`."""
    with reading(engine) as connection:
        passed = {row.run: row.due_at for row in connection.execute(_passed(now))}
        columns = (RUNS.c.run, RUNS.c.decided_at, RUNS.c.started_at, *(RUNS.c[name] for name in _COLUMNS))
        runs = {
            row.run: Kept(
                run=row.run, shown={name: getattr(row, name) for name in _COLUMNS}, decided_at=row.decided_at,
                started_at=row.started_at, passed_at=passed.get(row.run),
            )
            for row in connection.execute(select(*columns).where(standing.OPEN_RUN))
        }  # fmt: skip
        late = connection.execute(_late(now)).all()
        ended = connection.execute(select(RUNS.c.run).where(RUNS.c.closed_at >= now - LATELY)).scalars()
        return Rows(runs=runs, notices=tuple(_notice(row) for row in late), ended=frozenset(ended))


def _passed(now: datetime) -> Select[Any]:
    """Of each run the earliest date that is over, where nothing was decided since: every date that passes changes rows."""
    since = and_(standing.overdue(now), or_(RUNS.c.decided_at.is_(None), RUNS.c.decided_at < WAITING.c.due_at))
    return (
        select(WAITING.c.run, func.min(WAITING.c.due_at).label("due_at"))
        .join(RUNS, RUNS.c.run == WAITING.c.run)
        .where(since)
        .group_by(WAITING.c.run)
    )


def _late(now: datetime) -> Select[Any]:
    """Notices that nothing keeps any more."""
    free = func.coalesce(NOTICES.c.not_before, NOTICES.c.changed_at)
    return (
        select(NOTICES.c.run, NOTICES.c.not_before, NOTICES.c.changed_at, NOTICES.c.batch)
        .where(NOTICES.c.state == "pending", NOTICES.c.run.is_not(None), free <= now - PATIENCE)
        .order_by(NOTICES.c.changed_at)
        .limit(NOTICES_TOLD)
    )


def _notice(row: Any) -> KeptNotice:
    return KeptNotice(run=row.run, since=row.not_before or row.changed_at, held=row.batch is not None)
