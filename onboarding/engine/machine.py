"""The machine of a run: events in, a decision out. This file owns every transition; its rules, in their order:

1.  A message id that was seen before gets its first answer again, and nothing happens.
2.  A closed run changes no more, but that the work of its hooks is taken back where its definition says so (`undoing.py`).
3.  A message is refused in the order of the contract: names, kind, entitlement, closed stage, decided item, content.
4.  A refused update leaves no trace; a refused signal stands in the list of refused messages and changes nothing else.
5.  What follows from a change follows at once: items open, stages are entered and left, the run ends (`flow.settle`).
6.  The clock is advanced after the messages of the same moment: the tie goes to the sender.
7.  Every instant of the run is booked to one side (`booking.book`).

8.  A fault of this program is no answer: it is raised, and the shell decides (docs/decisions/0006-a-fault-of-ours.md).

`start`, `apply` and `alarm_at` are all the shell needs. No event makes `apply` raise; what does is a fault of ours.
The moves are in `submitting.py`, `deciding.py` and `moves.py` (items), `hooks_back.py` (what activities answer), `steering.py`,
`recalendaring.py` and `waiving.py` (people who steer a run) and `clockwork.py` (what the clock does).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from onboarding import limits
from onboarding.engine import (
    absences,
    answers,
    assigning,
    booking,
    calling,
    clockwork,
    deciding,
    flow,
    fullness,
    going_live,
    handoffs,
    health,
    hooks_back,
    moves,
    new_dates,
    promises,
    recalendaring,
    records,
    silence,
    steering,
    submitting,
    undelivered,
    undoing,
    waiving,
)
from onboarding.engine.copies import replace
from onboarding.engine.effects import Decision, DeliverNotice, Effect, RunHook
from onboarding.engine.emitting import Happened
from onboarding.engine.events import (
    ClockAdvanced,
    Event,
    HookFailed,
    HookSucceeded,
    MessageReceived,
    MessageUnreadable,
    NoticeFailed,
)
from onboarding.engine.moves import Told
from onboarding.engine.notices import PROMPTS, ask_for_opened, not_taken
from onboarding.engine.people import Person, acting, who_is
from onboarding.engine.plan import Plan
from onboarding.engine.refusing import Refuse
from onboarding.engine.state import (
    HeldMessage,
    ItemState,
    Remembered,
    RunState,
    RunStatus,
    StageState,
)
from onboarding.engine.turn import Turn, clean
from onboarding.messages import (
    UNVERIFIED,
    Message,
    NextItem,
    Note,
    OutcomeWord,
    Received,
    Refusal,
    Verdict,
    canonical_json,
    spoken,
)
from onboarding.parsing import parse

alarm_at = clockwork.alarm_at

MOVES: dict[str, Callable[[Turn, Any, Person], Told]] = {
    "submit": submitting.submit,
    "decide": deciding.decide,
    "complete": moves.complete,
    "happen": moves.happen,
    "hold": steering.hold,
    "resume": steering.resume,
    "extend": steering.extend,
    "set_calendar": recalendaring.set_calendar,
    "reassign": assigning.reassign,
    "absence": absences.absence,
    "waive": waiving.waive,
    "reopen": steering.reopen,
    "promise": steering.promise,
    "note": steering.note,
    "cancel": steering.cancel,
}
"""Message name to move."""

TRANSITIONS: tuple[tuple[str, str, str, str], ...] = (
    ("not_ready", "stage open, needs met, `when` true", "open", "ask, or RunHook"),
    ("not_ready", "`when` false", "skipped", ""),
    ("not_ready", "submit, complete or happen comes early", "not_ready", "kept, applied on opening"),
    ("open, returned", "submit, content fits (request)", "answered", "receipt, RunHook for each check, retraction"),
    ("answered", "no blocking check open, no review", "done", "facts known"),
    ("answered", "no blocking check open, review", "in_review", "ask to the reviewer"),
    ("answered", "a blocking check fails", "returned", "ask again with the faults, round + 1"),
    ("answered, in_review", "submit again", "answered", "receipt, checks anew"),
    ("in_review", "decide: accept", "done", "facts known"),
    ("in_review", "decide: return", "returned", "ask again, round + 1"),
    ("open", "decide, passing outcome has its quorum (approval)", "done", "retraction"),
    ("open", "decide, outcome sends items back (approval)", "not_ready", "named items returned, round + 1"),
    ("open", "complete, facts given (task)", "done", "facts known, retraction"),
    ("open", "happen (event, request with an event)", "done", "retraction"),
    ("open", "hook succeeds", "done", "facts known"),
    ("open", "hook fails", "open, skipped, cancelled", "what `on_failure` says; by default a person's job"),
    (
        "open, returned",
        "clock passes a reminder or ladder step",
        "open, returned",
        "DeliverNotice; reassign, hold, fail or skip",
    ),
    (
        "open, returned",
        "clock passes due",
        "open, returned, done, skipped",
        "overdue; what `on_timeout` says; `escalate`: the ladder goes on, or the stage owner is told",
    ),
    (
        "open, returned, in_review",
        "clock passes `assign_after` of its group",
        "open, returned, in_review",
        "a member has it in turn; handover to them, retraction to the others",
    ),
    ("not_ready, open, returned", "waive", "waived", "debt"),
    ("answered, in_review", "waive", "answered, in_review", "debt, paid when the answer is accepted"),
    ("waived", "submit, complete or happen", "answered, done", "the debt is paid once it is done"),
    ("done, skipped", "late work after a time-out outcome", "answered, done", "facts known; nobody waits for it"),
    (
        "done, waived, cancelled, skipped",
        "reopen (what a condition left out stays so)",
        "open",
        "round + 1; what depended on it is not_ready again",
    ),
    ("not_ready, open, returned", "its stage is left", "cancelled, waived", "unsent notices withdrawn; owed is waived"),
    ("not_ready, open, answered, in_review, returned", "the run closes", "cancelled", "unsent notices withdrawn"),
)
"""From, event, to, effects: the table the documentation is drawn from."""


def start(plan: Plan, at: datetime) -> Decision:
    """The first decision of a run: stages without needs open."""
    definition = plan.definition
    empty = RunState(run=plan.order.run, customer=plan.order.customer, started_at=at, at=at)
    turn = Turn(plan, empty, at)
    turn.set(
        items={item.id: ItemState(id=item.id) for item in definition.items},
        stages={stage.id: StageState(id=stage.id) for stage in definition.stages},
        holders=dict(plan.order.people),
        booked={str(side): 0 for side in booking.SIDES},
    )
    turn.happen(Happened("run.started", "", {}))
    going_live.first(turn)
    turn.record("start", actor=plan.order.started_by, code="started", sentence=f"{definition.title} begins")
    silence.begin(turn)
    flow.settle(turn, _apply_held)
    return _decide(turn, None)


def apply(plan: Plan, state: RunState, event: Event) -> Decision:
    """What a run becomes and asks for when `event` happens to it. What it raises is a fault of ours, and nothing has changed."""
    match event:
        case MessageReceived():
            return _message(plan, state, event.received, event.at)
        case MessageUnreadable():
            return _unreadable(plan, state, event.refusal, event.at)
    if state.status is RunStatus.CLOSED:
        return _undone(plan, state, event)
    turn = Turn(plan, state, event.at)
    match event:
        case ClockAdvanced():
            clockwork.advance(turn, _apply_held, event.most)
        case HookSucceeded():
            hooks_back.hook_answered(turn, event.key, event.result)
        case HookFailed():
            if not hooks_back.hook_failed(turn, event.key, event.code, event.sentence):
                hooks_back.stage_hook_failed(turn, event.key, event.code, event.sentence)
        case NoticeFailed():
            undelivered.undelivered(turn, event.key, event.code)
    if turn.state is state:
        return Decision(state=state)
    flow.settle(turn, _apply_held)
    return _decide(turn, None)


def _undone(plan: Plan, state: RunState, event: Event) -> Decision:
    """Of a run that has ended, all that still happens: its last hooks come back, and the work of those with an `undo` is taken back."""
    turn = Turn(plan, state, event.at)
    match event:
        case HookSucceeded():
            hooks_back.back_after_the_end(turn, event.key, event.result)
            undoing.answered(turn, event.key, event.result)
        case HookFailed():
            undoing.failed(turn, event.key, event.code, event.sentence)
            if calling.is_wanted_after_the_end(plan, state, event.key):
                hooks_back.stage_hook_failed(turn, event.key, event.code, event.sentence)
    return Decision(state=state) if turn.state is state else _decide(turn, None)


def _message(plan: Plan, state: RunState, received: Received, at: datetime) -> Decision:
    message = received.message
    seen = fullness.first_answer(state, message.message_id)
    if seen is not None and seen.digest == received.digest:
        return Decision(state=state, verdict=_repeated(plan, state, message.message_id, seen))
    turn = Turn(plan, state, at)
    try:
        _look_first(state, seen)
        person = who_is(plan, state, message.actor)
        turn.speaker = person.handle
        told = MOVES[received.name](turn, message, person)
        if told.held:
            _keep(turn, received, told)
        outcome = OutcomeWord.HELD if told.held else OutcomeWord.ACCEPTED
        _record(turn, state, received.via, message, person, told, outcome)
        moved = turn.state
        flow.settle(turn, _apply_held)
        fullness.refuse_overfull(turn, received.name, moved)
    except Refuse as no:
        return _refused(plan, state, received, no, at)
    verdict = _verdict(turn, message.message_id, outcome, told)
    _remember(turn, received, verdict, person)
    return _decide(turn, verdict)


def _look_first(state: RunState, seen: Remembered | None) -> None:
    """What is refused before anybody looks at what a message says."""
    if seen is not None:
        said = f"This id was used by {seen.actor!r} on {seen.at:%Y-%m-%d %H:%M} UTC for other content; take a new one."
        raise Refuse(OutcomeWord.CONFLICT, "id_reused", said, item=seen.item)
    if state.status is RunStatus.CLOSED:
        ended = f"on {state.closed_at:%Y-%m-%d %H:%M} UTC" if state.closed_at else ""
        said = f"The run ended {ended} ({state.outcome}); it changes no more."
        raise Refuse(OutcomeWord.CLOSED, "run_finished", said)


def _keep(turn: Turn, received: Received, told: Told) -> None:
    content = received.message.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    kept = sum(len(canonical_json(held.content).encode()) for held in turn.state.held)
    full = len(turn.state.held) >= limits.HELD_MESSAGES
    if full or kept + len(canonical_json(content).encode()) > limits.HELD_BYTES:
        said = "As many early messages as a run keeps are kept already; send it when its item is open."
        raise Refuse(OutcomeWord.TOO_LARGE, "too_many_held", said, item=told.item)
    held = HeldMessage(at=turn.at, item=told.item or "", name=received.name, content=content, via=received.via)
    turn.set(held=(*turn.state.held, held))


def _record(
    turn: Turn, before: RunState, via: str, message: Message, person: Person, told: Told, outcome: OutcomeWord
) -> None:
    # Why somebody did something is what people look for in a trail; a note is nothing else.
    said = getattr(message, "reason", None) or getattr(message, "comment", None)
    sentence = message.text if isinstance(message, Note) else f"{told.sentence} {said}" if said else told.sentence
    behalf = message.on_behalf_of or told.absent
    if told.absent is not None and told.absent != behalf:
        sentence += f" In place of {told.absent}, who is away."
    if behalf is None and outcome is OutcomeWord.ACCEPTED:
        behalf = absences.in_place_of(turn.plan, before, message.name, person.handle, told.item)
    turn.record(
        message.name, actor=person.handle, item=told.item, outcome=outcome, code=told.code, sentence=sentence,
        message_id=message.message_id, on_behalf_of=behalf, channel=message.channel or via,
    )  # fmt: skip


def _remember(turn: Turn, received: Received, verdict: Verdict, person: Person) -> None:
    seen = Remembered(
        digest=received.digest, outcome=verdict.outcome, code=verdict.code, item=verdict.item, status=verdict.status,
        at=turn.at, actor=person.handle,
    )  # fmt: skip
    turn.set(remembered={**turn.state.remembered, fullness.remembered_as(verdict.message_id): seen})


def _apply_held(turn: Turn, held: HeldMessage) -> None:
    """An early message meets its item. It was valid when it came; if it no longer is, it is refused for all to see."""
    received = parse(held.name, held.content, via="signal", fallback_id="held", kept=True)
    if isinstance(received, Refusal):  # this release reads less than the one that kept it
        first = received.faults[0]
        turn.refuse(
            via=held.via,
            name=held.name,
            message_id=received.message_id,
            code=first.code,
            sentence=clean(first.sentence),
            item=held.item,
            faults=received.faults,
        )
        turn.record(
            held.name, actor=str(held.content.get("actor", UNVERIFIED)), item=held.item, outcome=received.outcome,
            code=first.code, sentence=spoken(received.faults), message_id=received.message_id,
        )  # fmt: skip
        return
    message = received.message
    before, effects, opened, withdrawn = turn.state, list(turn.effects), list(turn.opened), list(turn.withdrawn)
    happened = list(turn.happened)
    person = who_is(turn.plan, turn.state, message.actor)
    turn.received_at = held.at
    try:
        told = MOVES[held.name](turn, message, person)
    except Refuse as no:
        turn.state, turn.effects, turn.opened, turn.withdrawn = before, effects, opened, withdrawn
        turn.happened = happened
        told = Told(item=held.item, code=no.code, sentence=no.sentence)
        turn.refuse(
            via=held.via, name=held.name, message_id=message.message_id, code=no.code, sentence=no.sentence, item=held.item, faults=no.faults,
        )  # fmt: skip
        _record(turn, before, held.via, message, person, told, no.outcome)
        not_taken(turn, turn.plan.items[held.item], person.handle, no.sentence, held.at)
        return
    finally:
        turn.received_at = turn.at
    _record(turn, before, held.via, message, person, told, OutcomeWord.ACCEPTED)


def _unreadable(plan: Plan, state: RunState, refusal: Refusal, at: datetime) -> Decision:
    no = Refuse(refusal.outcome, refusal.faults[0].code, spoken(refusal.faults), faults=refusal.faults)
    return _say_no(plan, state, refusal.via, refusal.name, refusal.message_id, no, at)


def _refused(plan: Plan, state: RunState, received: Received, no: Refuse, at: datetime) -> Decision:
    return _say_no(plan, state, received.via, received.name, received.message.message_id, no, at)


def _say_no(plan: Plan, state: RunState, via: str, name: str, message_id: str, no: Refuse, at: datetime) -> Decision:
    item = state.items.get(no.item) if no.item else None
    told = no.faults[: limits.FAULTS_TOLD] if no.outcome is OutcomeWord.REJECTED else ()
    verdict = Verdict(
        outcome=no.outcome, code=no.code, sentence=clean(no.sentence), message_id=message_id, item=no.item,
        status=str(item.status) if item else None, received_at=at, next=_next(plan, state), answer=_answer(plan, state, no.item),
        faults=tuple(replace(fault, sentence=clean(fault.sentence)) for fault in told),
    )  # fmt: skip
    if via == "update" or state.status is RunStatus.CLOSED:
        return Decision(state=state, verdict=_fitting(verdict))
    turn = Turn(plan, state, at)
    turn.refuse(
        via=via, name=name, message_id=message_id, code=no.code, sentence=verdict.sentence, item=verdict.item, faults=no.faults,
    )  # fmt: skip
    return _decide(turn, _fitting(verdict))


def _fitting(verdict: Verdict) -> Verdict:
    """A verdict with as many faults as one may hold; the first ones say enough."""
    size = 0
    for n, fault in enumerate(verdict.faults):
        size += len((fault.place + fault.code + fault.sentence).encode()) + 60
        if size > limits.VERDICT_BYTES // 2:
            return replace(verdict, faults=verdict.faults[:n])
    return verdict


def _repeated(plan: Plan, state: RunState, message_id: str, seen: Remembered) -> Verdict:
    first = "kept for its item" if seen.outcome == OutcomeWord.HELD else "accepted"
    return Verdict(
        outcome=OutcomeWord.DUPLICATE, code=seen.code, sentence=f"This message was {first} before; nothing more happened.",
        message_id=message_id, item=seen.item, status=seen.status, received_at=seen.at, next=_next(plan, state), answer=_answer(plan, state, seen.item),
    )  # fmt: skip


def _verdict(turn: Turn, message_id: str, outcome: OutcomeWord, told: Told) -> Verdict:
    item = turn.state.items.get(told.item) if told.item else None
    return Verdict(
        outcome=outcome, code=told.code, sentence=clean(told.sentence), message_id=message_id, item=told.item,
        status=str(item.status) if item else None, received_at=turn.at, next=_next(turn.plan, turn.state),
        answer=_answer(turn.plan, turn.state, told.item),
    )  # fmt: skip


def _answer(plan: Plan, state: RunState, name: str | None) -> str | None:
    item = plan.items.get(name) if name else None
    return answers.present(plan, state, item) if item is not None else None


def _next(plan: Plan, state: RunState) -> tuple[NextItem, ...]:
    """The open items, soonest due first; a verdict stays small however many there are."""
    if state.status is RunStatus.CLOSED:
        return ()
    active = [item for item in state.items.values() if item.status in flow.ACTIVE]
    active.sort(key=lambda item: (item.due_at is None, item.due_at or state.at, plan.place[item.id]))
    return tuple(
        NextItem(
            item=item.id, title=plan.items[item.id].title[:200], who=acting(plan, state, plan.items[item.id])[0], due=item.due_at
        )
        for item in active[: limits.NEXT_TOLD]
    )  # fmt: skip


def _decide(turn: Turn, verdict: Verdict | None) -> Decision:
    going_live.learned(turn)
    new_dates.tell(turn)
    answers.look_again(turn)
    ask_for_opened(turn)
    handoffs.follow(turn)
    if turn.state.status is RunStatus.CLOSED:
        turn.effects = [effect for effect in turn.effects if not _is_idle(effect)]
    health.tell(turn)
    booked = booking.book(turn)
    turn.finish()
    written = records.rows(turn, booked)
    turn.carry()
    promises.carry(turn)
    return Decision(state=turn.state, effects=(*turn.effects, written), verdict=verdict)


def _is_idle(effect: Effect) -> bool:
    """What nobody needs of a run that ends in this turn: asks, reminders, and hooks of its items."""
    if isinstance(effect, DeliverNotice):
        return effect.notice.kind in PROMPTS
    return isinstance(effect, RunHook) and effect.item is not None
