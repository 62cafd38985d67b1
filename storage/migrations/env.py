"""How Alembic runs our migrations: on the connection and in the transaction of whoever asked, see `storage/schema.py`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

import storage.tables  # noqa: F401 - the tables that a new migration is compared with


def plain_type(kind: str, value: Any, _: Any) -> str | Literal[False]:
    """A migration names what the database holds, not a class of ours that may change later."""
    if kind == "type" and isinstance(value, TypeDecorator):
        return f"sa.{value.impl!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    render_item=plain_type,
)
context.run_migrations()
