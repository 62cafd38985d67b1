"""The forecast of a run, for people and as JSON."""

from datetime import datetime

from onboarding import limits
from onboarding.engine.forecast import Forecast, at_risk, forecast, known_runs
from onboarding.engine.people import acting
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.reading.shapes import Shape, cut, instant, spoken


def forecast_shape(plan: Plan, state: RunState, at: datetime) -> Shape | None:
    """`forecast` of `status`; `None` for a run that is live or over."""
    found = forecast(plan, state, at)
    if found is None:
        return None
    return {
        "likely_at": instant(found.likely_at),
        "late_at": instant(found.late_at),
        "basis": "finished_runs" if found.runs else "plan",
        "runs": known_runs(plan),
        "critical_item": found.item,
        "at_risk": at_risk(state, found),
        "sentence": sentence(plan, state, found),
    }


def sentence(plan: Plan, state: RunState, found: Forecast) -> str:
    """What a forecast says and what it rests on."""
    if found.runs:
        said = f"Expected live on {spoken(found.likely_at)}, four of five by {spoken(found.late_at)}, as {found.runs} of {known_runs(plan)} finished runs went from here"
    else:
        known = known_runs(plan)
        runs = (
            "no finished run is" if known == 0 else "1 finished run is" if known == 1 else f"{known} finished runs are"
        )
        why = (
            f"{runs} known and {limits.FORECAST_RUNS} are needed for a range"
            if known < limits.FORECAST_RUNS
            else "too few finished runs were where this one is"
        )
        said = f"Expected live on {spoken(found.likely_at)} if every stage takes what is planned for it ({why})"
    if state.promised_at is not None:
        late = "at risk, " if at_risk(state, found) else ""
        said = f"{said}; {late}promised for {spoken(state.promised_at)}"
    if found.item is None:
        return f"{said}."
    item = plan.items[found.item]
    return f'{said}; in the way: "{cut(item.title, 80)}", with {acting(plan, state, item)[0]}.'
