"""The real workflow in tests: a start order from a definition file, a worker with the stores in memory, a message sent as clients do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.hooks import HookActivities
from activities.notices import NoticeActivities
from activities.records import RecordActivities
from integrations.hooks import HookRegistry
from onboarding.engine import matching
from onboarding.engine.order_text import write_order
from onboarding.engine.orders import build_order
from onboarding.engine.state import StartOrder
from onboarding.language.model import FieldType, ItemKind
from onboarding.ports import HookRunner, Notifier, RecordStore
from runtime.holidays_data import public_holidays
from runtime.library import load, read_mapping
from runtime.zones import zone
from storage.memory import MemoryStore
from tests.support.lost_tasks import attempt_of, waited_for
from tests.support.prompt import Prompt
from workflows.address import update_id, workflow_id
from workflows.inbound import Inbound
from workflows.onboarding_run import OnboardingRun

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
YEARS = (2026, 2028)
ANSWERED_WITHIN = 30.0
"""Seconds that a query may take whose first answers were errors, but of a run of which more than three tasks were lost in a row: `waited_for`."""


def an_order(
    definition: str,
    *,
    customer: str,
    inputs: Mapping[str, Any] | None = None,
    years: tuple[int, int] = YEARS,
    **changes: Any,
) -> StartOrder:
    """The order of a run through a shipped definition (its id) or one of tests/data (its file name)."""
    path = DATA / f"{definition}.yaml"
    ref = str(path) if path.exists() else definition
    if inputs is None:
        beside = DATA / f"{definition}.input.yaml"
        example = ROOT / "definitions" / "examples" / f"{definition}.input.yaml"
        inputs = read_mapping(beside if beside.exists() else example)
    order, _ = build_order(
        load(ref),
        customer=customer,
        inputs={**inputs, **changes},
        zones=lambda name: zone(name, *years),
        holidays=lambda country, part: public_holidays(country, part, *years),
        groups={"implementation": ("eve", "finn")},
        started_by="dana",
    )
    return order


def as_argument(order: StartOrder) -> Any:
    """The one argument of the workflow, as `temporal workflow start` would send it."""
    return json.loads(write_order(order))


@dataclass
class Edge:
    """Everything outside the workflow: what the worker is built with, to be looked at afterwards."""

    store: MemoryStore = field(default_factory=MemoryStore)
    records: RecordStore | None = None
    notifier: Notifier | None = None
    hooks: HookRunner = field(default_factory=HookRegistry)

    def activities(self) -> list[Any]:
        """The activities of a worker."""
        notifier = self.notifier or Prompt(self.store)
        records = RecordActivities(self.records or self.store, notifier)
        notices, hooks = NoticeActivities(notifier), HookActivities(self.hooks)
        return [records.write_records, notices.deliver_notice, hooks.run_hook]


@asynccontextmanager
async def a_worker(client: Client, edge: Edge, task_queue: str, **options: Any) -> AsyncIterator[Worker]:
    """A worker with the given edge, built as worker.py builds its own."""
    with ThreadPoolExecutor(20) as threads:
        worker = Worker(
            client,
            task_queue=task_queue,
            workflows=[OnboardingRun],
            interceptors=[Inbound()],
            activities=edge.activities(),
            activity_executor=threads,
            max_concurrent_activities=10,
            max_concurrent_local_activities=10,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
            **options,
        )
        async with worker:
            yield worker


class Run:
    """A run as a client sees it."""

    def __init__(self, handle: WorkflowHandle[Any, Any]) -> None:
        self.handle = handle
        self._sent = 0

    async def say(self, name: str, message_id: str | None = None, **content: Any) -> dict[str, Any]:
        """Sends a message as an update; its verdict, refused or not."""
        self._sent += 1
        content = {"message_id": message_id or f"m-{self._sent}", **content}
        return await send(self.handle, name, content)

    async def signal(self, name: str, *args: Any) -> None:
        """Sends a signal."""
        await self.handle.signal(name, args=list(args))

    async def ask(self, name: str, *args: Any) -> dict[str, Any]:
        """The answer of a query.

        A worker that puts a run out of its cache may find the end of a local activity in the way of a query (sdk-rust 1304, TMPRL1100), and
        a connection may break; the run is untouched, and a later query is answered. Where a busy machine has let several tasks of a run time
        out, the server answers nothing until one is done.
        """
        began, why, attempt = time.monotonic(), None, 0
        while time.monotonic() - began < ANSWERED_WITHIN + waited_for(attempt):
            try:
                answer: dict[str, Any] = await self.handle.query(name, args=list(args))
                return answer
            except WorkflowQueryFailedError as error:
                why = str(error)
                if not any(word in why for word in ("TMPRL1100", "LocalActivity")):
                    raise
            except RPCError as error:
                why = str(error)
                if error.status not in (RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION):
                    raise
            await asyncio.sleep(0.5)
            with suppress(RPCError):
                attempt = max(attempt, await attempt_of(self.handle))
        took = time.monotonic() - began
        raise AssertionError(
            f"the query {name} was not answered in {took:.0f} s, at attempt {attempt} of a task: {why}"
        )

    async def events(self) -> list[Any]:
        """The history of the newest run of the chain."""
        return list((await self.handle.fetch_history()).events)


async def send(handle: WorkflowHandle[Any, Any], name: str, content: dict[str, Any]) -> dict[str, Any]:
    """One update, under the id that our clients use; a refusal is returned like any verdict."""
    try:
        verdict: dict[str, Any] = await handle.execute_update(
            name, content, id=update_id(content["message_id"], name, content), rpc_timeout=timedelta(seconds=15)
        )
    except WorkflowUpdateFailedError as error:
        if not isinstance(error.cause, ApplicationError) or error.cause.type != "Refused":
            raise
        verdict = error.cause.details[0]
    return verdict


async def send_until_told(handle: WorkflowHandle[Any, Any], name: str, content: dict[str, Any]) -> dict[str, Any]:
    """The same, asked again under the same id as whoever was told nothing does: a task may have been given to a worker that is gone."""
    began, attempt = time.monotonic(), 0
    while True:
        try:
            return await send(handle, name, content)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            with suppress(RPCError):
                attempt = max(attempt, await attempt_of(handle))
            if time.monotonic() - began > ANSWERED_WITHIN + waited_for(attempt):
                raise


async def a_run(client: Client, order: StartOrder, task_queue: str, **options: Any) -> Run:
    """Starts a run."""
    handle = await client.start_workflow(
        "OnboardingRun",
        as_argument(order),
        id=workflow_id(order.customer, order.definition.id),
        task_queue=task_queue,
        **options,
    )
    return Run(handle)


def instant(text: str) -> datetime:
    """An RFC 3339 text as a value."""
    return datetime.fromisoformat(text)


_VALUES: dict[FieldType, Any] = {
    FieldType.STRING: "words", FieldType.INT: 3, FieldType.NUMBER: 1.5, FieldType.BOOL: True, FieldType.DATE: "2026-12-01",
    FieldType.DATETIME: "2026-12-01T10:00:00Z", FieldType.EMAIL: "lea@bakery.example", FieldType.PHONE: "+4930123456",
    FieldType.URL: "https://bakery.example", FieldType.COUNTRY: "DE", FieldType.VAT: "DE136695976",
    FieldType.IBAN: "DE89370400440532013000",
}  # fmt: skip


def good_answer(order: StartOrder, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The message, by name and content, that settles an open item of `status`; a hook settles itself."""
    rule = next(one for one in order.definition.items if one.id == item["id"])
    content: dict[str, Any] = {"actor": item["owner"], "item": rule.id}
    match rule.kind:
        case ItemKind.APPROVAL:
            return "decide", {**content, "outcome": next(one.name for one in rule.outcomes if one.passes)}
        case ItemKind.TASK | ItemKind.HOOK:
            return "complete", {**content, "provides": _values(rule.provides)}
        case _ if rule.event:
            return "happen", {"actor": "integration:crm", "event": rule.event, "data": _about(order, rule.event)}
    count = rule.files.min if rule.files else 0
    types = rule.files.types if rule.files else ()
    kind = types[0] if types else "pdf"
    files = [
        {
            "uri": f"vault://{rule.id}/{n}",
            "sha256": "a" * 64,
            "type": kind,
            "bytes": 1000,
            "name": f"{rule.id}-{n}.{kind}",
        }
        for n in range(count)
    ]
    return "submit", {**content, "fields": _values(rule.fields), "files": files}


