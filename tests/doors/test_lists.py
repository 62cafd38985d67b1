"""`list` and `inbox` as commands, from rows alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from console.runs import SORTS
from console.visibility import ATTRIBUTES, query_of
from onboarding.engine.effects import WriteRecords
from runtime.search_attributes import SEARCH_ATTRIBUTES
from storage import run_list
from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.calls import Door
from tests.support.records import a_run, a_wait, at

RUN = "onboarding/c-{n}/quick-start"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Door:
    """A door to 120 runs, in each of which something waits for dana, and in every tenth for lars, too."""
    door = Door(tmp_path_factory.mktemp("full"))
    keep(door, 120)
    return door


def keep(door: Door, count: int, **changes: Any) -> None:
    """Writes so many runs."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for n in range(count):
        waiting = [a_wait("dana", role="lead", due_at=at(n))]
        waiting += [a_wait("lars", role="lead", due_at=at(n), first=False)] if n % 10 == 0 else []
        row = a_run(RUN.format(n=n), customer=f"c-{n}", owner="dana", due_at=at(n), wave=f"w-{n % 2}", **changes)
        SqlRecordStore(engine).write(WriteRecords(run=row, waiting=tuple(waiting), id=f"b-{n}"))
    engine.dispose()


def test_a_page_says_how_many_there_are(full: Door) -> None:
    """As data and as words; every page together has them all once."""
    first = full("list", "--sort", "due", "-o", "json").data
    second = full("list", "--sort", "due", "--cursor", first["next_cursor"], "-o", "json").data
    words = full("list", "-o", "table").out

    assert (first["total"], second["total"], second["next_cursor"]) == (120, 120, None)
    assert [row["run"] for row in first["rows"] + second["rows"]] == [RUN.format(n=n) for n in range(120)]
    assert "100 of 120. More: --cursor " in words
    assert full("list", "--all", "-o", "table").out.rstrip().endswith("120 of 120")


@pytest.mark.parametrize("words", [("inbox", "dana"), ("inbox", "--group", "lead")])
def test_an_inbox_says_how_much_there_is(full: Door, words: tuple[str, ...]) -> None:
    """Of a role each thing once, however many may take it."""
    answer = full(*words, "-o", "json").data

    assert (answer["total"], len(answer["rows"])) == (120, 100)
    assert len(full(*words, "--all", "-o", "jsonl").lines) == 120
    assert "100 of 120" in full(*words, "-o", "table").out
    assert full("inbox", "Lars", "-o", "json").data["total"] == 12


def test_an_order_can_be_turned_round(full: Door) -> None:
    """With one letter."""
    last = full("list", "--sort", "due", "-r", "-o", "json").data["rows"][0]["run"]

    assert last == RUN.format(n=119)
    assert (*SORTS,) == (*run_list.SORTS,)


def test_runs_are_only_counted_when_that_is_asked(full: Door) -> None:
    """By what they are and how they do."""
    answer = full("list", "--count", "--wave", "w-1", "-o", "json").data

    assert answer["total"] == 60
    assert {"by": "health", "value": "on_track", "runs": 60} in answer["rows"]
    assert "on_track" in full("list", "--count", "-o", "table").out


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("list", "--definition", "quick-strat"), "did you mean 'quick-start'?"),
        (("list", "--owner", "Dnaa"), "did you mean 'dana'?"),
        (("list", "--owner", "dana", "--owner", "dnaa"), "did you mean 'dana'?"),
        (("list", "--stage", "intak", "--count"), "did you mean 'intake'?"),
        (("list", "--segment", "xxxxx"), "list --count"),
        (("list", "--wave", "w-7"), "did you mean 'w-"),
        (("list", "--month", "2026-12"), "did you mean '2026-11'?"),
        (("inbox", "dnaa"), "did you mean 'dana'?"),
        (("inbox", "--group", "laed"), "did you mean 'lead'?"),
    ],
)  # fmt: skip
def test_a_word_that_no_run_has_is_23_with_the_nearest(full: Door, arguments: tuple[str, ...], nearest: str) -> None:
    """An empty list would look like good news."""
    answer = full(*arguments, "-o", "json")

    assert (answer.code, answer.data["outcome"]) == (23, "unknown")
    assert nearest in answer.data["sentence"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",), ("list", "--definition", "none"), ("list", "--owner", "nobody", "--count"), ("inbox", "nobody"),
        ("inbox", "--group", "nobody"),
    ],
)  # fmt: skip
def test_where_there_is_no_run_yet_a_sentence_says_so(door: Door, arguments: tuple[str, ...]) -> None:
    """On a new installation no word is wrong: an empty table, and 0."""
    words, data = door(*arguments, "-o", "table"), door(*arguments, "-o", "json")

    assert (words.code, data.code) == (0, 0)
    assert words.out.startswith("No runs yet")
    assert (data.data["rows"], data.data["total"]) == ([], 0)
    assert data.err.startswith("No runs yet")


def test_an_empty_answer_says_why(full: Door) -> None:
    """The words are known, and nothing fits."""
    assert full("list", "--state", "closed", "-o", "table").out.strip() == "No run fits."
    assert full("list", "--state", "closed", "-o", "json").err.strip() == "No run fits."


