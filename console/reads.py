"""What can be asked of one run: its queries, for people or as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing, tables, whereabouts
from console.leaving import OK, RETRY, Answered
from console.printing import Form, Output, hint

if TYPE_CHECKING:
    from temporalio.client import Client

    from console.tables import Row

app = typer.Typer()

ASK = timedelta(seconds=10)
"""A query that no worker answers blocks for half a minute; this is what a person waits."""
WATCH = 2.0
"""Seconds between two looks of `--watch`."""
PAUSE = 0.5

Run = Annotated[str, typer.Argument(metavar="RUN", help="onboarding/CUSTOMER/DEFINITION, or CUSTOMER/DEFINITION.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="The next_cursor of the page before.")]
All = Annotated[bool, typer.Option("--all", help="Every page.")]


async def ask(client: Client, run: str, query: str, argument: Any = None) -> dict[str, Any]:
    """The answer to a query. `Answered` closed or unknown where there is no such run, `retry_later` where no worker answers."""
    from temporalio.service import RPCError, RPCStatusCode as Status

    from runtime.health import pollers

    found = await whereabouts.describe(client, run)
    if not await pollers(client, found.task_queue):
        raise no_worker(run, found.task_queue)
    try:
        arguments = [] if argument is None else [argument]
        answer = await _query(client, run, query, arguments)
    except RPCError as error:
        if error.status is Status.NOT_FOUND and not whereabouts.no_namespace(error):
            raise whereabouts.not_there(run) from error
        if error.status in (Status.PERMISSION_DENIED, Status.UNAUTHENTICATED, Status.INVALID_ARGUMENT):
            raise
        raise no_worker(run, found.task_queue) from error
    if answer.get("outcome") == "unknown" and "code" in answer:
        raise Answered({**answer, "run": run})
    return answer


async def _query(client: Client, run: str, query: str, arguments: list[Any]) -> dict[str, Any]:
    """One query, asked again where the worker had just put the run away (sdk-rust 1304): our own never fail by themselves."""
    from temporalio.client import WorkflowQueryFailedError

    handle = client.get_workflow_handle(run)
    try:
        answer: dict[str, Any] = await handle.query(query, args=arguments, result_type=dict, rpc_timeout=ASK)
    except WorkflowQueryFailedError as failed:
        _demand_keys(failed)
        await asyncio.sleep(PAUSE)
        try:
            answer = await handle.query(query, args=arguments, result_type=dict, rpc_timeout=ASK)
        except WorkflowQueryFailedError as again:
            _demand_keys(again)
            raise
    return answer


def _demand_keys(failed: Exception) -> None:
    """Raises what a worker without a key means by its failure: it has only words."""
    from onboarding.errors import CustomerErased, PayloadUndecodable
    from workflows.faults import UNDECODABLE_ORDER

    words = str(failed)
    if str(CustomerErased()) in words:
        raise CustomerErased from None
    if UNDECODABLE_ORDER in words:
        raise PayloadUndecodable from None


def no_worker(run: str, task_queue: str) -> Answered:
    """No worker answers for this run now."""
    sentence = f"No worker answers on the task queue {task_queue!r}: start one (python worker.py) and ask again."
    return Answered({"outcome": "retry_later", "code": "no_worker", "sentence": sentence, "run": run})


def _read(run: str, query: str, argument: Any = None) -> dict[str, Any]:
    ground.settings()
    return ground.run(_asked(ground.workflow_id(run), query, argument))


async def _asked(run: str, query: str, argument: Any) -> dict[str, Any]:
    return await ask(await ground.client(), run, query, argument)


def _pages(run: str, query: str, cursor: str | None, every: bool, rows: str = "rows") -> dict[str, Any]:
    """One page, or all of them as one."""
    ground.settings()
    return ground.run(_paged(ground.workflow_id(run), query, cursor, every, rows))


async def _paged(run: str, query: str, cursor: str | None, every: bool, rows: str) -> dict[str, Any]:
    return await paged(await ground.client(), run, query, cursor, every, rows)


async def paged(
    client: Client, run: str, query: str, cursor: str | None, every: bool, rows: str = "rows"
) -> dict[str, Any]:
    """The answer to a query that has pages: one of them, or all as one."""
    answer = await ask(client, run, query, {"cursor": cursor} if cursor else None)
    while every and answer["next_cursor"]:
        page = await ask(client, run, query, {"cursor": answer["next_cursor"]})
        answer = {**answer, rows: [*answer[rows], *page[rows]], "next_cursor": page["next_cursor"]}
    return answer


@app.command()
def status(
    run: Run,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every two seconds, until it ends or Ctrl-C.")
    ] = False,
    output: Output = None,
) -> int:
    """Where a run is: stages, open items, who must act, what happens next."""
    ground.settings()
    name = ground.workflow_id(run)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):  # the ordinary end of watching
            return ground.run(_watch(name))
        return OK
    try:
        answer = ground.run(_status(name))
    except Answered as no:
        return _last_known(name, no)
    printing.show(answer, tables.status)
    return OK


async def _status(run: str) -> dict[str, Any]:
    client = await ground.client()
    answer = await ask(client, run, "status")
    found = await whereabouts.describe(client, run)
    return {**answer, "ui": await whereabouts.ui_page(client, run, found.run_id)}


def _last_known(run: str, no: Answered) -> int:
    """Without an answer from the run itself: its row, which says less and may be older. The exit code stays what it was."""
    row = ground.remembered(run) if no.answer["outcome"] in ("retry_later", "closed") else None
    if row is None:
        raise no
    printing.show({**row, "source": "read_table"}, tables.status)
    hint(f"{no.answer['sentence']} This is what was written last.")
    return OK if no.answer["outcome"] == "closed" else RETRY


async def _watch(run: str) -> int:
    client = await ground.client()
    live = sys.stdout.isatty() and printing.form() is Form.TABLE
    if not live:
        return await _follow(client, run)
    from rich.live import Live

    with Live(console=printing.console(), auto_refresh=False, screen=False) as screen:
        while True:
            answer = await _patiently(client, run)
            screen.update(tables.status(answer), refresh=True)
            if answer["state"] == "closed":
                return OK
            await asyncio.sleep(WATCH)


async def _follow(client: Client, run: str) -> int:
    """For programs: one line of JSON for every change."""
    before = ""
    while True:
        answer = await _patiently(client, run)
        line = json.dumps({name: value for name, value in answer.items() if name != "read_at"}, ensure_ascii=False)
        if line != before:
            print(line, flush=True)
            before = line
        if answer["state"] == "closed":
            return OK
        await asyncio.sleep(WATCH)


async def _patiently(client: Client, run: str) -> dict[str, Any]:
    """A worker that restarts is no reason to stop watching."""
    while True:
        try:
            return await ask(client, run, "status")
        except Answered as no:
            if no.answer["outcome"] != "retry_later":
                raise
            hint(no.answer["sentence"])
            await asyncio.sleep(WATCH)


@app.command("open-items")
def open_items(run: Run, cursor: Cursor = None, every: All = False, output: Output = None) -> int:
    """What is open, with whom, since when, and what it blocks."""
    columns = {
        "id": "item",
        "status": "status",
        "who": "who",
        "since": "since",
        "due_at": "due",
        "waits_for": "waits for",
        "blocks": "blocks",
    }
    return _list(_pages(run, "open_items", cursor, every), columns)


@app.command()
def why(
    run: Run, item: Annotated[str, typer.Argument(metavar="ITEM", help="The id of an item.")], output: Output = None
) -> int:
    """Why an item is as it is, who has it, since when, and what happens next."""
    printing.show(_read(run, "why", item), tables.why)
    return OK


@app.command()
def gate(
    run: Run, stage: Annotated[str, typer.Argument(metavar="STAGE", help="The id of a stage.")], output: Output = None
) -> int:
    """What keeps a stage: every condition, met or not, and who holds it up."""
    printing.show(_read(run, "gate", stage), tables.gate)
    return OK


@app.command()
def trail(run: Run, cursor: Cursor = None, every: All = False, output: Output = None) -> int:
    """Who did what on whose behalf, oldest first."""
    columns = {
        "n": "n",
        "at": "at",
        "actor": "who",
        "message": "did",
        "item": "on",
        "outcome": "outcome",
        "code": "code",
        "message_id": "message id",
    }
    return _list(_pages(run, "trail", cursor, every), columns)


@app.command()
def promises(run: Run, cursor: Cursor = None, every: All = False, output: Output = None) -> int:
    """What the customer was told by when, by whom, and whether it was kept."""
    columns = {
        "told_at": "told",
        "title": "about",
        "due_at": "by when",
        "to": "to",
        "by": "by",
        "cause": "cause",
        "side": "side",
        "kept": "kept",
    }
    return _list(_pages(run, "promises", cursor, every), columns)


@app.command()
def refused(run: Run, cursor: Cursor = None, every: All = False, output: Output = None) -> int:
    """Signals that changed nothing, and why."""
    columns = {
        "at": "at",
        "via": "via",
        "name": "message",
        "message_id": "message id",
        "code": "code",
        "sentence": "why",
    }
    return _list(_pages(run, "refused", cursor, every), columns)


@app.command()
def customer(run: Run, output: Output = None) -> int:
    """What the customer may see of their run, and nothing else."""
    printing.show(_read(run, "customer_view"), tables.customer)
    return OK


def _list(answer: Row, columns: Mapping[str, str]) -> int:
    printing.show(answer, lambda found: tables.rows(found, columns), rows="rows")
    return OK
