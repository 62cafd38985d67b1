"""Notices that cannot leave: one holds back no other, each is tried again more and more seldom, and leaves once when it can."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from onboarding.engine.effects import Notice
from runtime import releasing
from tests.support.house import House
from tests.support.records import a_notice

PAST = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which the releaser waits."""
    clock = Clock()
    monkeypatch.setattr(releasing, "time", clock)
    return clock


@pytest.fixture
def tried(house: House, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each key was brought; those whose key begins with `bad` do not leave."""
    count: Counter[str] = Counter()
    deliver = house.notifier.deliver

    def bring(notice: Notice) -> None:
        count[notice.key] += 1
        if notice.key.startswith("bad"):
            raise ConnectionError("nobody is there")
        deliver(notice)

    monkeypatch.setattr(house.notifier, "deliver", bring)
    return count


async def test_one_that_cannot_leave_holds_back_no_other(house: House, clock: Clock, tried: Counter[str]) -> None:
    """The first, one in the middle, and one of the same run."""
    for n, key in enumerate(("bad-1", "a", "bad-2", "b", "c")):
        house.held.keep(a_notice(key, not_before=PAST + timedelta(hours=n)))

    assert await house.releaser.look() == 3

    assert house.states() == {"bad-1": "pending", "a": "sent", "bad-2": "pending", "b": "sent", "c": "sent"}


async def test_an_hour_without_the_notifier_costs_few_attempts_and_then_each_leaves_once(
    house: House, clock: Clock, tried: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most thirty attempts an hour for each notice, and soon after it is back all have left."""
    house.held.keep(a_notice("bad", not_before=PAST))
    releaser = house.releaser
    for _ in range(720):
        await releaser.look()
        clock.seconds += 5
    assert 10 <= tried["bad"] <= 30
    print(f"R17: {tried['bad']} attempts in an hour without the notifier, at most 30 wanted")

    monkeypatch.undo()
    monkeypatch.setattr(releasing, "time", clock)
    clock.seconds += releasing.SELDOM
    assert (await releaser.look(), await releaser.look()) == (1, 0)
    assert house.states() == {"bad": "sent"}
