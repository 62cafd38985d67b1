"""What a person does to notices: looks at one, lets it be tried again, drops it, and sees which of them reached nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, or_, select, update

from storage import rows
from storage.engine import reading, writing
from storage.standing import OPEN_RUN
from storage.tables import NOTICES, RUNS, STAGES

DROPPED: Final = "dropped"
_TAKEN_BACK: Final = "It was taken back: what it would say is no longer so."
_SHOWN = ("customer", "stage", "round", "template", "side", "reason")
_INSTANTS = ("changed_at", "sent_at", "ready_at", "leased_until")


@dataclass(frozen=True, slots=True)
class Unheard:
    """How many notices failed, of how many runs, since when at least, and why: some of the codes."""

    notices: int
    runs: int
    since: datetime | None
    codes: tuple[str, ...]


def show(engine: Engine, key: str) -> dict[str, Any] | None:
    """Everything about a notice, or `None`. Where its reader is reached stands nowhere in it."""
    with reading(engine) as connection:
        row = connection.execute(select(NOTICES).where(NOTICES.c.key == key, NOTICES.c.at.is_not(None))).first()
    if row is None:
        return None
    more = {name: getattr(row, name) for name in _SHOWN} | {
        name: rows.instant(getattr(row, name)) for name in _INSTANTS
    }
    truths = {"doubtful": bool(row.doubtful), "recalled": bool(row.recalled), "held": row.batch is not None}
    return rows.notice_shape(row, row) | more | truths | {"items": list(row.items)}


def failed_keys(engine: Engine, run: str | None = None) -> list[str]:
    """Which notices failed, of a run or of all, the oldest first."""
    query = select(NOTICES.c.key).where(NOTICES.c.state == "failed").order_by(NOTICES.c.at, NOTICES.c.key)
    with reading(engine) as connection:
        return list(connection.execute(query if run is None else query.where(NOTICES.c.run == run)).scalars())


def resend(engine: Engine, keys: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Lets notices be tried again from now on, under their own keys; for each its verdict. One that has left never leaves again."""
    with writing(engine) as connection:
        return [_resend(connection, key, now) for key in keys]


def drop(engine: Engine, keys: Sequence[str], reason: str, now: datetime) -> list[dict[str, Any]]:
    """Takes notices out that have not left; for each its verdict."""
    with writing(engine) as connection:
        return [_drop(connection, key, reason, now) for key in keys]


def undelivered(connection: Connection, who: str, limit: int) -> list[dict[str, Any]]:
    """Lines of the inbox of whoever owns the stage of a failed notice; else of who owns the run.

    Of open runs, and of what was decided when a run ended: its last word is owed to somebody, too.
    """
    query = _failed(who).order_by(NOTICES.c.changed_at.desc(), NOTICES.c.key).limit(limit)
    return [_line(row) for row in connection.execute(query).mappings()]


def undelivered_total(connection: Connection, who: str) -> int:
    """How many these are."""
    return int(connection.execute(select(func.count()).select_from(_failed(who).subquery())).scalar_one())


def unheard(engine: Engine) -> Unheard:
    """What reached nobody, of all runs, whether anybody owns their stage or not."""
    query = select(func.count(), func.min(NOTICES.c.changed_at), func.count(func.distinct(NOTICES.c.run)))
    failed = NOTICES.c.state == "failed"
    with reading(engine) as connection:
        notices, since, runs = connection.execute(query.where(failed)).one()
        codes = connection.execute(select(NOTICES.c.last_code).where(failed).distinct().limit(5)).scalars().all()
    return Unheard(notices, runs, since, tuple(sorted(code for code in codes if code)))


def _failed(who: str) -> Select[Any]:
    visits = STAGES.alias()
    last = select(func.max(visits.c.visit)).where(visits.c.run == NOTICES.c.run, visits.c.stage == NOTICES.c.stage)
    visit = last.correlate(NOTICES).scalar_subquery()
    now = and_(STAGES.c.run == NOTICES.c.run, STAGES.c.stage == NOTICES.c.stage, STAGES.c.visit == visit)
    owner = func.coalesce(STAGES.c.owner, RUNS.c.owner)
    columns = (
        NOTICES.c.key, NOTICES.c.run, NOTICES.c.stage, NOTICES.c.item, NOTICES.c.round, NOTICES.c.subject, NOTICES.c.to,
        NOTICES.c.last_code, NOTICES.c.changed_at, owner.label("owner"),
    )  # fmt: skip
    matters = or_(OPEN_RUN, NOTICES.c.at >= RUNS.c.closed_at)
    joined = NOTICES.join(RUNS, RUNS.c.run == NOTICES.c.run).outerjoin(STAGES, now)
    return select(*columns).select_from(joined).where(NOTICES.c.state == "failed", matters, owner == who)


