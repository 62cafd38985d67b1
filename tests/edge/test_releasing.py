"""Notices that the outbox does not take: one holds back no other, and each is brought again more and more seldom."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from onboarding.engine.effects import Notice, NoticeKind
from runtime import releasing
from runtime.looking_again import LONGEST, SOON
from tests.support.house import House
from tests.support.records import a_notice, a_turn


async def sure(client: Client, run: str, execution: str) -> AsyncIterator[str]:
    """A history in which everything stands that is looked for."""
    for n in range(1, 10):
        yield f"b-{n}"


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every run."""
    monkeypatch.setattr(releasing, "written", sure)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


def held(house: House, clock: Clock, *keys: str) -> releasing.Releaser:
    """Each was decided by a turn of its own; whoever makes them ready."""
    for n, key in enumerate(keys, 1):
        house.store.write(a_turn(n, notices=(a_notice(key, to=key),)))
    return releasing.Releaser(None, house.held, house.notifier, clock.monotonic)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    """The clock by which the releaser waits."""
    return Clock()


@pytest.fixture
def tried(house: House, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each key was brought; those whose key begins with `bad` are not taken."""
    count: Counter[str] = Counter()
    deliver = house.notifier.deliver

    def bring(*notices: Notice) -> None:
        count.update(notice.key for notice in notices)
        if any(notice.key.startswith("bad") for notice in notices):
            raise ConnectionError("nobody is there")
        deliver(*notices)

    monkeypatch.setattr(house.notifier, "deliver", bring)
    return count


async def test_the_notices_of_a_run_are_kept_together(
    house: House, clock: Clock, tried: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction for all that its history confirms."""
    calls: list[int] = []
    deliver = house.notifier.deliver
    monkeypatch.setattr(house.notifier, "deliver", lambda *notices: (calls.append(len(notices)), deliver(*notices)))

    assert await held(house, clock, "a", "b", "c").look() == 3

    assert calls == [3]
    assert set(house.states().values()) == {"sent"}


async def test_one_that_cannot_leave_holds_back_no_other(house: House, clock: Clock, tried: Counter[str]) -> None:
    """The first, one in the middle, and one of the same run."""
    releaser = held(house, clock, "bad-1", "a", "bad-2", "b", "c")

    assert await releaser.look() == 3

    assert house.states() == {"bad-1": "pending", "a": "sent", "bad-2": "pending", "b": "sent", "c": "sent"}


async def test_more_than_one_look_takes_that_cannot_leave_hold_back_no_other(
    house: House, clock: Clock, tried: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest waiting are looked at first; behind them the others are seen the next time."""
    monkeypatch.setattr(releasing, "MOST", 2)
    releaser = held(house, clock, "bad-1", "bad-2", "bad-3", "good")

    assert [await releaser.look() for _ in range(3)] == [0, 1, 0]
    assert house.states()["good"] == "sent"


async def test_an_hour_without_the_outbox_costs_few_attempts_and_then_each_leaves_once(
    house: House, clock: Clock, tried: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most thirty attempts an hour for each notice, and soon after it is back all have left."""
    releaser = held(house, clock, "bad")
    for _ in range(720):
        await releaser.look()
        clock.seconds += 5
    assert 10 <= tried["bad"] <= 30
    print(f"R17: {tried['bad']} attempts in an hour in which the outbox takes nothing, at most 30 wanted")

    monkeypatch.undo()
    monkeypatch.setattr(releasing, "written", sure)
    clock.seconds += releasing.SELDOM
    assert (await releaser.look(), await releaser.look()) == (1, 0)
    assert house.states() == {"bad": "sent"}


@pytest.mark.parametrize(("status", "within"), [(RPCStatusCode.UNAVAILABLE, SOON), (RPCStatusCode.NOT_FOUND, LONGEST)])
async def test_an_escalation_leaves_within_seconds_after_a_server_that_was_away(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode, within: float
) -> None:
    """Twenty minutes in which nobody could look say nothing of the batch; a server that knows no such history does."""
    reads = 0

    async def away(client: Client, run: str, execution: str) -> AsyncIterator[str]:
        nonlocal reads
        reads += 1
        raise RPCError("no", status, b"")
        yield ""

    monkeypatch.setattr(releasing, "written", away)
    house.store.write(a_turn(1, notices=(a_notice("e", to="lead", kind=NoticeKind.ESCALATION),)))
    releaser = releasing.Releaser(None, house.held, house.notifier, clock.monotonic)  # type: ignore[arg-type]
    for _ in range(2_400):
        await releaser.look()
        clock.seconds += 0.5
    assert 5 <= reads <= 1_200 / within + 10

    monkeypatch.setattr(releasing, "written", sure)
    back = clock.seconds
    while not await releaser.look():
        clock.seconds += 0.5

    assert clock.seconds - back <= within
    assert house.states() == {"e": "sent"}
