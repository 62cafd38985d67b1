"""Limits of computing time: a slow machine is given what it needs, and what is too slow beside it is not."""

from __future__ import annotations

import pytest

from tests.support import pace


def test_what_is_within_the_limit_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "slowness", lambda: pytest.fail("nobody asked"))

    assert pace.within(0.4, 0.5)


def test_what_is_over_it_is_judged_by_the_machine_of_that_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "slowness", lambda: 2.0)

    assert pace.within(0.9, 0.5)
    assert not pace.within(1.1, 0.5)


def test_no_machine_counts_as_faster_than_the_one_of_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "NOMINAL", 1_000.0)

    assert pace.slowness(tries=1) == 1.0


def test_work_that_took_twenty_times_as_long_as_with_the_limits_is_a_slow_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the work itself, which no two machines need the same time for."""
    monkeypatch.setattr(pace, "NOMINAL", pace.NOMINAL / 20)

    assert pace.slowness() > 2


def test_no_machine_is_slow_enough_for_any_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker may compute in one go is two seconds everywhere."""
    monkeypatch.setattr(pace, "slowness", lambda: 100.0)

    assert not pace.within(2.0, 0.5)
