"""The only place from which requests go out over HTTP, to receivers of events, hooks and chats.

Each request has a connection of its own, to an address that was looked at when it was made (`integrations/addresses.py`). No
redirect is followed, no proxy or password of the environment is used, an answer that is too large is left in the middle, and one
time limit holds for everything from the name to the last byte. What fails is told by a code: neither the address nor a header nor
a body is ever part of an exception, and nothing is logged here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import httpcore2
import httpx2

from integrations.addresses import CheckedNetwork, Network
from integrations.letters import NotTaken, Postponed

SECONDS = 10.0
"""For a whole request, where nobody says otherwise."""
MOST_BYTES = 1_048_576
"""Of an answer, unpacked, where nobody says otherwise."""
PACKING = 65_536
"""Bytes by which a packed answer may be longer than what it holds."""
MOST_URL = 2_000
"""Characters of an address: what servers take."""
MOST_HEADERS = 50
"""Of one request."""

_NAME_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Set here or by the library below: another value would let one request be read as two.
_OUR_HEADERS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te", "upgrade")
)

# Who asks for every line would get the headers of answers, and with them what is nobody's business.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side said. Names of headers are in small letters."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


class Egress:
    """Makes requests to the outside. Has no state between two of them, so it may be used from any loop and needs no closing."""

    def __init__(self, inside: Sequence[Network] = (), *, trust: ssl.SSLContext | None = None) -> None:
        """`inside`: networks that this installation has opened; `trust`: whose certificates are believed, by default those of the system."""
        self._inside = tuple(inside)
        self._trust = trust

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        allow: Collection[str],
        plain: bool = False,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> Answered:
        """The answer to one request, whatever its status says, redirections apart.

        `allow` names the hosts that may be asked (`host`, `host:port`, `*.domain`); `plain` allows http beside https. Raises
        `Postponed` with `unresolved`, `unreachable`, `certificate`, `timeout` or `broken_answer`, and `NotTaken` with `bad_url`,
        `bad_header`, `scheme_not_allowed`, `host_not_allowed`, `forbidden_address`, `redirected` or `answer_too_large`.
        """
        target = target_of(url, allow=allow, plain=plain)
        fields = _fields(headers or {}, target)
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(method, target, fields, content, most_bytes)
        except (TimeoutError, httpcore2.TimeoutException):
            raise Postponed("timeout") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
            _tell(error)

    async def reach(self, url: str, *, allow: Collection[str], plain: bool = False, seconds: float = SECONDS) -> None:
        """Connects, in TLS where the address says so, and says nothing. Raises as `request`."""
        target = target_of(url, allow=allow, plain=plain)
        host, port = target.raw_host.decode("ascii"), target.port or (443 if target.scheme == "https" else 80)
        try:
            async with asyncio.timeout(seconds):
                stream = await CheckedNetwork(self._inside).connect_tcp(host, port)
                if target.scheme == "https":
                    stream = await stream.start_tls(self._trusted(), server_hostname=host)
                await stream.aclose()
        except (TimeoutError, httpcore2.TimeoutException):
            raise Postponed("timeout") from None
        except (httpcore2.NetworkError, ssl.SSLError, OSError) as error:
            _tell(error)

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = httpcore2.default_ssl_context()
        return self._trust

    async def _ask(
        self, method: str, target: httpx2.URL, fields: list[tuple[bytes, bytes]], content: bytes, most_bytes: int
    ) -> Answered:
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._trusted(), network_backend=CheckedNetwork(self._inside), max_connections=1
        )
        url = httpcore2.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/"
        )
        async with pool, pool.stream(method.upper(), url, headers=fields, content=content) as answer:
            if 300 <= answer.status < 400:
                raise NotTaken("redirected")
            said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return Answered(answer.status, said, await _body(answer, said.get("content-encoding", ""), most_bytes))


def target_of(url: str, *, allow: Collection[str], plain: bool) -> httpx2.URL:
    """The address in parts, if it may be asked at all; raises `NotTaken`. Resolves nothing: for files that are checked, too."""
    if len(url) > MOST_URL or not url.isprintable() or any(mark in url for mark in " \\"):
        raise NotTaken("bad_url")
    try:
        target = httpx2.URL(url)
        port = target.port  # a property that may refuse
    except (httpx2.InvalidURL, ValueError):
        raise NotTaken("bad_url") from None
    if target.scheme not in ("https", "http"):
        raise NotTaken("scheme_not_allowed")
    if not target.host or target.userinfo:
        raise NotTaken("bad_url")
    if target.scheme == "http" and not plain:
        raise NotTaken("scheme_not_allowed")
    if not host_allowed(target.raw_host.decode("ascii"), port or (443 if target.scheme == "https" else 80), allow):
        raise NotTaken("host_not_allowed")
    return target


def refusal(url: str, allow: Collection[str], plain: bool) -> str | None:
    """Why an address is not asked, as a code; `None` where it is. For whoever reads it from a file."""
    try:
        target_of(url, allow=allow, plain=plain)
    except NotTaken as why:
        return why.code
    return None


def host_allowed(host: str, port: int, allow: Collection[str]) -> bool:
    """Whether a list names this host: `host` at any port, `host:port` at this one, `*.domain` for every name below it."""
    host = _same(host)
    for entry in allow:
        name, _, digits = entry.rpartition(":")
        if (
            not name or "]" in digits or (":" in name and not name.endswith("]"))
        ):  # an address of the sixth version has colons of its own
            name, digits = entry, ""
        if digits and digits != str(port):
            continue
        name = _same(name)
        if name == host or (name.startswith("*.") and host.endswith(name[1:]) and len(host) >= len(name)):
            return True
    return False


def _same(name: str) -> str:
    """A host as it is compared: small letters, no dot at the end, no brackets, other alphabets in their written form."""
    name = name.strip("[]").removesuffix(".").lower()
    if name.isascii():
        return name
    try:
        return httpx2.URL(f"https://{name}/").raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError):
        return name


def _fields(headers: Mapping[str, str], target: httpx2.URL) -> list[tuple[bytes, bytes]]:
    """Headers as bytes. One with a control character is refused and not mended: somebody wanted something with it."""
    if len(headers) > MOST_HEADERS:
        raise NotTaken("bad_header")
    found = [(b"Host", target.netloc), (b"Accept-Encoding", b"identity"), (b"Connection", b"close")]
    for name, value in headers.items():
        if not name or not set(name) <= _NAME_CHARACTERS or name.lower() in _OUR_HEADERS:
            raise NotTaken("bad_header")
        if any((ord(one) < 32 and one != "\t") or ord(one) == 127 for one in value):
            raise NotTaken("bad_header")
        try:
            found.append((name.encode("ascii"), value.strip().encode("latin-1")))
        except UnicodeEncodeError:
            raise NotTaken("bad_header") from None
    return found


async def _body(answer: httpcore2.Response, packed: str, most_bytes: int) -> bytes:
    """The whole answer, unpacked piece by piece so that a small one cannot become a large one before it is measured."""
    # Asked for unpacked; servers that pack all the same use this one form.
    packed = packed.strip().lower()
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if packed in ("gzip", "x-gzip") else None
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise Postponed("broken_answer")
    found, came = bytearray(), 0
    async for piece in answer.aiter_stream():
        came += len(piece)
        if came > most_bytes + PACKING:
            raise NotTaken("answer_too_large")
        try:
            found += unpack.decompress(piece, most_bytes + 1 - len(found)) if unpack else piece
        except zlib.error:
            raise Postponed("broken_answer") from None
        if len(found) > most_bytes:
            raise NotTaken("answer_too_large")
        if unpack and unpack.unused_data:  # the library keeps all of it, and unpacks none
            raise Postponed("broken_answer")
    if unpack and not unpack.eof and found:
        raise Postponed("broken_answer")
    return bytes(found)


def _tell(error: BaseException) -> NoReturn:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            raise Postponed("certificate") from None
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore2.ConnectError):
        raise Postponed("unreachable") from None
    raise Postponed("broken_answer") from None
