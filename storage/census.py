"""What dashboards count, grouped by the database: half a second for 10,000 open and 100,000 finished runs, measured.

Nothing here names a customer, a run or a person. Everything raises `DatabaseUnavailable` when the database fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, or_, select

from storage import standing
from storage.engine import reading
from storage.report_terms import SIDES
from storage.tables import RUNS, WAITING

Row = Mapping[str, Any]

WINDOW = timedelta(days=90)
"""How far back dashboards look for what has ended."""
PERCENTS = (50, 80, 90)


def census(engine: Engine, now: datetime) -> dict[str, Sequence[Row]]:
    """Counts by name, as `metrics.gauges` takes them; all of one instant."""
    since = now - WINDOW
    queries = {
        "open": _count("stage"),
        "health": _count("health"),
        "waiting": _count("waiting_on").add_columns(func.min(RUNS.c.waiting_since).label("oldest")),
        "at_risk": _endangered(now),
        "overdue": _overdue(now),
        "closed": _closed(since),
        "on_time": _on_time(since, now),
    }
    with reading(engine) as connection:
        found = {name: _rows(connection, query) for name, query in queries.items()}
        found["first_value"] = _rows(connection, _places(RUNS.c.time_to_first_value, RUNS.c.first_value_at >= since))
        found["live"] = _rows(connection, _places(RUNS.c.time_to_live, RUNS.c.live_at >= since))
    return found


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _count(name: str) -> Select[Any]:
    """Open runs by definition and one thing more."""
    query: Select[Any] = select(RUNS.c.definition, RUNS.c[name], func.count().label("count"))
    return query.where(standing.OPEN_RUN).group_by(RUNS.c.definition, RUNS.c[name])


def _endangered(now: datetime) -> Select[Any]:
    query: Select[Any] = select(RUNS.c.definition, func.count().label("count"))
    return query.where(standing.at_risk(now)).group_by(RUNS.c.definition)


def _overdue(now: datetime) -> Select[Any]:
    """What is overdue, each thing once, however many may do it."""
    return (
        select(WAITING.c.definition, WAITING.c.side, func.count().label("count"))
        .join(RUNS, RUNS.c.run == WAITING.c.run)
        .where(standing.overdue(now), WAITING.c.first)
        .group_by(WAITING.c.definition, WAITING.c.side)
    )


def _closed(since: datetime) -> Select[Any]:
    """Runs that have ended, by outcome: whose time they took, how many escalated, how punctual their customers were."""
    sums = [func.sum(RUNS.c[f"{side}_seconds"]).label(side) for side in SIDES]
    return (
        select(
            RUNS.c.definition,
            RUNS.c.outcome,
            func.count().label("count"),
            _how_many(RUNS.c.escalations > 0).label("escalated"),
            func.sum(RUNS.c.customer_due).label("customer_due"),
            func.sum(RUNS.c.customer_on_time).label("customer_on_time"),
            *sums,
        )
        .where(RUNS.c.closed_at >= since)
        .group_by(RUNS.c.definition, RUNS.c.outcome)
    )


def _on_time(since: datetime, now: datetime) -> Select[Any]:
    """Runs whose date has come, and those of them that were live by then; a run without a word since then was not."""
    return (
        select(RUNS.c.definition, func.count().label("count"), _how_many(RUNS.c.on_time).label("kept"))
        .where(RUNS.c.owed_at >= since, RUNS.c.owed_at <= now)
        .group_by(RUNS.c.definition)
    )


def _how_many(fits: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((fits, 1), else_=0))


def _places(value: ColumnElement[Any], wanted: ColumnElement[bool]) -> Select[Any]:
    """Of each definition those values, in ascending order, between which its percentiles lie."""
    ranked = (
        select(
            RUNS.c.definition,
            value.label("value"),
            (func.row_number().over(partition_by=RUNS.c.definition, order_by=value) - 1).label("place"),
            func.count().over(partition_by=RUNS.c.definition).label("count"),
        )
        .where(wanted, value.is_not(None))
        .subquery()
    )
    lower = [(ranked.c.count - 1) * percent // 100 for percent in PERCENTS]
    places = or_(*(ranked.c.place.in_((place, place + 1)) for place in lower))
    return select(ranked).where(places)
