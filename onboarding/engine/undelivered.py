"""A notice that could not be brought to its reader: whoever answers for the stage hears of it, because an alarm nobody gets is none."""

import hashlib

from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say
from onboarding.engine.people import deputy_of, stage_owner
from onboarding.engine.turn import Turn, clean
from onboarding.messages import OutcomeWord

_CALLED_OFF, _PART = ("settled", "goes_on", "paid", "resumed"), "undelivered"


def undelivered(turn: Turn, key: str, code: str) -> None:
    """Records it, and tells the owner of the stage, or their deputy where it was the owner who could not be reached.

    Not for what called an alarm off, and not for this notice itself: the third line in the trail would help nobody either.
    """
    said = clean(f"not delivered: {key}")
    if any(entry.sentence == said for entry in turn.state.trail):
        return  # heard before
    turn.record("notice", outcome=OutcomeWord.REJECTED, code=code, sentence=said)
    about, _, part, to = ("", "", "", "") if key.count("/") != turn.state.run.count("/") + 4 else key.rsplit("/", 4)[1:]
    item = turn.plan.items.get(about)
    stage = item.stage if item is not None else about
    if stage not in turn.plan.stages or part.startswith((*_CALLED_OFF, _PART)):
        return
    reader = stage_owner(turn.plan, turn.state, stage)
    if reader == to:
        reader = deputy_of(turn.plan, turn.state, turn.plan.stages[stage].owner) or ""
    if reader in ("", to):
        return
    title = item.title if item is not None else turn.plan.stages[stage].title
    lines = (f"A notice about {title} could not be delivered to {to}.", f"Please reach {to} in another way.")
    number = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    say(
        turn, NoticeKind.ESCALATION, reader, "escalation", f"Not delivered: {title}", lines, part=f"{_PART}.{number}", item=item,
        stage=stage,
    )  # fmt: skip
