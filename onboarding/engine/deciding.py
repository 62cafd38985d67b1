"""Decide: named outcomes, a quorum of seats, four eyes, and what a decision sends back."""

from onboarding.engine import answers, flow, handoffs, rounds
from onboarding.engine.copies import replace
from onboarding.engine.effects import NoticeKind
from onboarding.engine.moves import RIGHT_MESSAGE, Told, behalf_of, find_item, refuse_closed, together, wrong_kind
from onboarding.engine.notices import not_asked, say, settled, when, with_alarm
from onboarding.engine.people import Person, asked_of, may_review, reviews_for, stage_owner
from onboarding.engine.promises import told
from onboarding.engine.refusing import Refuse, conflict, forbidden, rejected, unknown
from onboarding.engine.seating import Seats, counted, seated, seats, seats_left, turns_open, voice_of
from onboarding.engine.state import ItemStatus, PromiseKind, RunOutcome, Vote
from onboarding.engine.submitting import send_back, take
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Mark, Outcome
from onboarding.messages import Decide, MessageFault
from onboarding.nearest import nearest

REVIEW = (Outcome(name="accept", passes=True), Outcome(name="return", passes=False))
"""The outcomes of a review: the reviewer accepts the answer or returns it."""


def decide(turn: Turn, message: Decide, person: Person) -> Told:
    """One person's decision. An outcome counts once enough seats gave it."""
    item = find_item(turn, message.item)
    current = turn.state.items[item.id]
    reviewing = item.kind is ItemKind.REQUEST and (item.review is not None or current.status is ItemStatus.IN_REVIEW)
    if item.kind is not ItemKind.APPROVAL and not reviewing:
        raise wrong_kind(item, RIGHT_MESSAGE[item.kind])
    chosen = _outcome(item, message.outcome, reviewing)
    if person.nobody:
        raise forbidden("not_entitled", f"A decision on {item.id!r} needs a name.", item=item.id)
    able = seats(turn.plan, turn.state, item)
    entitled = may_review(turn.plan, turn.state, item, person) if reviewing else _has_seat(able, person.handle)
    if not entitled:
        raise forbidden("not_entitled", f"{person.named_as!r} may not decide {item.id!r}.", item=item.id)
    refuse_closed(turn, item, "already_decided")
    if current.status is ItemStatus.WAIVED and not chosen.passes:
        raise conflict("waived", f"{item.id!r} was waived; reopen it to send anything back.", item=item.id)
    if current.status is ItemStatus.NOT_READY or (reviewing and current.status is not ItemStatus.IN_REVIEW):
        what = "nothing to decide on yet" if not reviewing else "no answer in review"
        raise rejected("not_open_yet", f"{item.id!r} has {what}; decide when it is open.", place="/item", item=item.id)
    absent = reviews_for(turn.plan, turn.state, item, person.handle) if reviewing else None
    speakers = together(person.handle, *behalf_of(turn, message.on_behalf_of), *((absent,) if absent else ()))
    _eyes(turn, item, speakers, reviewing)
    answers.refuse_changed(turn, item, message.answer)
    handoffs.refuse_without_reason(item, chosen, message.comment)
    if reviewing:
        turn.item(item.id, actors=together(*current.actors, *speakers))
        return replace(_reviewed(turn, item, chosen, message.comment), absent=absent)
    votes = counted(able, turn.state, item)
    seat = (_in_order if item.in_order else _sit)(turn, item, able, votes, person.handle)
    voice = voice_of(turn.plan, turn.state, item, seat[person.handle], person.handle)
    vote = Vote(
        handle=person.handle, role="", outcome=chosen.name, at=turn.at, comment=message.comment, on_behalf_of=voice
    )
    votes = tuple(replace(one, role=seat[one.handle]) for one in (*votes, vote))
    asked = asked_of(turn.plan, turn.state, item)
    turn.item(item.id, votes=votes, actors=together(*current.actors, *speakers, *((voice,) if voice else ())))
    now = asked_of(turn.plan, turn.state, item)
    not_asked(turn, item, tuple(one for one in asked if one not in now or one == person.handle))
    return replace(_count(turn, item, able, chosen, person.handle), absent=voice)


