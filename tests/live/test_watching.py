"""Runs that do not go on are found by command and by metric, within two minutes, while well ones are left alone."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from onboarding.engine import machine
from onboarding.engine.state import StartOrder
from onboarding.language.units import parse_duration
from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from tests.live.test_dashboards import free_port, shown
from tests.support.calls import Answer, Door
from tests.support.doors import WorkerProcess, environment_of, worker_process
from tests.support.figures import Figure
from tests.support.prompt import Prompt
from tests.support.shell import Edge, a_run, a_worker, an_order

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(400)]

WITHIN = 120.0
"""Seconds until a planted run must be named."""
QUEUE, OTHER = "watched", "left-alone"


@dataclass
class Site:
    """A server, a database and a command line of one test, so that nobody else's runs are looked at."""

    client: Client
    server: DevServer
    door: Door
    edge: Edge

    def worker(self) -> AbstractAsyncContextManager[WorkerProcess]:
        """A worker as an installation has it."""
        return worker_process(self.client, self.server.address, self.door.folder, QUEUE)

    async def doctor(self, **more: str) -> Answer:
        """`doctor --runs`; a call is a process, and the loop goes on meanwhile."""
        return await asyncio.to_thread(lambda: self.door("doctor", "--runs", **more))

    async def found(self, kind: str, run: str) -> tuple[dict[str, Any], float]:
        """The finding once the command names it, and how many seconds that took from now on."""
        began = time.monotonic()
        while time.monotonic() - began < WITHIN:
            answer = await self.doctor()
            for row in answer.data["rows"]:
                if (row["kind"], row["run"]) == (kind, run):
                    assert answer.code == 69
                    return row, time.monotonic() - began
        raise AssertionError(f"{kind} of {run} was not found: {answer.out}")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Empty."""
    async with DevServer(tmp_path / "server") as server:
        engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
        edge = Edge(records=SqlRecordStore(engine), notifier=Prompt(SqlNoticeStore(engine)))
        door = Door(tmp_path, **environment_of(server.address, tmp_path, QUEUE))
        yield Site(await client_of(server), server, door, edge)
        engine.dispose()


def short(customer: str, due: str) -> StartOrder:
    """A run whose first thing is due so soon."""
    order = an_order("short", customer=customer)
    items = tuple(
        replace(item, due=parse_duration(due)) if item.id == "first" else item for item in order.definition.items
    )
    return replace(order, definition=replace(order.definition, items=items))


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else can write to the database meanwhile."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as rows:
        rows.execute("BEGIN IMMEDIATE")
        yield
        rows.execute("ROLLBACK")


async def until(holds: Callable[[], Any], seconds: float = WITHIN) -> float:
    """Waits for something that another thread or process does; how long it took."""
    began = time.monotonic()
    while not await asyncio.to_thread(holds):
        assert time.monotonic() - began < seconds, "it did not come"
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def stuck(port: int, kind: str) -> bool:
    """Whether the metric tells of a run with this trouble."""
    return re.search(rf'(?m)^onboarding_runs_stuck{{[^}}]*kind="{kind}"[^}}]*}} [1-9]', shown(port)) is not None


async def test_a_run_with_a_failing_workflow_task_is_found_by_command_and_metric(
    site: Site, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """A bug of ours in one message; once it is mended everything is well again."""
    port = free_port()
    shows = {"ONBOARDING_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    async with (
        a_worker(site.client, site.edge, QUEUE),
        worker_process(site.client, site.server.address, site.door.folder, OTHER, **shows),
    ):
        run, well = (
            await a_run(site.client, short("ill", "9d"), QUEUE),
            await a_run(site.client, short("well", "9d"), QUEUE),
        )
        for one in (run, well):
            assert (await one.say("note", actor="dana", text="here"))["outcome"] == "accepted"
        before = await site.doctor()
        assert (before.code, before.data["findings"], before.data["looked_at"]) == (0, 0, 2), before.out

        with monkeypatch.context() as broken:
            broken.setitem(machine.MOVES, "note", _raise)
            await run.signal("note", {"message_id": "n-9", "actor": "dana", "text": "boom"})
            row, command = await site.found("failing_task", run.handle.id)
            metric = await until(lambda: stuck(port, "failing_task"))
            answer = await site.doctor()
        await until(lambda: not site.door("doctor", "--runs").data["findings"])
        await until(lambda: not stuck(port, "failing_task"))

    figure(f"R27: a failing workflow task was named after {command:.0f} s, shown as a metric {metric:.0f} s later")
    assert [(one["run"], one["kind"], one["since"]) for one in answer.data["rows"]] == [
        (run.handle.id, "failing_task", row["since"])
    ]
    assert "worker's log" in row["way_out"]
    assert "boom" not in answer.out


def _raise(*_: object) -> Any:
    raise KeyError("boom")


async def test_rows_that_lag_are_found(site: Site, figure: Figure) -> None:
    """The database takes nothing any more; when it does again, the run has brought its rows by itself."""
    port = free_port()
    shows = {"ONBOARDING_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    async with (
        a_worker(site.client, site.edge, QUEUE),
        worker_process(site.client, site.server.address, site.door.folder, OTHER, **shows),
    ):
        run = await a_run(site.client, short("lag", "9d"), QUEUE)
        await run.say("note", actor="dana", text="written")
        with held(site.door.folder / "rows.sqlite"):
            assert (await run.say("note", actor="dana", text="not written yet"))["outcome"] == "accepted"
            row, command = await site.found("rows_lag", run.handle.id)
            metric = await until(lambda: stuck(port, "rows_lag"))
        await until(lambda: not site.door("doctor", "--runs").data["findings"])

    figure(f"R27: rows that lag were named after {command:.0f} s, shown as a metric {metric:.0f} s later")
    assert "database" in row["way_out"]


async def test_an_alarm_that_nobody_rings_is_found(site: Site, figure: Figure) -> None:
    """The worker is away over a due date; when one comes the run goes on, and nothing is left to say."""
    async with site.worker() as worker:
        run = await a_run(site.client, short("alarm", "15s"), QUEUE)
        await run.say("note", actor="dana", text="here")
        assert await worker.stop() == 0
    assert (await site.doctor()).code == 0
    row, command = await site.found("overdue_alarm", run.handle.id)
    async with site.worker():
        await until(lambda: not site.door("doctor", "--runs").data["findings"])

    figure(f"R27: an overdue alarm was named after {command:.0f} s, a minute of patience among them")
    assert "worker" in row["way_out"]


async def test_runs_on_one_side_only_are_found(site: Site) -> None:
    """Ended on the server behind our back; and rows that are gone, until something is said to the run."""
    async with site.worker():
        gone, here = [await a_run(site.client, short(name, "9d"), QUEUE) for name in ("gone", "here")]
        for one in (gone, here):
            await one.say("note", actor="dana", text="here")
        await gone.handle.terminate()
        await asyncio.to_thread(_forget, site.door.folder / "rows.sqlite", here.handle.id)
        bare, _ = await site.found("no_rows", here.handle.id)
        ended, _ = await site.found("no_run", gone.handle.id)
        told = await asyncio.to_thread(site.door, "note", here.handle.id, "Write your rows", "--actor", "dana")
        await until(lambda: here.handle.id not in str(site.door("doctor", "--runs").data["rows"]))

    assert "terminated" in ended["sentence"]
    assert "database" in bare["sentence"]
    assert told.code == 0


def _forget(path: Path, run: str) -> None:
    """Takes every row of a run away."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as rows:
        tables = [name for (name,) in rows.execute("select name from sqlite_master where type = 'table'")]
        for table in sorted(tables, key=lambda name: name == "runs"):
            if any(column[1] == "run" for column in rows.execute(f"pragma table_info({table})")):
                rows.execute(f"delete from {table} where run = ?", (run,))


async def test_a_database_that_does_not_answer_is_said_and_runs_are_still_asked_about(site: Site) -> None:
    """No answer is no comparison, and no end of the command."""
    async with a_worker(site.client, site.edge, QUEUE):
        await (await a_run(site.client, short("one", "9d"), QUEUE)).say("note", actor="dana", text="here")
        answer = await site.doctor(ONBOARDING_DATABASE_URL=f"sqlite:///{site.door.folder}")

    assert (answer.code, answer.data["rows_read"], answer.data["looked_at"]) == (69, False, 1)
    assert "Our database did not answer" in answer.err
