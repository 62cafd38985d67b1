"""Values of the core as rows, and rows in the shapes of the contract, as readers see them.

Everything takes a row of a table as well as the value that it was made from: both have the same names.
So the store in memory and the one in a database cannot show different things.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from onboarding.engine.chain import said_by
from onboarding.engine.effects import FaultRow

_STEP = re.compile(r"[a-z][a-z0-9_]{0,62}|[0-9]{0,6}")
"""What a definition can call a field, or a place in a list."""
_AS_THEY_ARE = frozenset((int, bool, float, bytes))
OPEN = ("open", "answered", "in_review", "returned")
"""The statuses in which somebody has an item."""


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def values_of(value: Any) -> dict[str, Any]:
    """The fields of a frozen value as column values."""
    kind: Any = type(value)
    return {name: plain(getattr(value, name)) for name in _names(kind)}


def plain(value: Any) -> Any:
    """What every database takes and gives back unchanged."""
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        # PostgreSQL stores no NUL and no driver half a character. Both could come in the name of a
        # signal, and a row that cannot be written would hold up every later one.
        clean = value.replace("\x00", "\ufffd") if "\x00" in value else value
        return clean.encode("utf-8", "replace").decode() if not clean.isascii() else clean
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError("an instant without an offset is not stored")
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def kept_fault(row: FaultRow) -> FaultRow:
    """A fault as it is kept: without the names of fields that a sender made up, since people write anything there."""
    *before, last = row.place.split("/")
    steps = [*before, "*" if last and row.code == "unknown_field" else last]
    place = "/".join(step if _STEP.fullmatch(step) else "*" for step in steps)
    return row if place == row.place else dataclasses.replace(row, place=place)


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_shape(row: Any) -> dict[str, Any]:
    """A line of `list`."""
    return {
        "run": row.run,
        "customer": row.customer,
        "definition": {
            "id": row.definition,
            "version": row.version,
            "hash": row.hash,
            "variant": row.variant,
        },
        "state": row.state,
        "outcome": row.outcome,
        "health": row.health,
        "stage": row.stage,
        "owner": row.owner,
        "waiting_on": row.waiting_on,
        "waiting_since": instant(row.waiting_since),
        "due_at": instant(row.due_at),
        "signed_at": instant(row.signed_at),
        "started_at": instant(row.started_at),
        "closed_at": instant(row.closed_at),
        "promised_at": instant(row.promised_at),
        "forecast_at": instant(row.forecast_at),
        "forecast_late_at": instant(row.forecast_late_at),
        "asks": row.asks,
        "escalations": row.escalations,
        "refused": row.refused,
        "segment": row.segment,
        "wave": row.wave,
        "first_value": bool(row.first_value),
        "milestones": {name: instant(at) for name, at in row.milestones.items()},
        "metrics": dict(row.metrics),
    }


def stage_shape(row: Any) -> dict[str, Any]:
    """A stage in one visit."""
    return {
        "id": row.stage,
        "visit": row.visit,
        "title": row.title,
        "owner": row.owner,
        "state": str(row.status),
        "entered_at": instant(row.entered_at),
        "left_at": instant(row.left_at),
        "target_at": instant(row.target_at),
    }


def item_shape(row: Any, run: str) -> dict[str, Any]:
    """An open item, as `open_items` shows it, with its run."""
    return {
        "run": run,
        "id": row.item,
        "stage": row.stage,
        "kind": str(row.kind),
        "title": row.title,
        "status": str(row.status),
        "owner": row.owner,
        "side": str(row.side),
        "round": row.round,
        "opened_at": instant(row.opened_at),
        "due_at": instant(row.due_at),
        "answered_at": instant(row.answered_at),
        "closed_at": instant(row.closed_at),
        "late": bool(row.late),
        "outcome": row.outcome,
        "steps": row.steps,
        "waits_for": None,
        "who": row.owner,
        "waiting_on": str(row.side),
        "since": instant(_since(row)),
        "blocks": list(row.blocks),
    }


def _since(row: Any) -> datetime | None:
    answered = row.status in ("answered", "in_review")
    since: datetime | None = (row.answered_at if answered else None) or row.opened_at
    return since


def trail_shape(row: Any) -> dict[str, Any]:
    """An entry of `trail`; one that changed no row says nothing of changes."""
    told = {"changes": row.changes} if row.changes else {}
    erased = getattr(row, "said", None)
    said = {"said": erased or said_by(row.sentence)} if erased or row.sentence else {}
    return {
        **told,
        **said,
        "n": row.n,
        "at": instant(row.at),
        "actor": row.actor,
        "on_behalf_of": row.on_behalf_of,
        "channel": row.channel,
        "message": row.message,
        "item": row.item,
        "outcome": str(row.outcome),
        "code": row.code,
        "message_id": row.message_id,
        "digest": row.digest,
        "sentence": row.sentence,
    }


def ledger_shape(row: Any) -> dict[str, Any]:
    """An entry of `ledger`."""
    return {
        "n": row.n,
        "item": row.item,
        "stage": row.stage,
        "round": row.round,
        "side": str(row.side),
        "who": row.who,
        "held_side": row.held_side,
        "from": instant(row.since),
        "to": instant(row.to),
        "seconds": row.seconds,
        "working_seconds": row.working_seconds,
    }


def refused_shape(row: Any) -> dict[str, Any]:
    """An entry of `refused`."""
    return {
        "n": row.n,
        "at": instant(row.at),
        "via": row.via,
        "name": row.name,
        "message_id": row.message_id,
        "code": row.code,
        "sentence": row.sentence,
    }


def notice_shape(row: Any, kept: Any) -> dict[str, Any]:
    """A line of `outbox`: what it says, and what became of it (in the database one row holds both)."""
    return {
        "key": row.key,
        "at": instant(row.at),
        "to": row.to,
        "channel": row.channel,
        "kind": str(row.kind),
        "item": row.item,
        "step": row.step,
        "state": kept.state,
        "tries": kept.tries or 0,
        "next_at": instant(kept.next_at),
        "code": kept.last_code,
        "sent_by": kept.sent_by,
        "subject": row.subject,
        "run": row.run,
        "lines": list(row.lines),
        "not_before": instant(row.not_before),
        "retracts": list(row.retracts or ()),
    }
