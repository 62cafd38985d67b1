"""From one release to the next and back with runs in the middle: two programs, side by side and one after the other."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from onboarding.engine import rules
from onboarding.engine.state import StartOrder
from runtime.devserver import DevServer
from storage.engine import open_database
from storage.read_table import ReadTable
from tests.support.builds import next_build
from tests.support.doors import environment_of, worker_process
from tests.support.shell import ROOT, Run, a_run, an_order, answer_all

pytestmark = [pytest.mark.live, pytest.mark.timeout(1_200)]

AT_ONCE = 8
NEXT = rules.NEWEST + 1


class Travellers:
    """Runs in the middle, some with the rules of this release, some with those of the next."""

    def __init__(self, client: Client, queue: str, customer: str) -> None:
        self.client, self.queue, self.customer = client, queue, customer
        self.all: list[tuple[Run, StartOrder]] = []
        self._numbers = itertools.count()
        self._few = asyncio.Semaphore(AT_ONCE)

    async def start(self, count: int, version: int) -> None:
        """So many more, with these rules."""
        for _ in range(count):
            told = an_order("reference", customer=f"{self.customer}-{next(self._numbers)}")
            order = replace(told, rules_version=version)
            self.all.append((await a_run(self.client, order, self.queue), order))

    async def settle(self, most: int, *, up_to: int = NEXT) -> None:
        """So many items more are settled in each run with rules up to these."""
        wanted = [one for one in self.all if one[1].rules_version <= up_to]
        await asyncio.gather(*(self._settle(run, order, most) for run, order in wanted))

    async def _settle(self, run: Run, order: StartOrder, most: int) -> None:
        async with self._few:
            for attempt in range(10):
                try:
                    await answer_all(run, order, most=most)
                    return
                except RPCError:  # between two workers; a sender says it again
                    assert attempt < 9
                    await asyncio.sleep(1)


async def test_runs_in_the_middle_of_an_upgrade_and_of_the_way_back_all_end_well(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str, request: pytest.FixtureRequest
) -> None:
    """This release, both side by side, the next one, back, and the next one again; each run ends as its definition says."""
    count = 20 if request.config.getoption("--tier", default="C") == "C" else 200
    queue = f"upgrade-{customer}"
    coming = await asyncio.to_thread(next_build, tmp_path / "next")
    runs = Travellers(client, queue, customer)

    def worker(build: Path) -> Any:
        return worker_process(client, dev_server.address, tmp_path, queue, build=build)

    async with worker(ROOT) as old:
        await runs.start(count // 2, rules.NEWEST)
        await runs.settle(4)
        async with worker(coming) as new:  # rolling: both, while runs still begin with the rules of before
            await runs.start(count // 4, rules.NEWEST)
            await runs.settle(4)
            await old.stop()
            await runs.start(count - len(runs.all), NEXT)
            await runs.settle(4)
            await new.stop()
    waiting = [run for run, order in runs.all if order.rules_version == NEXT]
    async with worker(ROOT) as old:  # back: what began before goes on, what began after waits and loses nothing
        await runs.settle(4, up_to=rules.NEWEST)
        for run in waiting:
            await run.signal("note", {"message_id": "while-back", "actor": "dana", "text": "Still there?"})
        await old.stop()
    async with worker(coming):
        await runs.settle(1_000)
        results = await asyncio.gather(*(asyncio.wait_for(run.handle.result(), 120) for run, _ in runs.all))

    well = sum(result["outcome"] == "live" for result in results)
    print(f"R25: {well} of {count} runs ended well across an upgrade, the way back and the upgrade again")
    assert well == count
    assert waiting
    await _rows_say_the_same(tmp_path, runs, waiting)


async def _rows_say_the_same(folder: Path, runs: Travellers, waiting: list[Run]) -> None:
    database = open_database(f"sqlite:///{folder / 'rows.sqlite'}")
    try:
        reads = ReadTable(database)
        for run, _ in runs.all:
            row = reads.find(run.handle.id)
            assert row is not None
            assert (row["state"], row["outcome"]) == ("closed", "live")
        for run in waiting:
            heard = [row["message_id"] for row in reads.trail(run.handle.id)["rows"]]
            assert heard.count("while-back") == 1, "said while its release was away, and heard when that was back"
    finally:
        database.dispose()


async def test_a_build_is_asked_about_open_runs_before_it_is_deployed(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """A next release that asks for the rules of a run may come; one that forgets is named with the event at which it breaks."""
    queue = f"asked-{customer}"
    runs = Travellers(client, queue, customer)
    async with worker_process(client, dev_server.address, tmp_path, queue):
        await runs.start(3, rules.NEWEST)
        await runs.settle(4)
    names = {run.handle.id for run, _ in runs.all}
    verdicts = []
    for build in (
        ROOT,
        next_build(tmp_path / "guarded"),
        next_build(tmp_path / "unguarded", guarded=False),
    ):
        code, answer = await asyncio.to_thread(check_open, dev_server.address, tmp_path, queue, build)
        mine = [row for row in answer["rows"] if row["run"] in names]
        assert len(mine) == 3
        verdicts.append({row["verdict"] for row in mine})
        if mine[0]["verdict"] == "breaks":
            assert code == 65
            assert all(row["event"] and "TMPRL1100" in row["why"] for row in mine), mine

    assert verdicts == [{"replays"}, {"replays"}, {"breaks"}]


def check_open(address: str, folder: Path, queue: str, build: Path) -> tuple[int, dict[str, Any]]:
    """`starter.py check-replay --open` of a build."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARDING_", "TEMPORAL_"))}
    done = subprocess.run(
        [sys.executable, str(build / "starter.py"), "check-replay", "--open", "-o", "json"],
        capture_output=True, timeout=300, check=False, cwd=folder, env={**clean, **environment_of(address, folder, queue)},
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)
