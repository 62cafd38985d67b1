"""`demo`, `dev`, `doctor`: everything on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from console import ground, printing
from console.leaving import OK, UNAVAILABLE, Misused
from console.printing import Output, hint

app = typer.Typer()

PORT, UI_PORT = 7233, 8233
"""Where every Temporal client looks when nothing is said."""


@app.command()
def dev(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: 7233 if it is free, else any.")] = 0,
    ui_port: Annotated[int, typer.Option("--ui-port", min=0, max=65535, help="0: 8233 if it is free, else any.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the server keeps its file; default .data/dev.")
    ] = None,
    codec_endpoint: Annotated[
        str | None, typer.Option("--codec-endpoint", metavar="URL", help="Where the UI asks for what is encrypted.")
    ] = None,
) -> int:
    """Run an embedded Temporal server and a worker until Ctrl-C."""
    ground.settings()
    return ground.run(_dev(port, ui_port, folder, codec_endpoint))


async def _dev(port: int, ui_port: int, folder: Path | None, codec_endpoint: str | None) -> int:
    from console.children import WorkerProcess, finished, of_server, stopping
    from runtime.devserver import DevServer, client_of
    from runtime.settings import DATA

    stop = stopping()
    place = (folder or DATA / "dev").absolute()
    server = DevServer(
        place, port=port or _free(PORT), ui_port=ui_port or _free(UI_PORT), codec_endpoint=codec_endpoint
    )
    hint("Starting a Temporal server …")
    starting = asyncio.ensure_future(server.start())
    if not await finished(starting, stop):
        await server.stop()
        return OK
    worker = WorkerProcess(place / "worker.log", **of_server(server.address, server.namespace, server.ui_url or ""))
    try:
        client = await client_of(server)
        beginning = asyncio.ensure_future(worker.start(client, ground.settings().task_queue))
        if not await finished(beginning, stop):
            return OK
        print(
            f"Temporal server  {server.address}\nTemporal UI      {server.ui_url}\nworker           process {worker.pid}, log {worker.log_file}",
            flush=True,
        )
        if f"{PORT}" != server.address.rpartition(":")[2] or "TEMPORAL_ADDRESS" in os.environ:
            hint(f"In other terminals: export TEMPORAL_ADDRESS={server.address}")
        hint("Ctrl-C stops both.")
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
            if not stop.is_set() and worker.ended is not None:
                hint(f"The worker ended with {worker.ended}; its words are in {worker.log_file}.")
                return UNAVAILABLE
        return OK
    finally:
        hint("Stopping …")
        await worker.stop()
        await server.stop()


def _free(port: int) -> int:
    """The port, or 0 (any) where somebody has it."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return port


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Register the search attributes that are missing.")] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Look at every open run instead: does it go on?")] = False,
    channels: Annotated[
        bool, typer.Option("--channels", help="Connect to every channel instead, and send nothing.")
    ] = False,
    output: Output = None,
) -> int:
    """Look at every prerequisite, one line each, or with --runs at every open run. Ends with 0 unless something fails."""
    from console import examination, examination_rows, examining_files

    ground.settings()
    if runs and fix:
        raise Misused("--runs changes nothing: leave out --fix, or leave out --runs.")
    if channels and (runs or fix):
        raise Misused("--channels looks at channels only: leave out the other one.")
    if runs:
        return _runs()
    rows = ground.run(examining_files.greet() if channels else examination.examine(fix=fix))
    printing.show({"rows": rows}, lambda _: "\n".join(examination_rows.line(row) for row in rows), rows="rows")
    failed = [row for row in rows if row["level"] == "fail"]
    hint(f"{len(rows)} looked at: {len(failed)} fail, {sum(row['level'] == 'warn' for row in rows)} warn.")
    return UNAVAILABLE if failed else OK


def _runs() -> int:
    from console import watch

    answer = ground.run(watch.look())
    printing.show(answer, watch.table, rows="rows")
    hint(watch.told(answer))
    return UNAVAILABLE if answer["findings"] or answer["unanswered"] or not answer["rows_read"] else OK


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave server, UI and worker up.")] = False,
    business_day: Annotated[
        int, typer.Option("--scale", min=4, max=60, help="Seconds that a business day takes (an hour: an eighth).")
    ] = 8,
) -> int:
    """Watch a whole onboarding on a real Temporal server, in time compressed by a stated scale."""
    from console import demo as show

    ground.settings()
    return ground.run(show.play(business_day, keep=keep))
