"""Looks whether runs go on: asks the server for what is open, compares it to the rows, and asks closer where something is odd.

A list of the server is cheap and a description of one run costs a call, so runs that look odd come first and the others as far as
the time goes. Nothing is changed, and no worker is needed for an answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest as HistoryRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus as Status
from temporalio.service import RPCError, RPCStatusCode

from onboarding.errors import OnboardingError
from onboarding.reading.watching import (
    ATTEMPTS,
    SHOWN,
    Call,
    Finding,
    Kept,
    Kind,
    Rows,
    Task,
    There,
    judge,
    judge_notices,
    suspicious,
    unlike,
)

AT_ONCE: Final = 16
"""Runs that are asked about at the same time."""
SETTLES: Final = 3.0
"""Seconds after which an odd run is looked at again: rows come a moment after what they tell of."""
CALL: Final = timedelta(seconds=5)
EVERY: Final = 60.0
"""Seconds between two looks of a worker."""
MOST: Final = 500
"""Runs that a worker asks about in one look. Every worker asks, so this is what each minute of each may cost."""
EVENTS: Final = 100
"""How far back the beginning of a trouble is looked for."""
_FAILED: Final = (EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED, EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)
_OPEN: Final = 'WorkflowType = "OnboardingRun" AND ExecutionStatus = "Running"'
# Set by servers from 1.30 on, after five failed workflow tasks in a row; an older one refuses the question.
_TROUBLED: Final = (
    f'{_OPEN} AND TemporalReportedProblems IN ("category=WorkflowTaskFailed", "category=WorkflowTaskTimedOut")'
)

_log = logging.getLogger("watching")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found. Of `open` runs `looked_at` were asked about one by one; of `unanswered` odd ones nothing was heard in time;
    the others looked well from afar."""

    open: int
    looked_at: int
    findings: tuple[Finding, ...]
    rows_read: bool = True
    unanswered: int = 0


