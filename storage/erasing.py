"""Forgetting: what people said goes from the rows of a run, and what is counted stays.

A trail still verifies afterwards: its digests cover the SHA-256 of a sentence, and that is kept where the sentence was. Handles stay,
for they are the pseudonyms that the record is about; whom they stood for is in `people`, and that goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, case, delete, func, or_, select, update

from onboarding.engine.chain import is_digest, said_by, without_text
from onboarding.messages import BY_NAME
from storage.engine import reading, writing
from storage.keys import DESTROYED
from storage.standing import alone_with, is_erased
from storage.tables import (
    ERASURES,
    EVENT_CURSORS,
    EVENTS,
    FAULTS,
    HOOK_WAITS,
    KEYS,
    NOTICES,
    PEOPLE,
    PROMISES,
    REFUSED,
    RUNS,
    TRAIL,
    WAITING,
)
from storage.upserts import insert

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A closed run whose definition says that it is time to forget it."""

    run: str
    customer: str
    closed_at: datetime
    forget_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """A run that was erased: `cause` is `asked` or `retention`."""

    run: str
    customer: str
    at: datetime
    cause: str


class Erasures:
    """The table `erasures`, and what an erasure does to the rows of a run."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def runs_of(self, customer: str) -> tuple[str, ...]:
        """Every run of a customer that has rows or was erased, in order."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(RUNS.c.run).where(RUNS.c.customer == customer)).scalars().all()
            gone = connection.execute(select(ERASURES.c.run).where(ERASURES.c.customer == customer)).scalars().all()
        return tuple(sorted({*rows, *gone}))

    def with_people(self, beginning: str) -> tuple[str, ...]:
        """Runs whose name begins so and of which it is known how to reach somebody; one that was never started may be among them."""
        query = select(PEOPLE.c.run).where(PEOPLE.c.run.startswith(beginning, autoescape=True)).distinct()
        with reading(self._engine) as connection:
            found = connection.execute(query).scalars().all()
        return tuple(sorted(run for run in found if run.startswith(beginning)))  # SQLite does not tell capitals apart

    def begun(self, runs: Sequence[str]) -> frozenset[str]:
        """Those whose rows are erased already."""
        return self._known(runs, wholly=False)

    def done(self, runs: Sequence[str]) -> frozenset[str]:
        """Those of which the server has no history any more either."""
        return self._known(runs, wholly=True)

    def _known(self, runs: Sequence[str], *, wholly: bool) -> frozenset[str]:
        query = select(ERASURES.c.run).where(ERASURES.c.run.in_(runs))
        with reading(self._engine) as connection:
            found = connection.execute(query.where(ERASURES.c.gone_at.is_not(None)) if wholly else query)
            return frozenset(found.scalars())

    def due(self, now: datetime) -> tuple[Due, ...]:
        """Runs that are to be forgotten by now, the longest due first. One that was begun and not finished is among them."""
        finished = select(ERASURES.c.run).where(ERASURES.c.gone_at.is_not(None))
        query = select(RUNS.c.run, RUNS.c.customer, RUNS.c.closed_at, RUNS.c.forget_at)
        query = query.where(RUNS.c.state == "closed", RUNS.c.forget_at <= now, RUNS.c.run.not_in(finished))
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(RUNS.c.forget_at, RUNS.c.run)).all()
        return tuple(
            Due(run=row.run, customer=row.customer, closed_at=row.closed_at, forget_at=row.forget_at) for row in found
        )

    def tombstone(self, run: str, customer: str, *, by: str, cause: str, at: datetime) -> dict[str, int]:
        """Erases the rows of a run and writes that down, in one transaction; how much there was.

        The second time there is nothing, or people whom an earlier release has written since: they are counted with the others.
        """
        with writing(self._engine) as connection:
            alone_with(connection, run)
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            people = connection.execute(delete(PEOPLE).where(PEOPLE.c.run == run)).rowcount
            if is_erased(connection, run):
                counted = update(ERASURES).where(ERASURES.c.run == run).values(people=ERASURES.c.people + people)
                connection.execute(counted)
                return {"people": people, "notices": 0, "sentences": 0}
            found = {
                "people": people,
                "notices": _notices(connection, run, at),
                "sentences": _trail(connection, run) + _refused(connection, run) + _promises(connection, run),
            }
            _faults(connection, run)
            for table in (EVENTS, EVENT_CURSORS, HOOK_WAITS):  # what had not left will not leave
                connection.execute(delete(table).where(table.c.run == run))
            connection.execute(
                delete(WAITING).where(WAITING.c.run == run)
            )  # of one that was terminated: nobody can act in it
            row = {
                "run": run,
                "customer": customer,
                "at": at,
                "by": by,
                "cause": cause,
                "histories": 0,
                "gone_at": None,
            }
            connection.execute(insert(connection, ERASURES).values(row | found))
        return found

    def gone(self, run: str, histories: int, at: datetime) -> None:
        """The server has no history of this run any more; so many were deleted this time."""
        with writing(self._engine) as connection:
            changed = {"histories": ERASURES.c.histories + histories, "gone_at": at}
            connection.execute(update(ERASURES).where(ERASURES.c.run == run).values(changed))

    def forgotten(self, customer: str) -> bool:
        """Whether the keys of a customer are destroyed, and with them everything that they could have under this name."""
        query = select(KEYS.c.id).where(KEYS.c.customer == customer, KEYS.c.state == DESTROYED).limit(1)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def all(self) -> tuple[Erased, ...]:
        """Every run that was erased, in order."""
        query = select(ERASURES.c.run, ERASURES.c.customer, ERASURES.c.at, ERASURES.c.cause).order_by(ERASURES.c.run)
        with reading(self._engine) as connection:
            return tuple(Erased(**row) for row in connection.execute(query).mappings())


