"""A restore beside runs that went on: what was accepted up to the copy is there, and every difference is named or mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from tests.support.calls import Answer, Door
from tests.support.doors import environment_of, worker_process

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

DATA = Path(__file__).parent / "data"
QUEUE = "restoring"
_KEYS = count(1)


@pytest.fixture(scope="module")
async def dev_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    """A server of its own: every open run on it is asked to mend its rows, and those of other tests have no worker."""
    async with DevServer(tmp_path_factory.mktemp("restoring"), time_skipping=True) as server:
        yield server
    await asyncio.sleep(0.2)  # as the server of the whole suite


@pytest.fixture(scope="module")
async def client(dev_server: DevServer) -> Client:
    """A client of it."""
    return await client_of(dev_server)


async def beside(cli: Door, *words: str | Path) -> Answer:
    """Calls are processes; the loop goes on meanwhile."""
    return await asyncio.to_thread(cli, *words)


async def started(cli: Door) -> str:
    """A run; its name."""
    words = (
        DATA / "every-message.yaml",
        "--customer",
        f"res-{next(_KEYS)}",
        "--input",
        DATA / "every-message.input.yaml",
    )
    answer = await beside(cli, "start", *words, "--actor", "lena")
    assert answer.code == 0, answer.err
    run: str = answer.data["run"]
    return run


async def say(client: Client, run: str, name: str, **content: Any) -> None:
    """A message that is accepted."""
    number = f"m{next(_KEYS)}"
    verdict = await client.get_workflow_handle(run).execute_update(
        name, {"message_id": number, "actor": "lena", **content}, id=number
    )
    assert verdict["outcome"] == "accepted"


async def test_a_restore_loses_nothing_up_to_the_copy_and_the_rest_is_named(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """Runs that went on, one that closed since, one that began since, one that did both; all bring their rows again when they are asked."""
    cli = Door(tmp_path, **environment_of(dev_server.address, tmp_path, QUEUE))
    acked = 0
    async with worker_process(client, dev_server.address, tmp_path, QUEUE):
        idle, busy, ended, closed = [await started(cli) for _ in range(4)]
        for run in (idle, busy, ended, closed):
            await say(client, run, "note", text="Before the copy.")
            acked += 1
        await say(client, closed, "cancel", reason="It ended before the copy.")
        await client.get_workflow_handle(closed).result()
        acked += 1
        copied = await beside(cli, "backup", "copy.sqlite")
        assert (copied.code, copied.data["runs"]) == (0, 4)
        for run in (idle, busy, ended):
            await say(client, run, "note", text="After the copy.")
        await say(client, ended, "cancel", reason="It ended after the copy.")
        await client.get_workflow_handle(ended).result()
        young, short = await started(cli), await started(cli)
        await say(client, short, "cancel", reason="It began and ended after the copy.")
        await client.get_workflow_handle(short).result()
        held = await beside(cli, "restore", "copy.sqlite")
        assert (held.code, "Stop the workers" in held.err) == (75, True)

    mine = (idle, busy, ended, closed, young, short)
    restored = await beside(cli, "restore", "copy.sqlite")
    assert restored.code == 0, restored.err
    exported = await beside(cli, "export", "trail", "-o", "jsonl")
    kept = sum('"message":"note"' in line or '"message":"cancel"' in line for line in exported.lines)

    async with worker_process(client, dev_server.address, tmp_path, QUEUE):
        listed = await beside(cli, "reconcile", "-o", "json")
        named = {row["run"] for row in listed.data["rows"] if row["run"] in mine}
        assert (listed.code, named) == (21, {idle, busy, ended, young, short})
        await say(client, busy, "note", text="Its next turn.")
        mended = await beside(cli, "reconcile", "--mend", "-o", "json")
        left = {row["run"] for row in mended.data["rows"] if row["run"] in mine}
        chains = [(await beside(cli, "trail", "verify", run)).code for run in mine]

    lost = acked - kept
    print(f"R26: {acked} inputs acknowledged before the copy, {lost} lost; 5 of 5 runs that differ are named, 5 mended")
    assert lost == 0
    assert left == set(), mended.out
    assert chains == [0] * 6
