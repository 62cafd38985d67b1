"""Who sends which notice: claims with a lease, in the caller's transaction. See docs/decisions/0014-outbox.md.

Note [The lease is the token]
    Whoever puts a notice off or gives it up names the end of the lease it has: where that ran out and somebody else has claimed it, the
    end is another one, and nothing changes. Only "it was sent" is taken from anybody, since it is true for good.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, or_, select, update

from onboarding.engine.effects import Notice, NoticeKind
from onboarding.ports import Claimed, Sent
from storage.tables import NOTICES
from storage.upserts import insert_in

_CONTENT = tuple(field.name for field in fields(Notice))
OVERTAKEN: Final = "overtaken"
PASSING: Final = (NoticeKind.REMINDER, NoticeKind.DIGEST, NoticeKind.SILENCE)
"""Kinds of which only the newest is worth sending."""
IN_ORDER: Final = 3
"""Tries up to which a notice holds back later ones of its run to its reader: getting through comes before order then, since the later
one may have another way. `HOLDS`: the same for one that was put off, since it was ready and until it is tried again: a receiver may ask
for an hour."""
HOLDS: Final = timedelta(minutes=10)


def notice_of(row: Mapping[Any, Any]) -> Notice:
    """What the row says."""
    return Notice(**{name: row[name] for name in _CONTENT} | {"kind": NoticeKind(row["kind"])})


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether anybody could claim something; a look that writes nothing."""
    return bool(connection.execute(_ANY_DUE, _instants(now)).scalar())


def claim(connection: Connection, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]:
    """So many of what is ready, the longest waiting first. Nobody else has them until the lease is over."""
    rows = connection.execute(_CLAIMABLE, {**_instants(now), "most": most}).mappings().all()
    taken = [
        row
        for row in rows
        if not _is_over(connection, row, now)
        and not _is_passed(connection, row, now)
        and _may_call_off(connection, row, now)
    ]
    until = now + lease
    if taken:
        leases = [
            {"its": row["key"], "leased_until": until, "tries": (row["tries"] or 0) + 1, "doubtful": _is_doubtful(row)}
            for row in taken
        ]
        connection.execute(_LEASE, leases)
    return tuple(Claimed(notice_of(row), (row["tries"] or 0) + 1, row["ready_at"] or now, until) for row in taken)


def mark_sent(connection: Connection, marks: Sequence[Sent]) -> int:
    """Channels have taken them; of how many that was not known."""
    if not marks:
        return 0
    given = sorted(marks, key=lambda one: one.key)  # two that mark the same must not wait for each other
    rows = [{"its": one.key, "sent_at": one.at, "changed_at": one.at, "sent_by": one.by} for one in given]
    return connection.execute(_MARK, rows).rowcount


def put_off(
    connection: Connection, claimed: Claimed, code: str, next_at: datetime, doubtful: bool, tried: bool
) -> bool:
    """It did not leave now; one that was taken back meanwhile is not tried again. `False` for a claim that is over."""
    return _end(connection, claimed, code, doubtful, {"next_at": next_at, "tries": claimed.tries - (not tried)})


def give_up(connection: Connection, claimed: Claimed, state: str, code: str, at: datetime, doubtful: bool) -> bool:
    """It becomes `failed` or `withdrawn`. `False` for a claim that is over."""
    return _end(connection, claimed, code, doubtful, {"state": state, "changed_at": at, "next_at": None})


def withdraw(connection: Connection, keys: Sequence[str], at: datetime) -> bool:
    """`True` when nobody will read any of the notices: not tried yet, or not even known (and then they never are).

    One that is being tried stays, since nobody can say now whether it leaves: it is remembered, and not tried again.
    """
    tombstone = {"state": "withdrawn", "changed_at": at, "lines": (), "items": ()}
    rows = [{"key": key, **tombstone} for key in sorted(set(keys))]
    if not rows:
        return True
    connection.execute(_bury(connection.dialect.name), rows)
    found = connection.execute(_OF_KEYS, {"keys": list(keys)}).mappings().all()
    there = [row for row in found if row["state"] not in ("sent", "withdrawn")]
    tried = [{"its": row["key"]} for row in there if _is_leased(row, at)]
    gone = [
        {"its": row["key"], "changed_at": at, "doubtful": _is_doubtful(row)} for row in there if not _is_leased(row, at)
    ]
    if tried:
        connection.execute(_RECALL, tried)
    if gone:
        connection.execute(_TAKE_BACK, gone)
    read = [row for row in found if row["state"] == "sent" or row["doubtful"]]
    return not (read or tried or any(row["doubtful"] for row in gone))


@functools.cache
def _bury(dialect: str) -> Any:
    """Keeps the keys of what was not brought yet."""
    return insert_in(dialect, NOTICES).on_conflict_do_nothing()


def _instants(now: datetime) -> dict[str, Any]:
    """What `_DUE` compares with."""
    return {"now": now, "held_since": now - HOLDS, "held_until": now + HOLDS}


