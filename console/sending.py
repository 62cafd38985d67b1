"""Sending one message to a run and bringing back its verdict, within fifteen seconds on our own clock.

An attempt that got no answer has not failed: the update may be applied later. So the update id is made of the message, every
attempt is the same update, and the last word is `retry_later`, never "failed".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from console import ground, whereabouts
from console.leaving import Answered
from onboarding.crash_points import reached

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowUpdateFailedError
    from temporalio.service import RPCError

ATTEMPT = timedelta(seconds=5)
"""One attempt: the server asks for patience after twenty seconds, and the SDK then waits on without an end."""
IN_ALL = 15.0
"""Seconds until `retry_later`."""
SHORTEST = 1.0
"""An attempt shorter than this is not worth its call."""
GRACE = 0.5
PAUSE = 0.3
_REPEATED = frozenset({"accepted", "held"})


async def send_update(client: Client, run: str, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on a message. Raises `Answered` for every refusal, for a run that is closed or unknown, and `retry_later`."""
    from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
    from temporalio.service import RPCError

    from runtime.errors import KeysUnavailable
    from storage.faults import DatabaseUnavailable
    from workflows.address import update_id

    until = monotonic() + IN_ALL
    message_id = str(content["message_id"])
    wanted = update_id(message_id, name, content)
    known = await _known(client, run, wanted)
    if known is not None:
        return known
    problem = "no worker has answered"
    while (left := until - monotonic()) > SHORTEST:
        attempt = min(ATTEMPT, timedelta(seconds=left))
        try:
            reached("deliver.before_update")
            # The SDK asks again when the server answers just before its time is up; so the time is ours, too.
            async with asyncio.timeout(attempt.total_seconds() + GRACE):
                verdict: dict[str, Any] = await client.get_workflow_handle(run).execute_update(
                    name, dict(content), id=wanted, rpc_timeout=attempt, result_type=dict
                )
            reached("deliver.after_accept")
            return verdict
        except WorkflowUpdateFailedError as failed:
            if not _comes_again(failed):
                return await _refused(client, run, failed)
            problem = "many signals wait before this message"
            await asyncio.sleep(PAUSE)
        except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
            _or_stop()
            continue
        except (DatabaseUnavailable, KeysUnavailable) as error:
            # It may have been sent and its verdict not be read: only the same again can tell.
            problem = error.sentence.rstrip(".")
            await asyncio.sleep(PAUSE)
        except RPCError as error:
            problem = await _or_wait(client, run, error, message_id)
    raise retry_later(run, message_id, problem)


async def send_signal(client: Client, run: str, name: str, content: Mapping[str, Any]) -> None:
    """Hands a signal over; its verdict stands in the run's trail or among its refused messages."""
    from temporalio.service import RPCError

    until = monotonic() + IN_ALL
    message_id = str(content.get("message_id", ""))
    problem = "the server has not answered"
    while (left := until - monotonic()) > SHORTEST:
        try:
            await client.get_workflow_handle(run).signal(
                name, dict(content), rpc_timeout=min(ATTEMPT, timedelta(seconds=left))
            )
            return
        except RPCError as error:
            problem = await _or_wait(client, run, error, message_id)
    raise retry_later(run, message_id, problem)


def retry_later(run: str, message_id: str, problem: str) -> Answered:
    """Sent, and no verdict in time: neither accepted nor failed."""
    sentence = (
        f"There is no verdict within {IN_ALL:.0f} seconds ({problem}); it may still be applied. "
        f"Send the same again with --id {message_id} for the final answer."
    )
    return Answered(
        as_verdict({"outcome": "retry_later", "code": "no_verdict_yet", "sentence": sentence, "run": run}, message_id)
    )


