"""`happen`: the outside world says so, to a run by its name or to the run that it is about."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from console import ground, messages, printing, sending, tables
from console.choosing import by_name, choose, say
from console.finding import Finder, Wanted
from console.leaving import BY_OUTCOME, Answered, Misused
from onboarding.messages import Happen

app = typer.Typer()

_COLUMNS = {"run": "run", "outcome": "outcome", "code": "code", "sentence": "what follows"}


def pairs(words: list[str] | None) -> dict[str, str]:
    """`customer_id=c-1`, several times. Raises `Misused`."""
    found: dict[str, str] = {}
    for word in words or ():
        name, sign, value = word.partition("=")
        if not sign or not name.strip() or not value:
            raise Misused("--match takes NAME=VALUE, such as customer_id=c-1042.")
        if name in found:
            raise Misused(f"--match names {name[:60]!r} twice: keep one of them.")
        found[name] = value
    return found


def _aimed(words: list[str], match: Mapping[str, str], every: bool) -> tuple[str | None, str]:
    """The run, if one is named, and the event."""
    if len(words) > 2:
        raise Misused(f"happen takes RUN and EVENT; {words[2][:60]!r} is one word too many.")
    if len(words) == 1 and not match:
        raise Misused("happen takes RUN and EVENT, or EVENT with --match customer_id=CUSTOMER.")
    if every and (len(words) == 2 or not match):
        raise Misused("--all is for events that find their runs: leave out RUN and give --match, or leave out --all.")
    return (words[0], words[1]) if len(words) == 2 else (None, words[0])


def _send(**given: Any) -> int:
    ground.settings()
    words, match, every = given.pop("words"), pairs(given.pop("match")), given.pop("every")
    signal = given.pop("signal")
    given.pop("output")
    run, event = _aimed(words, match, every)
    content = messages.content(Happen, {**given, "event": event})
    if run is not None and not match:
        return messages.told(sending.speak(run, Happen.name, content, signal=signal), signal=signal)
    wanted = Wanted(match=match, event=event, typed=False)
    name = ground.workflow_id(run) if run is not None else None
    try:
        sending.judged_here(Happen.name, content)
        told = ground.run(_happen(wanted, content, name, every=every, signal=signal))
    except Answered as no:
        raise Answered(sending.as_verdict(no.answer, str(content["message_id"]))) from no
    if not every:
        return messages.told(told[0], signal=signal)
    printing.show({"rows": told, "next_cursor": None}, lambda found: tables.rows(found, _COLUMNS), rows="rows")
    return max(BY_OUTCOME.get(str(one.get("outcome", "accepted")), 0) for one in told)


async def _happen(
    wanted: Wanted, content: dict[str, Any], run: str | None, *, every: bool, signal: bool
) -> list[dict[str, Any]]:
    client = await ground.client(sends=True)
    finder = Finder(client)
    if run is not None:
        chosen = [await by_name(finder, run, wanted, content)]
    else:
        chosen = await choose(finder, wanted, Happen.name, content, every=every)
    if not signal:
        return [await say(client, one, Happen.name) for one in chosen]
    told = []
    for one in chosen:
        await sending.send_signal(client, one.run, Happen.name, one.content)
        hint = f"A signal has no verdict: see python starter.py trail {one.run}, or refused {one.run}."
        told.append({"sent": True, "run": one.run, "message_id": one.content["message_id"], "hint": hint})
    return told


def _parameters() -> list[inspect.Parameter]:
    """What every message has; RUN may be left out where the event finds it."""
    ordinary = inspect.Parameter.POSITIONAL_OR_KEYWORD
    said = "RUN and EVENT; or EVENT alone, with --match. The name of an event that the definition waits for."
    match = "What the event is about: NAME=VALUE by customer_id, or by what the definition matches it by; finds the run. May be repeated."
    own = [
        inspect.Parameter("words", ordinary, annotation=Annotated[list[str], typer.Argument(metavar="[RUN] EVENT", help=said)]),
        inspect.Parameter("match", ordinary, default=None, annotation=Annotated[list[str] | None, typer.Option("--match", help=match, show_default=False)]),
        inspect.Parameter("every", ordinary, default=False, annotation=Annotated[bool, typer.Option("--all", help="Every open run that fits hears it.")]),
    ]  # fmt: skip
    return [*own, *(one for one in messages.parameters(Happen) if one.name not in ("run", "event"))]


_send.__doc__ = Happen.__doc__
_send.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
_send.__annotations__ = {one.name: one.annotation for one in _parameters()}
app.command("happen")(_send)
