"""Which of the runs that something is about are told: exactly one, unless the sender wants all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console import sending
from console.finding import Finder, Found, Wanted, completed
from console.leaving import Answered
from console.printing import shown

if TYPE_CHECKING:
    from temporalio.client import Client

_NAMED = 5
"""Runs that a sentence names; the answer lists all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One run and the message for it."""

    run: str
    content: dict[str, Any]
    verdict: dict[str, Any] | None = None
    """Where it took this very message before."""


async def choose(
    finder: Finder, wanted: Wanted, name: str, content: Mapping[str, Any], *, every: bool = False
) -> list[Chosen]:
    """The runs to be told. Raises `Answered`: unknown where there is none, conflict where there are several.

    Of a run that is closed it is for the run to say so; it is chosen where no open one fits.
    """
    found = await finder.find(wanted)
    if not found:
        raise Answered(_nobody(wanted))
    several = [one for one in found if one.open]
    if len(found) > 1 and not every:
        said = await finder.before(found, wanted, name, content)
        if said is not None:
            one, verdict = said
            return [Chosen(run=one.run, content=dict(content), verdict=verdict)]
    if wanted.event is not None and len(several) > 1:
        several = await finder.waiting(several, wanted.event) or several
    if len(several) > 1 and not every:
        raise Answered(_which(several))
    return [
        Chosen(run=one.run, content=completed(content, wanted, one.kept))
        for one in several or _last(found, every=every)
    ]


async def by_name(finder: Finder, run: str, wanted: Wanted, content: Mapping[str, Any]) -> Chosen:
    """A run that was named, and the message with what it is about."""
    return Chosen(run=run, content=completed(content, wanted, await finder.order(run)))


def _last(closed: Sequence[Found], *, every: bool) -> Sequence[Found]:
    return closed if every else closed[:1]


async def say(client: Client, chosen: Chosen, name: str) -> dict[str, Any]:
    """The verdict of one run, with the run; refusals too."""
    if chosen.verdict is not None:
        return {"run": chosen.run, **chosen.verdict}
    try:
        verdict = await sending.send_update(client, chosen.run, name, chosen.content)
    except Answered as no:
        verdict = sending.as_verdict(no.answer, str(chosen.content["message_id"]))
    return {**verdict, "run": chosen.run}


def _nobody(wanted: Wanted) -> dict[str, Any]:
    names = ", ".join(shown(name) for name in sorted(wanted.match)[:_NAMED])
    if wanted.by_payload:
        sentence = "No run waits for such an event about whom its payload names: see `signals` in the definition, or send it to the run by name."
    elif wanted.event is not None:
        sentence = f"No run that knows this event has this {names}: check both, or see python starter.py list."
    else:
        sentence = f"No run has this {names}: see python starter.py list."
    return {"outcome": "unknown", "code": "no_run_matches", "sentence": sentence}


def _which(found: Sequence[Found]) -> dict[str, Any]:
    runs = [one.run for one in found]
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    sentence = f"{len(runs)} open runs fit, and it is for one: {', '.join(runs[:_NAMED])}{more}. Name the run; `happen --all` tells each of them."
    return {"outcome": "conflict", "code": "several_runs", "sentence": sentence, "runs": runs}
