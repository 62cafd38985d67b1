"""Which schema a database has, and how it gets the one that this program reads.

The schema is a chain of migrations in `storage/migrations/versions`; the database keeps the name of the last
one that it has seen, in Alembic's own table. Alembic is imported only where tables are made or changed.
"""

from __future__ import annotations

import re
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from storage.faults import DatabaseUnavailable
from storage.tables import ALL

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x6F6E626F
"""The advisory lock under which PostgreSQL tables are made and changed."""
_STAMP = text("SELECT version_num FROM alembic_version")
EARLIER = {"schema 2": "0001", "schema 3": "0002"}
"""Databases from before there were migrations call their schema so, in a table of their own."""
_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that runs in a global."""


@cache
def known() -> tuple[str, ...]:
    """The schemas that this program can tell apart, oldest first: the files are named after them."""
    names = (re.fullmatch(r"r(\d{4})_\w+", path.stem) for path in (FOLDER / "versions").glob("r*.py"))
    return tuple(sorted(match[1] for match in names if match))


def head() -> str:
    """The schema that this program reads and writes."""
    return known()[-1]


def stamped(connection: Connection) -> str | None:
    """The schema of a database, with one statement where it has one. Outside of a transaction of the caller."""
    try:
        found: str | None = connection.execute(_STAMP).scalar()
    except (OperationalError, ProgrammingError) as error:
        connection.rollback()
        if error.connection_invalidated or inspect(connection).has_table("alembic_version"):
            raise
        return found_in(connection)
    return found or found_in(connection)


def found_in(connection: Connection) -> str | None:
    """The schema of a database, `None` for an empty one, without a statement that could fail in a transaction."""
    tables = inspect(connection)
    if tables.has_table("alembic_version") and (revision := connection.execute(_STAMP).scalar()):
        return str(revision)
    if tables.has_table("about"):
        number = connection.execute(text("SELECT value FROM about WHERE name = 'schema'")).scalar()
        return f"schema {number}"
    return None


def demand(found: str | None) -> None:
    """Raises `DatabaseUnavailable` unless the database has the schema of this program."""
    if found == head():
        return
    if found is None or found in known() or found in EARLIER:
        has = "no tables yet" if found is None else f"schema {found.removeprefix('schema ')}"
        raise DatabaseUnavailable(
            "database_schema",
            f"The database has {has}, this program reads {head()}.",
            "Make a backup, then run `python starter.py database upgrade`.",
        )
    raise DatabaseUnavailable(
        "database_schema",
        f"The database has schema {found.removeprefix('schema ')}, this program reads {head()}: it was written by a newer release.",
        "Use that release, or another database (ONBOARDING_DATABASE_URL).",
    )


def bring_up(connection: Connection, *, only_empty: bool = False) -> str | None:
    """Makes the tables or changes them to those of this program, in the caller's writing transaction; what was found.

    Whoever comes second finds nothing to do. With `only_empty` a database that has a schema is left as it is.
    Raises `DatabaseUnavailable` for one of a newer release, and for tables that are not ours.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    found = found_in(connection)
    if found == head() or (only_empty and found is not None):
        return found
    if found is None:
        _demand_empty(connection)
    elif found in EARLIER:
        _adopt(connection, EARLIER[found])
    elif found not in known():
        demand(found)
    _upgrade(connection)
    return found


def _demand_empty(connection: Connection) -> None:
    foreign = sorted({table.name for table in ALL} & set(inspect(connection).get_table_names()))
    if foreign:
        raise DatabaseUnavailable(
            "database_foreign",
            f"The database holds a table {foreign[0]!r} that this program did not make.",
            "Give the program a database of its own (ONBOARDING_DATABASE_URL).",
        )


def _adopt(connection: Connection, revision: str) -> None:
    """From the table of before to Alembic's: from here on only one of them says what the schema is."""
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection)
    context.stamp(_scripts(), revision)
    connection.execute(text("DROP TABLE about"))


def _upgrade(connection: Connection) -> None:
    from alembic import command

    with _one_at_a_time:
        command.upgrade(configuration(connection), "head")


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(FOLDER))


def configuration(connection: Connection) -> Config:
    """What Alembic must know to work on this connection, in its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
