"""`python -m runtime.health`: does this machine's worker poll the task queue? Exit 0 if so, else 1 and a sentence.

For the container's health check, where the worker is another process of the same machine.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.connection import connect
from runtime.errors import SetupError
from runtime.settings import read_settings

FRESH: Final = timedelta(minutes=2)
"""A poll waits at the server for at most 70 s, so an older one belongs to a worker that is gone."""


async def pollers(client: Client, task_queue: str) -> list[str]:
    """The identities that polled the task queue for workflow tasks within `FRESH`."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=timedelta(seconds=5),
    )
    oldest = datetime.now(UTC) - FRESH
    return [poller.identity for poller in answer.pollers if poller.last_access_time.ToDatetime(tzinfo=UTC) >= oldest]


async def check() -> str:
    """An empty string if a worker of this machine polls, else a sentence."""
    try:
        settings = read_settings()
        client = await connect(settings)
        found = await pollers(client, settings.task_queue)
    except SetupError as error:
        return str(error)
    except RPCError as error:
        return f"The Temporal server did not tell who polls: {error.message}."
    here = f"@{socket.gethostname()}"
    if any(here in identity for identity in found):
        return ""
    return f"No worker of this machine polls the task queue {settings.task_queue!r}."


if __name__ == "__main__":
    problem = asyncio.run(check())
    if problem:
        print(problem, file=sys.stderr, flush=True)
    # The SDK's native threads can abort an interpreter that ends in the ordinary way.
    os._exit(1 if problem else 0)
