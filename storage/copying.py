"""A SQLite database as one file more: copied while others write to it, looked through, and put back in its place.

A copy is one instant of the database: what is committed meanwhile is not in it. It needs no other file beside it, so that it can be
moved like any file. PostgreSQL has programs of its own for this, and they are better.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url

from onboarding.crash_points import reached
from storage import inspection, schema
from storage.engine import connected
from storage.faults import DatabaseUnavailable, not_a_database, told

PAGES = 256
"""Pages (of 4 KiB) that are copied at once."""
HELD_SECONDS = 1.0
"""How long a database that is to be replaced may be held by somebody who is just leaving."""
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file, and would take for part of whatever has its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why a file is no copy that this program could work with. `code` is stable."""

    code: str
    sentence: str
    way_out: str


def file_of(url: str) -> Path | None:
    """The file behind a database URL; `None` for what is none of its own (PostgreSQL, or a `file:` address)."""
    parsed = make_url(url)
    name = parsed.database or ""
    return Path(name) if parsed.get_backend_name() == "sqlite" and not name.startswith("file:") else None


def _between() -> None:
    reached("backup.mid_copy")


def copy(engine: Engine, to: Path, between: Callable[[], None] = _between) -> None:
    """Copies a SQLite database into a new file, as it stands at one instant; whoever writes meanwhile is not held up.

    `between` is called after each part. Raises `DatabaseUnavailable`; what stands in `to` is then no copy.
    """
    with told(engine), engine.connect() as connection:
        # A transaction that has read pins the instant: without one the copy would begin again at every commit of others.
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection), "only SQLite is copied"
        _copied(source, to, between)


def copy_of_file(file: Path, to: Path) -> None:
    """The same from a file that need not be one of ours. Raises `DatabaseUnavailable` for what SQLite cannot read."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source:
            _copied(source, to, lambda: None)
    except sqlite3.Error:
        raise not_a_database(str(file)) from None


def _copied(source: sqlite3.Connection, to: Path, between: Callable[[], None]) -> None:
    to.touch(mode=0o600)  # how to reach people is in it
    with closing(sqlite3.connect(to)) as target:
        try:
            source.backup(target, pages=PAGES, progress=lambda *_: between())
            target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise DatabaseUnavailable(
                "database_full",
                f"There is no room for the copy {to.name!r}.",
                "Make room there, or name another place.",
            ) from None


def rows_of(file: Path) -> dict[str, int]:
    """How many rows each table of a copy has. Raises `DatabaseUnavailable`."""
    with opened(file) as engine:
        found: dict[str, int] = inspection.report(engine)["tables"]
        return found


def unfit(file: Path, *, any_release: bool) -> Unfit | None:
    """What is wrong with a copy: pages, references, or tables that this program does not read. `None` for a good one.

    With `any_release` the tables may be those of an earlier release: its programs can read the copy.
    """
    try:
        with opened(file) as engine:
            found = inspection.report(engine)
    except DatabaseUnavailable as error:
        return Unfit(code="not_a_backup", sentence=error.sentence, way_out="Name a file that `backup` has written.")
    if found["integrity"] != "ok" or found["foreign_keys"]:
        return Unfit(code="backup_damaged", sentence="The copy is damaged.", way_out="Take an earlier one.")
    if found["schema"] is None:
        sentence = "The file is a database, and none of this program."
        return Unfit(code="not_a_backup", sentence=sentence, way_out="Name a file that `backup` has written.")
    earlier = any_release and found["schema"] in (*schema.known(), *schema.EARLIER)
    if found["schema"] != schema.head() and not earlier:
        has = found["schema"].removeprefix("schema ")
        sentence = f"The copy has schema {has}, this program reads {schema.head()}."
        way_out = "Restore it with the release that made it; after that `python starter.py database upgrade` of this one brings it up."
        return Unfit(code="backup_other_schema", sentence=sentence, way_out=way_out)
    return None


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Engine]:
    """A file that is no database of this installation, for as long as it is looked at."""
    # Not as a text: `?`, `#` and `%` in the name of a file would mean something there.
    engine = connected(URL.create("sqlite", database=str(file)))
    try:
        yield engine
    finally:
        engine.dispose()


def put_in_place(part: Path, live: Path) -> Path | None:
    """Puts a copy where the database is, whole or not at all; the file that keeps what stood there, if anything did.

    Raises `DatabaseUnavailable` `database_busy` while another process has the database open.
    """
    with part.open("rb") as copied:
        os.fsync(copied.fileno())
    with contextlib.suppress(FileNotFoundError):
        part.chmod(live.stat().st_mode)
    if not live.exists():
        part.replace(live)
        _settled(live.parent)
        return None
    with _alone(live):
        aside = _free_name(live)
        for ending in _BESIDE:  # only of a damaged file: whoever is alone with a good one has written all of it into it
            with contextlib.suppress(FileNotFoundError):
                live.with_name(live.name + ending).rename(aside.with_name(aside.name + ending))
        _same_file(live, aside)
        part.replace(live)
    _settled(live.parent)
    return aside


@contextlib.contextmanager
def _alone(live: Path) -> Iterator[None]:
    """Holds the file alone; without effect on one that SQLite cannot read, which nobody could have open for long."""
    with closing(sqlite3.connect(live, timeout=HELD_SECONDS, isolation_level=None)) as connection:
        try:
            # Leaving the write-ahead log is allowed only to somebody who is alone, and takes what stands in it into the file.
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise DatabaseUnavailable(
                "database_busy",
                f"The database {str(live)!r} is open in another process.",
                "Stop the workers and whatever else reads it, then restore.",
            ) from None
        except sqlite3.DatabaseError:
            pass
        yield


def _same_file(live: Path, aside: Path) -> None:
    """A second name, so that there is no instant without a database; where a disk has none, a copy."""
    try:
        os.link(live, aside)
    except OSError:
        shutil.copy2(live, aside)


def _free_name(live: Path) -> Path:
    name = f"{live.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    found = live.with_name(name)
    n = 1
    while found.exists():
        n += 1
        found = live.with_name(f"{name}-{n}")
    return found


def _settled(folder: Path) -> None:
    """The new name is on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
