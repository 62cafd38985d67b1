"""Senders of events that are killed between sending and marking: every event arrives, in order, and a repetition is known by its id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from storage.engine import open_database
from tests.faults.conftest import Counting
from tests.support.events import tell
from tests.support.faults.tiers import Tier
from tests.support.receiver import Receiver
from tests.support.shell import ROOT

POINTS = ("events.after_send", "events.after_mark")
RUNS = tuple(f"onboarding/{name}/x" for name in "abc")
EACH = 40
"""Events of each run."""


@pytest.fixture
def crm(httpserver: HTTPServer) -> Iterator[Receiver]:
    yield Receiver(httpserver)
    httpserver.check_assertions()


@pytest.mark.timeout(300)
async def test_every_event_arrives_in_order_whoever_is_killed(
    tmp_path: Path, crm: Receiver, tier: Tier, counting: Counting
) -> None:
    url = f"sqlite:///{tmp_path / 'rows.sqlite'}"
    engine = open_database(url)
    for run in RUNS:
        tell(engine, run, EACH)
    engine.dispose()
    with counting("R6", "kills of a sender of events") as trials:
        for n in range(tier.of(6, 20, 40)):
            point = POINTS[n % 2]
            sender = started(url, crm, f"{point}:kill:{1 + n % 3}")
            assert await asyncio.to_thread(sender.wait, 60) == -signal.SIGKILL, point
            trials.done += 1
        last = started(url, crm, "")
        try:
            await all_arrived(crm)
        finally:
            last.terminate()
            last.wait()

    for run in RUNS:
        assert [n for told, n in crm.told() if told == run] == list(range(1, EACH + 1))
    again = len(crm.requests) - len(crm.told())
    print(
        f"R6: {trials.done} kills of a sender of events, {len(crm.told())} of {len(RUNS) * EACH} arrived, 0 lost, {again} came again under their id"
    )
    assert again <= trials.done * len(RUNS)


def started(url: str, crm: Receiver, fault: str) -> subprocess.Popen[bytes]:
    """A sender of its own process."""
    words = [sys.executable, "-m", "tests.support.event_worker", url, str(crm.server.port)]
    return subprocess.Popen(words, cwd=ROOT, env=os.environ | {"FAULT": fault}, stderr=subprocess.DEVNULL)


async def all_arrived(crm: Receiver) -> None:
    until = time.monotonic() + 60
    while len(crm.told()) < len(RUNS) * EACH:
        assert time.monotonic() < until, f"only {len(crm.told())} have arrived"
        await asyncio.sleep(0.2)
