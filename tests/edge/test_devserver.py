"""The development server: found, started, healthy, stopped, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from runtime import temporal_cli
from runtime.devserver import DevServer, client_of
from runtime.errors import DevServerFailed, NoTemporalBinary
from runtime.search_attributes import SEARCH_ATTRIBUTES, ensure_search_attributes
from runtime.settings import ROOT
from runtime.temporal_cli import explain, find_cli
from tests.support.clock import Clock
from tests.support.sleeper import Sleeper


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where there is no init process, an orphan that has ended stays as a zombie.
    about = Path(f"/proc/{pid}/stat")
    try:
        return about.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc").exists()


def a_binary(folder: Path, says: str) -> Path:
    """An executable named `temporal` that answers every call with `says`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "temporal"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which no step finds anything; the SDK cannot download either."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    monkeypatch.setattr(temporal_cli.sysconfig, "get_path", lambda _: str(scripts))

    async def no_network(_: Path) -> None:
        raise RuntimeError("failed to download")

    monkeypatch.setattr(temporal_cli, "_download", no_network)
    return {"PATH": str(tmp_path / "path"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


NEW = "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"
OLD = "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"


@pytest.mark.live
async def test_a_healthy_server_has_our_search_attributes_and_a_ui(dev_server: DevServer, client: Client) -> None:
    """What the context manager hands out can be used at once."""
    checks = await ensure_search_attributes(client)
    with urllib.request.urlopen(str(dev_server.ui_url), timeout=10) as page:
        status = page.status

    assert [True] * len(SEARCH_ATTRIBUTES) == [check.ok for check in checks]
    assert status == 200


@pytest.mark.live
async def test_a_missing_attribute_is_seen_and_registered_and_a_wrong_type_is_only_seen(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers ok to a second registration with another type and changes nothing."""
    monkeypatch.setattr("runtime.search_attributes.SEARCH_ATTRIBUTES", {"Spare": "Double", "OnboardingAsks": "Text"})

    before = await ensure_search_attributes(client)
    after = await ensure_search_attributes(client, fix=True)

    assert [check.found for check in before] == [None, "Int"]
    assert [(check.ok, check.added) for check in after] == [(True, True), (False, False)]
    assert "registered as Int, not as Text" in after[1].sentence


@pytest.mark.live
async def test_sixty_days_pass_in_seconds_and_the_clock_says_where_it_is(client: Client, clock: Clock) -> None:
    """Time skipping V2 on the shared server, driven to set instants."""
    async with Worker(client, task_queue="sleepers", workflows=[Sleeper]):
        handle = await client.start_workflow(Sleeper.run, id="sleeper-1", task_queue="sleepers")
        began = await clock.now(handle)
        started = time.monotonic()

        counts = []
        for day in (1, 7, 20):
            await clock.advance(handle, began + timedelta(days=day))
            counts.append(len(await handle.query(Sleeper.woke)))
        ended = not await clock.advance(handle, began + timedelta(days=90))
        woke = [datetime.fromisoformat(text) for text in await handle.result()]

    assert counts == [0, 1, 3]
    assert ended
    assert timedelta(days=60) <= woke[-1] - began < timedelta(days=60, minutes=1)
    assert time.monotonic() - started < 15


@pytest.mark.live
async def test_a_run_nobody_advances_stays_in_real_time(client: Client, clock: Clock) -> None:
    """Time skipping is off until a test asks for it."""
    async with Worker(client, task_queue="sleepers", workflows=[Sleeper]):
        handle = await client.start_workflow(Sleeper.run, id="sleeper-2", task_queue="sleepers")
        await asyncio.sleep(0.5)
        woke = await handle.query(Sleeper.woke)
        await handle.terminate()

    assert woke == []


@pytest.mark.live
@pytest.mark.parametrize(("type_name", "shown"), [("Refused", False), ("StartRefused", False), ("Bug", True)])
async def test_a_refusal_shows_no_stack_trace(client: Client, type_name: str, shown: bool) -> None:
    """The Temporal UI prints it to the sender; for a bug it is what we need."""
    async with Worker(client, task_queue="sleepers", workflows=[Sleeper]):
        handle = await client.start_workflow(Sleeper.run, id=f"sleeper-{type_name}", task_queue="sleepers")
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(Sleeper.ask, type_name)
        await handle.terminate()

    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.details[0] == {"code": "no"}
    assert shown == bool(cause.failure and cause.failure.stack_trace)


@pytest.mark.live
async def test_it_is_stopped_at_the_end_and_its_file_can_be_used_again(tmp_path: Path) -> None:
    """The lock on the database file goes with the server."""
    pids = []
    for _ in range(2):
        async with DevServer(tmp_path, ui=False) as server:
            pids.append(server.pid)
            assert alive(server.pid)

    assert [alive(pid) for pid in pids] == [False, False]
    assert (tmp_path / "temporal.sqlite").exists()


@pytest.mark.live
async def test_two_servers_on_one_file_are_refused(tmp_path: Path) -> None:
    """The second would take the first one's runs away."""
    async with DevServer(tmp_path, ui=False):
        with pytest.raises(DevServerFailed, match="Another development server"):
            await DevServer(tmp_path, ui=False).start()


@pytest.mark.live
async def test_a_named_port_that_is_taken_is_an_error_with_the_port(dev_server: DevServer, tmp_path: Path) -> None:
    """A named port is a wish of a person; another one would surprise."""
    with pytest.raises(DevServerFailed, match=f"port {dev_server.port} is used"):
        await DevServer(tmp_path, port=dev_server.port).start()


@pytest.mark.live
async def test_a_free_port_that_was_taken_meanwhile_is_tried_again(
    dev_server: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race between choosing and using is lost here on purpose, once."""
    from runtime import devserver

    honest = devserver._free_ports
    answers = [[dev_server.port, 0], honest(2)]
    monkeypatch.setattr(devserver, "_free_ports", lambda _: answers.pop(0))
    async with DevServer(tmp_path, ui=False) as server:
        client = await client_of(server)

        assert server.port != dev_server.port
        assert client.namespace == "default"


@pytest.mark.live
def test_the_server_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    """kill -9 of the process that started it."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from runtime.devserver import DevServer\n"
        "async def main():\n"
        "    async with DevServer(Path(sys.argv[1]), ui=False) as server:\n"
        "        print(server.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    was_alive = alive(pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)

    assert was_alive
    assert not alive(pid)


@pytest.mark.live
async def test_a_server_that_ends_at_once_says_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence holds what the binary said, and where the rest is."""
    monkeypatch.setenv("TEMPORAL_CLI_PATH", str(a_binary(tmp_path / "bin", NEW)))

    with pytest.raises(DevServerFailed) as caught:
        await DevServer(tmp_path).start()
    assert NEW in caught.value.sentence
    assert str(tmp_path / "temporal.log") in caught.value.way_out


async def test_the_wheel_in_the_scripts_folder_is_found() -> None:
    """What `make install` brings is enough."""
    found = await find_cli({"PATH": "", "XDG_CACHE_HOME": "/nowhere"})

    assert (found.step, found.server) == ("scripts folder", "1.32.0")


async def test_the_named_file_wins_and_must_exist(bare: dict[str, str], tmp_path: Path) -> None:
    """A typing error in the variable is not covered up by another binary."""
    named = a_binary(tmp_path / "mine", OLD)
    a_binary(tmp_path / "path", NEW)

    found = await find_cli({**bare, "TEMPORAL_CLI_PATH": str(named)})
    with pytest.raises(NoTemporalBinary, match="is no file") as caught:
        await find_cli({**bare, "TEMPORAL_CLI_PATH": str(tmp_path / "typo")})

    assert (named, "TEMPORAL_CLI_PATH") == (found.path, found.step)
    assert caught.value.place == "TEMPORAL_CLI_PATH"


async def test_the_path_comes_before_the_cache_and_an_old_server_is_passed_over(
    bare: dict[str, str], tmp_path: Path
) -> None:
    """Older servers ignore settings that we rely on without a word."""
    cached = a_binary(tmp_path / "cache" / "onboarding-engine", NEW)
    a_binary(tmp_path / "path", OLD)
    first = await find_cli(bare)
    better = a_binary(tmp_path / "path", NEW)
    second = await find_cli(bare)

    assert (cached, "cache folder") == (first.path, first.step)
    assert (better, "PATH") == (second.path, second.step)


async def test_without_any_there_is_one_error_with_every_step_and_the_way_out(
    bare: dict[str, str],
) -> None:
    """Also where the SDK cannot download."""
    with pytest.raises(NoTemporalBinary) as caught:
        await find_cli(bare)

    for word in ("scripts", "PATH", "cache", "download"):
        assert word in caught.value.sentence
    for word in ("make install", "TEMPORAL_CLI_PATH", "1.32"):
        assert word in caught.value.way_out


def test_doctor_hears_each_step(bare: dict[str, str], tmp_path: Path) -> None:
    """One line each, the last one decides."""
    without = explain(bare)
    a_binary(tmp_path / "path", "hello")
    broken = explain(bare)
    a_binary(tmp_path / "path", NEW)
    fine = explain(bare)
    typo = explain({**bare, "TEMPORAL_CLI_PATH": "typo"})

    names = ["scripts folder", "PATH", "cache folder", "download"]
    assert names == [step.name for step in without]
    assert [step.level for step in without] == ["warn"] * 4
    assert "does not answer" in broken[1].sentence
    assert [step.level for step in fine] == ["warn", "ok"]
    assert [(step.name, step.level) for step in typo] == [("TEMPORAL_CLI_PATH", "fail")]
