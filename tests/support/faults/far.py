"""An installation whose parts are far from each other: the worker's settings may name lines, and its world may have moods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from tests.support.faults import moody, sink
from tests.support.faults.bench import REST_WITHIN, Bench, Worker
from tests.support.faults.oplog import OperationLog
from tests.support.shell import ROOT

AGAIN = 150.0
"""Seconds between two attempts at a notice, at most: so much longer may it take after a long outage until all rests."""


class MoodyWorker(Worker):
    """The shipped worker, and a channel that does what a file says."""

    program = ("-m", "tests.support.faults.moody")


@dataclass
class FarBench(Bench):
    """As a bench; `settings` are laid over the environment of its workers and not over that of its commands."""

    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    gone: list[tuple[float, float]] = field(default_factory=list)
    """From when to when something was away, by the clock of the senders."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a command."""
        return {**super().environment, "ONBOARDING_DATABASE_URL": self.url}

    def spawn(self, fault: str = "") -> Worker:
        """Starts a worker behind its lines."""
        self.started += 1
        more = {"PYTHONPATH": str(ROOT), sink.VARIABLE: str(self.sink), moody.VARIABLE: str(self.mood)}
        more |= {"FAULT": fault} if fault else {}
        log = self.folder / f"worker-{self.started}.log"
        worker = MoodyWorker(log, {**self.environment, **more, **self.settings})
        self.workers.append(worker)
        return worker

    @property
    def mood(self) -> Path:
        """Holds a word of `moody.Mood`."""
        return self.folder / "mood"


@asynccontextmanager
async def far_bench(folder: Path, *, url: str = "") -> AsyncIterator[FarBench]:
    """An installation of one test on the database at `url` (default: a file), without a worker yet; killed at the end."""
    server = DevServer(folder / "temporal", ui=False)
    await server.start()
    url = url or f"sqlite:///{folder / 'rows.sqlite'}"
    database = open_database(url)
    log = OperationLog(folder / "operations.jsonl")
    made = FarBench(folder, server, await client_of(server), database, log, url=url, rest_within=REST_WITHIN + AGAIN)
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.process.kill()
            worker.process.wait()
        database.dispose()
        await made.server.stop()
