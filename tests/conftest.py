"""Fixtures of the whole suite: one Temporal server, one client, one clock and one PostgreSQL for the session.

No test skips because a server is missing: a wheel brings each, and its absence is a failure.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import settings
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from tests.support.clock import Clock
from tests.support.faults.tiers import NAMES as TIERS
from tests.support.figures import PROPERTY, Figure
from tests.support.postgresql import PostgresServer

# A developer's own settings must not decide what the tests prove. The binary's path is no setting of
# ours and may be needed to find one.
for _name in [name for name in os.environ if name.startswith(("ONBOARDING_", "TEMPORAL_"))]:
    if _name != "TEMPORAL_CLI_PATH":
        del os.environ[_name]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of the loops in tests/faults; here, because pytest asks for options before it looks into folders."""
    group = parser.getgroup("faults")
    group.addoption("--tier", choices=TIERS, default="C", help="how long the loops of faults are: C, F or R")
    group.addoption(
        "--seed", type=int, default=None, help="what the loops of faults are drawn from, to repeat a session"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests have told, by the names of the tests: what a claim rests on stands in the output of every session."""
    reports = [
        one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ()) if one.when == "call"
    ]
    told = sorted((one.nodeid, text) for one in reports for name, text in one.user_properties if name == PROPERTY)
    if told:
        terminalreporter.section("figures")
    for _, text in told:
        terminalreporter.write_line(str(text))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Tells a figure, see `tests/support/figures.py`."""
    return lambda text: record_property(PROPERTY, text)


@pytest.fixture(scope="session")
async def dev_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevServer]:
    """A healthy server with our search attributes, its file in a temporary folder."""
    async with DevServer(tmp_path_factory.mktemp("temporal"), time_skipping=True) as server:
        yield server
    # The SDK's native threads can abort an interpreter that ends right after them
    # (sdk-python issue 300); 0 of 20 with this pause.
    await asyncio.sleep(0.2)


@pytest.fixture(scope="session")
async def client(dev_server: DevServer) -> Client:
    """A client with our plugin. Runs it starts are in real time until a test advances their clock."""
    return await client_of(dev_server)


@pytest.fixture(scope="session")
def clock(client: Client) -> Clock:
    """Moves the time of single runs, see tests/support/clock.py."""
    return Clock(client)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, started by the first test that asks."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """A PostgreSQL database of this test alone, with our tables and no row."""
    return postgres.with_tables()


@pytest.fixture
def own_memory_only() -> Iterator[None]:
    """For tests that measure computing: what thousands of other tests have left is not looked through at their expense."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
