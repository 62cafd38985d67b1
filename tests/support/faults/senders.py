"""Scripted clients: what one sender says to one run, drawn from a seed. Much of it is refused, and that is part of the script."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from onboarding.engine.state import StartOrder
from tests.support.faults.bench import Bench
from tests.support.faults.oplog import Operation, Told
from tests.support.shell import ROOT, an_order

DEFINITION = str(ROOT / "tests" / "faults" / "data" / "kills")
INPUTS = {
    "contacts": [{"role": "champion", "email": "lea@bakery.example", "name": "Lea Brandt", "tz": "Europe/Berlin"}]
}
_Message = tuple[str, dict[str, Any]]

_MESSAGES: tuple[_Message, ...] = (
    ("submit", {"item": "form", "actor": "customer:champion", "fields": {"name": "N", "count": 2}}),
    ("submit", {"item": "form", "actor": "customer:champion", "fields": {"name": "N", "count": "many"}}),
    ("submit", {"item": "form", "actor": "customer:champion", "fields": {"name": "N"}, "draft": True}),
    ("complete", {"item": "work", "actor": "dana"}),
    ("complete", {"item": "hurry", "actor": "dana"}),
    ("decide", {"item": "yes_or_no", "actor": "lead", "outcome": "grant"}),
    ("decide", {"item": "yes_or_no", "actor": "lead", "outcome": "decline", "comment": "Once more."}),
    ("reopen", {"items": ["work"], "actor": "dana", "reason": "r"}),
    ("reopen", {"items": ["form", "hurry"], "actor": "dana", "reason": "r"}),
    ("complete", {"item": "no_such_item", "actor": "dana"}),
    ("hold", {"actor": "dana", "reason": "r", "review_at": "2030-01-01T00:00:00Z"}),
    ("resume", {"actor": "dana", "reason": "r"}),
)
PAUSE = (0.05, 0.6)
"""Seconds between two messages of one sender."""


def kills_order(customer: str) -> StartOrder:
    """A run of the definition that never ends by itself."""
    return an_order(DEFINITION, customer=customer, inputs=INPUTS)


class Sender:
    """One client of one run. What it says comes from the seed and from its own answers; it never looks at the run."""

    def __init__(self, bench: Bench, run: str, seed: str) -> None:
        """`seed` is the whole script."""
        self._bench, self._run, self._random = bench, run, Random(seed)
        self._count = 0

    async def talk(self, over: asyncio.Event) -> None:
        """Sends one message after the other until it is over; the last one is waited for."""
        while not over.is_set():
            await self.say()
            await asyncio.sleep(self._random.uniform(*PAUSE))

    async def say(self) -> None:
        """Sends the next message, and sometimes repeats it where there is no answer."""
        one, again = self._next()
        told = await self._bench.log.send(self._bench.client, one)
        for _ in range(again if told is Told.UNKNOWN else 0):
            if await self._bench.log.send(self._bench.client, one) is not Told.UNKNOWN:
                break

    def _next(self) -> tuple[Operation, int]:
        """The next operation, and how often it is repeated while there is no answer."""
        self._count += 1
        chance = self._random.random()
        again = self._random.choice((0, 1, 3))
        taken = [one for one in self._bench.log.of(self._run) if one.told is Told.OK and one.via == "update"]
        if taken and chance < 0.06:
            return self._random.choice(taken), again
        if taken and chance < 0.10:
            old = self._random.choice(taken)
            return self._bench.log.new(
                self._run, "note", {"message_id": old.id, "actor": "dana", "text": "Other words."}
            ), 0
        content: dict[str, Any] = {"message_id": f"{self._count}-{self._random.randrange(10**6)}"}
        if chance < 0.40:
            text = f"Note {self._count}"
            via = "signal" if chance < 0.18 else "update"
            return self._bench.log.new(self._run, "note", {**content, "actor": "dana", "text": text}, via), again
        name, rest = self._random.choice(_MESSAGES)
        via = "signal" if self._random.random() < 0.15 else "update"
        return self._bench.log.new(self._run, name, {**content, **rest}, via), again
