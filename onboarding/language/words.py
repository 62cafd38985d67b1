"""The small texts of the language as pydantic types: ids, durations, positions, weeks, hours, dates."""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from onboarding.language.units import Duration, Offset, Share, parse_duration, parse_offset

MAX_TEXT = 500
"""Characters of a title or another text of a definition: it is shown in one line."""

MAX_LIST = 500
"""Entries of one list or mapping: far above any honest definition."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Words of CEL: an id is used as a name in conditions, so it must not be one of them.
_CEL_WORD = re.compile(
    "as|break|const|continue|else|false|for|function|if|import|in|let|loop|null"
    "|package|namespace|return|true|var|void|while"
)

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HYPHEN_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WINDOW = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


def _refuse(rule: str, sentence: str) -> PydanticCustomError:
    # A sentence may quote what was found; braces in it are no placeholders of pydantic's.
    return PydanticCustomError(rule, "{sentence}", {"sentence": sentence})


def _text(value: Any, what: str, example: str) -> str:
    if isinstance(value, str):
        return value
    found = (
        "true or false"
        if isinstance(value, bool)
        else "a number"
        if isinstance(value, int | float)
        else "a list or mapping"
    )
    raise _refuse("wrong_type", f"{what} is a text such as {example}, found {found}; put it in quotes.")


def _id(value: Any) -> str:
    text = _text(value, "An id", "company_details")
    if _CEL_WORD.fullmatch(text):
        raise _refuse("bad_id", f"{text!r} is a word of the condition language; choose another id.")
    if not _ID.fullmatch(text):
        raise _refuse("bad_id", "An id starts with a lower-case letter and has at most 63 of a-z, 0-9 and _.")
    return text


def _outcome_name(value: Any) -> str:
    text = _text(value, "The name of an outcome", "accept")
    if not _ID.fullmatch(text):
        raise _refuse(
            "bad_id", "The name of an outcome starts with a lower-case letter and has at most 63 of a-z, 0-9 and _."
        )
    return text


def _hyphen_id(value: Any) -> str:
    text = _text(value, "An id", "b2b-standard")
    if not _HYPHEN_ID.fullmatch(text):
        raise _refuse(
            "bad_id", "The id of a definition starts with a lower-case letter and has at most 63 of a-z, 0-9, _ and -."
        )
    return text


def _event(value: Any) -> str:
    text = _text(value, "The name of an event", "esign.completed")
    if len(text) > 100 or not _EVENT.fullmatch(text):
        raise _refuse("bad_id", "The name of an event has lower-case words joined by dots, such as esign.completed.")
    return text


def _duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    text = _text(value, "A duration", "3bd, 4bh, 2d, 6h, 30m or 10s")
    try:
        return parse_duration(text)
    except ValueError as error:
        raise _refuse("bad_duration", f"{_sentence(error)}") from None


def _position(value: Any) -> Offset | Share:
    text = _text(value, "A position", "due, +2bd, -1bd or 80%")
    try:
        return parse_offset(text)
    except ValueError as error:
        raise _refuse("bad_position", f"{_sentence(error)}") from None


def _sentence(error: ValueError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _holiday(value: Any) -> str:
    text = _text(value, "A holiday", "2026-12-25")
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _refuse(
            "bad_date", "A holiday is a day of the calendar written YYYY-MM-DD, such as 2026-12-25."
        ) from None


def _week(value: Any) -> tuple[int, ...]:
    if isinstance(value, list) and value and all(day in DAYS for day in value):
        return tuple(sorted(DAYS.index(day) for day in dict.fromkeys(value)))
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not dash and first in DAYS:
            return (DAYS.index(first),)
        if first in DAYS and last in DAYS:
            begin, end = DAYS.index(first), DAYS.index(last)
            span = (end - begin) % 7 + 1
            return tuple(sorted((begin + step) % 7 for step in range(span)))
    raise _refuse(
        "bad_week",
        "A week is a range such as mon-fri, or a list such as [mon, tue, thu], of mon tue wed thu fri sat sun.",
    )


def _hours(value: Any) -> tuple[tuple[int, int], ...]:
    texts = value if isinstance(value, list) else [value]
    windows = []
    for text in texts:
        found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise _refuse("bad_hours", 'Hours are one window such as "09:00-17:00", or a list of them.')
        hour, minute, until, until_minute = (int(part) for part in found.groups())
        begin, end = hour * 60 + minute, until * 60 + until_minute
        if minute > 59 or until_minute > 59 or end > 24 * 60 or begin >= end:
            raise _refuse(
                "bad_hours", f"The window {text} does not begin before it ends within one day (00:00 to 24:00)."
            )
        windows.append((begin, end))
    windows.sort()
    if not windows or any(later[0] < earlier[1] for earlier, later in pairwise(windows)):
        raise _refuse("bad_hours", "Windows of hours do not overlap, and there is at least one; join them.")
    return tuple(windows)


_DURATION_SCHEMA = {"type": "string", "pattern": "^[1-9][0-9]*(bd|bh|d|h|m|s)$"}
_POSITION_SCHEMA = {"type": "string", "pattern": r"^(due|[+-][1-9][0-9]*(bd|bh|d|h|m|s)|[1-9][0-9]?%|100%)$"}
_WEEK_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"enum": list(DAYS)}}]}
_HOURS_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Text = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_TEXT)]
Id = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})]
OutcomeName = Annotated[
    str, BeforeValidator(_outcome_name), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})
]
HyphenId = Annotated[
    str, BeforeValidator(_hyphen_id), WithJsonSchema({"type": "string", "pattern": f"^{_HYPHEN_ID.pattern}$"})
]
EventName = Annotated[
    str, BeforeValidator(_event), WithJsonSchema({"type": "string", "pattern": f"^{_EVENT.pattern}$"})
]
DurationText = Annotated[Duration, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
Position = Annotated[Offset | Share, BeforeValidator(_position), WithJsonSchema(_POSITION_SCHEMA)]
Holiday = Annotated[str, BeforeValidator(_holiday), WithJsonSchema({"type": "string", "format": "date"})]
Week = Annotated[tuple[int, ...], BeforeValidator(_week), WithJsonSchema(_WEEK_SCHEMA)]
Hours = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_hours), WithJsonSchema(_HOURS_SCHEMA)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000)]
