"""The moves of items: submit, decide, complete, happen, and what hooks and checks answer.

Every move looks first and changes afterwards, in the order of refusal of the contract: names, kind, entitlement, closed stage,
decided item, content. A move that cannot happen raises `Refuse` before it has changed anything.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from onboarding.engine import flow
from onboarding.engine.effects import NoticeKind, RunHook
from onboarding.engine.notices import receipt, say, settled
from onboarding.engine.people import (
    Person,
    decider_role,
    entitled_to_decide,
    holder,
    may_complete,
    may_submit,
    stage_owner,
    who_is,
)
from onboarding.engine.refusing import Refuse, conflict, forbidden, rejected, rejected_for, unknown
from onboarding.engine.state import Answer, ItemState, ItemStatus, RunOutcome, StageStatus, Vote
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Outcome, Side
from onboarding.language.values import check_fields, check_files, check_secret
from onboarding.messages import Complete, Decide, Happen, MessageFault, OutcomeWord, Submit, canonical_json
from onboarding.nearest import nearest

REVIEW = (Outcome(name="accept", passes=True), Outcome(name="return", passes=False))
"""The outcomes of a review: the reviewer accepts the answer or returns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a move tells the sender; `held` when the message is kept for later and nothing else happened."""

    item: str | None
    code: str
    sentence: str
    held: bool = False


def find_item(turn: Turn, name: str) -> Item:
    """The item called `name`, or a refusal with the nearest one."""
    item = turn.plan.items.get(name)
    if item is None:
        raise unknown("unknown_item", f"This run has no such item{nearest(name, turn.plan.items)}.")
    return item


def _closed(turn: Turn, item: Item, code: str) -> None:
    """Refuses what comes too late for an item: its stage is closed, or the item is."""
    current = turn.state.items[item.id]
    if current.status is ItemStatus.WAIVED:
        return  # what was waived is debt, and debt may be paid at any time
    stage = turn.state.stages[item.stage]
    if stage.status in (StageStatus.DONE, StageStatus.SKIPPED):
        left = f" on {stage.left_at:%Y-%m-%d %H:%M} UTC" if stage.left_at else ""
        title = turn.plan.stages[item.stage].title
        raise Refuse(
            OutcomeWord.CLOSED,
            "stage_closed",
            f"{title} was closed{left}; ask its owner to reopen {item.id!r}.",
            item=item.id,
        )
    if current.status is ItemStatus.SKIPPED:
        raise conflict("not_needed", f"{item.id!r} is not needed in this run.", item=item.id)
    if current.status is ItemStatus.CANCELLED:
        raise conflict("not_needed", f"{item.id!r} is no longer needed.", item=item.id)
    if current.status is ItemStatus.DONE:
        who = current.actors[-1] if current.actors else (current.answer.by if current.answer else "the run itself")
        at = f" on {current.closed_at:%Y-%m-%d %H:%M} UTC" if current.closed_at else ""
        raise conflict(code, f"{item.id!r} was settled by {who}{at} ({current.outcome or 'done'}).", item=item.id)


def _wrong_kind(item: Item, use: str) -> Exception:
    return rejected("wrong_kind", f"{item.id!r} is {_article(item.kind)}; use {use}.", place="/item", item=item.id)


def _article(kind: ItemKind) -> str:
    return f"{'an' if kind[0] in 'ae' else 'a'} {kind}"


_RIGHT_MESSAGE = {
    ItemKind.REQUEST: "submit",
    ItemKind.TASK: "complete",
    ItemKind.APPROVAL: "decide",
    ItemKind.EVENT: "happen",
    ItemKind.HOOK: "nothing: the engine runs it",
}


# Submit ---------------------------------------------------------------------------------------------------------------


def submit(turn: Turn, message: Submit, person: Person) -> Told:
    """A customer delivers. Everything is checked at once; a draft stores parts and is no progress."""
    item = find_item(turn, message.item)
    if item.kind is not ItemKind.REQUEST:
        raise _wrong_kind(item, _RIGHT_MESSAGE[item.kind])
    if not (item.fields or item.files or item.secret):
        raise _wrong_kind(item, f"happen with the event {item.event!r}")
    behalf = who_is(turn.plan, turn.state, message.on_behalf_of) if message.on_behalf_of else None
    if not may_submit(turn.plan, turn.state, item, person, behalf):
        raise forbidden("not_entitled", f"{person.named_as!r} may not submit {item.id!r}.", item=item.id)
    _closed(turn, item, "already_done")
    current = turn.state.items[item.id]
    fields, files, faults = _content(item, current, message)
    if faults:
        raise rejected_for(faults, item.id)
    if current.status is ItemStatus.NOT_READY:
        return Told(
            item=item.id, code="held", sentence=f"{item.title} is not open yet; your answer is kept for it.", held=True
        )
    if message.draft:
        turn.item(item.id, draft_fields=fields, draft_files=files)
        return Told(
            item=item.id, code="draft_kept", sentence=f"The draft of {item.title} is kept; it is no answer yet."
        )
    digest = hashlib.sha256(
        canonical_json({"fields": fields, "files": list(files)}).encode("utf-8", "surrogatepass")
    ).hexdigest()
    answer = Answer(
        fields=fields, files=files, by=person.handle, on_behalf_of=message.on_behalf_of, at=turn.at, digest=digest,
    )  # fmt: skip
    _answered(turn, item, answer, tuple(dict.fromkeys([person.handle, *([behalf.handle] if behalf else [])])))
    return Told(item=item.id, code="answered", sentence=_progress_sentence(turn, item))


def _content(
    item: Item, current: ItemState, message: Submit
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], tuple[MessageFault, ...]]:
    given = {**current.draft_fields, **message.fields}
    files = tuple(reference.model_dump(mode="json") for reference in message.files) or current.draft_files
    faults: tuple[MessageFault, ...] = ()
    fields: dict[str, Any] = {}
    if item.secret:
        faults += check_secret(given)
        fields = dict(given)
    else:
        fields, wrong = check_fields(item.fields, given, partial=message.draft)
        faults += wrong
    if item.files is not None and not (message.draft and not files):
        faults += tuple(
            fault for fault in check_files(item.files, files) if not (message.draft and fault.code == "too_few_files")
        )
    elif files and item.files is None:
        faults += (MessageFault(place="/files", code="unknown_field", sentence=f"{item.id!r} takes no files."),)
    return fields, files, faults


def _answered(turn: Turn, item: Item, answer: Answer, actors: tuple[str, ...]) -> None:
    current = turn.state.items[item.id]
    turn.item(
        item.id, status=ItemStatus.ANSWERED, answer=answer, answered_at=turn.at, actors=tuple(dict.fromkeys([*current.actors, *actors])),
        late=current.overdue, checks=tuple("pending" for _ in item.checks), faults=(), draft_fields={}, draft_files=(), votes=(),
    )  # fmt: skip
    settled(turn, item, answer.by)
    flow.progress(turn, item.stage)
    owner = turn.plan.roles[item.owner]
    if owner.side is Side.CUSTOMER:
        receipt(
            turn, item, answer.by if answer.by in turn.plan.order.customer_contacts else turn.state.items[item.id].owner
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
                round=current.round, check=index, attempts=8, backoff=2.0, timeout_seconds=600,
                arguments=flow.arguments(turn, item.id, {"fields": named, "files": list(answer.files)}),
            )
        )  # fmt: skip
    _after_checks(turn, item)


def check_key(turn: Turn, item: Item, index: int) -> str:
    """The identity of one check of the present answer; an answer that replaced another is checked anew."""
    current = turn.state.items[item.id]
    digest = current.answer.digest[:12] if current.answer else ""
    return f"{turn.state.run}/{item.id}/{current.round}/check{index}.{digest}"


def _after_checks(turn: Turn, item: Item) -> None:
    """Goes on with an answer as soon as no blocking check is open."""
    current = turn.state.items[item.id]
    if current.status is not ItemStatus.ANSWERED:
        return  # an advisory check that came back after the item went on
    words = [word for word, check in zip(current.checks, item.checks, strict=True) if check.blocks]
    if "pending" in words:
        return
    if item.review is not None or "broken" in words:
        reviewer = (
            holder(turn.plan, turn.state, item.review)
            if item.review
            else stage_owner(turn.plan, turn.state, item.stage)
        )
        turn.item(item.id, status=ItemStatus.IN_REVIEW)
        lines = (f"{item.title} was answered and waits for you: accept or return.",)
        digest = current.answer.digest[:12] if current.answer else ""
        say(
            turn,
            NoticeKind.ASK,
            reviewer,
            "ask",
            f"Please review: {item.title}",
            lines,
            part=f"review.{digest}",
            item=item,
        )
        return
    _take(turn, item)


def _take(turn: Turn, item: Item) -> None:
    """An answer is good: its values become facts, the item is done."""
    answer = turn.state.items[item.id].answer
    assert answer is not None, "only an answer can be taken"
    flow.finish_item(turn, item, answer.by)
    turn.learn({} if item.secret else answer.fields, item.id, answer.by)


def send_back(turn: Turn, item: Item, faults: tuple[MessageFault, ...]) -> None:
    """An answer goes back to whoever gave it, with what is wrong; a new round with a new due date."""
    flow.reopen(turn, (item.id,), ItemStatus.RETURNED)
    turn.item(item.id, faults=faults)


# Decide ---------------------------------------------------------------------------------------------------------------


def decide(turn: Turn, message: Decide, person: Person) -> Told:
    """One person's decision. An outcome counts once enough distinct entitled people gave it."""
    item = find_item(turn, message.item)
    current = turn.state.items[item.id]
    reviewing = item.kind is ItemKind.REQUEST and (item.review is not None or current.status is ItemStatus.IN_REVIEW)
    if item.kind is not ItemKind.APPROVAL and not reviewing:
        raise _wrong_kind(item, _RIGHT_MESSAGE[item.kind])
    outcomes = REVIEW if reviewing else item.outcomes
    chosen = next((one for one in outcomes if one.name == message.outcome), None)
    if chosen is None:
        names = [one.name for one in outcomes]
        hint = nearest(message.outcome, names) or f"; it has {', '.join(names)}."
        raise unknown("unknown_outcome", f"{item.id!r} has no such outcome{hint}")
    if person.nobody:
        raise forbidden("not_entitled", f"A decision on {item.id!r} needs a name.", item=item.id)
    role = _deciding_role(turn, item, person, reviewing)
    _closed(turn, item, "already_decided")
    if current.status is ItemStatus.NOT_READY or (reviewing and current.status is not ItemStatus.IN_REVIEW):
        what = "nothing to decide on yet" if not reviewing else "no answer in review"
        raise rejected("not_open_yet", f"{item.id!r} has {what}; decide when it is open.", place="/item", item=item.id)
    _eyes(turn, item, person, reviewing)
    before = next((vote for vote in current.votes if vote.handle == person.handle), None)
    if before is not None:
        said = f"{person.handle!r} said {before.outcome!r} on {before.at:%Y-%m-%d %H:%M} UTC"
        raise conflict("already_decided", f"{said}; one person decides once.", item=item.id)
    behalf = [who_is(turn.plan, turn.state, message.on_behalf_of).handle] if message.on_behalf_of else []
    vote = Vote(handle=person.handle, role=role, outcome=chosen.name, at=turn.at, comment=message.comment)
    turn.item(
        item.id, votes=(*current.votes, vote), actors=tuple(dict.fromkeys([*current.actors, person.handle, *behalf]))
    )
    if reviewing:
        return _reviewed(turn, item, chosen, message.comment)
    return _count(turn, item, chosen, person)