def _line(row: Mapping[Any, Any]) -> dict[str, Any]:
    """In the shape of every other line of an inbox."""
    since = rows.instant(row["changed_at"])
    told = {
        "run": row["run"], "id": row["key"], "stage": row["stage"] or "", "kind": "undelivered",
        "title": f"Not delivered to {row['to']}: {row['subject'] or ''}".rstrip(": "), "status": "failed", "owner": row["owner"],
        "side": "provider", "round": row["round"] or 1, "opened_at": since, "due_at": None, "answered_at": None, "closed_at": None,
        "late": False, "outcome": row["last_code"], "steps": 0, "optional": False, "mark": None,
        "waits_for": "outbox resend, or outbox drop", "stands_for": None, "who": row["owner"], "role": "", "first": True,
        "waiting_on": "provider", "since": since, "blocks": [],
    }  # fmt: skip
    return told


def _resend(connection: Connection, key: str, now: datetime) -> dict[str, Any]:
    row = _found(connection, key)
    if row is None:
        return _unknown(key)
    refused = _cannot(row, now) or _not_yet(row, now)
    if refused:
        return _verdict(row, "conflict", *refused)
    again = {"state": "pending", "next_at": now, "changed_at": now}
    if row["state"] == "failed":
        again |= {"tries": 0, "ready_at": now}
    connection.execute(update(NOTICES).where(_is(key)).values(again))
    return _verdict(row, "accepted", "resent", "It is tried again as soon as a worker looks.")


def _drop(connection: Connection, key: str, reason: str, now: datetime) -> dict[str, Any]:
    row = _found(connection, key)
    if row is None:
        return _unknown(key)
    if row["state"] == "withdrawn" and row["last_code"] == DROPPED:
        return _verdict(row, "duplicate", DROPPED, "It was dropped before.")
    refused = _cannot(row, now)
    if refused:
        return _verdict(row, "conflict", *refused)
    # A lease that ran out: its sender may have died right after it had sent.
    doubtful = bool(row["doubtful"]) or row["leased_until"] is not None
    gone = {"state": "withdrawn", "changed_at": now, "last_code": DROPPED, "reason": reason, "next_at": None}
    connection.execute(update(NOTICES).where(_is(key)).values(**gone, leased_until=None, doubtful=doubtful))
    return _verdict(row, "accepted", DROPPED, "It leaves no more.")


def _cannot(row: Mapping[Any, Any], now: datetime) -> tuple[str, str] | None:
    if row["state"] == "sent":
        return "already_sent", "It has left; the same notice never leaves twice."
    if row["state"] == "withdrawn":
        return "withdrawn", _TAKEN_BACK
    if row["leased_until"] is not None and row["leased_until"] > now:
        return "being_tried", "A worker is trying it at this moment; ask again in a minute."
    return None


def _not_yet(row: Mapping[Any, Any], now: datetime) -> tuple[str, str] | None:
    if row["recalled"]:  # while somebody tried it who has said nothing since
        return "withdrawn", _TAKEN_BACK
    if row["batch"] is not None:
        return "not_history", "The turn that asked for it is not history yet; it leaves by itself once it is."
    if row["state"] == "pending" and row["not_before"] is not None and row["not_before"] > now:
        return "too_early", "Its reader does not read now; it leaves by itself when their hours begin."
    return None


def _found(connection: Connection, key: str) -> Mapping[Any, Any] | None:
    query = select(NOTICES).where(_is(key), NOTICES.c.at.is_not(None)).with_for_update()
    return connection.execute(query).mappings().first()


def _is(key: str) -> ColumnElement[bool]:
    return NOTICES.c.key == key


def _verdict(row: Mapping[Any, Any], outcome: str, code: str, sentence: str) -> dict[str, Any]:
    return {"key": row["key"], "run": row["run"], "outcome": outcome, "code": code, "sentence": sentence}


def _unknown(key: str) -> dict[str, Any]:
    sentence = "No notice has this key; python starter.py outbox shows those that there are."
    return {"key": key[:300], "run": None, "outcome": "unknown", "code": "unknown_notice", "sentence": sentence}
