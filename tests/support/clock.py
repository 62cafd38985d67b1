"""The clock of one run on a server with time skipping: the only way tests move time.

Instants are aware and in UTC. Traps that this file handles are numbered as in the notes on time
skipping: a target that passes while work is in flight overshoots to the next timer (3), so the run is
quiet before each hop and the clock is checked after it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import TimeSkipper, TimeSkippingConfig

QUIET_WITHIN = 20.0
"""Seconds of real time until nothing is in flight."""
_SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
SLACK = timedelta(minutes=1)
"""Clocks go on with real time between hops, so instants are compared to the minute."""


class Clock:
    """`now` and `advance` of single runs; each run has a clock of its own, so tests may run at once."""

    def __init__(self, client: Client) -> None:
        """The client starts runs as usual: their time is real until the first `advance`."""
        # The server switches skipping off after 200 hops of a session unless told otherwise (4).
        self._skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000))

    async def now(self, handle: WorkflowHandle[Any, Any]) -> datetime:
        """The instant that the run would answer to `workflow.now()`."""
        return await self._skipper.get_current_time(handle)

    async def advance(self, handle: WorkflowHandle[Any, Any], to: datetime, *, retrying: bool = False) -> bool:
        """Move the run to `to`; everything that is due before happens on the way. False if the run ended first.

        With `retrying` an activity that failed and waits for its next attempt counts as quiet: its attempts are on the way, too.
        Keep `to` half a minute away from due instants. A `to` in the past is a mistake of the test.
        """
        await self.settle(handle, retrying=retrying)
        step = to - await self.now(handle)
        if step <= timedelta(0):
            raise AssertionError(f"the run's clock is {-step} past {to} already")
        went = await self._skipper.fast_forward(handle, step)
        await self.settle(handle, retrying=retrying)
        if went:
            late = await self.now(handle) - to
            if abs(late) > SLACK:
                raise AssertionError(f"the hop to {to} missed it by {late}")
        return went

    async def settle(self, handle: WorkflowHandle[Any, Any], *, retrying: bool = False) -> None:
        """Wait until the run has no workflow task and no activity in flight, or is closed."""
        async with asyncio.timeout(QUIET_WITHIN):
            while not await self._quiet(handle, retrying):
                await asyncio.sleep(0.01)

    async def _quiet(self, handle: WorkflowHandle[Any, Any], retrying: bool) -> bool:
        about = await handle.describe()
        raw = about.raw_description
        running = about.status is WorkflowExecutionStatus.RUNNING
        busy = [one for one in raw.pending_activities if not (retrying and one.state == _SCHEDULED and one.attempt > 1)]
        return not running or not (busy or raw.HasField("pending_workflow_task"))
