"""Runs by chance, with turns that are decided, written and lost at any place: the rows end as if nothing had been lost."""

from __future__ import annotations

import copy
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from onboarding.engine import records
from onboarding.engine.effects import Decision, WriteRecords
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from storage.engine import open_database
from storage.memory import MemoryStore
from tests.edge.conftest import url_of
from tests.edge.test_storage import everything
from tests.support.simulation import Simulation, order_of, random_definition
from tests.support.stores import SqlStore
from workflows import performing


class Shell:
    """Writes the rows of decisions into a store, batch after batch, as the shell of a run does."""

    def __init__(self, store: Any, plan: Plan) -> None:
        self.store, self.plan, self.follows, self.count = store, plan, "", 0

    def write(self, decision: Decision, tag: str = "") -> None:
        """One decision; a whole batch where the store has lost the thread."""
        for batch in decision.effects:
            if isinstance(batch, WriteRecords):
                answer = self._write(batch, tag)
                if answer == "incomplete":
                    for one in performing.completed(records.whole(self.plan, decision.state), [batch]):
                        self.follows = answer = self._write(one, tag)
                self.follows = answer

    def lost(self) -> Shell:
        """A worker at the same place, which will die."""
        return copy.copy(self)

    def _write(self, batch: WriteRecords, tag: str) -> str:
        self.count += 1
        batch = replace(batch, id=f"{tag}{self.count}", follows=self.follows, decided_at=batch.run.started_at)
        answer = self.store.write(batch)
        assert answer in (batch.id, "incomplete")
        return str(answer)


def ghost_of(simulation: Simulation, seed: int) -> Simulation:
    """The same run, about to go another way."""
    ghost = copy.copy(simulation)
    ghost.rng = Random(seed)
    for name in ("waiting", "keys", "heard", "verdicts", "events", "decisions"):
        setattr(ghost, name, copy.copy(getattr(simulation, name)))
    ghost.ears = simulation.ears.fork()
    return ghost


@pytest.mark.parametrize("seed", range(24))
def test_lost_turns_leave_nothing(seed: int, request: pytest.FixtureRequest) -> None:
    """Reopened items, new rounds and visits, closed runs: what a lost turn wrote is gone after the next one."""
    rng = Random(seed)
    plan = Plan(order_of(random_definition(rng)))
    kind = {0: "sqlite", 5: "postgresql"}.get(seed % 10)
    engine = open_database(url_of(request, kind)) if kind else None
    simulation = Simulation(plan, rng, restores=0)
    plain, disturbed = Shell(MemoryStore(), plan), Shell(SqlStore(engine) if engine else MemoryStore(), plan)
    for shell in (plain, disturbed):
        shell.write(simulation.decisions[0])

    for n in range(80):
        lost = rng.random() < 0.25
        if lost:
            ghost, dying = ghost_of(simulation, seed * 1_000 + n), disturbed.lost()
            for _ in range(rng.randint(1, 3)):
                dying.write(ghost.step(), f"lost-{n}-")
        decision = simulation.step()
        for shell in (plain, disturbed):
            shell.write(decision)
        if decision.effects:
            run = simulation.state.run
            assert everything(plain.store, run) == everything(disturbed.store, run), (n, lost)
        if simulation.state.status is RunStatus.CLOSED:
            break
    if engine:
        engine.dispose()
