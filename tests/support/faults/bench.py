"""A whole installation to be broken: a Temporal server on a database file, workers as processes, rows, and clients that keep a log."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, select
from temporalio.client import Client

from onboarding.engine.state import StartOrder
from runtime.devserver import DevServer, client_of
from storage.engine import open_database, reading
from storage.read_table import ReadTable
from storage.tables import NOTICES, REFUSED
from tests.support.agreement import rows_of_trail, whole_trail
from tests.support.calls import Door
from tests.support.doors import WorkerProcess, environment_of
from tests.support.faults import sink
from tests.support.faults.checker import Evidence
from tests.support.faults.oplog import OperationLog
from tests.support.shell import ROOT, Run, a_run

QUEUE = "faults"
REST_WITHIN = 120.0
"""Seconds after the last fault until everything has come to rest: a workflow task that was lost is given out again after 10, a remote
activity after as many, and both may happen twice."""
LOOKS = 5
"""So often a run that moves while it is looked at is looked at again; after that it is judged as it was seen."""
NEVER = datetime.min.replace(tzinfo=UTC)


class Worker(WorkerProcess):
    """The shipped worker with a world that can be read."""

    program = ("-m", "tests.support.faults.worker")


@dataclass
class Bench:
    """What a loop works with. Use `bench(folder)`."""

    folder: Path
    server: DevServer
    client: Client
    database: Engine
    log: OperationLog
    workers: list[Worker] = field(default_factory=list)
    runs: dict[str, tuple[Run, StartOrder]] = field(default_factory=dict)
    started: int = 0
    kills: int = 0
    rest_within: float = REST_WITHIN
    rested_at: datetime = NEVER
    """What was due then has happened."""
    more: dict[str, str] = field(default_factory=dict)
    """Settings of workers and commands beyond the usual."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a worker or command of this installation."""
        return environment_of(self.server.address, self.folder, QUEUE, **self.more)

    @property
    def door(self) -> Door:
        """The command line of this installation."""
        return Door(self.folder, **self.environment)

    async def work(self, fault: str = "") -> Worker:
        """Starts a worker and waits until it polls; `fault` is for FAULT."""
        worker = self.spawn(fault)
        await worker.up(self.client, QUEUE)
        return worker

    def spawn(self, fault: str = "") -> Worker:
        """Starts a worker."""
        self.started += 1
        more = {"PYTHONPATH": str(ROOT), sink.VARIABLE: str(self.sink), **({"FAULT": fault} if fault else {})}
        worker = Worker(self.folder / f"worker-{self.started}.log", {**self.environment, **more})
        self.workers.append(worker)
        return worker

    @property
    def sink(self) -> Path:
        """What has reached the world."""
        return self.folder / "sink.jsonl"

    async def kill(self, worker: Worker) -> None:
        """kill -9."""
        worker.process.kill()
        await worker.ended()
        self.workers.remove(worker)
        self.kills += 1

    async def kill_server(self, down: float) -> None:
        """kill -9 of the server; the same file and port again after so many seconds."""
        old, port = self.server, self.server.port
        os.kill(old.pid, signal.SIGKILL)
        await old.stop()
        await asyncio.sleep(down)
        self.server = DevServer(self.folder / "temporal", ui=False, port=port)
        await self.server.start()

    async def start(self, order: StartOrder) -> Run:
        """Starts a run as a client does."""
        run = await a_run(self.client, order, QUEUE)
        self.runs[order.run] = run, order
        return run

    async def rest(self) -> None:
        """Waits until nothing is on its way: no workflow task, no activity, no row, no notice that could leave."""
        ends = time.monotonic() + self.rest_within
        while True:
            looked_at = datetime.now(UTC)
            moving = await self._moving(looked_at)
            if not moving:
                self.rested_at = looked_at
                return
            assert time.monotonic() < ends, f"still on its way after {self.rest_within:.0f} seconds: {moving}"
            await asyncio.sleep(0.2)

    async def _moving(self, now: datetime) -> str:
        """What is still on its way; nothing where all rests."""
        for name in self.runs:
            if busy := await self._is_busy(name):
                return busy
        held = self._could_leave(now)
        return f"{len(held)} notices could leave: {held[:3]}" if held else ""

    async def _is_busy(self, name: str) -> str:
        """The task and the activities that are on their way in a run; nothing where none is."""
        raw = (await self.runs[name][0].handle.describe()).raw_description
        if not raw.pending_activities and not raw.HasField("pending_workflow_task"):
            return ""
        return f"{name}: {raw.pending_workflow_task} {list(raw.pending_activities)}"[:1_000]

    def _could_leave(self, now: datetime) -> Sequence[str]:
        """Keys of the notices that have not left, and could have at `now`."""
        waits = NOTICES.c.batch.is_not(None) | (NOTICES.c.ready_at <= now)
        with reading(self.database) as connection:
            query = select(NOTICES.c.key).where(NOTICES.c.state == "pending", waits)
            return connection.execute(query).scalars().all()

    async def evidence(self) -> list[Evidence]:
        """All that is known of every run; call it at rest, with a worker.

        Dates may pass while runs are looked at, one after the other: one that has moved meanwhile is looked at again. A run hears of
        a date after its instant: what it decided for one from before the rest may still be on its way, so that is waited for.
        """
        found: dict[str, Evidence] = {}
        due = list(self.runs)
        for look in range(LOOKS):
            if look:
                await self.rest()
            heard = sink.read_sink(self.sink)
            for name in due:
                found[name] = await self._evidence(*self.runs[name], heard)
            # In this order, so that nothing is between two of them: what an activity of its own brings to the outbox, what is there,
            # and what has left it.
            busy = [name for name in due if await self._is_busy(name)]
            late = self._could_leave(self.rested_at)
            later = sink.read_sink(self.sink)
            due = [
                name
                for name in due
                if name in busy or _of_run(name, late) or await self._has_moved(name, found[name], later)
            ]
            if not due:
                break
        return list(found.values())

    async def _has_moved(self, name: str, seen: Evidence, heard: dict[str, Counter[str]]) -> bool:
        own = await whole_trail(self.runs[name][0])
        kept = {row.key: row.state for row in self._outbox(seen.order.run)}
        return (
            own[-1]["digest"] != seen.own_trail[-1]["digest"]
            or _of(seen.order.run, heard) != seen.heard
            or kept != seen.notices
        )

    def _outbox(self, run: str) -> Sequence[Any]:
        """The notices of a run: key, state and tries."""
        # A tombstone of a key that came before its notice belongs to no run by name, so keys tell.
        of_run = NOTICES.c.key.startswith(f"{run}/", autoescape=True)
        with reading(self.database) as connection:
            return connection.execute(select(NOTICES.c.key, NOTICES.c.state, NOTICES.c.tries).where(of_run)).all()

    async def _evidence(self, run: Run, order: StartOrder, heard: dict[str, Counter[str]]) -> Evidence:
        own, status = await whole_trail(run), await run.ask("status")
        kept = self._outbox(order.run)
        with reading(self.database) as connection:
            refused = connection.execute(select(REFUSED).where(REFUSED.c.run == order.run)).mappings().all()
        return Evidence(
            order=order, operations=list(self.log.of(order.run)), trail=rows_of_trail(ReadTable(self.database), run),
            own_trail=own, refused=[dict(row) for row in refused], status=status,
            notices={row.key: row.state for row in kept}, tries={row.key: row.tries or 0 for row in kept},
            heard=_of(order.run, heard), brought=sink.brought(self.sink), now=self.rested_at,
        )  # fmt: skip


