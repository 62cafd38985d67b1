"""Numbers of one run, and percentiles, against figures worked out by hand."""

from __future__ import annotations

import statistics
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from metrics.report import by_side, ledger_faults, ledger_of, of_run
from metrics.spread import spread, survival
from onboarding.engine.effects import WriteRecords
from onboarding.percentile import percentile
from storage.engine import open_database
from storage.memory import MemoryStore
from storage.records import SqlRecordStore
from storage.reporting import Reporting
from storage.rows import instant, ledger_shape
from tests.support.records import RUN, a_run, a_stretch, a_turn, at

DAY = 86_400


@pytest.mark.parametrize(
    ("values", "median", "p80", "p90"),
    [
        ([], None, None, None),
        ([7], 7, 7, 7),
        ([1, 2], 1.5, 1.8, 1.9),
        ([10, 20, 30], 20, 26, 28),
        (list(range(101)), 50, 80, 90),
        ([5, 1, 4, 2, 3], 3, 4.2, 4.6),
        ([DAY] * 4, DAY, DAY, DAY),
    ],
)
def test_percentiles_lie_between_the_nearest_values(
    values: list[int], median: float | None, p80: float | None, p90: float | None
) -> None:
    """Linear interpolation, as spreadsheets do it; whole numbers stay whole."""
    assert spread(values) == {"n": len(values), "median": median, "p80": p80, "p90": p90}


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=60))
def test_percentiles_agree_with_the_standard_library(values: list[int]) -> None:
    """The inclusive method of `statistics.quantiles` cuts at the same places."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    ordered = sorted(values)

    assert [percentile(ordered, percent) for percent in (50, 80, 90)] == pytest.approx(
        [cuts[49], cuts[79], cuts[89]], rel=1e-9, abs=0.011
    )


@pytest.mark.parametrize(
    ("ended", "lasting", "found"),
    [
        ([], [], [None, None, None]),
        ([], [5, 9], [None, None, None]),
        ([7], [], [7, 7, 7]),
        ([1, 2, 3, 4], [], [2, 4, 4]),
        ([1, 2, 2, 3, 5, 8, 13], [], [3, 8, 13]),
        # Freireich and others (1963): remission under 6-MP, whose median is known to be 23 weeks.
        ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], [23, None, None]),
        ([3, 3], [1, 2, 2, 9], [3, None, None]),
        ([3, 3], [1, 2, 2], [3, 3, 3]),
    ],
)
def test_what_lasts_is_counted_as_a_time_of_at_least_so_long(
    ended: list[int], lasting: list[int], found: list[int | None]
) -> None:
    """The earliest end at which no more than the rest still last; unknown while more do."""
    assert survival(ended, lasting, (50, 80, 90)) == found


@given(st.lists(st.integers(0, 12), max_size=15), st.lists(st.integers(0, 12), max_size=15))
def test_the_product_limit_estimator_agrees_with_fractions(ended: list[int], lasting: list[int]) -> None:
    """End by end, with exact fractions, as the paper has it."""
    share, curve = Fraction(1), []
    for time in sorted(set(ended)):
        at_risk = sum(one >= time for one in (*ended, *lasting))
        share *= Fraction(at_risk - ended.count(time), at_risk)
        curve.append((time, share))

    expected = [next((time for time, rest in curve if rest <= 1 - Fraction(p, 100)), None) for p in (50, 80, 90)]
    assert survival(ended, lasting, (50, 80, 90)) == expected


def test_one_run_has_its_milestones_since_signing() -> None:
    """Or since its start, where nothing was signed; and says which."""
    run = a_run(
        state="closed",
        outcome="live",
        closed_at=at(10),
        milestones={"first_value": at(5)},
        metrics={"time_to_first_value": 29 * 3600},
    )

    found = of_run(run, [ledger_shape(a_stretch(1))])
    unsigned = of_run(a_run(signed_at=None, milestones={"first_value": at(5)}))

    assert (found["elapsed"], found["since"]) == (36_000, "signed_at")
    assert found["milestones"] == {"first_value": 29 * 3600}
    assert found["metrics"] == {"time_to_first_value": 29 * 3600}
    assert found["by_side"]["customer"] == 3600
    assert (unsigned["elapsed"], unsigned["since"]) == (None, "started_at")
    assert unsigned["milestones"] == {"first_value": 5 * 3600}


def test_every_second_of_a_ledger_is_booked_once() -> None:
    """Working time to the side that had it, the rest to off-hours, held time to hold."""
    entries = [
        ledger_shape(a_stretch(1, working_seconds=1000)),
        ledger_shape(a_stretch(2, side="provider")),
        ledger_shape(a_stretch(3, side="hold", held_side="customer", working_seconds=0)),
        ledger_shape(a_stretch(4, side="off_hours", working_seconds=0)),
    ]

    assert by_side(entries) == {
        "customer": 1000,
        "provider": 3600,
        "third_party": 0,
        "hold": 3600,
        "off_hours": 2600 + 3600,
    }
    assert ledger_of(entries)["elapsed"] == sum(by_side(entries).values())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, None),
        ({"since": at(1.5)}, "begins"),
        ({"to": at(0.5), "seconds": -1800}, "ends before"),
        ({"seconds": 1}, "lasts"),
        ({"working_seconds": 4000}, "working"),
    ],
)
def test_a_ledger_that_does_not_add_up_says_where(changes: dict[str, object], word: str | None) -> None:
    """End to end, in order, as long as it says."""
    entries = [ledger_shape(a_stretch(1)), ledger_shape(a_stretch(2, **changes)), ledger_shape(a_stretch(3))]

    faults = ledger_faults(entries, str(instant(at(0))), str(instant(at(3))))

    assert (word is None) == (not faults)
    assert word is None or any(fault.n == 2 and word in fault.sentence for fault in faults)


def test_a_ledger_ends_where_its_run_closed() -> None:
    """The last second counts as well; a run without entries closed when it started."""
    entries = [ledger_shape(a_stretch(1))]

    assert [fault.n for fault in ledger_faults(entries, str(instant(at(0))), str(instant(at(2))))] == [1]
    assert ledger_faults([], str(instant(at(0))), str(instant(at(0)))) == []


def test_one_run_is_the_same_as_a_row_and_as_a_value(tmp_path: Path) -> None:
    """Whatever store it went through; a run that is not known has no row."""
    engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    run = a_run("r", metrics={"live": 81, "asks": None}, milestones={"m": at(9)}, signed_at=at(-9))
    SqlRecordStore(engine).write(WriteRecords(run=run))

    assert of_run(Reporting(engine).one("r")) == of_run(run)
    assert Reporting(engine).one("s") is None
    engine.dispose()


def test_the_ledger_of_written_turns_adds_up() -> None:
    """From the rows of a store to the read of the contract."""
    store = MemoryStore()
    for n in range(1, 6):
        store.write(a_turn(n))

    ledger = ledger_of(store.ledger(RUN), {"live": None})

    assert ledger["elapsed"] == 5 * 3600
    assert ledger["metrics"] == {"live": None}
    assert ledger_faults(ledger["entries"], str(instant(at(0))), str(instant(at(5)))) == []
