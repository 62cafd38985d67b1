"""Notices that cannot leave: one holds back no other, each is tried again more and more seldom, and leaves once when it can."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from integrations.outbox import UnderWay
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


async def test_more_than_one_look_takes_that_cannot_leave_hold_back_no_other(
    house: House, clock: Clock, tried: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest waiting are looked at first; behind them the others are seen the next time."""
    monkeypatch.setattr(releasing, "MOST", 2)
    for n, key in enumerate(("bad-1", "bad-2", "bad-3", "good")):
        house.held.keep(a_notice(key, not_before=PAST + timedelta(hours=n)))
    releaser = house.releaser

    assert [await releaser.look() for _ in range(3)] == [0, 1, 0]
    assert house.states()["good"] == "sent"


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


def test_a_notice_whose_mark_could_not_be_kept_leaves_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is held right after it has left: the next attempt only marks it."""
    left: list[str] = []
    monkeypatch.setattr(house.notifier, "_send", lambda notice: left.append(notice.key))
    settle, held = house.held.settle, [True, True]

    def busy(*words: object) -> bool:
        if held and held.pop():
            raise TimeoutError("held")
        return bool(settle(*words))

    monkeypatch.setattr(house.held, "settle", busy)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            house.notifier.deliver(a_notice("word"))
    assert house.states() == {"word": "pending"}
    house.notifier.deliver(a_notice("word"))
    house.notifier.deliver(a_notice("word"))

    assert (left, house.states()) == (["word"], {"word": "sent"})


def test_a_notice_that_has_left_and_is_not_marked_cannot_be_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader has it: what calls it off must be told."""
    settle, held = house.held.settle, [True]

    def busy(*words: object) -> bool:
        if held and held.pop():
            raise TimeoutError("held")
        return bool(settle(*words))

    monkeypatch.setattr(house.held, "settle", busy)
    with pytest.raises(TimeoutError):
        house.notifier.deliver(a_notice("alarm"))

    assert house.notifier.withdraw("alarm") is False
    house.notifier.deliver(a_notice("calls-off", retracts=("alarm",)))
    assert house.states() == {"alarm": "sent", "calls-off": "sent"}


def test_two_who_bring_the_same_notice_at_once_send_it_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that ran out of time still sends while the next one comes: that one is told to ask again."""
    left: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slowly(notice: Notice) -> None:
        begun.set()
        assert go_on.wait(10)
        left.append(notice.key)

    monkeypatch.setattr(house.notifier, "_send", slowly)
    first = threading.Thread(target=house.notifier.deliver, args=(a_notice("word"),))
    first.start()
    assert begun.wait(10)
    with pytest.raises(UnderWay):
        house.notifier.deliver(a_notice("word"))
    go_on.set()
    first.join(10)
    house.notifier.deliver(a_notice("word"))

    assert (left, house.states()) == (["word"], {"word": "sent"})
