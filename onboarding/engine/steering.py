"""The moves of people who steer a run: hold, resume, extend, reopen, promise, note, cancel.

Reassign is in `assigning.py`, waive in `waiving.py`.
"""

from datetime import datetime

from onboarding import limits
from onboarding.engine import deadlines, flow, gates, going_live, holding, rounds
from onboarding.engine.moves import Told, find_item, find_stage, provider_only, refuse_closed_stage
from onboarding.engine.people import Person
from onboarding.engine.refusing import Refuse, conflict, forbidden, must_come, rejected
from onboarding.engine.state import ItemStatus, RunOutcome
from onboarding.engine.turn import Turn
from onboarding.language.model import Side
from onboarding.messages import Cancel, Extend, Hold, Note, OutcomeWord, Promise, Reopen, Resume


def hold(turn: Turn, message: Hold, person: Person) -> Told:
    """Every clock of the run stops but the review date."""
    provider_only(person, "hold the run")
    if turn.state.hold is not None:
        since = turn.state.hold.since
        raise conflict("already_held", f"{turn.state.hold.by!r} holds the run since {since:%Y-%m-%d %H:%M} UTC.")
    if len(turn.state.holds) >= limits.HOLDS_KEPT:
        said = f"The run was held {limits.HOLDS_KEPT} times while the same items are open; settle or extend them first."
        raise Refuse(OutcomeWord.TOO_LARGE, "too_many_holds", said)
    must_come(message.review_at, turn.at, "The review date", "/review_at")
    holding.stand_still(turn, message.reason, Side(message.side), person.handle, review_at=message.review_at)
    return Told(item=None, code="held_run", sentence="The run is on hold; its clocks stand still.")


def resume(turn: Turn, message: Resume, person: Person) -> Told:
    """Clocks go on; every instant still to come moves by the business time that was held."""
    provider_only(person, "resume the run")
    if turn.state.hold is None:
        raise conflict("not_held", "The run is not on hold.")
    holding.go_on(turn, person.handle)
    return Told(item=None, code="resumed", sentence="The run goes on; due dates moved by the time it was held.")


def extend(turn: Turn, message: Extend, person: Person) -> Told:
    """A new due instant for an item, or a new target for a stage."""
    if (message.item is None) == (message.stage is None):
        raise rejected("one_of", "Name either an item or a stage.", place="/item")
    if message.stage is not None:
        stage = find_stage(turn, message.stage)
        provider_only(person, "extend a stage")
        refuse_closed_stage(turn, stage)
        must_come(message.due, turn.at, "The new date", "/due")
        before = turn.state.stages[stage].target_at
        turn.stage(stage, target_at=message.due, target_set_at=turn.at)
        return Told(
            item=None, code="extended", sentence=f"{turn.plan.stages[stage].title}: {_move(before, message.due)}."
        )
    item = find_item(turn, message.item or "")
    provider_only(person, "extend an item")
    current = turn.state.items[item.id]
    refuse_closed_stage(turn, item.stage, item.id)
    if current.status not in flow.ACTIVE:
        raise conflict(
            "not_open",
            f"{item.id!r} is {current.status.replace('_', ' ')}; only an open item has a due date.",
            item=item.id,
        )
    must_come(message.due, turn.at, "The new date", "/due")
    deadlines.give(turn, item, message.due, f"extended by {person.handle}")
    return Told(item=item.id, code="extended", sentence=f"{item.title}: {_move(current.due_at, message.due)}.")


def _move(before: datetime | None, due: datetime) -> str:
    was = "no date" if before is None else f"{before:%Y-%m-%d %H:%M} UTC"
    return f"due {due:%Y-%m-%d %H:%M} UTC instead of {was}"


def reopen(turn: Turn, message: Reopen, person: Person) -> Told:
    """A new round for items that are done; exactly what depended on them is open again."""
    names = tuple(dict.fromkeys(message.items))
    for name in names:
        find_item(turn, name, f"/items/{message.items.index(name)}" if len(names) > 1 else "")
    provider_only(person, "reopen items")
    for name in names:
        current = turn.state.items[name]
        if current.status is ItemStatus.SKIPPED and current.outcome is None:
            raise conflict("not_needed", f"{name!r} is not needed in this run.", item=name)
        if current.status not in gates.MET:
            said = f"{name!r} is {current.status.replace('_', ' ')}; only what is over can be reopened."
            raise conflict("not_done", said, item=name)
    rounds.reopen(turn, names, ItemStatus.OPEN)
    return Told(item=names[0], code="reopened", sentence=f"{', '.join(names)}: open again.")


def promise(turn: Turn, message: Promise, person: Person) -> Told:
    """Another date of going live, which the customer is told."""
    provider_only(person, "promise a date")
    must_come(message.due, turn.at, "The promised date", "/due")
    before = turn.state.promised_at
    if message.due == before:
        raise conflict("already_promised", f"Going live is promised for {before:%Y-%m-%d %H:%M} UTC already.")
    live = going_live.live_at(turn.plan, turn.state)
    if live is not None:
        said = f"The customer is live since {live:%Y-%m-%d %H:%M} UTC; there is nothing to promise."
        raise conflict("already_live", said)
    going_live.move(turn, message.due, "promise", Side(message.side), person.handle, message.reason)
    was = f" instead of {before:%Y-%m-%d %H:%M} UTC" if before else ""
    said = f"Going live is promised for {message.due:%Y-%m-%d %H:%M} UTC{was}."
    return Told(item=None, code="promised", sentence=said)


def note(turn: Turn, message: Note, person: Person) -> Told:
    """Recorded; no progress."""
    if person.nobody or not person.sides:
        raise forbidden("not_entitled", f"{person.named_as!r} has no part in this run.")
    return Told(item=None, code="noted", sentence="The note is kept.")


def cancel(turn: Turn, message: Cancel, person: Person) -> Told:
    """Closes the run for good."""
    provider_only(person, "cancel the run")
    flow.close_run(turn, RunOutcome(message.outcome), message.reason)
    return Told(item=None, code="closed_run", sentence=f"The run is closed as {message.outcome}.")
