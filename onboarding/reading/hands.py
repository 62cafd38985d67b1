"""How a run goes from hand to hand: what was handed over and how long nobody had taken it, and who is away."""

from datetime import datetime

from onboarding.engine.handoffs import seconds_of
from onboarding.engine.state import RunState
from onboarding.reading.shapes import STATUS_ROWS, Shape, cut, instant


def handoff_rows(state: RunState, at: datetime) -> list[Shape]:
    """Each handoff after its last release: from whom to whom, and the seconds between release and decision in all its rounds."""
    until = state.closed_at or max(at, state.at)
    return [
        {
            "item": one.item,
            "from": one.giver or None,
            "to": one.receiver,
            "released_at": instant(one.released_at),
            "accepted_at": instant(one.ended_at) if one.accepted else None,
            "returned_at": instant(one.ended_at) if one.accepted is False else None,
            "outcome": one.outcome,
            "seconds": seconds_of(state, one, until),
            "rounds": one.rounds + (one.ended_at is None),
        }
        for one in list(state.handoffs.values())[:STATUS_ROWS]
    ]


def absence_rows(state: RunState) -> list[Shape]:
    """Who is away or will be, the next one first."""
    return [
        {
            "person": one.person,
            "since": instant(one.since),
            "until": instant(one.until),
            "to": one.to,
            "reason": cut(one.reason, 300) or None,
            "away": one.begun,
        }
        for one in sorted(state.absences, key=lambda one: (one.since, one.person))[:STATUS_ROWS]
    ]
