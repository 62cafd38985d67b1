"""What an installation needs is arithmetic: it can be counted again by hand, and nothing goes in that is not told."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmarks.engine import capacity, growth, job
from benchmarks.engine.capacity import Cost, Machine, Use, need, shards

COST = Cost(
    worker_ms=100,
    server_ms=200,
    replay_ms=10,
    events=200,
    tasks=50,
    history_kib=64,
    rows=40,
    rows_kib=32,
    cached_kib=256,
)
USE = Use(open=864_000, days=10, messages=20, peak=10, retention_days=30, kept_days=365, cache=1_000)
"""One run begins each second in the mean, ten at the peak."""
MACHINE = Machine(busy=0.5)


def test_a_peak_is_so_many_times_the_mean() -> None:
    """Each run that is open begins once in its length."""
    found = need(COST, USE, MACHINE)

    assert (found.runs_per_second, found.messages_per_second, found.events_per_second) == (10, 200, 2_000)


def test_workers_do_what_runs_cost_and_read_again_what_no_cache_holds() -> None:
    """Ten runs a second of 100 ms, and nearly each of 200 messages reads a run again for 10 ms: six cores of which half is planned with."""
    found = need(COST, USE, MACHINE)
    few = need(COST, replace(USE, open=1_000), MACHINE)

    assert found.cached_share == pytest.approx(6_000 / 864_000)
    assert found.workers == found.worker_cores == 6
    assert (few.cached_share, few.workers) == (1.0, 2)
    assert found.worker_memory_gib == pytest.approx(6_000 * 256 / 1_024**2)


def test_the_server_does_what_runs_cost_it() -> None:
    """Ten runs a second of 200 ms, of half a core each."""
    assert need(COST, USE, MACHINE).server_cores == 4
    assert need(replace(COST, server_ms=2_000), USE, MACHINE).server_cores == 40


@pytest.mark.parametrize(
    ("open_runs", "events", "expected"),
    [(1, 0.001, 512), (1_000_000, 10, 512), (10_000_000, 10, 4_096), (1_000, 8_000, 2_048), (10_240_000, 10, 4_096)],
)
def test_shards_are_a_power_of_two_with_room_for_writes_and_runs(open_runs: int, events: float, expected: int) -> None:
    """As many as whichever of both asks for more, four times over, because no shard is ever added."""
    assert shards(open_runs, events, MACHINE) == expected


def test_databases_hold_open_and_closed_runs() -> None:
    """An open one has half of its history; a closed one stays as long as it is kept."""
    found = need(COST, USE, MACHINE)

    assert found.history_gib == pytest.approx((432_000 + 86_400 * 30) * 64 / 1_024**2)
    assert found.rows_million == pytest.approx((864_000 + 86_400 * 365) * 40 / 1e6)
    assert found.server_database == "PostgreSQL"
    assert need(COST, replace(USE, open=86_400_000), MACHINE).server_database.startswith("Cassandra")
    assert need(COST, replace(USE, open=500), MACHINE).rows_database == "SQLite or PostgreSQL"


def test_more_of_anything_never_needs_less() -> None:
    """Up to ten million."""
    found = [need(Cost(), Use(open=10**power), Machine()) for power in range(8)]
    for name in ("workers", "server_cores", "shards", "partitions", "history_gib", "rows_gib"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values)


def test_every_number_that_went_in_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that somebody gave."""
    assert capacity.main(["--open", "100000", "--peak", "21", "--worker-ms", "77"]) == 0
    told = capsys.readouterr().out

    assert "| open runs | 100,000 |" in told
    assert "peak 21" in told
    assert "worker_ms 77" in told
    assert all(one.name in told for kind in (Cost, Machine) for one in fields(kind))
    assert all(source in told for source in capacity.SOURCES)


def test_the_cost_of_a_run_is_taken_from_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What they do not know stays as it is; a file that knows nothing is refused."""
    figures = dict.fromkeys(growth.WORDS, 12.5)
    known, other = tmp_path / "growth.json", tmp_path / "doors.json"
    known.write_text(json.dumps(growth.shape_of_results({growth.USUAL: [figures]})))
    other.write_text("{}")

    assert capacity.main(["--results", str(known)]) == 0
    assert "worker_ms 12.5" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        capacity.main(["--results", str(other)])
    assert "growth writes one" in capsys.readouterr().err


# The shapes of `growth` ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [growth.USUAL, *growth.ITEMS, *growth.STAGES, *growth.CORRECTED], ids=lambda shape: shape.name
)
def test_a_shape_has_what_it_says(shape: growth.Shape) -> None:
    """So many stages and items; every message has an id of its own, and a correction is two more of them."""
    parts, messages = shape.parts(), shape.messages()
    plain = len([*job.messages(parts)])

    assert len(parts) == shape.stages
    assert sum(len(part.inputs) + len(part.tasks) + (part.approval is not None) for part in parts) == shape.items
    assert len(messages) == plain + 2 * shape.corrections
    assert len({one.content["message_id"] for one in messages}) == len(messages)
    growth.Shaped(shape).prepare()


def test_figures_are_compared_to_those_of_their_own_round() -> None:
    """A machine that was twice as slow in one round was so for both."""
    usual = [dict.fromkeys(growth.WORDS, value) for value in (1.0, 2.0)]
    twice = [dict.fromkeys(growth.WORDS, value) for value in (2.0, 4.0)]

    assert growth.table({growth.USUAL: usual, growth.ITEMS[0]: twice}).count("(2.00 ×)") == len(growth.WORDS)
