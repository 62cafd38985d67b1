"""Another calendar in the middle of a run: set_calendar. What is still to come is counted anew, what is over stays.

Note [Counted anew]
    A due date is counted again from when its item opened, then moved by every hold since, as if the calendar had been there from
    the start. What somebody gave (`extend`) stays given, what was acted on stays done, and nothing moves into the past: what would
    have been due by now is due at the next instant. While the run is on hold, "now" is when it was held.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from onboarding import limits
from onboarding.engine import deadlines, moving, silence
from onboarding.engine.calendars import Calendar, Clock, Zone, ever_works
from onboarding.engine.copies import replace
from onboarding.engine.moves import Told, provider_only
from onboarding.engine.people import Person, known_people
from onboarding.engine.plan import Plan, personal
from onboarding.engine.refusing import Refuse, rejected, rejected_for, unknown
from onboarding.engine.state import CalendarChange, RunState, StageStatus
from onboarding.engine.turn import Turn
from onboarding.language.model import Item, Stage
from onboarding.language.words import Holiday, Hours, Week
from onboarding.messages import MessageFault, OutcomeWord, SetCalendar, ZoneData, canonical_actor
from onboarding.nearest import nearest

EARLIEST, LATEST = -2_208_988_800, 7_258_118_400
"""1900 to 2200, in seconds since 1970: zone data beyond is a slip of the pen."""
_A_DAY = 86_400

_WEEK: TypeAdapter[tuple[int, ...]] = TypeAdapter(Week)
_HOURS: TypeAdapter[tuple[tuple[int, int], ...]] = TypeAdapter(Hours)
_HOLIDAY: TypeAdapter[str] = TypeAdapter(Holiday)

Calendars = Mapping[str, Calendar]


def set_calendar(turn: Turn, message: SetCalendar, person: Person) -> Told:
    """A calendar is replaced, or somebody gets one of their own; what was left out stays as it is."""
    targets = _targets(turn.plan, turn.state, message.calendar)
    provider_only(person, "set a calendar")
    changes = _changes(message)
    made = {name: replace(base, **_meant_for(name, message, changes)) for name, base in targets.items()}
    if not all(ever_works((calendar,)) for calendar in made.values()):
        said = "The calendar would have no working time for two years on end; change its week, hours or holidays."
        raise rejected("no_working_time", said, place=f"/{next(iter(changes))}")
    new = {name: calendar for name, calendar in made.items() if calendar != targets[name]}
    before = turn.state
    if len(before.calendar_changes) + len(new) > limits.CALENDARS_REPLACED:
        said = f"A run takes {limits.CALENDARS_REPLACED} replacements of calendars in its life."
        raise Refuse(OutcomeWord.TOO_LARGE, "too_many_calendars", said)
    changed = tuple(CalendarChange(at=turn.at, name=name, before=before.calendars.get(name)) for name in new)
    turn.set(calendars={**before.calendars, **new}, calendar_changes=(*before.calendar_changes, *changed))
    _count_anew(turn, before.calendars)
    return Told(item=None, code="calendar_set", sentence=_sentence(turn, before, message.calendar, changes, bool(new)))


def _sentence(turn: Turn, before: RunState, name: str, changes: Mapping[str, Any], changed: bool) -> str:
    if not changed:
        return f"Calendar {name!r} is like that already; no date changes."
    moved = sum(item.due_at != before.items[each].due_at for each, item in turn.state.items.items())
    dates = f"{moved} due date{'s' if moved > 1 else ''} moved" if moved else "no due date moved"
    return f"Calendar {name!r}: {', '.join(changes)} replaced; {dates}."


def _targets(plan: Plan, state: RunState, name: str) -> dict[str, Calendar]:
    """What is replaced, with what counts now: a calendar of the definition, or that of one person.

    The calendars of contacts who have their own zone are made from `customer`: they follow it.
    """
    now, order = state.calendars, plan.order
    named = [one for one in order.calendars if ":" not in one]
    if name in named:
        own = [one for one in order.calendars if one.startswith("customer:")] if name == "customer" else []
        return {each: plan.calendar(now, each) for each in (name, *own)}
    asked = canonical_actor(name)
    handle = plan.contacts.get(asked, asked)
    people = known_people(plan, state)
    if handle not in people:
        hint = nearest(asked, (*named, *plan.contacts, *people)) or "."
        raise unknown("unknown_calendar", f"This run has no such calendar, and nobody of that name{hint}")
    side = "customer" if handle in order.customer_contacts else "provider"
    return {personal(handle): plan.own_calendar(now, handle) or plan.calendar(now, side)}


def _meant_for(name: str, message: SetCalendar, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Contacts who follow `customer` keep the zone that they are in."""
    follows = name.startswith("customer:") and message.calendar == "customer"
    return {key: value for key, value in changes.items() if not (follows and key == "zone")}


