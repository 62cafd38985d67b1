"""The sums over all sessions: a trial is counted once, a failure leaves the command that repeats it, and a zero says how little it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults.counts import counted, read_counts, report
from tests.support.faults.tiers import Tier


def test_trials_are_added_up_over_sessions_and_the_bound_falls(tmp_path: Path) -> None:
    """Two sessions without a failure: 3/n of both."""
    file = tmp_path / "counts.json"
    for seed, done in ((1, 100), (2, 200)):
        with counted("R5", "kills", Tier("F", seed), "t.py::t", file) as trials:
            trials.done += done

    count = read_counts(file)["R5"]
    assert (count.trials, count.failures, count.sessions, count.bound) == (300, 0, 2, "below 1.000%")
    assert "R5         300       0  below 1.000%" in report(file)


def test_a_failure_is_counted_and_says_how_to_repeat_it(tmp_path: Path) -> None:
    """One command, with test, tier and seed; it stays in the file when later sessions are well."""
    file = tmp_path / "counts.json"
    with pytest.raises(AssertionError) as failed:
        _fails(file)
    with counted("R6", "points", Tier("F", 78), "t.py::t", file) as trials:
        trials.done = 7

    count, command = read_counts(file)["R6"], '.venv/bin/python -m pytest -s "t.py::t" --tier F --seed 77'
    assert (count.trials, count.failures, count.last_failure_seed, count.repeat) == (10, 1, 77, command)
    assert command in failed.value.__notes__[0]
    assert "10.00% failed" in report(file)


def test_the_short_form_counts_nothing(tmp_path: Path) -> None:
    """It draws the same trials with every change."""
    file = tmp_path / "counts.json"
    with counted("R5", "kills", Tier("C", 1), "t.py::t", file) as trials:
        trials.done = 9

    assert not file.exists()
    assert "Nothing was counted yet" in report(file)


def test_goals_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """R5 before R16."""
    file = tmp_path / "counts.json"
    for goal in ("R16", "R5"):
        with counted(goal, "x", Tier("F", 1), "t.py::t", file) as trials:
            trials.done = 1

    assert list(read_counts(file)) == ["R5", "R16"]


def _fails(file: Path) -> None:
    with counted("R6", "points", Tier("F", 77), "t.py::t", file) as trials:
        trials.done = 3
        raise AssertionError("lost")
