"""The bad line itself: each fault does what it says, to a plain server and to requests of gRPC."""

from __future__ import annotations

import contextlib
import gzip
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.faults.proxy import Fault, FaultProxy, Weather
from tests.support.faults.wire import PREFACE, Spoken

HARDLY = 0.3
"""Seconds in which an answer over a loopback that is coming has come."""
SOON = 10.0


class Echo(socketserver.ThreadingTCPServer):
    """Says back whatever it hears, and remembers it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.heard = b""
        super().__init__(("127.0.0.1", 0), _Saying)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Saying(socketserver.BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a reset is what these tests are about
            while chunk := self.request.recv(65_536):
                self.server.heard += chunk
                self.request.sendall(chunk)


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server of this test alone."""
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """A line to it."""
    with FaultProxy(echo.address, seed=1) as line:
        yield line


def dial(proxy: FaultProxy, seconds: float = SOON) -> socket.socket:
    """A connection through the line."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds)


def say(line: socket.socket, words: bytes) -> bytes:
    """What comes back; nothing where the connection ends."""
    try:
        line.sendall(words)
        return line.recv(65_536)
    except ConnectionError:
        return b""


def test_a_quiet_line_carries_everything_both_ways_to_the_end(echo: Echo, proxy: FaultProxy) -> None:
    """A megabyte, and then the end of one direction, which the other side hears."""
    words = bytes(range(256)) * 4_096
    with dial(proxy) as line:
        threading.Thread(target=lambda: (line.sendall(words), line.shutdown(socket.SHUT_WR))).start()
        back = b""
        while chunk := line.recv(65_536):
            back += chunk

    assert back == words == echo.heard
    assert (proxy.connections, proxy.resets) == (1, 0)


def test_cut_before_means_that_the_server_has_heard_nothing(echo: Echo, proxy: FaultProxy) -> None:
    """The client sees a connection that ends; over the next one all is well."""
    struck = proxy.once(Fault.CUT_BEFORE, on=b"second")
    with dial(proxy) as line:
        assert say(line, b"first") == b"first"
        assert say(line, b"the second") == b""
    with dial(proxy) as line:
        assert say(line, b"the second") == b"the second"

    assert echo.heard == b"firstthe second"
    assert (struck.is_set(), proxy.resets) == (True, 1)


def test_cut_after_means_that_it_was_done_and_nobody_was_told(echo: Echo, proxy: FaultProxy) -> None:
    """What came before was heard by both."""
    with dial(proxy) as line:
        assert say(line, b"first") == b"first"
        proxy.weather = Weather(fault=Fault.CUT_AFTER)
        assert say(line, b"second") == b""

    assert echo.heard == b"firstsecond"
    assert proxy.resets == 1


def test_cut_within_means_that_half_of_the_reply_arrives_and_then_the_end(echo: Echo, proxy: FaultProxy) -> None:
    """The next connection is well."""
    proxy.once(Fault.CUT_WITHIN, on=b"word")
    with dial(proxy) as line:
        assert (say(line, b"one word"), line.recv(100)) == (b"one ", b"")
    with dial(proxy) as line:
        assert say(line, b"one word") == b"one word"

    assert echo.heard == b"one word" * 2


def test_half_open_means_silence_that_lasts_on_that_connection_and_no_other(echo: Echo, proxy: FaultProxy) -> None:
    """As where a machine has gone away: nothing comes, nothing is closed, not even when the line is well again."""
    with dial(proxy, HARDLY) as dead, dial(proxy) as idle:
        proxy.weather = Weather(fault=Fault.HALF_OPEN)
        with pytest.raises(TimeoutError):
            say(dead, b"lost")
        with dial(proxy, HARDLY) as accepted, pytest.raises(TimeoutError):
            say(accepted, b"lost as well")
        proxy.weather = Weather()
        with pytest.raises(TimeoutError):
            say(dead, b"still lost")
        assert say(idle, b"well") == b"well"

    assert echo.heard == b"well"


def test_refused_is_every_connection_old_and_new_until_it_is_over(proxy: FaultProxy) -> None:
    """The server itself never went away."""
    with dial(proxy) as old:
        assert say(old, b"one") == b"one"
        proxy.weather = Weather(fault=Fault.REFUSE)
        assert say(old, b"two") == b""
    with dial(proxy) as new:
        assert say(new, b"three") == b""
    proxy.weather = Weather()
    with dial(proxy) as later:
        assert say(later, b"four") == b"four"


def test_delay_is_waited_each_way_and_the_jitter_comes_from_the_seed(echo: Echo, proxy: FaultProxy) -> None:
    """Never shorter than what was asked for."""
    proxy.weather = Weather(delay=0.1, jitter=0.01)
    with dial(proxy) as line:
        began = time.monotonic()
        assert say(line, b"slow") == b"slow"

    assert time.monotonic() - began >= 0.2


def test_a_limit_lets_so_many_bytes_through_and_not_one_more(echo: Echo, proxy: FaultProxy) -> None:
    """The rest of a request is missing, as where a process dies while it sends."""
    proxy.weather = Weather(limit=7)
    with dial(proxy) as line:
        assert say(line, b"12345") == b"12345"
        say(line, b"6789")
        until = time.monotonic() + SOON
        while proxy.resets == 0 and time.monotonic() < until:
            time.sleep(0.01)

    assert echo.heard in (b"1234567", b"12345")  # a reset may overtake the last bytes; it never lets more through
    assert proxy.resets == 1


def test_a_cut_ends_what_there_is_and_counts_it(proxy: FaultProxy) -> None:
    """Three connections, and none afterwards."""
    lines = [dial(proxy) for _ in range(3)]
    assert [say(line, b"hello") for line in lines] == [b"hello"] * 3

    assert proxy.cut() == 3
    assert [say(line, b"hello") for line in lines] == [b""] * 3
    assert (proxy.cut(), proxy.resets) == (0, 3)
    for line in lines:
        line.close()


def test_nobody_behind_the_line_is_a_connection_that_ends() -> None:
    """Not one that waits."""
    with FaultProxy("127.0.0.1:1") as proxy, dial(proxy) as line:
        assert say(line, b"anybody") == b""


def test_a_request_is_known_by_a_word_in_it_however_it_is_cut_and_packed() -> None:
    """gRPC in HTTP/2 frames, gzipped or not, byte by byte; another protocol as it stands."""
    plain, packed = b"\0\0\0\0\x05hello", gzip.compress(b"the word")
    frames = _frame(4, b"") + _frame(0, plain) + _frame(0, b"\1" + len(packed).to_bytes(4) + packed) + _frame(0, b"")
    said = Spoken(from_client=True)

    heard = [message for byte in PREFACE + frames for message in said.hear(bytes([byte]))]

    assert heard == [plain, b"the word"]
    assert Spoken(from_client=True).hear(b"SELECT 1") == [b"SELECT 1"]
    replies = Spoken(from_client=False)
    replies.frames = True
    assert replies.half_of(frames) == _frame(4, b"") + _frame(0, plain)[: 9 + len(plain) // 2]


def _frame(kind: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, 0]) + (1).to_bytes(4) + content
