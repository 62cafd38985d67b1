"""Where a run is, asked without its worker: running, closed, or unknown; also after the namespace has forgotten it."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from console import ground
from console.leaving import Answered

if TYPE_CHECKING:
    from datetime import datetime

    from temporalio.api.common.v1 import Payload
    from temporalio.client import Client, WorkflowExecutionDescription
    from temporalio.service import RPCError

CALL = timedelta(seconds=5)
"""One short call to the server."""


async def describe(client: Client, run: str) -> WorkflowExecutionDescription:
    """What the server knows of a run. `Answered` closed or unknown for one that it does not (any more)."""
    found = await look(client, run)
    if found is None:
        raise not_there(run)
    return found


async def look(client: Client, run: str) -> WorkflowExecutionDescription | None:
    """What the server knows of a run, or `None`; nobody is told anything."""
    from temporalio.service import RPCError, RPCStatusCode

    try:
        return await client.get_workflow_handle(run).describe(rpc_timeout=CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or no_namespace(error):
            raise
        return None


def no_namespace(error: RPCError) -> bool:
    """Whether it is not the run that was not found, but the namespace."""
    return "amespace" in error.message


def not_there(run: str) -> Answered:
    """The answer for a run that the server does not know: closed where the read table has its end, else unknown."""
    row = ground.remembered(run)
    if row is None:
        return ground.unknown_run(run)
    if "erased_at" in row:
        return _erased(run, row)
    if row["state"] == "closed":
        return closed(run, row["closed_at"], row["outcome"])
    sentence = (
        f"The database knows {run}, this Temporal server does not: check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, "
        "or whether the server has lost its data."
    )
    return Answered({"outcome": "unknown", "code": "unknown_run", "sentence": sentence, "run": run})


def closed(run: str, at: str | None, outcome: str | None) -> Answered:
    """The answer for a message to a run that has ended."""
    when = f" on {at}" if at else ""
    how = f" ({outcome})" if outcome else ""
    sentence = f"The run ended{when}{how}; it changes no more."
    return Answered({"outcome": "closed", "code": "run_finished", "sentence": sentence, "run": run})


def _erased(run: str, row: dict[str, Any]) -> Answered:
    ended = f"ended on {row['closed_at']} and " if row["closed_at"] else ""
    sentence = (
        f"The run {ended}was erased on {row['erased_at']}: what people said is gone; `report`, `export` and `trail verify` "
        "tell its numbers and who did what."
    )
    return Answered({"outcome": "closed", "code": "run_erased", "sentence": sentence, "run": run})


async def ended(client: Client, run: str) -> Answered:
    """Tells a closed run from an unknown one: both are NOT_FOUND to whoever sends."""
    from temporalio.client import WorkflowExecutionStatus

    found = await describe(client, run)
    row = ground.remembered(run)
    outcome = row["outcome"] if row else None
    if outcome is None and found.status is not WorkflowExecutionStatus.COMPLETED and found.status is not None:
        outcome = found.status.name.lower()
    return closed(run, rfc3339(found.close_time), outcome)


async def order_of(client: Client, run: str) -> dict[str, Any]:
    """The start order of a run, from the first event of its history: needs no worker. Empty if it cannot be read."""
    handle = client.get_workflow_handle(run)
    async for event in handle.fetch_history_events(page_size=1, rpc_timeout=CALL):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        return await read_payload(client, run, payloads[0]) if payloads else {}
    return {}


async def read_payload(client: Client, run: str, payload: Payload) -> dict[str, Any]:
    """The JSON object that a run's payload holds; empty where it holds none, or none that can be decoded.

    Raises `DatabaseUnavailable` and `KeysUnavailable` where nobody can say that now.
    """
    from temporalio.converter import WorkflowSerializationContext

    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=run)
    codec = client.data_converter.with_context(context).payload_codec
    assert codec is not None, "every client of ours has one"
    (opened,) = await codec.decode([payload])
    try:
        found = json.loads(opened.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def ui_page(client: Client, run: str, run_id: str) -> str | None:
    """The page of the Temporal UI that shows the cover sheet; `None` where nobody says where the UI is."""
    from runtime.connection import ui_base, ui_url

    base = ui_base(ground.settings(), client.service_client.config.target_host)
    return ui_url(base, client.namespace, run, run_id) if base else None


def rfc3339(at: datetime | None) -> str | None:
    """An instant as the contract writes it."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
