"""`absence`: somebody is away, said once to every open run in which they have a part.

Each run judges for itself. A run that does not know the person is left out without a word, and one that is over needs to hear
nothing; every other verdict is a row.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from console import ground, messages, printing, sending, tables
from console.leaving import BY_OUTCOME, Answered
from console.printing import Output, hint
from onboarding.messages import Absence

if TYPE_CHECKING:
    from temporalio.client import Client

app = typer.Typer()

AT_ONCE = 8
"""Runs that are told at the same time."""
_OPEN = ("running", "on_hold")
_COLUMNS = {"run": "run", "outcome": "outcome", "code": "code", "sentence": "what follows"}


def _means(field: str) -> str:
    return messages.meaning(Absence, field)


def _option(name: str, field: str) -> Any:
    return typer.Option(name, help=_means(field), show_default=False)


@app.command()
def absence(
    person: Annotated[str, typer.Argument(metavar="PERSON", help=_means("person"))],
    since: Annotated[str, _option("--from", "since")],
    until: Annotated[str, _option("--until", "until")],
    to: Annotated[str | None, _option("--to", "to")] = None,
    reason: Annotated[str | None, _option("--reason", "reason")] = None,
    actor: Annotated[str | None, _option("--actor", "actor")] = None,
    on_behalf_of: Annotated[str | None, _option("--on-behalf-of", "on_behalf_of")] = None,
    sent_at: Annotated[str | None, _option("--sent-at", "sent_at")] = None,
    channel: Annotated[str | None, _option("--channel", "channel")] = None,
    message_id: Annotated[str | None, _option("--id", "message_id")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this run; default: every open one.")] = None,
    output: Output = None,
) -> int:
    """Somebody is away for a while: in every open run whoever stands in has what is theirs until then."""
    ground.settings()
    whole_id = message_id or str(uuid4())
    given = {
        "person": person, "since": since, "until": until, "to": to, "reason": reason, "actor": actor,
        "on_behalf_of": on_behalf_of, "sent_at": sent_at, "channel": channel,
    }  # fmt: skip
    content = {name: value for name, value in given.items() if value is not None}
    try:
        sending.judged_here("absence", {**content, "message_id": whole_id})
    except Answered as no:
        raise Answered(sending.as_verdict(no.answer, whole_id)) from no
    if run is not None:
        told = ground.run(_tell_all([ground.workflow_id(run)], content, whole_id))
        printing.show(told[0], tables.verdict)
        return _code(told)
    runs = _open_runs()
    told = ground.run(_tell_all(runs, content, whole_id)) if runs else []
    told = [row for row in told if not _no_part(row)]
    if not told:
        hint(f"No open run knows {person[:60]!r}.")
    answer = {"id": whole_id, "rows": told, "next_cursor": None}
    printing.show(answer, lambda found: tables.rows(found, _COLUMNS), rows="rows")
    return _code(told)


def _code(told: list[dict[str, Any]]) -> int:
    """The worst of all verdicts: whoever reads only this number must not believe that all is well."""
    return max((BY_OUTCOME.get(str(row["outcome"]), 0) for row in told), default=0)


def message_id_for(whole_id: str, run: str) -> str:
    """The id of the message to one run: the same for the same command, so that saying it again is harmless."""
    return hashlib.sha256(f"{whole_id} {run}".encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _open_runs() -> list[str]:
    """Every run that is not over, as `list` knows them."""
    names: list[str] = []
    cursor = None
    with ground.read_table() as table:
        while True:
            page = table.runs(cursor=cursor, state=_OPEN)
            names += [row["run"] for row in page["rows"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return names


async def _tell_all(runs: list[str], content: dict[str, Any], whole_id: str) -> list[dict[str, Any]]:
    client = await ground.client(sends=True)
    gate = asyncio.Semaphore(AT_ONCE)
    return list(await asyncio.gather(*(_tell(client, gate, run, content, whole_id) for run in runs)))


async def _tell(
    client: Client, gate: asyncio.Semaphore, run: str, content: dict[str, Any], whole_id: str
) -> dict[str, Any]:
    message = {**content, "message_id": message_id_for(whole_id, run)}
    async with gate:
        try:
            verdict = await sending.send_update(client, run, "absence", message)
        except Answered as no:
            verdict = sending.as_verdict(no.answer, str(message["message_id"]))
            # Saying it again means: the same command with the same --id.
            verdict["sentence"] = str(verdict["sentence"]).replace(str(message["message_id"]), whole_id)
    return {"run": run, **verdict}


def _no_part(row: dict[str, Any]) -> bool:
    return str(row["outcome"]) == "closed" or str(row["code"]) == "unknown_person"
