"""What must outlive a restore: keys that were made or destroyed since the copy, and the names of who was erased since.

A key that only the replaced database had is all that opens the histories of its customer; and one that was destroyed must not come
back with an older copy.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from storage.copying import opened
from storage.engine import reading, writing
from storage.faults import DatabaseUnavailable
from storage.keys import ACTIVE, DESTROYED, RETIRED
from storage.tables import ERASURES, KEYS


def carry_over(live: Path, part: Path) -> tuple[str, ...] | None:
    """Takes the keys of the database that will be replaced into the copy that replaces it; who must be erased again.

    `None` where the database is not there, or where what it says of them cannot be read: then nobody knows. Whatever else is wrong
    with it matters not: it is replaced because something is.
    """
    if not live.exists():
        return None
    try:
        with opened(live) as there, reading(there) as connection:
            keys = [dict(row) for row in connection.execute(select(KEYS)).mappings()]
            erased = {row.run: row.customer for row in connection.execute(select(ERASURES.c.run, ERASURES.c.customer))}
    except (DatabaseUnavailable, ValueError):
        return None
    with opened(part) as here:
        with writing(here) as connection:
            for row in sorted(keys, key=lambda row: (row["customer"], row["generation"])):
                _take(connection, row)
        return _again(here, erased)


def _take(connection: Connection, row: dict[str, Any]) -> None:
    """One key as the later database had it. One that the copy has under another id keeps its place there, and is the older one."""
    of_theirs = KEYS.c.customer == row["customer"]
    if row["state"] == DESTROYED:
        gone = {name: row[name] for name in ("wrapped", "master", "state", "destroyed_at")}
        connection.execute(update(KEYS).where(of_theirs, KEYS.c.state != DESTROYED).values(gone))
    same = KEYS.c.id == row["id"]
    if connection.execute(select(KEYS.c.id).where(same)).scalar() is not None:
        connection.execute(update(KEYS).where(same).values({**row, "generation": KEYS.c.generation}))
        return
    # The newest of a customer is the only one that may be active.
    retired = {"state": RETIRED, "retired_at": datetime.now(UTC)}
    connection.execute(update(KEYS).where(of_theirs, KEYS.c.state == ACTIVE).values(retired))
    last = connection.execute(select(func.max(KEYS.c.generation)).where(of_theirs)).scalar()
    generation = row["generation"] if last is None else max(row["generation"], last + 1)
    connection.execute(insert(KEYS).values({**row, "generation": generation}))


def _again(here: Engine, erased: dict[str, str]) -> tuple[str, ...]:
    with reading(here) as connection:
        known = set(connection.execute(select(ERASURES.c.run)).scalars())
    return tuple(sorted({customer for run, customer in erased.items() if run not in known}))
