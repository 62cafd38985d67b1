"""`start`: a definition, a customer and an input become a run, or a plan of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, hindsight, ordering, people, printing, tables, whereabouts
from console.leaving import OK, Answered, Misused
from console.printing import Output, hint
from onboarding.crash_points import reached
from onboarding.errors import DefinitionInvalid, RecordConflict, StartRefused

if TYPE_CHECKING:
    from temporalio.client import Client

    from console.ordering import Prepared

app = typer.Typer()


@app.command()
def start(
    definition: Annotated[str, typer.Argument(metavar="DEF", help="A path, or the id of a file in definitions/.")],
    customer: Annotated[str, typer.Option("--customer", help="The opaque key of the customer, such as c-1042.")],
    input_file: Annotated[
        str | None, typer.Option("--input", metavar="FILE", help="Start input, JSON or YAML.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One input, before that of the file; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan with due dates; start nothing.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help="With --dry-run: as if started then.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Who starts it; default: who is logged in.")] = None,
    output: Output = None,
) -> int:
    """Start a run. The same customer and definition again is a conflict, unless the input is the same."""
    ground.settings()
    moment = ordering.instant(at, "--at")
    if moment is not None and not dry_run:
        raise Misused("--at plans as if started then and needs --dry-run: a run starts when it starts.")
    try:
        prepared = ordering.prepare(
            definition, customer=customer, input_file=input_file, settings=settings or (), at=moment, actor=actor
        )
    except (DefinitionInvalid, StartRefused) as invalid:
        invalid.add_note("Nothing was started.")
        raise
    prepared = hindsight.with_history(prepared)
    if dry_run:
        return _plan(prepared)
    answer = ground.run(_start(prepared))
    printing.show(answer, tables.started)
    hint(f"Next: python starter.py status {answer['run']}")
    return OK


def _plan(prepared: Prepared) -> int:
    from onboarding.engine.order_text import write_order
    from onboarding.engine.plan import Plan
    from onboarding.reading.rehearsal import rehearse

    answer = {
        "run": prepared.order.run,
        **rehearse(Plan(prepared.order), prepared.at),
        "start_input": json.loads(write_order(prepared.order)),
        "task_queue": ground.settings().task_queue,
    }
    printing.show(answer, tables.plan, rows="plan")
    hint("Nothing was started. Everybody is assumed to answer exactly when it is due.")
    return OK


async def _start(prepared: Prepared) -> dict[str, Any]:
    client = await ground.client(sends=True)
    run_id, created = await begin(client, prepared, ground.settings().task_queue)
    run = prepared.order.run
    return {
        "run": run,
        "workflow_id": run,
        "run_id": run_id,
        "created": created,
        "ui": await whereabouts.ui_page(client, run, run_id),
    }


async def begin(client: Client, prepared: Prepared, task_queue: str) -> tuple[str, bool]:
    """Starts the run: its Temporal run id, and whether it is a new one. `Answered` conflict for another run of this name.

    Its people are kept before, since its first notices leave at once; see Note [Two starts of one name] in `console/people.py`.
    """
    from temporalio.exceptions import WorkflowAlreadyStartedError

    run = prepared.order.run
    _demand_not_erased(prepared.order.customer, run)
    if await whereabouts.look(client, run) is not None:
        return await _again(client, prepared), False
    row = ground.remembered(run)
    if row is not None:
        raise _forgotten(run, row)
    try:
        added = people.keep(prepared)
    except RecordConflict:  # they were erased just now
        _demand_not_erased(prepared.order.customer, run)
        raise
    reached("start.before_run")
    try:
        run_id = await _begun(client, prepared, task_queue)
    except WorkflowAlreadyStartedError:  # a moment ago it was not there
        return await _again(client, prepared), False
    except Exception as error:
        if _is_refusal(error):
            people.take_back(prepared, added)
        raise
    reached("start.after_run")
    people.settle(prepared)
    return run_id, True


async def _begun(client: Client, prepared: Prepared, task_queue: str) -> str:
    """The run id of a run that the server has started now."""
    from temporalio.api.common.v1 import Payload
    from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
    from temporalio.service import RPCError, RPCStatusCode

    from onboarding.engine.order_text import write_order
    from onboarding.engine.plan import Plan
    from onboarding.reading import cover
    from workflows.address import WORKFLOW_TYPE
    from workflows.showing import at_start

    plan = Plan(prepared.order)
    order = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=write_order(prepared.order).encode()))
    try:
        handle = await client.start_workflow(
            WORKFLOW_TYPE,
            order,
            id=prepared.order.run,
            task_queue=task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            # Both from the first instant on, also while no worker is there.
            search_attributes=at_start(plan, prepared.at),
            static_summary=cover.summary(plan),
            rpc_timeout=whereabouts.CALL,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "earch attribute" in error.message:
            raise _unregistered(error.message) from error
        raise
    return handle.result_run_id or handle.first_execution_run_id or ""


def _is_refusal(error: Exception) -> bool:
    """Whether nothing was started for certain. Where nobody knows, the run may be there and needs its people; the same start again tells."""
    from temporalio.service import RPCError, RPCStatusCode as Status

    if isinstance(error, RPCError):
        return error.status in (
            Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.PERMISSION_DENIED, Status.UNAUTHENTICATED,
            Status.FAILED_PRECONDITION, Status.UNIMPLEMENTED,
        )  # fmt: skip
    return not isinstance(error, OSError)  # a line that broke, or a time limit


async def _again(client: Client, prepared: Prepared) -> str:
    """The run id of the run that has this name already, if it was started with the same input; exactly its people stand there then.

    Beside a run with another input, whom this start has added goes, now or when it did not hear how it ended.
    """
    run = prepared.order.run
    found = await whereabouts.describe(client, run)
    order = await whereabouts.order_of(client, run)
    if order.get("input_digest") == prepared.order.input_digest:
        people.settle(prepared, people.handles_of(order))
        return found.run_id
    if order:  # without it nobody can tell whose they are
        people.take_back(prepared, people.contacts_of(prepared), people.handles_of(order))
    since = order.get("snapshot", {}).get("started_at") if isinstance(order.get("snapshot"), dict) else None
    raise conflict(run, order.get("started_by"), since or whereabouts.rfc3339(found.start_time), found.run_id)


def _demand_not_erased(customer: str, run: str) -> None:
    """Who was erased stays so: their name has no keys any more, and a run that was erased keeps its numbers."""
    from storage.erasing import Erasures

    with ground.database() as engine:
        erasures = Erasures(engine)
        if erasures.forgotten(customer):
            sentence = f"{customer} was erased: their keys are destroyed, and they get no others. Start them anew under another key of a customer."
            raise Answered({"outcome": "closed", "code": "customer_erased", "sentence": sentence, "run": run})
        if erasures.begun([run]):
            sentence = f"{run} ended and was erased; its numbers stay, so a run starts once. Use another definition, or another key of a customer."
            raise Answered({"outcome": "closed", "code": "run_erased", "sentence": sentence, "run": run})


def _forgotten(run: str, row: dict[str, Any]) -> Answered:
    """A run that only the read table remembers is a conflict, too: its rows must not be written a second time."""
    with ground.read_table() as table:
        first = [entry for entry in table.trail(run)["rows"] if entry["message"] == "start"]
    return conflict(run, first[0]["actor"] if first else None, row["started_at"], None)


def conflict(run: str, by: str | None, at: str | None, run_id: str | None) -> Answered:
    """The answer to a second start with another input."""
    sentence = (
        f"{run} was started by {by or 'somebody'} on {at or 'an unknown date'} with another input; a run starts once."
    )
    return Answered(
        {
            "outcome": "conflict", "code": "already_started", "sentence": sentence, "run": run, "workflow_id": run,
            "run_id": run_id, "created": False, "started_by": by, "started_at": at,
        }
    )  # fmt: skip


def _unregistered(message: str) -> Exception:
    from runtime.errors import Unreachable

    return Unreachable(
        f"The Temporal server does not know a search attribute that runs set ({message[:200]}).",
        way_out="`python starter.py doctor --fix` registers them; nothing was started.",
        code="search_attributes",
    )
