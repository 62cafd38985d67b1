"""`export`, `trail verify` and `trail head` as people and scripts call them; no server is needed."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import polars
import pytest

from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.support.calls import ENOUGH, Door
from tests.support.chains import chained_turns
from tests.support.shell import ROOT

ACME, BOLT = "onboarding/acme/quick-start", "onboarding/bolt/quick-start"


@pytest.fixture
def filled(door: Door) -> Door:
    """Two runs of three entries each; a message id of the second one is written to do harm."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for run in (ACME, BOLT):
        for turn in chained_turns(3, run, sentence="=HYPERLINK(1)" if run is BOLT else ""):
            SqlRecordStore(engine).write(turn)
    engine.dispose()
    return door


def sql(door: Door, statement: str) -> None:
    """Changes rows behind our back."""
    with sqlite3.connect(door.folder / "rows.sqlite") as rows:
        assert rows.execute(statement).rowcount > 0
    rows.close()


def test_the_same_rows_leave_in_three_forms(filled: Door) -> None:
    """Exact as JSON lines and Parquet; a CSV makes text of a formula."""
    lines = filled("export", "trail", "-o", "jsonl")
    table = filled("export", "trail", "-o", "csv")
    saved = filled("export", "trail", "--file", "t.parquet")
    exact = [row for row in map(json.loads, lines.lines) if "seal" not in row]
    cells = list(csv.DictReader(io.StringIO(table.out)))
    parquet = polars.read_parquet(filled.folder / "t.parquet")

    assert (lines.code, table.code, saved.code, saved.out) == (0, 0, 0, "")
    assert [row["digest"] for row in exact] == [row["digest"] for row in cells] == parquet["digest"].to_list()
    assert {row["sentence"] for row in exact} == {"", "=HYPERLINK(1)"}
    assert {row["sentence"] for row in cells} == {"", "'=HYPERLINK(1)"}
    assert parquet.schema["at"] == polars.Datetime("us", "UTC")
    assert parquet.schema["n"] == polars.Int64
    assert sorted(file.name for file in filled.folder.iterdir() if "parquet" in file.name) == ["t.parquet"]


def test_an_export_verifies_without_server_and_database(filled: Door, tmp_path: Path) -> None:
    """In another place; the digest that was told when it was made is found in it, and that of the run."""
    made = filled("export", "trail", ACME, "--file", "t.jsonl")
    digest = made.err.split("Digest of this export: ")[1].split(";")[0]
    head = filled("trail", "head", ACME).data
    (tmp_path / "rows.sqlite").unlink()
    plain = filled("trail", "verify", "t.jsonl")
    kept = filled("trail", "verify", "t.jsonl", "--against", digest, "--against", head["digest"])

    assert (plain.code, plain.data["verified"], plain.data["entries"]) == (0, True, 3)
    assert "--against" in plain.err
    assert [one["is"] for one in kept.data["against"]] == ["the whole export", f"entry 3 of {ACME}"]
    assert (kept.code, kept.err, head["n"]) == (0, "", 3)


def test_a_head_is_given_back_as_it_was_printed(filled: Door) -> None:
    """With the name of its run, so that no other run's trail can stand in for it."""
    filled("export", "trail", "--file", "t.jsonl")
    head = filled("trail", "head", "acme/quick-start", "-o", "table").out.strip()
    own = filled("trail", "verify", "t.jsonl", "--against", head)
    other = filled("trail", "verify", "t.jsonl", "--against", head.replace(ACME, "bolt/quick-start"))

    assert head.startswith(f"{ACME}=")
    assert (own.code, own.data["against"][0]["is"]) == (0, f"entry 3 of {ACME}")
    assert (other.code, other.data["rows"][0]["code"]) == (65, "not_the_kept_one")


def test_a_file_that_was_changed_is_65_and_says_where(filled: Door) -> None:
    """For people and for programs."""
    filled("export", "trail", "--file", "t.jsonl")
    file = filled.folder / "t.jsonl"
    file.write_text(file.read_text().replace(f"{BOLT}-2", f"{BOLT}-9"))
    answer = filled("trail", "verify", "t.jsonl")
    table = filled("trail", "verify", "t.jsonl", "-o", "table")

    assert (answer.code, table.code, answer.data["verified"]) == (65, 65, False)
    assert answer.data["rows"][0] == {
        "line": 6, "run": BOLT, "n": 2, "code": "changed",
        "sentence": "does not have the digest of what it says and of the entry before it",
    }  # fmt: skip
    assert "not what was written, 2 faults" in table.out


def test_a_file_is_compared_to_the_rows_of_a_run(filled: Door) -> None:
    """They may have gone on since; another way they may not have gone."""
    filled("export", "trail", "--file", "t.jsonl")
    same = filled("trail", "verify", "t.jsonl", "--against", "acme/quick-start")
    sql(filled, f"update trail set digest = 'x' where run = '{ACME}' and n = 3")
    other = filled("trail", "verify", "t.jsonl", "--against", ACME)
    unknown = filled("trail", "verify", "t.jsonl", "--against", "nobody/quick-start")

    assert (same.code, other.code, unknown.code) == (0, 65, 65)
    assert [row["code"] for row in other.data["rows"]] == ["not_the_rows"]
    assert [row["code"] for row in unknown.data["rows"]] == ["not_in_it"]


