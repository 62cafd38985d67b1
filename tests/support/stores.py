"""A database behind the surface of the store in memory, so that one test can hold both to the same words."""

from __future__ import annotations

from sqlalchemy import Engine

from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore


class SqlStore:
    """The database behind the surface of `MemoryStore`."""

    def __init__(self, engine: Engine) -> None:
        records, notices, reads = SqlRecordStore(engine), SqlNoticeStore(engine), ReadTable(engine)
        self.write = records.write
        self.keep, self.settle, self.withdraw = notices.keep, notices.settle, notices.withdraw
        self.held, self.ripe, self.early = notices.held, notices.ripe, notices.early
        self.find, self.stages, self.items = reads.find, reads.stages, reads.items
        self.trail, self.ledger, self.refused = reads.trail, reads.ledger, reads.refused
        self.outbox = reads.outbox
