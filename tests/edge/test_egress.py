"""What goes out over HTTP goes only where it may, and what comes back is never larger or slower than allowed."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from integrations.addresses import is_forbidden, network_fault
from integrations.answers import demand_taken, pause_of
from integrations.egress import Answered, Egress, host_allowed
from integrations.letters import NotTaken, Postponed
from tests.support.certificates import Certificates

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
Speaker = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Canary:
    """Listens on every address of this machine and counts who comes; nobody may."""

    def __init__(self) -> None:
        """On a port that is free for both versions."""
        self._four = socket.create_server(("0.0.0.0", 0))
        self.port: int = self._four.getsockname()[1]
        self._sockets = [self._four]
        if socket.has_dualstack_ipv6():
            self._sockets.append(socket.create_server(("::", self.port), family=socket.AF_INET6))
        self.came = 0
        self._threads = [threading.Thread(target=self._count, args=(one,), daemon=True) for one in self._sockets]
        for thread in self._threads:
            thread.start()

    def _count(self, listening: socket.socket) -> None:
        while True:
            try:
                other, _ = listening.accept()
            except OSError:
                return
            self.came += 1
            other.close()

    def close(self) -> None:
        """Ends the listeners."""
        for one in self._sockets:
            with socket_errors():
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)


class socket_errors:  # noqa: N801 - reads as a phrase
    """A listener that is closed already is no fault."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Swallows what the socket says."""
        return kind is not None and issubclass(kind, OSError)


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Ended with the test."""
    one = Canary()
    yield one
    one.close()


@asynccontextmanager
async def speaking(speak: Speaker) -> AsyncIterator[int]:
    """A server that says what a test wants; its port."""
    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def code_of(work: Awaitable[object]) -> tuple[str, str]:
    """How a request failed: which exception, and with which code; both carry nothing else."""
    with pytest.raises((NotTaken, Postponed)) as failed:
        await work
    assert str(failed.value) == failed.value.code
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    return type(failed.value).__name__, failed.value.code


# 40 ways to name this machine, a private network, or what a cloud tells its machines. `{port}` is where the canary listens.
FORMS = [
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://127.0.1:{port}/", "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0x7f.0.0.1:{port}/", "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/", "http://0:{port}/", "http://0.0.0.0:{port}/", "http://localhost:{port}/",
    "http://LOCALHOST:{port}/", "http://localhost.:{port}/", "http://localhost.localdomain:{port}/",
    "http://[::1]:{port}/", "http://[::]:{port}/", "http://[0:0:0:0:0:0:0:1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/", "http://[::127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/", "http://[64:ff9b:1::7f00:1]:{port}/", "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:0:0:0:0:80ff:fffe]:{port}/", "http://[fe80::1%25lo]:{port}/", "http://[fc00::1]:{port}/",
    "http://[fec0::1]:{port}/", "http://[ff02::1]:{port}/", "http://10.0.0.1:{port}/", "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/", "http://100.64.0.1:{port}/", "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[::ffff:169.254.169.254]:{port}/", "http://[fd00:ec2::254]:{port}/", "http://224.0.0.1:{port}/",
    "http://255.255.255.255:{port}/", "http://①②⑦.⓪.⓪.①:{port}/",
]  # fmt: skip
# Ways to make an address look like another one; the list of hosts names the one that is meant to be seen.
DISGUISED = [
    "http://hooks.example.com@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@hooks.example.com/",
    "http://127.0.0.1:{port}\\@hooks.example.com/", "http://hooks.example.com:{port}@localhost:{port}/",
    "http://127.0.0.1:{port}/?hooks.example.com", "http:///127.0.0.1:{port}/", "http://\t127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\r\nHost: hooks.example.com/", "gopher://127.0.0.1:{port}/", "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://127.0.0.1%00.example.com:{port}/", "127.0.0.1:{port}",
]  # fmt: skip


async def test_no_form_of_an_address_inside_is_ever_connected_to(canary: Canary) -> None:
    """S4, with the very host on the list, so that only the look at the address stands in between."""
    outcomes = [await _tried(form.format(port=canary.port), anything=True) for form in FORMS]

    assert len(FORMS) == 40
    assert canary.came == 0
    assert set(outcomes) <= {"forbidden_address", "bad_url", "unresolved"}
    assert outcomes.count("unresolved") <= 5  # names that this machine does not know
    print(f"S4: {len(FORMS)} url forms, {canary.came} connections at the canary listener")


async def test_no_disguise_gets_past_the_list_of_hosts(canary: Canary) -> None:
    """What one reader takes for the host is what the connection goes to, or there is none."""
    outcomes = [await _tried(form.format(port=canary.port), anything=False) for form in DISGUISED]

    assert canary.came == 0
    assert set(outcomes) <= {"bad_url", "scheme_not_allowed", "host_not_allowed", "unresolved"}


async def test_the_canary_would_have_been_heard(canary: Canary) -> None:
    """With the network opened the same request comes through, so the silence above means something."""
    await code_of(Egress(HERE).request("GET", f"http://127.0.0.1:{canary.port}/", allow=["127.0.0.1"], plain=True))

    assert canary.came == 1


async def _tried(url: str, *, anything: bool) -> str:
    allow = _hosts(url) if anything else ["hooks.example.com", "*.example.com"]
    return (await code_of(Egress().request("GET", url, allow=allow, plain=True, seconds=5)))[1]


def _hosts(url: str) -> list[str]:
    import httpx2

    try:
        return [httpx2.URL(url).raw_host.decode(), httpx2.URL(url).host]
    except (httpx2.InvalidURL, ValueError):
        return []


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16", "64:ff9b::a9fe:a9fe", "169.254.170.23", "fd00:ec2::23",
        "fd20:ce::254", "fe80::a9fe:a9fe%eth0", "192.0.0.192",
    ],
)  # fmt: skip
def test_no_file_opens_what_a_cloud_tells_its_machines(text: str) -> None:
    """Not even one that opens everything."""
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

    assert is_forbidden(ipaddress.ip_address(text), everything)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001:81c::200e", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_the_world_is_reached(text: str) -> None:
    """An address that is given out to the world is no secret place, also where it is packed into a newer one."""
    assert not is_forbidden(ipaddress.ip_address(text))


def test_a_network_that_is_opened_is_opened_in_every_form_and_no_other_is() -> None:
    """An installation speaks to its own mail server by opening its network."""
    inside = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16"))
    open_ = ["10.1.2.3", "::ffff:10.1.2.3", "fd12::5"]
    shut = ["10.2.0.1", "127.0.0.1", "fd13::5", "::1"]

    assert [one for one in open_ if is_forbidden(ipaddress.ip_address(one), inside)] == []
    assert [one for one in shut if not is_forbidden(ipaddress.ip_address(one), inside)] == []


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8", "100.64.0.0/10", "192.168.7.0/24", "127.0.0.1", "169.254.0.0/16", "198.18.0.0/15", "240.0.0.0/4", "192.0.2.0/24", "192.0.0.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "::1", "fc00::/7", "fd12::/16", "fe80::/10", "fec0::/10", "64:ff9b:1::/48", "2001:db8::/32", "100::/64",
    ],
)  # fmt: skip
def test_every_network_that_is_closed_can_be_opened(text: str) -> None:
    """Whoever is told to open the network of an address can do so: what is closed and what can be opened is one knowledge."""
    network = ipaddress.ip_network(text)
    some = (network.network_address, network.network_address + network.num_addresses // 2, network.broadcast_address)

    assert network_fault(network) is None
    assert all(is_forbidden(one) for one in some)
    assert not any(is_forbidden(one, (network,)) for one in some)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8.8.8.0/24", "open anyway"), ("2606:4700::/32", "open anyway"), ("10.0.0.0/7", "not closed as a whole"), ("0.0.0.0/0", "not closed as a whole"),
        ("::/0", "not closed as a whole"), ("169.254.169.254", "opened by nothing"), ("168.63.129.16/32", "opened by nothing"),
        ("fd00:ec2::254", "opened by nothing"), ("::ffff:10.0.0.0/104", "fourth version"), ("2002:a00::/24", "fourth version"), ("64:ff9b::/96", "fourth version"),
    ],
)  # fmt: skip
def test_a_network_that_would_open_nothing_is_told_why(text: str, why: str) -> None:
    """Or too much."""
    assert why in (network_fault(ipaddress.ip_network(text)) or "")


@pytest.mark.parametrize(
    ("host", "port", "entry", "fits"),
    [
        ("hooks.example.com", 443, "hooks.example.com", True),
        ("hooks.example.com", 443, "HOOKS.example.com.", True),
        ("hooks.example.com", 8443, "hooks.example.com:8443", True),
        ("hooks.example.com", 443, "hooks.example.com:8443", False),
        ("a.example.com", 443, "*.example.com", True),
        ("example.com", 443, "*.example.com", False),
        ("badexample.com", 443, "*.example.com", False),
        ("example.com.evil.net", 443, "example.com", False),
        ("xn--bcher-kva.example", 443, "bücher.example", True),
        ("::1", 443, "[::1]", True),
        ("::1", 443, "::1", True),
        ("::1", 80, "[::1]:443", False),
    ],
)
def test_a_host_is_on_the_list_or_not(host: str, port: int, entry: str, fits: bool) -> None:
    """No prefix, no suffix, no other port."""
    assert host_allowed(host, port, [entry]) is fits


async def test_a_name_with_one_address_inside_is_not_asked_at_all(
    monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    """However good its other addresses are: whoever answers for the name could send each caller elsewhere."""
    _names(monkeypatch, ["93.184.215.14", "127.0.0.1"])

    assert await _tried(f"http://hooks.example.com:{canary.port}/", anything=False) == "forbidden_address"
    assert canary.came == 0


async def test_a_name_is_asked_once_and_the_answer_is_where_the_connection_goes(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    """A name that changes between the look and the connection finds nobody who asks again."""
    httpserver.expect_request("/").respond_with_data("here")
    asked = _names(monkeypatch, ["127.0.0.1"])
    url = f"http://hooks.example.com:{httpserver.port}/"
    answered = await Egress(HERE).request("GET", url, allow=["hooks.example.com"], plain=True)

    assert (answered.body, asked) == (b"here", ["hooks.example.com"])
    assert httpserver.log[0][0].headers["Host"] == f"hooks.example.com:{httpserver.port}"


def _names(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """What every name means from now on; the names that were asked for, in order."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str, port: int, *rest: object, **more: object) -> list[object]:
        if host in addresses:
            return real(host, port, *rest, **more)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


