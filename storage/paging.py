"""Pages of rows in an order, each going on behind the last row of the one before.

A cursor holds the place of a row and no number of rows, so that a page stays right while others write: nothing is shown
twice, and nothing that stays in its place is left out. It is opaque, because what is in it belongs to the order.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, literal, tuple_

from onboarding.errors import OnboardingError
from storage.tables import UtcInstant

_LONGEST = 8_000
"""Characters of a cursor: more than the longest names of a run and a condition make."""


class CursorInvalid(OnboardingError):
    """A cursor is none of ours.

    Raised by the paged reads. Give the `next_cursor` of the page before unchanged, or none; catch it at
    a door and leave as for wrong usage.
    """

    def __str__(self) -> str:
        return "This cursor cannot be read: give the next_cursor of the page before, or leave it out."


@dataclass(frozen=True, slots=True)
class Order:
    """Columns that together put every row in one place; the last one is never empty.

    Where `sparse` is true the first one may be: such rows come last, whichever way the order runs. `name` is in the cursor, so
    that it fits no other order.
    """

    name: str
    columns: tuple[ColumnElement[Any], ...]
    sparse: bool = False
    descending: bool = False

    def page(
        self, connection: Connection, query: Select[Any], cursor: str | None, limit: int
    ) -> tuple[Sequence[Row[Any]], str | None]:
        """So many rows of a query that gives these columns, behind a place, and the place of the last one if there are more.

        Raises `CursorInvalid`.
        """
        found: list[Row[Any]] = []
        for part in self._parts(query, cursor):
            if len(found) <= limit:
                found += connection.execute(part.limit(limit + 1 - len(found))).all()
        return found[:limit], self._place(found[limit - 1]) if len(found) > limit else None

    def _parts(self, query: Select[Any], cursor: str | None) -> Iterator[Select[Any]]:
        """Rows with something in the first column, then those without: an index gives both in order, and not the two as one."""
        values = self._read(cursor) if cursor is not None else ()
        if not self.sparse:
            yield self._behind(query, self.columns, values)
            return
        first, *others = self.columns
        if not values or values[0] is not None:
            yield self._behind(query.where(first.is_not(None)), self.columns, values)
        yield self._behind(query.where(first.is_(None)), others, values[1:] if values and values[0] is None else ())

    def _behind(self, query: Select[Any], columns: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> Select[Any]:
        if values:
            row = tuple_(*columns)
            place = tuple_(*(literal(value, column.type) for column, value in zip(columns, values, strict=True)))
            query = query.where(row < place if self.descending else row > place)
        return query.order_by(*(column.desc() if self.descending else column for column in columns))

    def _place(self, row: Row[Any]) -> str:
        values = [_written(row._mapping[column]) for column in self.columns]
        text = json.dumps([self.name, *values], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> Sequence[Any]:
        name, *values = _opened(cursor)
        if name != self.name or len(values) != len(self.columns):
            raise CursorInvalid
        empty = [self.sparse and n == 0 for n in range(len(values))]
        return [_read(*one) for one in zip(self.columns, values, empty, strict=True)]


def _opened(cursor: str) -> list[Any]:
    """What is in a cursor; it came from outside, so it may be anything."""
    if not cursor.isascii() or len(cursor) > _LONGEST:
        raise CursorInvalid
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        raise CursorInvalid from None
    if not isinstance(found, list) or not found:
        raise CursorInvalid
    return found


def _written(value: Any) -> str | int | None:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _read(column: ColumnElement[Any], value: Any, empty: bool) -> Any:
    if value is None and empty:
        return None
    if isinstance(column.type, Integer):
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
            raise CursorInvalid
        return value
    if not isinstance(value, str) or "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise CursorInvalid
    if not isinstance(column.type, UtcInstant):
        return value
    try:
        at = datetime.fromisoformat(value)
        if at.utcoffset() is None:
            raise CursorInvalid
        return at.astimezone(UTC)
    except (ValueError, OverflowError):  # no instant, or one beyond the years that there are
        raise CursorInvalid from None
