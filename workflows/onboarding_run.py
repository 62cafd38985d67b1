"""The Temporal shell of a run: it carries messages and elapsed time to the machine, and the machine's effects to activities.

No rule of the business is here. Handlers never wait and one loop performs, so nothing needs a lock; arguments are raw, because
a typed one that does not decode would block the run for everybody. Six parts in order: state, reads, writes, validation,
context, behaviour.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from onboarding import limits, messages
from onboarding.clear import Clear
from onboarding.crash_points import reached
from onboarding.engine import rules
from onboarding.engine.effects import Decision
from onboarding.engine.events import ClockAdvanced, Event, MessageReceived, MessageUnreadable
from onboarding.engine.machine import alarm_at, apply, start
from onboarding.engine.orders import read_order, write_order
from onboarding.engine.plan import Plan
from onboarding.engine.records import whole
from onboarding.engine.state import RunState, RunStatus
from onboarding.errors import StartRefused
from onboarding.messages import Refusal, Verdict
from onboarding.reading import views
from workflows import faults, performing, showing, starting
from workflows.arguments import NOTHING, as_message, has_key_twice, is_locked, no_cancellation, read
from workflows.backlog import PAUSE, Backlog, come_again
from workflows.clock import Alarm, keep_instant, now, now_for_reading
from workflows.faults import OrderUndecodable, ProgramFault, suspending
from workflows.flight import Flight

# Note [self]
#   The SDK takes an annotated `self` for an argument and would then decode the payload before we see it.

_Update = workflow.UpdateMethodMultiParam[[Any, RawValue], Verdict]


def _message(kind: type[messages.Message]) -> _Update:
    """The update of one message with its validator: named, so that the Temporal UI lists it and says what it wants."""

    def hear(self, message: RawValue = NOTHING) -> Verdict:  # type: ignore[no-untyped-def]  # see Note [self]
        verdict: Verdict = self._accept(kind.name, [message])
        return verdict

    def ask(self, message: RawValue = NOTHING) -> None:  # type: ignore[no-untyped-def]  # see Note [self]
        self.judge(kind.name, [message])

    fields = ", ".join(name if field.is_required() else f"[{name}]" for name, field in kind.model_fields.items())
    handler = workflow.update(name=kind.name, description=f"{kind.__doc__} One JSON object: {fields}.")(hear)
    handler.validator(ask)
    return handler


_Known = tuple[Plan, RunState, datetime]


def _read(
    name: str, description: str, answer: Callable[[_Known, Any], dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """The query of one read. Its argument is raw, too: whatever is asked, there is an answer."""

    def tell(self, of: RawValue = NOTHING) -> dict[str, Any]:  # type: ignore[no-untyped-def]  # see Note [self]
        if self._refusal is not None:
            return {"state": "failed", "code": self._refusal.faults[0].code}
        asked = read(of)
        return answer(
            (self._plan, self._state, now_for_reading()), asked.get("cursor") if isinstance(asked, dict) else asked
        )

    query: Callable[..., dict[str, Any]] = workflow.query(name=name, description=description)(tell)
    return query


@workflow.defn(name="OnboardingRun")
class OnboardingRun:
    """One customer going through one definition."""

    @workflow.init
    def __init__(self, order: RawValue = NOTHING) -> None:
        self._dirty = True
        self._heard = 0
        self._alarm = Alarm(self._ring)
        self._too_large_until = 0
        self._bug: BaseException | None = None
        self._cancelled = False
        self._shown: RunState | None = None
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
            written=self._order.rows_after,
        )  # fmt: skip
        if self._order.snapshot is None:
            with suspending(self._order.run, "start"):
                self._take(start(self._plan, now()))
        else:
            self._state = self._order.snapshot
            reached("wf.after_can")

    # Reads.

    status = _read(
        "status", "Where the run is: stages, items, dates, who it waits for.", lambda run, _: views.status(*run)
    )
    open_items = _read(
        "open_items",
        "What is open, with whom, since when. Argument: {cursor}.",
        lambda run, of: views.open_items(*run, of),
    )
    why = _read(
        "why",
        "Why an item is as it is and who has it. Argument: the item.",
        lambda run, of: views.why(run[0], run[1], of, run[2]),
    )
    gate = _read("gate", "What keeps a stage. Argument: the stage.", lambda run, of: views.gate(run[0], run[1], of))
    ledger = _read(
        "ledger", "Whose the time was, and the numbers. Argument: {cursor}.", lambda run, of: views.ledger(*run, of)
    )
    trail = _read(
        "trail", "Who did what, chained. Argument: {cursor}.", lambda run, of: views.trail(run[0], run[1], of)
    )
    promises = _read(
        "promises",
        "What the customer was told by when, and whether it was kept. Argument: {cursor}.",
        lambda run, of: views.promises(*run, of),
    )
    customer_view = _read(
        "customer_view", "What the customer may see, and nothing else.", lambda run, _: views.customer_view(*run)
    )
    refused = _read(
        "refused",
        "Signals that changed nothing, and why. Argument: {cursor}.",
        lambda run, of: views.refused(run[0], run[1], of),
    )

    @workflow.query(description="Everything that the run still carries, as its rows: for a database that was restored.")
    def rows(self, _: RawValue = NOTHING) -> dict[str, Any]:
        """Also of a run that has ended, whose rows nobody else can bring."""
        if self._refusal is not None:
            return {"state": "failed", "code": self._refusal.faults[0].code}
        return performing.as_json(performing.sealed(whole(self._plan, self._state), ""))

    # Writes: what is said to the run is applied at once; what it causes is left to the loop.

    submit = _message(messages.Submit)
    decide = _message(messages.Decide)
    complete = _message(messages.Complete)
    happen = _message(messages.Happen)
    hold = _message(messages.Hold)
    resume = _message(messages.Resume)
    extend = _message(messages.Extend)
    set_calendar = _message(messages.SetCalendar)
    reassign = _message(messages.Reassign)
    absence = _message(messages.Absence)
    waive = _message(messages.Waive)
    reopen = _message(messages.Reopen)
    promise = _message(messages.Promise)
    note = _message(messages.Note)
    cancel = _message(messages.Cancel)

    @workflow.update(
        description="Brings all rows of the run anew, for a database that was restored. Says and changes nothing."
    )
    def write_rows(self, _: RawValue = NOTHING) -> dict[str, Any]:
        """No message: nothing is judged and nothing recorded, so no trail tells of it."""
        self._heard += 1
        self._flight.bring_all()
        self._wake()
        return {"outcome": "accepted", "code": "rows_coming"}

    @workflow.update(dynamic=True, description="Any other name: the refusal tells the nearest one that exists.")
    def other_update(self, name: str, args: Sequence[RawValue]) -> Verdict:
        """An update that has no name of ours."""
        return self._accept(name, args)

    @workflow.signal(
        dynamic=True, description="Each message as a signal: its verdict stands in the trail or among the refused."
    )
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """A message whose sender does not wait. Whatever it holds, the run goes on."""
        if self._refusal is None:
            self._keep_instant()
            signal = (name, args, str(workflow.uuid4()))
            if not self._backlog.keeps(signal):
                self._apply_signal(*signal)

    def _apply_signal(self, name: str, args: Sequence[RawValue], fallback_id: str) -> None:
        once = self._follows(rules.IN_PARTS) and has_key_twice(args)
        self._hear(self._decide(name, args, "signal", fallback_id, once=once))

    def _accept(self, name: str, args: Sequence[RawValue]) -> Verdict:
        # Judged before, and by an earlier release perhaps more mildly.
        decision = self._decide(name, args, "update", self._update_id(), once=False)
        verdict = _unless_refused(decision)
        self._hear(decision)
        return verdict

    def _hear(self, decision: Decision) -> None:
        self._heard += 1
        self._wake()
        self._take(decision)

    # Validation: the same question to the machine, with the answer thrown away.

    @other_update.validator
    def judge(self, name: str, args: Sequence[RawValue]) -> None:
        """Raises the refusal of an update that would be refused; nothing of it is kept."""
        if self._refusal is None and self._backlog.is_long:
            raise _refused(come_again(self._update_id()))
        try:
            decision = self._decide(name, args, "update", self._update_id(), once=True)
        except ProgramFault:
            raise _refused(faults.answer(self._update_id())) from None
        _unless_refused(decision)

    @write_rows.validator
    def may_write_rows(self, _: RawValue = NOTHING) -> None:
        """A run that could not begin has no rows."""
        if self._refusal is not None:
            starting.refuse(self._refusal)

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

    # Context: what the machine never asks for.

    @staticmethod
    def _update_id() -> str:
        update = workflow.current_update_info()
        assert update is not None, "asked inside an update"
        return update.id

    # Behaviour.

    @workflow.run
    async def run(self, order: RawValue = NOTHING) -> dict[str, Any]:
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
            self._alarm.set(alarm_at(self._state))
            if self._backlog or not (self._flight.is_over and workflow.all_handlers_finished()):
                continue
            if closed:
                return showing.result(self._plan, self._state)
            if self._is_long(size_at_start):
                self._go_on_as_new()

    def _pass_time(self) -> None:
        # Once, and after every message of this workflow task: what is read before its deadline was acted on is in time.
        at = now()
        decision = self._apply(ClockAdvanced(at=at, most=limits.INSTANTS_PER_TURN))
        left = alarm_at(decision.state)
        if left is not None and left <= at and not self._follows(rules.IN_PARTS):
            decision = self._apply(ClockAdvanced(at=at))
        self._take(decision)

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
            showing.show(self._plan, self._state, now(), rang=self._rang)
            self._shown, self._rang = self._state, False

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
        order = self._carried()
        if order is None:
            # The server, or the next execution, would end the run. A long history is slow and works for ten thousand events more.
            self._too_large_until = workflow.info().get_current_history_length() + self._most_events()
            return
        workflow.continue_as_new(RawValue(Payload(metadata={"encoding": b"json/plain"}, data=order)))

    def _carried(self) -> bytes | None:
        """The order of the next execution, or `None` if it could not be sent, or not be read there."""
        about = {"run_key": self._order.run}
        try:
            order = write_order(replace(self._order, snapshot=self._state, rows_after=self._flight.written)).encode()
            if len(order) > limits.CARRIED_BYTES:
                workflow.logger.error("state_too_large", extra={**about, "count": len(order)})
                return None
            read_order(order)
        except (StartRefused, ValueError) as trouble:
            faults.logged(self._order.run, "continue_as_new", trouble)
            return None
        return order


def _unless_refused(decision: Decision) -> Verdict:
    verdict = decision.verdict
    assert verdict is not None, "the machine answers every message"
    if verdict.refused:
        raise _refused(verdict)
    return showing.fitting(verdict)


def _refused(verdict: Verdict) -> ApplicationError:
    # The message carries everything: the Temporal command line and UI show nothing else.
    sentence = f"{verdict.code}: {verdict.sentence}"
    return ApplicationError(sentence, showing.fitting(verdict), type="Refused", non_retryable=True)
