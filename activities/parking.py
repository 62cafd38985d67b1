"""Serves the calls that are parked in their lanes: says that they live, makes each when its turn comes, and brings its answer home."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final

from temporalio.client import AsyncActivityCancelledError, AsyncActivityHandle, Client
from temporalio.converter import ActivitySerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.lanes import Lanes, Parked

LOOK: Final = 0.2
"""Seconds between two looks at the lanes."""
TRIES: Final = 5
"""How often an answer is brought to a server that cannot be reached. After that the attempt is lost, and the hook is called again."""


def handle_of(client: Client, token: bytes, run: str, activity: str) -> AsyncActivityHandle:
    """The attempt, with what it takes to encrypt for its run."""
    about = ActivitySerializationContext(
        namespace=client.namespace, activity_id=activity, activity_type="run_hook", activity_task_queue=None,
        workflow_id=run, workflow_type=None, is_local=False,
    )  # fmt: skip
    return client.get_async_activity_handle(task_token=token).with_context(about)


class Attendant:
    """Runs beside a worker, on its loop."""

    def __init__(
        self, client: Client, lanes: Lanes, call: Callable[[Parked], dict[str, Any] | None], threads: Executor
    ) -> None:
        """`call` makes one call in a thread; `None` from it says that the answer comes later."""
        self._client = client
        self._lanes = lanes
        self._call = call
        self._threads = threads
        self._serving: dict[bytes, Parked] = {}
        self._beaten: dict[bytes, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._drains = False

    async def run(self) -> None:
        """Serves until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            for parked in () if self._drains else self._lanes.ready():
                self._serving[parked.token] = parked
                call = self._spawn(self._serve(parked))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
            self._beat()

    async def drain(self, seconds: float) -> None:
        """Makes no more calls, and waits for those that are being made, as the worker does for calls that were not parked."""
        self._drains = True
        if self._calls:
            await asyncio.wait(self._calls, timeout=seconds)

    async def _serve(self, parked: Parked) -> None:
        loop = asyncio.get_running_loop()
        handle = handle_of(self._client, parked.token, parked.run, parked.activity)
        try:
            answer = await loop.run_in_executor(self._threads, self._call, parked)
            if answer is not None:
                await _brought(lambda: handle.complete(answer))
        except ApplicationError as error:
            failed = error
            await _brought(lambda: handle.fail(failed))
        finally:
            self._lanes.leave(parked.effect.activity)
            self._serving.pop(parked.token, None)

    def _beat(self) -> None:
        now = time.monotonic()
        alive = {one.token: one for one in (*self._lanes.waiting(), *self._serving.values())}
        self._beaten = {token: at for token, at in self._beaten.items() if token in alive}
        for token, parked in alive.items():
            if now - self._beaten.get(token, float("-inf")) >= parked.heartbeat / 3:
                self._beaten[token] = now
                self._spawn(self._say_alive(parked))

    async def _say_alive(self, parked: Parked) -> None:
        handle = handle_of(self._client, parked.token, parked.run, parked.activity)
        try:
            await handle.heartbeat()
        except AsyncActivityCancelledError:
            self._lanes.drop(parked.token)
            if parked.token not in self._serving:
                with suppress(RPCError):
                    await handle.report_cancellation()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                self._lanes.drop(parked.token)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _brought(send: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Whether anybody still waits for it is the server's business: an answer that nobody wants is no fault."""
    for attempt in range(TRIES):
        try:
            await send()
            return
        except AsyncActivityCancelledError:
            return
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return
            await asyncio.sleep(min(2.0**attempt, 10.0))
