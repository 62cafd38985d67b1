"""The rows of a run, turn by turn: what is told as a change adds up to what stands, and the numbers follow from the rows."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from onboarding.engine import machine, records, waiting
from onboarding.engine.chain import beginning, content_of, digest_of, follows, older_content_of
from onboarding.engine.changes import COLUMNS, FINAL, key_of, plain
from onboarding.engine.effects import Decision, Notice, WriteRecords
from onboarding.engine.events import ClockAdvanced, MessageReceived
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunState
from onboarding.language.model import ItemKind, LadderStep, StepAction
from onboarding.language.units import Offset, parse_duration
from onboarding.limits import PROMISES_KEPT, TRAIL_KEPT
from onboarding.parsing import parse
from tests.support.builders import a_definition, a_stage, an_item, an_order, text
from tests.support.simulation import BEGIN, Simulation, order_of, random_definition

RUNS = 250
STEPS = 40


class Kept:
    """A store that knows no database: the last row of each key, and every change that the trail told of."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.waiting: dict[tuple[str, str, str], Any] = {}
        self.notices: dict[str, Notice] = {}
        self.trail: list[Any] = []
        self.faults: dict[tuple[str, str, int, int], Any] = {}

    def write(self, batch: WriteRecords) -> None:
        for row in (*batch.items, *batch.stages, *batch.ledger, *batch.handoffs, *batch.promises):
            self.rows[key_of(row)] = row
        if batch.milestones is not None:
            self.rows = {key: row for key, row in self.rows.items() if not key.startswith("milestone/")}
            self.rows |= {key_of(row): row for row in batch.milestones}
        self.rows["run"] = batch.run
        for entry in batch.trail:
            self.trail.append(entry)
            for key, values in entry.changes.items():
                self.told.setdefault(key, {}).update(values)
        self.waiting = {key: row for key, row in self.waiting.items() if key[:2] not in batch.waited}
        self.waiting |= {(row.kind, row.about, row.person): row for row in batch.waiting}
        self.faults |= {(row.source, row.item, row.n, row.k): row for row in batch.faults}


@pytest.fixture(scope="module")
def played() -> list[tuple[Plan, RunState, Kept]]:
    """Runs by chance; after every step what waits is what the whole state says."""
    found = []
    for seed in range(RUNS):
        rng = Random(seed)
        plan = Plan(order_of(random_definition(rng), legacy=rng.random() < 0.5))
        simulation = Simulation(plan, rng, restores=0)
        for _ in range(STEPS):
            simulation.step()
        kept, state = Kept(), machine.start(plan, BEGIN).state
        decisions = [machine.start(plan, BEGIN)]
        for event in simulation.events:
            decisions.append(machine.apply(plan, decisions[-1].state, event))
        for decision in decisions:
            _write(kept, decision)
            state = decision.state
            present = {(row.kind, row.about, row.person): row for row in waiting.everything(plan, state)}
            assert kept.waiting == present, f"seed {seed}"
        found.append((plan, state, kept))
    return found


def _write(kept: Kept, decision: Decision) -> None:
    for effect in decision.effects:
        if isinstance(effect, WriteRecords):
            kept.write(effect)
            for key in effect.withdrawn:
                if key in kept.notices and kept.notices[key].leaves_at >= decision.state.at:
                    del kept.notices[key]
        elif hasattr(effect, "notice"):
            kept.notices[effect.notice.key] = effect.notice


def test_the_changes_of_the_trail_add_up_to_the_rows(played: list[tuple[Plan, RunState, Kept]]) -> None:
    """Every column that the trail tells of, of every row that was ever written."""
    rounds = 0
    for _, _, kept in played:
        gone = {key for key, values in kept.told.items() if key.startswith("milestone/") and values["at"] is None}
        assert {key for key in kept.told if key not in gone} == set(kept.rows)
        for key, row in kept.rows.items():
            for name in COLUMNS[key.partition("/")[0]]:
                told, value = kept.told[key].get(name), plain(getattr(row, name))
                assert (told or None) == (value or None), f"{key} {name}"
        rounds += sum(key.startswith("item/") and not key.endswith("/1") for key in kept.rows)

    assert rounds > 50


def test_a_whole_batch_says_the_same(played: list[tuple[Plan, RunState, Kept]]) -> None:
    """What stands now, told at once or turn by turn."""
    for plan, state, kept in played:
        whole = records.whole(plan, state)
        for row in (*whole.items, *whole.stages, *whole.handoffs, *(whole.milestones or ())):
            assert kept.rows[key_of(row)] == row
        assert kept.rows["run"] == whole.run
        for fault in whole.faults:
            assert kept.faults[fault.source, fault.item, fault.n, fault.k] == fault


def test_every_digest_covers_what_was_changed(played: list[tuple[Plan, RunState, Kept]]) -> None:
    """The chain holds from the first entry to the last, and entries tell of changes."""
    for plan, _, kept in played:
        before = beginning(plan.order.run, plan.order.rules_version)
        for n, entry in enumerate(kept.trail, start=1):
            assert (entry.n, entry.digest) == (n, digest_of(before, content_of(entry)))
            before = entry.digest
        assert any("started_at" in entry.changes.get("run", {}) for entry in kept.trail)


