"""What an installation needs for so many open runs: arithmetic on what one run was measured to cost, with every assumption in the output.

    python -m benchmarks.engine.capacity                          # 1,000, 100,000 and 10 million open runs
    python -m benchmarks.engine.capacity --open 50000 --days 30 --peak 20
    python -m benchmarks.engine.capacity --results benchmarks/results/growth.json

The cost of a run is taken from a file of results where one is named, else from the arguments, whose defaults were measured on two cores
that others used as well. It is a plan and no promise: measure again on the machines that will do the work.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

_DAY: Final = 86_400
_KIB: Final = 1_024
OPEN: Final = (1_000, 100_000, 10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run takes from its start to its end. CPU in milliseconds, sizes in KiB.

    The defaults were measured on two slow cores that others used as well: CPU is rather too high than too low. `growth` measures yours.
    """

    worker_ms: float = 900.0
    """Of the worker, while the run is in its cache."""
    server_ms: float = 370.0
    """Of the Temporal server, its database included."""
    replay_ms: float = 150.0
    """Of the worker, to read a run again that has left its cache, half way through its history."""
    events: float = 187.0
    tasks: float = 34.0
    """What is handed to workers: workflow tasks and activities."""
    history_kib: float = 83.0
    rows: float = 124.0
    rows_kib: float = 72.0
    """In our own tables, indexes included."""
    cached_kib: float = 300.0
    """Memory of the worker for a run in its cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How the installation is used."""

    open: int
    days: float = 60.0
    """From the start of a run to its end."""
    messages: float = 17.0
    peak: float = 10.0
    """The busiest minutes against the mean of all days: nights, weekends, and deadlines that fall on one hour."""
    retention_days: float = 30.0
    """How long the server keeps the history of a closed run."""
    kept_days: float = 3 * 365.0
    """How long our own rows are kept."""
    cache: int = 1_000
    """Runs that a worker process keeps in memory: the SDK's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is assumed of machines and of the Temporal server; the sources stand in `SOURCES`."""

    busy: float = 0.5
    """Share of a core that is planned with: the other half is for a peak above the peak, and for a machine that is gone."""
    write_ms: float = 5.0
    """A transaction of the server's database."""
    shard_busy: float = 0.1
    """Share of the time that a shard may write: one that writes half of the time makes everybody wait."""
    runs_of_shard: int = 10_000
    least_shards: int = 512
    growth: int = 4
    """How many times as many runs there may be one day: shards cannot be added later."""
    tasks_of_partition: float = 100.0
    """Tasks a second of one partition of a task queue."""
    one_database: float = 5_000.0
    """Writes a second up to which one PostgreSQL is planned with."""
    one_database_gib: float = 500.0
    """What such a database may hold, so that it can still be copied and restored within hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What it comes to, at the peak. Sizes in GiB."""

    open: int
    runs_per_second: float
    messages_per_second: float
    events_per_second: float
    cached_share: float
    worker_cores: int
    workers: int
    worker_memory_gib: float
    server_cores: int
    shards: int
    partitions: int
    history_gib: float
    rows_million: float
    rows_gib: float
    server_database: str
    rows_database: str


def need(cost: Cost, use: Use, machine: Machine) -> Need:
    """The arithmetic. A run in its middle has half of its history; a message to a run that is in no cache costs a replay."""
    per_second = use.open / (use.days * _DAY)
    peak = per_second * use.peak
    # Two rounds are enough: more workers hold more runs, which then need no replay.
    workers, cached = 2, 0.0
    for _ in range(2):
        cached = min(1.0, workers * use.cache / use.open)
        cores = peak * (cost.worker_ms + (1 - cached) * use.messages * cost.replay_ms) / 1_000 / machine.busy
        workers = max(2, math.ceil(cores))
    events = peak * cost.events
    closed = per_second * _DAY * use.retention_days
    kept = use.open + per_second * _DAY * use.kept_days
    history, rows = (use.open / 2 + closed) * cost.history_kib / _KIB**2, kept * cost.rows_kib / _KIB**2
    one = events <= machine.one_database and history <= machine.one_database_gib
    return Need(
        open=use.open, runs_per_second=peak, messages_per_second=peak * use.messages, events_per_second=events, cached_share=cached,
        worker_cores=max(2, math.ceil(cores)), workers=workers,
        worker_memory_gib=min(use.open, workers * use.cache) * cost.cached_kib / _KIB**2,
        server_cores=max(2, math.ceil(peak * cost.server_ms / 1_000 / machine.busy)),
        shards=shards(use.open, events, machine),
        partitions=max(4, math.ceil(peak * cost.tasks / machine.tasks_of_partition)),
        history_gib=history, rows_million=kept * cost.rows / 1_000_000, rows_gib=rows,
        server_database="PostgreSQL" if one else "Cassandra, or MySQL in several parts",
        rows_database=_of_rows(use.open, rows, machine),
    )  # fmt: skip


def _of_rows(open_runs: int, gib: float, machine: Machine) -> str:
    if gib > machine.one_database_gib:
        return "PostgreSQL, its tables in parts by month, or rows kept for less long"
    return "SQLite or PostgreSQL" if open_runs <= 1_000 else "PostgreSQL"


