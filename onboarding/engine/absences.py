"""A person is away for a while: who stands in, who hears of it, and that everything is theirs again afterwards.

What an absence does is worked out where it is needed, see Note [Who has it and who answers] in `presence.py`. Here it is
noted, begun and ended, and whoever has something else to do by that hears of it. Absences are people's time: a hold does not
stop them.
"""

from collections.abc import Mapping

from onboarding.engine import flow
from onboarding.engine.assigning import new_owner
from onboarding.engine.copies import replace
from onboarding.engine.effects import NoticeKind
from onboarding.engine.moves import Told
from onboarding.engine.notices import not_asked, say, when
from onboarding.engine.people import Person, acting, asked_of, known_people, who_is
from onboarding.engine.plan import Plan
from onboarding.engine.presence import (
    acted_for,
    holders,
    is_away,
    members,
    principal,
    stage_owner,
    stand_in,
)
from onboarding.engine.promises import told
from onboarding.engine.refusing import forbidden, must_come, rejected, unknown
from onboarding.engine.state import Absence, PromiseKind, RunState, StageStatus
from onboarding.engine.turn import Turn
from onboarding.engine.waits import left_to_see
from onboarding.language.model import Side
from onboarding.messages import Absence as Said
from onboarding.nearest import nearest

Asked = Mapping[str, tuple[str, ...]]
"""For each open item who is asked to do something about it; for each open stage who has it."""


def absence(turn: Turn, message: Said, person: Person) -> Told:
    """Somebody is away from `since` to `until`. Another absence of the same person replaces the one before."""
    who = _whom(turn, message.person)
    if person.nobody or not (person.provider or person.handle == who):
        said = f"{person.named_as!r} may not say that {who!r} is away; roles of the provider and the person may."
        raise forbidden("not_entitled", said)
    if message.until <= message.since:
        raise rejected("before_since", "An absence ends after it begins.", place="/until")
    must_come(message.until, turn.at, "The end of the absence", "/until")
    to = None if message.to is None else _stand_in_named(turn, message.to, who)
    before = asked(turn.plan, turn.state)
    one = Absence(
        person=who, since=message.since, until=message.until, by=person.handle, to=to, reason=message.reason or "",
        begun=message.since <= turn.at,
    )  # fmt: skip
    turn.set(absences=(*(other for other in turn.state.absences if other.person != who), one))
    entry = turn.state.trail_count + 1  # this message is written into the trail afterwards
    _tell(turn, before, who, entry)
    if one.begun:
        _tell_of_gaps(turn, one, entry)
    return Told(
        item=None, code="absence_noted", sentence=f"{who} is away until {when(one.until)}{_who_answers(turn, one)}."
    )


def begin(turn: Turn, one: Absence) -> None:
    """The absence begins: what the person has is answered by whoever stands in."""
    before = asked(turn.plan, turn.state)
    begun = replace(one, begun=True)
    turn.set(absences=tuple(begun if other is one else other for other in turn.state.absences))
    said = f"{one.person} is away until {when(one.until)}{_who_answers(turn, begun)}"
    turn.record("absence", code="absence_began", sentence=said)
    _tell(turn, before, one.person, turn.state.trail_count)
    _tell_of_gaps(turn, begun, turn.state.trail_count)


def end(turn: Turn, one: Absence) -> None:
    """The person is back and has everything again that is still open."""
    before = asked(turn.plan, turn.state)
    turn.set(absences=tuple(other for other in turn.state.absences if other is not one))
    turn.record("absence", code="absence_ended", sentence=f"{one.person} is back")
    _tell(turn, before, one.person, turn.state.trail_count)


def _whom(turn: Turn, named: str) -> str:
    """The person that a message means: a handle of this run, or whoever has a role, away or not."""
    plan, state = turn.plan, turn.state
    known = known_people(plan, state)
    if named in known:
        return named
    if named in plan.roles and plan.is_group(named):
        raise rejected("not_a_person", f"{named!r} is a group; say which of its members is away.", place="/person")
    if named in plan.roles:
        return principal(plan, state, named)
    if named in plan.contacts:
        return plan.contacts[named]
    raise unknown("unknown_person", f"{named!r} has no part in this run{nearest(named, (*known, *plan.roles)) or '.'}")


def _stand_in_named(turn: Turn, named: str, who: str) -> str:
    to = named
    for side in who_is(turn.plan, turn.state, who).sides or (Side.PROVIDER,):
        to = new_owner(turn, named, None, side, decides=True)
    if to == who:
        raise rejected("stands_in_for_themselves", "Somebody else stands in for who is away.", place="/to")
    return to


