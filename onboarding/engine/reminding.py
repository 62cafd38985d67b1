"""Reminders, and the report against silence: what the run says by itself, one person at a time.

They are said in the reader's hours, `min_gap` after the last thing, and with `digest` once for each person and day. What may not
be said yet is planned again for the instant at which it may, so that it says then what holds then.
"""

from onboarding.engine import deadlines, readers
from onboarding.engine.copies import replace
from onboarding.engine.effects import NoticeKind
from onboarding.engine.health import current_stage, waiting_on
from onboarding.engine.notices import also_open, say, when
from onboarding.engine.people import acting, main_contact, who_is
from onboarding.engine.promises import told
from onboarding.engine.state import ItemStatus, Planned, PromiseKind
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Side


def remind(turn: Turn, item: Item, planned: Planned) -> None:
    """The instant of a reminder has come: it is said, alone or with the others of that day, or it waits a little more."""
    to = acting(turn.plan, turn.state, item)[0]
    free = readers.free_from(turn, to)
    if free > turn.at:
        deadlines.put(turn, item, replace(planned, at=free, put_off=True))
        return
    deadlines.again(turn, item, planned)
    day = readers.day_of(turn, to, planned.at)
    others = deadlines.take_along(turn, to, day)
    deadlines.take(turn, item, lambda one: one.at == planned.at)
    together = (item, *(one for one in others if one is not item))
    part = f"{planned.index}.{planned.times}.{planned.at:%Y%m%dT%H%M%S}"
    if len(together) > 1:
        names = tuple(one.id for one in together)
        say(
            turn, NoticeKind.DIGEST, to, "reminder", f"Reminder: {len(together)} points are open", also_open(turn, together),
            part=f"digest{part}", item=item, items=names,
        )  # fmt: skip
        return
    due_at = turn.state.items[item.id].due_at
    lines = (f"{item.title} is due {when(due_at)}.", f"Answer with the item's id: {item.id}.")
    said = say(
        turn, NoticeKind.REMINDER, to, "reminder", f"Reminder: {item.title}", lines, part=f"reminder{part}", item=item
    )
    turn.item(item.id, sent=(*turn.state.items[item.id].sent, said.key))


def report(turn: Turn) -> None:
    """The customer has heard nothing for as long as they may: they hear how it stands, and nothing of how we work inside."""
    to = main_contact(turn.plan, turn.state)
    if to is None:
        turn.set(silence_at=None)
        return
    free = readers.free_from(turn, to)
    if free > turn.at:
        turn.set(silence_at=free)
        return
    lines = (_what_we_have(turn), *_what_comes(turn), _next_date(turn))
    subject = f"How it stands: {turn.plan.definition.title}"
    say(turn, NoticeKind.SILENCE, to, "silence", subject, lines, part=f"silence.{turn.at:%Y%m%dT%H%M%S}")
    for item, _ in _theirs(turn):
        told(turn, PromiseKind.ITEM, item.id, turn.state.items[item.id].due_at, to)
    stage = turn.state.stages[current_stage(turn.plan, turn.state)]
    if stage.target_at is not None and stage.target_at > turn.at:
        told(turn, PromiseKind.STAGE, stage.id, stage.target_at, to)


def _what_we_have(turn: Turn) -> str:
    have = [
        item.title
        for item in turn.plan.items.values()
        if turn.plan.asks_customer(item) and turn.state.items[item.id].status is ItemStatus.DONE
        and _came_from_them(turn, item)
    ]  # fmt: skip
    return f"We have from you: {', '.join(have)}." if have else "Nothing has arrived from you yet."


def _came_from_them(turn: Turn, item: Item) -> bool:
    """Whether somebody gave it; a decision that both sides may make can be ours alone."""
    current = turn.state.items[item.id]
    if current.tacit or not current.actors:
        return False
    return item.kind is not ItemKind.APPROVAL or any(one in turn.plan.order.customer_contacts for one in current.actors)


def _what_comes(turn: Turn) -> tuple[str, ...]:
    """Their open asks with who of them has each; where there is none, whose turn it is and in which stage."""
    plan, state = turn.plan, turn.state
    theirs = _theirs(turn)
    if theirs:
        waits = [f"{item.title}{_role(turn, who)}, due {when(state.items[item.id].due_at)}" for item, who in theirs]
        return f"We wait for: {'; '.join(waits)}.", "You act next."
    title = plan.stages[current_stage(plan, state)].title
    if waiting_on(plan, state) == Side.THIRD_PARTY:
        return ("Nothing is needed from you now.", f"We wait for a third party: {title}.")
    return ("Nothing is needed from you now.", f"We act next: {title}.")


def _theirs(turn: Turn) -> list[tuple[Item, str]]:
    """What is asked of the customer and open, and who of them has it; wishes are left out."""
    plan, state = turn.plan, turn.state
    open_asks = [
        (item, *acting(plan, state, item))
        for item in plan.items.values()
        if plan.asks_customer(item) and state.items[item.id].status in deadlines.WAITING
        and (not item.optional or state.items[item.id].wanted)
    ]  # fmt: skip
    return [(item, who) for item, who, side in open_asks if side is Side.CUSTOMER]


def _role(turn: Turn, handle: str) -> str:
    """Which of them it is; two of the customer may have something open at once."""
    roles = who_is(turn.plan, turn.state, handle).roles
    found = next((role for role in roles if turn.plan.roles[role].side is Side.CUSTOMER), None)
    return f" ({found})" if found else ""


def _next_date(turn: Turn) -> str:
    stage = turn.state.stages[current_stage(turn.plan, turn.state)]
    dates = (
        (stage.target_at, f"{turn.plan.stages[stage.id].title} is planned until"),
        (turn.state.promised_at, "All of it is planned until"),
    )
    for at, said in dates:
        if at is not None and at > turn.at:
            return f"Next date: {said} {when(at)}."
    return (
        "The planned date has passed; nobody has named another one yet."
        if any(at for at, _ in dates)
        else "No date is set for it."
    )
