"""Periods of the command line: from an instant to before another one."""

from __future__ import annotations

from datetime import UTC, date, datetime

from console.leaving import Misused


def first_moment(text: str | None, option: str) -> datetime | None:
    """An instant with an offset, or a date, which means its first moment in UTC. Raises `Misused`."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise _misused(option) from None
    if found.tzinfo is None or not 1970 <= found.year <= 2150:
        raise _misused(option)
    return found.astimezone(UTC)


def _misused(option: str) -> Misused:
    return Misused(f"{option} takes a date or an instant with an offset, such as 2026-11-21 or 2026-11-21T10:00:00Z.")
