"""What goes wrong with a database while it is used: a code, a way out, no half turn, and work goes on when it is over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url

import storage.records
from storage.engine import DatabaseUnavailable, connected, open_database, reading, writing
from storage.inspection import glance, integrity_of, report
from storage.records import SqlRecordStore
from tests.edge.test_storage import everything
from tests.support.damage import many_pages, overwrite
from tests.support.postgresql import PostgresServer
from tests.support.records import a_notice, a_turn, at
from tests.support.stores import SqlStore

LARGE = a_turn(2, notices=tuple(a_notice(f"n-{n}", lines=("x" * 2_000,) * 4) for n in range(60)))
"""A turn that needs room of its own."""


@contextmanager
def on_connect(engine: Engine, statement: str) -> Iterator[None]:
    """Every connection of the engine begins with a statement; afterwards none has."""

    def run(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        if engine.dialect.name == "postgresql":
            connection.commit()

    engine.dispose()
    event.listen(engine, "connect", run)
    yield
    event.remove(engine, "connect", run)
    engine.dispose()


@contextmanager
def full(engine: Engine) -> Iterator[None]:
    """No page more than there is. PostgreSQL is told so by a trigger, in the last table that a turn writes."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar()
        with on_connect(engine, f"PRAGMA max_page_count = {pages}"):
            yield
        return
    with writing(engine) as connection:
        connection.execute(
            text("""CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION
            'could not extend file "base/1": No space left on device' USING ERRCODE = '53100'; END $$""")
        )
        connection.execute(
            text("CREATE TRIGGER no_room BEFORE INSERT ON notices FOR EACH ROW EXECUTE FUNCTION no_room()")
        )
    yield
    with writing(engine) as connection:
        connection.execute(text("DROP FUNCTION no_room CASCADE"))


@contextmanager
def read_only(engine: Engine) -> Iterator[None]:
    """The rights are gone while the program runs."""
    lite = engine.dialect.name == "sqlite"
    with on_connect(engine, "PRAGMA query_only = ON" if lite else "SET default_transaction_read_only = on"):
        yield


@contextmanager
def held(engine: Engine) -> Iterator[None]:
    """Another connection writes, and takes its time."""
    other = connected(engine.url.render_as_string(hide_password=False))
    lite = engine.dialect.name == "sqlite"
    with (
        on_connect(engine, "PRAGMA busy_timeout = 50" if lite else "SET lock_timeout = '50ms'"),
        writing(other) as connection,
    ):
        if not lite:
            connection.execute(text("LOCK TABLE trail IN EXCLUSIVE MODE"))
        yield
    other.dispose()


Trouble = Callable[[Engine], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(full, "database_full"), (read_only, "database_read_only"), (held, "database_busy")],
    ids=["full", "read only", "held"],
)
def test_a_turn_that_cannot_be_written_leaves_nothing_and_is_written_later(
    engine: Engine, trouble: Trouble, code: str
) -> None:
    """The way out is in the error, the code of a door is 75, and the same turn again succeeds when it is over."""
    store = SqlStore(engine)
    store.write(a_turn(1))
    before = everything(store)

    with trouble(engine):
        with pytest.raises(DatabaseUnavailable) as caught:
            store.write(LARGE)
        assert (caught.value.code, caught.value.exit_code) == (code, 75)
        assert caught.value.way_out
        assert everything(store) == before, "what is there can be read all the while"

    assert everything(store) == before
    assert store.write(LARGE) == LARGE.id
    assert len(store.outbox(limit=100)["rows"]) == 60
    assert integrity_of(engine) == "ok"


def test_of_several_notices_that_come_together_all_are_kept_or_none(engine: Engine) -> None:
    """One of them holds what no row can."""
    store = SqlStore(engine)

    with pytest.raises(ValueError, match="without an offset"):
        store.keep(a_notice("a"), a_notice("b", at=at(0).replace(tzinfo=None)))

    assert store.outbox()["rows"] == []


def end_others(server: PostgresServer, url: str) -> None:
    """What a restart of the server, or of what stands between, does to every connection."""
    name = make_url(url).database
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_a_connection_that_is_lost_in_a_turn_leaves_nothing(
    postgres: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends our session when half of the turn is written; the next attempt finds a new one."""
    engine = open_database(postgres_url)
    store = SqlStore(engine)
    store.write(a_turn(1))
    before = everything(store)
    real = storage.records.add

    def lose(*arguments: Any) -> None:
        end_others(postgres, postgres_url)
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(storage.records, "add", lose)
        with pytest.raises(DatabaseUnavailable) as caught:
            store.write(LARGE)

    assert (caught.value.code, caught.value.exit_code) == ("database_lost", 75)
    assert everything(store) == before
    assert store.write(LARGE) == LARGE.id
    engine.dispose()


def test_a_connection_that_was_lost_between_two_turns_is_not_noticed(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """Every connection is asked for a sign of life before it is used."""
    engine = open_database(postgres_url)
    store = SqlRecordStore(engine)
    for n in (1, 2, 3):
        assert store.write(a_turn(n)) == f"b-{n}"
        end_others(postgres, postgres_url)
    engine.dispose()


def take(engine: Engine, connections: int) -> None:
    """So many at the same time."""
    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(reading(engine))


def test_more_writers_than_connections_wait_a_bounded_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And hear what somebody hears who waits for a lock."""
    monkeypatch.setattr(engine.pool, "_timeout", 0.05)

    with pytest.raises(DatabaseUnavailable) as caught:
        take(engine, 100)

    assert (caught.value.code, caught.value.exit_code) == ("database_busy", 75)
    assert integrity_of(engine) == "ok", "they are free again"


def begin(url: str) -> None:
    """What a worker does before it takes any work."""
    engine = open_database(url)
    try:
        glance(engine)
    finally:
        engine.dispose()


@pytest.mark.parametrize("where", ["head", "middle", "cut"])
def test_a_damaged_file_is_noticed_before_a_worker_begins(sqlite_url: str, where: str) -> None:
    """At the opening, or at the first glance; never by a traceback in the middle of a turn."""
    path = many_pages(sqlite_url)
    if where == "cut":
        os.truncate(path, path.stat().st_size // 2)
    else:
        overwrite(path, *((0, 0.01) if where == "head" else (0.5, 0.75)))

    with pytest.raises(DatabaseUnavailable) as caught:
        begin(sqlite_url)

    assert (caught.value.code, caught.value.exit_code) == ("not_a_database", 69)
    assert str(path) in caught.value.sentence
    assert "backup" in caught.value.way_out


def test_a_glance_ends_in_time_and_finds_a_good_database_good(engine: Engine) -> None:
    """What could not be read in time is left to the check that has no limit."""
    store = SqlRecordStore(engine)
    for n in range(1, 30):
        store.write(a_turn(n))

    glance(engine)
    glance(engine, seconds=-1)

    assert report(engine)["integrity"] == "ok"
    assert report(engine)["tables"]["trail"] == 29
