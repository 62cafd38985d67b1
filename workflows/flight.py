"""What is on its way: effects in their order, rows one batch at a time. Nothing here is waited for by the loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from onboarding import limits
from onboarding.engine import rules
from onboarding.engine.effects import DeliverNotice, Effect, RunHook, WriteRecords
from onboarding.engine.events import Event, HookFailed, HookSucceeded, NoticeFailed
from onboarding.engine.plan import Plan
from onboarding.ports import INCOMPLETE, STALE
from workflows import performing
from workflows.clock import now

TOO_LARGE = ("arguments_too_large", "The facts of this run are more than one call may carry.")
"""Code and sentence."""


class Flight:
    """The effects of a run between being asked for and being done. What comes back, comes back as an event."""

    def __init__(
        self,
        plan: Plan,
        report: Callable[[Event | None], None],
        fail: Callable[[BaseException], None],
        whole: Callable[[], WriteRecords],
        heard: Callable[[], None],
        wanted: Callable[[str], bool],
        *,
        written: str,
    ) -> None:
        """`report` hears of everything that has landed, `fail` of a bug of ours; `whole` is all that stands now.

        `heard` is called where an answer from outside comes in, before anything is made of it. `wanted` says of the key of a hook whether
        it goes on after the end of the run. `written` is the batch that an earlier execution of this run wrote last.
        """
        self._plan = plan
        self._tells_why = plan.order.rules_version >= rules.TELLS_WHY_A_HOOK_FAILED
        self._report = report
        self._fail = fail
        self._whole = whole
        self._heard = heard
        self._wanted_after_the_end = wanted
        self.written = written
        self._queue: list[DeliverNotice | RunHook] = []
        self._hooks: dict[str, workflow.ActivityHandle[dict[str, Any]]] = {}
        self._called_back: dict[str, None] = {}
        self._notices: dict[str, workflow.ActivityHandle[None]] = {}
        self._rows: list[WriteRecords] = []
        self._writing = False
        self._wanted = False
        self._written_here = 0

    def add(self, effects: Iterable[Effect]) -> None:
        """Queues what one decision asks for."""
        own, rows = performing.sort(effects)
        self._queue += own
        self._rows = performing.gather(self._rows, rows)

    def bring_all(self) -> None:
        """The next batch brings the run as it stands, whatever the rows are: they were lost, or are those of an earlier day."""
        self._wanted = True

    @property
    def is_over(self) -> bool:
        """Whether nothing is queued and nothing is on its way."""
        return not (self._queue or self._hooks or self._notices or self._rows or self._writing or self._wanted)

    def start(self, *, closing: bool) -> None:
        """Starts what is queued, in order. `closing` calls hooks back, once, whose answer nobody wants any more."""
        if closing:
            for key, hook in self._hooks.items():
                if key not in self._called_back and not self._wanted_after_the_end(key):
                    self._called_back[key] = None
                    hook.cancel()
        while self._queue and len(self._hooks) + len(self._notices) < limits.EFFECTS_IN_FLIGHT:
            match self._queue.pop(0):
                case RunHook(key=key) as effect if not performing.is_sendable(effect):
                    self._report(HookFailed(at=now(), key=key, code=TOO_LARGE[0], sentence=TOO_LARGE[1]))
                case RunHook(key=key) as effect:
                    self._hooks[key] = performing.start_hook(effect, self._plan)
                    self._spawn(self._await_hook(key))
                case DeliverNotice(notice=notice):
                    self._notices[notice.key] = performing.start_notice(notice, self._plan)
                    self._spawn(self._await_notice(notice.key))
        if self._wanted and not self._writing:
            self._wanted, self._writing = False, True
            whole, *more = self._all()
            self._rows = [*more, *self._rows]
            batch = performing.sealed(whole, self.written)
            self._spawn(self._write(batch, self._start_later(batch)))
        if self._rows and not self._writing:
            self._writing = True
            batch = performing.sealed(self._rows.pop(0), self.written)
            self._written_here += 1
            self._spawn(self._write(batch, performing.start_rows(batch, self._plan, number=self._written_here)))

    def _start_later(self, batch: WriteRecords) -> workflow.ActivityHandle[str]:
        return performing.start_rows(batch, self._plan, number=None)

    async def _await_hook(self, key: str) -> None:
        event: Event
        try:
            result = await self._hooks[key]
            event = HookSucceeded(at=now(), key=key, result=result)
        except FailureError as error:
            code, sentence = performing.why_failed(error, told=self._tells_why)
            event = HookFailed(at=now(), key=key, code=code, sentence=sentence)
        del self._hooks[key]
        self._heard()
        self._report(event)

    async def _await_notice(self, key: str) -> None:
        event: Event | None = None
        try:
            await self._notices[key]
        except FailureError as error:
            if not is_cancelled_exception(error):
                event = NoticeFailed(at=now(), key=key, code=performing.why_failed(error)[0])
        del self._notices[key]
        self._heard()
        self._report(event)

    async def _write(self, batch: WriteRecords, handle: workflow.ActivityHandle[str]) -> None:
        """One batch at a time, so that rows arrive in their order; what gathers meanwhile is the next batch."""
        about = {"run_key": batch.run.run}
        try:
            answer = await self._result(batch, handle)
            if answer in (INCOMPLETE, STALE):
                # A turn that never became history has left rows, or the rows are of another day.
                workflow.logger.warning("rows_replaced", extra={**about, "code": answer})
                whole, *more = self._all(batch)
                self._rows = [*more, *self._rows]
                batch = performing.sealed(whole, self.written)
                answer = await self._start_later(batch)
            if answer not in (INCOMPLETE, STALE):
                self.written = answer
            else:
                workflow.logger.error("rows_refused", extra={**about, "code": answer})
        except FailureError as error:
            # The store says that no repetition helps. The run must not pay for that; whoever operates it must look.
            workflow.logger.error("rows_refused", extra={**about, "code": performing.why_failed(error)[0]})
        self._writing = False
        self._report(None)

    async def _result(self, batch: WriteRecords, handle: workflow.ActivityHandle[str]) -> str:
        try:
            return await handle
        except FailureError:
            workflow.logger.warning("rows_delayed", extra={"run_key": batch.run.run})
            return await self._start_later(batch)

    def _all(self, *batches: WriteRecords) -> list[WriteRecords]:
        """Everything as it stands now, what waits to be written among it: a whole batch, and what it has no room for."""
        waiting, self._rows = [*batches, *self._rows], []
        return performing.completed(self._whole(), waiting)

    def _spawn(self, awaiting: Coroutine[Any, Any, None]) -> None:
        asyncio.create_task(awaiting).add_done_callback(self._surface)  # the SDK keeps every task of a run

    def _surface(self, task: asyncio.Task[None]) -> None:
        """A bug in a task of its own would vanish; raised by the loop it suspends the run until it is fixed."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)