def compact(engine: Engine) -> bool:
    """Writes a SQLite file anew, so that no page of it holds what was erased; `False` where somebody was in the way.

    PostgreSQL does that by itself, in its own time.
    """
    if engine.dialect.name != "sqlite":
        return True
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cursor.close()
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return not busy


def _notices(connection: Connection, run: str, at: datetime) -> int:
    """What was said to people goes; what had not left will not leave."""
    of_run = NOTICES.c.run == run
    connection.execute(
        update(NOTICES)
        .where(of_run, NOTICES.c.state.in_(("pending", "failed")))
        .values(state="withdrawn", changed_at=at)
    )
    blank = {"subject": None, "lines": (), "batch": None, "execution": None, "reason": None}
    return connection.execute(update(NOTICES).where(of_run, NOTICES.c.subject.is_not(None)).values(blank)).rowcount


def _trail(connection: Connection, run: str) -> int:
    told = or_(TRAIL.c.sentence != "", TRAIL.c.message == "promise")
    query = select(TRAIL.c.n, TRAIL.c.sentence, TRAIL.c.changes).where(TRAIL.c.run == run, told).order_by(TRAIL.c.n)
    change = (
        update(TRAIL).where(TRAIL.c.run == run, TRAIL.c.n == bindparam("of"))
        .values(sentence="", said=bindparam("its_digest"), changes=bindparam("its_changes"))
    )  # fmt: skip
    count, last = 0, 0
    while found := connection.execute(query.where(TRAIL.c.n > last).limit(_AT_ONCE)).all():
        rows = [
            {"of": row.n, "its_digest": said_by(row.sentence) if row.sentence else None, "its_changes": without_texts(row.changes)}
            for row in found
        ]  # fmt: skip
        connection.execute(change, rows)
        count, last = count + sum(bool(row.sentence) for row in found), found[-1].n
    return count


def without_texts(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of an entry without what somebody wrote: the reason of a promise, where an older release told it in full."""
    found = dict(changes)
    for key, values in changes.items():
        reason = values.get("reason") if key.startswith("promise/") else None
        if isinstance(reason, str) and reason and not is_digest(reason):
            found[key] = {**values, "reason": without_text(reason)}
    return found


def _refused(connection: Connection, run: str) -> int:
    """Names and ids of signals are what their senders chose; of ours the name stays."""
    ours = case((REFUSED.c.name.in_(sorted(BY_NAME)), REFUSED.c.name), else_="")
    blank = {"sentence": "", "message_id": "", "name": ours}
    return _blanked(connection, REFUSED, run, blank)


def _promises(connection: Connection, run: str) -> int:
    return _blanked(connection, PROMISES, run, {"reason": ""})


def _faults(connection: Connection, run: str) -> None:
    """A field that is unknown is named as its sender called it."""
    unknown = FAULTS.c.run == run, FAULTS.c.code == "unknown_field"
    connection.execute(update(FAULTS).where(*unknown).values(place=""))


def _blanked(connection: Connection, table: Table, run: str, values: Mapping[str, Any]) -> int:
    named = "sentence" if "sentence" in values else "reason"
    count = select(func.count()).select_from(table).where(table.c.run == run, table.c[named] != "")
    found: int = connection.execute(count).scalar_one()
    connection.execute(update(table).where(table.c.run == run).values(**values))
    return found
