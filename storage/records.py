"""The rows of a run, batch by batch, each written as a whole or not at all. Fulfils `onboarding.ports.RecordStore`.

Note [The chain of batches]
    Rows are written before the workflow task that decided them is history. A batch may come twice, late, or from a turn that
    is decided again, differently. So every batch names the one before it, and is written only where that one stands: whatever
    else comes finds another place and changes nothing. The run whose history goes on then brings all that stands, and that
    replaces what never happened. See docs/decisions/0004-rows-of-a-turn.md.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, bindparam, delete, select

from onboarding.crash_points import reached
from onboarding.engine.effects import WriteRecords
from onboarding.errors import RecordConflict
from onboarding.ports import INCOMPLETE, STALE
from storage.engine import writing
from storage.events import put_events, take_back
from storage.notices import add, forget, withdraw
from storage.rows import kept_fault, values_of
from storage.standing import alone_with, is_erased
from storage.tables import (
    FAULTS,
    HANDOFFS,
    ITEMS,
    LEDGER,
    MILESTONES,
    PROMISES,
    REFUSED,
    RUNS,
    STAGES,
    TRAIL,
    WAITING,
)
from storage.upserts import replacing


class SqlRecordStore:
    """Runs, items, stages, ledger, trail, refused list and outbox in one database."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def write(self, records: WriteRecords) -> str:
        """Writes a batch in one transaction; its id, or the word why nothing was written.

        Raises `RecordConflict` for a run that somebody else writes (never retry), `DatabaseUnavailable` when the database
        failed (nothing was written, try again).
        """
        run, now = records.run.run, datetime.now(UTC).replace(microsecond=0)
        with writing(self._engine) as connection:
            alone_with(connection, run)
            if is_erased(connection, run):
                raise RecordConflict("erasures", run)  # a run that was forgotten is not written again
            stored = connection.execute(_STORED, {"its": run}).first()
            answer = answer_to(records, stored)
            if answer is not None:
                return answer
            if records.whole:
                _clear(connection, records)
                take_back(connection, records)
                if stored is not None and stored.batch != records.follows:
                    forget(connection, run, stored.batch)
            place = {"chain": records.chain, "batch": records.id, "decided_at": records.decided_at}
            _put(connection, RUNS, [values_of(records.run) | place])
            reached("rec.mid_tx")
            _make_way(connection, records)
            for table, rows in (*states(records), *entries(records)):
                _put(connection, table, _of_run(records, rows))
            put_events(connection, _of_run(records, records.events), records, now)
            add(connection, records.notices, now, records)
            withdraw(connection, records.withdrawn, now)
        reached("rec.after_commit")
        return records.id


def answer_to(records: WriteRecords, stored: Any) -> str | None:
    """What a batch is told instead of being written, or `None` for one that has its place, see Note [The chain of batches].

    `stored` is the run as it stands, or `None`.
    """
    if stored is None:
        return INCOMPLETE if records.follows and not records.whole else None
    if stored.chain != records.chain:
        raise RecordConflict("runs", records.run.run)
    if stored.batch == records.id:
        return records.id
    if not records.whole:
        return None if stored.batch == records.follows else INCOMPLETE
    late = records.decided_at and stored.decided_at and records.decided_at < stored.decided_at
    return STALE if late else None


def entries(records: WriteRecords) -> tuple[tuple[Table, Sequence[Any]], ...]:
    """The numbered rows, by table."""
    return (
        (TRAIL, records.trail), (LEDGER, records.ledger), (REFUSED, records.refused), (PROMISES, records.promises),
    )  # fmt: skip


def states(records: WriteRecords) -> tuple[tuple[Table, Sequence[Any]], ...]:
    """The rows of what stands now, by table."""
    return (
        (STAGES, records.stages), (ITEMS, records.items), (MILESTONES, records.milestones or ()),
        (HANDOFFS, records.handoffs), (FAULTS, tuple(map(kept_fault, records.faults))), (WAITING, records.waiting),
    )  # fmt: skip


def _clear(connection: Connection, records: WriteRecords) -> None:
    """Takes away what a whole batch does not know: entries after its last, rounds and visits after the present ones."""
    run = records.run.run
    for table, rows in entries(records):
        last = max((row.n for row in rows), default=0)
        connection.execute(delete(table).where(table.c.run == run, table.c.n > last))
    present = {
        ITEMS: {row.item: row.round for row in records.items},
        STAGES: {row.stage: row.visit for row in records.stages},
        HANDOFFS: {row.item: row.n for row in records.handoffs},
    }
    for table, known in present.items():
        _, name, count = table.primary_key.columns
        for row in connection.execute(select(name, count).where(table.c.run == run)).all():
            if row[1] > known.get(row[0], 0):
                connection.execute(delete(table).where(table.c.run == run, name == row[0], count == row[1]))
    _clear_faults(connection, records)


def _clear_faults(connection: Connection, records: WriteRecords) -> None:
    """Faults of rounds and refused signals that never were, and of those that the batch brings."""
    of_run = FAULTS.c.run == records.run.run
    first = min((row.n for row in records.refused), default=0)
    connection.execute(delete(FAULTS).where(of_run, FAULTS.c.source == "signal", FAULTS.c.n >= first))
    answers = of_run, FAULTS.c.source == "answer"
    for item, present in {row.item: row.round for row in records.items}.items():
        connection.execute(delete(FAULTS).where(*answers, FAULTS.c.item == item, FAULTS.c.n >= present))
    for item, n in told_anew(records):
        connection.execute(delete(FAULTS).where(*answers, FAULTS.c.item == item, FAULTS.c.n == n))


def told_anew(records: WriteRecords) -> set[tuple[str, int]]:
    """Rounds of items of which a whole batch says the last word, and what was wrong in them."""
    rounds = {(row.item, row.round) for row in records.items}
    return rounds | {(row.item, row.n) for row in records.faults if row.source == "answer"}


def _make_way(connection: Connection, records: WriteRecords) -> None:
    """Takes away what the batch tells anew as a set."""
    run = records.run.run
    if records.milestones is not None:
        connection.execute(_NO_MILESTONES, {"its": run})
    if records.whole:
        connection.execute(delete(WAITING).where(WAITING.c.run == run))
    elif records.waited:
        connection.execute(_TOLD_ANEW, [{"its": run, "sort": kind, "of": about} for kind, about in records.waited])


def _of_run(records: WriteRecords, rows: Iterable[Any]) -> list[dict[str, Any]]:
    run = records.run
    of = {
        "run": run.run, "definition": run.definition, "version": run.version, "variant": run.variant, "hash": run.hash,
    }  # fmt: skip
    return [of | values_of(row) for row in rows]


def _put(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts each row, or replaces the one of its key."""
    if not rows:
        return
    names = _names(table)
    known = [{name: value for name, value in row.items() if name in names} for row in rows]
    connection.execute(replacing(connection.dialect.name, table), known)


@functools.cache
def _names(table: Table) -> frozenset[str]:
    return frozenset(table.c.keys())


# Built once: building one takes longer than running it.
_STORED = select(RUNS.c.chain, RUNS.c.batch, RUNS.c.decided_at).where(RUNS.c.run == bindparam("its"))
_NO_MILESTONES = delete(MILESTONES).where(MILESTONES.c.run == bindparam("its"))
_TOLD_ANEW = delete(WAITING).where(
    and_(WAITING.c.run == bindparam("its"), WAITING.c.kind == bindparam("sort"), WAITING.c.about == bindparam("of"))
)
