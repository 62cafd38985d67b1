"""Events on the real server, from a run to a real receiver: each once, in order, and none of a turn that never happened."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import Engine
from temporalio.client import Client

from integrations.event_out import EventSender
from integrations.outbox import OutboxNotifier
from onboarding import emitted
from onboarding.engine.state import StartOrder
from onboarding.language.model import Emission
from runtime.devserver import DevServer
from runtime.releasing_events import EventReleaser
from storage.engine import open_database
from storage.events import SqlEvents
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.support.doors import worker_process
from tests.support.receiver import SECRET, Receiver, loopback
from tests.support.shell import ROOT, Edge, a_run, a_worker, an_order, answer_all

pytestmark = pytest.mark.live


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'rows.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def crm(httpserver: HTTPServer) -> Iterator[Receiver]:
    yield Receiver(httpserver)
    httpserver.check_assertions()


def telling(customer: str) -> StartOrder:
    """A run that tells one receiver everything."""
    order = an_order("quick-start", customer=customer)
    everything = (Emission(webhook="crm", events=tuple(emitted.TYPES)),)
    return replace(order, definition=replace(order.definition, emits=everything))


async def brought(client: Client, database: Engine, crm: Receiver) -> None:
    """Everything that may leave now has left."""
    events = SqlEvents(database)
    releaser = EventReleaser(client, events)
    sender = EventSender(events, [crm.webhook], loopback(), by="w", installation="test")
    while events.held(1) and await releaser.look():
        pass
    while await sender.look():
        pass


async def closed(run: Any, order: StartOrder) -> None:
    for _ in range(200):
        await answer_all(run, order)
        if (await run.ask("status"))["state"] == "closed":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the run has not closed")


async def until(client: Client, database: Engine, crm: Receiver, holds: Callable[[], bool]) -> None:
    """Brings what may leave until something holds."""
    for _ in range(200):
        await brought(client, database, crm)
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it has not happened within twenty seconds")


def in_order(crm: Receiver, run: str) -> None:
    """What one run has told, to its end."""
    assert [n for told, n in crm.told() if told == run] == list(range(1, len(crm.told()) + 1))
    types = [event["type"] for event in crm.taken]
    assert (types[0], types[-1], types.count("run.closed")) == ("run.started", "run.closed", 1)
    assert types.count("stage.entered") == types.count("stage.left") > 0


async def test_a_whole_run_is_told_to_the_end(client: Client, database: Engine, crm: Receiver, customer: str) -> None:
    order = telling(customer)
    edge = Edge(records=SqlRecordStore(database), notifier=OutboxNotifier(SqlNoticeStore(database)))
    async with a_worker(client, edge, f"events-{customer}"):
        run = await a_run(client, order, f"events-{customer}")
        await closed(run, order)
        await run.handle.result()
        await brought(client, database, crm)

    in_order(crm, order.run)
    assert len(crm.requests) == len(crm.told())
    print(f"events out: {len(crm.told())} events of one run, each once, in order, signed and as their schemas say")


async def test_what_a_lost_turn_would_have_told_is_never_told(
    client: Client, dev_server: DevServer, url: str, database: Engine, crm: Receiver, customer: str
) -> None:
    """The worker dies right after the commit of the rows, in the first turn and in a later one; both are decided again."""
    order = telling(customer)
    queue = f"events-{customer}"
    run = await a_run(client, order, queue, task_timeout=timedelta(seconds=2))
    with Mortal(dev_server, url, queue) as start:
        assert await asyncio.to_thread(start(1).wait, 30) == 9
        await brought(client, database, crm)
        assert crm.requests == []  # the turn is no history
        healthy = start(0)
        await until(client, database, crm, lambda: bool(crm.taken))
        healthy.kill()
        second = start(1)
        said = asyncio.create_task(run.say("hold", actor="dana", reason="They moved", side="customer"))
        assert await asyncio.to_thread(second.wait, 30) == 9
        await brought(client, database, crm)
        assert "run.held" not in [event["type"] for event in crm.requests]
        start(0)
        assert (await said)["outcome"] == "accepted"
        await run.say("resume", actor="dana")
        await closed(run, order)
        await run.handle.result()
        await brought(client, database, crm)

    in_order(crm, order.run)
    types = [event["type"] for event in crm.taken]
    assert [types.count(name) for name in ("run.held", "run.resumed")] == [1, 1]
    print(f"events out: {len(types)} events of a run that lost two turns, none of them told")


class Mortal:
    """Workers that die after so many batches, and none of them outlives the test."""

    def __init__(self, server: DevServer, url: str, queue: str) -> None:
        self._words = [sys.executable, "-m", "tests.support.dying", server.address, url, queue]
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Callable[[int], subprocess.Popen[str]]:
        return self._start

    def __exit__(self, *_: object) -> None:
        for child in self._started:
            child.kill()
            child.wait()
            child.stdout.close()  # type: ignore[union-attr]

    def _start(self, writes: int) -> subprocess.Popen[str]:
        words = [*self._words, str(writes)]
        child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        return child


async def test_worker_processes_bring_events_to_the_webhooks_of_their_file(
    client: Client, dev_server: DevServer, tmp_path: Path, crm: Receiver, customer: str
) -> None:
    """Two of them, put together as on any machine; one is killed on the way."""
    order, queue = telling(customer), f"events-{customer}"
    (tmp_path / "channels.yaml").write_text(
        "inside: [127.0.0.0/8]\n"
        "webhooks:\n"
        f"  crm: {{url: '{crm.server.url_for('/crm')}', allow: [{crm.server.host}], plain: true, secret: {{env: CRM_SECRET}}}}\n",
        encoding="utf-8",
    )
    environment = {
        "ONBOARDING_CHANNELS": str(tmp_path / "channels.yaml"), "CRM_SECRET": SECRET,
        "ONBOARDING_DATABASE_URL": f"sqlite:///{tmp_path / 'rows.sqlite'}",
    }  # fmt: skip
    (tmp_path / "other").mkdir()
    async with (
        worker_process(client, dev_server.address, tmp_path, queue, **environment) as first,
        worker_process(client, dev_server.address, tmp_path / "other", queue, **environment),
    ):
        run = await a_run(client, order, queue)
        assert await answer_all(run, order, most=2) == 2
        first.process.kill()
        await closed(run, order)
        for _ in range(1_200):
            if crm.taken and crm.taken[-1]["type"] == "run.closed":
                break
            await asyncio.sleep(0.1)

    in_order(crm, order.run)