def as_verdict(answer: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """An answer that no run gave, in the shape of those that runs give."""
    empty: dict[str, Any] = {"item": None, "status": None, "received_at": None, "next": [], "faults": []}
    first = {name: answer[name] for name in ("outcome", "code", "sentence")}
    return {**first, "message_id": message_id, **empty, **answer}


async def heard_before(client: Client, run: str, name: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The verdict `duplicate` where the server knows that this run took this very message; `None` also where it cannot say."""
    from workflows.address import update_id

    return await _known(client, run, update_id(str(content["message_id"]), name, content))


async def _known(client: Client, run: str, update: str) -> dict[str, Any] | None:
    """The first answer to this very message where the server has it: a repeat that costs the run nothing."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.update.v1 import UpdateRef
    from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
    from temporalio.service import RPCError

    reference = UpdateRef(workflow_execution=WorkflowExecution(workflow_id=run), update_id=update)
    request = PollWorkflowExecutionUpdateRequest(
        namespace=client.namespace, update_ref=reference, identity=client.identity
    )
    try:
        # Without a stage to wait for, the answer comes at once.
        found = await client.workflow_service.poll_workflow_execution_update(request, timeout=ATTEMPT)
    except RPCError:
        return None  # not known, or not now: the update itself will tell
    payloads = found.outcome.success.payloads
    if not payloads:
        return None
    verdict = await whereabouts.read_payload(client, run, payloads[0])
    if verdict.get("outcome") not in _REPEATED:
        return None
    sentence = "This message was seen before, and nothing more happened. The first answer: " + verdict["sentence"]
    return {**verdict, "outcome": "duplicate", "sentence": sentence}


def _comes_again(failed: WorkflowUpdateFailedError) -> bool:
    """Whether the run has asked for the same once more in a moment."""
    details = getattr(failed.cause, "details", ())
    return any(isinstance(one, dict) and one.get("code") == "signals_wait" for one in details)


async def _refused(client: Client, run: str, failed: WorkflowUpdateFailedError) -> dict[str, Any]:
    from temporalio.exceptions import ApplicationError

    cause = failed.cause
    if isinstance(cause, ApplicationError) and cause.type == "Refused" and cause.details:
        raise Answered(cause.details[0]) from failed
    if isinstance(cause, ApplicationError) and cause.type == "StartRefused":
        raise whereabouts.closed(run, None, "its start order could not be read") from failed
    # The run ended while the message was on its way: the server says so in an error of its own.
    raise await whereabouts.ended(client, run) from failed


async def _or_wait(client: Client, run: str, error: RPCError, message_id: str) -> str:
    """Waits a moment where trying again may help, and says what was wrong; raises where it cannot help."""
    from temporalio.service import RPCStatusCode as Status

    match error.status:
        case Status.NOT_FOUND if not whereabouts.no_namespace(error):
            raise await whereabouts.ended(client, run) from error
        case Status.INVALID_ARGUMENT if "size" in error.message or "too large" in error.message:
            raise too_large(message_id, "The Temporal server does not take a message of this size.") from error
        case Status.PERMISSION_DENIED | Status.UNAUTHENTICATED | Status.INVALID_ARGUMENT | Status.NOT_FOUND:
            raise error
        case _:
            await asyncio.sleep(PAUSE)
            return "no worker has answered" if error.status is Status.DEADLINE_EXCEEDED else error.message[:200]


def _or_stop() -> None:
    """The SDK says the same of a call that took too long and of one that Ctrl-C has ended, which nobody wants to have repeated."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def too_large(message_id: str, sentence: str) -> Answered:
    """The answer for what no run would read."""
    return Answered(as_verdict({"outcome": "too_large", "code": "message_too_large", "sentence": sentence}, message_id))


def judged_here(name: str, content: Mapping[str, Any]) -> None:
    """Shape and size come first in the order of refusal and need no run: `Answered` with every fault, or nothing.

    The same function judges inside the run, so both give one answer.
    """
    from onboarding.messages import Refusal, spoken
    from onboarding.parsing import parse

    found = parse(name, dict(content), via="update", fallback_id=str(content["message_id"]))
    if isinstance(found, Refusal):
        first = found.faults[0]
        faults = [{"place": one.place, "code": one.code, "sentence": one.sentence} for one in found.faults]
        answer = {"outcome": str(found.outcome), "code": first.code, "sentence": spoken(found.faults), "faults": faults}
        raise Answered(as_verdict(answer, found.message_id))


Aim = Callable[[Mapping[str, Any]], str]
"""From a definition to the field of the message that holds its target."""


def speak(
    run: str, name: str, content: dict[str, Any], *, signal: bool, target: str | None = None, aim: Aim | None = None
) -> dict[str, Any]:
    """Sends one message of the command line; the verdict, or what can be said of a signal.

    `aim` says which field `target` is for; the run's definition knows.
    """
    try:
        if not signal:
            judged_here(name, content)
        return ground.run(_speak(ground.workflow_id(run), name, content, signal, target, aim))
    except Answered as no:
        raise Answered(as_verdict(no.answer, str(content["message_id"]))) from no


async def _speak(
    run: str, name: str, content: dict[str, Any], signal: bool, target: str | None, aim: Aim | None
) -> dict[str, Any]:
    client = await ground.client(sends=True)
    if aim is not None and target is not None:
        await whereabouts.describe(client, run)
        definition = (await whereabouts.order_of(client, run)).get("definition")
        content = {**content, aim(definition if isinstance(definition, dict) else {}): target}
    if not signal:
        return await send_update(client, run, name, content)
    await send_signal(client, run, name, content)
    told = f"A signal has no verdict: see python starter.py trail {run}, or refused {run}."
    return {"sent": True, "message_id": content["message_id"], "hint": told}
