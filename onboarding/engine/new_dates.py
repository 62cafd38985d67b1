"""Another date for something that is open already, or for going live: whoever it concerns hears of it, all of it at once."""

from onboarding.engine.deadlines import WAITING
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say, when, withdraw
from onboarding.engine.people import asked_of, main_contact
from onboarding.engine.promises import told
from onboarding.engine.state import Alarm, ItemState, PromiseKind, RunStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Item


def tell(turn: Turn) -> None:
    """Looks at what this turn has moved: an extension, the end of a hold, another calendar. Nobody is told what they said themselves."""
    if turn.state.status is RunStatus.CLOSED:
        return
    moved, live = _moved(turn), _going_live(turn)
    contact = main_contact(turn.plan, turn.state) if live else None
    if contact is not None:
        moved.setdefault(contact, [])
    for handle, items in moved.items():
        lines = tuple(_line(turn, item) for item in items)
        if handle == contact:
            lines += live
            _take_back(turn)
        first = items[0].title if items else "going live"
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        notice = say(
            turn, NoticeKind.ASK, handle, "reminder", f"Another date: {first}{more}", lines, part=f"date.{turn.state.trail_count}",
            item=items[0] if items else None, items=tuple(item.id for item in items),
        )  # fmt: skip
        if handle == contact and not items:
            turn.set(live_told=Alarm(to=handle, key=notice.key, leaves_at=notice.leaves_at))
        for item in items:
            told(turn, PromiseKind.ITEM, item.id, turn.state.items[item.id].due_at, handle)


def _take_back(turn: Turn) -> None:
    """What was to be said about going live, and has not left, is not true any more."""
    before = turn.state.live_told
    turn.set(live_told=None)
    if before is not None and before.leaves_at > turn.at:
        withdraw(turn, (before.key,))


def _moved(turn: Turn) -> dict[str, list[Item]]:
    """Person to the items of theirs that have another date now."""
    found: dict[str, list[Item]] = {}
    for name, current in turn.state.items.items():
        before = turn.before.items.get(name)
        if before is not None and before is not current and _has_moved(before, current):
            item = turn.plan.items[name]
            for handle in asked_of(turn.plan, turn.state, item):
                if handle != turn.speaker:
                    found.setdefault(handle, []).append(item)
    return found


def _has_moved(before: ItemState, current: ItemState) -> bool:
    """Whether the same ask has another date now; a new ask and a handover tell theirs themselves."""
    same = (before.round, before.opened_at, before.owner) == (current.round, current.opened_at, current.owner)
    return same and current.status in WAITING and before.due_at != current.due_at


def _line(turn: Turn, item: Item) -> str:
    before, now = turn.before.items[item.id].due_at, turn.state.items[item.id].due_at
    return f"{item.title} is due {when(now)}{f', not {when(before)}' if before else ''}."


def _going_live(turn: Turn) -> tuple[str, ...]:
    """The line about going live. Where a date was agreed, nobody need hear what we had planned before."""
    before, now = turn.before.promised_at, turn.state.promised_at
    if not turn.before.trail_count or before == now:
        return ()
    agreed = turn.state.promises[-1].cause == "agreed"
    return (f"You go live on {when(now)}{f', not on {when(before)}' if before and not agreed else ''}.",)
