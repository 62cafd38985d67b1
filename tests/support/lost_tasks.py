"""How long the server waits for a workflow task that it gave to a worker which is gone: tests that end workers wait as long, and no longer."""

from __future__ import annotations

from typing import Any

from temporalio.client import WorkflowHandle


async def attempt_of(handle: WorkflowHandle[Any, Any]) -> int:
    """Which attempt of its present workflow task a run is at; 0 where it has none."""
    attempt: int = (await handle.describe()).raw_description.pending_workflow_task.attempt
    return attempt


def waited_for(attempt: int) -> float:
    """Seconds at most that the server waits until it takes a workflow task of this attempt for lost, where they are more than the usual ten.

    From the fourth attempt on it waits five longer, doubled with each, up to ten minutes longer (`getStartToCloseTimeout` in
    `workflow_task_state_machine.go` of Temporal 1.32). Where workers die faster than they answer, a run can be there.
    """
    return 10.0 + min(5.0 * 2 ** (attempt - 4), 600.0) if attempt > 3 else 0.0
