"""The numbers over all runs, from lines that a database has grouped: pure, so that every number can be computed again at any time.

What each number means, what it rests on and the query that finds it again stand in docs/numbers.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from metrics.spread import spread, with_open

DIMENSIONS = ("definition", "version", "variant", "segment", "owner", "month", "wave")
"""What a report can be made by; several of them together give a line for each combination."""
RATES = ("on_time", "went_live", "escalated", "customer_on_time", "first_pass")
"""Shares of something; each says of how many runs, and of how many things."""


def report(
    groups: Iterable[Mapping[str, Any]], stages: Iterable[Mapping[str, Any]], at: datetime
) -> list[dict[str, Any]]:
    """A line for each group, in the order of what it is made by, from what `storage.reporting.Reporting.read` has found.

    `at` is the instant of the report: what lasts is counted until then.
    """
    of: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for stage in stages:
        of.setdefault(_key(stage), []).append(stage)
    told = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Two keys of one column are of one type, so that they can be sorted as they are.
    return [_line(group, of.get(_key(group), ()), told) for group in sorted(groups, key=_key)]


def _key(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line["by"].values())


def _line(group: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], at: str) -> dict[str, Any]:
    numbers = {**group["values"], **group["own"]}
    closed = group["runs"] - group["open"]
    ordered = sorted(stages, key=lambda one: (one["definition"], one["place"], one["stage"]))
    return {
        "by": dict(group["by"]),
        "at": at,
        "runs": group["runs"],
        "open": group["open"],
        "outcomes": dict(group["outcomes"]),
        "metrics": {name: spread(values) for name, values in sorted(numbers.items())},
        "with_open": {name: with_open(*parts) for name, parts in group["waits"].items()},
        "rates": {name: _rate(*group["rates"][name]) for name in RATES},
        "sides": {"n": closed, "elapsed": group["elapsed"], **group["sides"]},
        "owners": spread(group["owners"]),
        "stages": [_stage(stage) for stage in ordered],
    }


def _rate(runs: int, n: int, count: int) -> dict[str, Any]:
    """How many of `n` things, which belong to so many runs."""
    return {"runs": runs, "n": n, "count": count, "rate": count / n if n else None}


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Who came into a stage and how they went on, and how long it took against what was planned."""
    counts = {name: stage[name] for name in ("left", "open", "lost", "cancelled")}
    actual = sorted(stage["actual"])
    return {
        "definition": stage["definition"],
        "stage": stage["stage"],
        "place": stage["place"],
        "entered": sum(counts.values()),
        **counts,
        "planned": spread(stage["planned"]),
        "actual": spread(actual),
        "with_open": with_open(actual, stage["lasts"], stage["broke_off"]),
        "within_target": _rate(stage["judged"], stage["judged"], stage["kept"]),
    }
