"""`check-replay` on files: verdicts in the words of a person, exit codes, and no traceback whatever a file holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.support.calls import Door
from tests.support.recorded import FOLDER

WELL = FOLDER / "0.1.0" / "rules-1-quick-start-1.json.gz"


def plain(path: Path) -> dict[str, list[dict[str, object]]]:
    """A recorded history as it would be downloaded."""
    found: dict[str, list[dict[str, object]]] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def test_a_folder_of_histories_that_replay_is_well(door: Door, tmp_path: Path) -> None:
    """As `temporal workflow show` writes them, as a bare list, and compressed; other files are left alone."""
    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "a.json").write_text(json.dumps(plain(WELL), indent=2))
    (tmp_path / "b.json").write_text(json.dumps(plain(WELL)["events"]))
    (tmp_path / "c.json.gz").write_bytes(WELL.read_bytes())
    (tmp_path / "notes.txt").write_text("nothing")

    answer = door("check-replay", tmp_path, "-o", "json")

    assert answer.code == 0, answer
    assert (answer.data["checked"], answer.data["replays"], answer.data["first"]) == (3, 3, None)
    assert {row["run"] for row in answer.data["rows"]} == {"onboarding/c-rules-1-quick-start/quick-start"}


def test_the_first_that_breaks_is_named_with_its_event(door: Door, tmp_path: Path) -> None:
    """A timer that this build never starts: run, event, why, and what to do."""
    history = plain(WELL)
    timer = next(event for event in history["events"] if event["eventType"] == "EVENT_TYPE_TIMER_STARTED")
    timer["eventType"] = "EVENT_TYPE_TIMER_CANCELED"
    timer["timerCanceledEventAttributes"] = {"timerId": "1"}
    del timer["timerStartedEventAttributes"]
    (tmp_path / "a.json").write_bytes(json.dumps(plain(WELL)).encode())
    (tmp_path / "b.json").write_text(json.dumps(history))

    answer = door("check-replay", tmp_path, "-o", "json")

    first = answer.data["first"]
    assert (answer.code, answer.data["replays"], answer.data["breaks"]) == (65, 1, 1)
    assert first["source"].endswith("b.json")
    assert first["verdict"] == "breaks"
    assert 0 < first["event"] <= int(str(timer["eventId"]))
    assert first["kind"]
    assert "TimerCanceled" in first["why"]
    assert "rules_version" in answer.err


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_that_no_worker_has_had_yet_replays(door: Door, tmp_path: Path, count: int) -> None:
    """Nothing is decided, so nothing can differ; `--open` meets such a run wherever one has just begun."""
    (tmp_path / "a.json").write_text(json.dumps(plain(WELL)["events"][:count]))

    answer = door("check-replay", tmp_path, "-o", "json")

    assert (answer.code, answer.data["replays"]) == (0, 1), answer


@pytest.mark.parametrize("order", [slice(None, None, 2), slice(1, None, -1)], ids=["a gap", "backwards"])
def test_events_that_are_missing_or_in_another_order_are_told(door: Door, tmp_path: Path, order: slice) -> None:
    """What is left proves nothing for or against a build."""
    first, *rest = plain(WELL)["events"]
    (tmp_path / "a.json").write_text(json.dumps([first, *rest[order]]))

    answer = door("check-replay", tmp_path, "-o", "json")

    assert (answer.code, answer.data["first"]["verdict"]) == (65, "unreadable"), answer
    assert "order" in answer.data["first"]["why"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[]", "no list of events"),
        (b'{"events": [5]}', "no list of events"),
        (b'{"events": [{"eventId": "x"}]}', "encoded download"),
        (b'{"events": [{"eventId": "7", "eventType": "EVENT_TYPE_TIMER_FIRED", "timerFiredEventAttributes": {}}]}', "whole history"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_history_gets_a_sentence(door: Door, tmp_path: Path, content: bytes, word: str) -> None:
    """None of it is repeated."""
    (tmp_path / "a.json").write_bytes(content)

    answer = door("check-replay", tmp_path / "a.json", "-o", "json")

    assert answer.code == 65, answer
    assert answer.data["first"]["verdict"] == "unreadable"
    assert word in answer.data["first"]["why"]


def test_a_damaged_archive_a_missing_file_and_an_empty_folder_are_no_proof(door: Door, tmp_path: Path) -> None:
    """Each ends with 65: what was not checked is not well."""
    (tmp_path / "cut.json.gz").write_bytes(WELL.read_bytes()[:200])
    (tmp_path / "empty").mkdir()

    for place in ("cut.json.gz", "missing.json", "empty"):
        assert door("check-replay", tmp_path / place, "-o", "json").code == 65, place
    assert "proves nothing" in door("check-replay", tmp_path / "empty", "-o", "json").err


def test_neither_or_both_ways_is_usage(door: Door, tmp_path: Path) -> None:
    """Files, or open runs."""
    assert door("check-replay").code == 64
    assert door("check-replay", tmp_path, "--open").code == 64
    assert door("check-replay", "--open", "--limit", "0").code == 64


def test_open_runs_of_a_server_that_is_not_there_are_unreachable(door: Door) -> None:
    """69, as for every command that needs a server."""
    assert door("check-replay", "--open").code == 69
