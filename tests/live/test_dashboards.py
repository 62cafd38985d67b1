"""A real worker shows its numbers: every one that the dashboard asks for is there."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from metrics.gauges import GAUGES
from onboarding.engine.effects import WriteRecords
from runtime.devserver import DevServer
from runtime.settings import ROOT
from storage.engine import open_database
from storage.records import SqlRecordStore
from tests.edge.test_gauges import ended, waits
from tests.support.doors import WorkerProcess, environment_of, worker_process
from tests.support.records import a_run
from tests.support.shell import a_run as start, an_order, answer_all

pytestmark = pytest.mark.live


def free_port() -> int:
    """A port of this machine that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def shown(port: int) -> str:
    """What Prometheus would read."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def fill(folder: Path) -> None:
    """A run that is open and late, and one that has just ended, so that there is something of everything."""
    engine = open_database(f"sqlite:///{folder / 'rows.sqlite'}")
    now = datetime.now(UTC).replace(microsecond=0)
    past = now - timedelta(days=2)
    open_run = a_run("onboarding/late/quick-start", health="stalled", waiting_since=past)
    SqlRecordStore(engine).write(WriteRecords(run=open_run, waiting=(waits("x", due_at=past),)))
    lived = {"closed_at": past, "first_value_at": past, "live_at": past, "owed_at": past}
    SqlRecordStore(engine).write(ended("onboarding/done/quick-start", 3, **lived))
    engine.dispose()


async def test_every_number_of_the_dashboard_is_shown(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Ours beside the SDK's own, at the address that the setting names."""
    fill(tmp_path)
    port, queue = free_port(), f"numbers-{customer}"
    address = f"127.0.0.1:{port}"
    order = an_order("quick-start", customer=customer)
    async with worker_process(
        client, dev_server.address, tmp_path, queue, ONBOARDING_METRICS_ADDRESS=address
    ) as worker:
        await answer_all(await start(client, order, queue), order)
        text = dashboard = (ROOT / "dashboards" / "onboarding.json").read_text("utf-8")
        names = set(re.findall(r"\b(?:onboarding|temporal)_\w+", json.dumps(json.loads(dashboard)["panels"])))
        for _ in range(100):
            text = await asyncio.to_thread(shown, port)
            missing = {name for name in names if not re.search(rf"(?m)^{name}[ {{]", text)}
            if not missing:
                break
            await asyncio.sleep(0.1)
        code = await worker.stop()

    assert missing == set()
    assert set(GAUGES) <= names
    assert 'onboarding_open_runs{definition="quick-start"' in text
    assert "onboarding/" not in text
    assert code == 0


async def test_an_address_that_is_taken_is_69_and_a_sentence(dev_server: DevServer, tmp_path: Path) -> None:
    """Two workers of one machine cannot listen at one place."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = environment_of(dev_server.address, tmp_path, "any", ONBOARDING_METRICS_ADDRESS=address)
        worker = WorkerProcess(tmp_path / "worker.log", settings)

        assert await worker.ended() == 69
    assert "ONBOARDING_METRICS_ADDRESS" in worker.words()
    assert "Traceback" not in worker.words()
