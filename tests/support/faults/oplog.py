"""What clients have asked for and what they were told: the only thing that the checker believes about the senders' side.

An answer is one of three: ok, refused, or unknown, which is a sender who was told nothing, or to ask again later.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.exceptions import TemporalError

from console.leaving import Answered
from console.sending import send_signal, send_update


class Told(StrEnum):
    """What a sender knows after an attempt."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, by the clock of the senders (seconds of `time.monotonic`)."""

    asked_at: float
    answered_at: float
    told: Told
    outcome: str
    code: str


@dataclass
class Operation:
    """One message under one id. `body` is the digest of what it says; the same id with another body is another operation."""

    run: str
    id: str
    name: str
    via: str
    content: dict[str, Any]
    body: str
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def told(self) -> Told:
        """The last word of all attempts: once ok, always ok."""
        words = [one.told for one in self.attempts]
        return next((word for word in (Told.OK, Told.REFUSED) if word in words), Told.UNKNOWN)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What each attempt that was answered has said."""
        return tuple(one.outcome for one in self.attempts if one.told is not Told.UNKNOWN)


class OperationLog:
    """Every operation of a loop, in the order in which they were first asked."""

    def __init__(self, file: Path | None = None) -> None:
        """Each attempt is also a line of `file`, so that a failure leaves its evidence."""
        self.operations: list[Operation] = []
        self._file = file

    def new(self, run: str, name: str, content: dict[str, Any], via: str = "update") -> Operation:
        """Notes an operation before it is sent."""
        one = Operation(run, str(content["message_id"]), name, via, content, _digest(name, content))
        self.operations.append(one)
        return one

    async def send(self, client: Client, one: Operation) -> Told:
        """One attempt as the command line makes it: fifteen seconds in all, several calls under one id."""
        asked_at = time.monotonic()
        told, outcome, code = await _attempt(client, one)
        attempt = Attempt(asked_at, time.monotonic(), told, outcome, code)
        one.attempts.append(attempt)
        if self._file is not None:
            line = {"run": one.run, "id": one.id, "name": one.name, "via": one.via, "body": one.body, **asdict(attempt)}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return told

    def of(self, run: str) -> Iterator[Operation]:
        """The operations of one run."""
        return (one for one in self.operations if one.run == run)

    def first_ok_after(self, instant: float) -> float | None:
        """When a sender was first told yes after an instant."""
        return min(
            (a.answered_at for one in self.operations for a in one.attempts if a.told is Told.OK and a.answered_at > instant),
            default=None,
        )  # fmt: skip

    def count(self, told: Told) -> int:
        """How many operations ended so."""
        return sum(one.told is told for one in self.operations)


def _digest(name: str, content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([name, content], sort_keys=True).encode()).hexdigest()[:16]


async def _attempt(client: Client, one: Operation) -> tuple[Told, str, str]:
    try:
        if one.via == "signal":
            await send_signal(client, one.run, one.name, one.content)
            return Told.OK, "sent", ""
        verdict = await send_update(client, one.run, one.name, one.content)
    except Answered as no:
        outcome, code = str(no.answer["outcome"]), str(no.answer["code"])
        return (Told.UNKNOWN if outcome == "retry_later" else Told.REFUSED), outcome, code
    except (TimeoutError, TemporalError, OSError) as error:
        return Told.UNKNOWN, "error", type(error).__name__
    return Told.OK, str(verdict["outcome"]), str(verdict["code"])
