"""What an item waits for, in a sentence that somebody can act on."""

from onboarding.engine import gates
from onboarding.engine.people import acting, asked_of, stands_for, still_to_decide
from onboarding.engine.phrases import cut, listed, spoken
from onboarding.engine.plan import Plan
from onboarding.engine.seating import counted, seats
from onboarding.engine.state import ItemState, ItemStatus, RunState, StageStatus
from onboarding.language.model import Item, ItemKind


def missing(item: Item, state: ItemState) -> tuple[str, ...]:
    """What an open request still lacks: required fields and files that are in no draft."""
    found = [
        field.title or field.name for field in item.fields if field.required and field.name not in state.draft_fields
    ]
    if item.files is not None and len(state.draft_files) < item.files.min:
        count = item.files.min - len(state.draft_files)
        found.append("1 file" if count == 1 else f"{count} files")
    if item.secret:
        found.append("a reference to the secret")
    return tuple(found)


def waits_for(plan: Plan, state: RunState, item: Item) -> str | None:
    """What an item waits for, as a sentence; `None` once nobody waits for it any more."""
    return None if gates.item_met(state, item.id) else sentence(plan, state, item)


def sentence(plan: Plan, state: RunState, item: Item) -> str:
    """What an item that is not finished waits for, also where nobody waits for it."""
    said = "; ".join((clause(plan, state, item), *not_made(item, state.items[item.id])))
    return cut(f"{said[0].upper()}{said[1:]}.", 300)


def not_made(item: Item, state: ItemState) -> tuple[str, ...]:
    """What of an item could not be done and why, to be put into a sentence."""
    hook = item.kind is ItemKind.HOOK
    return tuple(
        f"{'its hook failed' if hook else f'the check {one.place} could not be made'}: {cut(one.sentence, 300).rstrip('.')} ({one.code})"
        for one in state.not_made
    )


def to_review(item: Item, state: ItemState) -> tuple[str, ...]:
    """What a reviewer is asked. A check that could not be made is theirs to make up for, so they hear of it."""
    return (f"{item.title} was answered and waits for you: accept or return.", *left_to_see(item, state))


def left_to_see(item: Item, state: ItemState) -> tuple[str, ...]:
    """What whoever takes something over must know besides: which checks nobody could make."""
    return tuple(f"{said[0].upper()}{said[1:]}." for said in not_made(item, state))


def clause(plan: Plan, state: RunState, item: Item) -> str:
    """What an item waits for, to be put into a sentence."""
    current = state.items[item.id]
    if current.status is ItemStatus.NOT_READY:
        return _not_ready(plan, state, item)
    who = _who(plan, state, item)
    match current.status:
        case ItemStatus.ANSWERED:
            pairs = zip(item.checks, current.checks, strict=False)
            pending = [check.activity for check, word in pairs if word == "pending" and check.blocks]
            return (
                f"waits for the checks of the answer: {listed(pending)}"
                if pending
                else f"waits for {who} to go on with it"
            )
        case ItemStatus.IN_REVIEW:
            return f"waits for {who} to accept or return the answer"
        case _:
            return _to_do(plan, state, item, who)


def named(plan: Plan, state: RunState, item: Item) -> str:
    """Who has an open item now, and in whose place: `lars for dana`."""
    who, absent = acting(plan, state, item)[0], stands_for(plan, state, item)
    return who if absent is None else f"{who} for {absent}"


def _who(plan: Plan, state: RunState, item: Item) -> str:
    """Who has an open item now: by name, for whom, or that a group may still take it."""
    who, current = named(plan, state, item), state.items[item.id]
    if current.assign_at is None:
        return who
    return f"one of {listed(asked_of(plan, state, item))} to take it by {spoken(current.assign_at)} ({who} sees to it until then)"


def _to_do(plan: Plan, state: RunState, item: Item, who: str) -> str:
    current = state.items[item.id]
    match item.kind:
        case ItemKind.REQUEST | ItemKind.EVENT if item.event is not None:
            return f"waits for the event {item.event!r} from outside; {who} sees to it"
        case ItemKind.REQUEST if current.status is ItemStatus.RETURNED:
            wrong = listed([cut(fault.sentence).rstrip(".") for fault in current.faults], 3)
            return f"waits for {who} to correct the answer{': ' if wrong else ''}{wrong}"
        case ItemKind.REQUEST:
            lacking = listed([cut(one, 40) for one in missing(item, current)])
            return f"waits for {who} to deliver {lacking or 'it'}"
        case ItemKind.APPROVAL:
            said = counted(seats(plan, state, item), state, item)
            asked = asked_of(plan, state, item) if current.assign_at is None else ()
            now = acting(plan, state, item)[0]
            left = [who if one == now else one for one in asked]
            names = listed([outcome.name for outcome in item.outcomes])
            votes = f"; {len(said)} of {item.quorum} decisions are there" if item.quorum > 1 else ""
            if current.assign_at is None and not still_to_decide(plan, state, item):
                return f"waits for {now} to find somebody who may decide ({names}){votes}"
            return f"waits for {listed(left) or who} to decide ({names}){votes}"
        case ItemKind.HOOK if not current.by_person:
            return f"waits for the activity {item.activity!r} to come back"
        case _:
            facts = listed([field.name for field in item.provides if field.required])
            return f"waits for {who} to do it{' and give ' if facts else ''}{facts}"


def _not_ready(plan: Plan, state: RunState, item: Item) -> str:
    current, stage = state.items[item.id], plan.stages[item.stage]
    if current.awaits and not gates.needs_met(plan, state, current.awaits):
        return f"waits for {titles(plan, unmet(plan, state, current.awaits))} to come back corrected"
    lacking = unmet(plan, state, item.needs)
    if state.stages[stage.id].status is not StageStatus.OPEN:
        first = unmet(plan, state, stage.needs)
        behind = f", which waits for {titles(plan, first)}" if first else ""
        return f'waits for its stage "{cut(stage.title)}" to begin{behind}'
    lacking = lacking or unmet(plan, state, stage.needs)
    if lacking:
        return f"waits for {titles(plan, lacking)} to be finished"
    return "waits for nothing more and opens next"


def unmet(plan: Plan, state: RunState, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if not gates.need_met(state, name))


def titles(plan: Plan, names: tuple[str, ...]) -> str:
    """Stages and items by their titles."""
    found = [plan.stages[name].title if name in plan.stages else plan.items[name].title for name in names]
    return listed([f'"{cut(title, 80)}"' for title in found])
