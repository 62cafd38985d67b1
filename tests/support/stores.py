"""A database behind the surface of the store in memory, so that one test can hold both to the same words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select

from storage import claims
from storage.engine import reading, writing
from storage.memory import MemoryStore
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from storage.rows import values_of
from storage.tables import FAULTS, HANDOFFS, MILESTONES, PROMISES, WAITING, OfRun


class SqlStore:
    """The database behind the surface of `MemoryStore`."""

    def __init__(self, engine: Engine) -> None:
        records, notices, reads = SqlRecordStore(engine), SqlNoticeStore(engine), ReadTable(engine)
        self.write = records.write
        self.keep, self.held, self.forget = notices.keep, notices.held, notices.forget
        self.claim, self.mark_sent, self.put_off = notices.claim, notices.mark_sent, notices.put_off
        self.fail, self.lapse = notices.fail, notices.lapse
        self.find, self.stages, self.items = reads.find, reads.stages, reads.items
        self.trail, self.ledger, self.refused = reads.trail, reads.ledger, reads.refused
        self.outbox = reads.outbox
        self.engine = engine


def withdraw(store: Any, key: str) -> bool:
    """Takes a notice back as the rows of a turn do; `True` when nobody will read it."""
    if isinstance(store, MemoryStore):
        return store.withdraw(key)
    engine: Engine = store.engine if isinstance(store, SqlStore) else store._engine
    with writing(engine) as connection:
        return claims.withdraw(connection, (key,), datetime.now(UTC).replace(microsecond=0))


OTHERS = {"milestones": MILESTONES, "handoffs": HANDOFFS, "promises": PROMISES, "faults": FAULTS, "waiting": WAITING}
"""Tables that no read of the contract shows row by row."""


def others(store: SqlStore | MemoryStore, run: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of these tables, from either store, in one order and shape."""
    if isinstance(store, MemoryStore):
        kept = store.kept[run]
        values = {name: getattr(kept, name) for name in OTHERS}
        found = {
            name: [values_of(row) for row in (rows.values() if isinstance(rows, dict) else rows)]
            for name, rows in values.items()
        }
    else:
        with reading(store.engine) as connection:
            found = {
                name: [
                    {key: value for key, value in row.items() if key not in OfRun.model_fields}
                    for row in connection.execute(select(table).where(table.c.run == run)).mappings()
                ]
                for name, table in OTHERS.items()
            }
    return {
        name: sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True)) for name, rows in found.items()
    }
