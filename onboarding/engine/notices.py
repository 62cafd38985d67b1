"""What a run says to people. A notice names what it is about, what is missing, who acts next and by when; never an address."""

from datetime import datetime

from onboarding.engine.effects import Notice, NoticeKind
from onboarding.engine.people import asked_of, holder, item_owner, stage_owner
from onboarding.engine.state import ItemStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind


def when(at: datetime | None) -> str:
    """An instant for people; the sender of a notice turns it into the reader's zone where it knows one."""
    return "no date" if at is None else f"{at:%a %d %b %Y %H:%M} UTC"


def say(
    turn: Turn,
    kind: NoticeKind,
    to: str,
    template: str,
    subject: str,
    lines: tuple[str, ...],
    *,
    part: str,
    item: Item | None = None,
    stage: str | None = None,
    step: int = 0,
    items: tuple[str, ...] = (),
) -> str:
    """Asks for one notice to one person and returns its key; `part` is what distinguishes it within its item and round."""
    state = turn.state
    stage_id = item.stage if item is not None else stage
    if item is not None:
        about, round_ = item.id, state.items[item.id].round
    else:
        about, round_ = stage_id or "run", state.stages[stage_id].visit if stage_id else 1
    key = f"{state.run}/{about}/{round_}/{part}/{to}"
    turn.notify(
        Notice(
            key=key, kind=kind, to=to, template=template, subject=subject, lines=lines, run=state.run, customer=state.customer,
            at=turn.at, stage=stage_id, item=item.id if item else None, round=round_, step=step, items=items,
        )
    )  # fmt: skip
    return key


def ask_for_opened(turn: Turn) -> None:
    """Asks for everything that opened in this turn; requests of one bundle are one ask, and each person sees only their part."""
    groups: dict[str, list[Item]] = {}
    for name in dict.fromkeys(turn.opened):
        item = turn.plan.items[name]
        current = turn.state.items[name]
        if current.opened_at != turn.at or current.status not in (ItemStatus.OPEN, ItemStatus.RETURNED):
            continue
        if item.kind in (ItemKind.EVENT, ItemKind.HOOK) and not current.by_person:
            continue
        groups.setdefault(f"bundle:{item.bundle}" if item.bundle else name, []).append(item)
    turn.opened.clear()
    for members in groups.values():
        if any(turn.plan.asks_customer(item) for item in members):
            turn.set(asks=turn.state.asks + 1)
        readers: dict[str, list[Item]] = {}
        for item in members:
            asked = asked_of(turn.plan, turn.state, item)
            for handle in asked:
                readers.setdefault(handle, []).append(item)
            if turn.state.items[item.id].assign_at is not None:
                # Whoever of them does it: the others hear that they need not.
                turn.item(item.id, alarmed=tuple(dict.fromkeys((*turn.state.items[item.id].alarmed, *asked))))
        for handle, mine in readers.items():
            _ask(turn, handle, mine)


def _ask(turn: Turn, handle: str, items: list[Item]) -> None:
    first = items[0]
    lines: list[str] = []
    for item in items:
        current = turn.state.items[item.id]
        lines.append(f"{item.title}, due {when(current.due_at)}")
        lines += [f"{fault.place}: {fault.sentence}" for fault in current.faults[:10]]
    returned = any(turn.state.items[item.id].round > 1 for item in items)
    lines.append(f"Answer with the item's id: {', '.join(item.id for item in items)}.")
    subject = first.title if len(items) == 1 else f"{first.title} and {len(items) - 1} more"
    say(
        turn,
        NoticeKind.ASK,
        handle,
        "returned" if returned else "ask",
        f"Please see to: {subject}" if not returned else f"Once more, please: {subject}",
        tuple(lines),
        part=f"ask.{turn.state.items[first.id].opened_at:%Y%m%dT%H%M%S}",
        item=first,
        items=tuple(item.id for item in items),
    )


def receipt(turn: Turn, item: Item, to: str) -> None:
    """Confirms an answer at once: what arrived, what is missing, who acts next, by when."""
    answer = turn.state.items[item.id].answer
    arrived = list(answer.fields) if answer else []
    if answer is not None and answer.files:
        arrived.append("1 file" if len(answer.files) == 1 else f"{len(answer.files)} files")
    open_items = [
        turn.plan.items[name]
        for name, current in turn.state.items.items()
        if item_owner(turn.plan, turn.state, turn.plan.items[name]) == to and current.opened_at is not None and current.closed_at is None and name != item.id
        and current.answered_at is None
    ]  # fmt: skip
    missing = ", ".join(other.title for other in open_items[:5]) or "nothing from you at the moment"
    if item.review is None:
        following = stage_owner(turn.plan, turn.state, item.stage)
    elif not turn.plan.is_group(item.review):
        following = holder(turn.plan, turn.state, item.review)
    else:
        following = item.review  # whose turn it will be is not known yet
    lines = (
        f"Arrived: {', '.join(arrived) or item.title}",
        f"Still missing: {missing}",
        f"Next: {following} goes on with it",
    )
    number = str(turn.state.items[item.id].answers) if answer else "event"
    say(
        turn,
        NoticeKind.RECEIPT,
        to,
        item.confirm,
        f"Received: {item.title}",
        lines,
        part=f"receipt.{number}",
        item=item,
    )


def not_taken(turn: Turn, item: Item, to: str, why: str, sent_at: datetime) -> None:
    """Whoever answered early, and was told that it is kept, hears that it is not needed after all."""
    if to in turn.plan.order.customer_contacts:
        lines = (f"What you sent on {when(sent_at)} was not taken: {why}", "Nothing more is needed from you.")
        part = f"early.{sent_at:%Y%m%dT%H%M%S}.{turn.state.refused_count}"
        say(turn, NoticeKind.RETRACTION, to, "returned", f"Not needed: {item.title}", lines, part=part, item=item)


def taken_by(turn: Turn, item: Item, to: tuple[str, ...], asked: tuple[str, ...]) -> None:
    """Whoever was asked beside the one who has it now hears that it is not theirs to do."""
    current = turn.state.items[item.id]
    gone = [handle for handle in asked if handle not in to]
    for handle in gone:
        lines = (f"{', '.join(to)} has {item.title} now; nothing is needed from you.",)
        say(
            turn, NoticeKind.RETRACTION, handle, "retraction", f"Not yours: {item.title}", lines,
            part=f"gone.{current.hands}", item=item,
        )  # fmt: skip
    turn.item(item.id, alarmed=tuple(handle for handle in current.alarmed if handle not in gone))


def settled(turn: Turn, item: Item, by: str, *, said: str = "is settled") -> None:
    """People who were alarmed hear that it is settled, and what has not left yet is withdrawn."""
    current = turn.state.items[item.id]
    turn.withdrawn += current.sent
    for handle in current.alarmed:
        if handle != by:
            lines = (f"{item.title} {said}; nothing more is needed from you now.",)
            say(
                turn, NoticeKind.RETRACTION, handle, "retraction", f"Settled: {item.title}", lines,
                part=f"settled.{len(current.fired)}.{turn.state.trail_count}", item=item,
            )  # fmt: skip
    turn.item(item.id, sent=(), alarmed=(), mark=None)
