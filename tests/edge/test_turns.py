"""Writers of one process on one SQLite file take turns; no writer waits for ever, and readers do not wait at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from storage import engine as storage_engine
from storage.engine import DatabaseUnavailable, open_database, reading, writing
from storage.turns import Turns

_COUNT = text("SELECT count(*) FROM erasures")


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """A file with room for one writer."""
    engine = open_database(sqlite_url)
    yield engine
    engine.dispose()


def test_they_go_in_the_order_in_which_they_came() -> None:
    """One inside at a time, and nobody overtakes."""
    turns, order, inside = Turns(), [], 0

    def go(n: int) -> None:
        nonlocal inside
        with turns.one(10) as mine:
            inside += 1
            assert (mine, inside) == (True, 1)
            order.append(n)
            inside -= 1

    with ThreadPoolExecutor(10) as pool, turns.one(0):
        for n in range(10):
            pool.submit(go, n)
            until = time.monotonic() + 10
            while len(turns._queue) <= n and time.monotonic() < until:
                time.sleep(0.001)
            assert len(turns._queue) == n + 1

    assert order == list(range(10))


def test_whoever_waited_in_vain_is_out_and_the_next_one_gets_the_turn() -> None:
    """The place in the queue goes with them."""
    turns = Turns()
    with turns.one(0), turns.one(0.01) as mine:
        assert not mine

    with turns.one(0) as mine:
        assert mine


def test_patience_ends_in_the_fault_of_a_file_that_strangers_hold(
    lite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written, readers see the file all the while, and the next attempt succeeds."""
    monkeypatch.setattr(storage_engine, "BUSY_SECONDS", 0.05)
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with writing(lite):
            begun.set()
            over.wait(10)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        assert begun.wait(10)
        with pytest.raises(DatabaseUnavailable) as caught, writing(lite):
            pass
        with reading(lite) as connection:
            assert connection.execute(_COUNT).scalar() == 0
        over.set()
        holder.result()

    assert (caught.value.code, caught.value.exit_code) == ("database_busy", 75)
    with writing(lite) as connection:
        assert connection.execute(_COUNT).scalar() == 0


def test_a_writer_that_fails_lets_the_next_one_in(lite: Engine) -> None:
    """Whatever its block raises."""
    with pytest.raises(RuntimeError, match="ours"), writing(lite):
        raise RuntimeError("ours")

    with writing(lite) as connection:
        assert connection.execute(_COUNT).scalar() == 0
