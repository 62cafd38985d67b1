"""What the tests of the edge share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.engine import open_database
from storage.memory import MemoryStore
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.house import House


@pytest.fixture(params=["memory", "sql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """The same edge on each store in turn."""
    if request.param == "memory":
        store = MemoryStore()
        yield House(store, store, store)
        return
    engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    yield House(SqlRecordStore(engine), SqlNoticeStore(engine), ReadTable(engine))
    engine.dispose()