def asked(plan: Plan, state: RunState) -> Asked:
    """Who has what now: to be compared with who has it after a change."""
    found = {
        item.id: asked_of(plan, state, item)
        for item in plan.definition.items
        if state.items[item.id].status in flow.ACTIVE
    }
    stages = [name for name, stage in state.stages.items() if stage.status is StageStatus.OPEN]
    return {**found, **{name: (stage_owner(plan, state, name),) for name in stages}}


def _tell(turn: Turn, before: Asked, person: str, entry: int) -> None:
    """Whoever has something now that they did not have hears of it once; whoever was asked and is there, that it is gone.

    `entry` of the trail is about this, and makes the notices of two changes different ones.
    """
    now = asked(turn.plan, turn.state)
    for name, people in now.items():
        was = before.get(name, ())
        new, gone = ([one for one in people if one not in was], [one for one in was if one not in people])
        item = turn.plan.items.get(name)
        title = item.title if item is not None else turn.plan.stages[name].title
        if item is not None and (new or gone):
            turn.item(name, hands=turn.state.items[name].hands + 1)
            not_asked(turn, item, tuple(gone))
        part = f"away.{entry}.{len(turn.effects)}"
        stage = None if item is not None else name
        for one in new:
            behalf = "" if one == person or not is_away(turn.state, person) else f" for {person}, who is away"
            due = f", due {when(turn.state.items[name].due_at)}" if item is not None else ""
            caveats = left_to_see(item, turn.state.items[name]) if item is not None else ()
            lines = (f"{title} is yours now{behalf}{due}.", *caveats)
            say(
                turn,
                NoticeKind.HANDOFF,
                one,
                "handover",
                f"Yours now: {title}",
                lines,
                part=part,
                item=item,
                stage=stage,
            )
            if item is not None:
                told(turn, PromiseKind.ITEM, name, turn.state.items[name].due_at, one)
        for one in gone if new else ():
            if not is_away(turn.state, one):
                lines = (f"{', '.join(people)} has {title} now; nothing is needed from you.",)
                subject = f"Not yours: {title}"
                say(turn, NoticeKind.RETRACTION, one, "retraction", subject, lines, part=part, item=item, stage=stage)


def _tell_of_gaps(turn: Turn, one: Absence, entry: int) -> None:
    """Nobody stands in for what is open: the owner of its stage hears of it, or whoever said that the person is away."""
    plan, state = turn.plan, turn.state
    alone: dict[str, list[str]] = {}
    for item in plan.definition.items:
        if state.items[item.id].status in flow.ACTIVE and acting(plan, state, item)[0] == one.person:
            owner = stage_owner(plan, state, item.stage)
            alone.setdefault(one.by if owner == one.person else owner, []).append(item.title)
    for to, titles in alone.items():
        lines = (
            f"{one.person} is away until {when(one.until)}, and nobody stands in for: {', '.join(titles[:5])}.",
            "Give it to somebody who is there, or say who stands in.",
        )
        part = f"alone.{entry}.{len(turn.effects)}"
        say(turn, NoticeKind.ESCALATION, to, "escalation", f"Nobody stands in for {one.person}", lines, part=part)


def _who_answers(turn: Turn, one: Absence) -> str:
    """Who stands in for what, for the verdict and the trail."""
    plan, away = turn.plan, replace(one, begun=True)
    state = replace(turn.state, absences=(*(o for o in turn.state.absences if o.person != one.person), away))
    roles = [role for role in plan.roles if one.person in members(plan, state, role)]
    found = {role: stand_in(plan, state, one.person, role) for role in roles}
    if one.to is not None and not roles:
        return f"; {one.to} stands in"
    by: dict[str, list[str]] = {}
    for role, who in found.items():
        by.setdefault(who, []).append(role)
    alone = by.pop(one.person, [])
    parts = [f"{who} stands in as {', '.join(names)}" for who, names in by.items()]
    parts += [f"nobody stands in as {', '.join(alone)}"] if alone else []
    return "".join(f"; {part}" for part in parts)


def in_place_of(plan: Plan, state: RunState, name: str, handle: str, item: str | None) -> str | None:
    """The absent person in whose place somebody steers a run who has no part in it of their own, or no right to waive."""
    if not state.absences or name in ("submit", "complete", "decide", "happen"):
        return None
    roles = [role for role in plan.roles if handle in holders(plan, state, role)]
    override = plan.stages[plan.items[item].stage].gate.override if item is not None and name == "waive" else None
    if override is not None:
        roles = [role for role in roles if role in override.by]
    if any(handle in members(plan, state, role) for role in roles):
        return None
    stood = (acted_for(plan, state, role, members(plan, state, role), handle) for role in roles)
    return next((one for one in stood if one is not None), None)
