"""What waits for people, over all runs, from the table `waiting`: one row there for everybody who may act.

A line is an item as `open_items` shows it, with its run; the gate of a stage, the review of a hold and a debt are lines of the
same shape, told apart by `kind`. The most urgent comes first, what has no date last;
before all of them stand notices that could not be delivered, for whoever owns their stage (`storage/desk.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select, tuple_

from storage import desk, rows, words
from storage.paging import Order
from storage.tables import ITEMS, PEOPLE, RUNS, STAGES, WAITING

_THING = (WAITING.c.run, WAITING.c.kind, WAITING.c.about)
_OF_ITEM = ("kind", "owner", "asked", "optional", "opened_at", "answered_at", "closed_at", "late", "outcome", "steps")
"""What only the item's own row says."""
_MET = ("done", "skipped", "waived", "cancelled")
"""Statuses of an item that nobody waits for any more."""
_URGENT = Order("urgent", (WAITING.c.due_at, *_THING), sparse=True)


def of_person(connection: Connection, person: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """What waits for one person. Raises `CursorInvalid`."""
    found, following = _URGENT.page(connection, _lines().where(WAITING.c.person == person), cursor, limit)
    lines = _open_behind(connection, [_line(row._mapping) for row in found])
    return {"rows": _unheard(connection, person, cursor, limit) + lines, "next_cursor": following}


def of_group(connection: Connection, group: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """What waits for whoever has a role, once each, with those who may take it. Raises `CursorInvalid`."""
    query = select(*_URGENT.columns).where(_of_group(connection, group)).group_by(*_URGENT.columns)
    found, following = _URGENT.page(connection, query, cursor, limit)
    lines = _open_behind(connection, list(_things(connection, group, found)))
    unheard = [line | {"people": [line["who"]]} for line in _unheard(connection, group, cursor, limit)]
    return {"rows": unheard + lines, "next_cursor": following}


def _unheard(connection: Connection, who: str, cursor: str | None, limit: int) -> list[dict[str, Any]]:
    """Notices that reached nobody stand before everything else, on the first page: their readers know nothing and wait."""
    return [] if cursor is not None else desk.undelivered(connection, who, limit)


def _things(connection: Connection, group: str, found: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if not found:
        return
    wanted = [(row.run, row.kind, row.about) for row in found]
    query = _lines().where(tuple_(*_THING).in_(wanted)).order_by(WAITING.c.first.desc(), WAITING.c.person)
    people: dict[tuple[str, str, str], list[Mapping[Any, Any]]] = {}
    for row in connection.execute(query).mappings():
        people.setdefault((row["run"], row["kind"], row["about"]), []).append(row)
    for thing in wanted:
        everybody = people.get(thing, [])
        theirs = [row for row in everybody if group in (row["role"], row["person"])]
        if not theirs:  # somebody did it between the two queries
            continue
        line = _line(theirs[0]) | {"who": everybody[0]["person"], "first": theirs[0]["first"]}
        yield line | {"people": [row["person"] for row in theirs]}


def person_total(connection: Connection, person: str) -> int:
    """How much waits for a person."""
    query = select(func.count()).select_from(WAITING).where(WAITING.c.person == person)
    return int(connection.execute(query).scalar_one()) + desk.undelivered_total(connection, person)


def group_total(connection: Connection, group: str) -> int:
    """How much waits for whoever has a role; what several of them may do is one thing."""
    things = select(*_THING).where(_of_group(connection, group)).distinct().subquery()
    count = int(connection.execute(select(func.count()).select_from(things)).scalar_one())
    return count + desk.undelivered_total(connection, group)


def _of_group(connection: Connection, group: str) -> ColumnElement[bool]:
    """Where no directory names a group, its own name is the handle of whoever has what it owns: then nobody has it as a role."""
    is_role = connection.execute(select(exists().where(WAITING.c.role == group))).scalar()
    return WAITING.c.role == group if is_role else WAITING.c.person == group


def _lines() -> Select[Any]:
    of_item = (ITEMS.c[name].label(f"item_{name}") for name in _OF_ITEM)
    same = and_(ITEMS.c.run == WAITING.c.run, ITEMS.c.item == WAITING.c.item, ITEMS.c.round == WAITING.c.round)
    return select(WAITING, *of_item).select_from(WAITING.outerjoin(ITEMS, same))


def _line(row: Mapping[Any, Any]) -> dict[str, Any]:
    item = row["item"]
    return {
        "run": row["run"],
        "id": row["about"] if item is None else item,
        "stage": row["stage"],
        "kind": row["item_kind"] or row["kind"],
        "title": row["title"],
        "status": row["status"],
        "owner": row["item_owner"] or row["person"],
        "side": row["item_asked"] or row["side"],
        "round": row["round"],
        "opened_at": rows.instant(row["item_opened_at"]),
        "due_at": rows.instant(row["due_at"]),
        "answered_at": rows.instant(row["item_answered_at"]),
        "closed_at": rows.instant(row["item_closed_at"]),
        "late": bool(row["item_late"]),
        "outcome": row["item_outcome"],
        "steps": row["item_steps"] or 0,
        "optional": bool(row["item_optional"]),
        "mark": row["mark"],
        "waits_for": row["waits_for"],
        "stands_for": row["stands_for"],
        "who": row["person"],
        "role": row["role"],
        "first": bool(row["first"]),
        "waiting_on": row["side"],
        "since": rows.instant(row["since"]),
        "blocks": list(row["blocks"]),
    }


def _open_behind(connection: Connection, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines, each blocking only what is not done yet: the row of an item names everything that ever comes behind it."""
    columns = (ITEMS.c.run, ITEMS.c.item, ITEMS.c.status, ITEMS.c.tacit)
    runs = {line["run"]: None for line in lines if line["blocks"]}
    query = select(*columns).where(ITEMS.c.run.in_(list(runs))).order_by(ITEMS.c.round)
    # A later round stands for the ones before it.
    met = {(row.run, row.item): row.tacit or row.status in _MET for row in connection.execute(query)}
    for line in lines:
        line["blocks"] = [name for name in line["blocks"] if not met.get((line["run"], name), False)]
    return lines


def heard_of(connection: Connection, person: str) -> bool:
    """Whether any run knows this handle, also one for whom nothing waits."""
    return words.heard(
        connection, (WAITING.c.person, ITEMS.c.owner, RUNS.c.owner, STAGES.c.owner, PEOPLE.c.handle), person
    )


def heard_of_group(connection: Connection, group: str) -> bool:
    """Whether any run knows this role, or this group by its own name."""
    return words.heard(connection, (WAITING.c.role, PEOPLE.c.role, WAITING.c.person, ITEMS.c.owner), group)


def people(connection: Connection, word: str, most: int) -> list[str]:
    """Handles near this one: for whom something waits, and owners of stages."""
    return words.near(connection, (WAITING.c.person, RUNS.c.owner), word, most)


def groups(connection: Connection, word: str, most: int) -> list[str]:
    """Roles near this word: for whom something waits, and those whose holders can be reached."""
    return words.near(connection, (WAITING.c.role, PEOPLE.c.role), word, most)
