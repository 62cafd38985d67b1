"""What a run tells the outside: in the order in which things happen, each once, numbered without a gap."""

from __future__ import annotations

import dataclasses
import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import TypeAdapter

from onboarding import emitted, limits
from onboarding.engine import machine
from onboarding.engine.effects import WriteRecords
from onboarding.engine.events import MessageReceived
from onboarding.engine.plan import Plan
from onboarding.engine.records import whole
from onboarding.engine.state import EmittedEvent, RunState, RunStatus
from onboarding.language.model import Definition, Emission
from tests.support.builders import Run, a_definition, a_run, an_order, at, papers
from tests.support.simulation import STATE, Simulation, order_of, random_definition
from workflows.performing import completed, gather, merge

ALL = Emission(webhook="crm", events=tuple(emitted.TYPES))
LAW = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip
ROWS: TypeAdapter[WriteRecords] = TypeAdapter(WriteRecords)


def telling(definition: Definition | None = None, *rules: Emission) -> Definition:
    """A definition that tells everything, or what these rules say."""
    return dataclasses.replace(definition or a_definition(), emits=rules or (ALL,))


def begun(definition: Definition) -> Run:
    """A run on its first morning."""
    return a_run(an_order(definition))


def told(run: Run) -> list[tuple[str, str]]:
    """Types and subjects of everything that the run has said, in order."""
    return [(event.type, event.subject) for event in events_of(run.effects)]


def events_of(effects: list[Any]) -> list[EmittedEvent]:
    return [event for effect in effects if isinstance(effect, WriteRecords) for event in effect.events]


def to_setup(run: Run) -> None:
    """Everything that the first stage asks for."""
    run.say("submit", "customer:champion", item="details", fields={"legal_name": "X", "vat_id": "Y"})
    run.say("complete", item="credit_check", provides={"rating": "good"})
    run.say("submit", "customer:champion", item="papers", files=papers())
    run.say("decide", item="papers", outcome="accept")


def test_a_whole_run_is_told_as_it_happens() -> None:
    run = begun(telling())
    to_setup(run)
    run.hook("provision")
    run.say("decide", "customer:champion", item="go", outcome="go")
    run.say("decide", "olga", item="go", outcome="go")
    run.say("happen", "integration:product", event="product.used")

    assert told(run) == [
        ("run.started", ""),
        ("item.skipped", "export"),
        ("stage.entered", "intake"),
        ("item.opened", "details"), ("item.opened", "papers"), ("item.opened", "credit_check"),
        ("item.answered", "details"), ("item.done", "details"),
        ("item.done", "credit_check"),
        ("item.answered", "papers"),
        ("item.done", "papers"),
        ("stage.left", "intake"), ("milestone.reached", "collected"), ("stage.entered", "setup"), ("item.opened", "provision"),
        ("item.done", "provision"), ("item.opened", "go"),
        ("item.done", "go"), ("stage.left", "setup"), ("stage.entered", "live"), ("item.opened", "first_use"),
        ("item.done", "first_use"), ("stage.left", "live"), ("milestone.reached", "first_value"), ("run.closed", ""),
    ]  # fmt: skip
    assert RunStatus.CLOSED is run.state.status


def test_what_opens_is_told_with_its_due_date_and_nobody_is_named() -> None:
    run = begun(telling())
    (details,) = [event for event in events_of(run.effects) if event.subject == "details"]

    assert details.data == {
        "item": "details", "stage": "intake", "kind": "request", "round": 1, "role": "champion", "side": "customer", "status": "open",
        "optional": False, "opened_at": "2026-11-30T09:00:00Z", "due_at": "2026-12-03T09:00:00Z", "outcome": None, "late": False, "tacit": False,
    }  # fmt: skip


def test_lateness_a_hold_and_another_owner_are_told() -> None:
    run = begun(telling())
    before = len(told(run))
    run.wait(at(4, 10))
    run.say("hold", reason="They moved", side="customer", when=at(4, 11))
    run.say("resume", when=at(4, 12))
    run.say("reassign", item="credit_check", to="henk", when=at(4, 13))

    assert told(run)[before:] == [
        ("item.overdue", "credit_check"), ("run.escalated", ""), ("item.overdue", "details"),
        ("run.held", ""), ("run.resumed", ""), ("run.escalated", ""), ("item.reassigned", "credit_check"),
    ]  # fmt: skip


def test_only_what_somebody_wants_is_told_and_numbered() -> None:
    crm = Emission(webhook="crm", events=("stage.entered", "run.closed"))
    books = Emission(webhook="books", events=("run.closed",))
    run = begun(telling(None, crm, books))
    to_setup(run)
    run.say("cancel", "henk", reason="They left")

    assert [(event.n, event.type, event.to) for event in events_of(run.effects)] == [
        (1, "stage.entered", ("crm",)), (2, "stage.entered", ("crm",)), (3, "run.closed", ("crm", "books")),
    ]  # fmt: skip


