"""The outbox: what is sent to whom, and what became of it. Fulfils `integrations.outbox.NoticeStore` and `integrations.sending.Outbox`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, select, update

from onboarding.engine.effects import Notice, WriteRecords
from onboarding.ports import Claimed, HeldNotice
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

    def keep(self, notice: Notice) -> str:
        """Keeps a notice, ready to leave, unless its key is known; its state now. To a run that was erased nobody writes any more.

        One that waited for history waits no more. What it calls off is taken back; where nobody reads any of it, it goes as well.
        """
        now = self._now()
        with writing(self._engine) as connection:
            if is_erased(connection, notice.run):
                return "withdrawn"
            add(connection, notice, now)
            _make_ready(connection, notice, now)
            if _state(connection, notice.key) == "pending" and notice.retracts:
                gone = [withdraw(connection, key, now) for key in notice.retracts]
                if all(gone):
                    withdraw(connection, notice.key, now)
            return _state(connection, notice.key) or "pending"

    def claim(self, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]:
        """So many of what is ready to leave, the longest waiting first: nobody else has them until the lease is over."""
        with reading(self._engine) as connection:
            if not claims.any_due(connection, now):
                return ()
        with writing(self._engine) as connection:
            return claims.claim(connection, most, now, lease)

    def mark_sent(self, key: str, by: str, at: datetime) -> bool:
        """The channel `by` has taken it; `False` when that was known."""
        with writing(self._engine) as connection:
            return claims.mark_sent(connection, key, by, at)

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
        stands = RUNS.c.batch.label("stands")
        query = select(NOTICES, stands).join(RUNS, RUNS.c.run == NOTICES.c.run, isouter=True)
        query = query.where(NOTICES.c.state == "pending", NOTICES.c.batch.is_not(None))
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(NOTICES.c.changed_at).limit(most)).mappings().all()
        return tuple(
            HeldNotice(claims.notice_of(row), row["batch"], row["execution"], row["stands"] or row["batch"])
            for row in found
        )

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""
        with writing(self._engine) as connection:
            forget(connection, run, batch)

    def withdraw(self, key: str) -> bool:
        """As `storage.claims.withdraw`, in a transaction of its own."""
        with writing(self._engine) as connection:
            return withdraw(connection, key, self._now())

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)


def add(connection: Connection, notice: Notice, at: datetime, records: WriteRecords | None = None) -> None:
    """Inserts a notice as pending; nothing happens when its key is known, also as withdrawn.

    One that waits for its rows to be history is replaced: if the turn was decided again, this is what it says now.
    """
    source = {"batch": records.id, "execution": records.execution} if records else {"batch": None, "execution": None}
    new = {"state": "pending", "changed_at": at, "sent_at": None, "tries": 0, "doubtful": False, "recalled": False}
    row = values_of(notice) | new | source
    connection.execute(_adding(connection.dialect.name, tuple(row), records is not None), row)


@functools.cache
def _adding(dialect: str, names: tuple[str, ...], may_replace: bool) -> Any:
    """The statement of `add`: to build it takes longer than to run it."""
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


def _make_ready(connection: Connection, notice: Notice, at: datetime) -> None:
    waits = and_(NOTICES.c.key == notice.key, NOTICES.c.state == "pending", NOTICES.c.next_at.is_(None))
    leaves = notice.not_before or at
    ready = {"batch": None, "execution": None, "ready_at": max(leaves, at), "next_at": leaves}
    connection.execute(update(NOTICES).where(waits).values(ready))


def _state(connection: Connection, key: str) -> str | None:
    return connection.execute(select(NOTICES.c.state).where(NOTICES.c.key == key)).scalar()
