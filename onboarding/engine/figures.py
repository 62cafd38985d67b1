"""The numbers of one run: time by side, and the metrics its definition names. Whole seconds or counts; `None` while unknown."""

from datetime import UTC, datetime

from onboarding.engine import booking, eras, handoffs
from onboarding.engine.booking import SIDES
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.language.model import Metric, Side


def by_side(plan: Plan, state: RunState, at: datetime) -> dict[str, int]:
    """Seconds booked to each side from the start to `at` (or to the end of the run); they add up to the elapsed time."""
    found = {str(side): state.booked.get(side, 0) for side in SIDES}
    if state.booking is not None:
        for side, start, end in booking.split(plan, state, state.booking, max(at, state.booking.since)):
            found[str(side)] += int((end - start).total_seconds())
    return found


def metrics(plan: Plan, state: RunState, at: datetime) -> dict[str, int | None]:
    """The definition's metrics: seconds for intervals and sums, numbers for counts."""
    return {metric.id: _value(plan, state, at, metric) for metric in plan.definition.metrics}


def _value(plan: Plan, state: RunState, at: datetime, metric: Metric) -> int | None:
    if metric.count is not None:
        counts = {
            "asks": state.asks,
            "escalations": state.escalations,
            "rounds": state.rounds,
            "refusals": state.refused_count,
        }
        return counts[metric.count]
    if metric.sum == "handoff":
        return handoffs.seconds_in_all(state, at)
    if metric.sum is not None:
        return by_side(plan, state, at)[metric.sum.removeprefix("clock.")]
    start, end = instant(plan, state, metric.start or ""), instant(plan, state, metric.end or "")
    if start is None or end is None:
        return None
    if metric.clock == "calendar":
        return int((end - start).total_seconds())
    side = Side.CUSTOMER if metric.clock == "customer" else Side.PROVIDER
    windows = eras.working_windows(plan, state, metric.clock, "", side, start, end)
    return sum(int((stop - begin).total_seconds()) for begin, stop in windows)


def instant(plan: Plan, state: RunState, path: str) -> datetime | None:
    """The instant that `input.x`, `milestones.x` or `items.x` names, or `None` while it has not come."""
    kind, _, name = path.partition(".")
    match kind:
        case "input":
            return input_instant(plan, name)
        case "milestones":
            return state.milestones.get(name)
        case "items":
            return state.items[name].closed_at if name in state.items else None
        case _:
            return None


def input_instant(plan: Plan, name: str) -> datetime | None:
    """A start input as an instant, or `None` where it is none. Read once: it never changes, and every turn asks."""
    if name not in plan.instants:
        plan.instants[name] = read_instant(plan.order.inputs.get(name))
    return plan.instants[name]


def read_instant(value: object) -> datetime | None:
    """A start input as an instant; a plain date means its first moment in UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
