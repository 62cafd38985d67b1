"""Who did what on whose behalf, chained: no entry can be changed or taken out without the next one saying so."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from onboarding.engine.state import RunState, TrailEntry
from onboarding.messages import canonical_json
from onboarding.reading.shapes import SENTENCE_LENGTH, Shape, cut, instant, no_cursor, page, place_of


def digest_of(previous: str, content: Mapping[str, Any]) -> str:
    """The digest of an entry: SHA-256 of the digest before it and of its own canonical JSON."""
    return hashlib.sha256((previous + canonical_json(content)).encode("utf-8", "surrogatepass")).hexdigest()


def content_of(entry: TrailEntry) -> dict[str, Any]:
    """The part of an entry that its digest covers: all but its sentence, which follows from the rest."""
    return {
        "n": entry.n,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "on_behalf_of": entry.on_behalf_of,
        "channel": entry.channel,
        "message": entry.message,
        "item": entry.item,
        "outcome": entry.outcome,
        "code": entry.code,
        "message_id": entry.message_id,
    }


def verify(entries: Sequence[TrailEntry]) -> int | None:
    """The number of the first entry that does not follow from the one before, or `None` when the chain holds.

    Of entries that begin in the middle of a trail the first one is believed: what came before it is not here.
    """
    before: TrailEntry | None = None
    for entry in entries:
        if before is None and entry.n > 1:
            before = entry
            continue
        number, previous = (before.n, before.digest) if before else (0, "")
        if entry.n != number + 1 or entry.digest != digest_of(previous, content_of(entry)):
            return entry.n
        before = entry
    return None


def trail(state: RunState, cursor: Any = None) -> Shape:
    """The trail of a run in pages, oldest first; `earlier` counts entries that only the written rows still have."""
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    rows = ((entry.n, _row(entry)) for entry in state.trail)
    return {**page(rows, start), "earlier": state.trail[0].n - 1 if state.trail else 0}


def _row(entry: TrailEntry) -> Shape:
    return {
        **content_of(entry),
        "at": instant(entry.at),
        "outcome": str(entry.outcome),
        "code": str(entry.code),
        "digest": entry.digest,
        "sentence": cut(entry.sentence, SENTENCE_LENGTH) or None,
    }
