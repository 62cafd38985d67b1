"""A bad line between two programs: cuts, lost replies, silence, delay, limits, switched while it runs.

It has a thread of its own, so that a test may block its loop, and both ends may be in the same process as the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TypeVar

from tests.support.faults.wire import Spoken

_Result = TypeVar("_Result")
_CHUNK = 65_536
_REPLY_WITHIN = 5.0
"""Seconds after which a connection is cut whose reply was to be lost and never came."""
_ENDS_WITHIN = 2.0
_ANSWERS_WITHIN = 10.0
"""Seconds that the proxy's own thread may take for what it is told."""


class Fault(StrEnum):
    """What happens to a connection on which the client says something."""

    NONE = "none"
    CUT_BEFORE = "cut_before"
    """The request never reaches the server, and the connection is reset."""
    CUT_AFTER = "cut_after"
    """The request is served, its reply is lost, and the connection is reset."""
    CUT_WITHIN = "cut_within"
    """The request is served, half of its reply arrives, and the connection ends."""
    HALF_OPEN = "half_open"
    """Nothing goes through and nothing is closed; a connection that met this stays silent when it is over."""
    REFUSE = "refuse"
    """Every connection is reset as soon as it is made; those that there are, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What holds for every connection until it changes."""

    fault: Fault = Fault.NONE
    delay: float = 0.0
    """Seconds for every piece, each way."""
    jitter: float = 0.0
    """Up to so many seconds more, by chance."""
    limit: int | None = None
    """Bytes to the server, of one connection, after which it is reset."""


@dataclass(slots=True)
class _Armed:
    fault: Fault
    on: bytes
    left: int
    then: Weather | None
    struck: threading.Event


class _Link:
    """One connection, both ways."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = client, server
        self.asked, self.told = Spoken(from_client=True), Spoken(from_client=False)
        self.silent = self.deaf = self.half = False
        self.then: Weather | None = None
        self.sent = 0

    def reset(self) -> None:
        for end in self.ends:
            end.transport.abort()


class FaultProxy:
    """`with FaultProxy("127.0.0.1:7233") as proxy:` clients use `proxy.address`; a path is a socket in the file system."""

    def __init__(self, target: str | Path, *, seed: int = 0) -> None:
        """Nothing listens yet. `seed` decides the jitter."""
        self._target = target
        self._chance = Random(seed)
        self._weather = Weather()
        self._armed: list[_Armed] = []
        self._links: dict[_Link, None] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)
        self.port = 0
        self.connections = 0
        """Made so far."""
        self.resets = 0
        """Connections that a fault has ended so far."""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_ANSWERS_WITHIN):
            raise AssertionError("the proxy did not begin to listen")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_ANSWERS_WITHIN)

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def weather(self) -> Weather:
        """What holds now."""
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        if weather.fault is Fault.REFUSE:
            self.cut()

    def cut(self) -> int:
        """Resets every connection that there is; how many."""
        return self._told(self._reset_all)

    def once(self, fault: Fault, *, on: bytes = b"", nth: int = 1, then: Weather | None = None) -> threading.Event:
        """The fault for the connection that sends the `nth` message with these bytes from now on; set when it has struck.

        `then` is the weather from the reset of that connection on: nobody comes back in between.
        """
        armed = _Armed(fault, on, nth, then, threading.Event())
        self._told(lambda: self._armed.append(armed))
        return armed.struck

    # Everything below runs in the thread of the proxy.

    def _told(self, step: Callable[[], _Result]) -> _Result:
        async def take() -> _Result:
            return step()

        return asyncio.run_coroutine_threadsafe(take(), self._loop).result(_ANSWERS_WITHIN)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._over.wait()
        server.close()
        self._reset_all()
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        if ending:
            await asyncio.wait(ending, timeout=_ENDS_WITHIN)

    def _reset_all(self) -> int:
        links = list(self._links)
        for link in links:
            self._reset(link)
        return len(links)

    def _reset(self, link: _Link) -> None:
        if link in self._links:
            del self._links[link]
            self.resets += 1
            self._weather = link.then or self._weather
        link.reset()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._weather.fault is Fault.REFUSE:
            self.resets += 1
            writer.transport.abort()
            return
        try:
            answers, onward = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, onward)
        self._links[link] = None
        ways = (self._ask(link, reader, onward), self._answer(link, answers, writer))
        try:
            await asyncio.gather(*ways)
        finally:
            self._links.pop(link, None)
            link.reset()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _ask(self, link: _Link, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        """From the client to the server."""
        async for chunk in _pieces(reader):
            await self._wait()
            fault = self._fault(link, link.asked.hear(chunk))
            link.told.frames = link.asked.frames
            if fault is Fault.HALF_OPEN:
                link.silent = True
            if link.silent:
                continue
            if fault in (Fault.CUT_BEFORE, Fault.REFUSE):
                self._reset(link)
                return
            if fault in (Fault.CUT_AFTER, Fault.CUT_WITHIN) and not link.deaf:
                link.deaf, link.half = True, fault is Fault.CUT_WITHIN
                self._loop.call_later(_REPLY_WITHIN, self._reset, link)
            room = None if self._weather.limit is None else self._weather.limit - link.sent
            onward.write(chunk if room is None else chunk[: max(0, room)])
            link.sent += len(chunk)
            if room is not None and len(chunk) > room:
                self._reset(link)
                return
        if not link.silent:
            _end(onward)

    async def _answer(self, link: _Link, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From the server to the client."""
        async for chunk in _pieces(answers):
            await self._wait()
            half = link.told.half_of(chunk)
            replies = link.told.hear(chunk)
            if self._weather.fault is Fault.HALF_OPEN:
                link.silent = True
            if link.deaf:
                if replies:  # the server has said it, and nobody has heard, or heard it out
                    if link.half:
                        writer.write(half)
                        writer.close()  # in order, so that the half arrives
                        await writer.wait_closed()
                    self._reset(link)
                    return
            elif not link.silent:
                writer.write(chunk)
        if not link.silent:
            _end(writer)

    async def _wait(self) -> None:
        weather = self._weather
        if pause := weather.delay + weather.jitter * self._chance.random():
            await asyncio.sleep(pause)

    def _fault(self, link: _Link, messages: list[bytes]) -> Fault:
        for armed in list(self._armed):
            armed.left -= sum(armed.on in message for message in messages)
            if armed.left <= 0:
                self._armed.remove(armed)
                armed.struck.set()
                link.then = armed.then
                return armed.fault
        return self._weather.fault


def _end(writer: asyncio.StreamWriter) -> None:
    """Nothing more is said this way; the other side may have gone."""
    with contextlib.suppress(OSError):
        if not writer.transport.is_closing():
            writer.write_eof()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What arrives until the other side has ended, in whatever way."""
    while True:
        try:
            chunk = await reader.read(_CHUNK)
        except OSError:
            return
        if not chunk:
            return
        yield chunk