def _deciding_role(turn: Turn, item: Item, person: Person, reviewing: bool) -> str:
    role = decider_role(turn.plan, turn.state, item, person)
    if reviewing and item.review is None:
        able = may_complete(turn.plan, turn.state, item, person) and person.provider
        role = turn.plan.stages[item.stage].owner if able else None
    if role is None:
        raise forbidden("not_entitled", f"{person.named_as!r} may not decide {item.id!r}.", item=item.id)
    return role


def _eyes(turn: Turn, item: Item, person: Person, reviewing: bool) -> None:
    if reviewing and person.handle in turn.state.items[item.id].actors:
        raise forbidden("own_submission", f"{person.handle!r} gave the answer and may not review it.", item=item.id)
    for other in item.four_eyes:
        if person.handle in turn.state.items[other].actors:
            raise forbidden(
                "same_person", f"{person.handle!r} acted on {other!r} and may not decide {item.id!r}.", item=item.id
            )


def _reviewed(turn: Turn, item: Item, chosen: Outcome, comment: str | None) -> Told:
    if chosen.passes:
        turn.item(item.id, outcome=chosen.name)
        _take(turn, item)
        return Told(item=item.id, code="accepted", sentence=f"{item.title} is accepted.")
    fault = MessageFault(place="", code="returned", sentence=comment or "The reviewer asks for a correction.")
    send_back(turn, item, (fault,))
    return Told(item=item.id, code="returned", sentence=f"{item.title} goes back for correction.")


