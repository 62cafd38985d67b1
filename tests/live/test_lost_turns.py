"""Rows of turns that never became history: a worker dies between the commit of the rows and the end of its workflow task."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from temporalio.client import Client

from onboarding.engine.state import StartOrder
from onboarding.language.model import ContactPolicy
from runtime.devserver import DevServer
from runtime.releasing import Releaser
from storage.engine import open_database, reading
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from storage.tables import RUNS
from tests.support.agreement import rows_are_history
from tests.support.prompt import Prompt
from tests.support.records import a_notice, a_run as a_row, a_trail, a_turn, an_item
from tests.support.shell import ROOT, Edge, a_run, a_worker, an_order, answer_all

pytestmark = pytest.mark.live


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database for one test."""
    return f"sqlite:///{tmp_path / 'rows.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    """The same database, open."""
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def mortal(dev_server: DevServer, url: str, customer: str) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Starts a worker that dies after so many batches."""
    started: list[subprocess.Popen[str]] = []

    def start(writes: int) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.support.dying", dev_server.address, url, f"lost-{customer}", str(writes)]
        child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()  # type: ignore[union-attr]


async def test_killed_between_rows_and_history(
    client: Client,
    mortal: Callable[[int], subprocess.Popen[str]],
    database: Engine,
    customer: str,
) -> None:
    """In the first turn, and in one with a message: every time the turn is decided again, and the rows are what happened."""
    order = heard_at_once(customer)
    run = await a_run(client, order, f"lost-{customer}", task_timeout=timedelta(seconds=2))
    assert await asyncio.to_thread(mortal(1).wait, 20) == 9
    healthy = mortal(0)
    await rows_are_history(run, database)
    healthy.kill()
    second = mortal(1)
    first = asyncio.create_task(run.say("note", actor="dana", text="first"))
    assert await asyncio.to_thread(second.wait, 20) == 9
    mortal(0)

    assert (await first)["outcome"] == "accepted"
    assert (await run.say("note", actor="dana", text="second"))["outcome"] == "accepted"
    await rows_are_history(run, database)
    for _ in range(100):
        await answer_all(run, order)
        if (await run.ask("status"))["state"] == "closed":
            break
        await asyncio.sleep(0.05)
    assert (await run.handle.result())["outcome"] == "live"
    await rows_are_history(run, database)
    await Releaser(client, SqlNoticeStore(database), Prompt(SqlNoticeStore(database))).look()
    states = {line["state"] for line in ReadTable(database).outbox(order.run)["rows"]}
    assert states == {"sent"}


async def test_a_turn_whose_sender_gave_up_leaves_nothing(client: Client, database: Engine, customer: str) -> None:
    """Nobody repeats the message, so the turn never happens: its rows go with the next one, its notice never left."""
    order = heard_at_once(customer)
    notices = SqlNoticeStore(database)
    edge = Edge(records=SqlRecordStore(database), notifier=Prompt(notices))
    async with a_worker(client, edge, f"lost-{customer}"):
        run = await a_run(client, order, f"lost-{customer}")
        await run.say("note", actor="dana", text="first")
        with reading(database) as connection:
            stands = connection.execute(select(RUNS)).one()
        phantom = a_turn(
            3, run=a_row(order.run, state="closed"), trail=(a_trail(40), a_trail(41)), items=(an_item("never", round=3),),
            notices=(a_notice("never", run=order.run),), id="never", follows=stands.batch, chain=stands.chain,
            execution=run.handle.result_run_id, decided_at=stands.decided_at,
        )  # fmt: skip
        assert SqlRecordStore(database).write(phantom) == "never"
        released = Releaser(client, notices, Prompt(notices))
        assert await released.look() > 0
        assert [one.batch for one in notices.held(9)] == ["never"]

        assert (await run.say("note", actor="dana", text="second"))["outcome"] == "accepted"

        await rows_are_history(run, database)
        states = {line["key"]: line["state"] for line in ReadTable(database).outbox(order.run)["rows"]}
        assert "never" not in states
        assert set(states.values()) == {"sent"}


async def test_of_several_turns_that_one_task_lost_nothing_is_left_pending(
    client: Client, database: Engine, customer: str
) -> None:
    """The store knows only the last of them when the true history comes; notices of the others are forgotten by the releaser."""
    order = heard_at_once(customer)
    notices = SqlNoticeStore(database)
    edge = Edge(records=SqlRecordStore(database), notifier=Prompt(notices))
    released = Releaser(client, notices, Prompt(notices))
    async with a_worker(client, edge, f"lost-{customer}"):
        run = await a_run(client, order, f"lost-{customer}")
        await run.say("note", actor="dana", text="first")
        with reading(database) as connection:
            stands = connection.execute(select(RUNS)).one()
        of_run = {"chain": stands.chain, "execution": run.handle.result_run_id, "decided_at": stands.decided_at}
        follows = stands.batch
        for name in ("never", "nor-this", "nor-that"):
            phantom = a_turn(
                3, run=a_row(order.run), trail=(a_trail(40),), notices=(a_notice(name, run=order.run),), id=name, follows=follows, **of_run,
            )  # fmt: skip
            assert SqlRecordStore(database).write(phantom) == name
            follows = name
        await released.look()
        before = [one.batch for one in notices.held(9)]

        assert (await run.say("note", actor="dana", text="second"))["outcome"] == "accepted"

        await rows_are_history(run, database)
        released = Releaser(client, notices, Prompt(notices))
        await released.look()
        states = {line["key"]: line["state"] for line in ReadTable(database).outbox(order.run)["rows"]}
        assert before == ["never", "nor-this", "nor-that"], "what may still become history stays"
        assert not {"never", "nor-this", "nor-that"} & set(states)
        assert set(states.values()) == {"sent"}


async def test_what_a_history_that_is_over_does_not_hold_is_forgotten(
    client: Client, database: Engine, customer: str
) -> None:
    """A run that somebody has ended by force in the middle of a turn: nobody waits for that turn any more."""
    notices = SqlNoticeStore(database)
    edge = Edge(records=SqlRecordStore(database), notifier=Prompt(notices))
    async with a_worker(client, edge, f"lost-{customer}"):
        run = await a_run(client, heard_at_once(customer), f"lost-{customer}")
        await run.say("note", actor="dana", text="first")
        with reading(database) as connection:
            stands = connection.execute(select(RUNS)).one()
        phantom = a_turn(
            3, run=a_row(run.handle.id), trail=(a_trail(40),), notices=(a_notice("never", run=run.handle.id),), id="never",
            follows=stands.batch, chain=stands.chain, execution=run.handle.result_run_id, decided_at=stands.decided_at,
        )  # fmt: skip
        assert SqlRecordStore(database).write(phantom) == "never"
        await run.handle.terminate()
        await Releaser(client, notices, Prompt(notices)).look()

    assert list(notices.held(9)) == []
    assert "never" not in {line["key"] for line in ReadTable(database).outbox(run.handle.id)["rows"]}


def heard_at_once(customer: str) -> StartOrder:
    """A run whose words leave at once: what is sent must not depend on the day on which a test runs."""
    order = an_order("quick-start", customer=customer)
    return replace(order, definition=replace(order.definition, contact=ContactPolicy()))
