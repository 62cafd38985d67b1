"""One worker for all tests of a folder that need no other, with the stores in memory; and for each test a customer of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count

import pytest
from temporalio.client import Client

from tests.support.shell import Edge, a_worker

_KEYS = count(1)


@dataclass
class Floor:
    """A task queue with a worker, and everything outside it."""

    edge: Edge
    task_queue: str


@pytest.fixture(scope="session")
async def floor(client: Client) -> AsyncIterator[Floor]:
    """A worker that lives as long as the session."""
    edge, task_queue = Edge(), f"floor-{next(_KEYS)}"
    working = asyncio.create_task(_work(client, edge, task_queue))
    yield Floor(edge, task_queue)
    working.cancel()
    await asyncio.wait((working,))


async def _work(client: Client, edge: Edge, task_queue: str) -> None:
    """A worker whose connection broke in the middle of a poll ends for good (sdk-python 972): the next one goes on, as it would
    under any supervisor. Left to pytest, nobody would notice, and every later test would wait for a worker that is gone."""
    while True:
        try:
            async with a_worker(client, edge, task_queue):
                await asyncio.Event().wait()
        except RuntimeError as error:
            logging.getLogger("tests").warning("the worker of the floor begins again: %s", error)


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> str:
    """A key that no other test uses."""
    return f"c-live-{next(_KEYS)}"
