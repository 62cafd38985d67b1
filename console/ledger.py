"""`ledger`: whose the time of a run was, as rows, as bars on a terminal, and as a page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, hindsight, pictures, printing, reads, tables
from console.leaving import OK, Misused
from console.reads import All, Cursor, Run

if TYPE_CHECKING:
    from console.run_bars import RunBars

app = typer.Typer()

Answer = dict[str, Any]


class LedgerForm(StrEnum):
    """How a ledger is written: HTML is one page with a picture of it."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    HTML = "html"


_chosen: list[LedgerForm] = []


def _choose(form: LedgerForm | None) -> LedgerForm | None:
    if form is not None:
        _chosen[:] = [form]
    return form


@app.command()
def ledger(
    run: Run,
    cursor: Cursor = None,
    every: All = False,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write the page of -o html to this file, which is there whole or not at all."),
    ] = None,
    output: Annotated[
        LedgerForm | None,
        typer.Option(
            "-o",
            "--output",
            callback=_choose,
            help="Default: table on a terminal, json otherwise; html is one page.",
        ),
    ] = None,
) -> int:
    """Whose the time was, by side and by stage, and the numbers of the run."""
    form = _chosen[0] if _chosen else LedgerForm(printing.form())
    if file is not None and form is not LedgerForm.HTML:
        raise Misused("--file is for -o html: send other forms to a file with >.")
    ground.settings()
    name = ground.workflow_id(run)
    if form is LedgerForm.HTML:
        page = pictures.drawing("run_page")
        _, whole, status = ground.run(_asked(name, cursor, every, drawn=True))
        whole["counterfactual"] = hindsight.counterfactual_of(name)
        return pictures.write(page.ledger(whole, status).encode(), file)
    answer, whole, status = ground.run(_asked(name, cursor, every, drawn=form is LedgerForm.TABLE))
    answer["counterfactual"] = hindsight.counterfactual_of(name)
    printing.show(
        answer, lambda found: tables.ledger(found, _bars(whole, status)), rows="entries", how=printing.Form(form)
    )  # fmt: skip
    return OK


async def _asked(run: str, cursor: str | None, every: bool, *, drawn: bool) -> tuple[Answer, Answer, Answer]:
    """The page of the ledger that was asked for; and to draw it, all of the ledger and how the run stands."""
    client = await ground.client()
    page = await reads.paged(client, run, "ledger", cursor, every, "entries")
    if not drawn:
        return page, {}, {}
    whole = page
    if cursor is not None or page["next_cursor"] is not None:
        whole = await reads.paged(client, run, "ledger", None, True, "entries")
    return page, whole, await reads.ask(client, run, "status")


def _bars(whole: Answer, status: Answer) -> RunBars:
    from console.run_bars import RunBars
    from metrics.stretches import bars_of

    return RunBars(bars_of(whole, status))
