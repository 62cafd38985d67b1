"""One command for each message, made from the classes in `onboarding.messages`: every field of a message is an option of its name.

What people name first stands without a name: the run, and the item, event, text or target the message is about.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from uuid import uuid4

import typer

from console import ground, json_text, printing, sending, tables
from console.leaving import BY_OUTCOME, INVALID, Misused
from console.printing import Output, hint
from onboarding import limits
from onboarding.messages import KINDS, Message
from runtime.files import Unreadable, read_at_most

app = typer.Typer()

_POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "submit": ("item",), "decide": ("item", "outcome"), "complete": ("item",), "happen": ("event",), "note": ("text",),
    "reopen": ("items",), "set_calendar": ("calendar",),
}  # fmt: skip
"""Fields that are given without a name."""

TARGETS: Mapping[str, tuple[str, ...]] = {
    "extend": ("item", "stage"), "reassign": ("item", "stage", "role"), "waive": ("item", "condition"),
}  # fmt: skip
"""Messages about one of several kinds of things: which one, the run's own definition says."""

_HELP: Mapping[str, str] = {
    "message_id": "The key of deduplication; made up and printed if absent.",
    "actor": "Who says it: a handle (dana) or a role (customer:admin), never a mail address.",
    "on_behalf_of": "For whom the actor speaks.",
    "sent_at": "When it was said, as the sender claims.",
    "channel": "The way it came.",
    "item": "The id of an item.",
    "stage": "The id of a stage.",
    "comment": "What is to be said about it; stays in the trail.",
    "reason": "Why; stays in the trail.",
    "submit.fields": "The values: a JSON object, or @FILE.",
    "submit.files": "File references: a JSON list of {uri, sha256, type, bytes, name}, or @FILE.",
    "submit.draft": "Stores parts; not an answer yet.",
    "decide.outcome": "One of the outcomes that the definition names; of a review: accept or return.",
    "decide.answer": "The digest of what you looked at, as `open-items` shows it; its first 8 characters do. Something else there now: conflict.",
    "absence.person": "Who is away: a handle or a role.",
    "absence.since": "When the absence begins, with an offset: 2026-12-01T08:00:00Z.",
    "absence.until": "When the person is back, with an offset: 2026-12-11T08:00:00Z. To end it early, say it again with an earlier date.",
    "absence.to": "Who stands in: a handle or a role; default: the deputy, in a group another member.",
    "complete.provides": "The facts: a JSON object, or @FILE.",
    "happen.event": "The name of an event that the definition waits for.",
    "happen.data": "What the event carries: a JSON object, or @FILE.",
    "hold.side": "Whom the time is booked to: customer (default), provider or third_party.",
    "hold.review_at": "When to look at it again, with an offset: 2026-12-01T16:00:00Z.",
    "extend.due": "The new due date, with an offset: 2026-12-01T16:00:00Z.",
    "set_calendar.calendar": "A calendar of the definition, or a person whose own it becomes: a handle, or customer:ROLE.",
    "set_calendar.zone": "The zone as data, because a run looks nothing up: {name, transitions}.",
    "set_calendar.week": "Working days: a range such as mon-fri, or a list of days.",
    "set_calendar.hours": "Working hours: 09:00-17:00, or a list of windows.",
    "set_calendar.holidays": "Days off, as ISO dates; they replace the ones there are.",
    "reassign.role": "The id of a role: whoever holds it changes.",
    "reassign.to": "The new owner: a handle or a role.",
    "reassign.until": "When it goes back, with an offset: 2026-12-01T16:00:00Z; default: never.",
    "waive.condition": "A condition of a gate, in the words that `gate` shows.",
    "waive.expires": "Until when it is passed, with an offset: 2026-12-01T16:00:00Z; default: as long as the definition allows.",
    "reopen.items": "Ids of items; what depended on them is open again, too.",
    "promise.due": "The new date, with an offset: 2026-12-01T16:00:00Z.",
    "promise.side": "Who caused the move: provider (default), customer or third_party. What we caused ourselves does not count for us.",
    "note.text": "What is to be recorded.",
    "cancel.outcome": "cancelled (default) or lost.",
}
"""A field means the same in every message, or has its own line for each."""
_RUN = Annotated[str, typer.Argument(metavar="RUN", help="onboarding/CUSTOMER/DEFINITION, or CUSTOMER/DEFINITION.")]
_SIGNAL = Annotated[bool, typer.Option("--signal", help="Send and forget; the verdict stands in the run's trail.")]
_FILE_BYTES = 8 * limits.MESSAGE_BYTES


def _is_object(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, tuple, list)


def meaning(kind: type[Message], field: str) -> str:
    """What a field of a message means, in a line; the help texts and docs/integrating.md say the same."""
    return _HELP.get(f"{kind.name}.{field}") or _HELP[field]


