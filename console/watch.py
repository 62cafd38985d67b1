"""`doctor --runs`: every open run that does not go on, one line for each reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console import ground, tables

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST = 50_000
"""Open runs that are asked about one by one, odd ones first."""
SECONDS = 80.0
"""After which nobody else is asked about: with what is done before and after, an answer takes less than two minutes."""
_COLUMNS = {"run": "run", "kind": "kind", "since": "since", "sentence": "what", "way_out": "way out"}


async def look() -> dict[str, Any]:
    """The answer of the command. `Unreachable` where no server answers; a database that does not is said in `rows_read`."""
    from runtime.watching import Watch
    from storage.engine import open_database
    from storage.rows import instant
    from storage.watching import rows_of_open_runs

    client = await ground.client()

    def read(now: Any) -> Any:
        # Opened for each reading: a database that is away is a finding here, and no end of the command.
        engine = open_database(ground.settings().database_url)
        try:
            return rows_of_open_runs(engine, now)
        finally:
            engine.dispose()

    found = await Watch(client, read).look(most=MOST, seconds=SECONDS)
    return {
        "open": found.open,
        "looked_at": found.looked_at,
        "unanswered": found.unanswered,
        "rows_read": found.rows_read,
        "findings": len(found.findings),
        "rows": [
            {
                "run": one.run, "kind": str(one.kind), "since": instant(one.since),
                "sentence": one.sentence, "way_out": one.way_out,
            }
            for one in found.findings
        ],
    }  # fmt: skip


def table(answer: dict[str, Any]) -> RenderableType | str:
    """The same for a terminal."""
    if not answer["findings"]:
        return f"{told(answer)} {_all_well(answer)}"
    return tables.grid(answer["rows"], _COLUMNS, f"{answer['findings']} findings")


def _all_well(answer: dict[str, Any]) -> str:
    """No more than what was looked at."""
    if answer["unanswered"]:
        return f"Of {answer['unanswered']} more, which look odd, the server told nothing in time: ask again."
    return (
        "All of them go on."
        if answer["looked_at"] == answer["open"]
        else "These go on; the others look well from afar."
    )


def told(answer: dict[str, Any]) -> str:
    """How many were looked at, and whether that was everything."""
    said = f"{answer['looked_at']} of {answer['open']} open runs were looked at one by one."
    return said if answer["rows_read"] else f"{said} Our database did not answer, so nothing was compared to rows."
