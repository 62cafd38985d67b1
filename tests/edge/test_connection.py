"""The connection: one plugin, quick and clear failures, nothing on stdout."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from runtime.connection import OURS, connect, connect_config, plugin, ui_base, ui_url
from runtime.devserver import DevServer, client_of
from runtime.errors import SettingsInvalid, Unreachable
from runtime.health import pollers
from runtime.settings import ROOT, read_settings
from tests.support.sleeper import Sleeper


async def unused_port() -> int:
    """A port of this machine on which nothing listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return int(port)


async def test_no_server_is_a_sentence_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and way out are in it."""
    port = await unused_port()
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    began = time.monotonic()

    with pytest.raises(Unreachable) as caught:
        await connect(read_settings({}))

    assert time.monotonic() - began < 5
    assert ("unreachable", f"127.0.0.1:{port}", 69) == (
        caught.value.code,
        caught.value.place,
        caught.value.exit_code,
    )
    assert "starter.py dev" in caught.value.way_out


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 no\r\n\r\n"], ids=["silent", "another protocol"])
def test_something_else_on_the_port_is_unreachable_too(words: bytes) -> None:
    """In a process of its own, that ends as doors do: a connection that timed out can hang at exit."""
    program = (
        "import asyncio, os, time\n"
        "from runtime.connection import connect\n"
        "from runtime.errors import Unreachable\n"
        "async def listen(reader, writer):\n"
        f"    writer.write({words!r}) if {words!r} else await asyncio.sleep(60)\n"
        "    writer.close()\n"
        "async def main():\n"
        "    server = await asyncio.start_server(listen, '127.0.0.1', 0)\n"
        "    began = time.monotonic()\n"
        "    try:\n"
        "        await connect(address='127.0.0.1:%d' % server.sockets[0].getsockname()[1])\n"
        "    except Unreachable as error:\n"
        "        print(error.sentence, flush=True)\n"
        "    os._exit(time.monotonic() - began >= 5)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("The Temporal server at 127.0.0.1:")


@pytest.mark.parametrize("address", ["nonsense", "host:port", ":7233", "host:"])
async def test_an_address_that_is_none_is_a_setting_to_correct(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the network's fault."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)

    with pytest.raises(SettingsInvalid, match="host:port") as caught:
        await connect()

    assert caught.value.place == "TEMPORAL_ADDRESS"


def test_a_profile_that_cannot_be_read_is_a_setting_to_correct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Temporal's own file, with an unknown profile and with nonsense in it."""
    file = tmp_path / "temporal.toml"
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    file.write_text('[profile.one]\naddress = "somewhere:1"\n')
    monkeypatch.setenv("TEMPORAL_PROFILE", "one")
    config = connect_config()
    monkeypatch.setenv("TEMPORAL_PROFILE", "two")
    with pytest.raises(SettingsInvalid):
        connect_config()
    file.write_text("= [")
    with pytest.raises(SettingsInvalid):
        connect_config()

    assert config["target_host"] == "somewhere:1"


def test_without_configuration_it_is_the_local_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Port 7233, as Temporal's own command line."""
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))

    assert connect_config()["target_host"] == "localhost:7233"


@pytest.mark.parametrize("strict", [False, True])
def test_only_the_strict_plugin_reloads_our_rooms(strict: bool) -> None:
    """Under it the sandbox stops any clock in the core and the shell of a run; native libraries are passed through in both."""
    runner = plugin(strict=strict).workflow_runner

    assert isinstance(runner, SandboxedWorkflowRunner)
    passed = runner.restrictions.passthrough_modules
    assert passed & set(OURS) == (set() if strict else set(OURS))
    assert {"cel_expr_python", "re2", "pydantic_core"} <= passed


@pytest.mark.live
async def test_a_worker_is_seen_by_the_health_check(client: Client) -> None:
    """It looks for polls of this machine on the task queue."""
    async with Worker(client, task_queue="healthy", workflows=[Sleeper]):
        for _ in range(100):
            seen = await pollers(client, "healthy")
            if seen:
                break
            await asyncio.sleep(0.05)
    nobody = await pollers(client, "nobody")

    assert [client.identity] == seen
    assert nobody == []


@pytest.mark.live
async def test_a_run_keeps_an_instant_and_a_refusal_through_the_strict_client(
    dev_server: DevServer,
) -> None:
    """Both flavours of the plugin speak the same language on the wire."""
    strict = await client_of(dev_server, strict=True)
    async with Worker(strict, task_queue="strict", workflows=[Sleeper]):
        handle = await strict.start_workflow(Sleeper.run, id="strict-1", task_queue="strict")
        woke = await handle.query(Sleeper.woke)
        await handle.terminate()

    assert woke == []
    assert not workflow.in_workflow()


def test_links_lead_to_the_cover_sheet() -> None:
    """Ids are quoted, because they hold slashes."""
    here = read_settings({})
    elsewhere = read_settings({"ONBOARDING_UI_URL": "https://ui.example/"})

    assert ui_base(here, "127.0.0.1:7233") == "http://127.0.0.1:8233"
    assert ui_base(here, "temporal.example:7233") is None
    assert ui_base(elsewhere, "temporal.example:7233") == "https://ui.example"
    assert (
        ui_url("https://ui.example", "default", "onboarding/c-1/b2b", "r-1")
        == "https://ui.example/namespaces/default/workflows/onboarding%2Fc-1%2Fb2b/r-1/user-metadata"
    )
