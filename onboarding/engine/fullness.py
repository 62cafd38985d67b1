"""What a run holds of what others sent, and how much it may: all of it travels with the run, and the facts with every hook.

Note [Counted when it comes]
    An answer becomes facts when somebody accepts it, perhaps a week later, and is then there twice. It is counted twice from
    the start, so that no decision, no clock and no early message that meets its item can be what is too much.
"""

import hashlib

from pydantic_core import to_json

from onboarding import limits
from onboarding.engine.refusing import Refuse
from onboarding.engine.state import Remembered, RunState, RunStatus
from onboarding.engine.turn import Turn
from onboarding.messages import OutcomeWord

MOST = {
    "submit": limits.CONTENT_BYTES, "complete": limits.CONTENT_BYTES, "happen": limits.CONTENT_BYTES, "waive": limits.STATE_BYTES,
    "set_calendar": limits.STATE_BYTES,
}  # fmt: skip
"""The messages that make a run larger, with what it may hold after them. The others replace what was there, or are cut."""


def content_bytes(state: RunState) -> int:
    """Bytes of everything that messages have put into a run, see Note [Counted when it comes]."""
    items = state.items.values()
    twice = [(one.answer.fields, one.answer.files) for one in items if one.answer is not None]
    drafts = [(one.draft_fields, one.draft_files) for one in items if one.draft_fields or one.draft_files]
    facts = [fact for fact in state.facts.values() if state.items[fact.item].answer is None]
    early = [held.content for held in state.held]
    calendars = (state.calendars, state.calendar_changes)
    undo = len(to_json(state.undo)) if state.undo else 0
    return 2 * len(to_json((twice, early))) + len(to_json((drafts, facts, state.debts, calendars))) + undo


def refuse_overfull(turn: Turn, name: str, moved: RunState) -> None:
    """Refuses a message after which a run would hold too much. `moved` is the run right after it, before what followed.

    Judged at the end, because what ends a run is never refused: it makes nothing larger any more.
    """
    if turn.state.status is RunStatus.CLOSED:
        return
    if len(turn.before.remembered) >= limits.REMEMBERED_MESSAGES:
        said = f"A run takes {limits.REMEMBERED_MESSAGES} messages in its life; only what ends it is taken now, such as cancel."
        raise Refuse(OutcomeWord.TOO_LARGE, "run_full", said)
    most = MOST.get(name)
    if most is None or (size := content_bytes(moved)) <= most or size <= content_bytes(turn.before):
        return
    said = f"The run would hold {size} bytes of answers and facts, {most} are allowed; give long texts as files by reference."
    raise Refuse(OutcomeWord.TOO_LARGE, "run_full", said)


def remembered_as(message_id: str) -> str:
    """The key under which an id is remembered: itself, or its digest, which is longer than any id that is kept as it is."""
    given = message_id.encode("utf-8", "surrogatepass")
    return message_id if len(given) <= limits.REMEMBERED_ID_BYTES else f"sha256:{hashlib.sha256(given).hexdigest()}"


def first_answer(state: RunState, message_id: str) -> Remembered | None:
    """What was answered to this id before. Runs of earlier releases remember long ids as they are."""
    return state.remembered.get(remembered_as(message_id)) or state.remembered.get(message_id)
