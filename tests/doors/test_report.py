"""`report` at the command line: who it is about, in which form, and what it says of nothing; no server is needed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.calls import Door
from tests.support.known_runs import fill
from tests.support.records import a_run, a_turn


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Door:
    """A door whose database holds the eleven known runs."""
    folder: Path = tmp_path_factory.mktemp("known")
    door = Door(folder)
    fill(door.environment["ONBOARDING_DATABASE_URL"])
    return door


def test_a_report_is_by_definition_unless_told_otherwise(known: Door) -> None:
    """The line has the shape of the contract, and everything else beside it."""
    (line,) = known("report").data["rows"]

    assert line["by"] == {"definition": "known"}
    assert (line["runs"], line["open"]) == (11, 2)
    assert line["metrics"]["asks_made"] == {"n": 9, "median": 1, "p80": 1, "p90": 1}
    assert [stage["stage"] for stage in line["stages"]] == ["intake", "setup", "live"]


def test_a_report_may_be_by_several_things_and_of_some_runs(known: Door) -> None:
    """Options may be repeated; JSON lines are one line for each line."""
    answer = known(
        "report", "--by", "segment", "--by", "version", "--definition", "known", "--from", "2026-11-30", "-o", "jsonl"
    )

    assert answer.code == 0
    assert [line.partition(',"at"')[0] for line in answer.lines] == [
        '{"by":{"segment":"large","version":1}',
        '{"by":{"segment":"large","version":2}',
        '{"by":{"segment":"small","version":1}',
        '{"by":{"segment":"small","version":2}',
    ]


def test_a_table_says_what_each_number_rests_on(known: Door) -> None:
    """Durations for people; every line has its runs. What open runs add to a time depends on today, so it is not looked at."""
    table = known("report", "-o", "table").out
    lines = {line.split("  ")[0].strip(): " ".join(line.split()[1:]) for line in table.splitlines()}

    assert table.startswith(
        "definition known: 11 runs, 2 open, 7 live, 1 lost, 1 cancelled; 1 owner, median 11 runs each"
    )
    assert "time_to_first_value 7 6h 11h 12m 13h 36m" in " ".join(table.split())
    assert "time_to_first_value 11 7 2 2 " in " ".join(table.split())
    assert lines["right at the first attempt"] == "at the first attempt 9 8 of 9 89 %"
    assert lines["setup"].startswith("9 7 1 1 0 4h 3h 7h 24m ")
    assert lines["together"] == "9 2d 6h 100 %"
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 100


def test_a_spreadsheet_gets_a_line_for_each_number(known: Door) -> None:
    """The same numbers as in JSON, each with the runs that it rests on."""
    answer = known("report", "--by", "definition", "--by", "version", "-o", "csv")
    lines = list(csv.DictReader(io.StringIO(answer.out)))
    told = {(line["version"], line["stage"], line["part"], line["number"]): line for line in lines}

    assert (answer.code, answer.err) == (0, "")
    assert len(told) == len(lines)
    assert all(line["runs"] for line in lines)
    assert told["1", "", "runs", "open"]["value"] == "2"
    assert told["1", "", "metrics", "elapsed"]["runs"] == "7"
    assert told["1", "", "rates", "customer_on_time"]["n"] == "10"
    assert told["1", "", "sides", "hold"]["value"] == "7200"
    assert told["1", "known/setup", "stages", "with_open"]["reached"] == "6"
    assert told["2", "known/setup", "stages", "entered"]["value"] == "1"


def test_one_run_is_told_in_every_form(known: Door) -> None:
    """As before, and as lines for a spreadsheet."""
    data = known("report", "e/known").data
    lines = list(csv.DictReader(io.StringIO(known("report", "e/known", "-o", "csv").out)))
    table = known("report", "e/known", "-o", "table").out

    assert data["by_side"]["hold"] == 7200
    assert {"run": "onboarding/e/known", "part": "side", "number": "hold", "value": "7200"} in lines
    assert {"run": "onboarding/e/known", "part": "run", "number": "elapsed", "value": str(data["elapsed"])} in lines
    assert "hold" in table


def test_what_begins_like_a_formula_is_no_formula_in_a_spreadsheet(door: Door) -> None:
    """Segments are what somebody typed."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    SqlRecordStore(engine).write(a_turn(1, run=a_run(segment="=1+1")))
    engine.dispose()

    assert door("report", "--by", "segment", "-o", "csv").lines[1].startswith("'=1+1,")


@pytest.mark.parametrize("chosen", [(), ("--owner", "ada"), ("--definition", "x")])
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_no_runs_yet_is_a_sentence_and_no_error(door: Door, form: str, chosen: tuple[str, ...]) -> None:
    """On the screen it is the answer; beside data it is a hint. No word is wrong then."""
    answer = door("report", *chosen, "-o", form)

    assert answer.code == 0
    assert "No run has been recorded here yet" in (answer.out if form == "table" else answer.err)
    assert (answer.out == "") is (form in ("jsonl", "csv"))


def test_nothing_in_a_period_says_how_many_there_are(known: Door) -> None:
    """So that an empty report is no riddle; a definition that nobody has started is no error, either."""
    period = known("report", "--to", "2026-11-30", "-o", "table")
    unused = known("report", "--definition", "quick-start", "-o", "table")

    for answer in (period, unused):
        assert answer.code == 0
        assert answer.out == (
            "None of the 11 runs that are recorded here was chosen by --definition, --owner, --from and --to.\n"
        )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--definition", "knwon"), "unknown_definition", "No run has the definition 'knwon'; did you mean 'known'?"),
        (("--definition", "quickstart"), "unknown_definition", "did you mean 'quick-start'?"),
        (("--owner", "olaf"), "unknown_owner", "No run has the owner 'olaf'"),
        (("--owner", "olga", "--owner", "oga"), "unknown_owner", "did you mean 'olga'?"),
    ],
)
def test_a_name_that_nothing_bears_is_23_with_the_nearest_one(
    known: Door, arguments: tuple[str, ...], code: str, sentence: str
) -> None:
    """An empty report would look like an answer."""
    answer = known("report", *arguments)

    assert (answer.code, answer.data["code"]) == (23, code)
    assert sentence in answer.data["sentence"]
