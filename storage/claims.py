"""Who sends which notice: claims with a lease, in the caller's transaction. See docs/decisions/0014-outbox.md.

Note [The lease is the token]
    Whoever puts a notice off or gives it up names the end of the lease it has: where that ran out and somebody else has claimed it, the
    end is another one, and nothing changes. Only "it was sent" is taken from anybody, since it is true for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select, update

from onboarding.engine.effects import Notice, NoticeKind
from onboarding.ports import Claimed
from storage.tables import NOTICES
from storage.upserts import insert

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
    return bool(connection.execute(select(_due(now).limit(1).exists())).scalar())


def claim(connection: Connection, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]:
    """So many of what is ready, the longest waiting first. Nobody else has them until the lease is over."""
    rows = connection.execute(_due(now).limit(most).with_for_update(skip_locked=True, of=NOTICES)).mappings().all()
    taken = [
        row
        for row in rows
        if not _is_over(connection, row, now)
        and not _is_passed(connection, row, now)
        and _may_call_off(connection, row, now)
    ]
    until = now + lease
    for row in taken:
        connection.execute(
            update(NOTICES)
            .where(NOTICES.c.key == row["key"])
            .values(leased_until=until, tries=(row["tries"] or 0) + 1, doubtful=_is_doubtful(row))
        )
    return tuple(Claimed(notice_of(row), (row["tries"] or 0) + 1, row["ready_at"] or now, until) for row in taken)


def mark_sent(connection: Connection, key: str, by: str, at: datetime) -> bool:
    """A channel has taken it; `False` when that was known."""
    changed = connection.execute(
        update(NOTICES)
        .where(NOTICES.c.key == key, NOTICES.c.state != "sent", NOTICES.c.run.is_not(None))
        .values(state="sent", sent_at=at, changed_at=at, sent_by=by, leased_until=None, next_at=None, last_code=None)
    )
    return changed.rowcount == 1


def put_off(
    connection: Connection, claimed: Claimed, code: str, next_at: datetime, doubtful: bool, tried: bool
) -> bool:
    """It did not leave now; one that was taken back meanwhile is not tried again. `False` for a claim that is over."""
    return _end(connection, claimed, code, doubtful, {"next_at": next_at, "tries": claimed.tries - (not tried)})


def give_up(connection: Connection, claimed: Claimed, state: str, code: str, at: datetime, doubtful: bool) -> bool:
    """It becomes `failed` or `withdrawn`. `False` for a claim that is over."""
    return _end(connection, claimed, code, doubtful, {"state": state, "changed_at": at, "next_at": None})


def withdraw(connection: Connection, key: str, at: datetime) -> bool:
    """`True` when nobody will read the notice: not tried yet, or not even known (and then it never is).

    One that is being tried stays, since nobody can say now whether it leaves: it is remembered, and not tried again.
    """
    tombstone = {"key": key, "state": "withdrawn", "changed_at": at, "lines": (), "items": ()}
    connection.execute(insert(connection, NOTICES).values(tombstone).on_conflict_do_nothing())
    row = connection.execute(select(NOTICES).where(NOTICES.c.key == key).with_for_update()).mappings().one()
    if row["state"] == "sent":
        return False
    if row["state"] == "withdrawn":
        return not row["doubtful"]
    this = update(NOTICES).where(NOTICES.c.key == key)
    if _is_leased(row, at):
        connection.execute(this.values(recalled=True))
        return False
    doubtful = _is_doubtful(row)
    gone = {"state": "withdrawn", "changed_at": at, "leased_until": None, "next_at": None, "doubtful": doubtful}
    connection.execute(this.values(gone))
    return not doubtful


def _due(now: datetime) -> Select[Any]:
    free = or_(NOTICES.c.leased_until.is_(None), NOTICES.c.leased_until <= now)
    ready = and_(NOTICES.c.state == "pending", NOTICES.c.batch.is_(None), NOTICES.c.next_at <= now)
    return (
        select(NOTICES)
        .where(ready, free, NOTICES.c.run.is_not(None), ~_one_before(now))
        .order_by(NOTICES.c.next_at, NOTICES.c.at, NOTICES.c.key)
    )


def _one_before(now: datetime) -> ColumnElement[bool]:
    """Whether an earlier one of the same run to the same reader comes first."""
    first = NOTICES.alias("first")
    earlier = or_(first.c.at < NOTICES.c.at, and_(first.c.at == NOTICES.c.at, first.c.key < NOTICES.c.key))
    fresh = and_(first.c.last_code.is_(None), first.c.next_at <= now)
    comes_back = and_(first.c.last_code.is_not(None), first.c.ready_at > now - HOLDS, first.c.next_at <= now + HOLDS)
    in_turn = and_(first.c.tries < IN_ORDER, or_(fresh, comes_back))
    stands = and_(first.c.state == "pending", first.c.batch.is_(None), or_(first.c.leased_until > now, in_turn))
    return exists().where(first.c.run == NOTICES.c.run, first.c.to == NOTICES.c.to, earlier, stands)


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
    gone = [withdraw(connection, key, now) for key in row["retracts"]]
    if all(gone) and not _is_doubtful(row):
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
