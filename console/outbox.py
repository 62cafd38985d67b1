"""`outbox`: what was sent to people and what was not, over all runs or of one; tried again, or dropped. Needs no Temporal server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, paging, printing, tables
from console.leaving import BY_OUTCOME, OK, Answered, Misused
from console.paging import All, Cursor
from console.printing import Output, hint

if TYPE_CHECKING:
    from sqlalchemy import Engine

app = typer.Typer()


class State(StrEnum):
    """What a notice can be."""

    PENDING = "pending"
    SENT = "sent"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


MOST = 10_000
"""Keys that one command names, and those of one transaction."""
LONGEST_REASON = 500
_COLUMNS = {
    "at": "at", "to": "to", "kind": "kind", "item": "item", "step": "step", "state": "state", "tries": "tries", "next_at": "next try",
    "code": "code", "not_before": "not before", "subject": "subject",
}  # fmt: skip
_SHOWN = {
    "key": "key", "run": "run", "state": "state", "kind": "kind", "to": "to", "side": "side", "subject": "subject", "lines": "lines",
    "at": "decided", "not_before": "not before", "ready_at": "ready since", "tries": "tries", "next_at": "next try",
    "leased_until": "in hand until", "code": "last code", "doubtful": "may have arrived", "recalled": "taken back meanwhile",
    "sent_at": "sent", "sent_by": "sent by", "reason": "dropped because", "stage": "stage", "item": "item", "items": "items",
    "round": "round", "step": "step", "template": "template", "retracts": "calls off", "held": "waits for history",
}  # fmt: skip
_VERDICT = {"key": "key", "outcome": "outcome", "code": "code", "sentence": "what follows"}

Run = Annotated[str | None, typer.Argument(metavar="RUN", help="Default: of all runs.")]
OfState = Annotated[State | None, typer.Option("--state", help="Only notices that are this.")]


@app.command()
def outbox(
    run: Run = None, state: OfState = None, cursor: Cursor = None, every: All = False, output: Output = None
) -> int:
    """What was sent to people or will be, oldest first."""
    return _list(run, state, cursor, every)


@app.command("outbox list")
def listed(
    run: Run = None, state: OfState = None, cursor: Cursor = None, every: All = False, output: Output = None
) -> int:
    """What was sent to people or will be, oldest first."""
    return _list(run, state, cursor, every)


def _list(run: str | None, state: State | None, cursor: str | None, every: bool) -> int:
    ground.settings()
    name = _known(run)
    with ground.read_table() as table:
        answer = paging.paged(lambda at: table.outbox(name, state=state, cursor=at), cursor, every)
    return paging.show(answer, _COLUMNS if name else {"run": "run", **_COLUMNS})


@app.command("outbox show")
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `outbox -o json` shows it.")], output: Output = None
) -> int:
    """All about one notice: what it says, how often it was tried, what is in its way. No address is kept with it."""
    from storage import desk

    ground.settings()
    with ground.database() as engine:
        found = desk.show(engine, key)
    if found is None:
        sentence = f"No notice has the key {key[:200]!r}; python starter.py outbox -o json shows those that there are."
        raise Answered({"outcome": "unknown", "code": "unknown_notice", "sentence": sentence, "key": key[:300]})
    printing.show(found, lambda answer: tables.pairs(answer, _SHOWN))
    return OK


@app.command("outbox resend")
def resend(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Notices that failed or were put off.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Instead of keys: every notice that failed.")] = False,
    run: Annotated[str | None, typer.Option("--run", help="With --failed: only of this run.")] = None,
    output: Output = None,
) -> int:
    """Lets notices be tried again now, under their own keys. One that has left never leaves again."""
    from storage import desk

    if bool(keys) == failed:
        raise Misused("Which notices? Name their keys, or say --failed.")
    if run is not None and not failed:
        raise Misused("--run narrows --failed; keys need no run.")
    ground.settings()
    name = _known(run)
    with ground.database() as engine:
        chosen = desk.failed_keys(engine, name) if failed else _few(keys or [])
        return _tell(engine, chosen, lambda engine, some: desk.resend(engine, some, _now()), "No notice has failed.")


@app.command("outbox drop")
def drop(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Notices that have not left.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with each of them.")],
    output: Output = None,
) -> int:
    """Takes notices out that have not left: nobody will read them."""
    from storage import desk

    said = reason.strip()
    if not said or not said.isprintable() or len(said) > LONGEST_REASON:
        raise Misused(f"--reason is one line of 1 to {LONGEST_REASON} characters.")
    ground.settings()
    with ground.database() as engine:
        return _tell(engine, _few(keys), lambda engine, some: desk.drop(engine, some, said, _now()), "")


def _tell(
    engine: Engine, keys: Sequence[str], do: Callable[[Engine, Sequence[str]], list[dict[str, Any]]], nothing: str
) -> int:
    """Does it to each, and answers the worst of all verdicts: who reads only the exit code must not believe that all is well."""
    once = list(dict.fromkeys(keys))
    told = [line for first in range(0, len(once), MOST) for line in do(engine, once[first : first + MOST])]
    if not told:
        hint(nothing)
    answer = {"rows": told, "next_cursor": None}
    printing.show(answer, lambda found: tables.rows(found, _VERDICT), rows="rows")
    return max((BY_OUTCOME[str(row["outcome"])] for row in told), default=OK)


def _known(run: str | None) -> str | None:
    """The run in full; a name that nobody has heard must not look like a run where all is well. Raises `Answered`."""
    if run is None:
        return None
    name = ground.workflow_id(run)
    with ground.read_table() as table:
        if table.find(name) is None:
            raise ground.unknown_run(name)
    return name


def _few(keys: Sequence[str]) -> Sequence[str]:
    if len(keys) > MOST:
        raise Misused(f"At most {MOST} keys at once.")
    return keys


def _now() -> datetime:
    return datetime.now(UTC)
