"""What a turn has made of the record: new values by row and column, kept in the trail and covered by its digests.

Folding the changes of all entries, in order, gives every row below again (`reading/rebuilding.py`). So nobody can change a row, and
with it a number, without the trail telling otherwise. What a run is like at the moment (health, stage, forecast), texts of the definition,
notices, and words of refused signals and faults are not in it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from operator import attrgetter
from typing import Any

from onboarding.engine import rules
from onboarding.engine.chain import said_by
from onboarding.engine.copies import replace
from onboarding.engine.effects import HandoffRow, ItemRow, LedgerRow, MilestoneRow, StageRow
from onboarding.engine.state import Promise

Changes = dict[str, dict[str, Any]]
"""`item/<id>/<round>`, `stage/<id>/<visit>`, `milestone/<name>`, `handoff/<item>/<n>`, `promise/<n>`, `ledger/<n>` or `run`, and its new values."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "item": (
        "status", "owner", "side", "opened_at", "due_at", "promised_at", "answered_at", "closed_at", "late", "tacit", "outcome", "steps",
        "mark", "stands_for",
    ),
    "stage": ("status", "owner", "entered_at", "left_at", "target_at"),
    "milestone": ("at", "seconds"),
    "handoff": ("giver", "receiver", "released_at", "ended_at", "accepted", "outcome", "seconds"),
    "promise": ("kind", "name", "due_at", "at", "to", "by", "cause", "side", "reason"),
    "ledger": (
        "item", "stage", "round", "side", "who", "held_side", "clock", "since", "to", "seconds", "working_seconds",
    ),
    "run": (
        "state", "outcome", "started_at", "closed_at", "counted_from", "promised_at", "first_promised_at", "owed_at", "first_value_at",
        "live_at", "asks", "escalations", "rounds",
    ),
}  # fmt: skip
"""The columns that a trail tells of, by the first word of a key. A value that was never told is empty, 0 or false."""

FINAL = ("owner", "segment", "wave", "longest_silence", "refused", "metrics")
"""What the last entry of a run tells of it besides: what reports count and no other row holds."""

_VALUES = {kind: attrgetter(*names) for kind, names in COLUMNS.items()}
_EMPTY = (None, "", 0, False)


def key_of(row: Any) -> str:
    """Under which key a row stands in the changes."""
    match row:
        case ItemRow():
            return f"item/{row.item}/{row.round}"
        case StageRow():
            return f"stage/{row.stage}/{row.visit}"
        case MilestoneRow():
            return f"milestone/{row.name}"
        case HandoffRow():
            return f"handoff/{row.item}/{row.n}"
        case Promise():
            return f"promise/{row.n}"
        case LedgerRow():
            return f"ledger/{row.n}"
    raise TypeError(f"{type(row).__name__} is no row of the trail")


def put(changes: Changes, before: Any, after: Any) -> None:
    """Adds what is different in a row. `before` is `None` for a row that is new."""
    key = key_of(after)
    kind = key.partition("/")[0]
    names, values = COLUMNS[kind], _VALUES[kind](after)
    if before is None:
        found = {name: plain(value) for name, value in zip(names, values, strict=True) if value not in _EMPTY}
    else:
        known = _VALUES[kind](before)
        found = {name: plain(value) for name, value, old in zip(names, values, known, strict=True) if value != old}
    if found or (before is None and key not in changes):
        changes.setdefault(key, {}).update(found)


def put_promise(changes: Changes, promise: Promise, rules_version: int) -> None:
    """Adds a promise, with its reason as runs of that version tell it."""
    if promise.reason and rules_version >= rules.REASONS_BY_DIGEST:
        promise = replace(promise, reason=said_by(promise.reason))
    put(changes, None, promise)


def put_run(changes: Changes, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Adds what is different in the row of the run itself, from the columns that the trail tells of."""
    found = {
        name: plain(value)
        for name, value in after.items()
        if (value != before[name] if name in before else value not in _EMPTY)
    }
    if found:
        changes["run"] = found


def put_milestones(changes: Changes, before: Sequence[MilestoneRow], after: Sequence[MilestoneRow]) -> None:
    """Adds milestones that are reached, and those that are not any more: they have an empty `at`."""
    known = {row.name: row for row in before}
    for row in after:
        if known.pop(row.name, None) != row:
            put(changes, None, row)
    for name in known:
        changes[f"milestone/{name}"] = {"at": None, "seconds": None}


def plain(value: Any) -> Any:
    """A value as JSON: instants in RFC 3339 and UTC, to the second."""
    if isinstance(value, datetime):
        instant = value if value.tzinfo is UTC else value.astimezone(UTC)
        return f"{instant.replace(microsecond=0, tzinfo=None).isoformat()}Z"
    return value.value if isinstance(value, Enum) else value
