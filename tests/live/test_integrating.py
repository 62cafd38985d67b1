"""The page for integrators works word by word: its commands and its visibility queries, with the real `temporal` command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.calls import Door
from tests.support.doors import environment_of, worker_process
from tests.support.shell import ROOT

pytestmark = pytest.mark.live

PAGE = (ROOT / "docs" / "integrating.md").read_text(encoding="utf-8")
QUEUE = "integrating"


def block(language: str) -> str:
    """The only block of this language."""
    [found] = re.findall(rf"(?s)```{language}\n(.*?)```", PAGE)
    return str(found)


async def test_the_commands_of_the_page_work_word_by_word(
    client: Client, dev_server: DevServer, tmp_path: Path
) -> None:
    """A run is started, spoken to by update and by signal, asked, and found."""
    environment = environment_of(dev_server.address, tmp_path, QUEUE)
    activated, commands = block("sh").split("\n", 1)

    async with worker_process(client, dev_server.address, tmp_path, QUEUE):
        done = await asyncio.to_thread(in_a_shell, commands, environment)
        status = await asyncio.to_thread(Door(tmp_path, **environment), "status", "c-2/quick-start", "-o", "json")

    assert activated == ". .venv/bin/activate"
    assert done.returncode == 0, done.stderr
    assert "goal_confirmed" in done.stdout
    assert {one["id"]: one["status"] for one in status.data["items"]}["goal_confirmed"] == "done"
    assert status.data["refused"] == 0


@pytest.mark.parametrize("query", block("sql").splitlines())
def test_a_visibility_query_of_the_page_is_understood(dev_server: DevServer, tmp_path: Path, query: str) -> None:
    """The server knows every name in it and its type."""
    command = f"temporal workflow list --output json --query {json.dumps(query)}"
    done = in_a_shell(command, environment_of(dev_server.address, tmp_path, QUEUE))

    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)


def in_a_shell(commands: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Typed one after the other in an activated terminal; the first that fails ends it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=ROOT, env={**os.environ, **environment, "PATH": path}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