# What the message says -----------------------------------------------------------------------------------------------


def _changes(message: SetCalendar) -> dict[str, Any]:
    """The parts of a calendar that are given, as the engine keeps them; every fault of them at once."""
    faults: list[MessageFault] = []
    found: dict[str, Any] = {}
    if message.zone is not None:
        faults += _zone_faults(message.zone)
        found["zone"] = Zone(name=message.zone.name, transitions=message.zone.transitions)
    if message.week is not None:
        written = message.week[0] if len(message.week) == 1 else list(message.week)
        said = "A week is a range such as mon-fri, or a list such as [mon, tue], of mon tue wed thu fri sat sun."
        found["week"] = _read(_WEEK, written, MessageFault(place="/week", code="bad_week", sentence=said), faults)
    if message.hours is not None:
        said = "Hours are windows such as 09:00-17:00 that begin before they end, within one day, and do not overlap."
        fault = MessageFault(place="/hours", code="bad_hours", sentence=said)
        found["hours"] = _read(_HOURS, list(message.hours), fault, faults)
    if message.holidays is not None:
        found["holidays"] = _days_off(message.holidays, faults)
    if not found:
        raise rejected("nothing_given", "Give zone, week, hours or holidays: what is to be another.", place="")
    if faults:
        raise rejected_for(tuple(faults))
    return found


def _read(reader: TypeAdapter[Any], written: object, fault: MessageFault, faults: list[MessageFault]) -> Any:
    try:
        return reader.validate_python(written)
    except ValidationError:
        faults.append(fault)
        return None


def _days_off(written: tuple[str, ...], faults: list[MessageFault]) -> tuple[date, ...]:
    said = "A holiday is a day of the calendar written YYYY-MM-DD, such as 2026-12-25."
    days = [
        _read(_HOLIDAY, day, MessageFault(place=f"/holidays/{index}", code="bad_date", sentence=said), faults)
        for index, day in enumerate(written)
    ]
    return tuple(date.fromisoformat(day) for day in sorted(dict.fromkeys(day for day in days if day is not None)))


def _zone_faults(zone: ZoneData) -> list[MessageFault]:
    faults = []
    if not zone.transitions:
        said = "A zone has at least one pair: from which second on which offset holds."
        faults.append(MessageFault(place="/zone/transitions", code="too_short", sentence=said))
    before: int | None = None
    for index, (begin, offset) in enumerate(zone.transitions):
        place = f"/zone/transitions/{index}"
        if before is not None and begin <= before:
            said = "The changes of a zone stand in the order of time, each later than the one before."
            faults.append(MessageFault(place=f"{place}/0", code="not_ascending", sentence=said))
        if not EARLIEST <= begin < LATEST:
            said = "The changes of a zone lie between 1900 and 2200, in seconds since 1970."
            faults.append(MessageFault(place=f"{place}/0", code="too_far", sentence=said))
        if abs(offset) >= _A_DAY:
            said = "An offset from UTC is given in seconds and shorter than a day."
            faults.append(MessageFault(place=f"{place}/1", code="bad_offset", sentence=said))
        before = begin
    return faults


# What follows from it ------------------------------------------------------------------------------------------------


