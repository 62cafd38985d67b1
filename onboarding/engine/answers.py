"""What a decision is about: the digest of exactly what was looked at, and what happens when that changes.

A review is about one answer, an approval about the answers and facts of the items it needs. Whoever was asked about one thing
does not decide about another: with the digest they name what they mean, and once it changed in a round they must name it.
"""

import hashlib
from datetime import datetime

from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say
from onboarding.engine.people import asked_of
from onboarding.engine.plan import Plan
from onboarding.engine.refusing import conflict, rejected
from onboarding.engine.state import ItemStatus, RunState
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind
from onboarding.messages import canonical_json


def present(plan: Plan, state: RunState, item: Item) -> str | None:
    """The digest of what a decision on an item would be about now; `None` where there is nothing to look at."""
    current = state.items[item.id]
    if item.kind is not ItemKind.APPROVAL:
        return current.answer.digest if current.answer is not None else None
    needed = _needed(plan, item)
    if not needed or current.status is ItemStatus.NOT_READY:
        return None
    content = [[name, state.items[name].round, state.items[name].outcome, _given(state, name)] for name in needed]
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()


def _needed(plan: Plan, item: Item) -> tuple[str, ...]:
    names = (one for need in item.needs for one in (plan.stages[need].items if need in plan.stages else (need,)))
    return tuple(dict.fromkeys(names))


def _given(state: RunState, name: str) -> object:
    answer = state.items[name].answer
    if answer is not None:
        return answer.digest
    return {fact.name: fact.value for fact in state.facts.values() if fact.item == name}


def refuse_changed(turn: Turn, item: Item, named: str | None) -> None:
    """Refuses a decision on something else than what is there now."""
    digest = present(turn.plan, turn.state, item)
    if digest is None:
        if named is not None:
            said = f"{item.id!r} has no answer that could be named; leave `answer` out."
            raise rejected("no_answer", said, place="/answer", item=item.id)
        return
    if named is None and len(turn.state.items[item.id].shown) < 2:
        return
    if named is not None and digest.startswith(named):
        return
    at, by = _last_change(turn.plan, turn.state, item)
    when = f" on {at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else ""
    said = f"What {item.id!r} is about was changed by {by}{when}; look at it, and decide with answer {digest}."
    raise conflict("answer_changed", said, item=item.id)


def _last_change(plan: Plan, state: RunState, item: Item) -> tuple[datetime | None, str]:
    names = (item.id,) if item.kind is not ItemKind.APPROVAL else _needed(plan, item)
    found: list[tuple[datetime, str]] = []
    for name in names:
        current = state.items[name]
        if current.answer is not None:
            found.append((current.answer.at, current.answer.by))
        elif current.closed_at is not None:
            found.append((current.closed_at, current.actors[-1] if current.actors else "the run itself"))
    return max(found, default=(None, "somebody"))


def look_again(turn: Turn) -> None:
    """What an open approval is about changed while people decided on it: their voices are void, and they are asked again."""
    if turn.state.items is turn.before.items and turn.state.facts is turn.before.facts:
        return
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        if item.kind is not ItemKind.APPROVAL or current.status is not ItemStatus.OPEN:
            continue
        digest = present(turn.plan, turn.state, item)
        if digest is None or digest == (current.shown[-1] if current.shown else None):
            continue
        turn.item(item.id, shown=(*current.shown, digest)[-2:])
        if current.shown:
            _ask_again(turn, item, digest)


def _ask_again(turn: Turn, item: Item, digest: str) -> None:
    void = len(turn.state.items[item.id].votes)
    turn.item(item.id, votes=())
    said = f"what {item.title} is about changed while it was open; {void} decisions are void"
    turn.record("decide", item=item.id, code="answer_changed", sentence=said)
    lines = (f"What {item.title} is about has changed. Please look again.", f"Decide with answer {digest}.")
    for handle in asked_of(turn.plan, turn.state, item):
        say(
            turn, NoticeKind.ASK, handle, "ask", f"Please look again: {item.title}", lines,
            part=f"again.{digest[:12]}.{turn.state.trail_count}", item=item,
        )  # fmt: skip
