"""Hooks whose answer comes later. Fulfils `onboarding.ports.HookWaits`; several workers look after the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, Select, and_, bindparam, delete, or_, select, update

from onboarding.ports import WaitingHook
from storage.engine import reading, writing
from storage.tables import HOOK_WAITS, ITEMS
from storage.upserts import insert

_FIELDS = tuple(field.name for field in fields(WaitingHook))
_OF_THE_FIRST = ("key", "since", "ends_at")
_T = HOOK_WAITS.c


class SqlHookWaits:
    """The table `hook_waits`."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def keep(self, waiting: WaitingHook) -> None:
        """Remembers it; of the same key the newest attempt counts, and `since` and `ends_at` stay those of the first."""
        with writing(self._engine) as connection:
            statement = insert(connection, HOOK_WAITS).values(asdict(waiting))
            newer = {name: statement.excluded[name] for name in _FIELDS if name not in _OF_THE_FIRST}
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=newer))

    def find(self, key: str) -> WaitingHook | None:
        """What waits under this key."""
        with reading(self._engine) as connection:
            row = connection.execute(select(HOOK_WAITS).where(_T.key == key)).mappings().first()
        return None if row is None else _waiting(row)

    def all(self, run: str | None = None) -> Sequence[WaitingHook]:
        """Everything that waits, the longest waiting first; of one run, if it is named."""
        query = select(HOOK_WAITS).order_by(_T.since, _T.key)
        with reading(self._engine) as connection:
            rows = connection.execute(query if run is None else query.where(_T.run == run)).mappings().all()
        return tuple(_waiting(row) for row in rows)

    def status_of(self, run: str, item: str, round: int) -> str | None:
        """How an item stands in one round, or `None` where it never was in it."""
        which = and_(ITEMS.c.run == run, ITEMS.c.item == item, ITEMS.c.round == round)
        with reading(self._engine) as connection:
            found: str | None = connection.execute(select(ITEMS.c.status).where(which)).scalar()
        return found

    def forget(self, key: str, token: bytes | None = None) -> bool:
        """Nobody waits for it any more; only where it is still this attempt, if one is named. `False`: it was not there."""
        meant = _T.key == key if token is None else and_(_T.key == key, _T.token == token)
        with writing(self._engine) as connection:
            return connection.execute(delete(HOOK_WAITS).where(meant)).rowcount == 1

    def beats(self, before: datetime, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Takes over those whose last heartbeat was before that: for the moment they are this caller's alone."""
        return self._take(_SILENT, {"before": before, "most": most}, "beat_at", lambda row: now)

    def polls(self, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Takes over those whose other side is to be asked now, and puts their next time behind `every`."""
        words = {"now": now, "most": most}
        return self._take(_ASKED, words, "poll_at", lambda row: now + timedelta(seconds=row["every"]))

    def over(self, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Those that have waited for as long as they may."""
        with reading(self._engine) as connection:
            rows = connection.execute(_OVER, {"now": now, "most": most}).mappings().all()
        return tuple(_waiting(row) for row in rows)

    def tell(self, key: str, progress: str) -> None:
        """How far it is."""
        with writing(self._engine) as connection:
            connection.execute(update(HOOK_WAITS).where(_T.key == key).values(progress=progress))

    def _take(self, query: Select[Any], words: dict[str, Any], column: str, until: Any) -> Sequence[WaitingHook]:
        """Two workers may see the same row; only one of them finds the value in it that both have read."""
        with reading(self._engine) as connection:
            rows = connection.execute(query, words).mappings().all()
        if not rows:
            return ()
        with writing(self._engine) as connection:
            return tuple(_waiting(row) for row in rows if _claim(connection, row, column, until(row)))


def _claim(connection: Connection, row: Mapping[Any, Any], column: str, value: datetime) -> bool:
    seen = _T[column].is_(None) if row[column] is None else _T[column] == row[column]
    meant = and_(_T.key == row["key"], _T.token == row["token"], seen)
    return connection.execute(update(HOOK_WAITS).where(meant).values({column: value})).rowcount == 1


def _waiting(row: Mapping[Any, Any]) -> WaitingHook:
    return WaitingHook(**{name: row[name] for name in _FIELDS})


# Built once: every worker asks each of them every second, mostly for nothing.
_MOST: BindParameter[Any] = bindparam("most")
_SILENT = (
    select(HOOK_WAITS)
    .where(or_(_T.beat_at.is_(None), _T.beat_at <= bindparam("before")))
    .order_by(_T.beat_at, _T.key)
    .limit(_MOST)
)
_ASKED = select(HOOK_WAITS).where(_T.poll_at <= bindparam("now")).order_by(_T.poll_at, _T.key).limit(_MOST)
_OVER = select(HOOK_WAITS).where(_T.ends_at <= bindparam("now")).limit(_MOST)
