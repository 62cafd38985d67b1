"""A PostgreSQL that falls silent costs its waiters a bounded time, and no connection or thread for longer than that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, make_url, text

from storage.engine import DatabaseUnavailable, open_database, reading, writing
from tests.support.faults.proxy import Fault, FaultProxy, Weather
from tests.support.postgresql import PostgresServer

PATIENCE = 0.5
AT_ONCE = 30
"""More than there are connections."""
IN_ALL = 20.0
"""Seconds until each of them knows: a place in the pool, a new connection, an answer, and a busy machine."""


@pytest.fixture
def line(postgres: PostgresServer) -> Iterator[FaultProxy]:
    """What lies between."""
    with FaultProxy(postgres.folder / ".s.PGSQL.5432") as made:
        yield made


@pytest.fixture
def behind(postgres_url: str, line: FaultProxy) -> Iterator[Engine]:
    """A database behind the line."""
    url = f"postgresql://tests@127.0.0.1:{line.port}/{make_url(postgres_url).database}"
    engine = open_database(url, patience=PATIENCE)
    yield engine
    engine.dispose()


def one(engine: Engine) -> int | str:
    """An answer, or the code of what is wrong."""
    try:
        with reading(engine) as connection:
            return int(connection.execute(text("SELECT 1")).scalar_one())
    except DatabaseUnavailable as error:
        return error.code


def test_silence_is_told_in_time_and_when_it_is_over_everybody_is_answered(behind: Engine, line: FaultProxy) -> None:
    """Not one thread hangs, and the connections that fell silent are given to nobody again."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert set(threads.map(one, [behind] * AT_ONCE)) == {1}
        line.weather = Weather(fault=Fault.HALF_OPEN)
        began = time.monotonic()
        told = set(threads.map(one, [behind] * AT_ONCE))
        assert told <= {"database_lost", "database_unreachable", "database_busy"}, told
        assert time.monotonic() - began < IN_ALL
        line.weather = Weather()

        assert list(threads.map(one, [behind] * AT_ONCE)) == [1] * AT_ONCE


def test_a_transaction_that_falls_silent_is_lost_as_a_whole(behind: Engine, line: FaultProxy) -> None:
    """Its rows are not there; the next one writes them."""
    with writing(behind) as connection:
        connection.execute(text("CREATE TABLE said (n int)"))

    def write() -> None:
        with writing(behind) as connection:
            connection.execute(text("INSERT INTO said VALUES (1)"))
            line.weather = Weather(fault=line_fault)
            connection.execute(text("INSERT INTO said VALUES (2)"))

    line_fault = Fault.HALF_OPEN
    with pytest.raises(DatabaseUnavailable) as lost:
        write()
    assert lost.value.code == "database_lost"
    line.weather, line_fault = Weather(), Fault.NONE
    write()

    with reading(behind) as connection:
        assert connection.execute(text("SELECT n FROM said ORDER BY n")).scalars().all() == [1, 2]


def test_an_answer_that_takes_its_time_but_comes_is_waited_for_where_no_patience_is_set(
    postgres_url: str, line: FaultProxy
) -> None:
    """A report over everything may take longer than a worker waits; the same question is lost to one with patience."""
    url = f"postgresql://tests@127.0.0.1:{line.port}/{make_url(postgres_url).database}"
    slow = text(f"SELECT 1 FROM pg_sleep({3 * PATIENCE})")
    for patience, expected in ((None, 1), (PATIENCE, "database_lost")):
        engine = open_database(url, patience=patience)
        try:
            with reading(engine) as connection:
                answer: int | str = connection.execute(slow).scalar_one()
        except DatabaseUnavailable as error:
            answer = error.code
        engine.dispose()
        assert answer == expected
