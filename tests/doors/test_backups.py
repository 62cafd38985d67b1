"""`backup` and `restore` at the door: what they say, what they refuse, and that nothing half-done is left."""

from __future__ import annotations

import shutil
import signal

import pytest

from storage.engine import open_database
from tests.doors.test_read_commands import rows
from tests.support.calls import Door
from tests.support.postgresql import PostgresServer

RUN = "onboarding/c-1/quick-start"


def test_a_backup_is_made_and_put_back(door: Door) -> None:
    """With what is in it, and what is not."""
    rows(door, RUN)
    made = door("backup", "copy.sqlite", "-o", "json")
    rows(door, "onboarding/c-2/quick-start")
    back = door("restore", "copy.sqlite", "-o", "json")
    known = door("list", "--count", "-o", "json").data

    assert (made.code, made.data["runs"], made.data["verified"]) == (0, 1, True)
    assert "The master keys are not in it" in made.err
    assert (back.code, back.data["runs"]) == (0, 1)
    assert "reconcile" in back.err
    assert known["total"] == 1
    kept = {path.name for path in door.folder.iterdir()} - {"copy.sqlite", "rows.sqlite"}
    assert len(kept) == 1
    assert next(iter(kept)).startswith("rows.sqlite.before-")
    told = door("restore", "copy.sqlite", "-o", "table")
    assert told.out.startswith(f"{door.folder / 'rows.sqlite'} holds 1 runs, ")


def test_a_database_that_is_gone_is_restored(door: Door) -> None:
    """Nothing is kept where nothing was."""
    rows(door, RUN)
    assert door("backup", "copy.sqlite").code == 0
    (door.folder / "rows.sqlite").unlink()
    back = door("restore", "copy.sqlite")

    assert (back.code, back.data["kept"]) == (0, None)
    assert door("list", "--count", "-o", "json").data["total"] == 1


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_postgresql_has_programs_of_its_own(command: str, door: Door, postgres: PostgresServer) -> None:
    """Which are named."""
    door.environment["ONBOARDING_DATABASE_URL"] = postgres.with_tables()
    answer = door(command, "copy.sqlite")

    assert answer.code == 64
    assert {"backup": "pg_dump", "restore": "pg_restore"}[command] in answer.err
    assert "docs/operating.md" in answer.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("backup", "rows.sqlite"), 64, "is the database itself"),
        (("restore", "rows.sqlite"), 64, "is the database itself"),
        (("backup", "/dev/null"), 64, "FILE takes the name of an ordinary file"),
        (("backup", "nowhere/copy.sqlite"), 69, "cannot be used"),
        (("restore", "nothing.sqlite"), 65, "cannot_read"),
        (("restore", "."), 65, "it is a directory"),
        (("restore", "words.txt"), 65, "not_a_backup"),
    ],
)
def test_what_cannot_be_copied_is_said(door: Door, words: tuple[str, ...], code: int, said: str) -> None:
    """And the database is as it was."""
    rows(door, RUN)
    (door.folder / "words.txt").write_text("words\n")
    answer = door(*words)

    assert (answer.code, said in answer.out + answer.err) == (code, True)
    assert door("list", "--count", "-o", "json").data["total"] == 1
    assert {path.name for path in door.folder.iterdir()} == {"rows.sqlite", "words.txt"}


def test_a_backup_of_nothing_makes_nothing(door: Door) -> None:
    """A wrong setting must not look like a backup."""
    answer = door("backup", "copy.sqlite")

    assert (answer.code, "no database" in answer.err) == (69, True)
    assert list(door.folder.iterdir()) == []


def test_a_database_that_a_worker_has_open_is_not_replaced(door: Door) -> None:
    """Exit 75: once the worker has stopped, the same again succeeds."""
    rows(door, RUN)
    assert door("backup", "copy.sqlite").code == 0
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    held = door("restore", "copy.sqlite")
    engine.dispose()
    free = door("restore", "copy.sqlite")

    assert (held.code, "Stop the workers" in held.err, free.code) == (75, True, 0)


def test_a_good_backup_is_only_replaced_by_a_good_one(door: Door) -> None:
    """A database that was damaged meanwhile does not take its own way back with it."""
    rows(door, RUN)
    assert door("backup", "copy.sqlite").code == 0
    good = (door.folder / "copy.sqlite").read_bytes()
    shutil.copy(door.folder / "copy.sqlite", door.folder / "rows.sqlite")
    with (door.folder / "rows.sqlite").open("r+b") as file:
        file.seek(20_000)
        file.write(b"\xff" * 60_000)
    answer = door("backup", "copy.sqlite")

    assert answer.code in (65, 69)
    assert (door.folder / "copy.sqlite").read_bytes() == good


def test_a_backup_that_is_killed_in_the_middle_is_none(door: Door) -> None:
    """The earlier one stays as it was; the next try succeeds and takes away what the dead one has left."""
    rows(door, RUN)
    assert door("backup", "copy.sqlite").code == 0
    earlier = (door.folder / "copy.sqlite").read_bytes()
    rows(door, "onboarding/c-2/quick-start")
    died = door("backup", "copy.sqlite", FAULT="backup.mid_copy:kill:1")
    left = {path.name for path in door.folder.iterdir()} - {"copy.sqlite", "rows.sqlite"}

    assert died.code == -signal.SIGKILL
    assert (door.folder / "copy.sqlite").read_bytes() == earlier
    assert [name for name in left if name.startswith(".copy.sqlite.")]
    again = door("backup", "copy.sqlite")
    assert (again.code, again.data["runs"]) == (0, 2)
    assert not [path for path in door.folder.iterdir() if path.name.startswith(".copy")]