def _count(turn: Turn, item: Item, chosen: Outcome, person: Person) -> Told:
    votes = turn.state.items[item.id].votes
    same = sum(1 for vote in votes if vote.outcome == chosen.name)
    if chosen.passes and same >= item.quorum:
        flow.finish_item(turn, item, person.handle, outcome=chosen.name)
        return Told(item=item.id, code="decided", sentence=f"{item.title}: {chosen.name}.")
    if not chosen.passes and (same >= item.quorum or not _can_still_pass(turn, item)):
        return back_to(turn, item, chosen, person.handle)
    flow.progress(turn, item.stage)
    return Told(item=item.id, code="counted", sentence=f"{item.title}: {same} of {item.quorum} say {chosen.name}.")


def _can_still_pass(turn: Turn, item: Item) -> bool:
    """Whether the people who have not spoken yet could still make a passing outcome reach the quorum."""
    votes = turn.state.items[item.id].votes
    spoken = [vote.handle for vote in votes]
    left = sum(1 for handle in entitled_to_decide(turn.plan, turn.state, item) if handle not in spoken)
    best = max((sum(1 for vote in votes if vote.outcome == one.name) for one in item.outcomes if one.passes), default=0)
    return best + left >= item.quorum


def back_to(turn: Turn, item: Item, chosen: Outcome, by: str) -> Told:
    """A decision that sends named items back, as often as it may; after that `then` says what happens."""
    current = turn.state.items[item.id]
    times = current.returns.get(chosen.name, 0)
    if chosen.max_rounds is not None and times >= chosen.max_rounds:
        return _rounds_exhausted(turn, item, chosen, by)
    comment = next((vote.comment for vote in reversed(current.votes) if vote.comment), None)
    names = tuple(name for name in chosen.reopen if turn.state.items[name].status is not ItemStatus.SKIPPED)
    settled(turn, item, by)
    flow.progress(turn, item.stage)
    flow.reopen(turn, names, ItemStatus.RETURNED)
    for name in names:
        if comment:
            turn.item(name, faults=(MessageFault(place="", code="returned", sentence=comment),))
    again = turn.state.items[item.id]
    turn.item(
        item.id, status=ItemStatus.NOT_READY, round=current.round + 1, awaits=names, opened_at=None, due_at=None, due_why="",
        planned=(), votes=(), actors=(), returns={**current.returns, chosen.name: times + 1}, outcome=chosen.name,
        fired=(), overdue=False, late=False, mark=None, alarmed=(), sent=(), closed_at=None, answered_at=again.answered_at,
    )  # fmt: skip
    return Told(
        item=item.id,
        code="returned",
        sentence=f"{item.title}: {chosen.name}; {', '.join(names) or 'nothing'} is open again.",
    )