def _about(order: StartOrder, event: str) -> dict[str, Any]:
    """What an event says that is about this run."""
    data: dict[str, Any] = {}
    for rule in order.definition.signals:
        for name, path in rule.match.items() if rule.event == event else ():
            data = matching.filled(data, matching.steps(path), matching.expected(order, name))
    return data


def _values(fields: tuple[Any, ...]) -> dict[str, Any]:
    return {
        one.name: one.values[0] if one.type is FieldType.ENUM else _VALUES[one.type] for one in fields if one.required
    }


async def answer_all(run: Run, order: StartOrder, *, most: int = 1_000, leave: tuple[str, ...] = ()) -> int:
    """Settles open items in their order until the run is closed, only items to `leave` are open, or `most` were settled."""
    settled = 0
    while settled < most:
        status = await run.ask("status")
        todo = [one for one in status["items"] if one["status"] in ("open", "returned") and one["id"] not in leave]
        todo = [one for one in todo if one["kind"] != "hook"]
        if not todo:
            return settled
        name, content = good_answer(order, todo[0])
        verdict = await run.say(name, **content)
        if verdict["outcome"] != "accepted":
            raise AssertionError(f"{name} {todo[0]['id']}: {verdict}")
        settled += 1
    return settled


async def until_closed(run: Run, order: StartOrder) -> None:
    """Settles everything, waiting for hooks."""
    for _ in range(600):
        await answer_all(run, order)
        if (await run.ask("status"))["state"] == "closed":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the run did not end")
