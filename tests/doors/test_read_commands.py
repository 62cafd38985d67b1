"""What the reads over rows show to people at a terminal; no server is needed."""

from __future__ import annotations

from typing import Any

import pytest

from console import printing, tables
from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.calls import Door
from tests.support.records import a_run, a_turn, at


def rows(door: Door, *runs: str, **changes: Any) -> None:
    """Writes a first turn of each of these runs into the door's database."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for run in runs:
        _, customer, definition = run.split("/")
        row = a_run(run, customer=customer, definition=definition, **changes)
        SqlRecordStore(engine).write(a_turn(1, run=row))
    engine.dispose()


@pytest.mark.parametrize("name", ["c-1", "c-9"])
def test_half_a_name_is_told_what_a_name_is(door: Door, name: str) -> None:
    """A customer's key alone is what people type first; one run that they have is named."""
    rows(door, "onboarding/c-1/quick-start")
    answer = door("status", name, "-o", "json")

    assert answer.code == 23
    assert "CUSTOMER/DEFINITION" in answer.data["sentence"]
    assert ("did you mean 'c-1/quick-start'?" in answer.data["sentence"]) is (name == "c-1")


def test_half_a_name_of_several_runs_names_them(door: Door) -> None:
    """Whoever asks chooses."""
    rows(door, "onboarding/c-1/quick-start", "onboarding/c-1/b2b-standard")
    sentence = door("status", "c-1", "-o", "json").data["sentence"]

    assert "this customer has 2 runs: c-1/b2b-standard, c-1/quick-start." in sentence


def test_a_picture_of_a_bad_file_does_not_speak_of_starting(door: Door) -> None:
    """Nothing was to be started."""
    (door.folder / "bad.yaml").write_text("schema: onboarding/v1\n")
    picture = door("picture", "bad.yaml")
    start = door("start", "bad.yaml", "--customer", "c-1")

    assert (picture.code, start.code) == (65, 65)
    assert picture.err.strip() == "Mend what is listed and try again."
    assert start.err.strip() == "Nothing was started. Mend what is listed and try again."


def test_tables_show_seconds_as_a_duration_beside(door: Door) -> None:
    """JSON stays seconds; what is under a minute may be a count."""
    numbers = {"customer_wait": 105_794, "asks_made": 3}
    rows(door, "onboarding/c-1/quick-start", state="closed", outcome="live", closed_at=at(40), metrics=numbers)
    report = door("report", "-o", "table").out
    one = door("report", "c-1/quick-start", "-o", "table").out
    data = door("report", "-o", "json").data

    assert "105794 (1d 5h)" in report
    assert "105794 (1d 5h)" in one
    assert " 3 " in report
    assert "3 (" not in report
    assert data["rows"][0]["metrics"]["customer_wait"]["median"] == 105_794


def test_a_waived_condition_does_not_say_that_it_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    """It is met because somebody said so, and what is missing stands behind that."""
    condition = {"text": "facts.vat_id", "met": True, "holder": None, "since": None, "why": "vat_id is not known yet"}
    answer = {"stage": "intake", "holds": True, "debt": [], "conditions": [{**condition, "waived": True}]}

    printing.console().print(tables.gate(answer))

    assert "yes" in capsys.readouterr().out.partition("waived: vat_id is not known yet")[0]
