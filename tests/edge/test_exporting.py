"""Rows on their way out: whole, in order, in no more memory than a part of them takes, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import Engine, event, insert

from console import export
from console.cells import cell, csv_lines
from console.leaving import Misused
from console.replacing import beside
from onboarding.engine.effects import WriteRecords
from storage.chosen import Chosen
from storage.engine import writing
from storage.exporting import AT_ONCE, TABLES, columns_of, rows
from storage.records import SqlRecordStore
from storage.rows import values_of
from storage.tables import ALL, PEOPLE, TRAIL
from tests.support.chains import chained_turns
from tests.support.records import a_notice, a_run, a_trail, at

ACME, BOLT, CORE = "onboarding/acme/quick-start", "onboarding/bolt/quick-start", "onboarding/core/b2b-standard"


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Three runs: two of one definition, one of another and of another month."""
    store = SqlRecordStore(engine)
    for run in (ACME, BOLT):
        for turn in chained_turns(3, run):
            store.write(turn)
    later = a_run(CORE, customer="core", definition="b2b-standard", counted_from=at(24 * 60), milestones={"m": at(2)})
    store.write(WriteRecords(run=later, notices=(a_notice(run=CORE),), trail=(a_trail(1),)))
    return engine


def test_every_table_but_ours_and_those_of_addresses_and_keys_can_leave() -> None:
    """What waits now is no record, and how to reach people leaves by no command, nor does a key."""
    assert {table.name for table in ALL} - set(TABLES) == {"people", "waiting", "customer_keys", "hook_waits"}
    assert PEOPLE not in TABLES.values()


def test_words_to_a_person_and_our_own_book_keeping_stay() -> None:
    """A notice is there with its key and its fate."""
    assert not {"subject", "lines", "batch", "execution", "template"} & set(columns_of("notices"))
    assert not {"chain", "batch", "decided_at"} & set(columns_of("runs"))
    assert {"key", "state", "to", "sent_at"} <= set(columns_of("notices"))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_every_table_is_plain_json(engine: Engine, name: str) -> None:
    """With every column, in the order of the columns."""
    found = list(rows(engine, name, Chosen()))

    assert all(list(row) == list(columns_of(name)) for row in found)
    assert json.loads(json.dumps(found)) == found


def test_rows_come_in_the_order_of_their_keys(engine: Engine) -> None:
    """So that two exports of the same rows are the same."""
    keys = [(row["run"], row["n"]) for row in rows(engine, "trail", Chosen())]

    assert keys == [(ACME, 1), (ACME, 2), (ACME, 3), (BOLT, 1), (BOLT, 2), (BOLT, 3), (CORE, 1)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Chosen(), {ACME, BOLT, CORE}),
        (Chosen(runs=(ACME, CORE)), {ACME, CORE}),
        (Chosen(definition=("b2b-standard",)), {CORE}),
        (Chosen(owner=("nobody",)), set()),
        (Chosen(since=at(24 * 60)), {CORE}),
        (Chosen(until=at(24 * 60)), {ACME, BOLT}),
        (Chosen(since=at(-24), until=at(0)), {ACME, BOLT}),
        (Chosen(runs=(ACME,), definition=("b2b-standard",)), set()),
    ],
)
@pytest.mark.parametrize("name", ["runs", "trail"])
def test_runs_are_chosen_whole(engine: Engine, name: str, chosen: Chosen, expected: set[str]) -> None:
    """By name, definition and period; the period begins at its first instant and ends before its last."""
    assert {row["run"] for row in rows(engine, name, chosen)} == expected


