"""worker.py as a process of its own, the way demo and production start it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from runtime.health import pollers
from tests.support.shell import ROOT

UP_WITHIN = 30.0
"""Seconds until a worker polls; two is usual, a busy machine takes longer."""


class WorkerProcess:
    """One `python worker.py`; its words go to a file, because a pipe that nobody reads stalls it."""

    program: tuple[str, ...] = ("worker.py",)

    def __init__(self, log: Path, environment: Mapping[str, str], *arguments: str, build: Path = ROOT) -> None:
        """Starts at once, the program of this `build`."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARDING_", "TEMPORAL_"))}
        self.log = log
        with log.open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, *self._program(build), *arguments],
                stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT,
                env={**clean, **environment}, cwd=log.parent,
            )  # fmt: skip

    def _program(self, build: Path) -> tuple[str, ...]:
        first, *more = self.program
        return (first if first == "-m" else str(build / first), *more)

    async def up(self, client: Client, task_queue: str) -> None:
        """Waits until this process polls the task queue."""
        began = time.monotonic()
        mine = f"{self.process.pid}@"
        while not await self._polls(client, task_queue, mine):
            if self.process.poll() is not None or time.monotonic() - began > UP_WITHIN:
                raise AssertionError(f"the worker did not come up:\n{self.words()}")
            await asyncio.sleep(0.05)

    @staticmethod
    async def _polls(client: Client, task_queue: str, mine: str) -> bool:
        try:
            return any(identity.startswith(mine) for identity in await pollers(client, task_queue))
        except RPCError:  # a server under load answers the next time
            return False

    async def ended(self, seconds: float = 40) -> int:
        """The exit code."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        return await self.ended()

    def words(self) -> str:
        """Everything it wrote."""
        return self.log.read_text("utf-8", "replace")


@asynccontextmanager
async def worker_process(
    client: Client, address: str, folder: Path, task_queue: str, *, build: Path = ROOT, **settings: str
) -> AsyncIterator[WorkerProcess]:
    """A worker that polls, with a database in `folder`; killed at the end if it still lives."""
    log = folder / ("worker.log" if build == ROOT else f"worker-{build.name}.log")
    worker = WorkerProcess(log, environment_of(address, folder, task_queue, **settings), build=build)
    try:
        await worker.up(client, task_queue)
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


def environment_of(address: str, folder: Path, task_queue: str, **settings: str) -> dict[str, str]:
    """The settings of such a worker."""
    return {
        "TEMPORAL_ADDRESS": address,
        "ONBOARDING_DATABASE_URL": f"sqlite:///{folder / 'rows.sqlite'}",
        "ONBOARDING_KEYS": str(folder / "keys.json"),
        "ONBOARDING_TASK_QUEUE": task_queue,
        **settings,
    }
