"""What a letter is about, from the rows as they stand when it leaves. Fulfils `onboarding.matter.About`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, and_, bindparam, null, select

from onboarding.engine.effects import Notice
from onboarding.language.model import Side
from onboarding.matter import Matter, Point
from storage.engine import reading
from storage.tables import ITEMS, NOTICES, PEOPLE, RUNS, STAGES, WAITING

_COLUMNS = (
    WAITING.c.kind, WAITING.c.about, WAITING.c.person, WAITING.c.stage, WAITING.c.item, WAITING.c.first, WAITING.c.title,
    WAITING.c.status, WAITING.c.side, WAITING.c.due_at,
)  # fmt: skip
# Built once: every letter asks all of them.
_ITS: BindParameter[Any] = bindparam("its")
_RUN = select(RUNS.c.definition, RUNS.c.state, RUNS.c.stage, RUNS.c.closed_at).where(RUNS.c.run == _ITS)
_SAME = and_(ITEMS.c.run == WAITING.c.run, ITEMS.c.item == WAITING.c.item, ITEMS.c.round == WAITING.c.round)
_WAITING = (
    select(*_COLUMNS, ITEMS.c.kind.label("item_kind"))
    .select_from(WAITING.outerjoin(ITEMS, _SAME))
    .where(WAITING.c.run == _ITS)
)
_PEOPLE = select(PEOPLE.c.handle, PEOPLE.c.name, PEOPLE.c.zone).where(PEOPLE.c.run == _ITS).order_by(PEOPLE.c.handle)
_STAGE = select(STAGES.c.title).where(STAGES.c.run == _ITS, STAGES.c.stage == bindparam("named")).limit(1)
_TITLES = select(ITEMS.c.item, ITEMS.c.title).where(
    ITEMS.c.run == _ITS, ITEMS.c.item.in_(bindparam("named", expanding=True))
)


class SqlAbout:
    """The tables of runs, stages, items and of what waits for whom."""

    def __init__(self, engine: Engine) -> None:
        """The engine stays the caller's: it is not disposed here."""
        self._engine = engine

    def matter(self, run: str, reader: str, *, stage: str | None, items: Sequence[str], side: str) -> Matter:
        """How a run stands for one handle. The customer sees of what waits only their own side's. Raises `DatabaseUnavailable`."""
        with reading(self._engine) as connection:
            found = connection.execute(_RUN, {"its": run}).one_or_none()
            if found is None:
                return Matter()
            names, zone = _people(connection, run)
            points = _points(connection, run, reader) if found.closed_at is None else []
            shown = [
                one for one in points if one.yours or (one.id in items and (side != Side.CUSTOMER or one.side == side))
            ]
            shown.sort(key=lambda one: one.id not in items)
            return Matter(
                known=True,
                definition=found.definition,
                closed_at=found.closed_at,
                on_hold=found.state == "on_hold",
                stage=_stage(connection, run, stage or found.stage),
                titles=_titles(connection, run, items),
                points=tuple(shown),
                following=next((one for one in points if one not in shown), None),
                names=names,
                zone=zone,
            )


def _points(connection: Connection, run: str, reader: str) -> list[Point]:
    """Each open thing once, the nearest date first."""
    rows = connection.execute(_WAITING, {"its": run}).mappings().all()
    things: dict[tuple[str, str], list[Mapping[Any, Any]]] = {}
    for row in sorted(
        rows, key=lambda row: (row["due_at"] is None, row["due_at"] or 0, row["about"], not row["first"])
    ):
        things.setdefault((row["kind"], row["about"]), []).append(row)
    return [_point(of_one, reader) for of_one in things.values()]


def _point(rows: list[Mapping[Any, Any]], reader: str) -> Point:
    first = next((row for row in rows if row["first"]), rows[0])
    return Point(
        id=first["item"] or first["about"],
        title=first["title"],
        kind=first["item_kind"] or first["kind"],
        status=first["status"],
        due_at=first["due_at"],
        who=first["person"],
        side=first["side"],
        stage=first["stage"],
        yours=any(row["person"] == reader for row in rows),
    )


def _people(connection: Connection, run: str) -> tuple[dict[str, str], str]:
    rows = connection.execute(_PEOPLE, {"its": run}).all()
    names = {row.handle: row.name for row in rows if row.name}
    return names, next((row.zone for row in rows if row.zone), "")


def _stage(connection: Connection, run: str, stage: str) -> str:
    return str(connection.execute(_STAGE, {"its": run, "named": stage}).scalar() or "")


def _titles(connection: Connection, run: str, items: Sequence[str]) -> tuple[str, ...]:
    if not items:
        return ()
    found = {row.item: row.title for row in connection.execute(_TITLES, {"its": run, "named": list(items)})}
    return tuple(found[item] for item in items if item in found)


def last_notice(engine: Engine, run: str, template: str, to: str | None = None) -> Notice | None:
    """The newest notice of a run under this template, to this handle where one is named; `None` where there is none."""
    fits = and_(NOTICES.c.run == run, NOTICES.c.template == template, NOTICES.c.at.is_not(None))
    query = select(NOTICES).where(fits if to is None else and_(fits, NOTICES.c.to == to))
    with reading(engine) as connection:
        row = connection.execute(query.order_by(NOTICES.c.at.desc(), NOTICES.c.key).limit(1)).mappings().one_or_none()
    return None if row is None else Notice(**{field.name: row[field.name] for field in fields(Notice)})


def readers_of(engine: Engine, run: str) -> dict[str, str]:
    """Everybody whom a run has written to or may write to, with the side they are on where a notice or an open thing says it."""
    found: dict[str, str] = {}
    queries = (
        select(PEOPLE.c.handle, null()).where(PEOPLE.c.run == run),
        select(WAITING.c.person, WAITING.c.side).where(WAITING.c.run == run),
        select(NOTICES.c.to, NOTICES.c.side).where(NOTICES.c.run == run, NOTICES.c.to.is_not(None)),
    )
    with reading(engine) as connection:
        for query in queries:
            for handle, side in connection.execute(query.distinct()):
                found[handle] = side or found.get(handle, "")
    return dict(sorted(found.items()))
