"""`check-replay`: would this build carry on what other builds have begun? Asked of recorded histories, or of every open run."""

from __future__ import annotations

import gzip
import json
import logging
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing, tables
from console.leaving import INVALID, OK, Misused
from console.printing import Output, hint

if TYPE_CHECKING:
    from rich.console import RenderableType
    from temporalio.client import WorkflowHistory

    from console.replaying import Replayed

app = typer.Typer()

LARGEST = 256 * 1024 * 1024
"""Bytes of a history as JSON: five times what the server lets a run reach."""
SPEAKS = 2.0
"""Seconds between two words about how far it is."""
_ENDINGS = (".json", ".json.gz")


class Unreadable(Exception):
    """A file that holds no history; the sentence says what it holds."""


@app.command("check-replay")
def check_replay(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR|FILE]…", help="Histories as `temporal workflow show --output json` writes them; .gz too."
        ),
    ] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Every open run of the server, as it stands now.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="So many of them, the latest started first.")] = None,
    output: Output = None,
) -> int:
    """Replay histories against this build; ends with 0 where all of them replay, else with 65."""
    ground.settings()
    if bool(places) == is_open:
        raise Misused("Name folders or files with histories, or ask for --open runs; one of the two.")
    answer = ground.run(_checked(places or [], is_open=is_open, limit=limit))
    printing.show(answer, _table, rows="rows")
    if answer["checked"] and answer["replays"] == answer["checked"]:
        return OK
    hint(_way_out(answer))
    return INVALID


async def _checked(places: list[Path], *, is_open: bool, limit: int | None) -> dict[str, Any]:
    from console.keys_here import cache_of
    from console.replaying import checking
    from runtime.connection import plugin

    # Why a history does not replay is told in its line; the SDK would write frames of our code beside it.
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    rows: list[dict[str, Any]] = []
    spoke = time.monotonic()
    async with checking(plugin(cache_of(ground.settings()))) as check:
        async for source, found in _open_runs(limit) if is_open else _files(places):
            if isinstance(found, str):
                rows.append(_line(source, why=found))
            else:
                rows.append(_line(source, await check.of(found)))
            if time.monotonic() - spoke >= SPEAKS:
                spoke = time.monotonic()
                hint(f"{len(rows)} histories, {sum(row['verdict'] != 'replays' for row in rows)} of them not well …")
    count = {word: sum(row["verdict"] == word for row in rows) for word in ("replays", "breaks", "unreadable")}
    wrong = [row for row in rows if row["verdict"] != "replays"]
    first = next((row for row in wrong if row["verdict"] == "breaks"), wrong[0] if wrong else None)
    return {"checked": len(rows), **count, "first": first, "rows": rows}


async def _files(places: list[Path]) -> AsyncIterator[tuple[str, WorkflowHistory | str]]:
    for path in _each(places):
        try:
            yield str(path), read_history(path)
        except Unreadable as no:
            yield str(path), str(no)


def _each(places: list[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(one for one in place.rglob("*") if one.is_file() and one.name.endswith(_ENDINGS))
        else:
            yield place


def read_history(path: Path) -> WorkflowHistory:
    """The history that a file holds. `Unreadable` for one that holds none."""
    from temporalio.client import WorkflowHistory

    text = _text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("It is no JSON.") from None
    events = found.get("events") if isinstance(found, dict) else found
    if not isinstance(events, list) or not events or not all(isinstance(one, dict) for one in events):
        raise Unreadable("It holds no list of events, as `temporal workflow show --output json` writes one.")
    try:
        history = WorkflowHistory.from_json("", {"events": events})
    except Exception:  # whatever the reader of the wire format meets in a file that somebody else has written
        raise Unreadable(
            "Its events are not those of Temporal, or were written with their payloads decoded: take the encoded download."
        ) from None
    started = history.events[0]
    if not started.HasField("workflow_execution_started_event_attributes"):
        raise Unreadable("It does not begin with the start of a run: download the whole history.")
    if [one.event_id for one in history.events] != list(range(1, len(history.events) + 1)):
        raise Unreadable("Its events are not all there, or not in their order: download the whole history.")
    return WorkflowHistory(started.workflow_execution_started_event_attributes.workflow_id, history.events)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise Unreadable("There is no such file." if not path.exists() else "It is no regular file.")
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise Unreadable(f"It cannot be read: {reason}.") from None
    if len(raw) > LARGEST:
        raise Unreadable("It is larger than the history of any run can be.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("It is no text in UTF-8.") from None


async def _open_runs(limit: int | None) -> AsyncIterator[tuple[str, WorkflowHistory | str]]:
    """The present execution of each open run."""
    from temporalio.service import RPCError, RPCStatusCode

    from workflows.address import WORKFLOW_TYPE

    client = await ground.client()
    query = f'WorkflowType = "{WORKFLOW_TYPE}" AND ExecutionStatus = "Running"'
    async for found in client.list_workflows(query, limit=limit):
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        try:
            yield found.id, await handle.fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise  # of this one nothing is left: it closed a while ago


def _line(source: str, found: Replayed | None = None, why: str = "") -> dict[str, Any]:
    if found is None:
        return {
            "source": source, "run": None, "run_id": None, "events": 0, "verdict": "unreadable", "event": None, "kind": "", "why": why,
        }  # fmt: skip
    return {
        "source": source, "run": found.run, "run_id": found.run_id, "events": found.events, "verdict": found.verdict,
        "event": found.event, "kind": found.kind, "why": found.why,
    }  # fmt: skip


def _way_out(answer: dict[str, Any]) -> str:
    if not answer["checked"]:
        return "There was no history to check, which proves nothing."
    if answer["breaks"]:
        return (
            "A run that breaks stands still under this build and loses nothing. Do not deploy it: bind what has changed to "
            "rules_version (CONTRIBUTING.md); where it is deployed already, put the build before it back (docs/operating.md)."
        )
    return (
        "What cannot be read was not checked: give the whole, raw history, and this process the keys of its payloads."
    )


def _table(answer: dict[str, Any]) -> RenderableType | str:
    histories = "1 history" if answer["checked"] == 1 else f"{answer['checked']} histories"
    first = answer["first"]
    if first is None:
        return f"{histories}: all replay against this build." if answer["checked"] else "No history was found."
    columns = {"source": "history", "verdict": "verdict", "event": "event", "kind": "kind", "why": "why"}
    wrong = [row for row in answer["rows"] if row["verdict"] != "replays"]
    title = (
        f"{answer['breaks']} of {histories} break, {answer['unreadable']} cannot be read; the first: {first['source']}"
    )
    return tables.grid(wrong, columns, title)
