"""What a run itself, its definition and the server say, compared to the rows that it has left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console import reads, whereabouts
from onboarding.reading.rebuilding import Difference, Row, Tables, from_definition

if TYPE_CHECKING:
    from temporalio.client import Client

    from onboarding.engine.plan import Plan

_TYPE = "OnboardingRun"
_SHOWN = (
    "state", "outcome", "health", "waiting_on", "waiting_since", "started_at", "closed_at", "promised_at", "signed_at", "asks",
    "escalations", "refused",
)  # fmt: skip
"""Columns of a run's row that `status` shows by the same name."""


async def entries_from(client: Client, run: str, n: int) -> dict[int, str]:
    """The digests of the trail from the n-th entry on, as the run holds it. `Answered` where nobody answers."""
    answer = await reads.ask(client, run, "trail", {"cursor": str(n)})
    return {row["n"]: row["digest"] for row in answer["rows"]}


async def there(client: Client, since: datetime | None) -> dict[str, str]:
    """The runs that the server's list shows, up to some seconds ago: `running`, or `closed` where they closed since then."""
    from temporalio.client import WorkflowExecutionStatus as Status

    closed = "" if since is None else f' AND CloseTime >= "{whereabouts.rfc3339(since)}"'
    query = f'WorkflowType = "{_TYPE}" AND (ExecutionStatus = "Running" OR (ExecutionStatus = "Completed"{closed}))'
    words = {Status.RUNNING: "running", Status.COMPLETED: "closed"}
    return {found.id: words[found.status] async for found in client.list_workflows(query) if found.status in words}


async def differences(client: Client, run: str, tables: Tables) -> list[Difference]:
    """Where the rows of a run are not what it would write today. `Answered` where its worker does not answer."""
    (row,) = tables["runs"]
    there = await _status(client, run)
    if there == "unknown" and tables.get("erasures"):
        return []  # one that was terminated and erased: nobody closed its rows
    if there != row["state"].replace("on_hold", "running") and not (there == "unknown" and row["state"] == "closed"):
        return [Difference(where="runs", column="state", source="server", row=row["state"], expected=there)]
    if there == "unknown":
        return []  # the server has forgotten it, as it does after a while
    plan = await _plan(client, run)
    found = list(from_definition(plan, tables)) if plan is not None else []
    shown = await reads.ask(client, run, "status")
    found += _unlike(row, shown)
    n = max((entry["n"] for entry in tables["trail"]), default=0)
    held = await entries_from(client, run, max(n, 1))
    own = next((entry["digest"] for entry in tables["trail"] if entry["n"] == n), "")
    if n and held.get(n) != own:
        found.append(Difference(where=f"trail/{n}", column="digest", source="run", row=own, expected=held.get(n)))
    for later in sorted(set(held) - set(range(1, n + 1))):
        found.append(Difference(where=f"trail/{later}", column="", source="run", row=None, expected="a row"))
    return found


def _unlike(row: Row, shown: Row) -> Iterator[Difference]:
    for name in _SHOWN:
        if name in shown and (row[name] or None) != (shown[name] or None):
            yield Difference(where="runs", column=name, source="run", row=row[name], expected=shown[name])


async def _status(client: Client, run: str) -> str:
    """`running`, `closed` or `unknown`; another word of the server for a run that has not ended by itself."""
    from temporalio.client import WorkflowExecutionStatus as Status
    from temporalio.service import RPCError, RPCStatusCode

    try:
        found = await client.get_workflow_handle(run).describe(rpc_timeout=whereabouts.CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or whereabouts.no_namespace(error):
            raise
        return "unknown"
    words = {Status.RUNNING: "running", Status.COMPLETED: "closed"}
    return words.get(found.status) or (found.status.name.lower() if found.status else "unknown")  # type: ignore[arg-type]


async def _plan(client: Client, run: str) -> Plan | None:
    """The plan that the run was started with, from its history; `None` where that cannot be read."""
    from onboarding.engine.order_text import read_order
    from onboarding.engine.plan import Plan
    from onboarding.errors import OnboardingError

    raw: Any = await whereabouts.order_of(client, run)
    try:
        return Plan(read_order(raw))
    except OnboardingError:
        return None
