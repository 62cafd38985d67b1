"""What can be said about a database by looking at it: whether it is whole, and how much is in it."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import OperationalError

from storage.engine import reading, schema_of
from storage.faults import DatabaseUnavailable, not_a_database
from storage.schema import head
from storage.tables import ALL

GLANCE_SECONDS = 10.0
"""How long a worker looks at a file before it begins; what is larger is read as far as that goes."""
_STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""


def glance(engine: Engine, seconds: float = GLANCE_SECONDS) -> None:
    """Reads a SQLite file as far as the time allows. Raises `DatabaseUnavailable` `not_a_database` where a page is damaged."""
    if engine.dialect.name != "sqlite":
        return  # PostgreSQL checks its pages itself, when it reads them
    until = time.monotonic() + seconds
    with reading(engine) as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            words = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        except OperationalError as error:
            if "interrupted" not in str(error):
                raise
            return
        finally:
            driver.set_progress_handler(None, 0)
    if words != "ok":
        raise not_a_database(engine.url.database or "")


def integrity_of(engine: Engine) -> str:
    """`ok`, or the first thing that is wrong, in the words of the database. Raises `DatabaseUnavailable`."""
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            return str(connection.execute(text("PRAGMA integrity_check(1)")).scalar())
        return "ok" if connection.execute(text("SELECT 1")).scalar() == 1 else "no answer"


def report(engine: Engine) -> dict[str, Any]:
    """Schema, integrity, foreign keys, rows by table and journal, whatever the schema is. Raises `DatabaseUnavailable`."""
    lite = engine.dialect.name == "sqlite"
    revision = schema_of(engine)
    try:
        integrity = integrity_of(engine)
    except DatabaseUnavailable as error:
        if error.code != "not_a_database":
            raise
        integrity = error.sentence
    found: dict[str, Any] = {
        "url": engine.url.render_as_string(hide_password=True),
        "schema": revision,
        "reads": head(),
        "integrity": integrity,
        "foreign_keys": 0,
        "journal": None,
        "tables": {},
    }
    if integrity != "ok":
        return found
    with reading(engine) as connection:
        if lite:
            found["journal"] = connection.execute(text("PRAGMA journal_mode")).scalar()
            found["foreign_keys"] = len(connection.execute(text("PRAGMA foreign_key_check")).all())
        found["tables"] = _rows(connection)
    return found


def _rows(connection: Connection) -> dict[str, int]:
    there = set(inspect(connection).get_table_names())
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in ALL
        if table.name in there
    }
