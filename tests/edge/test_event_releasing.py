"""Events leave once their rows are history; what is not there is looked for more and more seldom, and forgotten where it can never come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from onboarding.event_ports import HeldBatch
from runtime import releasing_events
from runtime.looking_again import LONGEST, SOON
from runtime.releasing_events import EventReleaser
from runtime.written import ENDED


@dataclass
class Rows:
    """What waits, and what became of it."""

    waiting: list[HeldBatch]
    released: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def held(self, most: int) -> Sequence[HeldBatch]:
        return self.waiting[:most]

    def release(self, run: str, batches: Sequence[str]) -> int:
        self.released += batches
        self._gone(batches)
        return len(batches)

    def forget(self, run: str, batches: Sequence[str]) -> None:
        self.forgotten += batches
        self._gone(batches)

    def _gone(self, batches: Sequence[str]) -> None:
        self.waiting = [one for one in self.waiting if one.batch not in batches]


@dataclass
class Server:
    """Histories by execution, and how often each was read."""

    histories: dict[str, list[str]]
    read: list[str] = field(default_factory=list)
    away: bool = False

    async def written(self, client: Any, run: str, execution: str) -> AsyncIterator[str]:
        self.read.append(execution)
        if self.away:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        if execution not in self.histories:
            raise RPCError("gone", RPCStatusCode.NOT_FOUND, b"")
        for batch in self.histories[execution]:
            yield batch


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server({})
    monkeypatch.setattr(releasing_events, "written", server.written)
    return server


def waits(*batches: str, execution: str = "x", stands: str = "", run: str = "r") -> list[HeldBatch]:
    return [HeldBatch(run, batch, execution, stands or batch) for batch in batches]


async def test_what_stands_in_the_history_leaves_and_the_rest_waits(server: Server) -> None:
    server.histories["x"] = ["a"]
    rows = Rows(waits("a", "b", stands="b"))

    assert await EventReleaser(None, rows).look() == 1  # type: ignore[arg-type]
    assert (rows.released, rows.forgotten, [one.batch for one in rows.waiting]) == (["a"], [], ["b"])


@pytest.mark.parametrize("history", [["c", "a"], [ENDED, "a"]])
async def test_what_can_never_come_is_forgotten(server: Server, history: list[str]) -> None:
    """A later one stands there, or nothing follows any more."""
    server.histories["x"] = history
    rows = Rows(waits("a", "b", stands="c"))
    await EventReleaser(None, rows).look()  # type: ignore[arg-type]

    assert (rows.released, rows.forgotten) == (["a"], ["b"])


async def test_what_is_not_there_is_looked_for_more_and_more_seldom(server: Server) -> None:
    """A server that does not know the run loses no event: there it may only be late."""
    now = 1_000.0
    rows = Rows(waits("a"))
    releaser = EventReleaser(None, rows, now=lambda: now)  # type: ignore[arg-type]
    for _ in range(7_200):
        await releaser.look()
        now += 0.5

    assert rows.waiting == waits("a")
    assert len(server.read) < 20
    server.histories["x"] = ["a"]
    now += LONGEST
    assert await releaser.look() == 1


async def test_a_server_that_was_away_for_long_delays_nothing_when_it_is_back(server: Server) -> None:
    """Nobody has learned that the batch is not there: it leaves within seconds, and the server was not asked at every look."""
    now = 1_000.0
    server.histories["x"], server.away = ["a"], True
    releaser = EventReleaser(None, Rows(waits("a")), now=lambda: now)  # type: ignore[arg-type]
    for _ in range(2_400):
        await releaser.look()
        now += 0.5
    assert len(server.read) < 1_200 / SOON + 10

    server.away = False
    now += SOON

    assert await releaser.look() == 1


async def test_a_run_that_cannot_be_read_holds_back_no_other(server: Server) -> None:
    server.histories["y"] = ["b"]
    rows = Rows([*waits("a"), *waits("b", execution="y", run="s")])

    assert await EventReleaser(None, rows).look() == 1  # type: ignore[arg-type]
    assert rows.released == ["b"]
