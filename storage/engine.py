"""Opening the database, and the two ways to use it: `reading` and `writing`.

Worker and command line open one SQLite file at the same time, and activities run in a thread pool. So
every write takes the write lock at once (a reader that becomes a writer half-way could only fail),
waits for it a bounded time, and is on the disk when it has returned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, StatementError
from sqlalchemy.schema import CreateColumn
from sqlmodel import SQLModel

from onboarding.errors import OnboardingError
from storage.tables import ABOUT, ADDED, ALL, SCHEMA

BUSY_SECONDS = 5.0
"""How long a writer waits for another one: half of what an attempt of an activity has."""
_SCHEMA_LOCK = 0x6F6E626F
"""The advisory lock under which PostgreSQL tables are created."""

_Result = TypeVar("_Result")


class DatabaseUnavailable(OnboardingError):
    """The database cannot be opened, or did not answer.

    Raised by `open_database` and by every read and write. `code` is stable, `sentence` says what was
    found, `way_out` what to do; no value of a row is in either. At a door: print both and leave. In an
    activity: nothing was half-written, so the attempt is simply repeated.
    """

    def __init__(self, code: str, sentence: str, way_out: str) -> None:
        self.code = code
        self.sentence = sentence
        self.way_out = way_out
        super().__init__(code, sentence, way_out)

    def __str__(self) -> str:
        return f"{self.sentence} {self.way_out}"


def open_database(url: str) -> Engine:
    """The database behind an SQLAlchemy URL (`sqlite:///file`, `postgresql://…`), with its tables.

    Folder, file and tables are made when they are missing; several processes may do so at once. Raises
    `DatabaseUnavailable`. Whoever opened it closes it with `dispose()`.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _invalid("The database URL cannot be read.") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        engine = _open_sqlite(parsed)
    elif kind == "postgresql":
        engine = _open_postgresql(parsed)
    else:
        raise _invalid(f"The database URL names {kind!r}, which is not supported.")
    try:
        _prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: committed when the block ends, undone when it raises.

    Raises `DatabaseUnavailable` when the database fails, `ValueError` for a value that no row can hold.
    """
    with _told(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: what it sees belongs together. Raises `DatabaseUnavailable`."""
    with _told(engine), engine.connect() as connection, connection.begin():
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
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: `_begin` says which kind.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgresql(url: URL) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # Two sessions that insert one key must see each other, so a snapshot for each statement is right.
    settings = f"-c lock_timeout={int(BUSY_SECONDS * 1000)}"
    try:
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": int(BUSY_SECONDS), "options": settings},
        )
    except (ImportError, NoSuchModuleError):
        raise DatabaseUnavailable(
            "database_driver_missing",
            "The driver for PostgreSQL is not installed.",
            "Install it: pip install 'psycopg[binary]>=3.3,<4' (the extra `postgres` of pyproject.toml).",
        ) from None


def _prepare(engine: Engine) -> None:
    """Brings the tables about, once, whoever comes first; refuses a database that is not ours."""
    if engine.dialect.name == "sqlite":
        with _told(engine):
            _patiently(lambda: _write_ahead(engine))
    with reading(engine) as connection:
        found = _schema_of(connection)
    if found is None:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            found = _schema_of(connection)
            if found is None:
                _create(connection)
                return
    if found < SCHEMA and all(step in ADDED for step in range(found + 1, SCHEMA + 1)):
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            found = _bring_up(connection)
    if found != SCHEMA:
        raise DatabaseUnavailable(
            "database_schema",
            f"The database has schema {found}, this program reads schema {SCHEMA}.",
            "Use the release that wrote it, or another database (ONBOARDING_DATABASE_URL).",
        )


def _schema_of(connection: Connection) -> int | None:
    if not inspect(connection).has_table(ABOUT.name):
        return None
    return connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == "schema")).scalar()


def _create(connection: Connection) -> None:
    foreign = sorted({table.name for table in ALL} & set(inspect(connection).get_table_names()))
    if foreign:
        raise DatabaseUnavailable(
            "database_foreign",
            f"The database holds a table {foreign[0]!r} that this program did not make.",
            "Give the program a database of its own (ONBOARDING_DATABASE_URL).",
        )
    SQLModel.metadata.create_all(connection, tables=list(ALL), checkfirst=False)
    connection.execute(ABOUT.insert().values(name="schema", value=SCHEMA))


def _bring_up(connection: Connection) -> int:
    """Adds the columns that came since, in the order in which they came; whoever comes second finds nothing to do."""
    found = _schema_of(connection)
    assert found is not None, "only a database of ours is brought up"
    for step in range(found + 1, SCHEMA + 1):
        for column in ADDED[step]:
            words = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {words}"))
    connection.execute(ABOUT.update().where(ABOUT.c.name == "schema").values(value=max(found, SCHEMA)))
    return max(found, SCHEMA)


def _write_ahead(engine: Engine) -> None:
    """Readers and the writer do not wait for each other. The setting stays in the file."""
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


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Turns what the driver raises into one error of ours.

    The driver's own error is left behind: PostgreSQL quotes the row that failed in it.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translated(engine, error.orig or error) from None
    except StatementError:
        raise ValueError("a value cannot be stored in its column") from None
    except engine.dialect.loaded_dbapi.Error as error:
        raise _translated(engine, error) from None


def _translated(engine: Engine, error: BaseException) -> DatabaseUnavailable:
    words = str(error).lower()
    name = engine.url.database or ""
    if "locked" in words or "lock timeout" in words or "lock_not_available" in words:
        return DatabaseUnavailable(
            "database_busy",
            f"The database {name!r} was held by another process for {BUSY_SECONDS:.0f} seconds.",
            "Try again; if it stays so, look for a backup or a shell that keeps it open.",
        )
    if "not a database" in words or "malformed" in words:
        return DatabaseUnavailable(
            "not_a_database",
            f"The file {name!r} is not a readable SQLite database.",
            "Restore it from a backup, or name another file (ONBOARDING_DATABASE_URL).",
        )
    if "readonly" in words or "read-only" in words:
        return DatabaseUnavailable(
            "database_read_only",
            f"The database {name!r} can be read and not be written.",
            "Give this user the right to write to the file and its folder.",
        )
    if "disk is full" in words or "no space" in words:
        return DatabaseUnavailable(
            "database_full",
            f"There is no room for the database {name!r}.",
            "Make room on its disk.",
        )
    if "unable to open" in words or "connect" in words or "does not exist" in words:
        host = f" at {engine.url.host!r}" if engine.url.host else ""
        return DatabaseUnavailable(
            "database_unreachable",
            f"The database {name!r}{host} cannot be opened.",
            "Check ONBOARDING_DATABASE_URL, and that this user may open it.",
        )
    named = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or type(error).__name__
    return DatabaseUnavailable(
        "database_failed",
        f"The database {name!r} failed ({named}).",
        "Try again; `starter.py doctor` looks at it.",
    )


def integrity_of(engine: Engine) -> str:
    """`ok`, or what is wrong with the file, in the words of the database. Raises `DatabaseUnavailable`."""
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            return str(connection.execute(text("PRAGMA integrity_check")).scalar())
        return "ok" if connection.execute(text("SELECT 1")).scalar() == 1 else "no answer"