def _outcome(item: Item, name: str, reviewing: bool) -> Outcome:
    outcomes = REVIEW if reviewing else item.outcomes
    chosen = next((one for one in outcomes if one.name == name), None)
    if chosen is None:
        names = [one.name for one in outcomes]
        hint = nearest(name, names) or f"; it has {', '.join(names)}."
        raise unknown("unknown_outcome", f"{item.id!r} has no such outcome{hint}")
    return chosen


def _has_seat(able: Seats, handle: str) -> bool:
    return any(handle in may for _, may in able)


def _eyes(turn: Turn, item: Item, speakers: tuple[str, ...], reviewing: bool) -> None:
    for handle in speakers:
        if reviewing and handle in turn.state.items[item.id].actors:
            raise forbidden("own_submission", f"{handle!r} gave the answer and may not review it.", item=item.id)
        for other in item.four_eyes:
            if handle in turn.state.items[other].actors:
                said = f"{handle!r} acted on {other!r} and may not decide {item.id!r}."
                raise forbidden("same_person", said, item=item.id)


def _sit(turn: Turn, item: Item, able: Seats, votes: tuple[Vote, ...], handle: str) -> dict[str, str]:
    """The role that each speaker decides for; a conflict when this one, or somebody on their only seat, has spoken."""
    mine = [vote for vote in votes if vote.handle == handle]
    seat = None if mine else seated(able, (*(vote.handle for vote in votes), handle))
    if seat is not None:
        return seat
    roles = [role for role, may in able if handle in may]
    raise _spoken(item, (mine or [vote for vote in votes if vote.role in roles] or list(votes))[0])


def _spoken(item: Item, before: Vote) -> Refuse:
    said = f"{before.handle!r} said {before.outcome!r} for {before.role!r} on {before.at:%Y-%m-%d %H:%M} UTC"
    return conflict("already_decided", f"{said}; each seat decides once.", item=item.id)


def _in_order(turn: Turn, item: Item, able: Seats, votes: tuple[Vote, ...], handle: str) -> dict[str, str]:
    """The role that each speaker decides for, where one speaks after the other: this one, when it is their turn."""
    mine = next((vote for vote in votes if vote.handle == handle), None)
    if mine is not None:
        raise _spoken(item, mine)
    turns = turns_open(able, turn.state, item, votes)
    role = next((role for role in turns if (role, True) in [(one, handle in may) for one, may in able]), None)
    if role is not None:
        return {**{vote.handle: vote.role for vote in votes}, handle: role}
    roles = [role for role, may in able if handle in may]
    spoken = next((vote for vote in votes if vote.role in roles), None)
    if spoken is not None and not any(role not in [vote.role for vote in votes] for role in roles):
        raise _spoken(item, spoken)
    first = [one for one in asked_of(turn.plan, turn.state, item) if one != handle]
    said = f"{item.id!r} is decided in order, and {' or '.join(first)} decides before {handle!r}."
    raise forbidden("not_your_turn", said, item=item.id)


def _reviewed(turn: Turn, item: Item, chosen: Outcome, comment: str | None) -> Told:
    if chosen.passes:
        turn.item(item.id, outcome=chosen.name)
        take(turn, item)
        return Told(item=item.id, code="accepted", sentence=f"{item.title} is accepted.")
    fault = MessageFault(place="", code="returned", sentence=comment or "The reviewer asks for a correction.")
    send_back(turn, item, (fault,))
    return Told(item=item.id, code="returned", sentence=f"{item.title} goes back for correction.")


def _count(
    turn: Turn, item: Item, able: Seats, chosen: Outcome, by: str
) -> Told:  # see docs/decisions/0003-how-a-return-counts.md
    votes = turn.state.items[item.id].votes
    tally = {one.name: sum(1 for vote in votes if vote.outcome == one.name) for one in item.outcomes}
    passing = [one for one in item.outcomes if one.passes]
    back = [one for one in item.outcomes if not one.passes and tally[one.name]]
    reached = [one for one in (*passing, *back) if tally[one.name] >= item.quorum]
    if reached and reached[0].passes:
        handoffs.decided(turn, item, by, reached[0].name, accepted=True)
        flow.finish_item(turn, item, by, outcome=reached[0].name)
        return Told(item=item.id, code="decided", sentence=f"{item.title}: {reached[0].name}.")
    if reached:
        return back_to(turn, item, reached[0], by)
    best = max((tally[one.name] for one in passing), default=0)
    if best + seats_left(turn.state, item, able) >= item.quorum:
        flow.progress(turn, item.stage, by)
        if item.in_order:
            _ask_next(turn, item)
        said = f"{item.title}: {tally[chosen.name]} of {item.quorum} say {chosen.name}."
        return Told(item=item.id, code="counted", sentence=said)
    if back:
        return back_to(turn, item, max(back, key=lambda one: tally[one.name]), by)
    said = f"{item.title}: everybody who may has spoken, and no outcome has {item.quorum}"
    return _ask_people(turn, item, "no_agreement", said, votes=votes if len({v.outcome for v in votes}) == 1 else ())


