"""A worker as a child process: started, waited for, stopped on demand, and never left behind unless asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from runtime.child import Child
from runtime.errors import SetupError
from runtime.settings import ROOT

if TYPE_CHECKING:
    from temporalio.client import Client

READY_WITHIN = 30.0
"""Seconds until the worker polls; 0.7 were measured."""
STOPS_WITHIN = 45.0
"""Longer than the worker's own patience."""


class WorkerFailed(SetupError):
    """The worker ended, or did not begin to work. `place` is its log file."""

    code = "worker_failed"
    exit_code = 69


class WorkerProcess:
    """One `worker.py` with its own settings. It also ends when this process dies in any way; `leave_running` prevents that."""

    def __init__(self, log_file: Path, **environment: str) -> None:
        """Nothing is started yet. `environment` is laid over that of this process."""
        self.log_file = log_file
        self._environment = {**os.environ, **environment}
        self._child: Child | None = None

    def of(self, **environment: str) -> None:
        """More of its settings, before it starts: the address of a server that was not up when it was made."""
        self._environment |= environment

    @property
    def pid(self) -> int:
        """The process id of the running worker."""
        if self._child is None:
            raise RuntimeError("the worker is not running")
        return self._child.pid

    @property
    def ended(self) -> int | None:
        """The exit code of a worker that ended by itself, else `None`."""
        return None if self._child is None else self._child.ended

    async def start(self, client: Client, task_queue: str) -> None:
        """Start the worker and return when it polls. Raises `WorkerFailed` with its last words."""
        from runtime.health import pollers

        await asyncio.to_thread(self._spawn)
        until = monotonic() + READY_WITHIN
        while monotonic() < until:
            if self.ended is not None:
                raise self._failed(f"The worker ended with {self.ended}")
            if any(identity.startswith(f"{self.pid}@") for identity in await pollers(client, task_queue)):
                return
            await asyncio.sleep(0.1)
        await self.stop()
        raise self._failed(f"The worker did not begin to work within {READY_WITHIN:.0f} seconds")

    async def stop(self) -> None:
        """Ask the worker to finish what it is doing, and end it if it does not."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    def leave_running(self) -> int:
        """Let the worker outlive this process, and return its process id."""
        child, self._child = self._child, None
        if child is None:
            raise RuntimeError("the worker is not running")
        return child.leave_running()

    def _spawn(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            command = [sys.executable, str(ROOT / "worker.py")]
            self._child = Child(command, log=log, environment=self._environment, stops_within=STOPS_WITHIN)

    def _failed(self, what: str) -> WorkerFailed:
        words = self.log_file.read_text(errors="replace").strip().splitlines()
        last = words[-1][:300] if words else "it said nothing"
        return WorkerFailed(
            f"{what}: {last}.", place=str(self.log_file), way_out=f"All its words are in {self.log_file}."
        )


def stopping() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM: what was started is stopped in order, whatever the moment."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def finished(work: asyncio.Future[None], stop: asyncio.Event) -> bool:
    """Whether the work came to its end before somebody said stop. Raises what the work raised."""
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not work.done():
        work.cancel()
        await asyncio.wait((work,))
        return False
    work.result()
    return True


def of_server(address: str, namespace: str, ui: str) -> dict[str, str]:
    """The variables with which a process finds this server, whatever is configured otherwise."""
    configured = {name: "" for name in os.environ if name.startswith("TEMPORAL_") and name != "TEMPORAL_CLI_PATH"}
    return {
        **configured,
        "ONBOARDING_LOG_FORMAT": "console",
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": namespace,
        "ONBOARDING_UI_URL": ui,
    }
