"""The scenarios of `tests/scenarios/`, played against the core."""

from __future__ import annotations

import pytest

from onboarding.engine.plan import Plan
from tests.support.scenario import FOLDER, Scenario, load_scenarios, play

SCENARIOS = load_scenarios()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_a_scenario_goes_as_it_is_told(scenario: Scenario) -> None:
    """Every step leads to what it says."""
    decisions = play(Plan(scenario.order()), scenario)

    assert len(decisions) > len(scenario.steps)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_a_scenario_tells_what_must_follow(scenario: Scenario) -> None:
    """A step without an expectation anywhere would prove nothing."""
    assert any(step.expect for step in scenario.steps)
    assert scenario.title.endswith(".")


def test_no_scenario_is_forgotten() -> None:
    """One file, one story."""
    assert len(list(FOLDER.glob("*.yaml"))) == len(SCENARIOS)
