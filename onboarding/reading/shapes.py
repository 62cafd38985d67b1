"""The small forms that all reads share: instants, lengths of texts, pages, and the answer to an unknown name.

Everything a read gives is plain JSON. A read never raises for what it was asked: an unknown name is an answer, too.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from onboarding import limits
from onboarding.engine.phrases import cut as cut, listed as listed, spoken as spoken
from onboarding.limits import (
    SENTENCE_LENGTH as SENTENCE_LENGTH,
    SENTENCES_TOLD as SENTENCES_TOLD,
    STATUS_ROWS as STATUS_ROWS,
    TITLE_LENGTH as TITLE_LENGTH,
)
from onboarding.nearest import nearest

Shape = dict[str, Any]
"""One JSON object."""


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    return None if at is None else f"{at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def seconds(start: datetime, end: datetime) -> int:
    """Whole seconds from `start` to `end`."""
    return int((end - start).total_seconds())


def told(sentences: Iterable[str]) -> list[str]:
    """The first sentences of a list, each cut, and how many there are beyond them."""
    every = list(sentences)
    kept = [cut(one, SENTENCE_LENGTH) for one in every[:SENTENCES_TOLD]]
    return kept if len(every) <= SENTENCES_TOLD else [*kept, f"{len(every) - SENTENCES_TOLD} more"]


def unknown(code: str, sentence: str) -> Shape:
    """The answer to a name that does not exist."""
    return {"outcome": "unknown", "code": code, "sentence": sentence}


def no_such(what: str, name: Any, known: Iterable[str]) -> Shape:
    """The answer to an unknown item or stage, with the nearest name."""
    hint = nearest(name, known) if isinstance(name, str) else ""
    return unknown(f"unknown_{what}", f"This run has no such {what}{hint or '.'}")


def place_of(cursor: Any) -> int | None:
    """Where a page begins: 0 without a cursor, `None` for what is none of our cursors."""
    if cursor is None:
        return 0
    if isinstance(cursor, str) and 0 < len(cursor) <= 15 and cursor.isascii() and cursor.isdigit():
        return int(cursor)
    return None


def no_cursor() -> Shape:
    """The answer to a cursor that no page gave."""
    return unknown("unknown_cursor", "This is no cursor of this list; ask without one, then with each `next_cursor`.")


def page(rows: Iterable[tuple[int, Shape]], start: int, name: str = "rows") -> Shape:
    """At most `limits.PAGE` rows whose place is `start` or later; `next_cursor` is the place of the first one left out.

    Places ascend and are a row's for ever, so that rows that come or go between two pages move nothing.
    """
    wanted = [(place, row) for place, row in rows if place >= start][: limits.PAGE + 1]
    following = str(wanted[limits.PAGE][0]) if len(wanted) > limits.PAGE else None
    return {name: [row for _, row in wanted[: limits.PAGE]], "next_cursor": following}
