"""`database check` and `database upgrade`: what they say, what they end with, and what a door says of a database in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from storage import schema
from storage.engine import connected, writing
from tests.doors.test_read_commands import rows
from tests.support.calls import Door
from tests.support.damage import many_pages, overwrite
from tests.support.old_schemas import OLD_RUN, brought_to, fill, from_before_migrations
from tests.support.postgresql import PostgresServer

RUN = "onboarding/c-1/quick-start"


@pytest.fixture(params=["sqlite", "postgresql"])
def known(request: pytest.FixtureRequest, door: Door) -> Door:
    """The command line with one run, in each database in turn."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        door.environment["ONBOARDING_DATABASE_URL"] = server.with_tables()
    rows(door, RUN)
    return door


def ask(door: Door, *statements: str) -> None:
    """Changes the database by hand."""
    engine = connected(door.environment["ONBOARDING_DATABASE_URL"])
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_a_good_database_is_told_with_schema_integrity_and_rows(known: Door) -> None:
    """Exit 0; a password is not in it."""
    answer = known("database", "check", "-o", "json")
    data = answer.data

    assert (answer.code, data["ok"], data["sentence"]) == (0, True, "The database is well.")
    assert data["schema"] == data["reads"] == schema.head()
    assert (data["integrity"], data["foreign_keys"]) == ("ok", 0)
    assert (data["tables"]["runs"], data["tables"]["trail"]) == (1, 1)
    assert data["journal"] == ("wal" if data["url"].startswith("sqlite") else None)
    words = known("database", "check", "-o", "table")
    assert words.code == 0
    assert words.lines[0] == "The database is well."
    assert "trail         1 rows" in words.lines


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_is_brought_up_once(request: pytest.FixtureRequest, door: Door, kind: str) -> None:
    """The command says from where to where, and then that nothing is to do; every other command waits for it."""
    if kind == "postgresql":
        door.environment["ONBOARDING_DATABASE_URL"] = request.getfixturevalue("postgres").empty()
    engine = connected(door.environment["ONBOARDING_DATABASE_URL"])
    brought_to(engine, "0001")
    fill(engine)
    from_before_migrations(engine, 2)
    engine.dispose()

    refused, looked = door("list"), door("database", "check", "-o", "json")
    assert (refused.code, looked.code) == (69, 69)
    assert refused.err == (
        f"The database has schema 2, this program reads {schema.head()}. "
        "Make a backup, then run `python starter.py database upgrade`.\n"
    )
    assert (looked.data["schema"], looked.data["ok"]) == ("schema 2", False)
    assert "database upgrade" in looked.err

    done, again = door("database", "upgrade", "-o", "table"), door("database", "upgrade", "-o", "json")
    assert (done.code, done.out) == (0, f"The database had schema 2; it has {schema.head()} now.\n")
    assert again.data == {"from": schema.head(), "to": schema.head(), "changed": False}
    assert "nothing to do" in door("database", "upgrade", "-o", "table").out
    assert [row["run"] for row in door("list", "-o", "json").data["rows"]] == [OLD_RUN]


def test_a_newer_database_is_left_alone(known: Door) -> None:
    """Neither read nor brought anywhere."""
    ask(known, "UPDATE alembic_version SET version_num = '9000'")

    for words in (("list",), ("database", "upgrade"), ("database", "check")):
        answer = known(*words)
        assert answer.code == 69
        assert "Use that release" in answer.err


def test_an_empty_database_gets_its_tables(door: Door, postgres: PostgresServer) -> None:
    """What a container runs before its workers."""
    for url in (door.environment["ONBOARDING_DATABASE_URL"], postgres.empty()):
        answer = door("database", "upgrade", "-o", "table", ONBOARDING_DATABASE_URL=url)
        assert (answer.code, answer.out) == (0, f"The database was empty; it has schema {schema.head()} now.\n")


def test_looking_makes_no_file(door: Door) -> None:
    """A typing error in the setting must not look like an empty database that is well."""
    answer = door("database", "check")

    assert answer.code == 69
    assert "There is no database" in answer.err
    assert not (door.folder / "rows.sqlite").exists()


def test_an_empty_postgresql_is_told_what_makes_its_tables(door: Door, postgres: PostgresServer) -> None:
    """No table is no damage."""
    answer = door("database", "check", "-o", "json", ONBOARDING_DATABASE_URL=postgres.empty())

    assert (answer.code, answer.data["schema"], answer.data["tables"]) == (69, None, {})
    assert "database upgrade" in answer.err


def test_rows_of_a_run_that_is_not_there_are_counted(door: Door) -> None:
    """Somebody deleted by hand, with a shell that looks at no foreign key."""
    rows(door, RUN)
    ask(door, "PRAGMA defer_foreign_keys = ON", "CREATE TABLE kept AS SELECT * FROM runs")
    engine = connected(door.environment["ONBOARDING_DATABASE_URL"])
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("DELETE FROM runs")
    engine.dispose()

    answer = door("database", "check", "-o", "json")

    assert answer.code == 69
    assert answer.data["foreign_keys"] > 1
    assert "belong to a run that is not there" in answer.data["sentence"]


@pytest.mark.parametrize("kept", [0.75, 0.1], ids=["a part", "nearly all"])
def test_a_damaged_file_is_told_with_the_way_out(door: Door, kept: float) -> None:
    """Not in the words of a driver, whether or not the schema can still be read."""
    overwrite(many_pages(door.environment["ONBOARDING_DATABASE_URL"]), kept)

    answer = door("database", "check", "-o", "json")

    assert answer.code == 69
    assert not answer.out or answer.data["ok"] is False
    assert "estore it from a backup" in answer.err


@contextmanager
def held(door: Door) -> Iterator[None]:
    """Somebody's shell keeps the file."""
    engine = connected(door.environment["ONBOARDING_DATABASE_URL"])
    with writing(engine):
        yield
    engine.dispose()


def test_a_database_that_somebody_holds_is_75(door: Door) -> None:
    """The same again succeeds later."""
    rows(door, RUN)
    with held(door):
        answer = door("database", "upgrade")

    assert answer.code == 75
    assert "Try again" in answer.err
    assert door("database", "upgrade").code == 0


@pytest.mark.parametrize("words", [("database",), ("database", "mend")])
def test_what_is_no_action_is_64(door: Door, words: tuple[str, ...]) -> None:
    """And the two that are stand there."""
    answer = door(*words)

    assert answer.code == 64
    assert "check" in answer.err.lower() or "action" in answer.err.lower()
