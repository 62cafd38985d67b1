"""Made-up runs are like real ones: their numbers agree with their rows, and every question can be asked about them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from benchmarks import core, generate, plain_machine, reads, story
from benchmarks.made_up import MadeUp
from benchmarks.world import NOW
from metrics.report import ledger_faults, ledger_of
from onboarding.engine.health import HEALTH, WAITING_ON
from onboarding.engine.state import ItemStatus, RunOutcome, RunStatus, StageStatus
from storage.read_table import ReadTable
from storage.rows import OPEN
from storage.tables import HANDOFFS, ITEMS, MILESTONES, RUNS, STAGES, WAITING

FINISHED, STILL_OPEN = 40, 10


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Fifty runs."""
    generate.fill(engine, FINISHED, STILL_OPEN)
    return engine


def all_of(engine: Engine, table: Any) -> list[Any]:
    """Every row of a table."""
    with engine.connect() as connection:
        return list(connection.execute(select(table)).all())


def test_so_many_runs_are_finished_and_so_many_open(filled: Engine) -> None:
    """Each of seven stages, and what is open lies in the present."""
    runs = all_of(filled, RUNS)

    assert Counter(row.closed_at is None for row in runs) == {False: FINISHED, True: STILL_OPEN}
    assert set(Counter(row.run for row in all_of(filled, STAGES)).values()) == {7}
    assert all(row.started_at < NOW and (row.closed_at is None or row.closed_at < NOW) for row in runs)


def test_words_of_made_up_rows_are_words_of_the_engine(filled: Engine) -> None:
    """A list or report that looks for one finds it."""
    for row in all_of(filled, RUNS):
        assert (row.state in [*RunStatus], row.health in HEALTH, row.waiting_on in WAITING_ON) == (True, True, True)
        assert row.outcome is None or row.outcome in [*RunOutcome]
        assert (row.outcome is None) is (row.state != "closed")
    assert {row.status for row in all_of(filled, STAGES)} <= {*StageStatus}
    assert {row.status for row in all_of(filled, ITEMS)} <= {*ItemStatus}


def test_every_made_up_ledger_lies_end_to_end_and_adds_up(filled: Engine) -> None:
    """And its sums are the columns of the run."""
    reads = ReadTable(filled)
    for row in all_of(filled, RUNS):
        entries = reads.ledger(row.run)
        line = reads.find(row.run)
        assert line is not None
        told = {
            side: getattr(row, f"{side}_seconds")
            for side in ("customer", "provider", "third_party", "hold", "off_hours")
        }

        assert ledger_faults(entries, line["started_at"], line["closed_at"]) == []
        assert ledger_of(entries)["by_side"] == told
        assert row.elapsed is None or sum(told.values()) == row.elapsed


def test_the_numbers_of_a_made_up_run_agree_with_its_rows(filled: Engine) -> None:
    """Counted again from the rows, by other means."""
    items, handoffs, milestones = all_of(filled, ITEMS), all_of(filled, HANDOFFS), all_of(filled, MILESTONES)
    for row in all_of(filled, RUNS):
        mine = [one for one in items if one.run == row.run]
        last = {one.item: one for one in sorted(mine, key=lambda one: one.round)}
        done = [one for one in last.values() if one.kind == "request" and one.status == "done"]
        value = [one.seconds for one in milestones if one.run == row.run and one.name == "first_value"]
        due = [one for one in mine if one.asked == "customer" and one.due_at and (one.answered_at or one.due_at < NOW)]

        assert (row.requests, row.first_pass) == (len(done), sum(one.round == 1 for one in done))
        assert row.rounds == sum(one.round - 1 for one in last.values())
        assert row.handoff_seconds == sum(one.seconds or 0 for one in handoffs if one.run == row.run)
        assert (row.time_to_first_value, row.first_value) == (value[0] if value else None, bool(value))
        assert (row.customer_due, row.customer_on_time) == (
            len(due),
            sum(bool(one.answered_at and one.answered_at <= one.due_at) for one in due),
        )
        assert row.counted_from == (row.signed_at or row.started_at)
        assert (row.live_at is not None) is (row.outcome == "live")


