"""What runs stand on goes away for a while: the database, the notifier. Verdicts keep coming, and afterwards every row and word is there once."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import make_url

from tests.faults.conftest import Counting
from tests.support.faults.bench import until
from tests.support.faults.far import FarBench, far_bench
from tests.support.faults.loops import Talk, figures, judge, settle
from tests.support.faults.moody import Mood
from tests.support.faults.oplog import Told
from tests.support.faults.proxy import Fault, FaultProxy, Weather
from tests.support.faults.said import spread_of
from tests.support.faults.tiers import Tier
from tests.support.postgresql import PostgresServer

pytestmark = [pytest.mark.live, pytest.mark.timeout(1200)]

FIRST = 5.0
"""Seconds that the first verdict of a run may take without a database, on a busy machine: rows are tried for two."""


async def test_runs_go_on_while_postgresql_is_away_and_afterwards_no_row_is_missing_or_double(
    postgres: PostgresServer, tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Refused, then silent as a machine that has gone: behind a line, so that the worker keeps the address."""
    name = postgres.with_tables()
    database = make_url(name).database
    outages = tier.of([(Fault.REFUSE, 3.0), (Fault.HALF_OPEN, 3.0)], [(Fault.REFUSE, 120.0), (Fault.HALF_OPEN, 40.0)])
    with FaultProxy(postgres.folder / ".s.PGSQL.5432", seed=tier.seed) as line:
        async with far_bench(tmp_path, url=name) as bench:
            bench.settings = {"ONBOARDING_DATABASE_URL": f"postgresql://tests@127.0.0.1:{line.port}/{database}"}
            await bench.work()
            with counting("R18", "outages of the database") as trials:
                talk = Talk(bench, tier.seed)
                await talk.begin(tier.of(8, 50))
                for fault, seconds in outages:
                    async with away(bench, seconds):
                        line.weather = Weather(fault=fault)
                    line.weather = Weather()
                    trials.done += 1
                await ended(bench, talk, tier, "R18: PostgreSQL away")


async def test_runs_go_on_while_a_sqlite_file_is_held_or_the_disk_is_full(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Another program keeps the file for longer than anybody waits; then the worker may write no file that grows."""
    async with far_bench(tmp_path) as bench:
        worker = await bench.work()
        with counting("R18-file", "outages of a database file") as trials:
            talk = Talk(bench, tier.seed)
            await talk.begin(tier.of(8, 50))
            async with away(bench, tier.of(6.0, 60.0)):
                holder = sqlite3.connect(tmp_path / "rows.sqlite", timeout=10, isolation_level=None)
                holder.execute("BEGIN IMMEDIATE")
            holder.execute("ROLLBACK")
            holder.close()
            trials.done += 1
            room = resource.getrlimit(resource.RLIMIT_FSIZE)
            async with away(bench, tier.of(4.0, 60.0)):
                resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (4_096, room[1]))
            resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, room)
            trials.done += 1
            await ended(bench, talk, tier, "R18: SQLite held, and no room")
            assert worker.process.poll() is None


async def test_a_notifier_that_is_away_delays_words_and_nothing_else_and_each_leaves_once(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """It fails, hangs and refuses in turn; deadlines pass and verdicts come meanwhile."""
    async with far_bench(tmp_path) as bench:
        await bench.work()
        with counting("R17", "outages of the notifier") as trials:
            talk = Talk(bench, tier.seed)
            await talk.begin(tier.of(8, 50))
            for mood in (Mood.FAILS, Mood.HANGS, Mood.REFUSES):
                async with away(bench, tier.of(3.0, 40.0)):
                    bench.mood.write_text(mood, encoding="utf-8")
                trials.done += 1
            bench.mood.write_text(Mood.WELL, encoding="utf-8")
            await ended(bench, talk, tier, "R17: the notifier away")


@asynccontextmanager
async def away(bench: FarBench, seconds: float) -> AsyncIterator[None]:
    """The block takes something away; then people go on talking for so long, and somebody is told yes all the time."""
    yield
    gone = time.monotonic()
    while time.monotonic() < gone + seconds:
        since = time.monotonic()

        async def heard(since: float = since) -> bool:
            return bench.log.first_ok_after(since) is not None

        await until(heard, FIRST + seconds / 10, "somebody is told yes")
    bench.gone.append((gone, time.monotonic()))


async def ended(bench: FarBench, talk: Talk, tier: Tier, what: str) -> None:
    """All is well again: what was said is looked at, and the figures are printed."""
    well = time.monotonic()
    await talk.end()
    lived = await settle(bench, Random(tier.seed), well)
    evidence = await judge(bench, repeats=0)
    during = [
        attempt.answered_at - attempt.asked_at
        for one in bench.log.operations
        for attempt in one.attempts
        if one.via == "update"
        and attempt.told is not Told.UNKNOWN
        and any(a < attempt.asked_at < b for a, b in bench.gone)
    ]
    rows = sum(len(one.trail) for one in evidence)
    seconds = sum(b - a for a, b in bench.gone)
    print(
        f"{what} for {seconds:.0f} s: {figures(bench)}; {rows} entries of trails, 0 missing, 0 double; "
        f"{len(during)} verdicts meanwhile: {spread_of(during)}; all answer {lived:.1f} s after it"
    )
    assert during, "verdicts came meanwhile"
