"""Numbers: percentiles, sums and groups, against figures worked out by hand."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from metrics.report import aggregate, by_side, ledger_faults, ledger_of, of_run, percentile, spread
from onboarding.engine.effects import WriteRecords
from storage.engine import open_database
from storage.memory import MemoryStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
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


def test_runs_are_counted_by_definition() -> None:
    """Open runs are counted, and their numbers are not: they are not final."""
    runs = [
        a_run("a", state="closed", metrics={"live": 100, "wait": 5}),
        a_run("b", state="closed", metrics={"live": 300, "wait": 5}),
        a_run("c", metrics={"live": None, "wait": 8}),
        a_run("d", definition="b2b-standard", metrics={}),
        a_run("e", definition="document-intake", metrics={"wait": 7}),
    ]

    assert aggregate(runs) == [
        {"by": {"definition": "b2b-standard"}, "runs": 1, "open": 1, "metrics": {}},
        {
            "by": {"definition": "document-intake"},
            "runs": 1,
            "open": 1,
            "metrics": {"wait": {"n": 0, "median": None, "p80": None, "p90": None}},
        },
        {
            "by": {"definition": "quick-start"},
            "runs": 3,
            "open": 1,
            "metrics": {
                "live": {"n": 2, "median": 200, "p80": 260, "p90": 280},
                "wait": {"n": 2, "median": 5, "p80": 5, "p90": 5},
            },
        },
    ]


def test_lines_can_be_made_by_several_things_at_once() -> None:
    """One line for each combination that occurs, in order."""
    runs = [a_run("a", version=10), a_run("b", version=9), a_run("c", version=10, variant="")]

    assert [line["by"] for line in aggregate(runs, ["version", "variant"])] == [
        {"version": 9, "variant": "smb"},
        {"version": 10, "variant": ""},
        {"version": 10, "variant": "smb"},
    ]
    with pytest.raises(ValueError, match="customer"):
        aggregate(runs, ["customer"])


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


def test_the_numbers_of_rows_are_those_of_values(tmp_path: Path) -> None:
    """Whatever store the rows went through, the report is the same."""
    engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    runs = [
        a_run(f"r{n}", metrics={"live": n * n, "asks": None}, milestones={"m": at(n)}, signed_at=at(-n))
        for n in range(9)
    ]
    for run in runs:
        SqlRecordStore(engine).write(WriteRecords(run=run))
    figures = ReadTable(engine).figures()

    assert aggregate(figures) == aggregate(runs)
    assert [of_run(row) for row in figures] == [of_run(run) for run in runs]
    assert len(ReadTable(engine).figures("none")) == 0
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
