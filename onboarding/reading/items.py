"""What is known about one item: who has it, since when, what it waits for, in a sentence that a manager can act on."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from onboarding.engine import answers, gates, health
from onboarding.engine.flow import ACTIVE
from onboarding.engine.people import acting, has_since, item_owner, stands_for
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunState, StageStatus
from onboarding.engine.waits import clause, not_made, titles, waits_for
from onboarding.language.model import Item, ItemKind, Side
from onboarding.reading.shapes import Shape, cut, instant, no_cursor, no_such, page, place_of, spoken

NOTHING = "nothing happens by itself"
_WITH_US = (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW)


def item_row(plan: Plan, state: RunState, item: Item) -> Shape:
    """An item as `status` shows it."""
    current = state.items[item.id]
    return {
        "id": item.id,
        "stage": item.stage,
        "kind": str(item.kind),
        "title": cut(item.title),
        "status": str(current.status),
        "owner": item_owner(plan, state, item),
        "side": str(Side.PROVIDER if current.by_person else item.side),
        "round": current.round,
        "opened_at": instant(current.opened_at),
        "due_at": instant(current.due_at),
        "answered_at": instant(current.answered_at),
        "closed_at": instant(current.closed_at),
        "late": current.late or current.overdue,
        "outcome": current.outcome,
        "steps": len(current.fired),
        "mark": str(current.mark) if current.mark else None,
        "waits_for": waits_for(plan, state, item),
        "answer": answers.present(plan, state, item) if current.status in ACTIVE else None,
        "stands_for": stands_for(plan, state, item) if current.status in ACTIVE else None,
        "assign_at": instant(current.assign_at),
    }


def open_ones(plan: Plan, state: RunState) -> tuple[Item, ...]:
    """The items somebody has to do something about, in the order of the definition."""
    return tuple(item for item in plan.definition.items if state.items[item.id].status in ACTIVE)


def open_items(plan: Plan, state: RunState, at: datetime, cursor: Any = None) -> Shape:
    """The open items with who has each, since when, and what it blocks."""
    start = place_of(cursor)
    if start is None:
        return no_cursor()
    return page(((plan.place[item.id], _open_row(plan, state, item)) for item in open_ones(plan, state)), start)


def _open_row(plan: Plan, state: RunState, item: Item) -> Shape:
    who, side = acting(plan, state, item)
    return {
        **item_row(plan, state, item),
        "who": who,
        "waiting_on": str(side),
        "since": instant(has_since(state.items[item.id])),
        "blocks": [name for name in plan.dependents[item.id] if not gates.item_met(state, name)],
    }


# Why ------------------------------------------------------------------------------------------------------------------


def blocker(plan: Plan, state: RunState, name: str) -> str | None:
    """The open item that an item waits for in the end: itself when it is open, else the nearest one up its needs."""
    seen: dict[str, None] = {}
    frontier = [name]
    while frontier:
        one = frontier.pop(0)
        if one in seen:
            continue
        seen[one] = None
        if state.items[one].status in ACTIVE:
            return one
        if state.items[one].status is ItemStatus.NOT_READY:
            frontier += _before(plan, state, one)
    return None


def _before(plan: Plan, state: RunState, name: str) -> Iterator[str]:
    item = plan.items[name]
    for need in (*state.items[name].awaits, *item.needs, *plan.stages[item.stage].needs):
        if need in plan.items:
            yield need
        else:
            yield from (one for one in plan.stages[need].items if not plan.items[one].optional)


def why(plan: Plan, state: RunState, item: Any, at: datetime) -> Shape:
    """What an item waits for, who holds it, since when, what happens next and when."""
    if not isinstance(item, str) or item not in plan.items:
        return no_such("item", item, plan.items)
    rule, current = plan.items[item], state.items[item]
    met = gates.item_met(state, item)
    held_up = None if met else blocker(plan, state, item)
    coming = None if met else _next(plan, state, held_up)
    who, since = (None, None) if met else _holder(plan, state, held_up)
    parts = [_settled(plan, state, rule) if met else clause(plan, state, rule) + _dates(plan, state, item, held_up)]
    if current.by_person and current.faults and not met:
        parts.append(
            "; ".join(f"its hook failed: {cut(one.sentence).rstrip('.')} ({one.code})" for one in current.faults[:1])
        )
    if coming is not None:
        parts.append(f"next: {cut(coming[1])} on {spoken(coming[0])}")
    if state.hold is not None and not met:
        parts.append(f"the run is on hold since {spoken(state.hold.since)}, no clock of this item goes on")
    parts += not_made(rule, current)
    return {
        "item": item,
        "status": str(current.status),
        "sentence": cut(f'"{cut(rule.title, 80)}" {"; ".join(parts)}.', 1_000),
        "holder": who,
        "since": instant(since),
        "blocked_by": held_up if held_up != item else None,
        "due_at": instant(current.due_at),
        "due_why": current.due_why or None,
        "answer": answers.present(plan, state, rule) if current.status in ACTIVE else None,
        "stands_for": stands_for(plan, state, plan.items[held_up]) if held_up is not None else None,
        "next": {"at": instant(coming[0]), "what": cut(coming[1])} if coming else {"at": None, "what": NOTHING},
    }


def _holder(plan: Plan, state: RunState, held_up: str | None) -> tuple[str | None, datetime | None]:
    """Whoever has the item that is in the way; when none is, a gate is, and its stage's owner has that."""
    if held_up is None:
        return health.current_owner(plan, state), health.waiting_since(state)
    return acting(plan, state, plan.items[held_up])[0], has_since(state.items[held_up])


