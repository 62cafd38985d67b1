"""A copy of the database is one instant of it, whole, and takes its place only where nobody else stands."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from storage import copying, schema
from storage.engine import connected, open_database, writing
from storage.faults import DatabaseUnavailable
from storage.records import SqlRecordStore
from tests.support.damage import many_pages, overwrite
from tests.support.old_schemas import brought_to
from tests.support.records import a_turn
from tests.support.shell import ROOT

RUN = "onboarding/acme/quick-start"


def turns_of(file: Path) -> int:
    """How many turns a file holds, read without a change to it."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as rows:
        return int(rows.execute("SELECT count(*) FROM trail").fetchone()[0])


def filled(url: str, turns: int = 1) -> Path:
    """A database with that many turns of one run; its file."""
    engine = open_database(url)
    for n in range(1, turns + 1):
        SqlRecordStore(engine).write(a_turn(n))
    engine.dispose()
    file = copying.file_of(url)
    assert file is not None
    return file


def test_a_copy_holds_all_that_was_committed_and_holds_nobody_up(sqlite_url: str, tmp_path: Path) -> None:
    """A worker of its own commits turn after turn meanwhile; six copies, each whole and up to its instant."""
    filled(sqlite_url)
    engine = connected(sqlite_url)
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.support.writer", sqlite_url, "onboarding/beta/x"], cwd=ROOT, stdout=subprocess.PIPE
    )  # fmt: skip
    lost = written = 0
    try:
        assert writer.stdout is not None
        for n in range(6):
            acked = int(writer.stdout.readline())
            during: list[int] = []
            copy = tmp_path / f"copy-{n}.sqlite"

            def between(during: list[int] = during, lines: object = writer.stdout) -> None:
                if len(during) < 3:  # the copy is slower than three commits
                    during.append(int(lines.readline()))  # type: ignore[attr-defined]

            copying.copy(engine, copy, between)
            assert copying.unfit(copy, any_release=False) is None
            lost += max(0, 1 + acked - turns_of(copy))
            written += len(during)
    finally:
        writer.kill()
        writer.communicate()
        engine.dispose()

    print(f"backup: 6 copies while {written} turns were committed, {lost} of those acknowledged before lost")
    assert (lost, written >= 6) == (0, True)


def test_a_copy_is_one_file_that_only_its_owner_reads(sqlite_url: str, tmp_path: Path) -> None:
    """What stands in the log beside the database is in the copy."""
    engine = open_database(sqlite_url)
    SqlRecordStore(engine).write(a_turn(1))
    copying.copy(engine, tmp_path / "copy.sqlite")
    engine.dispose()

    assert turns_of(tmp_path / "copy.sqlite") == 1
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.sqlite"]
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("kind", "code"),
    [("text", "not_a_backup"), ("empty", "not_a_backup"), ("foreign", "not_a_backup"), ("damaged", "backup_damaged"),
     ("orphans", "backup_damaged"), ("older", "backup_other_schema"), ("newer", "backup_other_schema")],
)  # fmt: skip
def test_what_is_no_good_copy_is_told(sqlite_url: str, kind: str, code: str) -> None:
    """By a code, before anything is replaced."""
    file = _a_file(sqlite_url, kind)

    wrong = copying.unfit(file, any_release=False)

    assert wrong is not None
    assert (wrong.code, bool(wrong.sentence), bool(wrong.way_out)) == (code, True, True)
    earlier = copying.unfit(file, any_release=True)
    assert (earlier is None) is (kind == "older")


def _a_file(url: str, kind: str) -> Path:
    file = copying.file_of(url)
    assert file is not None
    file.parent.mkdir(parents=True)
    if kind == "text":
        file.write_text("no database\n" * 1_000)
    elif kind == "empty":
        file.touch()
    elif kind == "foreign":
        with closing(sqlite3.connect(file)) as rows:
            rows.execute("CREATE TABLE recipes (name)")
    elif kind == "older":
        engine = connected(url)
        brought_to(engine, schema.known()[-2])
        engine.dispose()
    elif kind == "damaged":
        overwrite(many_pages(url), 0.5, 0.7)
    else:
        filled(url)
        engine = connected(url)
        with writing(engine) as connection:
            statement = "UPDATE alembic_version SET version_num = '9999'"
            connection.execute(text(statement if kind == "newer" else "SELECT 1"))
        engine.dispose()
        if kind == "orphans":
            with closing(sqlite3.connect(file)) as rows:
                rows.execute("DELETE FROM runs")
                rows.commit()
    return file


@pytest.mark.parametrize("name", ["a?b.backup", "50%20#c.backup", "file:d.backup"])
def test_a_copy_may_be_called_as_anybody_likes(sqlite_url: str, tmp_path: Path, name: str) -> None:
    """What means something in an address is only a character here; nothing else is made beside it."""
    engine = open_database(sqlite_url)
    folder = tmp_path / "copies"
    folder.mkdir()
    copying.copy(engine, folder / name)
    engine.dispose()

    assert copying.unfit(folder / name, any_release=False) is None
    assert [path.name for path in folder.iterdir()] == [name]


def test_nothing_is_replaced_while_somebody_has_it_open(sqlite_url: str, tmp_path: Path) -> None:
    """Also somebody who does nothing at the moment; afterwards it is, and what stood there is kept."""
    live = filled(sqlite_url, turns=2)
    part = tmp_path / "part.sqlite"
    engine = open_database(sqlite_url)
    copying.copy(engine, part)
    SqlRecordStore(engine).write(a_turn(3))

    with pytest.raises(DatabaseUnavailable) as refused:
        copying.put_in_place(part, live)
    assert (refused.value.code, refused.value.exit_code, turns_of(live)) == ("database_busy", 75, 3)
    assert SqlRecordStore(engine).write(a_turn(4))
    engine.dispose()

    kept = copying.put_in_place(part, live)
    assert kept is not None
    assert (turns_of(live), turns_of(kept), part.exists()) == (2, 4, False)
    assert sorted(path.name for path in live.parent.iterdir()) == sorted((live.name, kept.name))
    again = open_database(sqlite_url)
    assert SqlRecordStore(again).write(a_turn(3))
    again.dispose()


def test_a_damaged_database_is_replaced_with_all_that_lies_beside_it(sqlite_url: str, tmp_path: Path) -> None:
    """A log of the old file must not be read into the new one."""
    live = filled(sqlite_url, turns=2)
    part = tmp_path / "part.sqlite"
    copying.copy_of_file(live, part)
    overwrite(live, 0.0)
    log = live.with_name(live.name + "-wal")
    log.write_bytes(b"an old log")

    kept = copying.put_in_place(part, live)

    assert kept is not None
    assert (turns_of(live), log.exists()) == (2, False)
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"an old log"


def test_a_file_that_another_program_copied_is_taken_with_its_log(sqlite_url: str, tmp_path: Path) -> None:
    """What was committed and still lies beside the file belongs to it."""
    engine = open_database(sqlite_url)
    SqlRecordStore(engine).write(a_turn(1))
    live = copying.file_of(sqlite_url)
    assert live is not None
    for ending in ("", "-wal"):
        (tmp_path / f"moved.sqlite{ending}").write_bytes(live.with_name(live.name + ending).read_bytes())
    engine.dispose()

    copying.copy_of_file(tmp_path / "moved.sqlite", tmp_path / "part.sqlite")

    assert turns_of(tmp_path / "part.sqlite") == 1