def test_the_rows_of_a_run_are_verified_where_they_stand(filled: Door) -> None:
    """21 for a record that contradicts itself; the read of the same name is still there."""
    well = filled("trail", "verify", ACME)
    sql(filled, f"delete from trail where run = '{ACME}' and n = 2")
    broken = filled("trail", "verify", "acme/quick-start")
    kept = filled("trail", "verify", BOLT, "--against", "0" * 64)

    assert (well.code, broken.code, kept.code) == (0, 21, 21)
    assert "No Temporal server answers" in well.err
    assert (broken.data["rows"][0]["n"], broken.data["rows"][0]["code"]) == (3, "wrong_number")
    assert filled("trail", ACME).code == 69


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_not_exact_is_not_verified(filled: Door, form: str) -> None:
    """Loudly: a CSV that somebody could not verify must not look as if it were."""
    filled("export", "trail", "-o", form, "--file", f"t.{form}")
    answer = filled("trail", "verify", f"t.{form}")

    assert answer.code == 65
    assert "-o jsonl" in answer.data["faults"][0]["sentence"]


@pytest.mark.parametrize("name", [".", "none.jsonl", "/dev/null"])
def test_what_is_no_file_is_65(door: Door, name: str) -> None:
    """A folder, nothing, a device."""
    assert door("trail", "verify", name).code == 65


def test_nothing_to_export_is_no_error(door: Door) -> None:
    """Headings of nothing, a seal of nothing."""
    assert door("export", "runs", "-o", "csv").out.startswith("run,customer,")
    assert door("export", "runs").out == ""
    assert door("export", "runs", "--file", "r.parquet").code == 0
    assert polars.read_parquet(door.folder / "r.parquet").height == 0
    assert door("export", "trail", "--file", "t.jsonl").code == door("trail", "verify", "t.jsonl").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "people"), 64, "there is no 'people'"),
        (("export", "trial"), 64, "did you mean 'trail'?"),
        (("export", "runs", "-o", "parquet"), 64, "--file"),
        (("export", "runs", "--from", "yesterday"), 64, "--from takes a date"),
        (("export", "runs", "--to", "2026-01-01T00:00:00"), 64, "--to takes a date"),
        (("export", "runs", "--from", "2026-02-01", "--to", "2026-02-01"), 64, "not later"),
        (("export", "runs", "--file", "/dev/null"), 64, "ordinary file"),
        (("export", "runs", "--file", "no/such/folder/x.csv"), 69, "cannot be used"),
        (("export", "runs", "acme/quick-strat"), 23, "did you mean 'onboarding/acme/quick-start'?"),
        (("export", "runs", "--definition", "quick-strat"), 23, "did you mean 'quick-start'?"),
        (("trail", "head", "nobody/quick-start"), 23, "No run"),
        (("trail", "verify", "nobody/quick-start"), 23, "No run"),
        (("trail", "verify"), 64, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_said(filled: Door, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With the way out."""
    answer = filled(*arguments)

    assert answer.code == code
    assert words in answer.out + answer.err


@pytest.mark.parametrize("chosen", [(), ("--definition", "b2b-standard")])
def test_where_there_is_no_run_yet_an_export_is_empty(door: Door, chosen: tuple[str, ...]) -> None:
    """No word is wrong then; the sentence stands beside the data."""
    answer = door("export", "runs", *chosen)

    assert (answer.code, answer.out) == (0, "")
    assert "There is nothing of that yet." in answer.err


def test_a_slow_reader_keeps_no_transaction_open(door: Door) -> None:
    """What an export has read does not stand in the way of whoever writes, however long its reader takes."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    for turn in chained_turns(3, ACME, sentence="x" * 400_000):
        SqlRecordStore(engine).write(turn)
    engine.dispose()
    with subprocess.Popen(
        [sys.executable, str(ROOT / "starter.py"), "export", "trail"], cwd=door.folder, env=door.environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as export:  # fmt: skip
        assert export.stdout is not None
        begun = os.read(export.stdout.fileno(), 1)  # past the buffer, which would be lost
        time.sleep(1)
        waits = export.poll() is None
        with sqlite3.connect(door.folder / "rows.sqlite", isolation_level=None) as rows:
            rows.execute("UPDATE runs SET owner = 'erik'")
            busy, *_ = rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        rows.close()
        out, err = export.communicate(timeout=ENOUGH)

    assert (waits, busy) == (True, 0)
    assert sum("seal" not in json.loads(line) for line in (begun + out).splitlines()) == 3
    assert b"3 rows of trail." in err


def test_no_folder_for_a_temporary_file_is_69(filled: Door) -> None:
    """An answer that does not fit into memory needs one."""
    program = (
        "import sys, tempfile, runpy\nfrom console import export\nexport.SPOOLED = 10\n"
        "def nowhere(): raise FileNotFoundError(2, 'No usable temporary directory found')\n"
        "tempfile.gettempdir = tempfile._get_default_tempdir = nowhere\n"
        f"sys.argv = ['starter.py', 'export', 'trail']\nrunpy.run_path({str(ROOT / 'starter.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=filled.folder, env={**filled.environment, "PYTHONPATH": str(ROOT)}, capture_output=True,
        timeout=ENOUGH, check=False,
    )  # fmt: skip

    assert done.returncode == 69, done.stderr
    assert b"'TMPDIR' cannot be used (No usable temporary directory found)" in done.stdout + done.stderr


def test_parquet_without_its_package_is_69(filled: Door) -> None:
    """The package is of an extra; the sentence names it, and no file is left."""
    (filled.folder / "polars.py").write_text("raise ImportError")
    answer = filled("export", "runs", "--file", "r.parquet", PYTHONPATH=str(filled.folder))

    assert answer.code == 69
    assert "extra `reports`" in answer.err
    assert not (filled.folder / "r.parquet").exists()