def _dates(plan: Plan, state: RunState, name: str, held_up: str | None) -> str:
    """Since when and until when, and of an item that cannot open yet: who has the one in its way."""
    if held_up is None:
        return ""
    current = state.items[held_up]
    since, due = has_since(current), current.due_at
    who = acting(plan, state, plan.items[held_up])[0]
    parts = ["" if held_up == name else f"; {who} has {titles(plan, (held_up,))}"]
    if since is not None:
        parts.append(f"{', ' if held_up == name else ' '}since {spoken(since)}")
    if due is not None and current.status not in _WITH_US:
        parts.append(f", due {spoken(due)}{' and overdue' if current.overdue else ''}")
    return "".join(parts)


def _next(plan: Plan, state: RunState, name: str | None) -> tuple[datetime, str] | None:
    if state.hold is not None:
        return state.hold.review_at, "the hold is reviewed"
    mine = ((moment, what) for moment, what, item in health.upcoming(plan, state) if name is not None and item == name)
    return next(mine, None)


def _settled(plan: Plan, state: RunState, item: Item) -> str:
    current = state.items[item.id]
    on = f" on {spoken(current.closed_at)}" if current.closed_at else ""
    by = f" by {current.actors[-1]}" if current.actors else ""
    match current.status:
        case ItemStatus.DONE:
            outcome = f", outcome {current.outcome}" if current.outcome else ""
            tacit = ", by time-out as the definition says" if current.tacit else ""
            return f"was done{by}{on}{outcome}{tacit}{', late' if current.late else ''}"
        case ItemStatus.WAIVED:
            debt = next((one for one in reversed(state.debts) if one.item == item.id), None)
            return f"was waived{f' by {debt.by}' if debt else ''}{on}"
        case ItemStatus.CANCELLED if item.kind is ItemKind.HOOK and current.not_made:
            return f"ended the run{on}"
        case ItemStatus.CANCELLED:
            return f"is no longer needed{on}: its stage or the run ended without it"
        case _ if current.outcome is not None:
            return f"was skipped{on} ({current.outcome})"
        case _ if state.stages[item.stage].status is StageStatus.SKIPPED:
            return "is not needed, because its stage is not"
        case _ if item.when is not None:
            holds, reason = gates.holds(plan, state, item.when)
            behind = f": {cut(reason, 200).rstrip('.')}" if reason and not holds else ""
            return f"is not needed, because its condition {cut(item.when, 200)!r} was false{behind}"
        case _:
            return "is not needed in this run"
