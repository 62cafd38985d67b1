"""Submit: a customer delivers, checks look at it, a reviewer accepts or returns it."""

import hashlib
from typing import Any

from onboarding.engine import calling, flow, gates, rota, rounds, waits
from onboarding.engine.effects import NoticeKind, RunHook
from onboarding.engine.moves import (
    RIGHT_MESSAGE,
    Told,
    find_item,
    kept,
    progress_sentence,
    refuse_closed,
    together,
    wrong_kind,
)
from onboarding.engine.notices import asked_beside, receipt, say, settled
from onboarding.engine.people import Person, asked_of, item_owner, may_submit, speaks_for, who_is
from onboarding.engine.presence import item_principal
from onboarding.engine.refusing import forbidden, rejected_for
from onboarding.engine.state import Answer, ItemState, ItemStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Side
from onboarding.language.values import SECRET_FIELD, check_fields, check_files, check_secret
from onboarding.messages import MessageFault, Submit, canonical_json

CHECK_ATTEMPTS, CHECK_BACKOFF, CHECK_SECONDS = 8, 2.0, 600
"""How often and how long a check is tried; after that a person looks at the answer."""


def submit(turn: Turn, message: Submit, person: Person) -> Told:
    """A customer delivers. Everything is checked at once; a draft stores parts and is no progress."""
    item = find_item(turn, message.item)
    if item.kind is not ItemKind.REQUEST:
        raise wrong_kind(item, RIGHT_MESSAGE[item.kind])
    if not (item.fields or item.files or item.secret):
        raise wrong_kind(item, f"happen with the event {item.event!r}")
    behalf = who_is(turn.plan, turn.state, message.on_behalf_of) if message.on_behalf_of else None
    if not may_submit(turn.plan, turn.state, item, person, behalf):
        raise forbidden("not_entitled", f"{person.named_as!r} may not submit {item.id!r}.", item=item.id)
    refuse_closed(turn, item, "already_done")
    current = turn.state.items[item.id]
    fields, files, faults = _content(item, current, message)
    if faults:
        raise rejected_for(faults, item.id)
    if current.status is ItemStatus.NOT_READY:
        return kept(item, "your answer")
    if message.draft:
        turn.item(item.id, draft_fields=fields, draft_files=files)
        return Told(
            item=item.id, code="draft_kept", sentence=f"The draft of {item.title} is kept; it is no answer yet."
        )
    digest = hashlib.sha256(
        canonical_json({"fields": fields, "files": list(files)}).encode("utf-8", "surrogatepass")
    ).hexdigest()
    answer = Answer(
        fields=fields, files=files, by=person.handle, on_behalf_of=message.on_behalf_of, at=turn.received_at, digest=digest,
    )  # fmt: skip
    absent = None if person.nobody else speaks_for(turn.plan, turn.state, item, person.handle)
    _answered(
        turn, item, answer, together(person.handle, *([behalf.handle] if behalf else []), *([absent] if absent else []))
    )
    return Told(item=item.id, code="answered", sentence=progress_sentence(turn, item), absent=absent)


def _content(
    item: Item, current: ItemState, message: Submit
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], tuple[MessageFault, ...]]:
    given = {**current.draft_fields, **message.fields}
    files = tuple(reference.model_dump(mode="json") for reference in message.files) or current.draft_files
    asked = ((SECRET_FIELD,) if item.secret else ()) + item.fields
    fields, faults = check_fields(asked, given, partial=message.draft)
    if item.secret and SECRET_FIELD.name in fields:
        faults += check_secret({SECRET_FIELD.name: fields[SECRET_FIELD.name]})
    if item.files is not None and not (message.draft and not files):
        faults += tuple(
            fault for fault in check_files(item.files, files) if not (message.draft and fault.code == "too_few_files")
        )
    elif files and item.files is None:
        faults += (MessageFault(place="/files", code="unknown_field", sentence=f"{item.id!r} takes no files."),)
    return fields, files, faults


