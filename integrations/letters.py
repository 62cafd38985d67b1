"""What leaves this installation for one person, and what brings it there: the words between rendering, sending and the channels.

A letter is a notice that was given an address, a language and its text at the moment of sending. Nothing of it is in a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How one person is reached, as the directory says at this moment.

    `addresses` by the sort of channel (`mail`, `slack`, ...); `channels` in the order in which this person wants to be tried, or
    empty where the installation's routes decide. `language` and `zone` are those of the reader, or empty.
    """

    handle: str
    name: str = ""
    side: str = ""
    roles: tuple[str, ...] = ()
    language: str = ""
    zone: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notice as it leaves. `key` is its identity at the receiver, too: the same key is the same letter, however often it comes."""

    key: str
    reader: Reader
    kind: str
    run: str
    item: str | None
    subject: str
    """One line, printable."""
    text: str
    html: str | None = None
    language: str = ""


class Postponed(Exception):
    """The channel did not take the letter now; it may later. `after`: seconds that the other side has asked for.

    `code` is a word of ours (`timeout`, `busy`, `unreachable`, ...); what the other side said is never kept.
    """

    def __init__(self, code: str, after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.after = after


class NotTaken(Exception):
    """The channel will never take this letter: no address, an address that does not exist, a request that is refused for good."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Channel(Protocol):
    """A way to people. Knows nothing of runs; has its own limits of time and size."""

    @property
    def name(self) -> str:
        """As the installation calls it."""

    @property
    def sort(self) -> str:
        """Which of a reader's addresses it uses."""

    async def send(self, letter: Letter) -> None:
        """Hands the letter over; when it returns, the other side has taken it. Raises `Postponed` or `NotTaken`."""

    async def close(self) -> None:
        """Gives connections back."""


class Directory(Protocol):
    """Asked at the moment of sending."""

    def reader(self, run: str, handle: str) -> Reader | None:
        """Who that is, or `None` when nobody knows. May wait for a database; raises what it raises."""