def test_the_numbers_of_a_run_follow_from_its_rows(played: list[tuple[Plan, RunState, Kept]]) -> None:
    """Each computed here once more from rows and notices, and from nothing else."""
    closed = 0
    for _, state, kept in played:
        run, rows = kept.rows["run"], kept.rows
        items = [row for key, row in rows.items() if key.startswith("item/")]
        judged = [
            row for row in items
            if row.asked == "customer" and row.due_at and (row.answered_at or row.status == "done" or row.late)
        ]  # fmt: skip
        assert (run.customer_due, run.customer_on_time) == (len(judged), sum(not row.late for row in judged))
        latest = {row.item: row for row in sorted(items, key=lambda row: row.round)}.values()
        done = [row for row in latest if (row.kind, row.asked, row.status) == ("request", "customer", "done")]
        assert (run.requests, run.first_pass) == (len(done), sum(row.round == 1 for row in done))
        ledger = [row for key, row in rows.items() if key.startswith("ledger/")]
        sides = dict.fromkeys(("customer", "provider", "third_party", "hold", "off_hours"), 0)
        for row in ledger:
            mine = row.seconds if row.side == "hold" else row.working_seconds
            sides[row.side] += mine
            sides["off_hours"] += row.seconds - mine
        assert sides == {side: getattr(run, f"{side}_seconds") for side in sides}
        if run.closed_at is not None:
            closed += 1
            assert sum(sides.values()) == run.elapsed == _seconds(run.started_at, run.closed_at)
            handed = [row.seconds for key, row in rows.items() if key.startswith("handoff/")]
            assert run.handoff_seconds == sum(handed)
            assert not kept.waiting
        until = run.closed_at or state.at
        heard = [
            one.leaves_at for one in kept.notices.values()
            if one.side == "customer" and not one.retracts and one.leaves_at <= until
        ]  # fmt: skip
        places = [run.started_at, *sorted(heard), until]
        assert run.longest_silence == max(_seconds(a, b) for a, b in itertools.pairwise(places))

    assert closed > 20


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())


def test_a_turn_that_says_more_than_a_run_carries_leaves_nothing_out() -> None:
    """Two weeks in one turn, a ladder on each of many items: every entry and every promise is a row, and the chain holds."""
    plan = many_items(150)
    kept, first = Kept(), machine.start(plan, BEGIN)
    last = machine.apply(plan, first.state, ClockAdvanced(at=BEGIN + timedelta(days=14)))
    for decision in (first, last):
        _write(kept, decision)

    assert len(kept.trail) == last.state.trail_count > TRAIL_KEPT
    assert len(last.state.trail) <= TRAIL_KEPT
    assert sum(key.startswith("promise/") for key in kept.rows) == last.state.promise_count
    before = beginning(plan.order.run, plan.order.rules_version)
    for n, entry in enumerate(kept.trail, start=1):
        assert (entry.n, entry.digest) == (n, digest_of(before, content_of(entry)))
        before = entry.digest


def test_promises_beyond_what_a_run_carries_are_rows_all_the_same() -> None:
    """More of them in the first turn alone; the word on going live stays with the run."""
    plan = many_items(PROMISES_KEPT + 20)
    first, kept = machine.start(plan, BEGIN), Kept()
    _write(kept, first)

    assert sum(key.startswith("promise/") for key in kept.rows) == first.state.promise_count > PROMISES_KEPT
    assert len(first.state.promises) == PROMISES_KEPT
    assert first.state.promises[0].kind == "go_live"


def test_a_long_reason_after_a_heavy_turn_is_chained_to_what_came_before() -> None:
    """The carried trail holds one entry then, and the next one is long itself."""
    plan = many_items(400)
    first = machine.start(plan, BEGIN)
    note = parse("note", {"message_id": "n", "actor": "olga", "text": "x" * 3_900}, via="update", fallback_id="n")
    second = machine.apply(plan, first.state, MessageReceived(at=BEGIN, received=note))
    kept = Kept()
    for decision in (first, second):
        _write(kept, decision)

    assert [entry.n for entry in kept.trail] == list(range(1, second.state.trail_count + 1))
    first_to = beginning(plan.order.run, plan.order.rules_version)
    assert all(follows(entry, kept.trail[n - 1].digest if n else first_to) for n, entry in enumerate(kept.trail))


def test_the_digest_of_an_entry_covers_its_sentence(played: list[tuple[Plan, RunState, Kept]]) -> None:
    """A note is nothing else; an entry of the time before that is still as it was written."""
    plan, entry = next((plan, one) for plan, _, kept in played for one in kept.trail if one.n == 1 and one.sentence)
    before = beginning(plan.order.run, plan.order.rules_version)
    older = replace(entry, digest=digest_of("", older_content_of(entry)))

    assert follows(entry, before)
    assert not follows(replace(entry, sentence="Something else."), before)
    assert follows(older, "")


def test_the_last_entry_of_a_run_tells_the_numbers_that_no_other_row_holds(
    played: list[tuple[Plan, RunState, Kept]],
) -> None:
    """Changed by hand, they contradict the chain."""
    closed = [kept for _, state, kept in played if state.closed_at is not None]

    assert closed
    for kept in closed:
        run = kept.rows["run"]
        for name in FINAL:
            assert (kept.told["run"].get(name) or None) == (getattr(run, name) or None), name


def many_items(count: int) -> Plan:
    """The plan of a run with so many requests of the customer, each with three steps."""
    rungs = tuple(
        LadderStep(at=Offset(1, parse_duration(f"{n}bd")), do=StepAction.NOTIFY, to=("head",)) for n in (1, 2, 3)
    )
    items = tuple(
        an_item(f"i{n}", ItemKind.REQUEST, "s", "champion", due="2bd", fields=(text(f"f{n}"),), ladder=rungs)
        for n in range(count)
    )
    stage = a_stage("s", tuple(item.id for item in items), target="3bd")
    return Plan(an_order(a_definition(items=items, stages=(stage,), signals=(), metrics=(), inputs=()), inputs={}))
