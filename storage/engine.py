"""Opening the database, and the two ways to use it: `reading` and `writing`.

Worker and command line open one SQLite file at the same time, and activities run in a thread pool. So
every write takes the write lock at once (a reader that becomes a writer half-way could only fail),
waits for it a bounded time, and is on the disk when it has returned. Threads of one process queue for
the write lock of SQLite (`storage/turns.py`) instead of asking for it again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from storage import schema
from storage.faults import BUSY_SECONDS, DatabaseUnavailable, busy, orphans, told
from storage.turns import Turns

__all__ = [
    "BUSY_SECONDS",
    "DatabaseUnavailable",
    "connected",
    "file_of",
    "open_database",
    "reading",
    "schema_of",
    "upgrade",
    "writing",
]

_Result = TypeVar("_Result")

_AT_ONCE: Final = 0.1
"""Seconds in the queue of writers that are not taken off the patience for strangers: telling a connection costs as well."""
CONNECTIONS: Final = 15
"""At once, of one engine. Each stays open once it was needed: to make another one takes longer than most of what is asked of it."""
_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()


def open_database(url: str, *, patience: float | None = None) -> Engine:
    """The database behind an SQLAlchemy URL (`sqlite:///file`, `postgresql://…`), with its tables.

    `patience` are the seconds after which a PostgreSQL that does not answer is taken for lost; without it there is no end, as a
    report over everything may need.

    Folder, file and tables are made when they are missing; several processes may do so at once. Raises
    `DatabaseUnavailable`, also for a database of another schema. Whoever opened it closes it with `dispose()`.
    """
    engine = connected(url, patience=patience)
    try:
        _prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def connected(url: str | URL, *, patience: float | None = None) -> Engine:
    """The database behind a URL, whatever its schema; `patience` as for `open_database`. Raises `DatabaseUnavailable`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _invalid("The database URL cannot be read.") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _open_sqlite(parsed)
    if kind == "postgresql":
        return _open_postgresql(parsed, patience)
    raise _invalid(f"The database URL names {kind!r}, which is not supported.")


def file_of(url: str) -> Path | None:
    """The file that an SQLAlchemy URL names; `None` for a database that is no file of this kind. Raises `DatabaseUnavailable`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _invalid("The database URL cannot be read.") from None
    name = parsed.database or ""
    return Path(name) if parsed.get_backend_name() == "sqlite" and not name.startswith("file:") else None


def schema_of(engine: Engine) -> str | None:
    """The schema that a database has, `None` for an empty one. Raises `DatabaseUnavailable`."""
    with told(engine), engine.connect() as connection:
        return schema.stamped(connection)


def upgrade(engine: Engine) -> str | None:
    """Brings a database to the schema of this program, in one transaction; the schema it had. Raises `DatabaseUnavailable`."""
    _write_ahead(engine)
    with _rebuilding(engine) as connection:
        return schema.bring_up(connection)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: committed when the block ends, undone when it raises.

    Raises `DatabaseUnavailable` when the database fails, `ValueError` for a value that no row can hold.
    """
    with (
        _turn(engine) as left,
        told(engine),
        engine.connect().execution_options(writes=left) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def _turn(engine: Engine) -> Iterator[float]:
    """Where a database takes one writer only, the others of this engine wait here. What is left of their patience goes to strangers."""
    turns = _turns.get(engine)
    if turns is None:
        yield BUSY_SECONDS
        return
    came = time.monotonic()
    with turns.one(BUSY_SECONDS) as mine:
        if not mine:
            raise busy(engine.url.database or "")
        yield max(0.0, BUSY_SECONDS - (time.monotonic() - came))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: what it sees belongs together. Raises `DatabaseUnavailable`."""
    with told(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def _invalid(sentence: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "database_url_invalid",
        sentence,
        "Set ONBOARDING_DATABASE_URL to sqlite:////folder/file.sqlite or postgresql://host/name.",
    )


def _open_sqlite(url: URL) -> Engine:
    where = url.database or ""
    if where in ("", ":memory:") or "mode=memory" in where or url.query.get("mode") == "memory":
        raise _invalid("A database in memory would be another one for every connection.")
    if not where.startswith("file:"):
        try:
            Path(where).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(
                "database_unreachable",
                f"The folder of the database {where!r} cannot be made: {error.strerror}.",
                "Choose another place with ONBOARDING_DATABASE_URL.",
            ) from None
    engine = create_engine(
        url, hide_parameters=True, pool_size=CONNECTIONS, max_overflow=0, connect_args={"timeout": BUSY_SECONDS}
    )
    _turns[engine] = Turns()

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: `_begin` says which kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(_patience(BUSY_SECONDS))
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        left = connection.get_execution_options().get("writes")
        if left is None:
            connection.exec_driver_sql("BEGIN")
        elif left > BUSY_SECONDS - _AT_ONCE:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(_patience(left))
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            finally:
                connection.exec_driver_sql(_patience(BUSY_SECONDS))

    return engine


def _patience(seconds: float) -> str:
    return f"PRAGMA busy_timeout = {int(seconds * 1000)}"


def _open_postgresql(url: URL, patience: float | None) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # Two sessions that insert one key must see each other, so a snapshot for each statement is right.
    settings = f"-c lock_timeout={int(BUSY_SECONDS * 1000)}"
    try:
        from storage.patience import KERNEL, patient

        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            connect_args={"connect_timeout": int(BUSY_SECONDS), "options": settings, **KERNEL},
        )
    except (ImportError, NoSuchModuleError):
        raise DatabaseUnavailable(
            "database_driver_missing",
            "The driver for PostgreSQL is not installed.",
            "Install it: pip install 'psycopg[binary]>=3.3,<4' (the extra `postgres` of pyproject.toml).",
        ) from None
    if patience is not None:
        kind = patient(patience)

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, words: Any, parameters: Any) -> Any:
            return kind.connect(*words, **parameters)

    return engine


def _prepare(engine: Engine) -> None:
    """Makes the tables of an empty database, once, whoever comes first; refuses one that this program cannot read."""
    _write_ahead(engine)
    found = schema_of(engine)
    if found is None:
        with _rebuilding(engine) as connection:
            found = schema.bring_up(connection, only_empty=True) or schema.head()
    schema.demand(found)


@contextmanager
def _rebuilding(engine: Engine) -> Iterator[Connection]:
    """A writing transaction in which a table may be made anew under its name.

    SQLite would see its rows go and other tables point nowhere, so it looks at foreign keys once, before the end.
    """
    lite = engine.dialect.name == "sqlite"
    with told(engine), engine.connect().execution_options(writes=BUSY_SECONDS) as connection:
        driver = connection.connection.driver_connection
        if lite and driver is not None:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if lite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise orphans(engine.url.database or "")
        finally:
            if lite and driver is not None:
                driver.execute("PRAGMA foreign_keys = ON")


def _write_ahead(engine: Engine) -> None:
    """Readers and the writer of a file do not wait for each other. The setting stays in the file."""
    if engine.dialect.name != "sqlite":
        return
    with told(engine):
        _patiently(lambda: _set_journal(engine))


def _set_journal(engine: Engine) -> None:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.fetchall()
        cursor.close()
    finally:
        connection.close()


def _patiently(step: Callable[[], _Result]) -> _Result:
    """Repeats what SQLite refuses at once, without its own waiting, while another process holds the file."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return step()
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