def test_a_run_that_tells_nothing_is_written_as_it_was_before_there_were_events() -> None:
    run = begun(a_definition())
    to_setup(run)

    assert run_words(STATE.dump_python(run.state, mode="json")) == []
    assert [
        word
        for effect in run.effects
        if isinstance(effect, WriteRecords)
        for word in run_words(ROWS.dump_python(effect, mode="json"))
    ] == []
    assert "emits" not in TypeAdapter(Definition).dump_python(run.plan.definition, mode="json")


def run_words(written: dict[str, Any]) -> list[str]:
    return [name for name in written if name.startswith("event")]


def test_what_is_told_changes_nothing_else() -> None:
    quiet, loud = begun(a_definition()), begun(telling())
    for run in (quiet, loud):
        to_setup(run)
        run.wait(at(9))

    assert quiet.state == dataclasses.replace(loud.state, events=(), event_count=0)
    silent = [dataclasses.replace(one, events=()) if isinstance(one, WriteRecords) else one for one in loud.effects]
    assert quiet.effects == silent


def test_a_run_carries_the_latest_events_and_its_rows_have_had_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_KEPT", 5)
    run = begun(telling())
    to_setup(run)
    count = len(told(run))

    assert list(range(1, count + 1)) == [event.n for event in events_of(run.effects)]
    assert tuple(range(count - 4, count + 1)) == tuple(event.n for event in run.state.events)
    assert run.state.events == whole(run.plan, run.state).events


# Laws -----------------------------------------------------------------------------------------------------------------


def chance(rng: Random) -> Simulation:
    """A run of a random definition that tells everything."""
    definition = telling(random_definition(rng))
    return Simulation(Plan(order_of(definition, legacy=rng.random() < 0.5)), rng, restores=0.1)


@LAW
@given(st.randoms(use_true_random=False))
def test_events_have_an_order_a_number_a_form_and_an_end(rng: Random) -> None:
    simulation = chance(rng)
    batches = [one for one in machine.start(simulation.plan, simulation.now).effects if isinstance(one, WriteRecords)]
    for _ in range(40):
        batches += [one for one in simulation.step().effects if isinstance(one, WriteRecords)]
    found = [event for batch in batches for event in batch.events]

    assert list(range(1, len(found) + 1)) == [event.n for event in found]
    assert len(found) == len({event.id for event in found})
    assert simulation.state.event_count == len(found)
    assert all(event.at <= after.at for event, after in itertools.pairwise(found))
    entered: list[str] = []
    for event in found:
        fixed = {"run": "r", "customer": "c", "definition": "d", "version": 1, "variant": ""}
        emitted.TYPES[event.type][0].model_validate({**fixed, **event.data})
        if event.type == "stage.entered":
            entered.append(event.subject)
        if event.type in ("item.opened", "item.returned"):
            assert event.data["stage"] in entered
    closes = [event.type for event in found].count("run.closed")
    assert (simulation.state.status is RunStatus.CLOSED) == bool(closes)
    assert not closes or (closes, found[-1].type) == (1, "run.closed")


@LAW
@given(st.randoms(use_true_random=False))
def test_a_message_that_comes_again_tells_nothing(rng: Random) -> None:
    simulation = chance(rng)
    for _ in range(25):
        simulation.step()
    for received in simulation.heard:
        first = machine.apply(simulation.plan, simulation.state, MessageReceived(at=simulation.now, received=received))
        again = machine.apply(simulation.plan, first.state, MessageReceived(at=simulation.now, received=received))

        assert again.state.event_count == first.state.event_count


@LAW
@given(st.randoms(use_true_random=False))
def test_events_are_the_same_however_turns_are_put_into_batches(rng: Random) -> None:
    simulation = chance(rng)
    turns = [one for one in machine.start(simulation.plan, simulation.now).effects if isinstance(one, WriteRecords)]
    for _ in range(25):
        turns += [one for one in simulation.step().effects if isinstance(one, WriteRecords)]
    alone = [event for turn in turns for event in turn.events]
    gathered: list[WriteRecords] = []
    for turn in turns:
        gathered = gather(gathered, [turn])
    cut = rng.randrange(len(turns))
    merged = turns[cut]
    for turn in turns[cut + 1 :]:
        merged = merge(merged, turn)
    brought = completed(whole(simulation.plan, simulation.state), turns[cut:])

    assert alone == [event for batch in gathered for event in batch.events]
    assert [event for turn in turns[cut:] for event in turn.events] == list(merged.events)
    assert {event.n for event in merged.events} <= {event.n for batch in brought for event in batch.events}


def test_a_snapshot_goes_on_counting() -> None:
    run = begun(telling())
    count = run.state.event_count
    restored: RunState = STATE.validate_json(STATE.dump_json(run.state))
    run.change(**{field.name: getattr(restored, field.name) for field in dataclasses.fields(restored)})
    run.say("complete", item="credit_check", provides={"rating": "good"})

    assert count + 1 == events_of(run.effects[-1:])[0].n
