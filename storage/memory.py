"""The same contracts in memory: records, outbox and reads, for tests and for trying things without a file.

Not a database: one process, nothing survives it. The tests run one list of claims against this and
against the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from onboarding.engine.effects import (
    FaultRow,
    HandoffRow,
    ItemRow,
    LedgerRow,
    MilestoneRow,
    RunRow,
    StageRow,
    WaitingRow,
    WriteRecords,
)
from onboarding.engine.state import Promise, RefusedEntry, TrailEntry
from onboarding.ports import HeldNotice
from storage import rows
from storage.memory_outbox import Kept, MemoryOutbox
from storage.records import answer_to, told_anew


@dataclass(slots=True, kw_only=True)
class KeptRun:
    """All rows of one run."""

    row: RunRow
    chain: str = ""
    batch: str = ""
    decided_at: datetime | None = None
    stages: dict[tuple[str, int], StageRow] = field(default_factory=dict)
    items: dict[tuple[str, int], ItemRow] = field(default_factory=dict)
    trail: dict[int, TrailEntry] = field(default_factory=dict)
    ledger: dict[int, LedgerRow] = field(default_factory=dict)
    refused: dict[int, RefusedEntry] = field(default_factory=dict)
    milestones: tuple[MilestoneRow, ...] = ()
    handoffs: dict[tuple[str, int], HandoffRow] = field(default_factory=dict)
    promises: dict[int, Promise] = field(default_factory=dict)
    faults: dict[tuple[str, str, int, int], FaultRow] = field(default_factory=dict)
    waiting: dict[tuple[str, str, str], WaitingRow] = field(default_factory=dict)


class MemoryStore(MemoryOutbox):
    """Fulfils `onboarding.ports.RecordStore` and what the outbox asks for, and answers simple reads."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Empty."""
        super().__init__(clock)
        self.kept: dict[str, KeptRun] = {}

    # Writes.

    def write(self, records: WriteRecords) -> str:
        """As `SqlRecordStore.write`. Raises `RecordConflict`, and then has written nothing."""
        with self._lock:
            run = self.kept.get(records.run.run)
            answer = answer_to(records, run)
            if answer is not None:
                return answer
            if run is None:
                run = self.kept[records.run.run] = KeptRun(row=records.run)
            if records.whole:
                _clear(run, records)
                if run.batch not in ("", records.follows):
                    self._forget(records.run.run, run.batch)
            run.row, run.chain = records.run, records.chain
            run.batch, run.decided_at = records.id, records.decided_at
            run.stages.update({(row.stage, row.visit): row for row in records.stages})
            run.items.update({(row.item, row.round): row for row in records.items})
            run.trail.update({row.n: row for row in records.trail})
            run.ledger.update({row.n: row for row in records.ledger})
            run.refused.update({row.n: row for row in records.refused})
            run.promises.update({row.n: row for row in records.promises})
            run.handoffs.update({(row.item, row.n): row for row in records.handoffs})
            run.faults.update({(row.source, row.item, row.n, row.k): rows.kept_fault(row) for row in records.faults})
            if records.milestones is not None:
                run.milestones = records.milestones
            run.waiting = {
                key: row for key, row in run.waiting.items() if not records.whole and key[:2] not in records.waited
            } | {(row.kind, row.about, row.person): row for row in records.waiting}
            for notice in records.notices:
                kept = self.notices.get(notice.key)
                if kept is None or (kept.state == "pending" and kept.batch is not None):
                    self.notices[notice.key] = Kept(
                        state="pending", notice=notice, batch=records.id, execution=records.execution
                    )
            for key in records.withdrawn:
                self.withdraw(key)
            return records.id

    def held(self, most: int) -> Sequence[HeldNotice]:
        """As `SqlNoticeStore.held`."""
        with self._lock:
            return [
                HeldNotice(kept.notice, kept.batch, kept.execution, self._stands(kept.notice.run) or kept.batch)
                for kept in self.notices.values()
                if kept.state == "pending" and kept.notice is not None and kept.batch is not None
            ][:most]

    def _stands(self, run: str) -> str:
        kept = self.kept.get(run)
        return "" if kept is None else kept.batch

    def forget(self, run: str, batch: str) -> None:
        """As `SqlNoticeStore.forget`."""
        with self._lock:
            self._forget(run, batch)

    def _forget(self, run: str, batch: str) -> None:
        waits = [
            key
            for key, kept in self.notices.items()
            if kept.state == "pending" and kept.batch == batch and kept.notice is not None and kept.notice.run == run
        ]
        for key in waits:
            del self.notices[key]

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
            rows.notice_shape(kept.notice, kept)
            for kept in self.notices.values()
            if kept.notice is not None and run in (None, kept.notice.run)
        ]
        return {"rows": sorted(found, key=lambda row: (row["at"], row["key"])), "next_cursor": None}


def _clear(run: KeptRun, records: WriteRecords) -> None:
    """As its namesake in `storage/records.py`."""
    given: list[tuple[dict[int, Any], Sequence[Any]]] = [
        (run.trail, records.trail), (run.ledger, records.ledger), (run.refused, records.refused), (run.promises, records.promises),
    ]  # fmt: skip
    for stored, known in given:
        for n in [n for n in stored if n > max((row.n for row in known), default=0)]:
            del stored[n]
    rounds = {row.item: row.round for row in records.items}
    visits = {row.stage: row.visit for row in records.stages}
    run.items = {key: row for key, row in run.items.items() if key[1] <= rounds.get(key[0], 0)}
    run.stages = {key: row for key, row in run.stages.items() if key[1] <= visits.get(key[0], 0)}
    handed = {row.item: row.n for row in records.handoffs}
    run.handoffs = {key: row for key, row in run.handoffs.items() if key[1] <= handed.get(key[0], 0)}
    refused = min((row.n for row in records.refused), default=0)
    brought = told_anew(records)
    run.faults = {
        key: row
        for key, row in run.faults.items()
        if (key[2] < refused if key[0] == "signal" else key[2] < rounds.get(key[1], 0) and key[1:3] not in brought)
    }
