"""Makes notices ready to leave once the turn that asked for them is history. Runs beside a worker; several may run at once.

The rows of a turn, and with them its notices, are written before the server keeps the workflow task that decided them. A
worker that dies in between has told nobody anything: a notice waits until the marker of its batch stands in the history of the
run. Looking there adds no event and no Action. See docs/decisions/0004-rows-of-a-turn.md. To make one ready twice is harmless; who
sends it is decided by a claim (`storage/claims.py`).

Note [A batch that is lost]
    A run writes one batch at a time, so a batch that the store has taken later stands in the history after all that came before it. Where
    the batch that stands in the store is in the history, or the history is over, and an earlier one is not in all of it, that one's turn
    was lost: it will never be there. No clock is needed to know that.

One that cannot be made ready holds back no other: it is tried again, more and more seldom.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from onboarding.engine.effects import Notice
from onboarding.errors import PayloadUndecodable
from onboarding.ports import HeldNotice, HeldNotices, Notifier
from runtime.looking_again import LOOK, MOST, WIDEST, Looks, Pauses, groups, in_turn
from runtime.written import ENDED, says_nothing, written

SELDOM: Final = 300.0
"""Seconds until a notice that could not be kept is tried again, at most; it doubles from one second. Twelve attempts an hour."""
_log = logging.getLogger("releasing")


class Releaser:
    """Knows for a while which batches were not found, and looks for them less and less."""

    def __init__(
        self, client: Client, held: HeldNotices, notifier: Notifier, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Reads histories by the client; what they confirm goes to the notifier. `now`: seconds of a clock that never goes back."""
        self._client = client
        self._held = held
        self._notifier = notifier
        self._again = Looks(now)
        self._failed = Pauses(2 * LOOK, SELDOM, now)
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
        """Hands on what may go; how many notices that were."""
        # The oldest come first, and what was put off is among them: behind it the others must still be seen.
        most = MOST + min(self._put_off, WIDEST)
        held = await asyncio.to_thread(self._held.held, most)
        self._again.keep(one.batch for one in held)
        self._failed.keep(one.notice.key for one in held)
        due = [one for one in held if not self._is_put_off(one.notice.key, one.batch)]
        count = await in_turn(self._release, groups(due, lambda one: (one.notice.run, one.execution)))
        self._put_off = sum(self._is_put_off(one.notice.key, one.batch) for one in held)
        return count

    def _is_put_off(self, key: str, batch: str) -> bool:
        return self._failed.rests(key) or self._again.rests(batch)

    async def _deliver(self, notices: Sequence[Notice]) -> int:
        """Of one run, in their order: what calls something off must not overtake it. How many were kept.

        Together, and each by itself where that fails: it may be one of them only.
        """
        due = [one for one in notices if not self._failed.rests(one.key)]
        if len(due) > 1:
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._notifier.deliver, *due)
                return len(due)
        count = 0
        for notice in due:
            try:
                await asyncio.to_thread(self._notifier.deliver, notice)
            except Exception as error:
                self._failed.put_off(notice.key)
                about = {"run_key": notice.run, "code": getattr(error, "code", type(error).__name__)}
                _log.warning("notice_delayed", extra=about)
            else:
                count += 1
        return count

    async def _release(self, waiting: Sequence[HeldNotice]) -> int:
        """Of one execution: delivers what its history holds."""
        wanted = {one.batch for one in waiting}
        found: set[str] = set()
        read_whole = unread = False
        try:
            async for batch in written(self._client, waiting[0].notice.run, waiting[0].execution):
                found.add(batch)
                if wanted <= found:
                    break
            else:
                read_whole = True
        except RPCError as error:
            unread = says_nothing(error)
            _log.info("history_unread", extra={"run_key": waiting[0].notice.run, "code": str(error.status)})
        except PayloadUndecodable as error:  # of an erased customer: nothing of theirs leaves any more
            _log.info("history_unread", extra={"run_key": waiting[0].notice.run, "code": error.code})
        count = await self._deliver([one.notice for one in waiting if one.batch in found])
        if read_whole and (ENDED in found or waiting[0].stands in found):
            wanted -= await self._forget(waiting[0].notice.run, wanted - found)
        for batch in wanted - found:
            self._again.put_off(batch, unread=unread)
        return count

    async def _forget(self, run: str, lost: set[str]) -> set[str]:
        """Of turns that never happened, see Note [A batch that is lost]: nobody will ever hear of them. The same batches."""
        for batch in sorted(lost):
            await asyncio.to_thread(self._held.forget, run, batch)
            _log.info("notices_forgotten", extra={"run_key": run})
        return lost
