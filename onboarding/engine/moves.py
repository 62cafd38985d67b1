"""The moves of items: what the moves have in common, and the two short ones, complete and happen.

Submit is in `submitting.py`, decide in `deciding.py`, what hooks and checks answer in `hooks_back.py`. Every move looks first
and changes afterwards, in the order of refusal of the contract: names, kind, entitlement, closed stage, decided item, content.
A move that cannot happen raises `Refuse` before it has changed anything.
"""

from dataclasses import dataclass
from typing import Any

from onboarding.engine import flow, gates, matching, rules
from onboarding.engine.notices import receipt
from onboarding.engine.people import Person, item_owner, may_complete, speaks_for, who_is
from onboarding.engine.refusing import Refuse, conflict, forbidden, rejected, rejected_for, unknown
from onboarding.engine.state import ItemStatus, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, ItemKind, Side, SignalRule
from onboarding.language.values import check_fields
from onboarding.messages import Complete, Happen, OutcomeWord
from onboarding.nearest import nearest

RIGHT_MESSAGE = {
    ItemKind.REQUEST: "submit",
    ItemKind.TASK: "complete",
    ItemKind.APPROVAL: "decide",
    ItemKind.EVENT: "happen",
    ItemKind.HOOK: "nothing: the engine runs it",
}
"""What to send for an item of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a move tells the sender; `held` when the message is kept for later and nothing else happened.

    `absent` is the person in whose place the sender acted, where that person is away.
    """

    item: str | None
    code: str
    sentence: str
    held: bool = False
    absent: str | None = None


def find_item(turn: Turn, name: str, place: str = "") -> Item:
    """The item called `name`, or a refusal with the nearest one; `place` tells which of several names is meant."""
    item = turn.plan.items.get(name)
    if item is None:
        raise unknown(
            "unknown_item",
            f"This run has no such item{f' (at {place})' if place else ''}{nearest(name, turn.plan.items)}.",
        )
    return item


def refuse_closed(turn: Turn, item: Item, code: str) -> None:
    """Refuses what comes too late for an item: its stage is closed, or the item is."""
    current = turn.state.items[item.id]
    owed = current.status in flow.ACTIVE and gates.item_debt(turn.state, item.id) is not None
    if current.status is ItemStatus.WAIVED or owed:
        return  # what was waived is debt, and debt may be paid at any time
    if current.status in flow.LOOKED_AT:
        return  # an answer that was accepted is looked at, whatever has happened around it
    if current.tacit and item.kind is not ItemKind.APPROVAL:
        return  # passed by time-out, as the definition says: late work stays welcome
    stage = turn.state.stages[item.stage]
    if stage.status in (StageStatus.DONE, StageStatus.SKIPPED):
        left = f" on {stage.left_at:%Y-%m-%d %H:%M} UTC" if stage.left_at else ""
        title = turn.plan.stages[item.stage].title
        said = f"{title} was closed{left}; ask its owner to reopen {item.id!r}."
        raise Refuse(OutcomeWord.CLOSED, "stage_closed", said, item=item.id)
    if current.status is ItemStatus.SKIPPED:
        raise conflict("not_needed", f"{item.id!r} is not needed in this run.", item=item.id)
    if current.status is ItemStatus.CANCELLED:
        raise conflict("not_needed", f"{item.id!r} is no longer needed.", item=item.id)
    if current.status is ItemStatus.DONE:
        who = current.actors[-1] if current.actors else (current.answer.by if current.answer else "the run itself")
        at = f" on {current.closed_at:%Y-%m-%d %H:%M} UTC" if current.closed_at else ""
        raise conflict(code, f"{item.id!r} was settled by {who}{at} ({current.outcome or 'done'}).", item=item.id)


def refuse_closed_stage(turn: Turn, stage: str, item: str | None = None) -> None:
    """Refuses what can only be done while a stage is not closed."""
    state = turn.state.stages[stage]
    if state.status in (StageStatus.DONE, StageStatus.SKIPPED):
        title = turn.plan.stages[stage].title
        raise Refuse(OutcomeWord.CLOSED, "stage_closed", f"{title} is closed; reopen what is needed first.", item=item)


def find_stage(turn: Turn, name: str) -> str:
    """The id of a stage, or a refusal with the nearest one."""
    if name not in turn.plan.stages:
        raise unknown("unknown_stage", f"This run has no such stage{nearest(name, turn.plan.stages)}.")
    return name


def provider_only(person: Person, what: str) -> None:
    """Refuses whoever is not of our side."""
    if person.nobody or not person.provider:
        raise forbidden("not_entitled", f"{person.named_as!r} may not {what}; roles of the provider may.")


