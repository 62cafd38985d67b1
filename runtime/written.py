"""Which batches of rows stand in the history of an execution: what was told of them may leave. Looking adds no event and no Action."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryReverseRequest as Request,
    GetWorkflowExecutionHistoryReverseResponse as Response,
)
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

FIRST: Final = 8
"""Asked for first, newest first: what waits was mostly written a moment ago, and a server sends a history with all that was said in it.
`PAGE`: each time after that."""
PAGE: Final = 100
ENDED: Final = ""
"""Stands among the batches of a history that is over; no batch has this id."""
_MARKER: Final = "core_local_activity"
_OVER: Final = frozenset(
    (
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    )
)  # fmt: skip
"""Events after which a history holds no more."""


async def written(client: Client, run: str, execution: str) -> AsyncIterator[str]:
    """The results of the activities in a history, the newest first, ids of batches among them; `ENDED` where it holds no more.

    Raises `RPCError`, and `PayloadUndecodable` for a customer who was erased.
    """
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=run)
    converter = client.data_converter.with_context(context)
    token, most = b"", FIRST
    while True:
        page: Response = await client.workflow_service.get_workflow_execution_history_reverse(
            Request(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=run, run_id=execution),
                maximum_page_size=most,
                next_page_token=token,
            )
        )
        for event in page.history.events:
            if event.event_type in _OVER:
                yield ENDED
            marker = event.marker_recorded_event_attributes
            local = marker.marker_name == _MARKER
            own = event.activity_task_completed_event_attributes
            payloads = (marker.details["result"] if local else own.result).payloads
            if payloads:
                for result in await converter.decode(payloads):
                    if isinstance(result, str):
                        yield result
        token, most = page.next_page_token, PAGE
        if not token:
            return


def says_nothing(error: RPCError) -> bool:
    """Whether an error leaves open what the history holds: the server is away or busy. One that knows no such history has said it."""
    return error.status is not RPCStatusCode.NOT_FOUND
