"""How an installation calls its hooks, as values: where to, with what, how the answer is read, and how many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTerms:
    """Where in the JSON of an answer our own words stand. Each is a JSON pointer; empty ones look for nothing.

    `ok` may also be `status`: then every 2xx is a yes. Without `provides` the object at `/provides` holds the facts.
    """

    ok: str = "/ok"
    provides: Mapping[str, str] | None = None
    note: str = "/note"
    faults: str = "/faults"
    refused: tuple[str, str, str] | None = None
    """Place, code and sentence of the fault that a no means where the other side names none of its own in our form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterTerms:
    """What 202 means: the other side goes on working. `within` seconds it must be done; `every` so many it is asked.

    `poll` is the pointer to the address at which it tells how far it is; without one somebody says so (`hook finish`).
    """

    within: int = 86_400
    poll: str = ""
    every: int = 30
    progress: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTerms:
    """One request to another system. Header values and `secret` are what the installation keeps secret, so no `repr` shows them."""

    url: str
    allow: tuple[str, ...]
    method: str = "POST"
    plain: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    """With which the request is signed in the form of Standard Webhooks; empty: not signed."""
    body: str = ""
    """A template that makes JSON; empty: the arguments themselves."""
    seconds: float = 10.0
    answer: AnswerTerms = AnswerTerms()
    later: LaterTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTerms:
    """From where a hook reads files, and how large one may be."""

    allow: tuple[str, ...]
    plain: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 10.0
    most_bytes: int = 25_000_000


AT_ONCE = 10
"""Calls of one hook at the same time in one worker, unless the installation says otherwise: a fifth of what a worker does at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTerms:
    """One hook of an installation: a request, or a shipped one (`scan`), or, with neither, one that is installed and its limits."""

    call: CallTerms | None = None
    scan: FetchTerms | None = None
    at_once: int = AT_ONCE
    per_minute: int | None = None
