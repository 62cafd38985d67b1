"""What runs stand on goes away for a while: the database, the notifier. Verdicts keep coming, and afterwards every row and word is there once."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import make_url
from temporalio.client import Client

from onboarding.engine.effects import WriteRecords
from storage.engine import DatabaseUnavailable, open_database
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.faults.conftest import Counting
from tests.support.agreement import rows_are_history
from tests.support.clock import Clock
from tests.support.faults.bench import until
from tests.support.faults.far import FarBench, far_bench
from tests.support.faults.loops import figures, judge, settle, talking
from tests.support.faults.moody import Mood
from tests.support.faults.oplog import Told
from tests.support.faults.process import spread_of
from tests.support.faults.proxy import Fault, FaultProxy, Weather
from tests.support.faults.tiers import Tier
from tests.support.postgresql import PostgresServer
from tests.support.prompt import Prompt
from tests.support.shell import Edge, a_run, a_worker, an_order, instant

pytestmark = [pytest.mark.live, pytest.mark.timeout(1200)]

FIRST = 5.0
"""Seconds that the first verdict of a run may take without a database, on a busy machine: rows are tried for two."""


async def test_runs_go_on_while_postgresql_is_away_and_afterwards_no_row_is_missing_or_double(
    postgres: PostgresServer, tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Refused, then silent as a machine that has gone: behind a line, so that the worker keeps the address."""
    name = postgres.with_tables()
    database = make_url(name).database
    outages = tier.of([(Fault.REFUSE, 2.0), (Fault.HALF_OPEN, 3.0)], [(Fault.REFUSE, 120.0), (Fault.HALF_OPEN, 40.0)])
    with FaultProxy(postgres.folder / ".s.PGSQL.5432", seed=tier.seed) as line:
        async with far_bench(tmp_path, url=name) as bench:
            bench.settings = {"ONBOARDING_DATABASE_URL": f"postgresql://tests@127.0.0.1:{line.port}/{database}"}
            await bench.work()
            with counting("R18", "outages of the database") as trials:
                async with talking(bench, tier.seed, tier.of(8, 50)):
                    for fault, seconds in outages:
                        async with away(bench, seconds):
                            line.weather = Weather(fault=fault)
                        line.weather = Weather()
                        trials.done += 1
                await ended(bench, tier, "R18: PostgreSQL away")


async def test_runs_go_on_while_a_sqlite_file_is_held_or_the_disk_is_full(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """Another program keeps the file for longer than anybody waits; then the worker may write no file that grows."""
    async with far_bench(tmp_path) as bench:
        worker = await bench.work()
        with counting("R18-file", "outages of a database file") as trials:
            async with talking(bench, tier.seed, tier.of(8, 50)):
                async with away(bench, tier.of(6.0, 30.0)):
                    holder = sqlite3.connect(tmp_path / "rows.sqlite", timeout=10, isolation_level=None)
                    holder.execute("BEGIN IMMEDIATE")
                holder.execute("ROLLBACK")
                holder.close()
                trials.done += 1
                room = resource.getrlimit(resource.RLIMIT_FSIZE)
                async with away(bench, tier.of(4.0, 30.0)):
                    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (4_096, room[1]))
                resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, room)
                trials.done += 1
            await ended(bench, tier, "R18: SQLite held, and no room")
            assert worker.process.poll() is None


async def test_a_notifier_that_is_away_delays_words_and_nothing_else_and_each_leaves_once(
    tmp_path: Path, tier: Tier, counting: Counting
) -> None:
    """It fails, hangs and refuses in turn; deadlines pass and verdicts come meanwhile."""
    async with far_bench(tmp_path) as bench:
        await bench.work()
        with counting("R17", "outages of the notifier") as trials:
            async with talking(bench, tier.seed, tier.of(8, 50)):
                for mood in (Mood.FAILS, Mood.HANGS, Mood.REFUSES):
                    async with away(bench, tier.of(2.0, 20.0)):
                        bench.mood.write_text(mood, encoding="utf-8")
                    trials.done += 1
                bench.mood.write_text(Mood.WELL, encoding="utf-8")
            await ended(bench, tier, "R17: the notifier away")


async def test_six_hours_without_the_database_pass_and_then_every_row_of_them_is_there_once(
    client: Client, clock: Clock, tmp_path: Path
) -> None:
    """In skipped time: deadlines pass and are told, messages are judged, and rows are tried for at most once a minute."""
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    store = Away(database)
    edge = Edge(records=store, notifier=Prompt(SqlNoticeStore(database)))
    order = an_order("six-hours", customer="six-hours")
    async with a_worker(client, edge, "six-hours"):
        run = await a_run(client, order, "six-hours")
        began = instant((await run.ask("status"))["started_at"])
        store.away = True
        for hour in range(1, 7):
            await clock.advance(run.handle, began + timedelta(hours=hour, minutes=-20), retrying=True)
            assert (await run.say("note", f"n-{hour}", actor="dana", text=f"Hour {hour}"))["outcome"] == "accepted"
        written = len(ReadTable(database).trail(order.run)["rows"])
        tried, store.away = store.tried, False
        await clock.advance(run.handle, began + timedelta(hours=6, minutes=10), retrying=True)
        await rows_are_history(run, database)
        trail = ReadTable(database).trail(order.run)["rows"]
        said = [row["message_id"] for row in trail if row["message"] == "note"]
        keys = [line["key"] for line in ReadTable(database).outbox(order.run)["rows"] if "/step0/" in line["key"]]
    database.dispose()

    assert said == [f"n-{hour}" for hour in range(1, 7)]
    assert len([row for row in trail if row["code"] == "overdue"]) == len(keys) == len(set(keys)) == 3
    assert tried <= 6 * 60 + 30, "once a minute, and a few times at once where a turn is decided"
    print(
        f"R18: 6 h without the database in skipped time: {len(trail) - written} entries kept, 0 missing, 0 double, {tried} attempts"
    )


class Away(SqlRecordStore):
    """A store whose database may be away."""

    away = False
    tried = 0

    def write(self, records: WriteRecords) -> str:
        """As the store, where it is there."""
        if self.away:
            self.tried += 1
            raise DatabaseUnavailable("database_lost", "It is away.", "Wait.")
        return super().write(records)


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


async def ended(bench: FarBench, tier: Tier, what: str) -> None:
    """All is well again: what was said is looked at, and the figures are printed."""
    lived = await settle(bench, Random(tier.seed), bench.gone[-1][1])
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
