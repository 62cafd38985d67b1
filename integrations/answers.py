"""What an answer over HTTP means for what was sent: taken, later, or never."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integrations.egress import Answered
from integrations.letters import NotTaken, Postponed

LONGEST_PAUSE = 3_600.0
"""Seconds for which another side can keep us from trying: nobody decides that an escalation comes tomorrow."""

_LATER = frozenset((408, 425, 429))


def demand_taken(answered: Answered) -> None:
    """Nothing where it was taken. Raises `Postponed` with the pause that was asked for, or `NotTaken`; codes are `http_503`."""
    status = answered.status
    if 200 <= status < 300:
        return
    code = f"http_{status}"
    if status in _LATER or status >= 500:
        raise Postponed(code, pause_of(answered))
    raise NotTaken(code)


def pause_of(answered: Answered, now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date, at most an hour; `None` where it asks for nothing readable."""
    said = answered.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    seconds = (until - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE)
