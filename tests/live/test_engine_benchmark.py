"""The benchmark of whole runs: the job is what it claims to be, and every contender carries it out to its end. Nothing is said of time."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.worker import Worker

from benchmarks.engine import __main__ as command, contenders, crowds, job, ours_worker, scenarios, written
from benchmarks.engine.repeated import Results, Sizes, measure
from integrations.letters import Letter, Reader
from onboarding.language.model import ItemKind
from runtime import library

TINY = Sizes(warm=1, runs=2, single_runs=0, open=2, answers=1, herd=2, recover=2, repeats=1, minutes=1)


def test_the_job_has_what_it_claims() -> None:
    """Seven stages, twelve inputs, five approvals, ten automated tasks, 17 messages of about 300 bytes."""
    sent = list(job.messages())

    assert (len(job.STAGES), len(job.INPUTS), len(job.APPROVALS), len(job.TASKS)) == (7, 12, 5, 10)
    assert Counter(one.name for one in sent) == {"submit": 12, "decide": 5}
    assert {one.item for one in sent} == {*job.INPUTS, *job.APPROVALS}
    assert all(250 <= len(json.dumps(one.content)) <= 350 for one in sent)


def test_the_definition_is_the_same_job(tmp_path: Path) -> None:
    """Counted in what is compiled: no fault, the stages in order, a date for each item that somebody must act on."""
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job.definition()))
    compiled = contenders.prepared_of(job.definition()).order.definition

    assert library.check_file(path) == []
    assert [stage.id for stage in compiled.stages] == [stage.id for stage in job.STAGES]
    assert Counter(item.kind for item in compiled.items) == {
        ItemKind.REQUEST: 12,
        ItemKind.APPROVAL: 5,
        ItemKind.HOOK: 10,
    }
    assert all(item.due is not None for item in compiled.items if item.kind is not ItemKind.HOOK)
    assert [stage.needs for stage in compiled.stages[1:]] == [(stage.id,) for stage in job.STAGES[:-1]]


def test_a_run_that_did_not_do_the_whole_job_is_no_figure() -> None:
    """By hand the result says each wait, duration and task; ours how it ended."""
    hand, ours = contenders.contender(contenders.LOCAL), contenders.contender(contenders.OURS)
    whole = {
        "waited": dict.fromkeys(job.INPUTS, 1.0), "took": {stage.id: 2.0 for stage in job.STAGES}, "done": [*job.TASKS], "late": [],
    }  # fmt: skip

    assert hand.has_done(whole)
    assert not any(
        hand.has_done({**whole, **less}) for less in ({"waited": {}}, {"took": {}}, {"done": []}, {"late": ["data"]})
    )
    assert (ours.has_done({"outcome": "live"}), ours.has_done({"outcome": "cancelled"})) == (True, False)


def test_a_percentile_is_never_the_largest_value() -> None:
    """It is left out where there are too few."""
    assert set(scenarios.spread_of([0.1] * 19)) == {"p50_ms"}
    assert scenarios.spread_of([n / 1_000 for n in range(1, 21)])["p95_ms"] == 19
    assert scenarios.spread_of([n / 1_000 for n in range(1, 100)]).keys() == {"p50_ms", "p95_ms"}
    assert scenarios.spread_of([n / 1_000 for n in range(1, 101)])["p99_ms"] == 99


def test_the_memory_of_a_run_is_counted_over_those_in_the_cache() -> None:
    """Neither worker says how many that are, so it is the SDK's own number."""
    assert inspect.signature(Worker).parameters["max_cached_workflows"].default == crowds.CACHE


async def test_an_escalation_that_leaves_twice_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time is a line; other letters are none."""
    monkeypatch.setattr(ours_worker.Lines, "file", tmp_path / "lines.txt", raising=False)
    letter = Letter(key="k", reader=Reader(handle="lead"), kind="escalation", run="r", item="i", subject="s", text="t")
    for one in (letter, letter, replace(letter, kind="ask")):
        await ours_worker.Lines().send(one)

    assert (tmp_path / "lines.txt").read_text() == "r\nr\n"


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("name", contenders.ALL)
async def test_runs_of_every_contender_end(name: str) -> None:
    """With the whole job done (12 waits, 7 durations, 10 tasks by hand), and what they have caused over; every figure is there."""
    figures = (await measure(name, "load", TINY))["load, 16 messages in flight"]

    assert figures["runs"] == 2
    assert min(figures["runs_per_second"], figures["p50_ms"], figures["server_cpu_ms"]) > 0
    assert figures["p50_ms"] <= figures["p95_ms"]


@pytest.mark.live
@pytest.mark.slow
async def test_open_runs_are_counted_and_answer() -> None:
    """With what each of them takes on the disk."""
    figures = (await measure(contenders.OURS, "open", TINY))["open"]

    assert figures["starts_per_second"] > 0
    assert min(figures["server_disk_kib"], figures["rows_disk_kib"], figures["p50_ms"]) > 0
    assert "p95_ms" not in figures


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("name", [contenders.LOCAL, contenders.OURS])
async def test_each_deadline_of_a_herd_is_told_once(name: str) -> None:
    """By the reference, too."""
    figures = (await measure(name, "herd", TINY))["herd"]

    assert (figures["runs"], figures["told_twice"]) == (2, 0)
    assert figures["escalations_per_second"] > 0


@pytest.mark.live
@pytest.mark.slow
async def test_another_worker_answers_what_a_killed_one_left() -> None:
    """Every run of it."""
    figures = (await measure(contenders.OURS, "recover", TINY))["recover"]

    assert figures["seconds"] >= figures["first_seconds"] > 0


def test_a_ratio_is_that_of_each_round() -> None:
    """Not that of the medians: two rounds on a machine that was busy in one of them still agree."""
    results = Results(count=2)
    for reference, ours in ((10.0, 8.0), (5.0, 4.0)):
        results.add(contenders.REFERENCE, {"load": {"runs_per_second": reference}})
        results.add(contenders.OURS, {"load": {"runs_per_second": ours}})
    figure = results.shape()["load"][contenders.OURS]["runs_per_second"]

    assert (figure["median"], figure["least"], figure["most"]) == (6.0, 4.0, 8.0)
    assert (figure["ratio"], figure["ratio_least"], figure["ratio_most"]) == (0.8, 0.8, 0.8)
    assert "| runs a second | 7.50 (5 to 10) | 6 (4 to 8), 0.80 × |" in written.tables(results)


@pytest.mark.live
@pytest.mark.slow
def test_it_runs_from_its_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints a table, leaves JSON and Markdown with the state of the machine, and nothing else."""
    monkeypatch.setattr(written, "FOLDER", tmp_path / "results")
    words = ["--only", "load", "--contenders", "hand-local", "--repeats", "1", "--runs", "1", "--single-runs", "0"]

    assert command.main(words) == 0
    told = json.loads((tmp_path / "results" / "engine-short.json").read_text())
    assert (told["rounds"], told["failed"]) == (1, [])
    assert told["machine"]["server"].startswith("server 1.")
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"engine-short.json", "engine-short.md"}
