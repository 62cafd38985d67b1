"""`outbox`: what was sent to people, or would be, over all runs or of one. Needs no Temporal server."""

from __future__ import annotations

from typing import Annotated

import typer

from console import ground, paging
from console.paging import All, Cursor
from console.printing import Output

app = typer.Typer()

_COLUMNS = {
    "at": "at", "to": "to", "kind": "kind", "item": "item", "step": "step", "state": "state", "not_before": "not before",
    "subject": "subject",
}  # fmt: skip


@app.command()
def outbox(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: of all runs.")] = None,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """What was sent to people or would be, oldest first."""
    ground.settings()
    name = ground.workflow_id(run) if run is not None else None
    with ground.read_table() as table:
        if name is not None and table.find(name) is None:
            raise ground.unknown_run(name)
        answer = paging.paged(lambda at: table.outbox(name, cursor=at), cursor, every)
    return paging.show(answer, _COLUMNS if name else {"run": "run", **_COLUMNS})
