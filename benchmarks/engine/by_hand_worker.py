"""The worker of the references: `python -m benchmarks.engine.by_hand_worker ADDRESS TASK_QUEUE FILE`, until SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from benchmarks.engine import by_hand


async def main(address: str, task_queue: str, escalations: str) -> None:
    """Works until told to stop; each escalation is a line of that file."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    activities = by_hand.Activities(Path(escalations))
    worker = Worker(
        await Client.connect(address),
        task_queue=task_queue,
        workflows=[by_hand.ByHand, by_hand.ByHandSignals],
        activities=[activities.do_task, activities.escalate],
        # As for our worker: loaded once and not for every run, and a dead worker's runs wait no longer than theirs.
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("benchmarks")
        ),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
    async with worker:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)
