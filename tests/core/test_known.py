"""What a plan knows and what the loop passes over change no run: only how long it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine import machine
from onboarding.engine.copies import replace
from onboarding.engine.effects import Decision
from onboarding.engine.events import ClockAdvanced
from onboarding.engine.known import Known
from onboarding.engine.machine import alarm_at
from onboarding.engine.people import able_for, acting, asked_of, still_to_decide
from onboarding.engine.plan import Plan
from onboarding.engine.presence import roles_of
from onboarding.engine.state import Absence, RunState
from tests.support.simulation import BEGIN, Simulation, order_of, random_definition

STEPS = 40


def test_a_run_that_knows_nothing_beforehand_decides_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Along random runs, states read back among them: verdicts, effects and states."""
    runs = [_simulated(seed) for seed in range(40)]
    asked: list[str] = []

    def nothing(name: str) -> Any:
        def found(known: Known, state: object) -> dict[Any, Any]:
            asked.append(name)
            return {}

        return found

    for name in ("of_items", "of_people"):
        monkeypatch.setattr(Known, name, nothing(name))
    for run in runs:
        plan = Plan(run.plan.order)
        decision = machine.start(plan, BEGIN)
        decisions = [decision]
        for event in run.events:
            decision = machine.apply(plan, decision.state, event)
            decisions.append(decision)
        assert decisions == run.decisions

    assert set(asked) == {"of_items", "of_people"}


def test_what_is_known_of_one_state_is_not_told_of_another() -> None:
    """Of states that differ in one thing that an answer follows from: items, stages, holders or absences, there and back."""
    for seed in range(12):
        run = _simulated(seed)
        knowing = Plan(run.plan.order)
        for before, after in itertools.pairwise(one.state for one in run.decisions[::4]):
            for state in _like(before, after):
                knowing.known.begin()
                assert _asked_about(knowing, state) == _asked_about(Plan(run.plan.order), state)


def test_while_nothing_is_due_the_clock_changes_nothing() -> None:
    """`_pass_time` of `workflows/behaviour.py` does not ask the machine then; it would hear the same state, and no effect."""
    passed = 0
    for seed in range(40):
        rng = Random(f"idle {seed}")
        run = Simulation(Plan(order_of(random_definition(rng))), rng, restores=0)
        for _ in range(STEPS):
            run.step()
            due = alarm_at(run.state)
            for at in (
                run.now,
                run.state.at,
                BEGIN,
                *([] if due is None else [(run.state.at + (due - run.state.at) / 2)]),
            ):
                if due is not None and due <= max(at, run.state.at):
                    continue
                passed += 1
                decision = machine.apply(run.plan, run.state, ClockAdvanced(at=at, most=limits.INSTANTS_PER_TURN))
                assert decision == Decision(state=run.state)
                assert decision.state is run.state

    assert passed > 1_000


def _like(state: RunState, other: RunState) -> Iterator[RunState]:
    yield state
    yield replace(state, stages={name: replace(one, owner="sue") for name, one in state.stages.items()})
    yield replace(state, items=other.items)
    yield replace(state, holders={"crew": ("ian",), "lead": ("lea",), "signer": ("sam",)})
    away = Absence(person="ivy", since=BEGIN, until=BEGIN, by="ivy", to="otto", begun=True)
    yield replace(state, absences=(away,))
    yield state


def _asked_about(plan: Plan, state: RunState) -> list[Any]:
    found: list[Any] = [able_for(plan, state, item, role) for item in plan.items.values() for role in item.owners]
    found += [roles_of(plan, state, one) for one in ("ivy", "ian", "olga", "lea", "sam")]
    return found + [
        ask(plan, state, item) for item in plan.items.values() for ask in (acting, still_to_decide, asked_of)
    ]


def _simulated(seed: int) -> Simulation:
    rng = Random(f"known {seed}")
    run = Simulation(Plan(order_of(random_definition(rng), legacy=rng.random() < 0.5)), rng)
    for _ in range(STEPS):
        run.step()
    return run
