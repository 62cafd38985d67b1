"""Words that rows hold: whether one occurs, and which ones are near it in the alphabet. For answers to slips of the pen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select


def heard(connection: Connection, columns: Iterable[ColumnElement[Any]], word: str) -> bool:
    """Whether one of these columns holds the word."""
    return any(connection.execute(select(exists().where(column == word))).scalar() for column in columns)


def near(connection: Connection, columns: Sequence[ColumnElement[Any]], word: str, most: int) -> list[str]:
    """Words of these columns, of each at most so many on both sides of a word: there may be one for every customer."""
    found: dict[str, None] = {}
    for column in columns:
        known = select(column).distinct().limit(most)
        for query in (
            known.where(column >= word).order_by(column),
            known.where(column < word).order_by(column.desc()),
        ):
            found.update(dict.fromkeys(one for one in connection.execute(query).scalars() if one))
    return sorted(found)