def parameters(kind: type[Message], *, without: tuple[str, ...] = ()) -> list[inspect.Parameter]:
    """RUN, then what stands without a name, then one option for each other field."""
    ordinary = inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = [inspect.Parameter("run", ordinary, annotation=_RUN)]
    positional = _POSITIONAL.get(kind.name, ())
    for name in positional:
        many = _is_object(kind.model_fields[name].annotation)
        argument = typer.Argument(metavar=f"{name.rstrip('s').upper()}{'…' if many else ''}", help=meaning(kind, name))
        found.append(inspect.Parameter(name, ordinary, annotation=Annotated[list[str] if many else str, argument]))
    targets = TARGETS.get(kind.name, ())
    if targets:
        said = "What it is about; which of them that is, the run's definition says. Or name it with its option."
        argument = typer.Argument(metavar="-OR-".join(targets).upper(), help=said)
        found.append(inspect.Parameter("target", ordinary, default=None, annotation=Annotated[str | None, argument]))
    for name, field in kind.model_fields.items():
        if name in positional or name in without:
            continue
        option = "--id" if name == "message_id" else f"--{name.replace('_', '-')}"
        kinds: Any = bool if bool in (field.annotation, *get_args(field.annotation)) else str | None
        default: Any = False if kinds is bool else None
        asked = Annotated[kinds, typer.Option(option, help=meaning(kind, name), show_default=False)]
        found.append(inspect.Parameter(name, ordinary, default=default, annotation=asked))
    found.append(inspect.Parameter("signal", ordinary, default=False, annotation=_SIGNAL))
    found.append(inspect.Parameter("output", ordinary, default=None, annotation=Output))
    return found


def content(kind: type[Message], given: Mapping[str, Any]) -> dict[str, Any]:
    """The message as JSON: what was not given is left out, so that the run's own defaults hold."""
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        value = given.get(name)
        if value is None or value is False:
            continue
        objects = _is_object(field.annotation) and name not in _POSITIONAL.get(kind.name, ())
        found[name] = json_of(f"--{name}", value) if objects else value
    found.setdefault("message_id", str(uuid4()))
    return found


def json_of(option: str, text: str) -> Any:
    """The JSON of an option, written there or in the file that it names with @. Raises `Misused`."""
    where = option
    if text.startswith("@"):
        where = f"{option} {text}"
        text = _file(Path(text[1:]), option)
    try:
        return json_text.read(text)
    except json_text.KeyTwice as twice:
        raise Misused(f"{where} has the key {twice.place[:200]!r} twice: keep one of them.") from None
    except RecursionError:
        raise Misused(f"{where} is nested too deep.") from None
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Misused(f"{where} takes JSON, or @FILE with JSON{place}.") from None


def _file(path: Path, option: str) -> str:
    try:
        content = read_at_most(path, _FILE_BYTES + 1)
    except Unreadable as why:
        hint(f"{option}: the file {str(path)!r} cannot be read ({why}).")
        raise typer.Exit(INVALID) from None
    if len(content) > _FILE_BYTES:
        raise sending.too_large(
            "", f"{option}: a message has at most {limits.MESSAGE_BYTES} bytes; give files by reference."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        hint(f"{option}: the file {str(path)!r} is not UTF-8 text.")
        raise typer.Exit(INVALID) from None


def _target(kind: type[Message], given: dict[str, Any]) -> str | None:
    """What is given without a name, where a message can be about several kinds of things."""
    names = TARGETS.get(kind.name, ())
    target: str | None = given.pop("target", None)
    named = any(given.get(name) for name in names)
    if names and target is None and not named:
        options = ", ".join(f"--{name}" for name in names)
        raise Misused(f"{kind.name} says what it is about: as its second word, or with {options}.")
    if target is not None and named:
        raise Misused(f"{kind.name} is about one thing: leave out {target[:60]!r} or the option.")
    return target


def _aim(names: tuple[str, ...], target: str, definition: Mapping[str, Any]) -> str:
    """The field that a target is for. What nobody knows is sent as it stands, so that the run tells the nearest name."""
    for name in names:
        if target in [one["id"] for one in definition.get(f"{name}s", ())]:
            return name
    return "condition" if "condition" in names else "item"


def told(answer: Mapping[str, Any], *, signal: bool) -> int:
    """Shows what a run answered; the exit code."""
    printing.show(answer, tables.sent if signal else tables.verdict)
    return BY_OUTCOME.get(str(answer.get("outcome", "accepted")), 0)


def _command(kind: type[Message]) -> Callable[..., int]:
    def send(**given: Any) -> int:
        ground.settings()
        run, signal = given.pop("run"), given.pop("signal")
        given.pop("output")
        target = _target(kind, given)
        aim = partial(_aim, TARGETS[kind.name], target) if target is not None else None
        answer = sending.speak(run, kind.name, content(kind, given), signal=signal, target=target, aim=aim)
        return told(answer, signal=signal)

    send.__name__ = kind.name
    send.__doc__ = kind.__doc__
    send.__signature__ = inspect.Signature(parameters(kind))  # type: ignore[attr-defined]
    send.__annotations__ = {one.name: one.annotation for one in parameters(kind)}
    return send


ELSEWHERE = ("set_calendar", "absence")
"""Messages whose command looks something up first: it has a file of its own."""

for _kind in KINDS:
    if _kind.name in ELSEWHERE:
        continue
    app.command(_kind.name)(_command(_kind))
