"""Looks after hooks whose answer comes later: says to the server that they live, asks the other side how far it is, brings the answer.

Any worker does it for all of them, so the death of one is noticed by nobody. Only when none has lived for longer than the server
has patience is the attempt lost; the next one goes on waiting and calls nobody again (`HookActivities`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import AsyncActivityCancelledError, AsyncActivityHandle, Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import PERMANENT, failure, failure_of
from activities.hooks import answer_of
from activities.parking import handle_of
from onboarding.errors import HookPutOff
from onboarding.ports import HookPoller, HookWaits, Later, WaitingHook

LOOK: Final = 1.0
"""Seconds between two looks at the rows."""
BEAT: Final = timedelta(seconds=8)
"""Between two heartbeats of one that waits: a third of what the server waits for, and a little less."""
MOST: Final = 500
"""Taken up in one look."""
ASKED_AT_ONCE: Final = 50
"""Questions how far it is that are on their way: a system that says nothing holds a thread for as long as it may take."""
REMEMBERED: Final = timedelta(minutes=1)
"""For how long a worker knows those whose heartbeats it sent, should the database go away."""
OVER: Final = failure("not_finished_in_time", "The other side took the work and did not finish it in time.")

_log = logging.getLogger("hooks")


class Keeper:
    """Runs beside a worker, on its loop."""

    def __init__(
        self, client: Client, waits: HookWaits, poller: HookPoller, threads: Executor,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        """Other systems are asked in `threads`, of which there should be `ASKED_AT_ONCE` that do nothing else."""
        self._client = client
        self._waits = waits
        self._poller = poller
        self._threads = threads
        self._now = now
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._beaten: dict[str, tuple[WaitingHook, datetime]] = {}

    async def run(self) -> None:
        """Looks until it is cancelled; whatever fails is tried again."""
        while True:
            await asyncio.sleep(LOOK)
            await self._safely(self.look())

    async def look(self) -> None:
        """Everything that is due now. What others are asked is not waited for: no slow system may cost anybody a heartbeat."""
        now = self._now()
        beats = await self._due(now)
        await asyncio.gather(*(self._safely(self._beat(one)) for one in beats))
        over = await asyncio.to_thread(self._waits.over, now, MOST)
        await asyncio.gather(*(self._safely(fail(self._client, self._waits, one, OVER)) for one in over))
        room = ASKED_AT_ONCE - len(self._asking)
        for one in await asyncio.to_thread(self._waits.polls, now, room) if room else ():
            if one.key not in self._asking:
                self._asking[one.key] = asyncio.create_task(self._ask(one))

    async def _due(self, now: datetime) -> Sequence[WaitingHook]:
        """Whose heartbeat this worker sends now. Without the database: of those that it has looked after in the last minute."""
        try:
            found = await asyncio.to_thread(self._waits.beats, now - BEAT, now, MOST)
        except Exception as error:
            _tell(error)
            found = [one for one, at in self._beaten.values() if at <= now - BEAT]
        recent = {key: known for key, known in self._beaten.items() if known[1] > now - REMEMBERED}
        self._beaten = {**recent, **{one.key: (one, now) for one in found}}
        return found

    async def _ask(self, waiting: WaitingHook) -> None:
        try:
            await self._safely(self._poll(waiting))
        finally:
            del self._asking[waiting.key]

    @staticmethod
    async def _safely(work: Coroutine[Any, Any, Any]) -> None:
        """One that cannot be looked after keeps none of the others: it is tried again."""
        try:
            await work
        except Exception as error:
            _tell(error)

    async def _beat(self, waiting: WaitingHook) -> None:
        try:
            await _handle(self._client, waiting).heartbeat(
                {"progress": waiting.progress, "since": waiting.since.isoformat(timespec="seconds")}
            )
        except AsyncActivityCancelledError:
            await _cancelled(self._client, self._waits, waiting)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await _forget_unless_awaited(self._client, self._waits, waiting)

    async def _poll(self, waiting: WaitingHook) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads, self._poller.poll, waiting.hook, waiting.poll, waiting.key
            )
        except HookPutOff:
            return  # its next time is set already
        except Exception as error:
            failed = failure_of(error, PERMANENT)
            if failed.non_retryable:
                await fail(self._client, self._waits, waiting, failed)
            return
        if isinstance(found, Later):
            await asyncio.to_thread(self._waits.tell, waiting.key, found.progress)
            return
        try:
            await finish(self._client, self._waits, waiting, answer_of(found, is_check=False))
        except ApplicationError as error:
            await fail(self._client, self._waits, waiting, error)


def _tell(error: Exception) -> None:
    _log.warning("hooks_not_kept", extra={"code": getattr(error, "code", type(error).__name__)})


async def finish(client: Client, waits: HookWaits, waiting: WaitingHook, answer: dict[str, Any]) -> bool:
    """Brings an answer; `False` where this attempt does not wait any more. Raises `RPCError` where the server cannot be asked."""
    try:
        await _handle(client, waiting).complete(answer)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        await _forget_unless_awaited(client, waits, waiting)
        return False
    await asyncio.to_thread(waits.forget, waiting.key, waiting.token)
    return True


async def fail(client: Client, waits: HookWaits, waiting: WaitingHook, error: ApplicationError) -> bool:
    """As `finish`, for work that failed over there; `on_failure` of the definition decides."""
    try:
        await _handle(client, waiting).fail(error)
    except RPCError as trouble:
        if trouble.status is not RPCStatusCode.NOT_FOUND:
            raise
        await _forget_unless_awaited(client, waits, waiting)
        return False
    _log.info("hook_given_up", extra={"run_key": waiting.run, "code": error.type})
    await asyncio.to_thread(waits.forget, waiting.key, waiting.token)
    return True


async def _cancelled(client: Client, waits: HookWaits, waiting: WaitingHook) -> None:
    try:
        await _handle(client, waiting).report_cancellation()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            return
    await asyncio.to_thread(waits.forget, waiting.key, waiting.token)


async def _forget_unless_awaited(client: Client, waits: HookWaits, waiting: WaitingHook) -> None:
    """The attempt is gone. Where its run still asks for this hook, the next attempt takes over what is known."""
    try:
        run = await client.get_workflow_handle(waiting.run, run_id=waiting.execution or None).describe()
        # The server goes on listing what a run that has ended had called.
        going_on = run.status is WorkflowExecutionStatus.RUNNING
        pending = {one.activity_id for one in run.raw_description.pending_activities} if going_on else set()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            return
        pending = set()
    if waiting.activity not in pending:
        await asyncio.to_thread(waits.forget, waiting.key, waiting.token)
        _log.info("hook_forgotten", extra={"run_key": waiting.run})


def _handle(client: Client, waiting: WaitingHook) -> AsyncActivityHandle:
    return handle_of(client, waiting.token, waiting.run, waiting.activity)
