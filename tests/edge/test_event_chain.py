"""Events of runs by chance, with turns that are written and lost at any place: what arrives is what has happened, each once, in order."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from onboarding import emitted, limits
from onboarding.engine.effects import Decision, WriteRecords
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.language.model import Emission
from storage.engine import open_database
from storage.events import SqlEvents
from storage.records import SqlRecordStore
from tests.edge.conftest import url_of
from tests.edge.test_chain import Shell, ghost_of
from tests.support.events import NOW
from tests.support.simulation import Simulation, order_of, random_definition

EVERYTHING = (Emission(webhook="crm", events=tuple(emitted.TYPES)),)


class History(Shell):
    """A shell that remembers which batches its history holds."""

    def __init__(self, store: Any, plan: Plan) -> None:
        super().__init__(store, plan)
        self.written: list[str] = []
        self.between: Callable[[], None] = lambda: None
        """Called after each batch."""

    def lost(self) -> History:
        """What it writes never becomes history."""
        dying = copy.copy(self)
        dying.written = []
        dying.between = lambda: None
        return dying

    def _write(self, batch: WriteRecords, tag: str) -> str:
        answer = super()._write(replace(batch, execution="x"), tag)
        self.written.append(answer)
        self.between()
        return answer


class Crm:
    """A receiver that is asked now and then."""

    def __init__(self, events: SqlEvents) -> None:
        self.events = events
        self.came: list[str] = []

    def hear(self, history: History, run: str) -> None:
        """What its history holds is let go; what is lost waits or is forgotten."""
        held = self.events.held(1_000)
        self.events.release(run, [one.batch for one in held if one.batch in history.written])
        lost = [one.batch for one in held if one.batch not in history.written and one.stands in history.written]
        self.events.forget(run, lost)
        for claimed in self.events.claim("crm", "w", 10, NOW, NOW + timedelta(minutes=1)):
            found, through = self.events.following(claimed, 1_000)
            self.came += [event.id for event in found]
            assert self.events.arrived(claimed, "w", through, NOW, NOW)
            self.events.give_back(claimed, "w")


def told(decision: Decision) -> list[str]:
    return [event.id for one in decision.effects if isinstance(one, WriteRecords) for event in one.events]


@pytest.mark.parametrize("seed", range(12))
def test_what_arrives_is_what_has_happened(seed: int, request: pytest.FixtureRequest) -> None:
    hears(seed, request)


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_batch_that_comes_in_parts_keeps_the_order(
    seed: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that is asked after each part has not had what comes in a later one."""
    monkeypatch.setattr(limits, "ROWS_PER_TURN_BYTES", 4_096)
    hears(seed, request, at_every_part=True)


def hears(seed: int, request: pytest.FixtureRequest, *, at_every_part: bool = False) -> None:
    """A run by chance, and what arrives of it."""
    rng = Random(seed)
    definition = replace(random_definition(rng), emits=EVERYTHING)
    engine = open_database(url_of(request, "postgresql" if seed % 6 == 5 else "sqlite"))
    plan = Plan(order_of(definition))
    simulation = Simulation(plan, rng, restores=0)
    history, crm = History(SqlRecordStore(engine), plan), Crm(SqlEvents(engine))
    if at_every_part:
        history.between = lambda: crm.hear(history, simulation.state.run)
    history.write(simulation.decisions[0])
    happened = told(simulation.decisions[0])
    for n in range(50):
        if rng.random() < 0.3:
            ghost, dying = ghost_of(simulation, seed * 1_000 + n), history.lost()
            for _ in range(rng.randint(1, 3)):
                dying.write(ghost.step(), f"lost-{n}-")
        if rng.random() < 0.4:
            crm.hear(history, simulation.state.run)
        decision = simulation.step()
        history.write(decision)
        happened += told(decision)
        if simulation.state.status is RunStatus.CLOSED:
            break
    crm.hear(history, simulation.state.run)
    engine.dispose()

    assert crm.came == happened
