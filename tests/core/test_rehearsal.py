"""The plan before a run: everybody answers exactly when it is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onboarding.engine.plan import Plan
from onboarding.engine.state import StartOrder
from onboarding.reading.rehearsal import rehearse
from tests.support.shell import ROOT, an_order

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
SHIPPED = sorted(path.stem for path in (ROOT / "definitions").glob("*.yaml"))

SHORT = """
schema: onboarding/v1
id: short
version: 1
title: Short
inputs:
  contacts: {type: contacts, required: true}
roles:
  us: {side: provider, value: dana}
  them: {side: customer, contact: owner}
stages:
  - id: one
    title: One
    owner: us
    requests:
      - {id: first, title: First, owner: them, due: 2h, fields: {score: {type: int, min: 1, max: 9}, colour: {type: enum, values: [red, blue]}}}
    tasks:
      - {id: second, title: Second, owner: us, needs: [first]}
      - {id: third, title: Third, owner: us, needs: [second], due: 1h}
    gate: {all: ["facts.score >= 5"]}
  - id: two
    title: Two
    owner: us
    needs: [one]
    tasks:
      - {id: if_red, title: If red, owner: us, when: "facts.colour == 'red'", due: 30m}
      - {id: if_green, title: If blue, owner: us, when: "facts.colour == 'blue'"}
"""


def short(tmp_path: Path) -> StartOrder:
    """The order of a run through the definition above."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return an_order(
        str(path), customer="c-1", inputs={"contacts": [{"role": "owner", "email": "o@customer.example", "name": "O"}]}
    )


def test_what_is_due_is_answered_when_it_is_due_and_the_rest_at_once(tmp_path: Path) -> None:
    """Two hours, then nothing, then one hour, then half an hour."""
    rows = {row["item"]: row for row in rehearse(Plan(short(tmp_path)), AT)["plan"]}

    assert [(rows[name]["opens_at"], rows[name]["due_at"]) for name in ("first", "second", "third", "if_red")] == [
        ("2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z"),
        ("2026-11-23T11:00:00Z", None),
        ("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"),
        ("2026-11-23T12:00:00Z", "2026-11-23T12:30:00Z"),
    ]


def test_what_is_left_out_has_no_dates_and_says_so(tmp_path: Path) -> None:
    """Facts are made up: the first value of an enum, the largest number."""
    rows = {row["item"]: row for row in rehearse(Plan(short(tmp_path)), AT)["plan"]}

    assert (rows["if_green"]["opens_at"], rows["if_green"]["due_at"]) == (None, None)
    assert rows["if_green"]["why"] == "not needed in this run"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_rehearsal_of_a_shipped_definition_reaches_every_stage(name: str) -> None:
    """It ends, whatever the definition asks for; the same question has the same answer."""
    plan = Plan(an_order(name, customer="c-1"))
    rows = rehearse(plan, AT)["plan"]

    assert {stage.id for stage in plan.definition.stages} == {row["stage"] for row in rows if row["opens_at"]}
    assert rows == rehearse(plan, AT)["plan"]
    assert all(row["owner"] for row in rows)


def test_a_later_start_is_never_due_earlier() -> None:
    """Also over a weekend and over Christmas."""
    plan = Plan(an_order("b2b-standard", customer="c-1"))
    before: dict[str, str] = {}
    for day in range(0, 40, 3):
        due = {row["item"]: row["due_at"] for row in rehearse(plan, AT + timedelta(days=day))["plan"] if row["due_at"]}
        assert all(due[item] >= before.get(item, "") for item in due)
        before = due


def test_a_plan_tells_every_date_also_of_what_happens_where_nobody_answers(tmp_path: Path) -> None:
    """Stages with their targets, the promised date, reminders and steps: all that a run would do by itself."""
    found = rehearse(Plan(an_order("b2b-standard", customer="c-1")), AT)
    details = next(row for row in found["plan"] if row["item"] == "company_details")

    assert found["promised_at"] is not None
    assert [stage["stage"] for stage in found["stages"] if not stage["target_at"]] == []
    assert {one["what"].split(" ")[0] for one in details["then"]} == {"reminder", "escalation", "Company"}
    assert [one["at"] for one in details["then"]] == sorted(one["at"] for one in details["then"])
    assert all(one["at"] > details["opens_at"] for one in details["then"])
    assert {row["item"] for row in rehearse(Plan(short(tmp_path)), AT)["plan"] if row["then"]} >= {"first"}