def test_what_waits_are_open_items_and_gates_of_open_runs(filled: Engine) -> None:
    """About three things each."""
    waiting, items = all_of(filled, WAITING), all_of(filled, ITEMS)
    states = {(row.run, row.item, row.round): row.status for row in items}
    open_runs = {row.run for row in all_of(filled, RUNS) if row.closed_at is None}

    assert {row.run for row in waiting} == open_runs
    assert all(states[row.run, row.item, row.round] in OPEN for row in waiting if row.kind == "item")
    assert {row.kind for row in waiting} == {"item", "gate"}
    assert 1.5 <= len({(row.run, row.kind, row.about) for row in waiting}) / STILL_OPEN <= 4


def test_the_same_seed_gives_the_same_run() -> None:
    """On every machine and in any order; another seed gives another one."""
    one, again, other = MadeUp(7, 1, still_open=False), MadeUp(7, 1, still_open=False), MadeUp(7, 2, still_open=False)

    assert (one.run, one.rows) == (again.run, again.rows)
    assert one.rows != other.rows
    assert [made.run["run"] for made in generate.draw(3, 2, 1)] == [made.run["run"] for made in generate.draw(3, 2, 1)]


def test_made_up_runs_never_go_among_real_ones(filled: Engine) -> None:
    """The second time is refused, and nothing is added."""
    with pytest.raises(SystemExit, match="empty one"):
        generate.fill(filled, 1, 1)
    with filled.connect() as connection:
        assert connection.execute(select(func.count()).select_from(RUNS)).scalar() == FINISHED + STILL_OPEN


def test_every_question_of_the_benchmark_has_an_answer(
    filled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is timed on both sides, shown, and kept. How long it took is nobody's claim here."""
    monkeypatch.setattr(reads, "RESULTS", tmp_path / "results")
    timings = reads.run(filled, repeats=1)
    reads.show("fifty runs", timings)
    kept = json.loads(reads.keep("some", filled, 50, timings).read_text())

    assert len(timings) == len({one.name for one in timings}) == len(kept["questions"])
    assert all(one.name in capsys.readouterr().out for one in timings[:1])
    assert all(question["ours_median_ms"] > 0 < question["plain_median_ms"] for question in kept["questions"])


def test_the_benchmark_runs_from_its_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small: it makes its own database and leaves only the results."""
    monkeypatch.setattr(reads, "RESULTS", tmp_path / "results")

    assert reads.main(["--finished", "20", "--open", "5", "--repeats", "1"]) == 0
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["sqlite-25.json"]


def test_the_story_of_the_core_is_a_whole_onboarding_that_both_machines_finish() -> None:
    """Nine and twenty events after the start: what is timed ends live, the same each time, and the plain machine has done the same."""
    told = story.tell()
    end = story.play(told)
    plain = plain_machine.play(told, plain_machine.left_out(told))

    assert (len(told.steps), end) == (29, told.end)
    assert (end.status, end.outcome) == (RunStatus.CLOSED, RunOutcome.LIVE)
    assert plain.closed
    assert len(plain.trail) == len(told.steps) + len(end.stages)
    done = [name for name, item in end.items.items() if item.status is ItemStatus.DONE]
    assert done == [name for name, item in plain.items.items() if item["status"] == "done"]


def test_the_benchmark_of_the_core_runs_from_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It times both, shows both, and keeps the figures. How long it took is nobody's claim here."""
    monkeypatch.setattr(core, "RESULTS", tmp_path / "results")

    assert core.main(["--repeats", "1"]) == 0
    kept = json.loads((tmp_path / "results" / "core.json").read_text())
    assert (kept["definition"], kept["events"]) == ("b2b-standard", 30)
    assert kept["ours_events_per_second"] > 0 < kept["plain_events_per_second"]
    assert "a plain machine" in capsys.readouterr().out
