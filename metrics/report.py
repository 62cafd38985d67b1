"""Time-to-value numbers from rows: pure, so that every number can be computed again at any time.

A percentile is found by linear interpolation between the two nearest values, with the smallest at 0 %
and the largest at 100 % (the default of NumPy and of spreadsheets: `PERCENTILE.INC`). So a median of
two runs lies between them, and every percentile of one run is its own value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

SIDES = ("customer", "provider", "third_party", "hold", "off_hours")
"""What every second of a run is booked to, exactly one of them."""
DIMENSIONS = ("definition", "version", "variant", "segment", "owner")
"""What a report can be made by; several of them together give a line for each combination."""
CLOSED = "closed"


class RunFigures(Protocol):
    """What a report reads of a run: `RunRow`, or a row of `ReadTable.figures`."""

    @property
    def run(self) -> str: ...
    @property
    def definition(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def hash(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def segment(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def signed_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def milestones(self) -> Mapping[str, datetime]: ...
    @property
    def metrics(self) -> Mapping[str, int | None]: ...


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """Where a ledger does not lie end to end: the entry's number, and what is wrong with it."""

    n: int
    sentence: str


def of_run(row: RunFigures, ledger: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The numbers of one run; milestones in seconds since signing, or since the start where nothing was signed."""
    since = row.signed_at or row.started_at
    end = row.closed_at
    return {
        "run": row.run,
        "definition": {
            "id": row.definition,
            "version": row.version,
            "hash": row.hash,
            "variant": row.variant,
        },
        "state": row.state,
        "outcome": row.outcome,
        "elapsed": None if end is None else _seconds(end, row.started_at),
        "since": "signed_at" if row.signed_at else "started_at",
        "milestones": {name: _seconds(at, since) for name, at in row.milestones.items()},
        "by_side": by_side(ledger),
        "metrics": dict(row.metrics),
    }


def aggregate(runs: Iterable[RunFigures], by: Sequence[str] = ("definition",)) -> list[dict[str, Any]]:
    """Lines of `report`: runs (open ones too), how many are open, and each metric over the closed runs that have it.

    An open run's waiting time and asks are not what they will be: they would make a slow month look quick.

    Raises `ValueError` for a dimension that is not one of `DIMENSIONS`.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise ValueError(f"a report is made by {', '.join(DIMENSIONS)}, not by {name!r}")
    groups: dict[tuple[Any, ...], _Group] = {}
    for row in runs:
        groups.setdefault(tuple(getattr(row, name) for name in by), _Group()).add(row)
    # Two keys of one column are of one type, so that they can be sorted as they are.
    return [{"by": dict(zip(by, key, strict=True)), **groups[key].shape()} for key in sorted(groups)]


class _Group:
    """The runs of one line."""

    def __init__(self) -> None:
        self.runs = 0
        self.open = 0
        self.values: dict[str, list[int]] = {}

    def add(self, row: RunFigures) -> None:
        closed = row.state == CLOSED
        self.runs += 1
        self.open += not closed
        for name, value in row.metrics.items():
            values = self.values.setdefault(name, [])
            if closed and value is not None:
                values.append(value)

    def shape(self) -> dict[str, Any]:
        metrics = {name: spread(values) for name, values in sorted(self.values.items())}
        return {"runs": self.runs, "open": self.open, "metrics": metrics}


def spread(values: Sequence[int]) -> dict[str, Any]:
    """How many values there are, their median, and what 80 and 90 of 100 stay within."""
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "median": percentile(ordered, 50),
        "p80": percentile(ordered, 80),
        "p90": percentile(ordered, 90),
    }


def percentile(ordered: Sequence[int], percent: int) -> int | float | None:
    """A percentile of values in ascending order: whole where it is whole, `None` of nothing."""
    if not ordered:
        return None
    # In hundredths, as whole numbers: no rounding of a place that is exact.
    place, part = divmod((len(ordered) - 1) * percent, 100)
    if part == 0:
        return ordered[place]
    hundredths = ordered[place] * 100 + (ordered[place + 1] - ordered[place]) * part
    whole, rest = divmod(hundredths, 100)
    return whole if rest == 0 else hundredths / 100


def by_side(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Seconds by side; they add up to the seconds of the entries.

    Entries are rows of `ledger`. Of the time of a person only what lay in their working hours is theirs,
    the rest is off-hours; held time is held at any hour.
    """
    sums = dict.fromkeys(SIDES, 0)
    for entry in entries:
        side, seconds = entry["side"], entry["seconds"]
        working = seconds if side in ("hold", "off_hours") else entry["working_seconds"]
        sums[side] = sums.get(side, 0) + working
        sums["off_hours"] += seconds - working
    return sums


def ledger_of(entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, int | None] | None = None) -> dict[str, Any]:
    """The `ledger` read, from the rows of `ReadTable.ledger`."""
    return {
        "elapsed": sum(entry["seconds"] for entry in entries),
        "by_side": by_side(entries),
        "entries": list(entries),
        "metrics": dict(metrics or {}),
    }


def ledger_faults(
    entries: Sequence[Mapping[str, Any]], started_at: str, closed_at: str | None = None
) -> list[LedgerFault]:
    """Every place where entries do not lie end to end from start to close and add up; empty when all is well.

    Instants are texts, as in the rows. Without `closed_at` the last entry may end anywhere.
    """
    faults = []
    before = started_at
    for entry in entries:
        n, length = entry["n"], _between(entry["from"], entry["to"])
        if entry["from"] != before:
            faults.append(LedgerFault(n, f"begins at {entry['from']}, the one before ends at {before}"))  # fmt: skip
        if length < 0:
            faults.append(LedgerFault(n, "ends before it begins"))
        if length != entry["seconds"]:
            faults.append(LedgerFault(n, f"says {entry['seconds']} seconds and lasts {length}"))
        if not 0 <= entry["working_seconds"] <= entry["seconds"]:
            faults.append(LedgerFault(n, "has more working time than time"))
        before = entry["to"]
    if closed_at is not None and before != closed_at:
        last = entries[-1]["n"] if entries else 0
        faults.append(LedgerFault(last, f"ends at {before}, the run closed at {closed_at}"))
    return faults


def _between(since: str, to: str) -> int:
    return _seconds(datetime.fromisoformat(to), datetime.fromisoformat(since))


def _seconds(to: datetime, since: datetime) -> int:
    return round((to - since).total_seconds())