def test_a_year_of_entries_takes_the_memory_of_a_part(engine: Engine) -> None:
    """Rows that are read are not kept."""
    count = 12 * AT_ONCE
    entry = {
        **values_of(a_trail(1)),
        "definition": "d",
        "version": 1,
        "variant": "",
        "hash": "h",
        "sentence": "x" * 400,
    }
    with writing(engine) as connection:
        connection.execute(insert(TRAIL), [{**entry, "run": CORE, "n": n} for n in range(2, count)])
    tracemalloc.start()
    read = sum(1 for _ in rows(engine, "trail", Chosen(runs=(CORE,))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read == count - 1
    assert most < 400 * count / 2


DANGEROUS = [
    "=1+1", "+1", "-1", "@sum(A1)", "\t=1", "\r=1", "\n=1", " =1", "  \t +1", '"=1"', "'=1", "“=1", "＝1+1", "＋1", "－1", "＠a", "﹢1", "﹣1", "⁺1",
    "−1", "\u200b=1", "\ufeff=1", "\u00a0=1", '" =1', "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    """Also behind what some programs take away first."""
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["", "a=1", "1-2", "dana@x", "customer:admin", "Ünï", '"a"', "2026-11-02T08:00:00Z", "(=)", "[1]", " ", "''"],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """Nothing of ours begins like a formula."""
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-5, "-5"),
        (0, "0"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        (["a", "=b"], '["a","=b"]'),
        ({"a": -1}, '{"a":-1}'),
        (1.5, "1.5"),
    ],
)
def test_numbers_stay_numbers(value: Any, expected: str) -> None:
    """An early date may be a negative number, and must stay one."""
    assert cell(value) == expected


def test_what_steers_a_terminal_is_taken_out() -> None:
    """Somebody reads a CSV with `cat`; and what hid behind it is still no formula."""
    assert cell("a\x1b[2Jb\x9bc\nd") == "a\ufffd[2Jb\ufffdc\nd"
    assert cell("\x1b=1") == "'\ufffd=1"


WRITTEN = st.text(st.characters(exclude_categories=("Cc", "Cs"), include_characters="\t\r\n"))


@given(st.lists(WRITTEN, min_size=1, max_size=3))
def test_a_csv_gives_back_every_text(texts: list[str]) -> None:
    """With quotes, commas and line breaks in it; but for the apostrophe in front."""
    columns = [f"c{n}" for n in range(len(texts))]
    text = "".join(csv_lines(columns, [dict(zip(columns, texts, strict=True))]))
    heading, row = csv.reader(io.StringIO(text, newline=""))

    assert heading == columns
    assert [(one == said or one == f"'{said}") for one, said in zip(row, texts, strict=True)] == [True] * len(texts)


def test_lines_of_a_csv_end_as_the_standard_says() -> None:
    """RFC 4180: CR LF, quotes doubled."""
    assert list(csv_lines(["a", "b"], [{"a": 'x"y', "b": "1,2"}])) == ["a,b\r\n", '"x""y","1,2"\r\n']


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    """Nothing is left beside it either."""
    file = tmp_path / "out.csv"
    file.write_text("before")
    with pytest.raises(ZeroDivisionError):
        half_written(file)

    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    assert file.read_text() == "before"
    with beside(file) as part:
        part.write_text("whole")
    assert (file.read_text(), [one.name for one in tmp_path.iterdir()]) == ("whole", ["out.csv"])


def half_written(file: Path) -> None:
    """Something goes wrong in the middle."""
    with beside(file) as part:
        part.write_text("half")
        raise ZeroDivisionError


def test_a_link_stays_a_link_and_a_device_is_refused(tmp_path: Path) -> None:
    """What it leads to is replaced; a device is never."""
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with beside(tmp_path / "link.csv") as part:
        part.write_text("after")

    assert ((tmp_path / "real.csv").read_text(), (tmp_path / "link.csv").is_symlink()) == ("after", True)
    with pytest.raises(Misused, match="ordinary file"), beside(Path("/dev/null")):
        raise AssertionError("never begun")


def test_instants_are_text_to_the_second(engine: Engine) -> None:
    """RFC 3339 in UTC."""
    run = next(rows(engine, "runs", Chosen(runs=(CORE,))))

    assert run["counted_from"] == (at(0) + timedelta(days=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert run["milestones"] == {"m": "2026-11-02T10:00:00Z"}


def test_the_names_of_runs_are_looked_up_together(engine: Engine) -> None:
    """One question, however many were named."""
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    chosen = export._chosen(engine, [ACME, BOLT, CORE, ACME], [], None, None)

    assert chosen.runs == (ACME, BOLT, CORE)
    assert sum(statement.startswith("SELECT runs.run") for statement in asked) == 1