def _rounds_exhausted(turn: Turn, item: Item, chosen: Outcome, by: str) -> Told:
    sentence = f"{item.title}: {chosen.name} for the {(chosen.max_rounds or 0) + 1}th time"
    if chosen.then == "fail":
        flow.close_run(turn, RunOutcome.LOST, f"{sentence}; the definition ends the run here")
    elif chosen.then == "skip":
        flow.finish_item(turn, item, by, ItemStatus.SKIPPED, outcome=chosen.name)
    else:
        turn.item(item.id, votes=())
        turn.set(escalations=turn.state.escalations + 1)
        owner = stage_owner(turn.plan, turn.state, item.stage)
        lines = (f"{sentence}. It will not go back again by itself: decide with the people involved.",)
        key = say(
            turn, NoticeKind.ESCALATION, owner, "escalation", f"Too many rounds: {item.title}", lines,
            part=f"rounds.{turn.state.trail_count}", item=item,
        )  # fmt: skip
        current = turn.state.items[item.id]
        turn.item(item.id, alarmed=tuple(dict.fromkeys([*current.alarmed, owner])), sent=(*current.sent, key))
    return Told(item=item.id, code="rounds_exhausted", sentence=f"{sentence}; {chosen.then} follows.")


# Complete and happen --------------------------------------------------------------------------------------------------


