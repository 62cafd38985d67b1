"""What the rows say of runs that may stand still, on every database."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert

from onboarding.engine.effects import WriteRecords
from onboarding.reading.watching import Kept, KeptNotice
from storage.engine import writing
from storage.records import SqlRecordStore
from storage.rows import values_of
from storage.tables import RUNS, WAITING
from storage.watching import rows_of_open_runs
from tests.edge.test_gauges import ended, waits
from tests.support.figures import Figure
from tests.support.records import a_notice, a_run, at

NOW = at(48)


def test_open_runs_are_told_with_what_they_show(engine: Engine) -> None:
    """Also on hold; what has closed is not."""
    store = SqlRecordStore(engine)
    store.write(WriteRecords(run=a_run("a", health="stalled"), decided_at=at(1)))
    store.write(WriteRecords(run=a_run("h", state="on_hold", health="on_hold")))
    store.write(ended("z", 2))
    rows = rows_of_open_runs(engine, NOW)

    shown = {"stage": "intake", "owner": "dana", "health": "stalled", "waiting_on": "customer"}
    assert rows.runs["a"] == Kept(run="a", shown=shown, decided_at=at(1), started_at=at(0))
    assert set(rows.runs) == {"a", "h"}
    assert rows.notices == ()
    assert rows.ended == {"z"}


@pytest.mark.parametrize(
    ("decided", "status", "kind", "passed"),
    [(23, "open", "item", True), (25, "open", "item", False), (None, "open", "item", True), (23, "answered", "item", False), (23, "open", "gate", False)],
)  # fmt: skip
def test_a_date_that_is_over_counts_where_nothing_was_decided_since(
    engine: Engine, decided: int | None, status: str, kind: str, passed: bool
) -> None:
    """Who has answered waits for no date, and the date of a gate is a plan."""
    rows = (
        waits("x", status=status, kind=kind),
        waits("y", due_at=at(30), status="answered"),
        waits("w", due_at=at(99)),
    )
    decided_at = None if decided is None else at(decided)
    SqlRecordStore(engine).write(WriteRecords(run=a_run("a"), waiting=rows, decided_at=decided_at))

    assert rows_of_open_runs(engine, NOW).runs["a"].passed_at == (at(24) if passed else None)


def test_notices_that_should_have_left_are_told(engine: Engine) -> None:
    """Those that wait for their hours are not late, nor those of a turn that has just been written."""
    store = SqlRecordStore(engine)
    notices = (a_notice("early", run="a", not_before=at(47)), a_notice("later", run="a", not_before=at(49)))
    store.write(WriteRecords(run=a_run("a"), notices=notices, id="b-1"))
    fresh = rows_of_open_runs(engine, NOW).notices
    store.write(WriteRecords(run=a_run("b"), notices=(replace(a_notice("held", run="b"), not_before=None),), id="b-2"))
    soon = rows_of_open_runs(engine, NOW + timedelta(days=365 * 20)).notices

    assert fresh == (KeptNotice(run="a", since=at(47), held=True),)
    assert {one.run for one in soon} == {"a", "b"}


def test_ten_thousand_open_runs_are_read_in_a_moment(engine: Engine, figure: Figure) -> None:
    """Every worker reads them each minute."""
    with writing(engine) as connection:
        place = {"chain": "", "batch": "", "decided_at": at(30)}
        runs = [{**values_of(a_run(f"r-{n:05}")), **place} for n in range(10_000)]
        connection.execute(insert(RUNS), runs)
        of = {name: runs[0][name] for name in ("definition", "version", "variant", "hash")}
        late = values_of(waits("x", due_at=at(31)))
        connection.execute(insert(WAITING), [{**of, **late, "run": f"r-{n:05}"} for n in range(0, 10_000, 10)])
    began = time.perf_counter()
    rows = rows_of_open_runs(engine, NOW)
    took = time.perf_counter() - began
    figure(f"rows of 10,000 open runs were read in {took:.2f} s ({engine.dialect.name})")

    assert len(rows.runs) == 10_000
    assert sum(one.passed_at is not None for one in rows.runs.values()) == 1_000
    assert took < 10
