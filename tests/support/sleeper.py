"""A run that only waits: what the tests of server and clock need, and nothing of the product."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError


@workflow.defn
class Sleeper:
    """Sleeps ten times six days and says when it woke."""

    def __init__(self) -> None:
        self._woke: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        """The instants of the ten wakings, as text."""
        for _ in range(10):
            await asyncio.sleep(timedelta(days=6).total_seconds())
            self._woke.append(workflow.now().isoformat())
        return self._woke

    @workflow.query
    def woke(self) -> list[str]:
        """The wakings so far."""
        return self._woke

    @workflow.update
    def ask(self, type_name: str) -> None:
        """Never reached: the validator refuses."""

    @ask.validator
    def refuse(self, type_name: str) -> None:
        """Refuse with a failure of the given type."""
        raise ApplicationError("no", {"code": "no"}, type=type_name, non_retryable=True)