def _count_anew(turn: Turn, before: Calendars) -> None:
    """Every date that is still to come and depends on a calendar that is another now; Note [Counted anew]."""
    for name, current in turn.state.items.items():
        item = turn.plan.items[name]
        if current.status in deadlines.WAITING and _counts_otherwise(turn.plan, turn.state, before, item):
            count_item(turn, item)
    for stage in turn.plan.definition.stages:
        is_open = turn.state.stages[stage.id].status is StageStatus.OPEN
        if is_open and _stage_clock(turn, stage, before) != _stage_clock(turn, stage, turn.state.calendars):
            count_stage(turn, stage)
    silence.count(turn)


def _stage_clock(turn: Turn, stage: Stage, now: Calendars) -> Clock:
    return turn.plan.clock(now, stage.clock, turn.state.stages[stage.id].owner, turn.plan.roles[stage.owner].side)


def _counts_otherwise(plan: Plan, state: RunState, before: Calendars, item: Item) -> bool:
    """Whether its own clock, or that of whoever is reminded, is another."""
    current, side = state.items[item.id], plan.roles[item.owner].side
    asked = ((item.clock, current.counted_for or current.owner), ("owner", current.owner))
    return any(plan.clock(before, *one, side) != plan.clock(state.calendars, *one, side) for one in asked)


def count_item(turn: Turn, item: Item) -> None:
    """Counts the dates of an item anew that are still to come; where its calendars are the same, so are its dates."""
    current = turn.state.items[item.id]
    laid_at, base, why = current.laid_at, current.due_base, current.due_from
    if laid_at is None or base is None or current.due_at is None:
        return  # nothing is planned, or by a release that did not keep what it was counted from
    holds, held, now = turn.state.holds, deadlines.held_clock(turn, item), _now(turn, laid_at)
    clock = deadlines.item_clock(turn, item)
    if not current.overdue and current.due_at > now:
        given = current.due_given
        if not given and item.due is not None:
            base, why = moving.explained(clock, item.clock, current.opened_at or laid_at, item.due)
        due, said = moving.after_holds(held, base, holds, laid_at), moving.told(why, held, holds, laid_at)
        if due <= now:
            due = base = now + moving.SECOND
            why = said = f"{said}, which had passed when the calendar was replaced"
            laid_at, given = now, True
        turn.item(item.id, due_at=due, due_base=base, due_from=why, due_why=said, laid_at=laid_at, due_given=given)
    planned = list(current.planned)
    for index, one in enumerate(planned):
        if one.at > now and not one.put_off:
            counted = moving.after_holds(held, deadlines.instant_of(turn, item, one, clock), holds, laid_at)
            planned[index] = replace(one, at=max(counted, now + moving.SECOND))
    turn.item(item.id, planned=deadlines.in_order(planned))


def _now(turn: Turn, laid_at: datetime) -> datetime:
    """The instant that the clocks of the run show."""
    return turn.at if turn.state.hold is None else max(turn.state.hold.since, laid_at)


def count_stage(turn: Turn, stage: Stage) -> None:
    """Counts the stall window of an open stage anew, and the target of its first visit where nobody gave it another."""
    state, clock = turn.state.stages[stage.id], _stage_clock(turn, stage, turn.state.calendars)
    now = _now(turn, state.entered_at or turn.at)
    if stage.stall is not None and state.progress_at is not None and not state.stalled:
        stall_at = deadlines.plan_length(clock, state.progress_at, stage.stall)
        turn.stage(
            stage.id, stall_at=_later(turn, clock if stage.stall.is_business else (), stall_at, state.progress_at)
        )
    computed = state.visit == 1 and state.target_set_at is None and state.target_at is not None
    if stage.target is not None and state.entered_at is not None and computed and (state.target_at or now) > now:
        target_at = deadlines.plan_length(clock, state.entered_at, stage.target)
        turn.stage(
            stage.id, target_at=_later(turn, clock if stage.target.is_business else (), target_at, state.entered_at)
        )


def _later(turn: Turn, clock: Clock, at: datetime, since: datetime) -> datetime:
    moved = moving.after_holds(clock, at, turn.state.holds, since, passed_stays=True)
    return max(moved, _now(turn, since) + moving.SECOND)
