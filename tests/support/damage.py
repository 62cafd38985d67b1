"""A SQLite file with many pages, and what a bad disk or a careless hand does to it."""

from __future__ import annotations

from pathlib import Path

from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.records import a_run, a_trail, a_turn


def many_pages(url: str) -> Path:
    """Rows of so many turns that most pages hold nothing else, all in the file and none beside it; the file."""
    engine = open_database(url)
    store = SqlRecordStore(engine)
    for n in range(1, 161):
        store.write(a_turn(n, trail=(a_trail(n, sentence="x" * 2_000),), run=a_run(asks=n)))
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return Path(url.removeprefix("sqlite:///"))


def overwrite(path: Path, start: float, end: float = 1.0) -> None:
    """This part of the file holds something else now."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * start))
        file.write(b"\xff" * int(size * (end - start)))