def _of_run(run: str, keys: Sequence[str]) -> bool:
    """Whether any of these keys is one of the run."""
    return any(key.startswith(f"{run}/") for key in keys)


def _of(run: str, heard: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """What was heard of one run."""
    return {
        kind: Counter({key: n for key, n in keys.items() if key.startswith(f"{run}/")}) for kind, keys in heard.items()
    }


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """An installation of one test, without a worker yet; whatever still runs at the end is killed."""
    server = DevServer(folder / "temporal", ui=False)
    await server.start()
    database = open_database(environment_of("", folder, QUEUE)["ONBOARDING_DATABASE_URL"])
    made = Bench(folder, server, await client_of(server), database, OperationLog(folder / "operations.jsonl"))
    try:
        with patch.dict(os.environ, made.environment):  # senders are command lines of this installation
            yield made
    finally:
        for worker in made.workers:
            worker.process.kill()
            worker.process.wait()
        database.dispose()
        await made.server.stop()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float, what: str) -> float:
    """Looks until it holds; after how many seconds it did."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:.0f} seconds: {what}")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


def reconciled(door: Door, runs: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The differences that `starter.py reconcile` finds, of all runs or of these."""
    answer = door("reconcile", *(runs or ("--all",)), "-o", "json")
    return list(answer.data["rows"])
