"""The same contracts in memory: records, outbox and reads, for tests and for trying things without a file.

Not a database: one process, nothing survives it. The tests run one list of claims against this and
against the tables.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from onboarding.engine.effects import (
    ItemRow,
    LedgerRow,
    Notice,
    RunRow,
    StageRow,
    WriteRecords,
)
from onboarding.engine.state import RefusedEntry, TrailEntry
from onboarding.errors import RecordConflict
from storage import rows
from storage.records import Marks, is_older


@dataclass(slots=True, kw_only=True)
class Kept:
    """A key of the outbox. `notice` is `None` for one that was withdrawn before it came."""

    state: str
    notice: Notice | None
    sent_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class KeptRun:
    """All rows of one run."""

    row: RunRow
    marks: dict[str, str] = field(default_factory=dict)
    stages: dict[tuple[str, int], StageRow] = field(default_factory=dict)
    items: dict[tuple[str, int], ItemRow] = field(default_factory=dict)
    trail: dict[int, TrailEntry] = field(default_factory=dict)
    ledger: dict[int, LedgerRow] = field(default_factory=dict)
    refused: dict[int, RefusedEntry] = field(default_factory=dict)


class MemoryStore:
    """Fulfils `onboarding.ports.RecordStore` and `integrations.outbox.NoticeStore`, and answers simple reads."""

    def __init__(self) -> None:
        """Empty."""
        self._lock = threading.RLock()
        self.kept: dict[str, KeptRun] = {}
        self.notices: dict[str, Kept] = {}

    # Writes.

    def write(self, records: WriteRecords) -> None:
        """As `SqlRecordStore.write`. Raises `RecordConflict`, and then has written nothing."""
        with self._lock:
            name = records.run.run
            run = self.kept.get(name)
            missing = {
                table: _missing(table, name, getattr(run, table, {}), getattr(records, table))
                for table in ("trail", "ledger", "refused")
            }
            new = any(missing.values())
            entries = records.trail or records.ledger or records.refused
            marks = Marks(run.marks if run else {}, _now())
            if run is None:
                run = self.kept[name] = KeptRun(row=records.run)
                fresh = True
            else:
                fresh = new or not (entries or is_older(records, run.row, marks))
            if fresh:
                if not new:
                    marks.add(records)
                run.row, run.marks = records.run, marks.kept
                run.stages.update({(row.stage, row.visit): row for row in records.stages})
                run.items.update({(row.item, row.round): row for row in records.items})
            for table, found in missing.items():
                getattr(run, table).update(found)
            for notice in records.notices:
                self.keep(notice)
            for key in records.withdrawn:
                self.withdraw(key)

    def keep(self, notice: Notice) -> str:
        """Keeps a notice as pending unless its key is known; its state now."""
        with self._lock:
            return self.notices.setdefault(notice.key, Kept(state="pending", notice=notice)).state

    def settle(self, key: str, state: str, at: datetime) -> bool:
        """Turns a pending or failed notice into `sent` or `failed`; `False` when it was not either."""
        with self._lock:
            kept = self.notices.get(key)
            if kept is None or kept.state not in ("pending", "failed"):
                return False
            kept.state, kept.sent_at = state, at if state == "sent" else None
            return True

    def withdraw(self, key: str) -> bool:
        """`True` when nobody will read the notice. A key that is not known stays withdrawn for ever."""
        with self._lock:
            kept = self.notices.setdefault(key, Kept(state="withdrawn", notice=None))
            if kept.state in ("pending", "failed"):
                kept.state = "withdrawn"
            return kept.state == "withdrawn"

    # Reads, in the shapes of `ReadTable`, without pages.

    def find(self, run: str) -> dict[str, Any] | None:
        """The line of a run, or `None`."""
        kept = self.kept.get(run)
        return None if kept is None else rows.run_shape(kept.row)

    def stages(self, run: str) -> list[dict[str, Any]]:
        """Every stage of a run in every visit."""
        return [rows.stage_shape(row) for _, row in sorted(self.kept[run].stages.items())]

    def items(self, run: str) -> list[dict[str, Any]]:
        """Every item of a run in every round."""
        return [rows.item_shape(row, run) for _, row in sorted(self.kept[run].items.items())]

    def trail(self, run: str) -> dict[str, Any]:
        """Who did what."""
        found = [rows.trail_shape(row) for _, row in sorted(self.kept[run].trail.items())]
        return {"rows": found, "next_cursor": None}

    def ledger(self, run: str) -> list[dict[str, Any]]:
        """The closed stretches of time."""
        return [rows.ledger_shape(row) for _, row in sorted(self.kept[run].ledger.items())]

    def refused(self, run: str) -> dict[str, Any]:
        """The refused signals."""
        found = [rows.refused_shape(row) for _, row in sorted(self.kept[run].refused.items())]
        return {"rows": found, "next_cursor": None}

    def outbox(self, run: str | None = None) -> dict[str, Any]:
        """What was sent, or would be."""
        found = [
            rows.notice_shape(kept.notice, kept.state)
            for kept in self.notices.values()
            if kept.notice is not None and run in (None, kept.notice.run)
        ]
        return {"rows": sorted(found, key=lambda row: (row["at"], row["key"])), "next_cursor": None}


def _missing(table: str, run: str, stored: dict[int, Any], given: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for row in given:
        known = stored.get(row.n) or found.setdefault(row.n, row)
        if rows.values_of(known) != rows.values_of(row):
            raise RecordConflict(table, f"{run}#{row.n}")
    return found


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
