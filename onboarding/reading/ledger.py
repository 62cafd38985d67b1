"""Where the time of a run went: every second from start to close, booked to exactly one side."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from onboarding.engine import figures, handoffs
from onboarding.engine.booking import SIDES, split
from onboarding.engine.plan import Plan
from onboarding.engine.state import Booking, RunState
from onboarding.reading.shapes import Shape, instant, no_cursor, page, place_of, seconds


def ended(state: RunState, at: datetime) -> datetime:
    """Until when the run's time is counted: its close, or now. Never before what it has already seen."""
    return state.closed_at or max(at, state.at)


def ledger(plan: Plan, state: RunState, at: datetime, cursor: Any = None) -> Shape:
    """Elapsed time, its sum by side, its entries end to end (one page of them), and the metrics.

    `earlier` counts stretches that only the written rows still have; the sums hold them, too.
    """
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    end = ended(state, at)
    booked = figures.by_side(plan, state, end)
    rows = ((seconds(state.started_at, begin), row) for begin, row in _rows(plan, state, end))
    return {
        "elapsed": seconds(state.started_at, end),
        "by_side": {str(side): booked.get(side, 0) for side in SIDES},
        **page(rows, start, "entries"),
        "earlier": state.ledger_count - len(state.ledger),
        "handoff_seconds": handoffs.seconds_in_all(state, end),
        "metrics": figures.metrics(plan, state, end),
    }


def _rows(plan: Plan, state: RunState, end: datetime) -> Iterator[tuple[datetime, Shape]]:
    for booking in (*state.ledger, *([state.booking] if state.booking else [])):
        until = booking.to or end
        if until <= booking.since:
            continue
        for side, begin, stop in split(plan, state, booking, until):
            if stop > begin:
                yield begin, _row(booking, side, begin, stop)


def _row(booking: Booking, side: str, begin: datetime, stop: datetime) -> Shape:
    row: Shape = {
        "item": booking.item or None,
        "stage": booking.stage or None,
        "round": booking.round,
        "side": str(side),
        "who": booking.who or None,
        "from": instant(begin),
        "to": instant(stop),
        "seconds": seconds(begin, stop),
    }
    if booking.held_side is not None:
        row["held_side"] = str(booking.held_side)
    return row
