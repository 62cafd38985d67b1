"""What a report over all runs is computed from: one line for each group of runs, and one for each stage of a group.

The database groups and adds; what needs every single value (a median does) comes as one text for each group, because a million
small values are slow to carry over one by one. Reads raise `DatabaseUnavailable` when the database fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, func, or_, select

from storage.chosen import Chosen
from storage.engine import reading
from storage.report_terms import CLOSED_RUN, SIDES, Epoch, Line, count_of, values_of, whole
from storage.stage_times import stage_rows, stages_of
from storage.tables import RUNS

REACHED = ("time_to_first_value", "time_to_live")
"""Columns that count as soon as they are known, whether the run is closed or not."""
CLOSED = (
    "elapsed", "customer_seconds", "provider_seconds", "third_party_seconds", "hold_seconds", "off_hours_seconds",
    "handoff_seconds", "longest_silence", "asks", "rounds",
)  # fmt: skip
"""Columns that count once the run is closed: before that they are not what they will be."""


class Reporting:
    """Reads over the rows that `SqlRecordStore` writes, for numbers over many runs."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def read(self, by: Sequence[str], chosen: Chosen, at: datetime) -> tuple[list[Line], list[Line]]:
        """The groups of runs and the stages of each group, as they stand at the instant of the report, for `metrics.overall.report`.

        Both belong to one moment of the database. Every line has `by`, the values of the columns that it is grouped by.
        """
        with reading(self._engine) as connection, ThreadPoolExecutor(1) as beside:
            found = _found(connection, by, chosen, at)
            # One connection, one statement at a time; what is found is put in order while the database looks for the rest.
            later = beside.submit(stage_rows, connection, by, chosen, at)
            return _groups(by, *found), stages_of(by, later.result())

    def known(self, name: Literal["definition", "owner"]) -> tuple[str, ...]:
        """Every definition or owner that a run has."""
        with reading(self._engine) as connection:
            return tuple(connection.execute(select(RUNS.c[name]).distinct().order_by(RUNS.c[name])).scalars())

    def count(self) -> int:
        """How many runs there are."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(RUNS)).scalar_one()

    def one(self, run: str) -> Any:
        """The row of one run, for `metrics.report.of_run`; `None` for a run that is not known here."""
        with reading(self._engine) as connection:
            return connection.execute(select(RUNS).where(RUNS.c.run == run)).first()


def _found(
    connection: Connection, by: Sequence[str], chosen: Chosen, at: datetime
) -> tuple[Sequence[Any], Sequence[Any]]:
    dims = [RUNS.c[name] for name in by]
    query = select(*dims, *(column.label(name) for name, column in _of_runs(int(at.timestamp())).items()))
    owners = select(*dims, func.count()).where(*chosen.conditions()).group_by(*dims, RUNS.c.owner)
    groups = query.where(*chosen.conditions()).group_by(*dims)
    return connection.execute(groups).all(), connection.execute(owners).all()


def _groups(by: Sequence[str], rows: Sequence[Any], owners: Sequence[Any]) -> list[Line]:
    having: dict[tuple[Any, ...], list[int]] = {}
    for owner in owners:
        having.setdefault(tuple(owner[:-1]), []).append(owner[-1])
    return [_group(dict(zip(by, row, strict=False)), having[tuple(row[: len(by)])], row._mapping) for row in rows]


def _of_runs(now: int) -> dict[str, ColumnElement[Any]]:
    """What is asked of a group of runs."""
    until = case((CLOSED_RUN, Epoch(RUNS.c.closed_at)), else_=now) - Epoch(RUNS.c.counted_from)
    columns: dict[str, ColumnElement[Any]] = {
        "runs": func.count(),
        "closed": count_of(CLOSED_RUN),
        **{outcome: count_of(RUNS.c.outcome == outcome) for outcome in ("live", "lost", "cancelled")},
        **{f"sum_{side}": func.sum(RUNS.c[f"{side}_seconds"]).filter(CLOSED_RUN) for side in SIDES},
        "sum_elapsed": func.sum(RUNS.c.elapsed),
        "escalated": count_of(and_(CLOSED_RUN, RUNS.c.escalations > 0)),
        "judged": count_of(or_(RUNS.c.on_time.is_not(None), and_(~CLOSED_RUN, Epoch(RUNS.c.owed_at) < now))),
        "on_time": count_of(RUNS.c.on_time.is_(True)),
        "own_closed": values_of(RUNS.c.metrics, CLOSED_RUN),
        "own_open": values_of(RUNS.c.metrics, ~CLOSED_RUN),
    }
    for name in ("requests", "first_pass", "customer_due", "customer_on_time"):
        columns[name] = func.sum(RUNS.c[name])
        columns[f"having_{name}"] = count_of(RUNS.c[name] > 0)
    for name in CLOSED:
        columns[f"closed_{name}"] = values_of(RUNS.c[name], CLOSED_RUN)
    for name in REACHED:
        value = RUNS.c[name]
        columns[f"closed_{name}"] = values_of(value, CLOSED_RUN)
        columns[f"open_{name}"] = values_of(value, ~CLOSED_RUN)
        columns[f"waits_{name}"] = values_of(until, and_(~CLOSED_RUN, value.is_(None)))
        columns[f"missed_{name}"] = values_of(until, and_(CLOSED_RUN, value.is_(None)))
    return columns


def _group(by: Line, owners: list[int], row: Any) -> Line:
    final = {name: whole(row[f"closed_{name}"]) for name in (*REACHED, *CLOSED)}
    own = _own(row, final)
    reached = {name: sorted(final[name] + whole(row[f"open_{name}"])) for name in REACHED}
    return {
        "by": by,
        "runs": row["runs"],
        "open": row["runs"] - row["closed"],
        "outcomes": {outcome: row[outcome] for outcome in ("live", "lost", "cancelled")},
        "values": {name: sorted(final[name]) for name in CLOSED} | reached,
        "own": {name: sorted(values) for name, values in own.items()},
        "waits": {name: (reached[name], whole(row[f"waits_{name}"]), whole(row[f"missed_{name}"])) for name in REACHED},
        "rates": {
            "on_time": (row["judged"], row["judged"], row["on_time"]),
            "went_live": (row["closed"], row["closed"], row["live"]),
            "escalated": (row["closed"], row["closed"], row["escalated"]),
            "customer_on_time": (row["having_customer_due"], int(row["customer_due"]), int(row["customer_on_time"])),
            "first_pass": (row["having_requests"], int(row["requests"]), int(row["first_pass"])),
        },
        "sides": {side: int(row[f"sum_{side}"] or 0) for side in SIDES},
        "elapsed": int(row["sum_elapsed"] or 0),
        "owners": owners,
    }


def _own(row: Any, final: dict[str, list[int]]) -> dict[str, list[int]]:
    """The metrics that definitions name, over closed runs.

    One that has the name of a column and says the same is told once; one that says something else (it may count on another
    clock) stands beside it.
    """
    own: dict[str, list[int]] = {}
    for metrics in whole(row["own_closed"]):
        for name, value in metrics.items():
            known = own.setdefault(name, [])
            if value is not None:
                known.append(value)
    for metrics in whole(row["own_open"]):
        for name in metrics:
            own.setdefault(name, [])
    for name in final.keys() & own.keys():
        values = own.pop(name)
        if values != final[name] and sorted(values) != sorted(final[name]):
            own[f"own.{name}"] = values
    return own
