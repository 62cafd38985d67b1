"""Lets events to the outside go once the turn that told them is history. Runs beside a worker; several may do so at once.

The rule is that of notices, see Note [A batch that is lost] in `runtime/releasing.py`. To let go twice is to let go once, so nobody leads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from onboarding.errors import PayloadUndecodable
from onboarding.event_ports import HeldBatch, HeldEvents
from runtime.looking_again import LOOK, MOST, WIDEST, Looks, groups, in_turn
from runtime.written import ENDED, says_nothing, written

_log = logging.getLogger("releasing")


class EventReleaser:
    """Knows for a while which batches were not found, and looks for them less and less."""

    def __init__(self, client: Client, held: HeldEvents, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds of a clock that never goes back."""
        self._client = client
        self._held = held
        self._again = Looks(now)
        self._put_off = 0

    async def run(self) -> None:
        """Looks until it is cancelled; whatever fails is tried again."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look()
            except Exception as error:
                _log.warning("release_failed", extra={"code": getattr(error, "code", type(error).__name__)})

    async def look(self) -> int:
        """Lets go what may; how many events that were."""
        held = await asyncio.to_thread(self._held.held, MOST + min(self._put_off, WIDEST))
        self._again.keep(one.batch for one in held)
        due = [one for one in held if not self._again.rests(one.batch)]
        count = await in_turn(self._release, groups(due, lambda one: (one.run, one.execution)))
        self._put_off = sum(self._again.rests(one.batch) for one in held)
        return count

    async def _release(self, waiting: Sequence[HeldBatch]) -> int:
        """Of one execution: what its history holds."""
        run, wanted = waiting[0].run, {one.batch for one in waiting}
        found: set[str] = set()
        read_whole = unread = False
        try:
            async for batch in written(self._client, run, waiting[0].execution):
                found.add(batch)
                if wanted <= found:
                    break
            else:
                read_whole = True
        except (RPCError, PayloadUndecodable) as error:
            code = str(error.status) if isinstance(error, RPCError) else error.code
            unread = isinstance(error, RPCError) and says_nothing(error)
            _log.info("history_unread", extra={"run_key": run, "code": code})
        there, missing = sorted(wanted & found), sorted(wanted - found)
        count = await asyncio.to_thread(self._held.release, run, there) if there else 0
        if missing and read_whole and (ENDED in found or waiting[0].stands in found):
            await asyncio.to_thread(self._held.forget, run, missing)
            _log.info("events_forgotten", extra={"run_key": run})
            missing = []
        for batch in missing:
            self._again.put_off(batch, unread=unread)
        return count
