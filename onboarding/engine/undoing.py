"""Taking back: what hooks did for a run that ends before it is live, where their definition names an `undo`.

The last one first, one after the other: what was built upon something goes before it, and so nothing is touched while a hook is still
at work. One that cannot be taken back keeps none of the others; the owner of its stage hears of it, because nobody else looks at a run
that has ended.
"""

from typing import Any

from onboarding.engine import calling
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say
from onboarding.engine.people import stage_owner
from onboarding.engine.state import Undoable
from onboarding.engine.turn import Turn, clean
from onboarding.language.model import Item


def remember(turn: Turn, item: Item, facts: dict[str, Any]) -> None:
    """The hook of an item came back: from here on there is something to take back. Each round has made something of its own."""
    if item.undo is not None:
        done = Undoable(item=item.id, round=turn.state.items[item.id].round, facts=facts)
        turn.set(undo=(*turn.state.undo, done))


def is_back(turn: Turn, key: str) -> Item | None:
    """The hook that was at work when the run ended, and is not any more, whatever it says."""
    for name in turn.state.at_work:
        item = turn.plan.items[name]
        if key == calling.hook_key(turn, item):
            turn.set(at_work=tuple(one for one in turn.state.at_work if one != name))
            return item
    return None


def tell_left(turn: Turn, item: Item, code: str, sentence: str) -> None:
    """Nobody knows what a hook did that was at work when the run ended: its owner must look."""
    turn.record(
        "hook", item=item.id, outcome="rejected", code=code, sentence=f"{item.title} was at work at the end: {clean(sentence)}"
    )  # fmt: skip
    lines = (
        f"The run has ended while {item.title} was at work, and nobody knows what it has left behind: {clean(sentence)}",
        f"Look whether something is there, and take it back by hand; the activity {item.undo!r} was not called for it.",
    )
    say(
        turn, NoticeKind.ESCALATION, stage_owner(turn.plan, turn.state, item.stage), "escalation", f"Perhaps not taken back: {item.title}",
        lines, part="left", item=item,
    )  # fmt: skip


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
    """An undo failed at every attempt, or for good, or a hook that was at work at the end did not say how it went: a person has to look."""
    lost = is_back(turn, key)
    if lost is not None:
        tell_left(turn, lost, code, sentence)
        calling.call_next_undo(turn)
        return
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
        lines, part=f"undo{turn.state.undo[-1].round}", item=item,
    )  # fmt: skip
    _go_on(turn)


def _awaited(turn: Turn, key: str) -> Item | None:
    if turn.state.at_work or not turn.state.undo:
        return None
    done = turn.state.undo[-1]
    return turn.plan.items[done.item] if key == calling.undo_key(turn, done) else None


def _go_on(turn: Turn) -> None:
    turn.set(undo=turn.state.undo[:-1])
    calling.call_next_undo(turn)
