"""worker.py as a process: it comes, is killed, comes back, is told to stop; runs notice nothing but a pause."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.damage import many_pages, overwrite
from tests.support.doors import WorkerProcess, environment_of, worker_process
from tests.support.shell import a_run, an_order, answer_all, until_closed

pytestmark = pytest.mark.live


async def test_a_killed_worker_costs_a_pause(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """kill -9 in the middle, another worker, and the run ends as it would have; every row stands once."""
    order = an_order("quick-start", customer=customer)
    queue = f"kill-{customer}"
    async with worker_process(client, dev_server.address, tmp_path, queue) as first:
        run = await a_run(client, order, queue)
        assert await answer_all(run, order, most=2) == 2
        first.process.kill()
        assert await first.ended() == -signal.SIGKILL
    async with worker_process(client, dev_server.address, tmp_path, queue) as second:
        await until_closed(run, order)
        result = await run.handle.result()
        assert await second.stop() == 0

    with sqlite3.connect(tmp_path / "rows.sqlite") as rows:
        state, trail = rows.execute("select state from runs").fetchall(), rows.execute("select n from trail").fetchall()
    rows.close()
    assert result["outcome"] == "live"
    assert state == [("closed",)]
    assert list(range(1, len(trail) + 1)) == sorted(n for (n,) in trail)
    assert "Traceback" not in second.words()


async def test_an_update_without_a_worker_is_answered_when_one_comes(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Sent while nobody works; the sender waits, and has its verdict once a worker is there."""
    order = an_order("quick-start", customer=customer)
    queue = f"none-{customer}"
    run = await a_run(client, order, queue)
    saying = asyncio.create_task(run.say("note", "n-1", actor="dana", text="Is anybody there?"))
    await asyncio.sleep(1)
    assert not saying.done()
    async with worker_process(client, dev_server.address, tmp_path, queue):
        verdict = await saying
        again = await run.say("note", "n-1", actor="dana", text="Is anybody there?")
        other = await run.say("note", "n-1", actor="dana", text="Something else.")

    assert (verdict["outcome"], again["outcome"], other["outcome"]) == ("accepted", "accepted", "conflict")
    assert other["code"] == "id_reused"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_thirty_workers_told_to_stop_end_with_0(client: Client, dev_server: DevServer, tmp_path: Path) -> None:
    """SIGTERM to a polling worker, thirty times: never an abort at the interpreter's end."""

    async def one(number: int) -> int:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with worker_process(client, dev_server.address, folder, f"stop-{number}") as worker:
            return await worker.stop(signal.SIGINT if number % 5 == 4 else signal.SIGTERM)

    codes = []
    for first in range(0, 30, 3):
        codes += await asyncio.gather(*(one(number) for number in range(first, first + 3)))
    assert codes == [0] * 30


async def test_no_server_is_69_and_a_sentence(tmp_path: Path) -> None:
    """Nothing listens on port 1; no traceback."""
    worker = WorkerProcess(tmp_path / "worker.log", environment_of("127.0.0.1:1", tmp_path, "any"))

    assert await worker.ended() == 69
    assert "starter.py dev" in worker.words()
    assert "Traceback" not in worker.words()


@pytest.mark.parametrize(
    ("settings", "arguments", "code", "word"),
    [
        ({}, ("--help",), 0, "SIGTERM"),
        ({}, ("--fast",), 64, "--help"),
        ({"ONBOARDING_TASK_QUEU": "x"}, (), 64, "ONBOARDING_TASK_QUEUE"),
        ({"ONBOARDING_DATABASE_URL": "mysql://nowhere"}, (), 64, "ONBOARDING_DATABASE_URL"),
    ],
    ids=["help", "an argument", "an unknown setting", "a bad setting"],
)
async def test_words_and_exit_codes(
    tmp_path: Path, settings: dict[str, str], arguments: tuple[str, ...], code: int, word: str
) -> None:
    """Whatever is wrong before the first poll is a sentence and a code."""
    worker = WorkerProcess(tmp_path / "worker.log", settings, *arguments)

    assert code == await worker.ended()
    assert word in worker.words()
    assert "Traceback" not in worker.words()


async def test_a_database_that_cannot_be_opened_is_69(dev_server: DevServer, tmp_path: Path) -> None:
    """A folder in the place of the file."""
    (tmp_path / "rows.sqlite").mkdir()
    worker = WorkerProcess(tmp_path / "worker.log", environment_of(dev_server.address, tmp_path, "any"))

    assert await worker.ended() == 69
    assert "Traceback" not in worker.words()


async def test_a_damaged_database_is_69_before_any_work_is_taken(dev_server: DevServer, tmp_path: Path) -> None:
    """The file opens, and a page in it is no page."""
    overwrite(many_pages(environment_of("", tmp_path, "any")["ONBOARDING_DATABASE_URL"]), 0.75)
    worker = WorkerProcess(tmp_path / "worker.log", environment_of(dev_server.address, tmp_path, "any"))

    assert await worker.ended() == 69
    assert "Restore it from a backup" in worker.words()
    assert "Traceback" not in worker.words()
