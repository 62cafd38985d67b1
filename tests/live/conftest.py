"""One worker for the live tests that need no other: the shipped stores in memory, and a customer's key of its own for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
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
    edge = Edge()
    async with a_worker(client, edge, "live"):
        yield Floor(edge, "live")


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> Iterator[str]:
    """A key that no other test uses."""
    yield f"c-live-{next(_KEYS)}"
