"""The Temporal shell of a run: it carries messages and elapsed time to the machine, and the machine's effects to activities.

No rule of the business is here. Handlers never wait and one loop performs, so nothing needs a lock; arguments are raw, because
a typed one that does not decode would block the run for everybody. Five parts in order: state, reads, writes, validation, context;
what a run does by itself is in `behaviour.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from onboarding import messages
from onboarding.engine.effects import Decision
from onboarding.engine.plan import Plan
from onboarding.engine.records import whole
from onboarding.engine.state import RunState
from onboarding.messages import Verdict
from onboarding.reading import views
from workflows import faults, performing, showing, starting
from workflows.arguments import NOTHING, read
from workflows.backlog import come_again
from workflows.behaviour import Behaviour
from workflows.clock import now, now_for_reading
from workflows.faults import ProgramFault

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the machine has answered to an update, as long as nothing else was heard: good for the handler of the same update."""

    asked: tuple[str, datetime]
    """Its id and the instant."""
    state: RunState
    decision: Decision


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
class OnboardingRun(Behaviour):
    """One customer going through one definition."""

    @workflow.init
    def __init__(self, order: RawValue = NOTHING) -> None:
        super().__init__(order)
        self._judged: _Judged | None = None

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

    def _accept(self, name: str, args: Sequence[RawValue]) -> Verdict:
        judged, self._judged = self._judged, None
        if judged is not None and judged.asked == self._asked() and judged.state is self._state:
            decision = judged.decision
        else:  # a replay asks no validator; the one that was asked then was perhaps milder than today's
            decision = self._decide(name, args, "update", self._update_id(), once=False)
        verdict = _unless_refused(decision)
        self._hear(decision)
        return verdict

    # Validation: the same question to the machine. Its answer is kept for the handler, which the SDK calls next.

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
        self._judged = _Judged(asked=self._asked(), state=self._state, decision=decision)

    @write_rows.validator
    def may_write_rows(self, _: RawValue = NOTHING) -> None:
        """A run that could not begin has no rows."""
        if self._refusal is not None:
            starting.refuse(self._refusal)

    # Context: what the machine never asks for.

    def _asked(self) -> tuple[str, datetime]:
        return self._update_id(), now()

    @staticmethod
    def _update_id() -> str:
        update = workflow.current_update_info()
        assert update is not None, "asked inside an update"
        return update.id

    @workflow.run
    async def run(self, order: RawValue = NOTHING) -> dict[str, Any]:
        """Carries the run to its end and tells how it ended."""
        return await self._live()


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
