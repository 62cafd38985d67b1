"""What was sent over a bad line and what its sender heard, so that afterwards each message can be asked for in the trail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from console.leaving import Answered
from console.sending import send_signal, send_update
from tests.support.agreement import whole_trail
from tests.support.shell import Run

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


@dataclass
class Message:
    """One message: as it was sent, and what was heard."""

    run: str
    name: str
    content: dict[str, Any]
    heard: str = UNKNOWN
    verdict: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.content["message_id"])


@dataclass
class Said:
    """All messages of a test."""

    messages: list[Message] = field(default_factory=list)

    async def note(self, client: Client, run: str, message_id: str, *, signal: bool = False) -> Message:
        """Sends a note as the command line does, and writes down what its sender hears."""
        message = Message(run, "note", {"message_id": message_id, "actor": "dana", "text": f"words of {message_id}"})
        self.messages.append(message)
        await self.send(client, message, signal=signal)
        return message

    @staticmethod
    async def send(client: Client, message: Message, *, signal: bool = False) -> None:
        """Sends it, also a second time."""
        try:
            if signal:
                await send_signal(client, message.run, message.name, message.content)
                message.heard = OK
            else:
                message.verdict = await send_update(client, message.run, message.name, message.content)
                message.heard = OK
        except Answered as no:
            message.verdict = no.answer
            message.heard = UNKNOWN if no.answer["outcome"] == "retry_later" else REFUSED

    def of(self, heard: str) -> list[Message]:
        """Those whose sender heard this last."""
        return [message for message in self.messages if message.heard == heard]

    async def effects(self, client: Client) -> Counter[str]:
        """How often each message stands in the trail of its run."""
        found: Counter[str] = Counter()
        for run in sorted({message.run for message in self.messages}):
            found.update(row["message_id"] for row in await whole_trail(Run(client.get_workflow_handle(run))))
        return found

    async def settled(self, client: Client) -> list[str]:
        """Looks into the trails, sends what is unknown again under the same id, looks again; everything that is wrong."""
        before = await self.effects(client)
        wrong = [
            f"{one.id} was accepted and took effect {before[one.id]} times"
            for one in self.of(OK)
            if before[one.id] != 1
        ]
        wrong += [f"{one.id} was refused and took effect" for one in self.of(REFUSED) if before[one.id]]
        unknown = self.of(UNKNOWN)
        wrong += [f"{one.id} took effect {before[one.id]} times" for one in unknown if before[one.id] > 1]
        await asyncio.gather(*(self.send(client, one) for one in unknown))
        told = {True: "duplicate", False: "accepted"}
        wrong += [
            f"{one.id} took effect {before[one.id]} times, and again it was told {one.verdict}"
            for one in unknown
            if one.verdict.get("outcome") != told[before[one.id] == 1]
        ]
        after = await self.effects(client)
        wrong += [f"{one.id} took effect {after[one.id]} times after all" for one in unknown if after[one.id] != 1]
        return wrong


def spread_of(seconds: Iterable[float]) -> str:
    """The 50th, 95th and 99th percentile and the longest, in milliseconds."""
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "longest": 1.0}
    return ", ".join(
        f"{name} {1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.0f} ms"
        for name, share in places.items()
    )