class Watch:
    """Looks once at a time. `rows` reads what the rows say; what it raises is a database that is away, and is judged so."""

    def __init__(self, client: Client, rows: Callable[[datetime], Rows]) -> None:
        self._client = client
        self._rows = rows
        self._turn = 0
        self._counts: Mapping[Kind, int] = {}

    async def run(self, show: Callable[[Mapping[Kind, int]], None]) -> None:
        """Looks every minute until it is cancelled, at `MOST` runs closely; gives the counts to `show` and changes to the log."""
        while True:
            try:
                found = await self.look(most=MOST, seconds=EVERY / 2)
            except Exception as error:
                _log.warning("runs_unwatched", extra={"code": getattr(error, "code", type(error).__name__)})
            else:
                show(self._tell(found.findings))
            await asyncio.sleep(EVERY)

    def _tell(self, findings: Sequence[Finding]) -> Mapping[Kind, int]:
        counts = dict.fromkeys(Kind, 0)
        for one in findings:
            counts[one.kind] += 1
        for kind, count in counts.items():
            if count != self._counts.get(kind, 0):
                _log.warning("runs_stuck", extra={"code": str(kind), "count": count})
        self._counts = counts
        return counts

    async def look(self, *, most: int, seconds: float) -> Look:
        """What is wrong with any run. Raises `RPCError` where the server does not tell what is open.

        `most` runs are asked about, and none after `seconds`: odd ones first, then the others, going on where the last look ended.
        """
        until = time.monotonic() + seconds
        rows, listed, troubled = await asyncio.gather(self._read_rows(), self._listed(_OPEN), self._troubled())
        now, there = datetime.now(UTC), {one.run: one for one in listed}
        kept = rows.runs if rows is not None else {}
        ended = rows.ended if rows is not None else frozenset()
        names = sorted({*there, *kept})
        if rows is None:
            odd = [name for name in names if name in troubled]
        else:
            odd = [name for name in names if name in troubled or suspicious(kept.get(name), there.get(name), now)]
        chosen = self._chosen(sorted(odd, key=lambda name: name not in troubled), names, most)
        described = await self._described(chosen, until)
        settled = await self._settled(described, kept) if rows is not None else kept
        found = [
            finding
            for one in described.values()
            for finding in judge(
                one, settled.get(one.run), datetime.now(UTC), rows_read=rows is not None, ended=one.run in ended
            )
        ]
        found += judge_notices(rows, now) if rows is not None else ()
        found.sort(key=lambda one: (one.kind, one.since or now, one.run))
        return Look(
            open=len(names), looked_at=len(described), findings=tuple(found), rows_read=rows is not None,
            unanswered=sum(name not in described for name in odd),
        )  # fmt: skip

    def _chosen(self, odd: Sequence[str], names: Sequence[str], most: int) -> list[str]:
        """Odd ones, then others in a circle that goes on with every look."""
        known = set(odd)
        others = [name for name in names if name not in known]
        start = self._turn % len(others) if others else 0
        ring = [*others[start:], *others[:start]][: max(0, most - len(odd))]
        self._turn = start + len(ring)
        return [*odd[:most], *ring]

    async def _read_rows(self) -> Rows | None:
        try:
            return await asyncio.to_thread(self._rows, datetime.now(UTC))
        except OnboardingError as error:
            _log.warning("rows_unread", extra={"code": getattr(error, "code", type(error).__name__)})
            return None

    async def _listed(self, query: str) -> list[There]:
        return [_from_list(one) async for one in self._client.list_workflows(query, page_size=1_000)]

    async def _troubled(self) -> frozenset[str]:
        """Runs whose workflow task fails, as far as the server says so by itself."""
        try:
            return frozenset(one.run for one in await self._listed(_TROUBLED))
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            return frozenset()

    async def _described(self, names: Iterable[str], until: float) -> dict[str, There]:
        found: dict[str, There] = {}
        waiting = iter(names)

        async def ask() -> None:
            for name in waiting:
                if time.monotonic() > until:
                    return
                one = await self._describe(name)
                if one is not None:
                    found[name] = one

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
        return found

    async def _describe(self, name: str) -> There | None:
        """`None` where the server did not answer in time: the run is not counted as looked at."""
        try:
            found = _from_description(await self._client.get_workflow_handle(name).describe(rpc_timeout=CALL))
            if found.task is not None and found.task.attempt >= ATTEMPTS:
                since = await self._failing_since(name)
                return replace(found, task=replace(found.task, since=since or found.task.since))
            return found
        except RPCError as error:
            return There(run=name, state="unknown") if error.status is RPCStatusCode.NOT_FOUND else None

    async def _failing_since(self, name: str) -> datetime | None:
        """When the workflow task failed first: a description tells of the last attempt, and only the first leaves an event."""
        page = await self._client.workflow_service.get_workflow_execution_history_reverse(
            HistoryRequest(
                namespace=self._client.namespace, execution=Execution(workflow_id=name), maximum_page_size=EVENTS
            ),
            timeout=CALL,
        )  # fmt: skip
        failed = (one.event_time for one in page.history.events if one.event_type in _FAILED)
        return next((_instant(at) for at in failed), None)

    async def _settled(self, described: dict[str, There], kept: Mapping[str, Kept]) -> Mapping[str, Kept]:
        """Rows and descriptions of runs on which the two do not agree, read once more after a while; `described` is brought up."""
        differ = [name for name, one in described.items() if _differ(one, kept.get(name))]
        if not differ:
            return kept
        await asyncio.sleep(SETTLES)
        rows = await self._read_rows()
        described.update(await self._described(differ, time.monotonic() + SETTLES))
        return {**kept, **{name: rows.runs[name] for name in differ if name in rows.runs}} if rows is not None else kept


def _differ(there: There, kept: Kept | None) -> bool:
    if there.state != "running":
        return kept is not None
    return kept is None or unlike(kept, there)


def _from_list(one: WorkflowExecution) -> There:
    return There(run=one.id, started_at=one.start_time, shown=_shown(one))


def _from_description(one: WorkflowExecutionDescription) -> There:
    raw = one.raw_description
    task = None
    if raw.HasField("pending_workflow_task"):
        pending = raw.pending_workflow_task
        first = (
            pending.original_scheduled_time if pending.HasField("original_scheduled_time") else pending.scheduled_time
        )
        task = Task(attempt=pending.attempt, since=_instant(first), taken=pending.HasField("started_time"))
    calls = tuple(
        Call(activity=call.activity_type.name, attempt=call.attempt, since=_instant(call.scheduled_time))
        for call in raw.pending_activities
    )
    state = "running" if one.status is Status.RUNNING else one.status.name.lower() if one.status else "unknown"
    return There(
        run=one.id, state=state, started_at=one.start_time, closed_at=one.close_time, shown=_shown(one), task=task, calls=calls
    )  # fmt: skip


def _shown(one: WorkflowExecution) -> dict[str, str]:
    return {pair.key.name: str(pair.value) for pair in one.typed_search_attributes if pair.key.name in SHOWN}


def _instant(stamp: Any) -> datetime:
    return datetime.fromtimestamp(stamp.seconds, UTC)