async def test_a_redirection_is_told_and_not_followed(httpserver: HTTPServer, canary: Canary) -> None:
    """Nobody else decides where our words go."""
    httpserver.expect_request("/").respond_with_data(
        "", status=307, headers={"Location": f"http://127.0.0.1:{canary.port}/"}
    )

    assert await code_of(_get(httpserver.url_for("/"))) == ("NotTaken", "redirected")
    assert canary.came == 0


async def test_no_proxy_and_no_password_of_the_environment_is_used(
    httpserver: HTTPServer, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They belong to the person at the terminal."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    httpserver.expect_request("/").respond_with_data("ok")

    assert (await _get(httpserver.url_for("/"))).body == b"ok"
    assert canary.came == 0


async def test_an_answer_has_at_most_a_mebibyte_packed_or_not(httpserver: HTTPServer) -> None:
    """It is left in the middle: a gigabyte of nothing packs into a megabyte."""
    most = 1_048_576
    bomb = gzip.compress(bytes(64 * most))
    httpserver.expect_request("/most").respond_with_data(bytes(most))
    httpserver.expect_request("/more").respond_with_data(bytes(most + 1))
    httpserver.expect_request("/bomb").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    httpserver.expect_request("/packed").respond_with_data(
        gzip.compress(b"x" * 5_000), headers={"Content-Encoding": "gzip"}
    )
    httpserver.expect_request("/cut").respond_with_data(
        gzip.compress(bytes(range(256)) * 50)[:-20], headers={"Content-Encoding": "gzip"}
    )
    httpserver.expect_request("/other").respond_with_data(b"x", headers={"Content-Encoding": "br"})
    httpserver.expect_request("/behind").respond_with_data(
        gzip.compress(b"x") + bytes(64 * most), headers={"Content-Encoding": "gzip"}
    )
    httpserver.expect_request("/empty").respond_with_data(
        gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * most, headers={"Content-Encoding": "gzip"}
    )

    assert len((await _get(httpserver.url_for("/most"))).body) == most
    assert (await _get(httpserver.url_for("/packed"))).body == b"x" * 5_000
    assert await code_of(_get(httpserver.url_for("/more"))) == ("NotTaken", "answer_too_large")
    assert await code_of(_get(httpserver.url_for("/behind"))) == ("Postponed", "broken_answer")
    assert await code_of(_get(httpserver.url_for("/empty"))) == ("NotTaken", "answer_too_large")
    assert await code_of(_get(httpserver.url_for("/bomb"))) == ("NotTaken", "answer_too_large")
    assert await code_of(_get(httpserver.url_for("/cut"))) == ("Postponed", "broken_answer")
    assert await code_of(_get(httpserver.url_for("/other"))) == ("Postponed", "broken_answer")


async def test_one_limit_of_time_holds_for_the_whole_answer() -> None:
    """A server that says one letter at a time never lets a read run out of time."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            writer.close()

    started = asyncio.get_running_loop().time()
    async with speaking(drip) as port:
        told = await code_of(_get(f"http://127.0.0.1:{port}/", seconds=0.5))

    assert told == ("Postponed", "timeout")
    assert asyncio.get_running_loop().time() - started < 5


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000,
    ],
)
async def test_nonsense_is_a_broken_answer(said: bytes) -> None:
    """Nothing at all, no HTTP, less than was promised, headers without end."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(said)
        writer.close()

    async with speaking(speak) as port:
        assert await code_of(_get(f"http://127.0.0.1:{port}/")) == ("Postponed", "broken_answer")


async def test_nobody_listening_and_nobody_known_are_told_apart() -> None:
    """Both may be there later."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    assert await code_of(_get(f"http://127.0.0.1:{port}/")) == ("Postponed", "unreachable")
    assert await code_of(_get("http://nobody.invalid/", allow=["nobody.invalid"])) == ("Postponed", "unresolved")


async def test_certificates_are_asked_for_and_plain_http_is_refused(
    httpserver: HTTPServer, certificates: Certificates
) -> None:
    """The connection goes to an address, and the certificate must still be that of the name."""
    httpserver.expect_request("/").respond_with_data("ok")
    assert await code_of(Egress(HERE).request("GET", httpserver.url_for("/"), allow=["localhost"])) == (
        "NotTaken",
        "scheme_not_allowed",
    )

    server = await asyncio.start_server(_well, "127.0.0.1", 0, ssl=certificates.for_server())
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    both = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    try:
        believed = await Egress(both, trust=certificates.for_client()).request("GET", url, allow=["localhost"])
        unknown = await code_of(Egress(both).request("GET", url, allow=["localhost"]))
        other = await code_of(
            Egress(both, trust=certificates.for_client()).request(
                "GET", url.replace("localhost", "127.0.0.1"), allow=["127.0.0.1"]
            )
        )
    finally:
        server.close()

    assert (believed.status, unknown, other) == (200, ("Postponed", "certificate"), ("Postponed", "certificate"))


async def _well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nX-B: 1"),
        ("X-A", "a\nb"),
        ("X-A", "a\x00"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("Host", "evil"),
        ("Content-Length", "0"),
        ("X-A", "漢"),
    ],
)
async def test_a_header_that_would_become_two_is_refused(name: str, value: str, httpserver: HTTPServer) -> None:
    """Before anything is sent."""
    told = await code_of(
        Egress(HERE).request(
            "POST", httpserver.url_for("/"), headers={name: value}, allow=["localhost", "127.0.0.1"], plain=True
        )
    )

    assert (told, httpserver.log) == (("NotTaken", "bad_header"), [])


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (200, None),
        (202, None),
        (204, None),
        (400, NotTaken),
        (401, NotTaken),
        (404, NotTaken),
        (410, NotTaken),
        (408, Postponed),
        (425, Postponed),
        (429, Postponed),
        (500, Postponed),
        (503, Postponed),
    ],
)
def test_an_answer_means_taken_later_or_never(status: int, raised: type[Exception] | None) -> None:
    """What is busy or broken is asked again; what refuses is not."""
    if raised is None:
        demand_taken(Answered(status))
        return
    with pytest.raises(raised) as told:
        demand_taken(Answered(status, {"retry-after": "7"}))

    assert str(told.value) == f"http_{status}"
    assert getattr(told.value, "after", 7.0) == 7.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("86400", 3600.0), ("9" * 400, 3600.0), ("Sun, 22 Nov 2026 10:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0), ("Mon, 23 Nov 2026 10:00:00 GMT", 3600.0), ("-5", None), ("soon", None), ("", None),
        ("²", None), ("Sun, 99 Nov 2026 10:01:00 GMT", None), ("Sun, 22 Nov 99999999999 10:01:00 GMT", None),
    ],
)  # fmt: skip
def test_a_pause_is_read_as_a_number_or_a_date_and_is_an_hour_at_most(said: str, seconds: float | None) -> None:
    """What is neither asks for nothing."""
    assert pause_of(Answered(429, {"retry-after": said}), datetime(2026, 11, 22, 10, tzinfo=UTC)) == seconds


def _get(url: str, *, allow: list[str] | None = None, seconds: float = 10) -> Awaitable[Answered]:
    return Egress((*HERE, ipaddress.ip_network("::1/128"))).request(
        "GET", url, allow=allow or ["localhost", "127.0.0.1"], plain=True, seconds=seconds
    )
