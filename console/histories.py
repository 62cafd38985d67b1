"""The histories that the server keeps of a customer's runs: which there are, which are open, and how they are deleted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from console import whereabouts
from console.leaving import Answered

if TYPE_CHECKING:
    from temporalio.client import Client

GONE_WITHIN = 60.0
"""Seconds in which the server must have deleted what it was told to delete; a moment is usual."""
PAUSE = 0.2

History = tuple[str, str]
"""A workflow id and a run id: a run that went on as new has several."""


async def of_customer(client: Client, customer: str) -> list[History]:
    """Every history of a customer's runs, as the server's list shows them."""
    prefix = f"onboarding/{customer}/"
    # What the list takes for the beginning is its store's affair: `_` and the case of letters may fit more than they say.
    return [one for one in await _listed(client, f'WorkflowId STARTS_WITH "{prefix}"') if one[0].startswith(prefix)]


async def of_run(client: Client, run: str) -> list[History]:
    """Every history of one run."""
    return await _listed(client, f'WorkflowId = "{run}"')


async def is_open(client: Client, run: str) -> bool:
    """Whether a run still goes on. Raises `RPCError` where the server does not answer."""
    from temporalio.client import WorkflowExecutionStatus

    try:
        found = await whereabouts.describe(client, run)
    except Answered:
        return False
    return found.status is WorkflowExecutionStatus.RUNNING


async def terminate(client: Client, run: str) -> None:
    """Ends a run without asking it; nothing where it has ended."""
    from temporalio.service import RPCError, RPCStatusCode

    try:
        await client.get_workflow_handle(run).terminate("erased", rpc_timeout=whereabouts.CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or whereabouts.no_namespace(error):
            raise


async def delete(client: Client, run: str) -> int:
    """Deletes every history of a closed run and waits until the server knows none; how many there were.

    `Answered` retry_later where the server takes longer: the same again goes on from there.
    """
    told: set[History] = set()
    until = time.monotonic() + GONE_WITHIN
    while found := await _known(client, run):
        for one in found:
            if one not in told:
                await _delete(client, one)
                told.add(one)
        if time.monotonic() > until:
            raise _slow(run)
        await asyncio.sleep(PAUSE)
    return len(told)


async def _known(client: Client, run: str) -> list[History]:
    """What the list shows, and the last one, which the list may not show yet, or still show when it is gone."""
    found = []
    for one in await of_run(client, run):
        if await _exists(client, one):
            found.append(one)
    try:
        last = (run, (await whereabouts.describe(client, run)).run_id)
    except Answered:
        return found
    return found if last in found else [*found, last]


async def _exists(client: Client, history: History) -> bool:
    from temporalio.service import RPCError, RPCStatusCode

    try:
        await client.get_workflow_handle(history[0], run_id=history[1]).describe(rpc_timeout=whereabouts.CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or whereabouts.no_namespace(error):
            raise
        return False
    return True


async def _delete(client: Client, history: History) -> None:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
    from temporalio.service import RPCError, RPCStatusCode

    execution = WorkflowExecution(workflow_id=history[0], run_id=history[1])
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    try:
        await client.workflow_service.delete_workflow_execution(request, timeout=whereabouts.CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or whereabouts.no_namespace(error):
            raise


async def _listed(client: Client, query: str) -> list[History]:
    return [(found.id, found.run_id) async for found in client.list_workflows(query)]


def _slow(run: str) -> Answered:
    sentence = f"The server has not deleted the histories of {run} within {GONE_WITHIN:.0f} seconds: say the same again, it goes on from here."
    return Answered({"outcome": "retry_later", "code": "not_gone_yet", "sentence": sentence, "run": run})
