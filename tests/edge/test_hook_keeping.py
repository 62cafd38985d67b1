"""The keeper of hooks that answer later: whoever is slow, broken or away costs none of the others a heartbeat."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from temporalio.service import RPCError, RPCStatusCode

from activities.keeping import ASKED_AT_ONCE, Keeper
from onboarding.ports import LATER, Later, WaitingHook
from storage.hook_waits import SqlHookWaits

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WITHIN = 20.0


class Server:
    """Stands for the client of a server that hears heartbeats; `broken` are the attempts about which it only fails."""

    namespace = "default"

    def __init__(self, *broken: bytes) -> None:
        """Nothing was heard yet."""
        self.broken = broken
        self.beaten: list[bytes] = []
        self.failed: list[bytes] = []

    def get_async_activity_handle(self, *, task_token: bytes) -> Server.Attempt:
        """The attempt with this token."""
        return Server.Attempt(self, task_token)

    class Attempt:
        """One attempt."""

        def __init__(self, server: Server, token: bytes) -> None:
            """Of that server."""
            self.server, self.token = server, token

        def with_context(self, _: Any) -> Server.Attempt:
            """Encrypts nothing."""
            return self

        async def heartbeat(self, *_: Any) -> None:
            """It lives."""
            self._may()
            self.server.beaten.append(self.token)

        async def fail(self, _: Any) -> None:
            """It is over."""
            self._may()
            self.server.failed.append(self.token)

        def _may(self) -> None:
            if self.token in self.server.broken:
                raise RPCError("no", RPCStatusCode.INVALID_ARGUMENT, b"")


class Elsewhere:
    """The other side of every hook: it says nothing until it may."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.may_answer = threading.Event()
        self.asked: list[str] = []

    def poll(self, name: str, address: str, key: str) -> Later:
        """Still at it."""
        self.asked.append(key)
        assert self.may_answer.wait(WITHIN)
        return LATER


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        """It is now."""
        self.now = NOW

    def __call__(self) -> datetime:
        """What it says."""
        return self.now


def waiting(key: str, *, ends: int = 600, polled: bool = False) -> WaitingHook:
    """A hook that began now, and is asked at once if it is asked at all."""
    return WaitingHook(
        key=key, run="onboarding/acme/hooks", hook="mine", about="tenant", token=key.encode(), activity="1", execution="e",
        since=NOW, ends_at=NOW + timedelta(seconds=ends), poll="https://x.example/1" if polled else "", every=1,
        poll_at=NOW if polled else None,
    )  # fmt: skip


async def test_a_system_that_says_nothing_costs_nobody_a_heartbeat(engine: Engine) -> None:
    """More of its questions are open than threads there are; the hearts beat on, and no question is asked twice at once."""
    waits, server, elsewhere, clock = SqlHookWaits(engine), Server(), Elsewhere(), Clock()
    for n in range(ASKED_AT_ONCE + 10):
        waits.keep(waiting(f"k{n:02}", polled=True))
    before = asyncio.all_tasks()
    with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
        keeper = Keeper(server, waits, elsewhere, threads, clock)  # type: ignore[arg-type]
        for n in range(4):
            clock.now = NOW + timedelta(seconds=10 * n)
            await asyncio.wait_for(keeper.look(), WITHIN)
        elsewhere.may_answer.set()
        await asyncio.gather(*(asyncio.all_tasks() - before))

    assert 4 * (ASKED_AT_ONCE + 10) == len(server.beaten)
    assert ASKED_AT_ONCE == len(elsewhere.asked) == len(set(elsewhere.asked))


async def test_one_that_cannot_be_looked_after_keeps_none_of_the_others(engine: Engine) -> None:
    """The server refuses one heartbeat and one end; the others are told all the same."""
    waits, server, clock = SqlHookWaits(engine), Server(b"bad", b"bad end"), Clock()
    for key, ends in (("bad", 600), ("bad end", 5), ("good", 600), ("good end", 5)):
        waits.keep(waiting(key, ends=ends))
    clock.now = NOW + timedelta(seconds=6)
    with ThreadPoolExecutor(1) as threads:
        await Keeper(server, waits, Elsewhere(), threads, clock).look()  # type: ignore[arg-type]

    assert [b"good", b"good end"] == sorted(server.beaten)
    assert [b"good end"] == server.failed
    assert ["bad", "bad end", "good"] == sorted(one.key for one in waits.all())


class Away(SqlHookWaits):
    """A database that can go away."""

    is_away = False

    def beats(self, before: datetime, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Not while it is away."""
        if self.is_away:
            raise ConnectionError
        return super().beats(before, now, most)


async def test_hearts_beat_on_while_the_database_is_away(engine: Engine) -> None:
    """The server would give every attempt up after half a minute, and each counts as one of those that the definition allows."""
    waits, server, clock = Away(engine), Server(), Clock()
    waits.keep(waiting("k"))
    with ThreadPoolExecutor(1) as threads:
        keeper = Keeper(server, waits, Elsewhere(), threads, clock)  # type: ignore[arg-type]
        await keeper.look()
        waits.is_away = True
        for n in range(1, 31):
            clock.now = NOW + timedelta(seconds=4 * n)
            await keeper.look()

    assert 16 == len(server.beaten), "every eight seconds, two minutes long"


@pytest.mark.parametrize("gone", [timedelta(seconds=61)])
async def test_what_others_look_after_is_not_remembered_for_ever(engine: Engine, gone: timedelta) -> None:
    """A worker that has not sent a heartbeat for a minute leaves it to those that have."""
    waits, server, clock = Away(engine), Server(), Clock()
    waits.keep(waiting("k"))
    with ThreadPoolExecutor(1) as threads:
        keeper = Keeper(server, waits, Elsewhere(), threads, clock)  # type: ignore[arg-type]
        await keeper.look()
        clock.now = NOW + gone - timedelta(seconds=1)
        SqlHookWaits(engine).beats(clock.now, clock.now, 1)
        clock.now = NOW + gone
        await keeper.look()
        waits.is_away = True
        await keeper.look()

    assert [b"k"] == server.beaten