def complete(turn: Turn, message: Complete, person: Person) -> Told:
    """A person on our side finishes a task, or a hook that became one."""
    item = find_item(turn, message.item)
    current = turn.state.items[item.id]
    if item.kind is not ItemKind.TASK and not current.by_person:
        raise _wrong_kind(item, _RIGHT_MESSAGE[item.kind])
    if person.nobody or not may_complete(turn.plan, turn.state, item, person):
        raise forbidden("not_entitled", f"{person.named_as!r} may not complete {item.id!r}.", item=item.id)
    _closed(turn, item, "already_done")
    values, faults = check_fields(item.provides, message.provides, prefix="/provides")
    if faults:
        raise rejected_for(faults, item.id)
    if current.status is ItemStatus.NOT_READY:
        return Told(
            item=item.id, code="held", sentence=f"{item.title} is not open yet; this is kept for it.", held=True
        )
    behalf = [who_is(turn.plan, turn.state, message.on_behalf_of).handle] if message.on_behalf_of else []
    turn.item(item.id, actors=tuple(dict.fromkeys([*current.actors, person.handle, *behalf])), answered_at=turn.at)
    flow.finish_item(turn, item, person.handle)
    turn.learn(values, item.id, person.handle)
    return Told(item=item.id, code="completed", sentence=_progress_sentence(turn, item))


def happen(turn: Turn, message: Happen, person: Person) -> Told:
    """The outside world says so; an event that comes before its item opens is kept."""
    rule = turn.plan.signals.get(message.event)
    if rule is None or rule.fulfils not in turn.plan.items:
        raise unknown("unknown_event", f"This run waits for no such event{nearest(message.event, turn.plan.signals)}.")
    item = turn.plan.items[rule.fulfils]
    if not (person.integration or person.provider):
        raise forbidden(
            "not_entitled", f"{person.named_as!r} may not report events; integrations and our side may.", item=item.id
        )
    _closed(turn, item, "already_done")
    for name, path in rule.match.items():
        field = path.removeprefix("payload.")
        expected = turn.plan.order.customer if name == "customer_id" else turn.plan.order.inputs.get(name)
        if field in message.data and message.data[field] != expected:
            raise rejected(
                "not_this_run", f"The event's {field!r} names another {name}.", place=f"/data/{field}", item=item.id
            )
    current = turn.state.items[item.id]
    if current.status is ItemStatus.NOT_READY:
        return Told(
            item=item.id, code="held", sentence=f"{item.title} is not open yet; the event is kept for it.", held=True
        )
    turn.item(item.id, actors=tuple(dict.fromkeys([*current.actors, person.handle])), answered_at=turn.at)
    flow.finish_item(turn, item, person.handle)
    if item.kind is ItemKind.REQUEST and turn.plan.roles[item.owner].side is Side.CUSTOMER:
        receipt(turn, item, current.owner)
    return Told(item=item.id, code="happened", sentence=_progress_sentence(turn, item))


