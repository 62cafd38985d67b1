"""A worker as a child process: started, waited for, stopped, and never left behind unless asked to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

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
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def of(self, **environment: str) -> None:
        """More of its settings, before it starts: the address of a server that was not up when it was made."""
        self._environment |= environment

    @property
    def pid(self) -> int:
        """The process id of the running worker."""
        if self._process is None:
            raise RuntimeError("the worker is not running")
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """The exit code of a worker that ended by itself, else `None`."""
        return None if self._process is None else self._process.poll()

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
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.terminate()
            # Shielded, because a second Ctrl-C must not leave the process behind.
            await asyncio.shield(asyncio.to_thread(self._wait_or_kill, process))

    def leave_running(self) -> int:
        """Let the worker outlive this process, and return its process id."""
        process, self._process = self._process, None
        if process is None:
            raise RuntimeError("the worker is not running")
        self._dismiss_watcher()
        process.returncode = 0  # otherwise Popen warns that the child is still running when it is collected
        return process.pid

    def _spawn(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "worker.py")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                # Ctrl-C is for us: the worker stops first, then its server.
                start_new_session=True,
            )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", f'read -r word; [ "$word" = done ] || kill -TERM {self._process.pid}'],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_or_kill(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._dismiss_watcher()

    def _dismiss_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            with contextlib.suppress(BrokenPipeError):
                watcher.communicate(b"done\n", timeout=STOPS_WITHIN)

    def _failed(self, what: str) -> WorkerFailed:
        words = self.log_file.read_text(errors="replace").strip().splitlines()
        last = words[-1][:300] if words else "it said nothing"
        return WorkerFailed(
            f"{what}: {last}.", place=str(self.log_file), way_out=f"All its words are in {self.log_file}."
        )
