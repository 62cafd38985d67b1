"""How a move says no: one exception inside the engine, turned into a verdict in one place."""

from datetime import datetime

from onboarding.messages import MessageFault, OutcomeWord, spoken


class Refuse(Exception):
    """Raised by a move that will not happen. Never leaves `engine/`: `machine.apply` makes a verdict of it."""

    def __init__(
        self, outcome: OutcomeWord, code: str, sentence: str, *, place: str = "", item: str | None = None,
        faults: tuple[MessageFault, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(code)
        self.outcome = outcome
        self.code = code
        self.sentence = sentence
        self.item = item
        self.faults = faults or (
            (MessageFault(place=place, code=code, sentence=sentence),) if outcome is OutcomeWord.REJECTED else ()
        )


def rejected(code: str, sentence: str, *, place: str, item: str | None = None) -> Refuse:
    """Content that does not fit, at `place`."""
    return Refuse(OutcomeWord.REJECTED, code, sentence, place=place, item=item)


def rejected_for(faults: tuple[MessageFault, ...], item: str | None = None) -> Refuse:
    """Content with several faults; the first one speaks for all."""
    return Refuse(OutcomeWord.REJECTED, faults[0].code, spoken(faults), item=item, faults=faults)


def forbidden(code: str, sentence: str, *, item: str | None = None) -> Refuse:
    """Somebody who may not."""
    return Refuse(OutcomeWord.FORBIDDEN, code, sentence, item=item)


def conflict(code: str, sentence: str, *, item: str | None = None) -> Refuse:
    """Something that is decided already."""
    return Refuse(OutcomeWord.CONFLICT, code, sentence, item=item)


def unknown(code: str, sentence: str) -> Refuse:
    """A name that does not exist in this run; `sentence` may end with the nearest one, as a question."""
    return Refuse(OutcomeWord.UNKNOWN, code, sentence.replace("?.", "?"))


FURTHEST_DAYS = 3_650
"""Ten years: a date beyond is a slip of the pen."""


def must_come(at: datetime | None, now: datetime, what: str, place: str, *, item: str | None = None) -> None:
    """A date that somebody gives lies ahead, and not beyond what anybody plans; `None` is no date."""
    if at is None:
        return
    if at <= now:
        raise rejected("in_past", f"{what} lies in the past.", place=place, item=item)
    if (at - now).days > FURTHEST_DAYS:
        raise rejected("too_far", f"{what} is more than ten years away.", place=place, item=item)
