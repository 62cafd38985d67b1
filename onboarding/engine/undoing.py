"""Taking back: what hooks did for a run that ends before it is live, where their definition names an `undo`.

The last one first, one after the other: what was built upon something goes before it. One that cannot be taken back keeps none of the
others; the owner of its stage hears of it, because nobody else looks at a run that has ended.
"""

from typing import Any

from onboarding.engine import calling
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say
from onboarding.engine.people import stage_owner
from onboarding.engine.turn import Turn, clean
from onboarding.language.model import Item


def remember(turn: Turn, item: Item) -> None:
    """The hook of an item came back: from here on there is something to take back."""
    if item.undo is not None:
        turn.set(undo=(*(one for one in turn.state.undo if one != item.id), item.id))


def answered(turn: Turn, key: str, result: Any) -> None:
    """An undo came back. Only `ok` says that it did its work: silence is no yes."""
    item = _awaited(turn, key)
    if item is None:
        return
    if isinstance(result, dict) and result.get("ok") is True:
        turn.record("hook", item=item.id, code="hook_undone", sentence=f"{item.title} is taken back")
        _go_on(turn)
    else:
        failed(turn, key, "hook_refused", "It did not say that the work is taken back.")


def failed(turn: Turn, key: str, code: str, sentence: str) -> None:
    """An undo failed at every attempt, or for good: a person has to look."""
    item = _awaited(turn, key)
    if item is None:
        return
    turn.record(
        "hook",
        item=item.id,
        outcome="rejected",
        code=code,
        sentence=f"{item.title} is not taken back: {clean(sentence)}",
    )
    lines = (
        f"The run has ended, and what {item.title} did is still there: {clean(sentence)}",
        f"Take it back by hand; the activity {item.undo!r} could not.",
    )
    say(
        turn, NoticeKind.ESCALATION, stage_owner(turn.plan, turn.state, item.stage), "escalation", f"Not taken back: {item.title}",
        lines, part="undo", item=item,
    )  # fmt: skip
    _go_on(turn)


def _awaited(turn: Turn, key: str) -> Item | None:
    if not turn.state.undo:
        return None
    item = turn.plan.items[turn.state.undo[-1]]
    return item if key == calling.undo_key(turn, item) else None


def _go_on(turn: Turn) -> None:
    turn.set(undo=turn.state.undo[:-1])
    calling.call_next_undo(turn)
