"""The numbers of one run from its rows: pure, so that every number can be computed again at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

SIDES = ("customer", "provider", "third_party", "hold", "off_hours")
"""What every second of a run is booked to, exactly one of them."""


class RunFigures(Protocol):
    """What a report reads of its run: `RunRow`, or a row of `Reporting.one`."""

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
