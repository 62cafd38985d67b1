"""When a run will go live: a range, and the item in the way of it.

Note [What a forecast rests on]
    With enough finished runs of the same definition and variant: of those that were in the present stage longer than this run has been,
    how long it took them from here to go live; half of them took no longer than the likely instant says, four of five no longer than the
    late one. Who has been there longer than all of them is taken as if the stage ended now. With fewer runs: everybody answers when it
    is due, which is one date and no range. The finished runs are those known when the run started: a run asks no database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from onboarding import limits
from onboarding.engine import calendars, flow, gates, going_live, health, moving
from onboarding.engine.people import item_owner
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState, RunStatus
from onboarding.percentile import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When half and four of five runs like this one would be live. `runs` is how many that rests on, 0 for the plan."""

    likely_at: datetime
    late_at: datetime
    runs: int
    item: str | None
    """The open item that everything up to going live waits for longest."""


def forecast(plan: Plan, state: RunState, at: datetime) -> Forecast | None:
    """The forecast as of `at`; `None` for a run that is live or over."""
    if state.status is RunStatus.CLOSED or going_live.live_at(plan, state) is not None:
        return None
    since = at if state.hold is None else max(at, state.hold.review_at)
    item, planned = _critical(plan, state, at)
    seen = _seen(plan, state, at)
    if seen is None:
        expected = since + timedelta(seconds=planned)
        return Forecast(likely_at=expected, late_at=expected, runs=0, item=item)
    likely, late = (since + timedelta(seconds=round(percentile(seen, percent) or 0)) for percent in (50, 80))
    assert plan.order.history is not None, "what was seen is history"
    return Forecast(likely_at=likely, late_at=late, runs=plan.order.history.runs, item=item)


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


def _critical(plan: Plan, state: RunState, at: datetime) -> tuple[str | None, int]:
    """The open item with the longest way to going live, and the seconds of that way if everybody answers when it is due."""
    after = _ways(plan, state)
    best: tuple[int, str | None] = (0, None)
    for name, current in state.items.items():
        if current.status not in flow.ACTIVE or name not in after:
            continue
        own = 0 if current.due_at is None else max(0, _seconds(at, current.due_at))
        if best[1] is None or own + after[name] > best[0]:
            best = own + after[name], name
    return best[1], best[0]


def _ways(plan: Plan, state: RunState) -> Mapping[str, int]:
    """For each item on the way to going live: the planned seconds of what comes after it. What is left out takes no time."""
    left_out = tuple(
        name for name, current in state.items.items() if current.status in gates.MET or plan.items[name].optional
    )
    if left_out not in plan.ways:
        plan.ways[left_out] = _measured(plan, state, left_out)
    return plan.ways[left_out]


def _measured(plan: Plan, state: RunState, left_out: tuple[str, ...]) -> dict[str, int]:
    goal = [stage.items for stage in plan.definition.stages if stage.milestone == going_live.FIRST_VALUE]
    wanted = {name for items in goal for name in items} if goal else set(plan.items)
    after: dict[str, int] = {}
    # In the order of the file things come after what they need, or loading refuses them for a circle: so from the end, again until it stands.
    moved = True
    while moved:
        moved = False
        for name in reversed(plan.items):
            ways = [
                after[one] + (0 if one in left_out else _length(plan, state, one))
                for one in plan.followers[name]
                if one in after
            ]
            way = max(ways, default=0 if name in wanted else None)
            if way is not None and after.get(name) != way:
                after[name] = way
                moved = True
    return after


def _length(plan: Plan, state: RunState, name: str) -> int:
    """The planned seconds of an item, counted from the start of the run on its own clock."""
    item = plan.items[name]
    if item.due is None:
        return 0
    clock = plan.clock(state.calendars, item.clock, item_owner(plan, state, item), item.side)
    return _seconds(state.started_at, moving.reckoned(calendars.add, clock, state.started_at, item.due))


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
