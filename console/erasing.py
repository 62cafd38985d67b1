"""`erase`: what people said in the runs of a customer is forgotten, on request or because it is time. Numbers and trails stay.

In this order, so that a kill at any place loses nothing that the same command could not find again: nothing while a run is open; the
keys of the customer; the rows of each run, in one transaction that also says so; the histories on the server. What is done
already is left alone, so the command can be repeated until it ends with 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, histories, ordering, printing, sending, tables
from console.leaving import OK, Answered, Misused
from console.printing import Output, hint
from onboarding.crash_points import reached

if TYPE_CHECKING:
    from rich.console import RenderableType
    from sqlalchemy import Engine
    from temporalio.client import Client

    from storage.erasing import Due, Erasures

app = typer.Typer()

CLOSES_WITHIN = 60.0
"""Seconds in which a run that was cancelled must be over: its last rows and notices leave before it ends."""
_KEY = re.compile(r"[^\s/\"'\\]+")
_COLUMNS = {
    "run": "run", "people": "people", "notices": "notices", "sentences": "texts", "histories": "histories",
}  # fmt: skip
_DUE = {"run": "run", "closed_at": "closed", "forget_at": "to be forgotten", "done": "done"}


@app.command()
def erase(
    customer: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER", help="The opaque key of the customer.", show_default=False)
    ] = None,
    cancel: Annotated[
        str | None,
        typer.Option(
            "--cancel", metavar="REASON", help="Cancel what is still open, for this reason, and wait for its end."
        ),
    ] = None,
    due: Annotated[
        bool,
        typer.Option(
            "--due",
            help="Closed runs of all customers whose definition says that it is time; shows them only, unless --yes.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --due: erase what it shows.")] = False,
    lost: Annotated[
        bool,
        typer.Option("--lost", help="The server has lost runs that the rows take for open, and no other one has them."),
    ] = False,
    actor: Annotated[str | None, typer.Option("--actor", help="Who erases; default: who is logged in.")] = None,
    output: Output = None,
) -> int:
    """Erase what people said in every run of a customer: rows, keys, histories. For ever; numbers and trails stay.

    Refused while a run is open. The second time there is nothing to do, and a call that was killed is finished by the next one.
    """
    ground.settings()
    by = actor or ordering.who_types()
    if due == (customer is not None):
        raise Misused("Erase one CUSTOMER, or whatever is --due.")
    if (due and (cancel is not None or lost)) or (yes and not due):
        raise Misused("--cancel and --lost are for one customer, and --yes for --due.")
    with ground.database() as engine:
        if customer is None:
            return _due(engine, by, yes=yes)
        answer = ground.run(_Forgetting(engine, by).customer(customer, cancel, lost=lost))
    printing.show(answer, _told, rows="rows")
    _hint_at_copies(answer)
    return OK


def _due(engine: Engine, by: str, *, yes: bool) -> int:
    from storage.erasing import Erasures
    from storage.rows import instant

    found = Erasures(engine).due(datetime.now(UTC))
    done = ground.run(_Forgetting(engine, by).due(found)) if yes and found else {}
    rows = [
        {"run": one.run, "closed_at": instant(one.closed_at), "forget_at": instant(one.forget_at), "done": one.run in done}
        for one in found
    ]  # fmt: skip
    answer = {"due": len(rows), "erased": len(done), "rows": rows}
    printing.show(answer, lambda told: tables.rows(told, _DUE), rows="rows")
    if not rows:
        hint("No closed run is due: only a definition with `retention` says when.")
    elif not yes:
        hint("Nothing was erased: the same with --yes does it, for ever.")
    else:
        _hint_at_copies({"compacted": all(done.values()), "already": False})
    return OK


class _Forgetting:
    """One call of the command."""

    def __init__(self, engine: Engine, by: str) -> None:
        from storage.erasing import Erasures

        self.engine, self.by = engine, by
        self.erasures: Erasures = Erasures(engine)

    async def customer(self, customer: str, cancel: str | None, *, lost: bool) -> dict[str, Any]:
        """Erases all that there is of a customer. `Answered` while something is open, or where nobody has heard of them.

        What the rows take for open and the server does not know goes on at another server, unless somebody says that it is `lost`.
        """
        from storage.erasing import compact
        from storage.keys import destroy
        from workflows.address import workflow_id

        if not _KEY.fullmatch(customer):
            raise _unknown(customer)
        client = await ground.client(sends=cancel is not None)
        # A start that was killed before it began has left nothing but people; one of an earlier release may have kept them after an erasure.
        reachable = self.erasures.with_people(workflow_id(customer, ""))
        runs = sorted({*await self._runs(client, customer), *reachable})
        known = self.erasures.forgotten(customer)
        if not runs and not known:
            raise _unknown(customer)
        if not lost and (elsewhere := [run for run in runs if await _is_elsewhere(client, run)]):
            raise _elsewhere(elsewhere)
        await self._ended(client, customer, runs, cancel, unreadable=known)
        done = self.erasures.done(runs) - {*reachable}
        rest = [run for run in runs if run not in done or await histories.of_run(client, run)]
        keys = destroy(self.engine, customer)
        reached("erase.after_key")
        rows = [await self._run(client, run, customer, "asked") for run in rest]
        already = known and not rest and not keys
        return {
            "customer": customer, "already": already, "runs": len(rest), "keys": keys,
            **{name: sum(row[name] for row in rows) for name in ("people", "notices", "sentences", "histories")},
            "compacted": True if already else compact(self.engine), "rows": rows,
        }  # fmt: skip

    async def due(self, found: tuple[Due, ...]) -> dict[str, bool]:
        """Erases these runs; the names of those that are gone, with whether the file holds nothing of them any more."""
        from storage.erasing import compact
        from storage.keys import destroy

        client = await ground.client()
        done = []
        for one in found:
            if await histories.is_open(client, one.run):
                hint(
                    f"{one.run} is closed in the rows and open on the server: see `python starter.py reconcile {one.run}`."
                )
                continue
            if set(await self._runs(client, one.customer)) <= {
                one.run,
                *self.erasures.begun(self.erasures.runs_of(one.customer)),
            }:
                destroy(self.engine, one.customer)  # nothing else of theirs needs it
            await self._run(client, one.run, one.customer, "retention")
            done.append(one.run)
        return dict.fromkeys(done, compact(self.engine) if done else True)

    async def _run(self, client: Client, run: str, customer: str, cause: str) -> dict[str, Any]:
        found = self.erasures.tombstone(run, customer, by=self.by, cause=cause, at=_now())
        reached("erase.after_tombstone")
        deleted = await histories.delete(client, run)
        self.erasures.gone(run, deleted, _now())
        return {"run": run, **found, "histories": deleted}

    async def _runs(self, client: Client, customer: str) -> list[str]:
        """Every run of a customer, on either side."""
        there = {run for run, _ in await histories.of_customer(client, customer)}
        return sorted({*self.erasures.runs_of(customer), *there})

    async def _ended(
        self, client: Client, customer: str, runs: list[str], cancel: str | None, *, unreadable: bool
    ) -> None:
        """Refuses while a run is open, or ends those that are.

        One that slipped in beside an earlier erasure is `unreadable` to every worker, so nobody could hear that it is cancelled.
        """
        still = [run for run in runs if await histories.is_open(client, run)]
        if still and cancel is None:
            raise _open(customer, still)
        for run in still:
            if unreadable:
                await histories.terminate(client, run)
                continue
            content = {"message_id": _id_of(run, cancel or ""), "reason": cancel, "actor": self.by}
            try:
                sending.judged_here("cancel", content)
                await sending.send_update(client, run, "cancel", content)
            except Answered as no:
                if no.answer["outcome"] != "closed":
                    raise
        until = time.monotonic() + CLOSES_WITHIN
        while still := [run for run in still if await histories.is_open(client, run)]:
            if time.monotonic() > until:
                raise _still_open(still)
            await asyncio.sleep(histories.PAUSE)


async def _is_elsewhere(client: Client, run: str) -> bool:
    """Whether the rows take a run for open that this server has never heard of, or has lost."""
    from console import whereabouts

    try:
        await whereabouts.describe(client, run)
    except Answered as no:
        return no.answer["outcome"] == "unknown" and ground.remembered(run) is not None
    return False


def _id_of(run: str, reason: str) -> str:
    """The same call again is the same message."""
    return f"erase-{hashlib.sha256(repr((run, reason)).encode()).hexdigest()[:24]}"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _open(customer: str, runs: list[str]) -> Answered:
    sentence = (
        f"{customer} has {'an open run' if len(runs) == 1 else f'{len(runs)} open runs'}: {', '.join(runs[:5])}. Nothing was erased. "
        "Let it end, `cancel` it, or say --cancel REASON here."
    )
    return Answered(
        {"outcome": "conflict", "code": "runs_open", "sentence": sentence, "customer": customer, "runs": runs}
    )


def _elsewhere(runs: list[str]) -> Answered:
    sentence = (
        f"{runs[0]} is open in the rows, and this Temporal server does not know it. Nothing was erased: check TEMPORAL_ADDRESS and "
        "TEMPORAL_NAMESPACE, or say --lost where the server has lost its data."
    )
    return Answered(
        {"outcome": "conflict", "code": "run_elsewhere", "sentence": sentence, "run": runs[0], "runs": runs}
    )


def _still_open(runs: list[str]) -> Answered:
    sentence = f"{runs[0]} was cancelled and has not ended within {CLOSES_WITHIN:.0f} seconds. Nothing was erased: say the same again."
    return Answered({"outcome": "retry_later", "code": "not_ended_yet", "sentence": sentence, "run": runs[0]})


def _unknown(customer: str) -> Answered:
    sentence = f"No customer {customer[:200]!r} is known here, neither by rows nor by histories; python starter.py list shows who is."
    return Answered(
        {"outcome": "unknown", "code": "unknown_customer", "sentence": sentence, "customer": customer[:200]}
    )


def _told(answer: dict[str, Any]) -> RenderableType | str:
    if answer["already"]:
        return f"{answer['customer']} was erased before: there is nothing to do."
    title = f"{answer['customer']}: {answer['runs']} runs erased, {answer['keys']} keys destroyed"
    return tables.grid(answer["rows"], _COLUMNS, title)


def _hint_at_copies(answer: dict[str, Any]) -> None:
    if not answer["compacted"]:
        hint("Another process was in the way, so pages of the file may still hold what was erased: say the same again.")
    if not answer["already"]:
        hint("Backups made before hold it until they are thrown away; after a restore erase again.")
