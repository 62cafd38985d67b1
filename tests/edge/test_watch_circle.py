"""How a look over many runs is bounded: odd ones first, the others in turn, look after look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from console.watch import table
from onboarding.reading.watching import SHOWN, Kept, Kind, Rows
from runtime.watching import Watch

BEGUN = datetime.now(UTC) - timedelta(hours=1)


class Server:
    """What a look asks of a server: lists, and descriptions; it remembers who was asked about."""

    def __init__(self, runs: list[str], *, troubled: list[str] | None, silent: bool = False) -> None:
        self.runs, self.troubled, self.silent = runs, troubled, silent
        self.asked: list[str] = []

    async def list_workflows(self, query: str, page_size: int) -> AsyncIterator[Any]:
        """Those that are open, or those that are in trouble; an old server knows of no trouble."""
        if "TemporalReportedProblems" in query and self.troubled is None:
            raise RPCError("invalid query", RPCStatusCode.INVALID_ARGUMENT, b"")
        for name in (self.troubled or []) if "TemporalReportedProblems" in query else self.runs:
            yield self._execution(name)

    def get_workflow_handle(self, name: str) -> Any:
        """Its handle."""

        async def describe(rpc_timeout: timedelta) -> Any:
            self.asked.append(name)
            if self.silent:
                raise RPCError("too late", RPCStatusCode.DEADLINE_EXCEEDED, b"")
            return self._execution(name)

        return SimpleNamespace(describe=describe)

    @staticmethod
    def _execution(name: str) -> Any:
        return SimpleNamespace(
            id=name, start_time=BEGUN, close_time=None, status=WorkflowExecutionStatus.RUNNING,
            typed_search_attributes=TypedSearchAttributes([]), raw_description=DescribeWorkflowExecutionResponse(),
        )  # fmt: skip


def rows(runs: list[str], passed: str | None = None) -> Rows:
    """Rows that show what the server shows."""
    shown = dict.fromkeys(SHOWN.values(), "")
    return Rows(
        runs={
            name: Kept(
                run=name, shown=shown, decided_at=BEGUN, started_at=BEGUN, passed_at=BEGUN if name == passed else None
            )
            for name in runs
        }
    )


RUNS = [f"r-{n:02}" for n in range(10)]


@pytest.mark.parametrize("troubled", [None, []])
async def test_a_worker_comes_round_to_every_run(troubled: list[str] | None) -> None:
    """Four at a time, also where the server knows nothing of troubles."""
    server = Server(RUNS, troubled=troubled)
    watch = Watch(server, lambda _: rows(RUNS))  # type: ignore[arg-type]
    looks = [await watch.look(most=4, seconds=30) for _ in range(3)]

    assert [(one.open, one.looked_at, one.findings) for one in looks] == [(10, 4, ())] * 3
    assert set(server.asked) == set(RUNS)


async def test_odd_runs_come_first_and_those_in_trouble_before_them() -> None:
    """They are what somebody waits for."""
    server = Server(RUNS, troubled=["r-09"])
    found = await Watch(server, lambda _: rows(RUNS, passed="r-05")).look(most=3, seconds=30)  # type: ignore[arg-type]

    assert server.asked == ["r-09", "r-05", "r-00"]
    assert [(one.run, one.kind) for one in found.findings] == [("r-05", Kind.OVERDUE_ALARM)]


async def test_a_look_ends_when_its_time_is_over() -> None:
    """And says how far it came."""
    found = await Watch(Server(RUNS, troubled=[]), lambda _: rows(RUNS)).look(most=10, seconds=-1)  # type: ignore[arg-type]

    assert (found.open, found.looked_at) == (10, 0)


async def test_an_odd_run_of_which_nothing_is_heard_is_not_called_well() -> None:
    """A server that lists a run in trouble and says nothing of it has not said that it goes on."""
    server = Server(["r-1"], troubled=["r-1"], silent=True)
    found = await Watch(server, lambda _: rows(["r-1"])).look(most=9, seconds=9)  # type: ignore[arg-type]
    said = table({"open": 1, "looked_at": 0, "unanswered": found.unanswered, "rows_read": True, "findings": 0})

    assert (found.looked_at, found.unanswered, found.findings) == (0, 1, ())
    assert "go on" not in str(said)
    assert "told nothing" in str(said)
