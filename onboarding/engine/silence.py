"""The silence guard: how long the customer has heard nothing, whatever it was that they heard last."""

from datetime import datetime, timedelta

from onboarding.engine import calendars, moving, readers
from onboarding.engine.effects import Notice, NoticeKind
from onboarding.engine.people import main_contact
from onboarding.engine.turn import Turn
from onboarding.language.model import Side


def begin(turn: Turn) -> None:
    """The run starts, and with it the time in which the customer must hear something."""
    if turn.plan.definition.contact.max_silence is not None:
        turn.set(heard_at=turn.at)
        count(turn)


def heard(turn: Turn, notice: Notice) -> None:
    """Something is said. To whomever of the customer, their silence is over when it leaves."""
    if turn.plan.definition.contact.max_silence is None:
        return
    if notice.kind is NoticeKind.SILENCE or notice.side == Side.CUSTOMER:
        turn.set(coming={**turn.state.coming, notice.key: notice.leaves_at})
        count(turn)


def unheard(turn: Turn, keys: tuple[str, ...]) -> None:
    """Notices are withdrawn: what has not left was never heard."""
    kept = {key: at for key, at in turn.state.coming.items() if key not in keys or at <= turn.at}
    if len(kept) != len(turn.state.coming):
        turn.set(coming=kept)
        count(turn)


def count(turn: Turn) -> None:
    """Counts anew from what was heard last, or is surely on its way."""
    longest, main = turn.plan.definition.contact.max_silence, main_contact(turn.plan, turn.state)
    if longest is None or main is None:
        turn.set(silence_at=None)
        return
    last = turn.state.heard_at or turn.at  # a run of a release that did not listen is listened to from now on
    left = [at for at in turn.state.coming.values() if at <= turn.at]
    coming = {key: at for key, at in turn.state.coming.items() if at > turn.at}
    last = max((last, *left))
    from_now = max((last, *coming.values()))
    silence_at = moving.reckoned(calendars.add, readers.clock_of(turn, main), from_now, longest)
    turn.set(heard_at=last, coming=coming, silence_at=silence_at)


def resumed(turn: Turn, since: datetime) -> None:
    """A hold is over: the silence before it counts, the time that was held does not."""
    longest, main = turn.plan.definition.contact.max_silence, main_contact(turn.plan, turn.state)
    count(turn)
    if longest is None or main is None or turn.state.heard_at is None:
        return
    clock = readers.clock_of(turn, main) if longest.is_business else ()
    spent = calendars.working_seconds(clock, turn.state.heard_at, since)
    moved = (
        moving.reckoned(calendars.add_working_seconds, clock, turn.at, -spent)
        if clock
        else turn.at - timedelta(seconds=spent)
    )
    turn.set(heard_at=moved)
    count(turn)
