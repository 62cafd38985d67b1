"""What other systems were told, as people look at it, and how far back it is told again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, String, and_, cast, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from storage.engine import reading, writing
from storage.events import BEHIND
from storage.paging import Order
from storage.rows import instant
from storage.standing import alone_with
from storage.tables import EVENT_CURSORS as CURSORS, EVENTS

PAGE = 100
RUNS_AT_ONCE = 50
"""Runs of which nobody else writes rows while cursors are put back: more would keep them waiting, and PostgreSQL holds some thousand locks."""
_BY_INSTANT = Order("events", (EVENTS.c.at, EVENTS.c.run, EVENTS.c.n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What has not arrived at one webhook: so many events of so many runs, the oldest `since`; `parked` runs wait for a person."""

    webhook: str
    events: int
    runs: int
    parked: int
    since: datetime | None
    codes: tuple[str, ...]
    """Why it has not, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """What leaves for one webhook: the events of a run from number `first` on. `skipped` are those that will not be sent."""

    run: str
    first: int
    events: int
    skipped: int


class EventReading:
    """Questions about the events of runs, and the cursors of their receivers."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def page(
        self, run: str | None = None, webhook: str | None = None, cursor: str | None = None, limit: int = PAGE
    ) -> dict[str, Any]:
        """Events in the order in which they happened, with what became of each at every receiver. Raises `CursorInvalid`."""
        query = select(EVENTS)
        if run is not None:
            query = query.where(EVENTS.c.run == run)
        if webhook is not None:
            query = query.where(_wants(webhook))
        with reading(self._engine) as connection:
            found, following = _BY_INSTANT.page(connection, query, cursor, limit)
            cursors = _cursors(connection, {row.run for row in found})
        lines = [_shape(row, cursors, webhook) for row in found]
        return {"rows": lines, "next_cursor": following}

    def webhooks(self) -> tuple[str, ...]:
        """Every webhook to which something was to be sent."""
        with reading(self._engine) as connection:
            return tuple(connection.execute(select(CURSORS.c.webhook).distinct().order_by(CURSORS.c.webhook)).scalars())

    def behind(self) -> tuple[Behind, ...]:
        """What has not arrived, by webhook; nothing for one that has everything."""
        with reading(self._engine) as connection:
            names = connection.execute(select(CURSORS.c.webhook).where(BEHIND).distinct()).scalars().all()
            return tuple(_behind(connection, name) for name in sorted(names))

    def resend(
        self,
        webhook: str,
        run: str | None,
        *,
        number: int | None = None,
        since: datetime | None = None,
        skip: bool = False,
    ) -> Sequence[Resent]:
        """Sends again from a number or an instant on; without either, what has stopped goes on where it stopped.

        Nothing that has not arrived is left out, unless `skip` says so: a run where it would be is not touched.
        """
        wanted = [CURSORS.c.webhook == webhook]
        if run is not None:
            wanted.append(CURSORS.c.run == run)
        elif since is not None:
            wanted.append(or_(BEHIND, CURSORS.c.run.in_(select(EVENTS.c.run).where(EVENTS.c.at >= since))))
        elif number is None:
            wanted.append(BEHIND)
        with reading(self._engine) as connection:
            runs = connection.execute(select(CURSORS.c.run).where(*wanted).order_by(CURSORS.c.run)).scalars().all()
        found: list[Resent | None] = []
        for first in range(0, len(runs), RUNS_AT_ONCE):
            some = CURSORS.c.run.in_(runs[first : first + RUNS_AT_ONCE])
            query = select(CURSORS.c.run, CURSORS.c.sent, CURSORS.c.last).where(*wanted, some)
            with writing(self._engine) as connection:
                found += [
                    _led_back(connection, webhook, row.run, row.sent, row.last, number, since, skip)
                    for row in connection.execute(query.order_by(CURSORS.c.run)).all()
                ]
        return [one for one in found if one is not None]


def _led_back(
    connection: Connection,
    webhook: str,
    run: str,
    sent: int,
    last: int,
    number: int | None,
    since: datetime | None,
    skip: bool,
) -> Resent | None:
    """One cursor, put where it is to go on; `None` where there is nothing to send from there on, or something would be left out."""
    alone_with(connection, run)
    wanted = and_(EVENTS.c.run == run, _wants(webhook), EVENTS.c.n <= last)
    first = sent + 1
    if number is not None:
        first = min(number, last + 1)  # what is yet to happen is no part of what may be left out
    elif since is not None:
        first = (
            connection.execute(select(func.min(EVENTS.c.n)).where(wanted, EVENTS.c.at >= since)).scalar() or last + 1
        )
        first = min(first, sent + 1)  # an instant means again, and never leaves anything out
    skipped = _count(connection, wanted, EVENTS.c.n > sent, EVENTS.c.n < first)
    events = _count(connection, wanted, EVENTS.c.n >= first)
    if (skipped and not skip) or not (events or skipped):
        return Resent(run=run, first=first, events=0, skipped=skipped) if skipped else None
    free = {"tries": 0, "parked": False, "code": None, "next_at": None, "leased_until": None, "leased_by": None}
    ours = CURSORS.c.webhook == webhook, CURSORS.c.run == run
    connection.execute(update(CURSORS).where(*ours).values(sent=first - 1, **free))
    return Resent(run=run, first=first, events=events, skipped=skipped)


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(EVENTS).where(*conditions)).scalar_one())


def _wants(webhook: str) -> ColumnElement[bool]:
    """Events of this receiver: their names are kept as a list in JSON."""
    return cast(EVENTS.c.to, String).contains(json.dumps(webhook), autoescape=True)


def _behind(connection: Connection, webhook: str) -> Behind:
    waits = and_(CURSORS.c.webhook == webhook, BEHIND)
    cursors = connection.execute(select(CURSORS.c.run, CURSORS.c.parked, CURSORS.c.code).where(waits)).all()
    unsent = and_(
        EVENTS.c.run == CURSORS.c.run, EVENTS.c.n > CURSORS.c.sent, EVENTS.c.n <= CURSORS.c.last, _wants(webhook)
    )
    joined = select(func.count(), func.min(EVENTS.c.at)).select_from(EVENTS).join(CURSORS, unsent).where(waits)
    count, since = connection.execute(joined).one()
    return Behind(
        webhook=webhook, events=count, runs=len(cursors), parked=sum(row.parked for row in cursors), since=since,
        codes=tuple(sorted({row.code for row in cursors if row.code})),
    )  # fmt: skip


def _cursors(connection: Connection, runs: set[str]) -> Mapping[tuple[str, str], Any]:
    query = select(CURSORS).where(CURSORS.c.run.in_(sorted(runs)))
    return {(row.webhook, row.run): row for row in connection.execute(query)}


def _shape(row: Any, cursors: Mapping[tuple[str, str], Any], webhook: str | None) -> dict[str, Any]:
    """A line of `events`."""
    names = [name for name in row.to if webhook in (None, name)]
    return {
        "run": row.run, "n": row.n, "at": instant(row.at), "type": row.type, "subject": row.subject, "id": row.id,
        "to": {name: _fate(row, cursors.get((name, row.run))) for name in names}, "data": row.data,
    }  # fmt: skip


def _fate(row: Any, cursor: Any) -> str:
    if cursor is not None and row.n <= cursor.sent:
        return "arrived"
    if row.batch is not None or cursor is None:
        return "held"
    why = f" ({cursor.code})" if cursor.code else ""
    return f"parked{why}" if cursor.parked else f"waits{why}"
