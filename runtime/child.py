"""A process that ends with us: started, stopped in order, and never left behind unless asked to."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO


class Child:
    """One running process. It also ends when ours dies in any way, kill -9 included; `leave_running` prevents that."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: IO[bytes],
        environment: Mapping[str, str],
        stops_within: float,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Starts at once. `stops_within` are the seconds between SIGTERM and SIGKILL."""
        self._stops_within = stops_within
        # A file and no pipe for its words: a pipe that nobody reads stalls whoever writes into it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=pass_fds,
            # Ctrl-C reaches a whole group, and it is for us: children are stopped in order, the worker before its server.
            start_new_session=True,
        )
        # A shell whose input is a pipe with only us at its other end: it reads `done`, or the end when we have died.
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", f'read -r word; [ "$word" = done ] || kill -TERM {self.pid}'],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """The exit code once it has ended, else `None`."""
        return self._process.poll()

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self.ended is None:
            self._process.terminate()
        # A thread, and not the loop: a worker beside us still has to finish its polls. Shielded, because a second Ctrl-C must
        # not leave the process behind.
        await asyncio.shield(asyncio.to_thread(self._wait_or_kill))

    def leave_running(self) -> int:
        """Let it outlive this process, and return its process id."""
        self._dismiss_watcher()
        self._process.returncode = 0  # otherwise Popen warns that the child is still running when it is collected
        return self.pid

    def _wait_or_kill(self) -> None:
        try:
            self._process.wait(self._stops_within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._dismiss_watcher()

    def _dismiss_watcher(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._watcher.communicate(b"done\n", timeout=self._stops_within)
