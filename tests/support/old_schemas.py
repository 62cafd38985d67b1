"""Databases as releases of before left them, with a row in each table."""

from __future__ import annotations

from typing import Any

from alembic import command
from sqlalchemy import Connection, Engine, text
from sqlmodel import SQLModel

from storage import schema
from storage.engine import reading, writing
from storage.tables import ALL
from tests.support.records import at

OLD_RUN = "onboarding/acme/x"


def brought_to(engine: Engine, revision: str) -> None:
    """The tables as they stood then."""
    with writing(engine) as connection:
        command.upgrade(schema.configuration(connection), revision)


def fill(engine: Engine) -> None:
    """One row in each table that the schema of now knows, with the columns that the database of before has."""
    with writing(engine) as connection:
        runs_first = sorted(SQLModel.metadata.sorted_tables, key=lambda table: table.name != "runs")
        for table in runs_first:
            row = row_of(connection, table.name)
            if row:
                columns = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"), row)


def row_of(connection: Connection, table: str) -> dict[str, Any]:
    """A value for every column that may not be empty, from the database's own words about itself."""
    if connection.dialect.name == "sqlite":
        told = [(row[1], row[2], bool(row[3])) for row in connection.execute(text(f"PRAGMA table_info({table})"))]
    else:
        words = "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns WHERE table_name = :table"
        told = [tuple(row) for row in connection.execute(text(words), {"table": table})]
    return {name: value_of(name, kind.upper()) for name, kind, needed in told if needed}


def value_of(name: str, kind: str) -> Any:
    """A plain value of a type."""
    if kind in ("VARCHAR", "CHARACTER VARYING"):
        return OLD_RUN if name == "run" else f"a {name}"
    if kind.startswith(("TIMESTAMP", "DATETIME")):
        return "2026-11-02 08:00:00.000000" if kind == "DATETIME" else at(0)
    if kind == "JSON":
        return '{"a": "2026-11-02T08:00:00+00:00"}' if name == "milestones" else "{}" if name == "metrics" else "[]"
    if kind in ("BLOB", "BYTEA"):
        return b"a " + name.encode()
    return False if kind == "BOOLEAN" else 1


def dump(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Everything, as the database of that moment has it."""
    with reading(engine) as connection:
        return {
            table.name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {table.name}")).mappings()]
            for table in ALL
            if row_of(connection, table.name)
        }


def from_before_migrations(engine: Engine, number: int) -> None:
    """Its schema stands in a table of our own, and Alembic was never there."""
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("CREATE TABLE about (name VARCHAR PRIMARY KEY, value INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO about VALUES ('schema', :number)"), {"number": number})
