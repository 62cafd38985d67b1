"""`events`: what other systems were told, and what has not arrived. Needs no Temporal server."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from console import ground, paging, printing
from console.leaving import OK, Answered, Misused
from console.paging import All, Cursor
from console.printing import Output
from onboarding.nearest import nearest

if TYPE_CHECKING:
    from storage.event_reading import EventReading

app = typer.Typer()

_COLUMNS = {"n": "n", "at": "at", "type": "type", "subject": "about", "to": "to"}
_NONE = "No events: a definition says under `emit` what other systems are told."
To = Annotated[str | None, typer.Option("--to", help="Only what goes to this webhook.")]


@app.command()
def events(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: of all runs.")] = None,
    to: To = None,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """What runs have told other systems, oldest first, and what became of it there."""
    ground.settings()
    name = ground.workflow_id(run) if run is not None else None
    with ground.database() as engine:
        from storage.event_reading import EventReading

        _known_run(name)
        found = EventReading(engine)
        if to is not None:
            _known_webhook(found, to)
        answer = paging.paged(lambda at: found.page(name, to, cursor=at), cursor, every)
    return paging.show(answer, _COLUMNS if name else {"run": "run", **_COLUMNS}, _NONE)


@app.command("events resend")
def resend(
    to: Annotated[str, typer.Option("--to", help="The webhook.")],
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: of all runs.")] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", help="A number of an event of RUN, or an instant. Default: where it has stopped."),
    ] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Also past events that have not arrived.")] = False,
    output: Output = None,
) -> int:
    """Sends events again, or goes on where a webhook has refused them."""
    ground.settings()
    name = ground.workflow_id(run) if run is not None else None
    number, since = _begin(begin, name)
    with ground.database() as engine:
        from storage.event_reading import EventReading

        _known_run(name)
        found = EventReading(engine)
        _known_webhook(found, to)
        sent = found.resend(to, name, number=number, since=since, skip=skip)
    kept = [one for one in sent if one.skipped and not skip]
    if kept:
        said = f"{kept[0].skipped} events before number {kept[0].first} have not arrived at {to!r} yet"
        sentence = f"{said}: name an earlier number, or add --skip to leave them out for good."
        raise Answered({"outcome": "conflict", "code": "not_arrived", "sentence": sentence, "run": kept[0].run})
    rows = [{"run": one.run, "from": one.first, "events": one.events, "skipped": one.skipped, "to": to} for one in sent]
    columns = {"run": "run", "from": "from", "events": "events", "skipped": "left out", "to": "to"}
    return paging.show({"rows": rows, "next_cursor": None}, columns, f"There is nothing to send to {to} from there on.")


@app.command("events schema")
def schema(
    name: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="Such as stage.entered. Default: all.")] = None,
    output: Output = None,
) -> int:
    """JSON Schema of an event, or of every type of event."""
    from onboarding import emitted

    ground.settings()
    if name is not None and name not in emitted.TYPES:
        hint = nearest(name, emitted.TYPES) or f"; there are {', '.join(emitted.TYPES)}."
        raise Misused(f"Runs tell no event {name[:60]!r}{hint}")
    wanted = [name] if name else list(emitted.TYPES)
    found = {one: emitted.schema_of(one) for one in wanted}
    answer = found[name] if name else found
    printing.show(answer, lambda _: json.dumps(answer, indent=2, ensure_ascii=False))
    return OK


def _begin(text: str | None, run: str | None) -> tuple[int | None, datetime | None]:
    """Where to begin: a number or an instant. Raises `Misused`."""
    from console.ordering import instant

    if text is None or not (text.isascii() and text.isdigit()):
        return None, instant(text, "--from")
    if run is None:
        raise Misused("Each run counts its own events: name the RUN, or give --from an instant.")
    if not 0 < int(text[:19]) < 2**31 or len(text) > 19:
        raise Misused("--from is the number of an event, from 1 on, or an instant.")
    return int(text), None


def _known_run(name: str | None) -> None:
    if name is None:
        return
    with ground.read_table() as table:
        if table.find(name) is None:
            raise ground.unknown_run(name)


def _known_webhook(found: EventReading, name: str) -> None:
    """One that is configured, or to which something was to be sent once. Raises `Answered`."""
    from console.channels_here import webhooks_here

    known = tuple(dict.fromkeys((*webhooks_here(ground.settings().channels), *found.webhooks())))
    if name not in known:
        hint = nearest(name, known) or (
            f"; known are {', '.join(known)}." if known else "; ONBOARDING_CHANNELS names none."
        )
        sentence = f"There is no webhook {name[:100]!r} here{hint}"
        raise Answered({"outcome": "unknown", "code": "unknown_webhook", "sentence": sentence, "to": name[:200]})
