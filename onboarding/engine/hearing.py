"""How long the customer hears nothing: the longest stretch between two words that left for somebody of theirs.

Counted in elapsed time from the start to the end of the run, also while it is on hold: whoever hears nothing does not know why.
A retraction that names what it calls off counts for nothing, because it leaves only where that had left.
"""

from collections.abc import Mapping
from datetime import datetime

from onboarding.engine.effects import Notice
from onboarding.engine.state import RunState
from onboarding.engine.turn import Turn
from onboarding.language.model import Side


def heard(turn: Turn, notice: Notice) -> None:
    """Something is said to somebody of the customer."""
    if notice.side == Side.CUSTOMER and not notice.retracts:
        last, longest, telling = _counted(turn.state, turn.at)
        turn.set(told_at=last, longest_silence=longest, telling={**telling, notice.key: notice.leaves_at})


def unheard(turn: Turn, keys: tuple[str, ...]) -> None:
    """Notices are withdrawn: what has not left was never heard."""
    kept = {key: at for key, at in turn.state.telling.items() if key not in keys or at < turn.at}
    if len(kept) != len(turn.state.telling):
        turn.set(telling=kept)


def longest_silence(state: RunState) -> int:
    """Seconds of the longest stretch so far, the one that goes on included."""
    until = state.closed_at or state.at
    last, longest, _ = _counted(state, until)
    return max(longest, _seconds(last or state.started_at, until))


def _counted(state: RunState, at: datetime) -> tuple[datetime | None, int, Mapping[str, datetime]]:
    """The last word that has left by `at`, the longest stretch before it, and what is still to leave."""
    last, longest = state.told_at, state.longest_silence
    for left in sorted(one for one in state.telling.values() if one <= at):
        longest = max(longest, _seconds(last or state.started_at, left))
        last = left
    return last, longest, {key: one for key, one in state.telling.items() if one > at}


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
