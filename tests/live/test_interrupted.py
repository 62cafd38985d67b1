"""Ctrl-C while a command waits for a verdict."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.devserver import DevServer
from tests.support.calls import Door, begun
from tests.support.doors import environment_of
from tests.support.shell import ROOT, a_run, an_order

pytestmark = pytest.mark.live


async def test_ctrl_c_ends_a_command_that_waits_and_sends_nothing_again(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Nobody works here, so there is no verdict: asked once to stop, the command stops, long before its attempt is over."""
    queue = f"interrupted-{customer}"
    run = await a_run(client, an_order("quick-start", customer=customer), queue)
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    command = [sys.executable, str(ROOT / "starter.py"), "note", run.handle.id, "A text", "--actor", "dana"]
    with begun(command, door, FAULT="deliver.before_update:pause-1:1") as waiting:
        assert waiting.stderr is not None
        words = [await asyncio.to_thread(waiting.stderr.readline)]
        while b"fault_injected" not in words[-1]:
            assert words[-1], words
            words.append(await asyncio.to_thread(waiting.stderr.readline))
        await asyncio.sleep(1)  # the call is under way; before it or after it Ctrl-C would end the command as well
        waiting.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(waiting.wait, 3)
        rest = waiting.stderr.read()

    assert code == 130
    assert b"Traceback" not in rest
