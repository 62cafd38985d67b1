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


def test_a_machine_half_as_fast_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the work itself: were it twice as long as what the limits were set with, twice the time would be allowed."""
    now = pace.slowness()
    monkeypatch.setattr(pace, "NOMINAL", pace.NOMINAL / 20)

    assert pace.slowness() > 5 * now / 2
