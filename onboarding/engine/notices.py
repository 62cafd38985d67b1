"""What a run says to people. A notice names what it is about, what is missing, who acts next and by when; never an address."""

from datetime import datetime

from onboarding.engine import deadlines, hearing, readers, silence
from onboarding.engine.copies import replace
from onboarding.engine.effects import Notice, NoticeKind
from onboarding.engine.people import asked_of, holder, side_of, stage_owner
from onboarding.engine.promises import told
from onboarding.engine.state import Alarm, Debt, HoldState, ItemState, ItemStatus, PromiseKind
from onboarding.engine.turn import Turn
from onboarding.language.model import Item

PROMPTS = (NoticeKind.ASK, NoticeKind.REMINDER, NoticeKind.DIGEST, NoticeKind.SILENCE)
"""What prompts somebody: the least gap counts from it, and of a run that has ended nobody needs it."""

_ASKING = (NoticeKind.ASK, NoticeKind.HANDOFF)
"""What says that something is theirs to do: not true any more once it is done, or somebody else's."""


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
    retracts: tuple[str, ...] = (),
) -> Notice:
    """Asks for one notice to one person; `part` is what distinguishes it within its item and round.

    Whatever the run says by itself waits for the reader's hours, with `send_in: working_hours`. A receipt does not: it answers
    what somebody has just done.
    """
    state = turn.state
    stage_id = item.stage if item is not None else stage
    if item is not None:
        about, round_ = item.id, state.items[item.id].round
    else:
        about, round_ = stage_id or "run", state.stages[stage_id].visit if stage_id else 1
    key = f"{state.run}/{about}/{round_}/{part}/{to}"
    reads_at = turn.at if kind is NoticeKind.RECEIPT else readers.reads_from(turn, to, turn.at)
    waits = reads_at > turn.at
    if kind is NoticeKind.ASK and not waits:
        # One that waits takes nothing along: what it said of other items might be settled when it leaves. What is asked for now
        # keeps the reminders of its own day.
        said = (item.id if item else "", *items)

        def stays(one: Item) -> bool:
            return state.items[one.id].opened_at == turn.at or one.id in said

        lines += also_open(turn, deadlines.take_along(turn, to, readers.day_of(turn, to, turn.at), stays))
    notice = Notice(
        key=key, kind=kind, to=to, template=template, subject=subject, lines=lines, run=state.run, customer=state.customer,
        at=turn.at, stage=stage_id, item=item.id if item else None, round=round_, step=step, items=items,
        not_before=reads_at if waits else None, retracts=retracts, side=side_of(turn.plan, turn.state, to),
    )  # fmt: skip
    turn.notify(notice)
    _note(turn, notice)
    return notice


def _note(turn: Turn, notice: Notice) -> None:
    """What later notices depend on: who was written to when, and which asks may still be taken back."""
    if notice.kind in PROMPTS and turn.plan.definition.contact.min_gap is not None:
        _prompted(turn, notice)
    if notice.kind in _ASKING and notice.not_before is not None:
        for name in notice.items or ((notice.item,) if notice.item else ()):
            turn.item(name, unsent_asks=(*turn.state.items[name].unsent_asks, notice.key))
    silence.heard(turn, notice)
    hearing.heard(turn, notice)


def _prompted(turn: Turn, notice: Notice) -> None:
    coming = {**turn.state.unread, notice.key: notice.leaves_at}
    left = {key.rpartition("/")[2]: at for key, at in sorted(coming.items(), key=lambda one: one[1]) if at <= turn.at}
    turn.set(unread={key: at for key, at in coming.items() if at > turn.at}, written={**turn.state.written, **left})


def also_open(turn: Turn, items: tuple[Item, ...]) -> tuple[str, ...]:
    """One line for each item somebody is reminded of: what, until when, and its id."""
    return tuple(f"{item.title} is due {when(turn.state.items[item.id].due_at)}: {item.id}" for item in items)


