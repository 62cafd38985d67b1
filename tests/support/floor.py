"""One worker for all tests of a folder that need no other, with the stores in memory; and for each test a customer of its own."""

from __future__ import annotations

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
    async with a_worker(client, edge, task_queue):
        yield Floor(edge, task_queue)


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> str:
    """A key that no other test uses."""
    return f"c-live-{next(_KEYS)}"
