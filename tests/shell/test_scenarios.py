"""The scenarios of `tests/scenarios/` once more, through the real workflow: one story, two floors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.messages import MessageFault, OutcomeWord, Verdict
from onboarding.reading.views import state_hash
from tests.support.activations import Activated
from tests.support.scenario import Scenario, Step, load_scenarios, met, play, spoken_notice

SCENARIOS = load_scenarios()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_a_scenario_goes_the_same_way_through_the_workflow(scenario: Scenario) -> None:
    """Every step leads to what it says; in the end the run holds what the core alone would hold."""
    order = scenario.order()
    plan, run = Plan(order), Activated(order, scenario.begin)
    for step in scenario.steps:
        before = len(run.notices)
        run.wait(step.at, to_the_end=step.waits)
        before = before if step.waits else len(run.notices)
        verdict = _do(run, step)
        problems = met(_as_heard(step), plan, run.state, verdict, sorted(_spoken(one) for one in run.notices[before:]))
        assert not problems, f"{scenario.name}, step {step.number} ({step.at:%a %d %b %H:%M}): " + "; ".join(problems)

    alone = play(plan, scenario)[-1].state
    assert state_hash(run.state) == state_hash(alone)
    assert run.state.trail == alone.trail
    assert run.state.refused == alone.refused
    assert run.closed == (alone.status is RunStatus.CLOSED)


def _as_heard(step: Step) -> Step:
    """What a step expects here: notices leave by two ways, so in any order, and whoever signals hears nothing."""
    expect = {**step.expect, **({"notices": sorted(step.expect["notices"])} if "notices" in step.expect else {})}
    if step.via == "signal":
        expect = {key: value for key, value in expect.items() if key not in ("outcome", "code", "fault")}
    return replace(step, expect=expect)


def _spoken(notice: dict[str, Any]) -> str:
    until = (notice["not_before"] or "").replace("T", " ")[:16]
    about = str(notice["item"] or notice["stage"])
    return spoken_notice(f"{notice['kind']} {notice['to']}", notice["items"], about, until)


def _do(run: Activated, step: Step) -> Verdict | None:
    if step.say is not None and step.via == "signal":
        run.signal(step.say, step.raw)
        return None
    if step.say is not None:
        return _verdict(run.update(step.say, step.raw))
    if step.hook is not None:
        current = run.state.items[step.hook]
        part = "hook" if step.check is None else f"check{step.check}.{current.answers}"
        run.hook(f"{run.state.run}/{step.hook}/{current.round}/{part}", None if step.broken else {"ok": step.ok})
    return None


def _verdict(told: dict[str, Any] | None) -> Verdict:
    assert told is not None, "every update is answered"
    faults = tuple(MessageFault(**fault) for fault in told["faults"])
    return Verdict(
        outcome=OutcomeWord(told["outcome"]), code=told["code"], sentence=told["sentence"], message_id=told["message_id"], faults=faults
    )  # fmt: skip