def _answered(turn: Turn, item: Item, answer: Answer, actors: tuple[str, ...]) -> None:
    current = turn.state.items[item.id]
    # What was waived or passed may never have been open: it is from the moment somebody answers.
    turn.item(
        item.id, owner=item_principal(turn.plan, turn.state, item), opened_at=current.opened_at or turn.at, closed_at=None,
        status=ItemStatus.ANSWERED, answer=answer, answers=current.answers + 1, answered_at=turn.at, late=current.overdue,
        actors=together(*current.actors, *actors), checks=tuple("pending" for _ in item.checks), faults=(), votes=(), not_made=(),
        draft_fields={}, draft_files=(), assign_at=None, reviewer="", outcome=None,
    )  # fmt: skip
    settled(turn, item, answer.by)
    flow.progress(turn, item.stage, answer.by)
    owner = turn.plan.roles[item.owner]
    if owner.side is Side.CUSTOMER:
        receipt(
            turn,
            item,
            answer.by if answer.by in turn.plan.order.customer_contacts else item_owner(turn.plan, turn.state, item),
        )
    for index, check in enumerate(item.checks):
        named = (
            {name: answer.fields[name] for name in check.with_fields if name in answer.fields}
            if check.with_fields
            else answer.fields
        )
        turn.call(
            RunHook(
                key=check_key(turn, item, index), activity=check.activity, stage=item.stage, item=item.id, title=item.title,
                round=current.round, check=index, attempts=CHECK_ATTEMPTS, backoff=CHECK_BACKOFF, timeout_seconds=CHECK_SECONDS,
                arguments=calling.arguments(turn, item.id, {"fields": named, "files": list(answer.files)}),
            )
        )  # fmt: skip
    after_checks(turn, item)


def check_key(turn: Turn, item: Item, index: int) -> str:
    """The identity of one check of the present answer: every answer is checked anew, the same one again, too."""
    current = turn.state.items[item.id]
    return f"{turn.state.run}/{item.id}/{current.round}/check{index}.{current.answers}"


def after_checks(turn: Turn, item: Item) -> None:
    """Goes on with an answer as soon as no blocking check is open."""
    current = turn.state.items[item.id]
    if current.status is not ItemStatus.ANSWERED:
        return  # an advisory check that came back after the item went on
    words = [word for word, check in zip(current.checks, item.checks, strict=True) if check.blocks]
    if "pending" in words:
        return
    if item.review is not None or "broken" in words:
        _ask_for_review(turn, item)
        return
    take(turn, item)


def _ask_for_review(turn: Turn, item: Item) -> None:
    current = turn.state.items[item.id]
    assert current.answer is not None, "only an answer is reviewed"
    digest = current.answer.digest
    before = current.shown[-1:]
    turn.item(item.id, status=ItemStatus.IN_REVIEW, shown=current.shown if before == (digest,) else (*before, digest))
    rota.review_in_turn(turn, item)
    lines = (*waits.to_review(item, turn.state.items[item.id]), f"The answer is {digest}.")
    for handle in asked_of(turn.plan, turn.state, item):
        notice = say(
            turn, NoticeKind.ASK, handle, "ask", f"Please review: {item.title}", lines, part=f"review.{current.answers}", item=item,
        )  # fmt: skip
        asked_beside(turn, item, notice)


def take(turn: Turn, item: Item) -> None:
    """An answer is good: its values become facts, the item is done."""
    answer = turn.state.items[item.id].answer
    assert answer is not None, "only an answer can be taken"
    flow.finish_item(turn, item, answer.by)
    turn.item(item.id, tacit=False)
    turn.learn(facts_of(item, answer), item.id, answer.by)


def facts_of(item: Item, answer: Answer) -> dict[str, Any]:
    """What becomes known by an answer. A secret's reference is no fact: facts are shown and handed to hooks."""
    return {name: value for name, value in answer.fields.items() if not (item.secret and name == SECRET_FIELD.name)}


def send_back(turn: Turn, item: Item, faults: tuple[MessageFault, ...]) -> None:
    """An answer goes back to whoever gave it, with what is wrong; a new round with a new due date.

    What went on without an answer, waived, passed by time-out, or left behind by its stage, is not held up by an attempt that fails.
    """
    current = turn.state.items[item.id]
    owed = gates.item_debt(turn.state, item.id)
    closed = turn.state.stages[item.stage].status is not StageStatus.OPEN
    if not closed and not current.tacit and (owed is None or owed.expired):
        rounds.reopen(turn, (item.id,), ItemStatus.RETURNED, wanted=False)
        turn.item(item.id, faults=faults)
        return
    kind, subject, ending = NoticeKind.ASK, f"Once more, please: {item.title}", "It may be sent again."
    if owed is not None:
        rounds.fresh(turn, item.id, status=ItemStatus.WAIVED, closed_at=turn.at, faults=faults)
    elif current.tacit:
        rounds.fresh(
            turn, item.id, status=ItemStatus.SKIPPED, closed_at=turn.at, faults=faults, tacit=True, outcome="timeout"
        )
    else:
        rounds.fresh(turn, item.id, status=ItemStatus.CANCELLED, closed_at=turn.at, faults=faults)
        kind, subject, ending = NoticeKind.RETRACTION, f"Not accepted: {item.title}", "Nothing more is needed from you."
    lines = (f"{item.title} was not accepted.", *(fault.sentence for fault in faults[:10]), ending)
    say(
        turn, kind, item_owner(turn.plan, turn.state, item), "returned", subject, lines, part=f"again.{current.answers}", item=item, items=(item.id,)
    )  # fmt: skip