def ask_for_opened(turn: Turn) -> None:
    """Asks for everything that opened in this turn; requests of one bundle are one ask, and each person sees only their part."""
    groups: dict[str, list[Item]] = {}
    for name in dict.fromkeys(turn.opened):
        item = turn.plan.items[name]
        current = turn.state.items[name]
        if current.opened_at != turn.at or current.status not in (ItemStatus.OPEN, ItemStatus.RETURNED):
            continue
        groups.setdefault(f"bundle:{item.bundle}" if item.bundle else name, []).append(item)
    turn.opened.clear()
    for members in groups.values():
        if any(turn.plan.asks_customer(item) for item in members):
            _count_ask(turn, members[0])
        readers: dict[str, list[Item]] = {}
        for item in members:
            for handle in asked_of(turn.plan, turn.state, item):
                readers.setdefault(handle, []).append(item)
        for handle, mine in readers.items():
            _ask(turn, handle, mine)


def _count_ask(turn: Turn, item: Item) -> None:
    asks, budget = turn.state.asks + 1, turn.plan.definition.contact.request_budget
    turn.set(asks=asks)
    if budget is not None and asks == budget + 1:  # further rounds make it no worse, and nothing is left unasked
        said = f"ask {asks} to the customer, and the budget is {budget}"
        turn.record("ask", item=item.id, code="over_budget", sentence=said)


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
    notice = say(
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
    for item in items:
        asked_beside(turn, item, notice)
        told(turn, PromiseKind.ITEM, item.id, turn.state.items[item.id].due_at, handle)


def asked_beside(turn: Turn, item: Item, notice: Notice) -> None:
    """Whoever of a group does it: the others who were asked hear that they need not."""
    current = turn.state.items[item.id]
    if current.assign_at is not None:
        turn.item(item.id, alarms=with_alarm(current.alarms, notice))


def receipt(turn: Turn, item: Item, to: str) -> None:
    """Confirms an answer at once: what arrived, what is missing, who acts next, by when."""
    answer = turn.state.items[item.id].answer
    arrived = list(answer.fields) if answer else []
    if answer is not None and answer.files:
        arrived.append("1 file" if len(answer.files) == 1 else f"{len(answer.files)} files")
    open_items = [
        turn.plan.items[name]
        for name, current in turn.state.items.items()
        if current.opened_at is not None and current.closed_at is None and current.answered_at is None and name != item.id
        and to in asked_of(turn.plan, turn.state, turn.plan.items[name])
    ]  # fmt: skip
    missing = ", ".join(other.title for other in open_items[:5]) or "nothing from you at the moment"
    if item.review is None:
        following = stage_owner(turn.plan, turn.state, item.stage)
    elif not turn.plan.is_group(item.review):
        following = holder(turn.plan, turn.state, item.review)
    else:
        following = item.review  # whose turn it will be is not known yet
    until = turn.state.stages[item.stage].target_at
    coming = until if until is not None and until > turn.at else None
    lines = (
        f"Arrived: {', '.join(arrived) or item.title}",
        f"Still missing: {missing}",
        f"Next: {following} goes on with it{f', by {when(coming)}' if coming else ''}",
    )
    told(turn, PromiseKind.STAGE, item.stage, coming, to)
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
    not_asked(turn, item, tuple(one for one in asked if one not in to))
    current = turn.state.items[item.id]
    gone = tuple(one for one in current.alarms if one.to in asked and one.to not in to)
    turn.item(item.id, alarms=tuple(one for one in current.alarms if one not in gone))
    line = f"{', '.join(to)} has {item.title} now; nothing is needed from you."
    _call_off(turn, gone, "", "retraction", f"Not yours: {item.title}", line, part=f"gone.{current.hands}", item=item)


def not_asked(turn: Turn, item: Item, people: tuple[str, ...]) -> None:
    """It is not theirs any more: an ask that has not left is taken back."""
    current = turn.state.items[item.id]
    gone = tuple(key for key in current.unsent_asks if key.rpartition("/")[2] in people)
    if gone:
        turn.item(item.id, unsent_asks=tuple(key for key in current.unsent_asks if key not in gone))
        withdraw(turn, gone)


def settled(turn: Turn, item: Item, by: str, *, said: str = "is settled") -> None:
    """People who were alarmed hear that it is settled, and what has not left yet is withdrawn."""
    current = turn.state.items[item.id]
    turn.item(item.id, sent=(), alarms=(), unsent_asks=(), mark=None)
    withdraw(turn, (*current.sent, *current.unsent_asks))
    line = f"{item.title} {said}; nothing more is needed from you now."
    part = f"settled.{len(current.fired)}.{turn.state.trail_count}"
    _call_off(turn, current.alarms, by, "retraction", f"Settled: {item.title}", line, part=part, item=item)


def withdraw(turn: Turn, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Takes back what has not left, and says of which notices; an ask that still asks for something else stays."""
    if not keys:
        return ()
    asking = {key for item in turn.state.items.values() for key in _asking(item)}
    gone = tuple(key for key in keys if key not in asking)
    turn.withdrawn += gone
    kept = {key: at for key, at in turn.state.unread.items() if key not in gone or at <= turn.at}
    if len(kept) != len(turn.state.unread):
        turn.set(unread=kept)
    silence.unheard(turn, gone)
    hearing.unheard(turn, gone)
    return gone


def _asking(item: ItemState) -> tuple[str, ...]:
    return (*item.unsent_asks, *(one.key for one in item.alarms))


def with_alarm(alarms: tuple[Alarm, ...], notice: Notice) -> tuple[Alarm, ...]:
    """The alarms with one more. Of those that one person has read already, the latest is enough."""
    new = Alarm(to=notice.to, key=notice.key, leaves_at=notice.leaves_at)
    read = [one for one in alarms if one.to == new.to and one.leaves_at <= notice.at]
    if read and notice.not_before is None:
        new = replace(new, again=True)
        return tuple(new if one is read[0] else one for one in alarms if one not in read[1:])
    return (*alarms, new)


def _call_off(
    turn: Turn,
    alarms: tuple[Alarm, ...],
    by: str,
    template: str,
    subject: str,
    line: str,
    *,
    part: str,
    item: Item | None = None,
    stage: str | None = None,
) -> None:
    """Takes back alarms that nobody has read yet. Who has read one, and did not settle it themselves, hears of it.

    "Read" is by the clock: one that should have left a moment ago may still be on its way. So the retraction names what it calls
    off, and whoever delivers it knows what of that has left.
    """
    gone = withdraw(turn, tuple(one.key for one in alarms))
    readers: dict[str, list[Alarm]] = {}
    for one in alarms:
        if one.leaves_at <= turn.at and one.to != by:
            readers.setdefault(one.to, []).append(one)
    for handle, read in readers.items():
        heard = any(one.again or one.key not in gone for one in read)
        retracts = () if heard else tuple(one.key for one in read)
        say(
            turn, NoticeKind.RETRACTION, handle, template, subject, (line,), part=part, item=item, stage=stage, retracts=retracts
        )  # fmt: skip


def goes_on(turn: Turn, stage: str, by: str, *, said: str = "goes on") -> None:
    """Something moves in a stage: people who were told that nothing does hear of it."""
    current = turn.state.stages[stage]
    if not current.alarms:
        return
    turn.stage(stage, alarms=())
    title = turn.plan.stages[stage].title
    line = f"{title} {said}; nothing is needed from you now."
    part = f"goes_on.{current.progress_at:%Y%m%dT%H%M%S}"
    _call_off(turn, current.alarms, by, "goes_on", f"It goes on: {title}", line, part=part, stage=stage)


def paid(turn: Turn, debt: Debt) -> None:
    """A waiver is settled: people who were told that it has run out hear of it."""
    n = next(n for n, one in enumerate(turn.state.debts) if one is debt)
    settled_debt = replace(debt, settled_at=turn.at, alarms=())
    turn.set(debts=tuple(settled_debt if one is debt else one for one in turn.state.debts))
    line = f"{debt.text} is settled; nothing more is needed from you now."
    _call_off(turn, debt.alarms, "", "retraction", f"Settled: {debt.text}", line, part=f"paid.{n}", stage=debt.stage)


def resumed(turn: Turn, held: HoldState, by: str, *, said: str = "goes on") -> None:
    """A hold is over: people who were asked to review it hear of it."""
    line = f"The run {said}; there is nothing to review any more."
    part = f"resumed.{held.since:%Y%m%dT%H%M%S}"
    _call_off(turn, held.alarms, by, "goes_on", "No longer on hold", line, part=part)


def all_over(turn: Turn) -> None:
    """The run ends: whoever was told of something that stands still hears that nobody waits for it any more."""
    said = "has ended with the onboarding"
    for stage in turn.state.stages:
        goes_on(turn, stage, "", said=said)
    for debt in turn.state.debts:
        if debt.alarms:
            paid(turn, debt)
    if turn.state.hold is not None:
        resumed(turn, turn.state.hold, "", said="has ended")