def _one_before() -> ColumnElement[bool]:
    """Whether an earlier one of the same run to the same reader comes first."""
    first = NOTICES.alias("first")
    earlier = or_(first.c.at < NOTICES.c.at, and_(first.c.at == NOTICES.c.at, first.c.key < NOTICES.c.key))
    fresh = and_(first.c.last_code.is_(None), first.c.next_at <= _NOW)
    held = first.c.ready_at > bindparam("held_since"), first.c.next_at <= bindparam("held_until")
    comes_back = and_(first.c.last_code.is_not(None), *held)
    in_turn = and_(first.c.tries < IN_ORDER, or_(fresh, comes_back))
    stands = and_(first.c.state == "pending", first.c.batch.is_(None), or_(first.c.leased_until > _NOW, in_turn))
    return exists().where(first.c.run == NOTICES.c.run, first.c.to == NOTICES.c.to, earlier, stands)


# Built once: building one takes longer than running it.
_NOW = bindparam("now", type_=NOTICES.c.next_at.type)
_THIS = NOTICES.c.key == bindparam("its")
_FREE = or_(NOTICES.c.leased_until.is_(None), NOTICES.c.leased_until <= _NOW)
_READY = and_(NOTICES.c.state == "pending", NOTICES.c.batch.is_(None), NOTICES.c.next_at <= _NOW)
_DUE = (
    select(NOTICES)
    .where(_READY, _FREE, NOTICES.c.run.is_not(None), ~_one_before())
    .order_by(NOTICES.c.next_at, NOTICES.c.at, NOTICES.c.key)
)
_ANY_DUE = select(_DUE.limit(1).exists())
_CLAIMABLE = _DUE.limit(bindparam("most")).with_for_update(skip_locked=True, of=NOTICES)
_OF_KEYS = (
    select(NOTICES)
    .where(NOTICES.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(NOTICES.c.key)
    .with_for_update()
)
# What an update sets beside this comes with its rows.
_LEASE = update(NOTICES).where(_THIS)
_RECALL = update(NOTICES).where(_THIS).values(recalled=True)
_TAKE_BACK = update(NOTICES).where(_THIS).values(state="withdrawn", leased_until=None, next_at=None)
_MARK = (
    update(NOTICES)
    .where(_THIS, NOTICES.c.state != "sent", NOTICES.c.run.is_not(None))
    .values(state="sent", leased_until=None, next_at=None, last_code=None)
)


def _is_over(connection: Connection, row: Mapping[Any, Any], now: datetime) -> bool:
    """Whether it was taken back while somebody tried it who has said nothing since: then it is withdrawn, and may have left."""
    if row["recalled"]:
        _withdrawn(connection, row, row["last_code"], now)
    return bool(row["recalled"])


def _is_passed(connection: Connection, row: Mapping[Any, Any], now: datetime) -> bool:
    """Whether it was put off before and the next of its sort is decided: then it is withdrawn."""
    if not (row["tries"] or row["last_code"]) or row["kind"] not in PASSING:
        return False
    same = [NOTICES.c[name].is_not_distinct_from(row[name]) for name in ("run", "kind", "to", "stage", "item")]
    newer = and_(NOTICES.c.at > row["at"], NOTICES.c.state.in_(("pending", "sent")), NOTICES.c.batch.is_(None))
    if not connection.execute(select(exists().where(*same, newer))).scalar():
        return False
    _withdrawn(connection, row, OVERTAKEN, now)
    return True


def _may_call_off(connection: Connection, row: Mapping[Any, Any], now: datetime) -> bool:
    """A retraction waits while what it calls off is being tried, and has nothing to say where none of it left."""
    if not row["retracts"]:
        return True
    called_off = select(NOTICES.c.key).where(NOTICES.c.key.in_(row["retracts"]))
    tried = and_(NOTICES.c.state == "pending", NOTICES.c.leased_until > now)
    # Nobody waits for a lock here: two that claim at once hold what the other one would wait for.
    held = connection.execute(called_off.with_for_update(skip_locked=True)).all()
    if len(held) < len(connection.execute(called_off).all()) or connection.execute(called_off.where(tried)).first():
        return False
    if withdraw(connection, row["retracts"], now) and not _is_doubtful(row):
        _withdrawn(connection, row, "nothing_to_retract", now)
        return False
    return True


def _withdrawn(connection: Connection, row: Mapping[Any, Any], code: str | None, at: datetime) -> None:
    values = {"state": "withdrawn", "changed_at": at, "last_code": code, "leased_until": None, "next_at": None}
    connection.execute(update(NOTICES).where(NOTICES.c.key == row["key"]).values(**values, doubtful=_is_doubtful(row)))


def _end(connection: Connection, claimed: Claimed, code: str, doubtful: bool, values: Mapping[str, Any]) -> bool:
    """See Note [The lease is the token]."""
    mine = and_(
        NOTICES.c.key == claimed.notice.key, NOTICES.c.state == "pending", NOTICES.c.leased_until == claimed.until
    )
    found = connection.execute(select(NOTICES).where(mine).with_for_update()).mappings().first()
    if found is None:
        return False
    if found["recalled"]:
        values = {**values, "state": "withdrawn", "next_at": None}
    values = {**values, "doubtful": bool(found["doubtful"] or doubtful)}
    connection.execute(update(NOTICES).where(mine).values(last_code=code, leased_until=None, **values))
    return True


def _is_doubtful(row: Mapping[Any, Any]) -> bool:
    """A lease that nobody has ended: its sender may have died right after it had sent."""
    return bool(row["doubtful"]) or row["leased_until"] is not None


def _is_leased(row: Mapping[Any, Any], at: datetime) -> bool:
    return row["state"] == "pending" and row["leased_until"] is not None and row["leased_until"] > at