def _ask_next(turn: Turn, item: Item) -> None:
    """Where people decide in order: somebody has spoken, and whoever is next is asked."""
    current = turn.state.items[item.id]
    lines = tuple(f"{vote.handle} said {vote.outcome}." for vote in current.votes)
    lines = (*lines, f"{item.title} waits for you now, due {when(current.due_at)}.")
    for handle in asked_of(turn.plan, turn.state, item):
        say(
            turn, NoticeKind.ASK, handle, "ask", f"Please see to: {item.title}", lines, part=f"turn.{turn.state.trail_count}", item=item,
        )  # fmt: skip
        told(turn, PromiseKind.ITEM, item.id, current.due_at, handle)


def back_to(turn: Turn, item: Item, chosen: Outcome, by: str) -> Told:
    """A decision that sends named items back, as often as it may; after that `then` says what happens."""
    current = turn.state.items[item.id]
    times = current.returns.get(chosen.name, 0)
    if chosen.max_rounds is not None and times >= chosen.max_rounds:
        return _rounds_exhausted(turn, item, chosen, by)
    comment = next((vote.comment for vote in reversed(current.votes) if vote.comment), None)
    names = tuple(name for name in chosen.reopen if turn.state.items[name].status is not ItemStatus.SKIPPED)
    settled(turn, item, by)
    handoffs.decided(turn, item, by, chosen.name, accepted=False)
    flow.progress(turn, item.stage, by)
    rounds.reopen(turn, names, ItemStatus.RETURNED)
    for name in names:
        if comment:
            turn.item(name, faults=(MessageFault(place="", code="returned", sentence=comment),))
    again = (
        rounds.fresh(turn, item.id) if turn.state.items[item.id].round == current.round else turn.state.items[item.id]
    )
    turn.item(item.id, awaits=names, outcome=chosen.name, returns={**again.returns, chosen.name: times + 1})
    return Told(
        item=item.id,
        code="returned",
        sentence=f"{item.title}: {chosen.name}; {', '.join(names) or 'nothing'} is open again.",
    )


def _rounds_exhausted(turn: Turn, item: Item, chosen: Outcome, by: str) -> Told:
    sentence = f"{item.title}: {chosen.name} after {chosen.max_rounds} rounds"
    if chosen.then == "escalate":
        return _ask_people(turn, item, "rounds_exhausted", sentence)
    if chosen.then == "fail":
        flow.close_run(turn, RunOutcome.LOST, f"{sentence}; the definition ends the run here")
    else:
        flow.finish_item(turn, item, by, ItemStatus.SKIPPED, outcome=chosen.name)
    return Told(item=item.id, code="rounds_exhausted", sentence=f"{sentence}; {chosen.then} follows.")


def _ask_people(turn: Turn, item: Item, code: str, sentence: str, votes: tuple[Vote, ...] = ()) -> Told:
    """The rules of the definition lead no further: votes that contradict each other are void, and the owner of the stage
    brings people together, or gives a seat to somebody who may speak."""
    owner = stage_owner(turn.plan, turn.state, item.stage)
    turn.set(escalations=turn.state.escalations + 1)
    lines = (
        f"{sentence}.",
        "Nothing goes on by itself here: decide with the people involved, or give a role to another.",
    )
    notice = say(
        turn, NoticeKind.ESCALATION, owner, "escalation", f"Please help to decide: {item.title}", lines,
        part=f"{code}.{turn.state.trail_count}", item=item,
    )  # fmt: skip
    current = turn.state.items[item.id]
    turn.item(item.id, votes=votes, mark=Mark.ESCALATED, alarms=with_alarm(current.alarms, notice))
    return Told(item=item.id, code=code, sentence=f"{sentence}; {owner} was asked to help.")
