"""The chain of migrations: it makes what the tables say, keeps what is there, and is asked for before a program goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, column, insert, select, table as table_named, text
from sqlmodel import SQLModel

from storage import schema
from storage.engine import DatabaseUnavailable, connected, open_database, reading, schema_of, upgrade, writing
from storage.inspection import report
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from storage.rows import values_of
from storage.tables import NOTICES, RUNS, UtcInstant
from tests.support.old_schemas import brought_to, dump, fill, from_before_migrations, row_of
from tests.support.prompt import leave
from tests.support.records import a_notice, a_turn, at
from tests.support.shell import ROOT
from tests.support.stores import withdraw


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    """A database without a table."""
    engine = connected(empty_url)
    yield engine
    engine.dispose()


def test_the_migrations_make_what_the_tables_say(empty: Engine) -> None:
    """Whoever changes a table writes a migration: `python tools/make_migration.py`."""
    upgrade(empty)

    with empty.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert found == []


def test_the_chain_is_one_line_and_the_files_are_named_after_it() -> None:
    """So the newest schema is known without loading what runs migrations."""
    scripts = ScriptDirectory(str(schema.FOLDER))

    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(schema.known()))
    assert scripts.get_heads() == [schema.head()]


@pytest.mark.parametrize("revision", schema.known()[:-1])
def test_rows_of_every_schema_survive_the_way_up(empty: Engine, revision: str) -> None:
    """Each column of before has what it had, and the stores can read and write on."""
    brought_to(empty, revision)
    fill(empty)
    before = dump(empty)

    assert upgrade(empty) == revision
    assert upgrade(empty) == schema.head()

    after = dump(empty)
    for table, (row,) in before.items():
        (now,) = after[table]
        assert row == {name: now[name] for name in row}, table
    SqlRecordStore(empty).write(a_turn(1, notices=(a_notice(not_before=at(1), retracts=("n-0",)),)))
    with reading(empty) as connection:
        assert len(connection.execute(select(NOTICES)).all()) == 2


@pytest.mark.parametrize(
    ("metrics", "outcome", "to_live"),
    [
        ({}, "live", 10 * 86_400),
        ({"time_to_first_value": 5}, "live", 10 * 86_400),
        ({"time_to_live": 86_400}, "live", 86_400),
        ({"time_to_live": 86_400}, None, 86_400),
        ({"time_to_live": None}, "live", None),
        ({}, "lost", None),
    ],
)
def test_old_runs_were_live_when_their_metric_says_or_else_when_they_ended_so(
    empty: Engine, metrics: dict[str, Any], outcome: str | None, to_live: int | None
) -> None:
    """As the core tells it of new ones: instant and duration say the same."""
    brought_to(empty, "0002")
    fill(empty)
    with writing(empty) as connection:
        connection.execute(
            text("UPDATE runs SET outcome = :outcome, started_at = :start, closed_at = :end, metrics = :metrics"),
            {"outcome": outcome, "start": "2026-11-02 08:00:00.000000", "end": "2026-11-12 08:00:00.000000", "metrics": json.dumps(metrics)},
        )  # fmt: skip
    upgrade(empty)

    with reading(empty) as connection:
        row = connection.execute(select(RUNS.c.counted_from, RUNS.c.live_at, RUNS.c.time_to_live)).one()
    assert row.time_to_live == to_live
    assert row.live_at == (None if to_live is None else row.counted_from + timedelta(seconds=to_live))


def test_a_request_that_was_opened_again_counts_once_in_old_rows(empty: Engine) -> None:
    """By its latest round, as in new ones; every round counts for the customer's punctuality."""
    brought_to(empty, "0002")
    fill(empty)
    with writing(empty) as connection:
        values = {
            **row_of(connection, "items"), "kind": "request", "side": "customer", "status": "done", "late": False, "due_at": at(9),
        }  # fmt: skip
        connection.execute(text("DELETE FROM items"))
        items = table_named(
            "items", *(column(name) for name in values if name != "due_at"), column("due_at", UtcInstant)
        )
        for item, number in (("again", 1), ("again", 2), ("once", 1)):
            connection.execute(insert(items).values(values | {"item": item, "round": number}))
    upgrade(empty)

    with reading(empty) as connection:
        row = connection.execute(select(RUNS.c.requests, RUNS.c.first_pass, RUNS.c.customer_due)).one()
    assert tuple(row) == (2, 1, 3)


def test_notices_of_before_leave_when_they_may_and_what_was_sent_stays_sent(empty: Engine) -> None:
    """One that waits for nothing is ready since it was written, one for its reader's hours from then on, one for history not yet."""
    brought_to(empty, "0005")
    later = datetime(2999, 1, 1, tzinfo=UTC)
    kept = ({}, {"not_before": later}, {"batch": "b-1", "execution": "first"}, {"state": "sent", "sent_at": at(1)})
    with writing(empty) as connection:
        for n, changes in enumerate(kept):
            row = values_of(a_notice(f"n-{n}", to=f"reader-{n}")) | {"state": "pending", "changed_at": at(1)} | changes
            connection.execute(insert(NOTICES).values(row))
    upgrade(empty)

    store = SqlNoticeStore(empty)
    assert leave(store) == ["n-0"]
    assert leave(store, later) == ["n-1"]
    assert [one.notice.key for one in store.held(9)] == ["n-2"]
    assert withdraw(store, "n-3") is False