@pytest.mark.parametrize("words", [("list",), ("inbox", "dana"), ("inbox", "--group", "lead")])
def test_behind_the_last_line_there_are_no_more(full: Door, words: tuple[str, ...]) -> None:
    """Whoever keeps a cursor may come too late; that nothing fits would be wrong beside the total."""
    order, place = ("run", ["~"]) if words == ("list",) else ("urgent", [None, "~", "~", "~"])
    cursor = base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode().rstrip("=")
    answer = full(*words, "--cursor", cursor, "-o", "json")

    assert (answer.code, answer.data["rows"], answer.data["total"]) == (0, [], 120)
    assert answer.err.strip() == "No more of 120: the page before was the last one."
    assert full(*words, "--cursor", cursor, "-o", "table").out.strip() == answer.err.strip()


def test_a_known_person_may_have_nothing(door: Door) -> None:
    """That is no slip of the pen."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    SqlRecordStore(engine).write(WriteRecords(run=a_run(owner="erik"), id="b-1"))
    engine.dispose()

    assert door("inbox", "erik", "-o", "table").out.strip() == "Nothing waits for erik."


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ((), "ExecutionStatus IN ('Running', 'Completed')"),
        (("--state", "closed"), "ExecutionStatus = 'Completed'"),
        (("--state", "running"), "(ExecutionStatus = 'Running' AND OnboardingHealth != 'on_hold')"),
        (
            ("--state", "on_hold", "--state", "closed"),
            "((ExecutionStatus = 'Running' AND OnboardingHealth = 'on_hold') OR ExecutionStatus = 'Completed')",
        ),
        (("--owner", "Dana"), "ExecutionStatus IN ('Running', 'Completed') AND OnboardingOwner = 'dana'"),
        (
            ("--health", "at_risk", "--health", "stalled", "--wave", "it's"),
            "ExecutionStatus IN ('Running', 'Completed') AND OnboardingHealth IN ('at_risk', 'stalled') AND OnboardingWave = 'it''s'",
        ),
    ],
)  # fmt: skip
def test_the_same_question_is_written_for_temporal(door: Door, arguments: tuple[str, ...], query: str) -> None:
    """As plain text, ready to be handed on; as JSON only when that is asked."""
    answer = door("list", "--as-query", *arguments)

    assert (answer.code, answer.out) == (0, f"WorkflowType = 'OnboardingRun' AND {query}\n")
    assert door("list", "--as-query", *arguments, "-o", "json").data == {"query": answer.out.rstrip("\n")}


def test_a_stage_beside_the_first_is_said_to_be_unknown_there(door: Door) -> None:
    """On stderr, beside the query."""
    assert "one stage" in door("list", "--as-query", "--stage", "intake").err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--outcome", "lost"), "--outcome"),
        (("--variant", "smb", "--month", "2026-11"), "--variant, --month"),
        (("--overdue",), "--overdue"),
        (("--at-risk",), "--health at_risk --health stalled --health escalated"),
        (("--since", "2026-11-01", "--until", "2026-12-01T00:00:00Z"), "--since, --until"),
        (("--sort", "due"), "--sort"),
        (("--count", "-r"), "--reverse, --count"),
        (("--wave", 'a"b'), "No query of Temporal finds"),
        (("--segment", "a\\"), "No query of Temporal finds"),
        (("--segment", "'a"), "No query of Temporal finds"),
    ],
)  # fmt: skip
def test_what_temporal_does_not_know_is_refused_by_name(door: Door, arguments: tuple[str, ...], named: str) -> None:
    """A query without it would look like an answer."""
    answer = door("list", "--as-query", *arguments)

    assert (answer.code, answer.out) == (64, "")
    assert named in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("inbox",), "inbox --group lead"),
        (("inbox", "dana", "--group", "lead"), "leave out PERSON or --group"),
        (("list", "--sort", "du"), "did you mean 'due'?"),
        (("list", "--month", "2026-13"), "a month such as 2026-11"),
        (("list", "--month", "november"), "a month such as 2026-11"),
        (("list", "--since", "yesterday"), "--since takes"),
        (("list", "--until", "2026-11-01T00:00:00"), "--until takes"),
        (("list", "--count", "--sort", "due"), "leave out --sort"),
        (("list", "--count", "--all"), "leave out --all"),
    ],
)
def test_wrong_usage_of_a_list_is_64(door: Door, arguments: tuple[str, ...], words: str) -> None:
    """With the way out."""
    answer = door(*arguments)

    assert (answer.code, answer.out) == (64, "")
    assert words in answer.err


def test_every_attribute_of_a_query_is_registered() -> None:
    """An unknown one would be an error of the server."""
    assert set(ATTRIBUTES.values()) <= set(SEARCH_ATTRIBUTES)
    assert query_of({"customer": ["z" * 300]}).count("z") == 200


def test_lists_of_days_begin_and_end_in_utc(full: Door) -> None:
    """A day means its first moment."""
    assert full("list", "--since", "2026-11-02", "--until", "2026-11-03", "-o", "json").data["total"] == 120
    assert full("list", "--until", "2026-11-02", "-o", "json").data["total"] == 0