def wrong_kind(item: Item, use: str) -> Refuse:
    """The message is for another kind of item."""
    article = "an" if item.kind[0] in "ae" else "a"
    return rejected("wrong_kind", f"{item.id!r} is {article} {item.kind}; use {use}.", place="/item", item=item.id)


def kept(item: Item, what: str) -> Told:
    """An early message: everything about it is right but the time."""
    return Told(item=item.id, code="held", sentence=f"{item.title} is not open yet; {what} is kept for it.", held=True)


def together(*handles: str) -> tuple[str, ...]:
    """Handles in order, each once."""
    return tuple(dict.fromkeys(handles))


def behalf_of(turn: Turn, named: str | None) -> tuple[str, ...]:
    """The handle that somebody speaks for, if any."""
    return (who_is(turn.plan, turn.state, named).handle,) if named else ()


def progress_sentence(turn: Turn, item: Item) -> str:
    """Where an item is now, for the verdict."""
    return f"{item.title}: {turn.state.items[item.id].status.replace('_', ' ')}."


def complete(turn: Turn, message: Complete, person: Person) -> Told:
    """A person on our side finishes a task, or a hook that became one."""
    item = find_item(turn, message.item)
    current = turn.state.items[item.id]
    if item.kind is not ItemKind.TASK and not current.by_person:
        raise wrong_kind(item, RIGHT_MESSAGE[item.kind])
    if person.nobody or not may_complete(turn.plan, turn.state, item, person):
        raise forbidden("not_entitled", f"{person.named_as!r} may not complete {item.id!r}.", item=item.id)
    refuse_closed(turn, item, "already_done")
    values, faults = check_fields(item.provides, message.provides, prefix="/provides")
    if faults:
        raise rejected_for(faults, item.id)
    if current.status is ItemStatus.NOT_READY:
        return kept(item, "this")
    absent = speaks_for(turn.plan, turn.state, item, person.handle)
    behalf = together(*behalf_of(turn, message.on_behalf_of), *((absent,) if absent else ()))
    turn.item(
        item.id,
        actors=together(*current.actors, person.handle, *behalf),
        answered_at=turn.at,
        tacit=False,
        outcome=None,
    )
    flow.finish_item(turn, item, person.handle)
    turn.learn(values, item.id, person.handle)
    return Told(item=item.id, code="completed", sentence=progress_sentence(turn, item), absent=absent)


def happen(turn: Turn, message: Happen, person: Person) -> Told:
    """The outside world says so; an event that comes before its item opens is kept."""
    rule = turn.plan.signals.get(message.event)
    if rule is None or rule.fulfils not in turn.plan.items:
        raise unknown("unknown_event", f"This run waits for no such event{nearest(message.event, turn.plan.signals)}.")
    item = turn.plan.items[rule.fulfils]
    if not (person.integration or person.provider):
        raise forbidden(
            "not_entitled", f"{person.named_as!r} may not report events; integrations and our side may.", item=item.id
        )
    refuse_closed(turn, item, "already_done")
    _refuse_another_run(turn, rule, message.data)
    current = turn.state.items[item.id]
    if current.status is ItemStatus.NOT_READY:
        return kept(item, "the event")
    turn.item(item.id, actors=together(*current.actors, person.handle), answered_at=turn.at, tacit=False, outcome=None)
    flow.finish_item(turn, item, person.handle)
    if item.kind is ItemKind.REQUEST and turn.plan.roles[item.owner].side is Side.CUSTOMER:
        receipt(turn, item, item_owner(turn.plan, turn.state, item))
    return Told(item=item.id, code="happened", sentence=progress_sentence(turn, item))


def _refuse_another_run(turn: Turn, rule: SignalRule, data: dict[str, Any]) -> None:
    """Refuses an event about another customer, and one that does not say about whom it is."""
    order = turn.plan.order
    strict = order.rules_version >= rules.EVENTS_NAME_THEIR_RUN
    for name, path in rule.match.items():
        steps = matching.steps(path)
        found, wanted = matching.found(data, steps), matching.expected(order, name)
        if found is matching.SILENT and not strict:
            continue  # it was sent to this run by its name, which was enough
        if found is matching.SILENT:
            said = f"The event does not say which {name} it is about; give it as {'.'.join(steps)!r}."
        elif matching.fits(found, wanted) and not (strict and wanted is None):
            continue
        else:
            said = f"The event's {'.'.join(steps)!r} names another {name}."
        raise rejected("not_this_run", said, place="/data/" + "/".join(steps), item=rule.fulfils)
