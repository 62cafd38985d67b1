"""Which addresses of the network may be spoken to from here, and the connections to them.

A name is resolved once, every address that it has is looked at, and the connection goes to one of these very addresses: a name
that answers differently the second time is never asked a second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import httpcore2

from integrations.letters import NotTaken, Postponed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_TRIED = 4
"""Addresses of one name that are tried one after the other."""
TRY_SECONDS = 4.0
"""What one address gets before the next is tried; a request as a whole has its own limit."""

# Threads of their own: where no name server answers, each question holds one for half a minute, and must not hold one of those in which
# the rest of the process reads and writes.
_ASKING = ThreadPoolExecutor(8, thread_name_prefix="names")

# What a cloud tells its machines, keys among it. No file of an installation opens these.
_NEVER = tuple(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.42.42", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fe80::a9fe:a9fe",
    )
)  # fmt: skip
# What is not the world: of the fourth version whatever is kept for a use of its own, of the sixth all that is not given out, and of what is given
# out the parts for examples and for special uses. What carries an old address inside is unpacked first.
_CLOSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
            "::/3", "2001::/23", "2001:db8::/32", "3fff::/20", "4000::/2", "8000::/1",
        ),
    )
)  # fmt: skip
_CARRIES_AT_THE_END = tuple(map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")))
_CARRIES_BEHIND_TWO_BYTES = IPv6Network("2002::/16")


def plain_address(address: Address) -> Address:
    """The address of the fourth version that one of the sixth stands for, or the address itself."""
    if isinstance(address, IPv4Address) or address in (IPv6Address("::"), IPv6Address("::1")):
        return address
    number = int(address)
    if any(address in network for network in _CARRIES_AT_THE_END):
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _CARRIES_BEHIND_TWO_BYTES:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    return address


def is_forbidden(address: Address, inside: Iterable[Network] = ()) -> bool:
    """Whether nothing may be sent there: this machine, a private or special network, what a cloud tells its machines.

    `inside` are the networks that this installation has opened.
    """
    meant = plain_address(address)
    if meant in _NEVER or (isinstance(meant, IPv6Address) and IPv6Address(int(meant)) in _NEVER):  # with a scope, too
        return True
    if any(meant.version == network.version and meant in network for network in inside):
        return False
    if isinstance(meant, IPv6Address) and meant.scope_id is not None:
        return True
    return any(meant.version == network.version and meant in network for network in _CLOSED)


def network_fault(network: Network) -> str | None:
    """Why opening a network would open nothing, or more than is closed, as the end of a sentence; `None` where it can be opened."""
    first = network.network_address
    if network.num_addresses == 1 and plain_address(first) in _NEVER:
        return "what a cloud tells its machines is opened by nothing: remove it"
    # Addresses are compared with what they stand for, so that a network in this form would fit none.
    if plain_address(first) != first and plain_address(network.broadcast_address) != network.broadcast_address:
        return "it only carries addresses of the fourth version: name the network of these, such as 10.1.0.0/16"
    if not any(_is_part(network, one) for one in _CLOSED):
        return "it is not closed as a whole, as private networks are: name each one that is; whatever else is in it is open anyway"
    return None


def _is_part(network: Network, of: Network) -> bool:
    return network.version == of.version and network.subnet_of(of)  # type: ignore[arg-type]


def is_closed(host: str, inside: Sequence[Network]) -> bool:
    """Whether a host is written as an address that is forbidden. Asks nobody: of a name nothing is known here."""
    try:
        return is_forbidden(ipaddress.ip_address(host), inside)
    except ValueError:
        return False


async def allowed_addresses(host: str, port: int, inside: Sequence[Network]) -> list[str]:
    """The addresses of a name, as texts, in the order in which they are to be tried.

    Raises `Postponed("unresolved")` for a name that nobody knows now and `NotTaken("forbidden_address")` where one address of
    it is forbidden, whatever the others are.
    """
    try:
        found = await asyncio.get_running_loop().run_in_executor(_ASKING, _resolve, host, port)
    except (OSError, UnicodeError, ValueError):
        raise Postponed("unresolved") from None
    texts = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not texts:
        raise Postponed("unresolved")
    if any(_unfit(text, inside) for text in texts):
        raise NotTaken("forbidden_address")
    return texts[:MOST_TRIED]


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _unfit(text: str, inside: Sequence[Network]) -> bool:
    try:
        return is_forbidden(ipaddress.ip_address(text), inside)
    except ValueError:
        return True


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connections to checked addresses only. TLS above them still asks for the name, because only the address is replaced."""

    def __init__(self, inside: Sequence[Network]) -> None:
        """`inside`: networks that this installation has opened."""
        self._inside = inside
        self._below = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """To the first address of the name that answers; raises as `allowed_addresses`, and what the library raises."""
        failed: Exception = httpcore2.ConnectError()
        for address in await allowed_addresses(host, port, self._inside):
            try:
                return await self._below.connect_tcp(
                    address, port, timeout=TRY_SECONDS, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never: nothing outside is a file of this machine."""
        raise NotTaken("forbidden_address")

    async def sleep(self, seconds: float) -> None:
        """As the library below does."""
        await self._below.sleep(seconds)