def shards(open_runs: int, events_per_second: float, machine: Machine) -> int:
    """A power of two that is enough for the writes and for the runs, with room to grow."""
    by_writes = events_per_second * machine.write_ms / 1_000 / machine.shard_busy
    by_runs = open_runs / machine.runs_of_shard
    wanted = machine.growth * max(by_writes, by_runs)
    return max(machine.least_shards, 1 << math.ceil(math.log2(max(wanted, 1))))


SOURCES: Final = (
    (
        "The number of history shards is set once, before the first run, and not changed afterwards; only one operation at a time runs in a "
        "shard; clusters have run with 1 to 128 K shards, each with tens of thousands of runs (Temporal documentation, What is a History Shard)."
    ),
    (
        "512 shards are the default of the Helm chart of Temporal; for 500 starts and 1,000 signals a second its makers advised 4 K shards, five "
        "hosts of Cassandra with 16 cores each, and Elasticsearch for visibility (community.temporal.io/t/556)."
    ),
    (
        "What a shard writes is written one after the other, so that its throughput is one over the time of a write (PlanetScale, Temporal workflows "
        "at scale, part 2, 2022). A larger number of shards later means a second cluster and replication to it (community.temporal.io/t/15533)."
    ),
    (
        "A task queue has 4 partitions unless told otherwise (community.temporal.io/t/6909); a frontend host takes 2,400 requests a second "
        "(`frontend.rps`, Temporal documentation, dynamic configuration)."
    ),
    (
        "Assumed here, and to be measured on the machines in question: the time of a write, tasks a second of a partition, the writes that one "
        "PostgreSQL takes, one write for each event of a history (there are fewer: a workflow task writes several at once)."
    ),
)
_WORDS: Final[Mapping[str, str]] = {
    "runs_per_second": "runs begun a second, at the peak", "messages_per_second": "messages a second, at the peak",
    "events_per_second": "events of histories a second, at the peak", "cached_share": "open runs in the cache of a worker",
    "worker_cores": "cores for workers", "workers": "worker processes, one core each", "worker_memory_gib": "memory of their caches, GiB",
    "server_cores": "cores for the Temporal server and its database", "shards": "history shards", "partitions": "partitions of the task queue",
    "history_gib": "histories, GiB", "rows_million": "our rows, millions", "rows_gib": "our rows, GiB", "server_database": "database of the server",
    "rows_database": "database of our rows",
}  # fmt: skip


def table(needs: Sequence[Need]) -> str:
    """Markdown: a column for each size."""
    lines = [f"| open runs | {' | '.join(f'{one.open:,}' for one in needs)} |", "|---" * (len(needs) + 1) + "|"]
    lines += [f"| {words} | {' | '.join(_cell(name, getattr(one, name)) for one in needs)} |" for name, words in _WORDS.items()]  # fmt: skip
    return "\n".join(lines)


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name == "cached_share":
        return f"{value:.2%}" if value < 0.01 else f"{value:.0%}"
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.01 else f"{value:.4f}"


def assumed(cost: Cost, use: Use, machine: Machine, taken_from: str) -> str:
    """Every number that went in, and where it is from."""
    lines = [f"Cost of a run ({taken_from}): {_told(cost)}.", f"Use: {_told(use, 'open')}.", f"Machines: {_told(machine)}."]  # fmt: skip
    return "\n".join(f"- {line}" for line in (*lines, *SOURCES))


def _told(values: Any, *but: str) -> str:
    names = [one.name for one in fields(values) if one.name not in but]
    return ", ".join(f"{name} {getattr(values, name):,g}" for name in names)


def cost_of(results: Mapping[str, Any], cost: Cost) -> Cost:
    """The same with what a file of results knows of it. Raises `ValueError` for a file that knows nothing."""
    known = results.get("cost_of_a_run", {})
    taken = {one.name: float(known[one.name]) for one in fields(Cost) if known.get(one.name) is not None}
    if not taken:
        raise ValueError("it has no `cost_of_a_run`: python -m benchmarks.engine.growth writes one")
    return replace(cost, **taken)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.engine.capacity", description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    words.add_argument("--open", type=int, action="append", metavar="N", help="open runs; may be repeated")
    words.add_argument("--results", type=Path, metavar="FILE", help="what `benchmarks.engine.growth` has written")
    for kind in (Cost, Use, Machine):
        for one in fields(kind):
            if one.name != "open":
                words.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), metavar="X", help=f"{one.default:,g} unless told")  # fmt: skip
    chosen = vars(words.parse_args(arguments))
    given = {name: value for name, value in chosen.items() if value is not None}
    cost, taken_from = Cost(), "measured on two busy cores"
    if "results" in given:
        try:
            cost = cost_of(json.loads(given["results"].read_text()), cost)
        except (OSError, ValueError, TypeError) as why:
            words.error(f"{given['results']} cannot be used: {why}")
        taken_from = f"from {given['results'].name} where that knows it"
    cost = replace(cost, **_of(Cost, given))
    machine, sizes = Machine(**_of(Machine, given)), given.get("open", OPEN)
    uses = [Use(open=max(1, size), **_of(Use, given)) for size in sizes]
    print(table([need(cost, use, machine) for use in uses]))
    print(f"\nAssumed:\n{assumed(cost, uses[0], machine, taken_from)}")
    return 0


def _of(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: given[one.name] for one in fields(kind) if one.name in given and one.name != "open"}


if __name__ == "__main__":
    sys.exit(main())
