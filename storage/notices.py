"""The outbox: what is sent to whom, and what became of it. Fulfils `integrations.outbox.NoticeStore` and `integrations.sending.Outbox`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, bindparam, delete, select, update

from onboarding.engine.effects import Notice, WriteRecords
from onboarding.ports import Claimed, HeldNotice, Sent
from storage import claims
from storage.claims import withdraw as withdraw
from storage.engine import reading, writing
from storage.rows import values_of
from storage.standing import is_erased
from storage.tables import NOTICES, RUNS
from storage.upserts import insert_in


class SqlNoticeStore:
    """Notices in the `notices` table, once for each key, whoever brings them first."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """The engine stays the caller's: it is not disposed here. By the clock it is known what may leave."""
        self._engine = engine
        self._clock = clock

    def keep(self, *notices: Notice) -> tuple[str, ...]:
        """Keeps notices in one transaction, ready to leave, but for keys that are known; their states now.

        To a run that was erased nobody writes any more. One that waited for history waits no more. What it calls off is taken back;
        where nobody reads any of it, it goes as well.
        """
        now = self._now()
        with writing(self._engine) as connection:
            erased = {run for run in dict.fromkeys(one.run for one in notices) if is_erased(connection, run)}
            kept = [one for one in notices if one.run not in erased]
            add(connection, kept, now)
            _make_ready(connection, kept, now)
            for one in kept:
                waits = bool(one.retracts) and _states(connection, [one])[one.key] == "pending"
                if waits and withdraw(connection, one.retracts, now):
                    withdraw(connection, (one.key,), now)
            states = _states(connection, kept)
        return tuple(states.get(one.key, "withdrawn") for one in notices)

    def claim(self, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]:
        """So many of what is ready to leave, the longest waiting first: nobody else has them until the lease is over."""
        with reading(self._engine) as connection:
            if not claims.any_due(connection, now):
                return ()
        with writing(self._engine) as connection:
            return claims.claim(connection, most, now, lease)

    def mark_sent(self, *marks: Sent) -> int:
        """Channels have taken these, written in one transaction; of how many that was not known."""
        with writing(self._engine) as connection:
            return claims.mark_sent(connection, marks)

    def put_off(self, claimed: Claimed, code: str, next_at: datetime, *, doubtful: bool, tried: bool = True) -> bool:
        """Not now. `doubtful`: it may have arrived all the same; `tried`: it counts as a try. `False` for a claim that is over."""
        with writing(self._engine) as connection:
            return claims.put_off(connection, claimed, code, next_at, doubtful, tried)

    def fail(self, claimed: Claimed, code: str, at: datetime, *, doubtful: bool = False) -> bool:
        """Nothing helps, or it was tried for long enough: a person must look. `False` for a claim that is over."""
        with writing(self._engine) as connection:
            return claims.give_up(connection, claimed, "failed", code, at, doubtful)

    def lapse(self, claimed: Claimed, at: datetime, *, doubtful: bool = False) -> bool:
        """It makes sense no more. `False` for a claim that is over."""
        with writing(self._engine) as connection:
            return claims.give_up(connection, claimed, "withdrawn", claims.OVERTAKEN, at, doubtful)

    def held(self, most: int) -> Sequence[HeldNotice]:
        """Notices that wait for their rows to be history, the longest waiting first."""
        with reading(self._engine) as connection:
            found = connection.execute(_HELD, {"most": most}).mappings().all()
        return tuple(
            HeldNotice(claims.notice_of(row), row["batch"], row["execution"], row["stands"] or row["batch"])
            for row in found
        )

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""
        with writing(self._engine) as connection:
            forget(connection, run, batch)

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)


def add(connection: Connection, notices: Sequence[Notice], at: datetime, records: WriteRecords | None = None) -> None:
    """Inserts notices as pending; nothing happens to one whose key is known, also as withdrawn.

    One that waits for its rows to be history is replaced: if the turn was decided again, this is what it says now.
    """
    if not notices:
        return
    source = {"batch": records.id, "execution": records.execution} if records else {"batch": None, "execution": None}
    more = _NEW | source | {"changed_at": at}
    # In one order: two that bring the same must not wait for each other.
    rows = [values_of(one) | more for one in sorted(notices, key=lambda one: one.key)]
    connection.execute(_adding(connection.dialect.name, tuple(rows[0]), records is not None), rows)


@functools.cache
def _adding(dialect: str, names: tuple[str, ...], may_replace: bool) -> Any:
    """The statement of `add`."""
    statement = insert_in(dialect, NOTICES)
    if not may_replace:
        return statement.on_conflict_do_nothing()
    changed = {name: statement.excluded[name] for name in names if name != "key"}
    waits = and_(NOTICES.c.state == "pending", NOTICES.c.batch.is_not(None))
    return statement.on_conflict_do_update(index_elements=["key"], set_=changed, where=waits)


def forget(connection: Connection, run: str, batch: str) -> None:
    """As `SqlNoticeStore.forget`, in the caller's transaction."""
    waits = and_(NOTICES.c.run == run, NOTICES.c.batch == batch, NOTICES.c.state == "pending")
    connection.execute(delete(NOTICES).where(waits))


def _make_ready(connection: Connection, notices: Sequence[Notice], at: datetime) -> None:
    rows = [
        {"its": one.key, "ready_at": max(one.not_before or at, at), "next_at": one.not_before or at}
        for one in sorted(notices, key=lambda one: one.key)
    ]
    if rows:
        connection.execute(_READY, rows)


def _states(connection: Connection, notices: Sequence[Notice]) -> Mapping[str, str]:
    found = connection.execute(_STATES, {"keys": [one.key for one in notices]})
    return {row.key: row.state for row in found}


# Built once: building one takes longer than running it.
_NEW: Final[dict[str, Any]] = {
    "state": "pending", "sent_at": None, "tries": 0, "doubtful": False, "recalled": False,
}  # fmt: skip
_HELD = (
    select(NOTICES, RUNS.c.batch.label("stands"))
    .join(RUNS, RUNS.c.run == NOTICES.c.run, isouter=True)
    .where(NOTICES.c.state == "pending", NOTICES.c.batch.is_not(None))
    .order_by(NOTICES.c.changed_at)
    .limit(bindparam("most"))
)
_READY = (
    update(NOTICES)
    .where(NOTICES.c.key == bindparam("its"), NOTICES.c.state == "pending", NOTICES.c.next_at.is_(None))
    .values(batch=None, execution=None)
)
_STATES = select(NOTICES.c.key, NOTICES.c.state).where(NOTICES.c.key.in_(bindparam("keys", expanding=True)))
