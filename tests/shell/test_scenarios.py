"""The scenarios of `tests/scenarios/` once more, through the real workflow: one story, two floors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from onboarding.engine.effects import Decision, DeliverNotice, RunHook, WriteRecords
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.messages import MessageFault, OutcomeWord, Verdict
from onboarding.reading.views import state_hash
from tests.support.activations import Activated, under_the_strict_sandbox
from tests.support.scenario import Scenario, Step, load_scenarios, met, play, spoken_notice

SCENARIOS = load_scenarios()


_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_LISTS = ("trail", "ledger", "refused")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_a_scenario_goes_the_same_way_through_the_workflow(scenario: Scenario) -> None:
    """Every step leads to what it says, and to the verdict of the core, word for word; in the end the run holds, has sent, called,
    taken back and written what the core alone would; and all of it asks neither a clock nor the world."""
    order = scenario.order()
    plan, run = Plan(order), Activated(order, scenario.begin)
    heard: list[dict[str, Any] | None] = []
    for step in scenario.steps:
        before = len(run.notices)
        run.wait(step.at, to_the_end=step.waits)
        before = before if step.waits else len(run.notices)
        told = _do(run, step)
        if step.say is not None:
            heard.append(told)
        verdict = _verdict(told) if told is not None else None
        problems = met(_as_heard(step), plan, run.state, verdict, sorted(_spoken(one) for one in run.notices[before:]))
        assert not problems, f"{scenario.name}, step {step.number} ({step.at:%a %d %b %H:%M}): " + "; ".join(problems)

    decisions = play(plan, scenario)
    alone = decisions[-1].state
    assert state_hash(run.state) == state_hash(alone)
    assert run.state.trail == alone.trail
    assert run.state.refused == alone.refused
    assert run.closed == (alone.status is RunStatus.CLOSED)
    _same_verdicts(heard, decisions)
    _same_effects(run, decisions)
    assert under_the_strict_sandbox(order, scenario.begin, run)


def _same_verdicts(heard: list[dict[str, Any] | None], decisions: list[Decision]) -> None:
    """Whoever sent an update heard what the core says; whoever signalled heard nothing."""
    told = [_plain(one.verdict) for one in decisions if one.verdict is not None]
    assert len(told) == len(heard)
    assert [one for one in heard if one is not None] == [
        one for one, answer in zip(told, heard, strict=True) if answer is not None
    ]


def _same_effects(run: Activated, decisions: list[Decision]) -> None:
    """Notices and calls with all that they say, withdrawals, and rows: how they are packed is the shell's own affair."""
    effects = [effect for decision in decisions for effect in decision.effects]
    sent = [_plain(one.notice) for one in effects if isinstance(one, DeliverNotice)]
    assert _by_key(run.notices) == _by_key(sent)
    assert run.calls == [_plain(one) for one in effects if isinstance(one, RunHook)]
    rows = [_plain(one) for one in effects if isinstance(one, WriteRecords)]
    assert run.rows, "nothing was written"
    for part in ("withdrawn", *_LISTS):
        assert [row for batch in run.rows for row in batch[part]] == [row for batch in rows for row in batch[part]]
    for part, names in (("items", ("item", "round")), ("stages", ("stage", "visit"))):
        stands, wanted = (
            {tuple(row[name] for name in names): row for batch in batches for row in batch[part]}
            for batches in (run.rows, rows)
        )
        assert stands == wanted
    assert run.rows[-1]["run"] == rows[-1]["run"]


def _plain(value: Any) -> Any:
    """A value of the core as it arrives on the other side."""
    return json.loads(_JSON.dump_json(value))


def _by_key(notices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Urgent ones leave by a way of their own, so one order tells nothing against the other."""
    return sorted(notices, key=lambda notice: str(notice["key"]))


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


def _do(run: Activated, step: Step) -> dict[str, Any] | None:
    if step.say is not None and step.via == "signal":
        run.signal(step.say, step.raw)
        return None
    if step.say is not None:
        told = run.update(step.say, step.raw)
        assert told is not None, "every update is answered"
        return told
    if step.hook is not None:
        current = run.state.items[step.hook]
        part = step.part if step.check is None else f"check{step.check}.{current.answers}"
        run.hook(f"{run.state.run}/{step.hook}/{current.round}/{part}", None if step.broken else {"ok": step.ok})
    return None


def _verdict(told: dict[str, Any]) -> Verdict:
    faults = tuple(MessageFault(**fault) for fault in told["faults"])
    return Verdict(
        outcome=OutcomeWord(told["outcome"]), code=told["code"], sentence=told["sentence"], message_id=told["message_id"], faults=faults
    )  # fmt: skip
