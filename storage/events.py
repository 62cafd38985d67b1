"""What other systems are told: the events of runs, and how far each webhook is in each of them.

Fulfils `onboarding.event_ports.HeldEvents` and `EventQueue`. Events come with the rows of their turn, in one transaction, and wait until these are
history, as notices do (docs/decisions/0017-events-out.md).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, delete, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from onboarding.engine.effects import WriteRecords
from onboarding.event_ports import ClaimedEvents, HeldBatch, OutgoingEvent
from storage.engine import reading, writing
from storage.standing import alone_with
from storage.tables import EVENT_CURSORS as CURSORS, EVENTS, RUNS
from storage.upserts import insert, insert_in

_TOLD = tuple(field.name for field in fields(OutgoingEvent) if field.name != "customer")
_FREE: dict[str, Any] = {"leased_until": None, "leased_by": None}
BEHIND: ColumnElement[bool] = CURSORS.c.sent < CURSORS.c.last
"""There is something that has not arrived."""


# With the rows of a turn -----------------------------------------------------------------------------------------------


def put_events(connection: Connection, rows: Sequence[Mapping[str, Any]], records: WriteRecords, now: datetime) -> None:
    """Inserts events that wait for their rows to be history. One that may leave already stays as it is, unless it is another one.

    Where another one has left (somebody has reset the run), this one leaves as well, under its own id. Rows without an execution are
    told by a history that is over: they are it already.
    """
    if not rows:
        return
    brought = {event.n: event.id for event in records.events}
    query = select(EVENTS.c.n, EVENTS.c.id).where(
        EVENTS.c.run == records.run.run, EVENTS.c.n.between(min(brought), max(brought))
    )
    others = [row.n for row in connection.execute(query) if brought.get(row.n) != row.id]
    if others:
        _lead_back(connection, records.run.run, min(others) - 1)
    waits_for = {"batch": records.id, "execution": records.execution}
    source = waits_for if records.execution else dict.fromkeys(waits_for)
    connection.execute(
        _replacing(connection.dialect.name),
        [dict(row) | source for row in rows],
    )
    if not records.execution:
        _lead_on(connection, records.run.run, {name: one.n for one in records.events for name in one.to}, now)


@functools.cache
def _replacing(dialect: str) -> Any:
    """The statement of `put_events`: one that still waits, or was decided again, is told anew."""
    statement = insert_in(dialect, EVENTS)
    keys = [column.name for column in EVENTS.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in EVENTS.columns if column.name not in keys}
    waits = or_(EVENTS.c.batch.is_not(None), EVENTS.c.id != statement.excluded.id)
    return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=waits)


def take_back(connection: Connection, records: WriteRecords) -> None:
    """What lies behind the last event that a whole batch knows of never was: its numbers are told anew."""
    last = max((records.event_count, *(event.n for event in records.events)))
    never = EVENTS.c.run == records.run.run, EVENTS.c.n > last
    if connection.execute(delete(EVENTS).where(*never)).rowcount:
        _lead_back(connection, records.run.run, last)


def _lead_back(connection: Connection, run: str, until: int) -> None:
    """No receiver has had more than that; whoever is sending what was there loses the claim, and so cannot mark what is there now."""
    for column in (CURSORS.c.sent, CURSORS.c.last):
        changed = {column: until} | _FREE
        connection.execute(update(CURSORS).where(CURSORS.c.run == run, column > until).values(changed))


class SqlEvents:
    """The tables `events` and `event_cursors`."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    # Until they are history.

    def held(self, most: int) -> Sequence[HeldBatch]:
        """So many of the batches with events that wait, by run."""
        query = (
            select(EVENTS.c.run, EVENTS.c.batch, EVENTS.c.execution, RUNS.c.batch.label("stands"))
            .join(RUNS, RUNS.c.run == EVENTS.c.run)
            .where(EVENTS.c.batch.is_not(None))
            .distinct()
            .order_by(EVENTS.c.run, EVENTS.c.batch)
        )
        with reading(self._engine) as connection:
            found = connection.execute(query.limit(most)).all()
        return tuple(HeldBatch(row.run, row.batch, row.execution, row.stands) for row in found)

    def release(self, run: str, batches: Sequence[str]) -> int:
        """These batches are history: their events may leave; how many those are."""
        ours = EVENTS.c.run == run, EVENTS.c.batch.in_(batches)
        with writing(self._engine) as connection:
            alone_with(connection, run)
            found = connection.execute(select(EVENTS.c.n, EVENTS.c.to).where(*ours).order_by(EVENTS.c.n)).all()
            connection.execute(update(EVENTS).where(*ours).values(batch=None, execution=None))
            last = {webhook: row.n for row in found for webhook in row.to}
            _lead_on(connection, run, last, datetime.now(UTC).replace(microsecond=0))
        return len(found)

    def forget(self, run: str, batches: Sequence[str]) -> None:
        """These batches never became history: their events never were."""
        with writing(self._engine) as connection:
            alone_with(connection, run)
            connection.execute(delete(EVENTS).where(EVENTS.c.run == run, EVENTS.c.batch.in_(batches)))

    # Until they have arrived.

    def claim(self, webhook: str, by: str, most: int, now: datetime, until: datetime) -> Sequence[ClaimedEvents]:
        """So many runs that have something for this webhook and are nobody's, the longest waiting first."""
        ready = _ready(webhook, now)
        with reading(self._engine) as connection:
            if connection.execute(select(CURSORS.c.run).where(ready).limit(1)).first() is None:
                return ()  # no writing, twice a second, for nothing
        query = select(CURSORS).where(ready).order_by(CURSORS.c.changed_at, CURSORS.c.run).limit(most)
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                query = query.with_for_update(skip_locked=True)
            found = connection.execute(query).all()
            names = [row.run for row in found]
            taken = update(CURSORS).where(CURSORS.c.webhook == webhook, CURSORS.c.run.in_(names))
            # Behind the others the next time: a run with nothing that may leave must not stand before them for ever.
            connection.execute(taken.values(leased_until=until, leased_by=by, changed_at=now))
        return tuple(ClaimedEvents(webhook=webhook, run=row.run, sent=row.sent, tries=row.tries) for row in found)

    def following(self, claimed: ClaimedEvents, most: int) -> tuple[Sequence[OutgoingEvent], int]:
        """The next events for this webhook, in order, and up to which number that was looked at."""
        query = (
            select(EVENTS, RUNS.c.customer)
            .join(RUNS, RUNS.c.run == EVENTS.c.run)
            .where(EVENTS.c.run == claimed.run, EVENTS.c.n > claimed.sent)
            .order_by(EVENTS.c.n)
            .limit(most)
        )
        with reading(self._engine) as connection:
            found = list(_that_may_leave(connection.execute(query).mappings()))
        through = found[-1]["n"] if found else claimed.sent
        return tuple(_outgoing(row) for row in found if claimed.webhook in row["to"]), through

    def arrived(self, claimed: ClaimedEvents, by: str, n: int, now: datetime, until: datetime) -> bool:
        """Everything up to `n` has arrived; `False` for whoever does not have the claim any more."""
        values = {"sent": n, "tries": 0, "code": None, "next_at": None, "leased_until": until, "changed_at": now}
        return self._change(claimed, by, values)

    def put_off(self, claimed: ClaimedEvents, by: str, code: str, again: datetime, now: datetime) -> None:
        """It did not arrive, and is tried again."""
        tries = CURSORS.c.tries + 1
        self._change(claimed, by, _FREE | {"tries": tries, "code": code, "next_at": again, "changed_at": now})

    def park(self, claimed: ClaimedEvents, by: str, code: str, now: datetime) -> None:
        """The receiver will never take it: nothing of this run is sent there until somebody says so."""
        self._change(claimed, by, _FREE | {"parked": True, "code": code, "next_at": None, "changed_at": now})

    def give_back(self, claimed: ClaimedEvents, by: str) -> None:
        """There was no more, or no time for more."""
        self._change(claimed, by, _FREE)

    def _change(self, claimed: ClaimedEvents, by: str, values: Mapping[str, Any]) -> bool:
        mine = CURSORS.c.webhook == claimed.webhook, CURSORS.c.run == claimed.run, CURSORS.c.leased_by == by
        with writing(self._engine) as connection:
            return connection.execute(update(CURSORS).where(*mine).values(**values)).rowcount == 1


