"""`start --dry-run`: the plan with due dates, and every fault of an input at once."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from onboarding.engine.order_text import read_order
from tests.support.calls import Answer, Door
from tests.support.shell import ROOT

EXAMPLES = ROOT / "definitions" / "examples"
SHIPPED = sorted(path.stem for path in (ROOT / "definitions").glob("*.yaml"))
AT = "2026-11-23T09:00:00Z"


def planned(door: Door, name: str = "quick-start", *more: str) -> Answer:
    """A dry run of a shipped definition with its example input."""
    return door("start", name, "--customer", "c-1", "--input", EXAMPLES / f"{name}.input.yaml", "--dry-run", *more)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_item_has_a_row(door: Door, name: str) -> None:
    """In the order of the definition; what opens, opens at or after the start, and is due after it opens."""
    answer = planned(door, name, "--at", AT)
    rows = answer.data["plan"]
    order = read_order(answer.data["start_input"])

    assert answer.code == 0
    assert [item.id for item in order.definition.items] == [row["item"] for row in rows]
    assert all({"stage", "item", "owner", "opens_at", "due_at", "why"} <= set(row) for row in rows)
    opened = [row for row in rows if row["opens_at"]]
    assert all(row["opens_at"] >= AT for row in opened)
    assert all(row["due_at"] is None or row["due_at"] >= row["opens_at"] for row in opened)
    assert {row["stage"] for row in opened} == {stage.id for stage in order.definition.stages}
    assert all("not needed" in row["why"] for row in rows if not row["opens_at"])


def test_the_plan_follows_the_calendar(door: Door) -> None:
    """One business day from Monday at ten, Berlin time, is Tuesday at ten; everybody answers when it is due."""
    rows = {row["item"]: row for row in planned(door, "quick-start", "--at", AT).data["plan"]}

    assert rows["welcome_call"]["opens_at"] == AT
    assert rows["welcome_call"]["due_at"] == "2026-11-24T09:00:00Z"
    assert rows["goal_confirmed"]["opens_at"] == "2026-11-24T09:00:00Z"
    assert "Europe/Berlin" in rows["welcome_call"]["why"]


def test_it_prints_what_another_client_needs(door: Door) -> None:
    """The one argument of the workflow and its task queue; no address and no name of a person in it."""
    answer = planned(door, "quick-start", "--at", AT)
    text = json.dumps(answer.data["start_input"])

    assert answer.data["task_queue"] == "onboarding"
    assert read_order(text).run == "onboarding/c-1/quick-start" == answer.data["run"]
    assert "bakery.example" not in text
    assert "Lea Brandt" not in text


def test_zones_reach_from_the_year_before_to_six_after(door: Door) -> None:
    """What a run needs for life, wherever the start lies."""
    order = read_order(planned(door, "quick-start", "--at", AT).data["start_input"])
    first, last = (
        order.calendars["provider"].zone.transitions[0][0],
        order.calendars["provider"].zone.transitions[-1][0],
    )

    assert datetime.fromtimestamp(first).year in (2024, 2025)
    assert datetime.fromtimestamp(last).year in (2032, 2033)


def test_json_lines_are_the_rows_of_the_plan(door: Door) -> None:
    """One line each."""
    answer = planned(door, "quick-start", "-o", "jsonl")

    assert [row["item"] for row in planned(door).data["plan"]] == [json.loads(line)["item"] for line in answer.lines]


def test_a_table_shows_every_item(door: Door) -> None:
    """What a person reads."""
    answer = planned(door, "quick-start", "-o", "table")

    assert all(row["item"] in answer.out for row in planned(door).data["plan"])


@pytest.mark.parametrize(
    ("written", "value"),
    [("imports_data=false", False), ("imports_data=TRUE", True), ("onboarding_owner=eva@provider.example", "eva")],
)
def test_set_is_typed_by_the_definition(door: Door, written: str, value: Any) -> None:
    """`true` is a truth value where one is declared, and a text elsewhere."""
    order = planned(door, "quick-start", "--set", written).data["start_input"]

    assert order["inputs"][written.partition("=")[0]] == value


def test_every_fault_of_an_input_is_told_at_once(door: Door) -> None:
    """65, each with place, code and sentence, never with the value."""
    answer = planned(
        door, "quick-start", "--set", "imports_data=perhaps", "--set", "colour=blue", "--set", "onboarding_owner=no mail", "--set", "signed_at=1.1."
    )  # fmt: skip
    faults = answer.data["faults"]

    assert answer.code == 65
    assert {"/imports_data", "/colour", "/onboarding_owner", "/signed_at"} <= {fault["place"] for fault in faults}
    assert all(fault["code"] and fault["sentence"] for fault in faults)
    assert "perhaps" not in answer.out
    assert "no mail" not in answer.out


@pytest.mark.parametrize("key", ["", "Jane Doe", "a/b", "jane@customer.example", "x" * 64, "Ümlaut"])
def test_a_customer_key_is_opaque(door: Door, key: str) -> None:
    """No names, no addresses, nothing that would break the run's name."""
    answer = door(
        "start", "quick-start", "--customer", key, "--input", EXAMPLES / "quick-start.input.yaml", "--dry-run"
    )

    assert answer.code == 65
    assert "/customer" in [fault["place"] for fault in answer.data["faults"]]


def test_a_start_without_a_server_is_69(door: Door) -> None:
    """Everything was right but the server; nothing was started."""
    answer = door("start", "quick-start", "--customer", "c-1", "--input", EXAMPLES / "quick-start.input.yaml")

    assert answer.code == 69
    assert answer.out == ""


def test_members_of_a_group_come_from_the_directory(door: Door) -> None:
    """The first one answers for it."""
    (door.folder / "people.yaml").write_text("groups:\n  implementation: [eva@provider.example, olaf]\n")
    example = EXAMPLES / "b2b-standard.input.yaml"
    order = door(
        "start", "b2b-standard", "--customer", "c-1", "--input", example, "--dry-run", ONBOARDING_DIRECTORY="people.yaml"
    ).data["start_input"]  # fmt: skip

    assert order["people"]["engineering"] == ["eva", "olaf"]
