"""The rows of one turn, written together or not at all. Fulfils `onboarding.ports.RecordStore`.

Note [A late attempt changes nothing]
    An attempt that ran into its time limit may still finish, after a second attempt and after newer
    turns. Entries of trail, ledger and refused list are written once by key, in the same transaction
    as the state of run, items and stages. So a batch all of whose entries are stored was applied as a
    whole: what stands there is the same or newer, and its state is not written again. A batch without
    any entry (a turn that only moved the clock) proves nothing by that. It is left out when it would
    reopen a closed run or lower a counter that only grows, or when the very same batch was applied
    within the last ten minutes: longer than any attempt can hang, since a writer waits five seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select

from onboarding.engine.effects import WriteRecords
from onboarding.errors import RecordConflict
from onboarding.messages import canonical_json
from storage.engine import writing
from storage.notices import add, insert, withdraw
from storage.rows import values_of
from storage.tables import ITEMS, LEDGER, REFUSED, RUNS, STAGES, TRAIL

LATE = timedelta(minutes=10)
"""How long a batch without entries is remembered."""
MARKS = 50
"""How many of them: more than a run can write in that time and need."""


class SqlRecordStore:
    """Runs, items, stages, ledger, trail, refused list and outbox in one database."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def write(self, records: WriteRecords) -> None:
        """Writes the rows in one transaction; the same rows again are success.

        Raises `RecordConflict` for an entry that stands there with other content (never retry),
        `DatabaseUnavailable` when the database failed (nothing was written, try again).
        """
        run, now = records.run.run, datetime.now(UTC).replace(microsecond=0)
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(run))))
            missing = [(table, _missing(connection, table, run, rows)) for table, rows in entries(records)]
            stored = connection.execute(select(RUNS).where(RUNS.c.run == run)).first()
            marks = Marks(stored.marks if stored else {}, now)
            new = any(rows for _, rows in missing)
            if new or not (_has_entries(records) or is_older(records, stored, marks)):
                if not new:
                    marks.add(records)
                _put(connection, RUNS, [values_of(records.run) | {"marks": marks.kept}])
                _put(connection, STAGES, _with_run(run, records.stages))
                _put(connection, ITEMS, _with_run(run, records.items))
            for table, rows in missing:
                if rows:
                    connection.execute(table.insert(), rows)
            for notice in records.notices:
                add(connection, notice, now)
            for key in records.withdrawn:
                withdraw(connection, key, now)


class Marks:
    """The digests of batches without entries that were applied lately, with the instant of each."""

    def __init__(self, kept: dict[str, str], now: datetime) -> None:
        """Forgets what is older than `LATE`."""
        self._now = now
        since = (now - LATE).isoformat()
        self.kept = {digest: at for digest, at in kept.items() if at >= since}

    def add(self, records: WriteRecords) -> None:
        """Remembers a batch."""
        latest = {**self.kept, digest_of(records): self._now.isoformat()}
        self.kept = dict(list(latest.items())[-MARKS:])

    def __contains__(self, records: WriteRecords) -> bool:
        return digest_of(records) in self.kept


def entries(records: WriteRecords) -> tuple[tuple[Table, Sequence[Any]], ...]:
    """What is written once, by table."""
    return ((TRAIL, records.trail), (LEDGER, records.ledger), (REFUSED, records.refused))


def is_older(records: WriteRecords, stored: Any, marks: Marks) -> bool:
    """Whether a batch without entries is a late attempt, see Note [A late attempt changes nothing]."""
    if stored is None:
        return False
    run = records.run
    counted = ("asks", "escalations", "refused")
    return (
        (stored.closed_at is not None and run.closed_at is None)
        or any(getattr(run, name) < getattr(stored, name) for name in counted)
        or records in marks
    )


def digest_of(records: WriteRecords) -> str:
    """What makes two batches the same: the state they carry, not what they ask to be sent."""
    state = replace(records, notices=(), withdrawn=())
    return hashlib.sha256(canonical_json(_json(state)).encode()).hexdigest()[:24]


def _json(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _json(one) for name, one in values_of(value).items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    return value


def _has_entries(records: WriteRecords) -> bool:
    return any(rows for _, rows in entries(records))


def _with_run(run: str, rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"run": run, **values_of(row)} for row in rows]


def _missing(connection: Connection, table: Table, run: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The entries that do not stand there yet. Raises `RecordConflict` for one that does, differently."""
    given: dict[int, dict[str, Any]] = {}
    for row in _with_run(run, rows):
        if given.setdefault(row["n"], row) != row:
            raise RecordConflict(table.name, f"{run}#{row['n']}")
    if not given:
        return []
    numbers = sorted(given)
    found = connection.execute(select(table).where(table.c.run == run, table.c.n.between(numbers[0], numbers[-1])))
    for stored in found.mappings():
        wanted = given.pop(stored["n"], None)
        if wanted is not None and wanted != dict(stored):
            raise RecordConflict(table.name, f"{run}#{stored['n']}")
    return [given[number] for number in sorted(given)]


def _put(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts each row, or replaces the one of its key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(connection, table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))