def _ready(webhook: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        CURSORS.c.webhook == webhook,
        BEHIND,
        CURSORS.c.parked.is_(False),
        or_(CURSORS.c.next_at.is_(None), CURSORS.c.next_at <= now),
        or_(CURSORS.c.leased_until.is_(None), CURSORS.c.leased_until <= now),
    )


def _lead_on(connection: Connection, run: str, last: Mapping[str, int], now: datetime) -> None:
    """Each webhook has something up to this number; one that has met none of this run before begins here."""
    if not last:
        return
    fresh = (
        {"run": run, "sent": 0, "tries": 0, "parked": False, "changed_at": now}
        | _FREE
        | {"code": None, "next_at": None}
    )
    statement = insert(connection, CURSORS)
    further = case((CURSORS.c.last < statement.excluded.last, statement.excluded.last), else_=CURSORS.c.last)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["webhook", "run"], set_={"last": further}),
        [fresh | {"webhook": webhook, "last": n} for webhook, n in last.items()],
    )


def _that_may_leave(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Mapping[Any, Any]]:
    for row in rows:
        if row["batch"] is not None:
            return
        yield row


def _outgoing(row: Mapping[Any, Any]) -> OutgoingEvent:
    return OutgoingEvent(customer=row["customer"], **{name: row[name] for name in _TOLD})
