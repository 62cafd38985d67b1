"""What must outlive a restore: keys that were made or destroyed since the copy, and the names of who was erased since.

A key that only the replaced database had is all that opens the histories of its customer; and one that was destroyed must not come
back with an older copy.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from storage.copying import opened, unfit
from storage.engine import reading, writing
from storage.keys import ACTIVE, RETIRED
from storage.tables import ERASURES, KEYS


def carry_over(live: Path, part: Path) -> tuple[str, ...] | None:
    """Takes the keys of the database that will be replaced into the copy that replaces it; who must be erased again.

    `None` where the database is not there or cannot be read: then nobody knows.
    """
    if not live.exists() or unfit(live, any_release=False) is not None:
        return None
    with opened(live) as there, opened(part) as here:
        with reading(there) as connection:
            keys = [dict(row) for row in connection.execute(select(KEYS)).mappings()]
            erased = {row.run: row.customer for row in connection.execute(select(ERASURES.c.run, ERASURES.c.customer))}
        with writing(here) as connection:
            for row in sorted(keys, key=lambda row: (row["customer"], row["generation"])):
                _take(connection, row)
        return _again(here, erased)


def _take(connection: Connection, row: dict[str, Any]) -> None:
    """One key as the later database had it. One that the copy has under another id keeps its place there."""
    of_theirs = KEYS.c.customer == row["customer"]
    known = connection.execute(select(KEYS.c.id).where(KEYS.c.id == row["id"])).scalar()
    if known is not None:
        connection.execute(update(KEYS).where(KEYS.c.id == row["id"]).values({**row, "generation": KEYS.c.generation}))
        return
    taken = connection.execute(select(KEYS.c.id).where(of_theirs, KEYS.c.generation == row["generation"])).scalar()
    if taken is not None:
        last = connection.execute(select(func.max(KEYS.c.generation)).where(of_theirs)).scalar_one()
        row = {**row, "generation": last + 1}
    active = connection.execute(select(KEYS.c.id).where(of_theirs, KEYS.c.state == ACTIVE)).scalar()
    if active is not None and row["state"] == ACTIVE:
        row = {**row, "state": RETIRED, "retired_at": datetime.now(UTC)}
    connection.execute(insert(KEYS).values(row))


def _again(here: Engine, erased: dict[str, str]) -> tuple[str, ...]:
    with reading(here) as connection:
        known = set(connection.execute(select(ERASURES.c.run)).scalars())
    return tuple(sorted({customer for run, customer in erased.items() if run not in known}))
