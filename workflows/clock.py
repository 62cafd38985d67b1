"""The time of a run: whole seconds, and one alarm."""

import asyncio
import time  # noqa: TID251 - for `now_for_reading` alone, which no command depends on
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import workflow

from onboarding.clear import Clear

LONGEST_SLEEP = timedelta(days=365)
"""The server counts a timer in nanoseconds: one of centuries would ring at once, again and again."""
SHORTEST_SLEEP = timedelta(seconds=1)
"""Instants are whole seconds; an alarm that rings and finds nothing due must not ring in a circle."""


HEARD_AT = "heard_at"
"""The memo field for it: memos are in no bill, and this one tells whoever looks at a run when it last heard something."""


def now() -> datetime:
    """The instant at which the run hears what it hears now."""
    return workflow.now().replace(microsecond=0)


def now_for_reading() -> datetime:
    """The instant at which a query is asked. Only for queries: nothing that is written may depend on it.

    To the workflow no time has passed since its last task, which in a quiet run may be weeks ago; a reader wants to know how long
    something has been waiting now. Where time is skipped, the run's own time is ahead of the machine's and counts.
    """
    with workflow.unsafe.sandbox_unrestricted():
        asked = datetime.fromtimestamp(time.time(), UTC)
    return max(workflow.now(), asked).replace(microsecond=0)


def keep_instant() -> None:
    """Leaves an event in this workflow task, so that a replay hears at the same instant what the run hears now.

    A replay takes tasks that left no event for one task with the instant of the last, see docs/decisions/0012. Tasks that accept an
    update leave one anyway. Call it where something was heard, and never where that depends on what else this task does: a
    replay may divide tasks into other activations.
    """
    workflow.upsert_memo({HEARD_AT: Clear(now().isoformat())})


class Alarm:
    """One sleeping task, set again only for an earlier instant: messages cost no timers, later dates cost none either."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """`ring` only says that time has passed; what is due is asked of the machine."""
        self._ring = ring
        self._task: asyncio.Task[None] | None = None
        self._at: datetime | None = None

    def set(self, due: datetime | None) -> None:
        """Makes sure that it rings at `due` or before; too early does no harm."""
        if due is None or (self._at is not None and self._at <= due):
            return
        if self._task is not None:
            self._task.cancel()
        self._at = min(due, now() + LONGEST_SLEEP)
        self._task = asyncio.create_task(self._sleep(self._at))

    async def _sleep(self, until: datetime) -> None:
        summary = Clear(f"Next date: {until:%a %d %b %Y, %H:%M} UTC")
        await workflow.sleep(max(until - workflow.now(), SHORTEST_SLEEP), summary=summary)
        self._at = None
        self._ring()
