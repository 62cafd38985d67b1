"""`events` and its like as commands, from rows alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onboarding import emitted
from runtime.settings import ROOT
from storage.engine import open_database
from storage.events import SqlEvents
from tests.support.calls import Door
from tests.support.events import tell

RUNS = ("onboarding/a/x", "onboarding/b/x")
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


@pytest.fixture
def full(door: Door) -> Door:
    """Two runs that told a CRM 60 events each, and books the same; of the first 20 have arrived at the CRM, and it refused the next."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for run in RUNS:
        tell(engine, run, 60, "crm", "books")
    events = SqlEvents(engine)
    (claimed, other) = events.claim("crm", "w", 9, NOW, NOW + timedelta(minutes=1))
    events.arrived(claimed, "w", 20, NOW, NOW)
    events.park(claimed, "w", "http_422", NOW)
    events.give_back(other, "w")
    engine.dispose()
    return door


def test_events_are_listed_page_by_page_with_what_became_of_them(full: Door) -> None:
    first = full("events", "-o", "json").data
    second = full("events", "--cursor", first["next_cursor"], "-o", "json").data
    one = full("events", RUNS[0], "--to", "crm", "--all", "-o", "json").data["rows"]

    assert (len(first["rows"]), len(second["rows"]), second["next_cursor"]) == (100, 20, None)
    assert [row["n"] for row in one] == list(range(1, 61))
    assert [one[n]["to"] for n in (0, 19, 20, 59)] == [{"crm": "arrived"}] * 2 + [{"crm": "parked (http_422)"}] * 2
    assert first["rows"][0]["to"] == {"crm": "arrived", "books": "waits"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("events", "--to", "crn"), 23, "did you mean 'crm'?"),
        (("events", "onboarding/z/x"), 23, "No run 'onboarding/z/x' is known here"),
        (("events", "--cursor", "x"), 64, "cursor"),
        (("events", "resend"), 64, "--to"),
        (("events", "resend", "--to", "crm", "--from", "3"), 64, "name the RUN"),
        (("events", "resend", "--to", "crm", "--from", "yesterday"), 64, "an instant with an offset"),
        (("events", "resend", "--to", "crm", RUNS[0], "--from", "0"), 64, "from 1 on"),
        (("events", "resend", "--to", "crm", RUNS[0], "--from", "30"), 21, "9 events before number 30"),
        (("events", "schema", "stage.enterd"), 64, "did you mean 'stage.entered'?"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(full: Door, words: tuple[str, ...], code: int, said: str) -> None:
    answer = full(*words, "-o", "json")

    assert answer.code == code
    assert said in answer.out + answer.err


def test_what_was_refused_goes_on_where_it_stopped(full: Door) -> None:
    assert full("events", "resend", "--to", "crm", "-o", "json").data["rows"] == [
        {"run": RUNS[0], "from": 21, "events": 40, "skipped": 0, "to": "crm"},
        {"run": RUNS[1], "from": 1, "events": 60, "skipped": 0, "to": "crm"},
    ]
    assert "parked" not in full("events", "--to", "crm", "--all", "-o", "jsonl").out


def test_events_are_told_again_from_a_number_or_an_instant(full: Door) -> None:
    def rows(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = full("events", "resend", "--to", "crm", *words, "-o", "json").data["rows"]
        return found

    assert [(row["from"], row["events"]) for row in rows(RUNS[0], "--from", "5")] == [(5, 56)]
    assert [(row["from"], row["events"]) for row in rows("--from", "2026-11-30T09:03:00Z")] == [(3, 58), (1, 60)]
    assert [(row["from"], row["skipped"]) for row in rows(RUNS[0], "--from", "10", "--skip")] == [(10, 7)]


def test_the_schema_of_each_type_is_printed(door: Door) -> None:
    one = door("events", "schema", "stage.entered", "-o", "json").data
    every = json.loads(door("events", "schema", "-o", "table").out)

    assert one["$id"] == "urn:onboarding:event:stage.entered:1"
    assert list(every) == list(emitted.TYPES)


def test_a_definition_that_tells_a_webhook_nobody_configured_is_refused(door: Door, tmp_path: Path) -> None:
    source = (Path(__file__).parents[1] / "data" / "short.yaml").read_text(encoding="utf-8")
    file = tmp_path / "short.yaml"
    file.write_text(source + "\nemit:\n  to:\n    - {webhook: crm, events: [run.closed]}\n", encoding="utf-8")

    refused = door("check", file, "-o", "json")
    assert (refused.code, "unknown_webhook" in refused.out) == (65, True)
    assert door("check", file, "--portable", "-o", "json").code == 0


def test_the_example_that_tells_others_fits_the_example_of_a_file_of_webhooks(door: Door) -> None:
    file, channels = ROOT / "definitions/examples/told-outside.yaml", ROOT / "docs/examples/channels.yaml"
    told = door("check", file, ONBOARDING_CHANNELS=str(channels))

    assert (door("check", file).code, door("check", file, "--portable").code) == (65, 0)
    assert (told.code, told.data["files"][0]["faults"]) == (0, [])


def test_doctor_says_what_has_not_arrived_since_when_and_why(full: Door) -> None:
    lines = [row for row in full("doctor", "-o", "json").data["rows"] if row["name"] == "events"]

    assert [(row["level"], row["sentence"]) for row in lines] == [
        ("warn", "books has not got 120 events of 2 runs since 2026-11-30 09:01 UTC: ONBOARDING_CHANNELS names no such webhook."),
        ("warn", "crm has not got 100 events of 2 runs since 2026-11-30 09:01 UTC: ONBOARDING_CHANNELS names no such webhook."),
    ]  # fmt: skip
