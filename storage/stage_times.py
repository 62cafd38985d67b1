"""The stages of a report: how many runs came and went, and how long each took, for `storage.reporting`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
)

from storage.chosen import Chosen
from storage.report_terms import CLOSED_RUN, Epoch, Line, RunByRun, count_of, values_of, whole
from storage.tables import RUNS, STAGES, UtcInstant

_HOW = ("definition", "version", "variant")
"""What stands on the rows of stages themselves, and leads their index."""


def stage_rows(connection: Connection, by: Sequence[str], chosen: Chosen, at: datetime) -> list[Any]:
    """The rows that `stages_of` adds up: first visits, what later visits change, and stages that were not left."""
    queries = _first(by, chosen), _again(by, chosen), _lasting(by, chosen, at)
    return [row for query in queries for row in connection.execute(query)]


def stages_of(by: Sequence[str], rows: Sequence[Any]) -> list[Line]:
    """One line for each stage of each group: how many runs came and went, and how long each took, all its visits together."""
    merged: dict[tuple[Any, ...], Line] = {}
    for row in rows:
        told = row._mapping
        group = {name: told[name] for name in by}
        key = (*group.values(), told["definition"], told["stage"])
        line = merged.setdefault(
            key,
            {
                "by": group, "definition": told["definition"], "stage": told["stage"], "place": told["place"],
                **{name: list(none) if isinstance(none, tuple) else none for name, none in _NUMBERS.items()},
            },
        )  # fmt: skip
        line["place"] = min(line["place"], told["place"])
        for name in _NUMBERS.keys() & told.keys():
            value = told[name]
            line[name] += whole(value) if isinstance(_NUMBERS[name], tuple) else value
    for line in merged.values():
        for name in ("actual", "planned"):
            line[name] = _without(line[name], line.pop(f"not_{name}"))
    return list(merged.values())


_NUMBERS: Mapping[str, int | tuple[int, ...]] = {
    **dict.fromkeys(("left", "open", "lost", "cancelled", "judged", "kept"), 0),
    **dict.fromkeys(("planned", "not_planned", "actual", "not_actual", "lasts", "broke_off"), ()),
}
"""What is told of a stage, each as it is where nothing is told: a count, or single values."""


def _without(values: list[int], taken: list[int]) -> list[int]:
    """Values less as many of each as are taken away."""
    left = Counter(taken)
    if not left:
        return values
    kept = []
    for value in values:
        if left.get(value):
            left[value] -= 1
        else:
            kept.append(value)
    return kept


_ONE: ColumnElement[int] = literal_column("1")
"""Not a parameter: an index of some rows is used only where a statement says which."""
_SPENT = Epoch(STAGES.c.left_at) - Epoch(STAGES.c.entered_at)
_PLANNED = Epoch(STAGES.c.target_at) - Epoch(STAGES.c.entered_at)
_SEVERAL = select(STAGES.c.run, STAGES.c.stage).where(STAGES.c.visit > _ONE)
_REOPENED = _SEVERAL.distinct().subquery("reopened")
_FIRST = STAGES.c.visit == _ONE
_KEPT = STAGES.c.left_at <= STAGES.c.target_at
_VISITS = (
    select(
        _REOPENED.c.run,
        _REOPENED.c.stage,
        func.max(STAGES.c.visit).label("last"),
        cast(func.sum(_SPENT), BigInteger).label("spent"),
        func.max(case((_FIRST, _SPENT))).label("first_spent"),
        func.max(case((_FIRST, _PLANNED))).label("planned"),
        count_of(and_(_FIRST, _KEPT)).label("first_kept"),
    )
    .select_from(_REOPENED)
    # There always are visits; an outer join makes SQLite begin with the few that are reopened.
    .join(STAGES, and_(STAGES.c.run == _REOPENED.c.run, STAGES.c.stage == _REOPENED.c.stage), isouter=True)
    .group_by(_REOPENED.c.run, _REOPENED.c.stage)
    .subquery("visits")
)
"""Stages that were opened again: all their time counts, against what was planned for the first time."""
_OF_VISITS = and_(
    _VISITS.c.run == STAGES.c.run, _VISITS.c.stage == STAGES.c.stage, _VISITS.c.last == STAGES.c.visit
)  # fmt: skip


def _first(by: Sequence[str], chosen: Chosen) -> Select[Any]:
    """First visits that are over, as if no stage was ever opened again: to look that up for each of them takes longer than all the rest."""
    query = select(
        *_dims(by),
        func.min(STAGES.c.place).label("place"),
        func.count().label("left"),
        func.count(STAGES.c.target_at).label("judged"),
        count_of(_KEPT).label("kept"),
        values_of(_SPENT).label("actual"),
        values_of(_PLANNED).label("planned"),
    ).where(STAGES.c.left_at.is_not(None), _FIRST)
    if _looks_up_runs(by, chosen):
        first = query.select_from(RunByRun(RUNS, STAGES, RUNS.c.run == STAGES.c.run))
        return first.where(*chosen.conditions()).group_by(*_dims(by))
    return query.select_from(STAGES).group_by(*_dims(by))


def _again(by: Sequence[str], chosen: Chosen) -> Select[Any]:
    """What is different where a stage was opened again: its first visit does not count alone."""
    over = STAGES.c.left_at.is_not(None)
    query = (
        select(
            *_dims(by),
            func.min(STAGES.c.place).label("place"),
            (count_of(over) - func.count()).label("left"),
            (count_of(and_(over, STAGES.c.target_at.is_not(None))) - func.count(_VISITS.c.planned)).label("judged"),
            (count_of(_KEPT) - cast(func.sum(_VISITS.c.first_kept), BigInteger)).label("kept"),
            values_of(_VISITS.c.spent, over).label("actual"),
            values_of(_VISITS.c.first_spent).label("not_actual"),
            values_of(_VISITS.c.planned, ~over).label("not_planned"),
        )
        .select_from(_VISITS)
        .join(STAGES, _OF_VISITS)
    )
    return _grouped(query, by, chosen)


def _lasting(by: Sequence[str], chosen: Chosen, at: datetime) -> Select[Any]:
    """Stages that a run is in, or was in when it closed."""
    until = case((CLOSED_RUN, RUNS.c.closed_at), else_=literal(at, UtcInstant))
    spent = Epoch(until) - Epoch(STAGES.c.entered_at) + func.coalesce(_VISITS.c.spent, 0)
    query = (
        select(
            *_dims(by),
            func.min(STAGES.c.place).label("place"),
            count_of(~CLOSED_RUN).label("open"),
            count_of(RUNS.c.outcome == "lost").label("lost"),
            count_of(RUNS.c.outcome == "cancelled").label("cancelled"),
            count_of(STAGES.c.target_at < until).label("judged"),
            values_of(spent, ~CLOSED_RUN).label("lasts"),
            values_of(spent, CLOSED_RUN).label("broke_off"),
        )
        .select_from(STAGES)
        .join(_VISITS, _OF_VISITS, isouter=True)
        .where(STAGES.c.left_at.is_(None), STAGES.c.entered_at.is_not(None))
    )
    return _grouped(query, by, chosen, joined=True)


def _dims(by: Sequence[str]) -> list[Column[Any]]:
    """What stages are grouped by. Where runs need not be looked up it begins as an index does, so that nothing has to be sorted."""
    if _stands_on_stages(by):
        return [*(STAGES.c[name] for name in _HOW), STAGES.c.stage]
    return [
        *(STAGES.c[name] if name in _HOW else RUNS.c[name] for name in by),
        *([] if "definition" in by else [STAGES.c.definition]),
        STAGES.c.stage,
    ]


def _stands_on_stages(by: Sequence[str]) -> bool:
    return all(name in _HOW for name in by)


def _grouped(query: Select[Any], by: Sequence[str], chosen: Chosen, *, joined: bool = False) -> Select[Any]:
    if joined or _looks_up_runs(by, chosen):
        query = query.join(RUNS, RUNS.c.run == STAGES.c.run).where(*chosen.conditions())
    return query.group_by(*_dims(by))


def _looks_up_runs(by: Sequence[str], chosen: Chosen) -> bool:
    """Whether runs tell something that their stages do not."""
    return not (chosen.everything and _stands_on_stages(by))
