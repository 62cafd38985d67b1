"""A server and a worker of the moment, each as its own process, and what they have used: CPU, memory, disk.

Every contender gets a server of the same settings on an empty SQLite file, and one worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from runtime.health import pollers
from runtime.settings import ROOT
from storage.engine import open_database

QUEUE: Final = "benchmark"
ESCALATIONS: Final = "escalations.txt"
"""The file in the folder of a stand where escalations stand that have left, a line with the name of the run for each."""
UP_WITHIN: Final = 60.0
"""Seconds until a worker polls; two are usual."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began: seconds of CPU, user and system; and its memory now, in bytes."""

    cpu: float
    memory: int


def usage(pid: int) -> Usage:
    """Raises `FileNotFoundError` where the process is gone."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return Usage((int(parts[11]) + int(parts[12])) / _TICKS, int(resident) * 1024)


def size(database: Path) -> int:
    """Bytes that are used in a SQLite file, also those that are not out of its log yet; 0 where there is none."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as pages:
        used, free, each = (
            int(pages.execute(f"PRAGMA {word}").fetchone()[0]) for word in ("page_count", "freelist_count", "page_size")
        )
    return (used - free) * each


@dataclass(frozen=True, slots=True)
class Start:
    """How a worker is started."""

    command: Sequence[str]
    environment: Mapping[str, str]


StartOf = Callable[[str, Path], Start]
"""How a worker is started that reaches the server at this address, with a folder of its own."""


class Stand:
    """One server and one worker of a contender. The worker may be killed, and another one started."""

    def __init__(self, server: DevServer, client: Client, folder: Path, start: Start) -> None:
        """`folder` has the server's file, the rows of ours, and the words of the worker."""
        self.server, self.client, self.folder = server, client, folder
        self._start = start
        self._worker: subprocess.Popen[bytes] | None = None
        self._rows: Engine | None = None

    @property
    def rows(self) -> Engine:
        """The database of ours, opened when it is first asked for; closed with the stand."""
        if self._rows is None:
            self._rows = open_database(_rows_of(self.folder))
        return self._rows

    def close(self) -> None:
        """Gives the database of ours back."""
        if self._rows is not None:
            self._rows.dispose()

    def escalated(self) -> Counter[str]:
        """How many escalations of each run have left."""
        lines = self.folder / ESCALATIONS
        return Counter(lines.read_text().splitlines() if lines.exists() else ())

    @property
    def worker(self) -> int:
        """The process id of the worker."""
        if self._worker is None:
            raise RuntimeError("no worker was started")
        return self._worker.pid

    def spawn(self) -> None:
        """Starts the worker; it polls a moment later."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARDING_", "TEMPORAL_"))}
        with (self.folder / "worker.log").open("ab") as words:
            self._worker = subprocess.Popen(
                self._start.command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, cwd=ROOT,
                env={**clean, **self._start.environment},
            )  # fmt: skip

    async def up(self) -> None:
        """Waits until the worker polls. Raises `RuntimeError` with its words where it does not."""
        until, mine = time.monotonic() + UP_WITHIN, f"{self.worker}@"
        while not any(one.startswith(mine) for one in await pollers(self.client, QUEUE)):
            if time.monotonic() > until or (self._worker is not None and self._worker.poll() is not None):
                raise RuntimeError(f"the worker did not come up:\n{(self.folder / 'worker.log').read_text()[-3000:]}")
            await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the worker by this signal."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.send_signal(number)
        try:
            await asyncio.to_thread(worker.wait, 40)
        except subprocess.TimeoutExpired:
            worker.kill()
            await asyncio.to_thread(worker.wait)

    def used(self) -> dict[str, Usage]:
        """Worker and server."""
        return {"worker": usage(self.worker), "server": usage(self.server.pid)}


@asynccontextmanager
async def a_stand(folder: Path, start_of: StartOf) -> AsyncIterator[Stand]:
    """A server on an empty file and a worker that polls; both end afterwards, and what they wrote stays in `folder`."""
    async with DevServer(folder, ui=False) as server:
        stand = Stand(server, await client_of(server), folder, start_of(server.address, folder))
        stand.spawn()
        try:
            await stand.up()
            yield stand
        finally:
            await stand.end()
            stand.close()


def _rows_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'rows.sqlite'}"


def by_hand(address: str, folder: Path) -> Start:
    """The worker of the references."""
    return Start(
        [sys.executable, "-m", "benchmarks.engine.by_hand_worker", address, QUEUE, str(folder / ESCALATIONS)], {}
    )


def ours(address: str, folder: Path) -> Start:
    """The worker of this project as an installation starts it, with rows on a SQLite file of its own; see `ours_worker`."""
    settings = {
        "TEMPORAL_ADDRESS": address,
        "ONBOARDING_DATABASE_URL": _rows_of(folder),
        "ONBOARDING_KEYS": str(folder / "keys.json"),
        "ONBOARDING_TASK_QUEUE": QUEUE,
        "ONBOARDING_LOG_LEVEL": "WARNING",
    }
    return Start([sys.executable, "-m", "benchmarks.engine.ours_worker", str(folder / ESCALATIONS)], settings)
