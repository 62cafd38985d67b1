"""Writers of one process on one SQLite file take turns; no writer waits for ever, and readers do not wait at all."""

from __future__ import annotations

import sqlite3
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


def test_whoever_is_stopped_while_they_wait_keeps_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the SDK stops the thread of an activity; in the queue, and in the very moment in which they are called."""

    class Stopped(Exception):
        pass

    def stopped(event: threading.Event, timeout: float | None = None) -> bool:
        if called_first:
            turns._leave()
        raise Stopped

    for called_first in (False, True):
        turns = Turns()
        held = turns.one(0)
        held.__enter__()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", stopped)
            with pytest.raises(Stopped), turns.one(1):
                pass
        if not called_first:
            held.__exit__(None, None, None)

        with turns.one(0) as mine:
            assert mine


def test_the_queue_and_a_stranger_share_one_patience(lite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt of an activity has ten seconds: a writer that has queued for five must not wait for five more."""
    monkeypatch.setattr(storage_engine, "BUSY_SECONDS", 3.0)
    stranger = sqlite3.connect(str(lite.url.database), isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    waited: list[float] = []

    def write() -> None:
        came = time.monotonic()
        with pytest.raises(DatabaseUnavailable), writing(lite):
            pass
        waited.append(time.monotonic() - came)

    with lite.connect() as first, lite.connect() as second:  # both connections as patient as the others are now
        for one in (first, second):
            one.exec_driver_sql("PRAGMA busy_timeout = 3000")
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(write)
            time.sleep(1.5)
    stranger.close()

    assert len(waited) == 2
    assert max(waited) < 4.0, waited


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
