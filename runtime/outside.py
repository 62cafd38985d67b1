"""What the files of channels and of hooks say alike of what is outside: networks that they open, addresses, secrets that sign.

One installation has both files, so what one of them refuses the other does, with the same code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from onboarding.language.places import Path
from runtime.placed import PlacedFaults

Network = IPv4Network | IPv6Network

_EVERYTHING: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_WORD_BEGINS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Whole words: a passenger, an author and a design are no secrets. Of what may end an ordinary word, too, as compass and monkey do, only the
# usual compounds count.
_LIKE_A_SECRET: Final = re.compile(
    r"(?:[a-z0-9]*(?:token|secrets?|passwords?|passwd|passphrase|passcode|pwd|credentials?|cookies?|apikey|auth|authorization|authentication|signature)"
    r"|(?:access|api|app|auth|client|encryption|hmac|license|master|pass|private|secret|session|shared|sign|signing|subscription|user|webhook)?(?:key|pass|sig)"
    r")[0-9]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What only those who make connections know; a door hands it in."""

    url: Callable[[str, Sequence[str], bool], str | None]
    """Why an address cannot be asked, as a code: the address, the hosts that are allowed, whether http is."""
    signing: Callable[[SecretStr], str | None]
    """Why nothing can be signed with a secret, as the end of a sentence."""
    network: Callable[[Network], str | None]
    """Why a network cannot be opened, as the end of a sentence."""
    closed: Callable[[str, Sequence[Network]], bool]
    """Whether a host is an address, and one to which nothing is sent from here: the host, the networks that are open."""


@dataclass(slots=True)
class Outside:
    """Looks at what a file says of the outside. `inside` are the networks that the file itself opens."""

    checks: Checks
    faults: PlacedFaults
    inside: tuple[Network, ...] = ()

    def open(self, texts: Sequence[str]) -> None:
        """Reads `inside`, whose networks then count for what is looked at."""
        self.inside = tuple(net for at, text in enumerate(texts) if (net := self._network(("inside", at), text)))

    def _network(self, path: Path, text: str) -> Network | None:
        try:
            found = ip_network(text)
        except ValueError:
            self.faults.add("bad_network", path, f"{text[:60]!r} is no network: write it as 10.1.0.0/16.")
            return None
        why = self.checks.network(found)
        if why is None:
            return found
        self.faults.add("bad_network", path, f"{text[:60]!r} cannot be opened, because {why}.")
        return None

    def demand_open(self, path: Path, host: str) -> None:
        """Of an address it is known without asking anybody; a name is looked at when something is sent."""
        if not self.checks.closed(host, self.inside):
            return
        sentence = "Nothing is sent to this address: name its network under `inside`, if it is one of yours."
        if self.checks.closed(host, _EVERYTHING):
            sentence = "Nothing is ever sent to this address, and no line of `inside` opens it: take it out."
        self.faults.add("forbidden_address", path, sentence)

    def demand_signing(self, path: Path, secret: SecretStr) -> None:
        """A secret that is missing was told where it is read."""
        why = self.checks.signing(secret) if secret.get_secret_value() else None
        if why is not None:
            sentence = f"Nothing can be signed with this secret, because {why}: make one of whsec_ and 24 to 64 random bytes in base64."
            self.faults.add("secret_unusable", path, sentence)


def like_secret(name: str) -> bool:
    """Whether a header or a value of an address is called as secrets are."""
    words = re.split(r"[^a-z0-9]+", _WORD_BEGINS.sub("-", name).lower())
    return any(_LIKE_A_SECRET.fullmatch(word) for word in words)


def secret_in_query(url: str) -> bool:
    """Whether an address seems to hold a secret behind its question mark."""
    return any(like_secret(name) for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))
