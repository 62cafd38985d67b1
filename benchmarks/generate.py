"""Fills a database with made-up runs: finished ones for reports, open ones for lists and inboxes.

    python -m benchmarks.generate --into sqlite:///bench.sqlite --finished 100000 --open 10000

Rows go straight into the tables, a thousand runs in one transaction. The same seed gives the same rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, func, insert, select, text

from benchmarks.made_up import MadeUp
from storage.engine import open_database, writing
from storage.tables import FAULTS, HANDOFFS, ITEMS, LEDGER, MILESTONES, PROMISES, RUNS, STAGES, WAITING

AT_ONCE = 1_000
"""Runs of one transaction: what is in memory at a time."""
FINISHED, OPEN = 100_000, 10_000
_TABLES = {
    "stages": STAGES, "items": ITEMS, "ledger": LEDGER, "milestones": MILESTONES, "handoffs": HANDOFFS, "promises": PROMISES,
    "faults": FAULTS, "waiting": WAITING,
}  # fmt: skip
_PLACE = {"chain": "made-up", "batch": "made-up", "decided_at": None}


def draw(finished: int, still_open: int, seed: int) -> Iterator[MadeUp]:
    """Finished and open runs, spread evenly over the names, so that neither lie together in a table."""
    total = finished + still_open
    for n in range(total):
        before, after = n * still_open // total, (n + 1) * still_open // total
        yield MadeUp(n, seed, still_open=after > before)


def fill(engine: Engine, finished: int, still_open: int, seed: int = 1) -> int:
    """Writes made-up runs into an empty database; how many rows these were."""
    _empty(engine)
    rows, kept = 0, _nothing()
    for made in draw(finished, still_open, seed):
        kept["runs"].append(made.run | _PLACE)
        for name, found in made.rows.items():
            kept[name] += found
        if len(kept["runs"]) == AT_ONCE:
            rows += _write(engine, kept)
            kept = _nothing()
    rows += _write(engine, kept)
    _look_around(engine)
    return rows


def _nothing() -> dict[str, list[dict[str, Any]]]:
    return {"runs": [], **{name: [] for name in _TABLES}}


def _empty(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.execute(select(func.count()).select_from(RUNS)).scalar():
            raise SystemExit("This database holds runs: made-up ones go into an empty one.")


def _write(engine: Engine, kept: dict[str, list[dict[str, Any]]]) -> int:
    with writing(engine) as connection:
        for name, found in kept.items():
            if found:
                connection.execute(insert(_TABLES.get(name, RUNS)), found)
    return sum(len(found) for found in kept.values())


def _look_around(engine: Engine) -> None:
    """What a database does by itself within minutes, or has done after a while: it learns what it holds."""
    words = "VACUUM (ANALYZE)" if engine.dialect.name == "postgresql" else "ANALYZE"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(words))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(
        prog="python -m benchmarks.generate", description="Fill an empty database with made-up runs."
    )
    words.add_argument("--into", required=True, metavar="URL", help="sqlite:///file or postgresql://…")
    words.add_argument("--finished", type=int, default=FINISHED, help="closed runs")
    words.add_argument("--open", type=int, default=OPEN, help="open runs")
    words.add_argument("--seed", type=int, default=1, help="the same seed gives the same rows")
    chosen = words.parse_args(arguments)
    engine = open_database(chosen.into)
    began = time.perf_counter()
    rows = fill(engine, chosen.finished, chosen.open, chosen.seed)
    engine.dispose()
    print(f"{rows:,} rows in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
