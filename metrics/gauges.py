"""Business numbers for dashboards: what the gauges are called, what they mean, and their values from what was counted.

Pure. Labels are words of definitions and of ours, never a customer, a run or a person, and there are never more than `MOST`
definitions: those with the fewest runs are counted together as `other`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metrics.report import SIDES
from onboarding.percentile import percentile
from onboarding.reading.watching import Kind

Census = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by name: `open` (definition, stage, count), `health`, `waiting` (and `oldest`), `at_risk`, `overdue` (side), `closed` (outcome and
sums), `on_time` (count, kept), `first_value` and `live` (count, place, value)."""

MOST = 50
OTHER = "other"
_QUANTILES = {50: "0.5", 80: "0.8", 90: "0.9"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One number of many label sets. Of a `whole` one a label set that has vanished is 0, of another one unknown."""

    name: str
    means: str
    unit: str = ""
    labels: tuple[str, ...] = ("definition",)
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The value of one gauge for one set of labels."""

    name: str
    labels: Mapping[str, str]
    value: int | float


GAUGES: Mapping[str, Gauge] = {
    gauge.name: gauge
    for gauge in (
        Gauge(name="onboarding_open_runs", means="Open runs by the stage they are in.", labels=("definition", "stage")),
        Gauge(name="onboarding_runs_by_health", means="Open runs by health.", labels=("definition", "health")),
        Gauge(name="onboarding_runs_waiting", means="Open runs by whom they wait for.", labels=("definition", "waiting_on")),
        Gauge(
            name="onboarding_oldest_wait_seconds", means="How long the run that has waited longest has.", unit="s",
            labels=("definition", "waiting_on"),
        ),
        Gauge(name="onboarding_runs_at_risk", means="Open runs that are at risk, stalled, escalated, past their date, or likely to miss it."),
        Gauge(name="onboarding_overdue_items", means="Items, waivers and reviews of holds past their due date.", labels=("definition", "side")),
        Gauge(
            name="onboarding_closed_runs", means="Runs that closed in the last 90 days, by outcome.", labels=("definition", "outcome")
        ),
        Gauge(
            name="onboarding_time_to_first_value_seconds", means="Signature to first value, of runs that reached it in the last 90 days.",
            unit="s", labels=("definition", "quantile"), whole=False,
        ),
        Gauge(
            name="onboarding_time_to_live_seconds", means="Signature to fully live, of runs that came there in the last 90 days.",
            unit="s", labels=("definition", "quantile"), whole=False,
        ),
        Gauge(
            name="onboarding_on_time_ratio", means="Of the runs that were owed in the last 90 days, those live by then.", whole=False
        ),
        Gauge(
            name="onboarding_customer_on_time_ratio", means="Of what customers owed in runs closed in the last 90 days, what came in time.",
            whole=False,
        ),
        Gauge(
            name="onboarding_escalated_ratio", means="Of the runs that closed in the last 90 days, those that escalated.", whole=False
        ),
        Gauge(
            name="onboarding_side_seconds", means="Whose the time was, in runs that closed in the last 90 days.", unit="s",
            labels=("definition", "side"),
        ),
        Gauge(name="onboarding_runs_stuck", means="Open runs that do not go on, by what is wrong.", labels=("kind",)),
        Gauge(name="onboarding_numbers_read_at_seconds", means="When these numbers were read.", unit="s", labels=()),
    )
}  # fmt: skip
"""Every gauge by its name."""


def readings(census: Census, now: datetime) -> list[Reading]:
    """The value of every gauge for everything that was counted."""
    kept = _largest(census)
    found = [Reading(name="onboarding_numbers_read_at_seconds", labels={}, value=int(now.timestamp()))]
    found += _summed("onboarding_open_runs", "stage", census["open"], kept)
    found += _summed("onboarding_runs_by_health", "health", census["health"], kept)
    found += _summed("onboarding_runs_waiting", "waiting_on", census["waiting"], kept)
    found += _summed("onboarding_runs_at_risk", "", census["at_risk"], kept)
    found += _summed("onboarding_overdue_items", "side", census["overdue"], kept)
    found += _summed("onboarding_closed_runs", "outcome", census["closed"], kept)
    found += _oldest(census["waiting"], kept, now)
    found += _of_closed(census["closed"], kept)
    found += _ratios("onboarding_on_time_ratio", census["on_time"], "kept", "count", kept)
    found += _spread("onboarding_time_to_first_value_seconds", census["first_value"], kept)
    found += _spread("onboarding_time_to_live_seconds", census["live"], kept)
    return found


def stuck(counts: Mapping[Kind, int]) -> list[Reading]:
    """How many runs do not go on, by what is wrong with them; every kind is told, also with none."""
    return [
        Reading(name="onboarding_runs_stuck", labels={"kind": str(kind)}, value=count) for kind, count in counts.items()
    ]


def vanished(before: Sequence[Reading], now: Sequence[Reading]) -> list[Reading]:
    """What was told before and is not told any more: no runs, or no number."""
    told = {_key(one) for one in now}
    return [
        Reading(name=one.name, labels=one.labels, value=0 if GAUGES[one.name].whole else math.nan)
        for one in before
        if _key(one) not in told
    ]


def _key(one: Reading) -> tuple[Any, ...]:
    return one.name, *sorted(one.labels.items())


def _largest(census: Census) -> frozenset[str]:
    """The definitions that have a label of their own."""
    runs: dict[str, int] = {}
    for name in ("open", "closed", "on_time", "first_value", "live"):
        for row in census[name]:
            runs[row["definition"]] = runs.get(row["definition"], 0) + row["count"]
    return frozenset(sorted(runs, key=lambda one: (-runs[one], one))[:MOST])


def _summed(
    name: str, label: str, rows: Sequence[Mapping[str, Any]], kept: frozenset[str], column: str = "count"
) -> Iterator[Reading]:
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        own = row["definition"] in kept
        # The stages of another definition mean nothing beside those of all the others.
        word = str(row[label]) if label and (own or label != "stage") else OTHER if label else ""
        key = row["definition"] if own else OTHER, word
        sums[key] = sums.get(key, 0) + int(row[column] or 0)
    for (definition, word), count in sums.items():
        yield Reading(name=name, labels={"definition": definition, **({label: word} if label else {})}, value=count)


def _oldest(rows: Sequence[Mapping[str, Any]], kept: frozenset[str], now: datetime) -> Iterator[Reading]:
    longest: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["oldest"] is not None:
            key = row["definition"] if row["definition"] in kept else OTHER, str(row["waiting_on"])
            longest[key] = max(longest.get(key, 0), int((now - row["oldest"]).total_seconds()))
    for (definition, waiting_on), spent in longest.items():
        labels = {"definition": definition, "waiting_on": waiting_on}
        yield Reading(name="onboarding_oldest_wait_seconds", labels=labels, value=spent)


def _of_closed(rows: Sequence[Mapping[str, Any]], kept: frozenset[str]) -> Iterator[Reading]:
    yield from _ratios("onboarding_escalated_ratio", rows, "escalated", "count", kept)
    yield from _ratios("onboarding_customer_on_time_ratio", rows, "customer_on_time", "customer_due", kept)
    by_side = [{"definition": row["definition"], "side": side, "count": row[side]} for row in rows for side in SIDES]
    yield from _summed("onboarding_side_seconds", "side", by_side, kept)


def _ratios(
    name: str, rows: Sequence[Mapping[str, Any]], part: str, whole: str, kept: frozenset[str]
) -> Iterator[Reading]:
    parts = {one.labels["definition"]: one.value for one in _summed(name, "", rows, kept, part)}
    for one in _summed(name, "", rows, kept, whole):
        if one.value:
            yield Reading(name=name, labels=one.labels, value=parts[one.labels["definition"]] / one.value)


def _spread(name: str, rows: Sequence[Mapping[str, Any]], kept: frozenset[str]) -> Iterator[Reading]:
    """Percentiles of single definitions: those of several cannot be made one."""
    known: dict[str, _Picked] = {}
    for row in rows:
        if row["definition"] in kept:
            known.setdefault(row["definition"], _Picked(row["count"])).values[row["place"]] = row["value"]
    for definition, values in known.items():
        for percent, quantile in _QUANTILES.items():
            value = percentile(values, percent)
            if value is not None:
                yield Reading(name=name, labels={"definition": definition, "quantile": quantile}, value=value)


class _Picked(Sequence[int]):
    """Values in ascending order of which only those are here that a percentile needs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.values: dict[int, int] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        return self.values[place]