def _progress_sentence(turn: Turn, item: Item) -> str:
    status = turn.state.items[item.id].status
    return f"{item.title}: {status.replace('_', ' ')}."


# Hooks and checks -----------------------------------------------------------------------------------------------------


def hook_answered(turn: Turn, key: str, result: dict[str, Any]) -> bool:
    """A hook or check came back. `False` when nobody waits for this answer any more."""
    found = _waiting_for(turn, key)
    if found is None:
        return False
    item, check = found
    faults = _faults_of(result)
    if check is None:
        values, wrong = check_fields(item.provides, _mapping(result.get("provides")), prefix="/provides")
        if result.get("ok") is False or wrong:
            sentence = (faults or wrong or (MessageFault(place="", code="refused", sentence="it says no"),))[0].sentence
            hook_failed(turn, key, "hook_refused", sentence)
            return True
        turn.record("hook", item=item.id, code="hook_done", sentence=f"{item.title} is done")
        flow.finish_item(turn, item, "engine")
        turn.learn(values, item.id, "engine")
        return True
    passed = result.get("ok") is not False
    _set_check(turn, item, check, "passed" if passed else "failed")
    turn.record(
        "check",
        item=item.id,
        code="check_passed" if passed else "check_failed",
        sentence=f"{item.checks[check].activity}",
    )
    if not passed and item.checks[check].blocks:
        turn.record("returned", item=item.id, code="answer_returned", sentence=f"{item.title} goes back")
        send_back(
            turn,
            item,
            faults or (MessageFault(place="", code="check_failed", sentence="A check of the answer failed."),),
        )
    else:
        _after_checks(turn, item)
    return True


def hook_failed(turn: Turn, key: str, code: str, sentence: str) -> bool:
    """A hook or check gave no answer: `on_failure` decides; a check that cannot run is looked at by a person."""
    found = _waiting_for(turn, key)
    if found is None:
        return False
    item, check = found
    if check is not None:
        turn.record("check", item=item.id, code=code, outcome="rejected", sentence=sentence)
        _set_check(turn, item, check, "broken")
        _after_checks(turn, item)
        return True
    turn.record("hook", item=item.id, code=code, outcome="rejected", sentence=sentence)
    match item.on_failure:
        case "skip":
            flow.finish_item(turn, item, "engine", ItemStatus.SKIPPED, outcome="failed")
        case "fail":
            flow.close_run(turn, RunOutcome.LOST, f"{item.title} failed: {sentence}")
        case _:
            turn.item(
                item.id,
                by_person=True,
                opened_at=turn.at,
                faults=(MessageFault(place="", code=code, sentence=sentence),),
            )
            turn.opened.append(item.id)
    return True


def _waiting_for(turn: Turn, key: str) -> tuple[Item, int | None] | None:
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        if item.kind is ItemKind.HOOK and current.status is ItemStatus.OPEN and not current.by_person:
            if key == flow.hook_key(turn, item):
                return item, None
        for index, word in enumerate(current.checks):
            if word == "pending" and key == check_key(turn, item, index):
                return item, index
    return None


def _set_check(turn: Turn, item: Item, index: int, word: str) -> None:
    words = list(turn.state.items[item.id].checks)
    words[index] = word
    turn.item(item.id, checks=tuple(words))


def _faults_of(result: dict[str, Any]) -> tuple[MessageFault, ...]:
    found = result.get("faults")
    if not isinstance(found, list):
        return ()
    return tuple(
        MessageFault(place=str(one.get("place", ""))[:200], code=str(one.get("code", "failed"))[:64], sentence=str(one.get("sentence", ""))[:500])
        for one in found[:20]
        if isinstance(one, dict)
    )  # fmt: skip


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
