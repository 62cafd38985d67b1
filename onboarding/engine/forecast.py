"""When a run will go live: a range, and the item in the way of it.

Note [What a forecast rests on]
    With enough finished runs of the same definition and variant: of those that were in the present stage longer than this run has been,
    how long it took them from here to go live; half of them took no longer than the likely instant says, four of five no longer than the
    late one. Who has been there longer than all of them is taken as if the stage ended now. With fewer runs: every stage takes what is
    planned for it, its `target`, else the due dates of its items one after the other, which is one date and no range. The finished runs
    are those known when the run started: a run asks no database.

Note [Ways of any length]
    Needs may be a chain of hundreds, and an optional item may even need the stage it is in. So what comes after something is found
    without recursion, and what is met again on its own way counts for nothing there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from onboarding import limits
from onboarding.engine import deadlines, flow, gates, going_live, health
from onboarding.engine.people import holder
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, RunStatus, StageStatus
from onboarding.language.units import Duration, Unit
from onboarding.percentile import percentile

_NOMINAL = {
    Unit.BUSINESS_DAY: 7 * 86_400 // 5, Unit.BUSINESS_HOUR: 168 * 3_600 // 40, Unit.DAY: 86_400, Unit.HOUR: 3_600, Unit.MINUTE: 60, Unit.SECOND: 1,
}  # fmt: skip
"""About how many seconds one of each is: to compare ways; dates are counted on calendars."""
_REMEMBERED = 100
"""Ends that a plan remembers: the same one is asked for in every turn until a stage ends or is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When half and four of five runs like this one would be live.

    `runs` is how many that rests on, those that were in the present stage as long, or 0 for the plan.
    """

    likely_at: datetime
    late_at: datetime
    runs: int
    item: str | None
    """The open item that has the longest way to go in the stage that everything up to going live waits for."""


def forecast(plan: Plan, state: RunState, at: datetime) -> Forecast | None:
    """The forecast as of `at`; `None` for a run that is live or over."""
    if state.status is RunStatus.CLOSED or going_live.live_at(plan, state) is not None:
        return None
    since = at if state.hold is None else max(at, state.hold.review_at)
    way = _way(plan, state, at)
    item = _in_the_way(plan, state, at, way[0]) if way else None
    seen = _seen(plan, state, at)
    if seen is None:
        expected = max(since, _planned(plan, state, at, way) + (since - at))
        return Forecast(likely_at=expected, late_at=expected, runs=0, item=item)
    likely, late = (since + timedelta(seconds=round(percentile(seen, percent) or 0)) for percent in (50, 80))
    return Forecast(likely_at=likely, late_at=late, runs=len(seen), item=item)


def at_risk(state: RunState, found: Forecast | None) -> bool:
    """Whether one of five runs like this one would miss the promised date."""
    return found is not None and state.promised_at is not None and found.late_at > state.promised_at


def known_runs(plan: Plan) -> int:
    """Finished runs of this definition and variant that were known when the run started, at most `limits.HISTORY_RUNS`."""
    return 0 if plan.order.history is None else plan.order.history.runs


def _seen(plan: Plan, state: RunState, at: datetime) -> list[int] | None:
    """Seconds from here to going live, ascending, of finished runs that were where this one is."""
    history = plan.order.history
    stage = health.current_stage(plan, state)
    entered = state.stages[stage].entered_at
    if history is None or history.runs < limits.FORECAST_RUNS or entered is None:
        return None
    pairs = history.stages.get(stage, ())
    if len(pairs) < limits.FORECAST_RUNS:
        return None
    spent = _seconds(entered, at if state.hold is None else max(entered, state.hold.since))
    longer = [to_live - spent for inside, to_live in pairs if inside > spent]
    return sorted(max(0, one) for one in longer or (to_live - inside for inside, to_live in pairs))


def _way(plan: Plan, state: RunState, at: datetime) -> tuple[str, ...]:
    """The stages that come one after the other until the customer is live, from an open one on: the longest such way."""
    ways = [
        (max(0, _seconds(at, _ends(state, name, at))) + sum(_length(plan, one) for one in way[1:]), way)
        for name, stage in state.stages.items()
        if stage.status is StageStatus.OPEN and (way := plan_way(plan, state, name))
    ]
    return max(ways, key=lambda one: one[0])[1] if ways else ()


def plan_way(plan: Plan, state: RunState, name: str) -> tuple[str, ...]:
    """The longest way from a stage to going live by planned lengths; empty where going live waits for nothing of it."""
    left_out = tuple(one for one, stage in state.stages.items() if stage.status is StageStatus.SKIPPED)
    goal = {stage.id for stage in plan.definition.stages if stage.milestone == going_live.FIRST_VALUE}
    asked, begun = [name], dict[str, None]()
    while (name, left_out) not in plan.ways:  # see Note [Ways of any length]
        one = asked[-1]
        followers = plan.stage_followers[one]
        unknown = [after for after in followers if (after, left_out) not in plan.ways and after not in begun]
        begun[one] = None
        if unknown:
            asked += unknown
            continue
        asked.pop()
        following = [plan.ways.get((after, left_out), ()) for after in followers]
        longest = max(following, key=lambda way: sum(_length(plan, stage) for stage in way), default=())
        if longest or one in goal or not goal:
            plan.ways[one, left_out] = (*(() if one in left_out else (one,)), *longest)
        else:
            plan.ways[one, left_out] = ()
    return plan.ways[name, left_out]


def _length(plan: Plan, name: str) -> int:
    """About how many seconds are planned for a stage."""
    target = plan.stages[name].target
    if target is not None:
        return _about(target)
    return max((_behind(plan, one) for one in plan.stages[name].items), default=0)


def _behind(plan: Plan, name: str) -> int:
    """About how many seconds are planned for an item and for what comes after it in its stage."""
    asked, begun = [name], dict[str, None]()
    while name not in plan.lengths:  # see Note [Ways of any length]
        item = plan.items[asked[-1]]
        after = [one for one in plan.dependents[item.id] if plan.items[one].stage == item.stage]
        unknown = [one for one in after if one not in plan.lengths and one not in begun]
        begun[item.id] = None
        if unknown:
            asked += unknown
            continue
        asked.pop()
        own = 0 if item.due is None or item.optional else _about(item.due)
        plan.lengths[item.id] = own + max((plan.lengths.get(one, 0) for one in after), default=0)
    return plan.lengths[name]


def _about(duration: Duration) -> int:
    return duration.amount * _NOMINAL[duration.unit]


def _ends(state: RunState, name: str, at: datetime) -> datetime:
    """When an open stage ends as planned: now, where that has passed."""
    return max(state.stages[name].target_at or at, at)


def _planned(plan: Plan, state: RunState, at: datetime, way: tuple[str, ...]) -> datetime:
    """When a way is over if every stage takes what is planned for it, on its own clock."""
    if not way:
        return at
    reached = _ends(state, way[0], at)
    if plan.stages[way[0]].target is None:
        reached += timedelta(seconds=_left_in(plan, state, at, way[0]))
    holders = tuple(holder(plan, state, plan.stages[name].owner) for name in way[1:])
    key = way[1:], reached, holders, len(state.calendar_changes)
    if key not in plan.ends:
        if len(plan.ends) >= _REMEMBERED:
            plan.ends.clear()
        plan.ends[key] = _after(plan, state, way[1:], reached)
    return plan.ends[key]


def _after(plan: Plan, state: RunState, way: tuple[str, ...], reached: datetime) -> datetime:
    """When stages that come one after the other are over, each on its own clock."""
    for name in way:
        stage = plan.stages[name]
        if stage.target is None:
            reached += timedelta(seconds=_length(plan, name))
            continue
        clock = plan.clock(state.calendars, stage.clock, holder(plan, state, stage.owner), plan.roles[stage.owner].side)
        reached = deadlines.plan_length(clock, reached, stage.target)
    return reached


def _left_in(plan: Plan, state: RunState, at: datetime, stage: str) -> int:
    """About how many seconds a stage without a target takes from now on: its open items one after the other."""
    return max((_left_of(plan, state, at, name) for name in _open_in(plan, state, stage)), default=0)


def _in_the_way(plan: Plan, state: RunState, at: datetime, stage: str) -> str | None:
    """The open item of a stage that has most before it."""
    return max(_open_in(plan, state, stage), key=lambda name: _left_of(plan, state, at, name), default=None)


def _open_in(plan: Plan, state: RunState, stage: str) -> list[str]:
    return [name for name in gates.required(plan, state, stage) if state.items[name].status in flow.ACTIVE]


def _left_of(plan: Plan, state: RunState, at: datetime, name: str) -> int:
    due, rule = state.items[name].due_at, plan.items[name].due
    own = 0 if due is None else max(0, _seconds(at, due))
    return own + _behind(plan, name) - (0 if rule is None else _about(rule))


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
