"""What columns hold that no database has a type for: instants with their zone, names with instants, several texts in order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC. SQLite drops zones, so they are taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database. Raises `ValueError` for an instant without an offset: nobody knows when it was."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("an instant without an offset is not stored")
        inside = value if value.tzinfo is UTC else value.astimezone(UTC)
        return inside.replace(tzinfo=None) if dialect.name == "sqlite" else inside

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database: always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Instants(TypeDecorator[dict[str, datetime]]):
    """Names with an instant each (milestones), as one JSON object."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, datetime] | None, dialect: Dialect) -> Any:
        """Into the database, as text in UTC."""
        return {name: at.astimezone(UTC).isoformat() for name, at in (value or {}).items()}

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, datetime]:
        """Out of the database."""
        return {name: datetime.fromisoformat(at) for name, at in (value or {}).items()}


class Words(TypeDecorator[tuple[str, ...]]):
    """Several texts in order, as one JSON list."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        """Into the database."""
        return list(value or ())

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        """Out of the database."""
        return tuple(value or ())