@pytest.mark.parametrize(("number", "revision"), [(2, "0001"), (3, "0002")])
def test_a_database_from_before_the_migrations_is_known_and_brought_up(
    empty: Engine, number: int, revision: str
) -> None:
    """It says its schema in a table of its own; that goes, and its rows stay."""
    brought_to(empty, revision)
    fill(empty)
    before = dump(empty)
    from_before_migrations(empty, number)

    with pytest.raises(DatabaseUnavailable, match=rf"has schema {number}, .*starter\.py database upgrade") as caught:
        open_database(empty.url.render_as_string(hide_password=False))
    assert caught.value.code == "database_schema"
    assert upgrade(empty) == f"schema {number}"

    assert schema_of(empty) == schema.head()
    after = dump(empty)
    assert {table: len(rows) for table, rows in before.items()} == {table: len(after[table]) for table in before}
    open_database(empty.url.render_as_string(hide_password=False)).dispose()


def test_an_older_schema_is_refused_with_the_command_that_helps(empty: Engine) -> None:
    """Nothing is changed by looking: an old worker may still be at it."""
    brought_to(empty, schema.known()[0])

    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(empty.url.render_as_string(hide_password=False))

    assert (caught.value.code, caught.value.exit_code) == ("database_schema", 69)
    assert caught.value.sentence == f"The database has schema 0001, this program reads {schema.head()}."
    assert "python starter.py database upgrade" in caught.value.way_out
    assert schema_of(empty) == "0001"


@pytest.mark.parametrize("name", ["9999", "3f2a_of_somebody"])
def test_a_newer_schema_is_refused_and_not_touched(empty: Engine, name: str) -> None:
    """An older program must not write into it, and cannot bring it anywhere."""
    upgrade(empty)
    with writing(empty) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :name"), {"name": name})

    for attempt in (lambda: open_database(empty.url.render_as_string(hide_password=False)), lambda: upgrade(empty)):
        with pytest.raises(DatabaseUnavailable, match=rf"schema {name}.*newer release.*Use that release") as caught:
            attempt()
        assert caught.value.code == "database_schema"
    assert schema_of(empty) == name


def test_somebody_elses_tables_are_not_touched(empty: Engine) -> None:
    """A database with a table of one of our names, and no word of ours about it."""
    with writing(empty) as connection:
        connection.execute(text("CREATE TABLE runs (mine INTEGER)"))

    with pytest.raises(DatabaseUnavailable, match="'runs'") as caught:
        open_database(empty.url.render_as_string(hide_password=False))

    assert caught.value.code == "database_foreign"
    assert report(empty)["tables"] == {"runs": 0}


def test_a_migration_that_fails_leaves_the_schema_and_the_rows_of_before(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are one transaction, on both databases."""
    brought_to(empty, "0001")
    fill(empty)
    before = dump(empty)
    real = command.upgrade

    def fail(*arguments: Any) -> None:
        real(*arguments)
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", fail)
        with pytest.raises(OSError, match="power"):
            upgrade(empty)

    assert (schema_of(empty), dump(empty)) == ("0001", before)


def test_a_table_can_be_made_anew_under_its_name_and_rows_that_point_nowhere_are_seen(sqlite_url: str) -> None:
    """SQLite cannot change most of a table: it is copied, and while it is away others point at it."""
    from storage.engine import _rebuilding

    engine = open_database(sqlite_url)
    SqlRecordStore(engine).write(a_turn(1))

    with _rebuilding(engine) as connection:
        connection.execute(text("CREATE TABLE copy AS SELECT * FROM runs"))
        connection.execute(text("DROP TABLE runs"))
        connection.execute(text("CREATE TABLE runs (run VARCHAR PRIMARY KEY)"))
        connection.execute(text("INSERT INTO runs SELECT run FROM copy"))
    with pytest.raises(DatabaseUnavailable, match="run that is not there"), _rebuilding(engine) as connection:
        connection.execute(text("DELETE FROM runs"))

    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 1
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()


def test_opening_what_is_up_to_date_asks_once_and_loads_no_migrations(url: str) -> None:
    """A command line that waits for a second before each answer is not used."""
    open_database(url).dispose()
    program = (
        "import sys\n"
        "from sqlalchemy import event, Engine\n"
        "from storage.engine import open_database\n"
        "asked = []\n"
        "event.listen(Engine, 'before_cursor_execute', lambda *words: asked.append(words[2]))\n"
        "open_database(sys.argv[1]).dispose()\n"
        "own = [one for one in asked if not one.startswith(('BEGIN', 'select pg_catalog', 'show ', 'select current'))]\n"
        "print(len(own), any(name.split('.')[0] == 'alembic' for name in sys.modules))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, url], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert answer.stdout.split() == ["1", "False"]


def test_a_new_database_holds_no_row(empty: Engine) -> None:
    """Its schema stands in the table that migrations keep; what is written is counted."""
    upgrade(empty)
    assert set(report(empty)["tables"].values()) == {0}

    SqlRecordStore(empty).write(a_turn(1))

    counts = report(empty)["tables"]
    assert {name: counts[name] for name in ("runs", "trail", "notices")} == {"runs": 1, "trail": 1, "notices": 0}
