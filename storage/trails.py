"""Single entries of trails, as they stand in the rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from storage.engine import reading
from storage.rows import instant
from storage.tables import TRAIL


def entry_of(engine: Engine, run: str, n: int | None = None) -> dict[str, Any] | None:
    """Number, digest and instant of the n-th entry of a run, or of the last one; `None` where there is none."""
    query = select(TRAIL.c.n, TRAIL.c.digest, TRAIL.c.at).where(TRAIL.c.run == run).order_by(TRAIL.c.n.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(query if n is None else query.where(TRAIL.c.n == n)).first()
    return None if row is None else {"n": row.n, "digest": row.digest, "at": instant(row.at)}
