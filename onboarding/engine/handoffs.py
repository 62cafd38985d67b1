"""Handshake handoffs: something is released, and then accepted or returned; the time between has a name and a number.

A handoff is released when its approval opens and is on the clock of whoever must accept it until they decide. What ends it
otherwise (a waiver, a time-out, the end of its stage) ends that time, too.
"""

from datetime import datetime

from onboarding.engine.copies import replace
from onboarding.engine.people import acting
from onboarding.engine.plan import Plan
from onboarding.engine.refusing import rejected
from onboarding.engine.state import Handoff, ItemStatus, RunState
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Outcome


def refuse_without_reason(item: Item, chosen: Outcome, comment: str | None) -> None:
    """Whoever returns what was handed over says what is missing."""
    if item.handoff and not chosen.passes and not (comment or "").strip():
        said = f"Say in `comment` what is missing: {item.id!r} goes back to people who must know."
        raise rejected("required", said, place="/comment", item=item.id)


def decided(turn: Turn, item: Item, by: str, outcome: str, *, accepted: bool) -> None:
    """The receiver accepts or returns what was handed over. A decision by time-out leaves it with whoever had it."""
    if item.handoff and _open(turn.state, item.id) is not None:
        receiver = turn.state.handoffs[item.id].receiver if by == "engine" else by
        _end(turn, item.id, outcome, accepted=accepted, receiver=receiver)


def follow(turn: Turn) -> None:
    """Brings the handoffs up to what has happened in this turn: released, ended without a decision, or with another receiver."""
    if turn.state is turn.before:
        return
    for item in turn.plan.definition.items:
        if not item.handoff:
            continue
        current, running = turn.state.items[item.id], _open(turn.state, item.id)
        waits = current.status is ItemStatus.OPEN
        if running is not None and not (waits and current.opened_at == running.released_at):
            _end(turn, item.id, current.outcome or str(current.status), accepted=None, receiver=running.receiver)
            running = None
        if waits and running is None and current.opened_at is not None:
            _release(turn, item, current.opened_at)
        elif waits and running is not None:
            receiver = acting(turn.plan, turn.state, item)[0]
            if receiver != running.receiver:
                _put(turn, replace(running, receiver=receiver))


def _open(state: RunState, name: str) -> Handoff | None:
    found = state.handoffs.get(name)
    return found if found is not None and found.ended_at is None else None


def _release(turn: Turn, item: Item, at: datetime) -> None:
    before = turn.state.handoffs.get(item.id)
    receiver = acting(turn.plan, turn.state, item)[0]
    seconds, rounds = (before.seconds, before.rounds) if before is not None else (0, 0)
    giver = giver_of(turn.plan, turn.state, item)
    _put(turn, Handoff(item=item.id, giver=giver, receiver=receiver, released_at=at, seconds=seconds, rounds=rounds))


def giver_of(plan: Plan, state: RunState, item: Item) -> str:
    """Who handed over: whoever finished last what another role of ours did, or who has it."""
    given = [
        other
        for other in plan.definition.items
        if (other.id in item.needs or other.stage in item.needs)
        and other.kind not in (ItemKind.HOOK, ItemKind.EVENT)
        and other.owner not in item.owners
    ]
    done = [one for one in given if state.items[one.id].actors]
    if done:
        latest = max(done, key=lambda one: (state.items[one.id].closed_at or state.started_at, plan.place[one.id]))
        return state.items[latest.id].actors[0]
    return state.items[given[-1].id].owner if given else ""


def _end(turn: Turn, name: str, outcome: str, *, accepted: bool | None, receiver: str) -> None:
    running = turn.state.handoffs[name]
    spent = _running(turn.state, running, turn.at)
    over = replace(
        running, receiver=receiver, ended_at=turn.at, accepted=accepted, outcome=outcome, seconds=running.seconds + spent,
        rounds=running.rounds + 1, last=spent,
    )  # fmt: skip
    _put(turn, over)
    turn.handed_over.append(over)


def _put(turn: Turn, handoff: Handoff) -> None:
    turn.set(handoffs={**turn.state.handoffs, handoff.item: handoff})


def stood_still(turn: Turn, since: datetime) -> None:
    """A hold is over: what waited to be accepted stood still with the run."""
    for one in turn.state.handoffs.values():
        if one.ended_at is None:
            held = int((turn.at - max(since, one.released_at)).total_seconds())
            _put(turn, replace(one, held=one.held + held))


def _running(state: RunState, handoff: Handoff, at: datetime) -> int:
    """Seconds since the release, without those in which the run was on hold."""
    now = 0 if state.hold is None else (at - max(state.hold.since, handoff.released_at)).total_seconds()
    return max(0, int((at - handoff.released_at).total_seconds() - handoff.held - max(0, now)))


def seconds_of(state: RunState, handoff: Handoff, at: datetime) -> int:
    """The time between release and decision in all rounds, of one that still waits until `at`; a hold does not count."""
    return handoff.seconds + (_running(state, handoff, at) if handoff.ended_at is None else 0)


def seconds_in_all(state: RunState, at: datetime) -> int:
    """How long a run was between two owners."""
    return sum(seconds_of(state, one, at) for one in state.handoffs.values())
