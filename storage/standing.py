"""What is at risk, overdue or erased, said once: a list and a dashboard must not disagree about a run.

Conditions over the rows of `runs` and `waiting`; what is compared with the present takes the instant.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select

from storage.tables import ERASURES, RUNS, WAITING

AT_RISK = ("at_risk", "stalled", "escalated")
"""How a run does that needs somebody to look at it."""

OPEN_RUN = RUNS.c.state.in_(("running", "on_hold"))
"""Still under way; also on hold, because the customer waits then, too."""


def at_risk(at: datetime) -> ColumnElement[bool]:
    """Open runs in danger; each sign stands on a line.

    A promise is about the first value: whoever has that, or is live, waits for no date any more.
    """
    awaited = and_(RUNS.c.first_value_at.is_(None), RUNS.c.live_at.is_(None), RUNS.c.on_time.is_not(True))
    signs = (
        RUNS.c.health.in_(AT_RISK),
        and_(awaited, RUNS.c.promised_at < at),
        and_(awaited, RUNS.c.forecast_late_at > RUNS.c.promised_at),
    )
    return and_(OPEN_RUN, or_(*signs))


def overdue(at: datetime) -> ColumnElement[bool]:
    """Rows of `waiting`, joined with their runs, whose date has passed while somebody still has to do something.

    While a run is on hold nothing of it is due but the review of the hold. What was answered waits for no date, and the date of
    a gate is a plan and no promise.
    """
    late = and_(WAITING.c.due_at < at, WAITING.c.status.not_in(("answered", "in_review")), WAITING.c.kind != "gate")
    return and_(late, or_(RUNS.c.state == "running", and_(RUNS.c.state == "on_hold", WAITING.c.kind == "hold")))


def alone_with(connection: Connection, run: str) -> None:
    """From here on nobody else writes or erases the rows of this run. SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"its": run})


def is_erased(connection: Connection, run: str) -> bool:
    """Whether what people said in a run was erased: nobody writes of it any more."""
    return connection.execute(_ERASED, {"its": run}).first() is not None


_ALONE = select(func.pg_advisory_xact_lock(func.hashtext(bindparam("its", type_=RUNS.c.run.type))))
_ERASED = select(ERASURES.c.run).where(ERASURES.c.run == bindparam("its"))
