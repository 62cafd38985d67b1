"""Inserts that say what happens on a conflict: both dialects spell it alike, the common one not at all."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> Any:
    """One for the database behind this connection."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> Any:
    """The same without a connection, for a statement that is kept."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


@functools.cache
def replacing(dialect: str, table: Table) -> Any:
    """Inserts a row, or replaces the one of its key. Kept: building one takes longer than running it."""
    keys = [column.name for column in table.primary_key]
    statement = insert_in(dialect, table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)
