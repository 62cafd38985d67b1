"""What waits for an answer, in each database: once for a key, looked after by one worker at a time, gone when it is over."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from activities.lanes import Lanes, Parked
from onboarding.ports import WaitingHook
from storage.erasing import Erasures
from storage.hook_waits import SqlHookWaits
from tests.support.records import a_hook

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """So many seconds after the beginning."""
    return NOW + timedelta(seconds=seconds)


def waiting(key: str = "k", **changes: object) -> WaitingHook:
    """A hook that began now and is asked again in half a minute."""
    found = WaitingHook(
        key=key, run="onboarding/acme/hooks", hook="provision_tenant", about="tenant", token=b"one", activity="1", execution="e",
        since=NOW, ends_at=later(600), poll="https://x.example/1", every=30, poll_at=later(30),
    )  # fmt: skip
    return replace(found, **changes)  # type: ignore[arg-type]


def test_the_newest_attempt_counts_and_the_first_instant_stays(engine: Engine) -> None:
    """So `within` cannot be drawn out by attempts that are lost."""
    waits = SqlHookWaits(engine)
    waits.keep(waiting())
    waits.keep(waiting(token=b"two", since=later(50), ends_at=later(999), beat_at=None))

    found = waits.find("k")

    assert found is not None
    assert (b"two", NOW, later(600)) == (found.token, found.since, found.ends_at)
    assert not waits.forget("k", b"one"), "the attempt that was lost takes nothing away from the newer one"
    assert waits.forget("k", b"two")
    assert waits.find("k") is None
    assert not waits.forget("k")


def test_of_several_workers_one_sends_each_heartbeat(engine: Engine) -> None:
    """Whoever asks at the same time gets others, or none; after a while it is due again."""
    for n in range(40):
        SqlHookWaits(engine).keep(waiting(f"k{n:02}"))
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: SqlHookWaits(engine).beats(later(-8), NOW, 500), range(4)))

    keys = [one.key for each in taken for one in each]
    assert sorted(keys) == [f"k{n:02}" for n in range(40)]
    assert () == SqlHookWaits(engine).beats(later(-8), NOW, 500)
    assert 40 == len(SqlHookWaits(engine).beats(later(8), later(16), 500))


def test_the_other_side_is_asked_when_it_is_time_and_by_one(engine: Engine) -> None:
    """And then again after `every` seconds."""
    waits = SqlHookWaits(engine)
    waits.keep(waiting())
    waits.keep(waiting("by hand", poll="", poll_at=None))

    assert () == waits.polls(later(29), 10)
    assert ["k"] == [one.key for one in waits.polls(later(31), 10)]
    assert () == waits.polls(later(60), 10)
    assert ["k"] == [one.key for one in waits.polls(later(61), 10)]


def test_what_has_waited_for_as_long_as_it_may_is_over(engine: Engine) -> None:
    """Not a second earlier; how far it is can be told until then."""
    waits = SqlHookWaits(engine)
    waits.keep(waiting())
    waits.tell("k", "80")

    assert ["80"] == [one.progress for one in waits.all("onboarding/acme/hooks")]
    assert () == waits.all("onboarding/other/hooks")
    assert () == waits.over(later(599), 10)
    assert ["k"] == [one.key for one in waits.over(later(600), 10)]


def test_a_run_that_is_erased_waits_for_nothing(engine: Engine) -> None:
    """Its rows go with what people said."""
    waits = SqlHookWaits(engine)
    waits.keep(waiting())
    waits.keep(waiting("other", run="onboarding/other/hooks"))

    Erasures(engine).tombstone("onboarding/acme/hooks", "acme", by="dana", cause="asked", at=NOW)

    assert ["other"] == [one.key for one in waits.all()]


class TestLanes:
    """How many calls of one hook are made, and which of those that wait comes next."""

    def test_only_so_many_at_once_and_the_others_in_their_order(self) -> None:
        """Whoever waits already comes before whoever comes now."""
        lanes = Lanes(lambda name: (2, None))
        assert [True, True, False] == [lanes.enter("a") for _ in range(3)]
        assert lanes.enter("b"), "another hook has a lane of its own"
        for n in range(3):
            assert lanes.park(parked("a", n))

        assert [] == lanes.ready()
        lanes.leave("a")
        assert not lanes.enter("a")
        assert [b"0"] == [one.token for one in lanes.ready()]
        lanes.leave("a")
        lanes.leave("a")
        assert [b"1", b"2"] == [one.token for one in lanes.ready()]

    def test_only_so_many_in_a_minute(self) -> None:
        """A call that is over makes no room for another one in the same minute."""
        now = [0.0]
        lanes = Lanes(lambda name: (5, 2), lambda: now[0])
        for _ in range(2):
            assert lanes.enter("a")
            lanes.leave("a")
        assert not lanes.enter("a")
        lanes.park(parked("a", 0))
        now[0] = 59.0
        assert [] == lanes.ready()
        now[0] = 61.0
        assert [b"0"] == [one.token for one in lanes.ready()]

    def test_a_call_that_nobody_waits_for_any_more_is_not_made(self) -> None:
        """Its run has ended."""
        lanes = Lanes(lambda name: (1, None))
        lanes.enter("a")
        lanes.park(parked("a", 0))
        lanes.park(parked("a", 1))
        lanes.drop(b"0")
        lanes.leave("a")

        assert [b"1"] == [one.token for one in lanes.ready()]
        assert [] == lanes.waiting()
        assert {"a": (1, 0)} == dict(lanes.counts())


def parked(hook: str, n: int) -> Parked:
    """The n-th call that waits."""
    return Parked(effect=a_hook(hook), token=str(n).encode(), run="r", activity="1", execution="e", heartbeat=30.0)
