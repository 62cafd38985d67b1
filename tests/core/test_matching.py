"""An event from outside fulfils an item of the customer it is about, and of nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboarding.engine import machine, matching, rules
from onboarding.engine.plan import Plan
from onboarding.language.model import ItemKind, SignalRule
from onboarding.messages import OutcomeWord
from tests.support.builders import Run, a_definition, a_stage, an_item, an_order, at


def a_run(version: int = rules.EVENTS_NAME_THEIR_RUN, **match: str) -> Run:
    """A run that waits for a call, which is matched as is said here; `dana` has the item."""
    definition = a_definition(
        items=(an_item("call", ItemKind.EVENT, "one", "lead", event="call.held"),),
        stages=(a_stage("one", ("call",)),),
        signals=(SignalRule(event="call.held", fulfils="call", match=match),),
        metrics=(),
    )
    plan = Plan(replace(an_order(definition), rules_version=version, inputs={"number": 1}))
    decision = machine.start(plan, at(1))
    return Run(plan=plan, state=decision.state, now=at(1), effects=list(decision.effects))


SILENT: list[dict[str, Any]] = [{}, {"who": {}}, {"who": "c-1"}, {"id": "c-1"}, {"who": ["c-1"]}]
OTHERS: list[dict[str, Any]] = [
    {"who": {"id": "c-2"}}, {"who": {"id": {"id": "c-1"}}}, {"who": {"id": None}}, {"who": {"id": ["c-1"]}}, {"who": {"id": "C-1"}},
]  # fmt: skip


@pytest.mark.parametrize("data", SILENT + OTHERS)
def test_an_event_about_nobody_or_somebody_else_fulfils_nothing(data: dict[str, Any]) -> None:
    """It is refused at its place, with no word of what it said or of whom the run is about; the run is as it was."""
    run = a_run(customer_id="payload.who.id")
    before = run.state
    verdict = run.say("happen", "integration:x", event="call.held", data=data)

    assert (verdict.outcome, verdict.code) == (OutcomeWord.REJECTED, "not_this_run")
    assert [fault.place for fault in verdict.faults] == ["/data/who/id"]
    assert run.state == before
    assert "c-1" not in verdict.sentence
    assert ("does not say" if data in SILENT else "another customer_id") in verdict.sentence


def test_an_event_about_the_customer_of_the_run_fulfils_its_item() -> None:
    """Whatever else it says."""
    run = a_run(customer_id="payload.who.id", number="payload.n")
    verdict = run.say("happen", "integration:x", event="call.held", data={"who": {"id": "c-1", "of": 2}, "n": 1})

    assert (verdict.outcome, verdict.status) == (OutcomeWord.ACCEPTED, "done")


def test_all_that_is_matched_must_fit() -> None:
    """A number is no text and no truth; one part that fits is not enough."""
    run = a_run(customer_id="payload.who.id", number="payload.n")
    codes = [
        run.say("happen", "integration:x", event="call.held", data={"who": {"id": "c-1"}, "n": n}).code
        for n in ("1", True, 1.0, 2)
    ]

    assert codes == ["not_this_run"] * 4


def test_an_event_is_about_another_run_where_this_one_has_no_such_input() -> None:
    """Nothing is not equal to nothing."""
    run = a_run(reference="payload.reference")

    assert run.say("happen", "integration:x", event="call.held", data={"reference": None}).code == "not_this_run"


def test_an_event_that_is_matched_by_nothing_is_believed() -> None:
    """Its definition says so."""
    assert a_run().say("happen", "integration:x", event="call.held").outcome == OutcomeWord.ACCEPTED


@pytest.mark.parametrize("version", [1, 2])
def test_runs_of_earlier_releases_go_on_believing_a_silent_event(version: int) -> None:
    """Recorded histories hold such events, and a replay decides what was decided."""
    run = a_run(version, customer_id="payload.who.id")
    assert run.say("happen", "integration:x", event="call.held", data=OTHERS[0]).code == "not_this_run"

    assert run.say("happen", "integration:x", event="call.held").outcome == OutcomeWord.ACCEPTED


@pytest.mark.parametrize(
    ("data", "filled"),
    [
        ({}, {"who": {"id": "c-1"}}),
        ({"who": {"name": "x"}}, {"who": {"name": "x", "id": "c-1"}}),
        ({"who": {"id": "c-2"}}, {"who": {"id": "c-2"}}),
        ({"who": "c-2"}, {"who": "c-2"}),
    ],
)
def test_a_payload_is_filled_where_it_is_silent_and_never_changed(data: dict[str, Any], filled: dict[str, Any]) -> None:
    """What a sender has said stays said."""
    assert matching.filled(data, ("who", "id"), "c-1") == filled
