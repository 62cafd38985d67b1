"""`hook list`, `hook finish`, `hook fail`: hooks whose work goes on elsewhere, and how whoever does it says that it is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, messages, paging, printing, reads, tables
from console.leaving import BY_OUTCOME, Answered
from console.printing import Output

if TYPE_CHECKING:
    from temporalio.exceptions import ApplicationError

    from onboarding.ports import WaitingHook

app = typer.Typer()

_COLUMNS = {
    "key": "key",
    "hook": "hook",
    "since": "since",
    "ends_at": "at the latest",
    "progress": "progress",
    "polled": "polled",
}
_KEY = Annotated[
    str, typer.Argument(metavar="KEY", help="As `hook list` shows it, and as the other side got it: Idempotency-Key.")
]
_NOTHING = "No hook waits for an answer."
_PARTS = 4
"""Of a key, from its end: item, round, and what was called; before them the run."""


@app.command("hook list")
def waiting(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: of all runs.")] = None,
    output: Output = None,
) -> int:
    """Hooks whose answer comes later, the longest waiting first. Needs no Temporal server."""
    from storage.hook_waits import SqlHookWaits

    ground.settings()
    name = ground.workflow_id(run) if run is not None else None
    with ground.database() as engine:
        rows = [_row(one) for one in SqlHookWaits(engine).all(name)]
    return paging.show({"rows": rows, "next_cursor": None}, _COLUMNS, nothing=_NOTHING)


@app.command("hook finish")
def finish(
    key: _KEY,
    answer: Annotated[
        str, typer.Option("--answer", help='As a hook answers: {"ok": true, "provides": {…}}; or @FILE.')
    ],
    output: Output = None,
) -> int:
    """Brings the answer of a hook that went on elsewhere. A second time changes nothing."""
    from temporalio.exceptions import ApplicationError

    from activities.hooks import answer_of
    from integrations.hooks import HookRegistry
    from onboarding.errors import HookRefused

    ground.settings()
    given = messages.json_of("--answer", answer)
    try:
        plain = answer_of(HookRegistry.checked(given), is_check=True)
    except HookRefused as no:
        raise Answered(_told("rejected", no.code, no.sentence, key)) from None
    except ApplicationError as no:
        raise Answered(_told("rejected", no.type or "hook_answer_invalid", _sentence(no), key)) from None
    return _bring(key, plain)


@app.command("hook fail")
def fail(
    key: _KEY,
    reason: Annotated[str, typer.Option("--reason", help="What whoever takes it up reads; no values of the customer.")],
    output: Output = None,
) -> int:
    """Says that the work of a hook failed elsewhere: `on_failure` of the definition decides what becomes of it."""
    from activities.failures import failure
    from onboarding import limits
    from onboarding.engine.turn import clean

    ground.settings()
    return _bring(
        key, failure("failed_elsewhere", clean(reason.strip(), limits.SENTENCE_LENGTH) or "No reason was given.")
    )


def _bring(key: str, what: dict[str, Any] | ApplicationError) -> int:
    from storage.hook_waits import SqlHookWaits

    with ground.database() as engine:
        waits = SqlHookWaits(engine)
        found = waits.find(key.strip())
        if found is None:
            raise Answered(_nobody_waits(waits, key.strip()))
        brought = ground.run(_send(waits, found, what))
        if not brought and waits.find(found.key) is None:
            raise Answered(_nobody_waits(waits, found.key))
    if not brought:
        sentence = "The attempt that waited was lost with its worker, and another one takes its place: say it again in a minute."
        raise Answered(_told("retry_later", "attempt_lost", sentence, key))
    told = _told("accepted", "hook_answered", "The run has the answer.", found.key)
    printing.show(told, tables.verdict)
    return BY_OUTCOME["accepted"]


async def _send(waits: Any, found: WaitingHook, what: dict[str, Any] | ApplicationError) -> bool:
    from activities import keeping

    client = await ground.client(sends=True)
    if isinstance(what, dict):
        return await keeping.finish(client, waits, found, what)
    return await keeping.fail(client, waits, found, what)


def _nobody_waits(waits: Any, key: str) -> dict[str, Any]:
    """Why no hook has this key: it has its answer already, or there never was one."""
    from onboarding.nearest import nearest

    run, item, round_, _ = ["", "", "", "", *key.rsplit("/", _PARTS - 1)][-_PARTS:]
    status = (
        waits.status_of(run, item, int(round_)) if round_.isascii() and round_.isdigit() and len(round_) < 6 else None
    )
    if status is None:
        known = nearest(key, [one.key for one in waits.all()])
        return _told(
            "unknown",
            "unknown_hook_call",
            f"No hook waits under {key[:200]!r}{known or '; python starter.py hook list shows which do.'}",
            key,
        )
    if status == "open":
        status = ground.run(_as_the_run_says(run, item))
    if status == "done":
        return _told("duplicate", "hook_answered", "Nobody waits for it any more: it is done.", key)
    return _told(
        "conflict",
        "hook_not_awaited",
        f"Nobody waits for this answer any more: the item is {status.replace('_', ' ')}.",
        key,
    )


async def _as_the_run_says(run: str, item: str) -> str:
    """How an item stands: rows land a moment after the run has taken an answer, and whoever says it again may be faster."""
    found = await reads.ask(await ground.client(), run, "why", item)
    return str(found["status"])


def _row(one: WaitingHook) -> dict[str, Any]:
    """A line; instants as everywhere, the token of the server stays inside."""
    return {
        "key": one.key, "run": one.run, "hook": one.hook, "about": one.about, "since": _instant(one.since),
        "ends_at": _instant(one.ends_at), "progress": one.progress, "polled": bool(one.poll), "asked_again_at": _instant(one.poll_at),
        "alive_at": _instant(one.beat_at),
    }  # fmt: skip


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _sentence(error: ApplicationError) -> str:
    told = error.details[0] if error.details else None
    return str(told["sentence"]) if isinstance(told, dict) and "sentence" in told else "The answer cannot be taken."


def _told(outcome: str, code: str, sentence: str, key: str) -> dict[str, Any]:
    return {"outcome": outcome, "code": code, "sentence": sentence, "key": key[:500]}
