"""What a run does by itself: it hears, lets time pass, performs, and goes on as new; one loop, and nothing that waits beside it.

The messages and reads that it offers are in `onboarding_run.py`.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from onboarding import limits, messages
from onboarding.clear import Clear
from onboarding.crash_points import reached
from onboarding.engine import rules
from onboarding.engine.calling import is_wanted_after_the_end
from onboarding.engine.effects import Decision
from onboarding.engine.events import ClockAdvanced, Event, MessageReceived, MessageUnreadable
from onboarding.engine.machine import alarm_at, apply, start
from onboarding.engine.order_text import read_order
from onboarding.engine.plan import Plan
from onboarding.engine.records import whole
from onboarding.engine.state import RunState, RunStatus
from onboarding.errors import StartRefused
from onboarding.messages import Refusal
from onboarding.reading.cover import cover
from workflows import faults, showing, starting
from workflows.arguments import as_message, has_key_twice, is_locked, no_cancellation, read
from workflows.backlog import PAUSE, Backlog
from workflows.carrying import carried
from workflows.clock import Alarm, keep_instant, now, now_for_reading
from workflows.faults import OrderUndecodable, suspending
from workflows.flight import Flight


class Behaviour:
    """A run without its doors."""

    def __init__(self, order: RawValue) -> None:
        """Reads the order, and takes the first decision or what an earlier execution has carried on."""
        self._dirty = True
        self._heard = 0
        self._alarm = Alarm(self._ring)
        self._too_large_until = 0
        self._bug: BaseException | None = None
        self._cancelled = False
        self._shown: RunState | None = None
        self._looked_at: RunState | None = None
        self._instant: datetime | None = None
        self._rang = self._pauses = False
        self._refusal: StartRefused | None = None
        asked = read(order, limits.CARRIED_BYTES)
        if is_locked(asked):
            raise OrderUndecodable(workflow.info().workflow_id)
        try:
            self._order = read_order(asked)
            starting.judge(self._order)
        except StartRefused as refusal:
            self._refusal = refusal  # told by `run`: raised here it would block the run instead of ending it
            return
        self._plan = Plan(self._order)
        self._backlog = Backlog(in_parts=self._follows(rules.IN_PARTS))
        self._flight = Flight(
            self._plan, self._land, self._break, lambda: whole(self._plan, self._state), self._keep_instant,
            lambda key: is_wanted_after_the_end(self._plan, self._state, key), written=self._order.rows_after,
        )  # fmt: skip
        if self._order.snapshot is None:
            with suspending(self._order.run, "start"):
                self._take(start(self._plan, now()))
        else:
            self._state = self._order.snapshot
            reached("wf.after_can")

    # What is heard.

    def _apply_signal(self, name: str, args: Sequence[RawValue], fallback_id: str) -> None:
        once = self._follows(rules.IN_PARTS) and has_key_twice(args)
        self._hear(self._decide(name, args, "signal", fallback_id, once=once))

    def _hear(self, decision: Decision) -> None:
        self._heard += 1
        self._wake()
        self._take(decision)

    def _decide(
        self, name: str, args: Sequence[RawValue], via: Literal["update", "signal"], fallback_id: str, *, once: bool
    ) -> Decision:
        if self._refusal is not None:
            starting.refuse(self._refusal)
        with suspending(self._order.run, name if name in messages.BY_NAME else "unknown"):
            heard = as_message(name, args, via=via, fallback_id=fallback_id, once=once)
        if isinstance(heard, Refusal):
            return self._apply(MessageUnreadable(at=now(), refusal=heard))
        return self._apply(MessageReceived(at=now(), received=heard))

    def _apply(self, event: Event) -> Decision:
        with suspending(self._order.run, type(event).__name__):
            reached("wf.before_apply")
            decision = apply(self._plan, self._state, event)
            reached("wf.after_apply")
        return decision

    # The loop.

    async def _live(self) -> dict[str, Any]:
        """Carries the run to its end and tells how it ended."""
        if self._refusal is not None:
            starting.refuse(self._refusal)
        if rules.unknown(self._order.rules_version):
            faults.wait_for_a_later_release(self._order.run, self._order.rules_version)
        self._keep_instant()
        size_at_start = workflow.info().get_current_history_size()
        while True:
            await self._something()
            self._hear_next_part()
            self._dirty = False
            if not self._backlog:
                self._pass_time()
            closed = self._state.status is RunStatus.CLOSED
            self._flight.start(closing=closed)
            self._show()
            self._alarm.set(self._next_instant())
            if self._backlog or not (self._flight.is_over and workflow.all_handlers_finished()):
                continue
            if closed:
                return showing.result(self._plan, self._state)
            if self._is_long(size_at_start):
                self._go_on_as_new()

    def _pass_time(self) -> None:
        # Once, and after every message of this workflow task: what is read before its deadline was acted on is in time.
        at, due = now(), self._next_instant()
        if due is None or due > max(at, self._state.at):
            return
        decision = self._apply(ClockAdvanced(at=at, most=limits.INSTANTS_PER_TURN))
        left = alarm_at(decision.state)
        if left is not None and left <= at and not self._follows(rules.IN_PARTS):
            decision = self._apply(ClockAdvanced(at=at))
        self._take(decision)

    def _next_instant(self) -> datetime | None:
        # Once for each state: every task looks at the clock several times, and it means a look at every item.
        if self._looked_at is not self._state:
            self._looked_at, self._instant = self._state, alarm_at(self._state)
        return self._instant

    def _hear_next_part(self) -> None:
        if self._pauses:
            return  # rows that have landed are no new workflow task
        for signal in self._backlog.next_part():
            self._apply_signal(*signal)
        if self._backlog:
            self._pauses = True
            self._later = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        await workflow.sleep(PAUSE, summary=Clear("More signals wait"))
        self._pauses = False
        self._keep_instant()
        self._wake()

    async def _something(self) -> None:
        """Waits until something has happened."""
        try:
            await workflow.wait_condition(lambda: self._dirty)
        except asyncio.CancelledError:
            if self._cancelled or workflow.cancellation_reason() is None:
                raise
            self._cancelled = True
            self._keep_instant()
            refusal = no_cancellation(str(workflow.uuid4()))
            self._hear(self._apply(MessageUnreadable(at=now(), refusal=refusal)))
        self._dirty = False
        if self._bug is not None:
            with suspending(self._order.run, "task"):
                raise self._bug
        if self._rang:
            reached("wf.at_timer")

    def _show(self) -> None:
        if self._rang or self._shown is not self._state:
            showing.show(self._plan, self._state, rang=self._rang)
            self._shown, self._rang = self._state, False

    def cover_sheet(self) -> str:
        """What a manager reads of the run in the Temporal UI, as of now, as Markdown; nothing of a run that could not begin."""
        return "" if self._refusal is not None else cover(self._plan, self._state, now_for_reading())

    def _take(self, decision: Decision) -> None:
        self._state = decision.state
        self._flight.add(decision.effects)

    def _land(self, event: Event | None) -> None:
        if event is not None:
            self._take(self._apply(event))
        self._wake()

    def _follows(self, rule: int) -> bool:
        return self._order.rules_version >= rule

    def _keep_instant(self) -> None:
        if self._follows(rules.KEEPS_INSTANTS):
            keep_instant()

    def _wake(self) -> None:
        self._dirty = True

    def _ring(self) -> None:
        self._keep_instant()
        self._rang = True
        self._wake()

    def _break(self, bug: BaseException) -> None:
        self._bug = bug
        self._wake()

    def _is_long(self, size_at_start: int) -> bool:
        info = workflow.info()
        events = info.get_current_history_length()
        return events >= self._too_large_until and (
            info.is_continue_as_new_suggested()
            or events >= self._most_events()
            or info.get_current_history_size() - size_at_start >= limits.HISTORY_BYTES
            or self._heard >= limits.MESSAGES_PER_RUN
        )

    def _most_events(self) -> int:
        return limits.EVENTS_PER_RUN if self._follows(rules.SHORT_EXECUTIONS) else limits.EVENTS_PER_FIRST_RUN

    def _go_on_as_new(self) -> None:
        reached("wf.before_can")
        order = carried(self._order, self._state, self._flight.written)
        if order is None:
            # The server, or the next execution, would end the run. A long history is slow and works for ten thousand events more.
            self._too_large_until = workflow.info().get_current_history_length() + self._most_events()
            return
        workflow.continue_as_new(RawValue(Payload(metadata={"encoding": b"json/plain"}, data=order)))
