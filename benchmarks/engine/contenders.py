"""The contenders, each behind the same few calls: start a run, hand over a message and hear its verdict, wait for the end."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from benchmarks.engine import by_hand, job, processes
from benchmarks.engine.job import Message
from benchmarks.engine.processes import QUEUE, Stand, StartOf
from console.ordering import Prepared, holidays_around, zone_around
from console.people import contacts_of
from console.whereabouts import look
from onboarding.engine.order_text import write_order
from onboarding.engine.orders import build_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunOutcome
from onboarding.reading import cover
from runtime import library
from storage.directory import SqlDirectory
from storage.erasing import Erasures
from storage.read_table import ReadTable
from workflows.address import WORKFLOW_TYPE, update_id, workflow_id
from workflows.showing import at_start

CALL: Final = timedelta(seconds=60)
"""For one call: longer than anything here takes, so that a lost one is seen and not waited for."""
Handle = WorkflowHandle[Any, Any]


class Contender(Protocol):
    """What a driver needs to know of one."""

    name: str
    start_of: StartOf

    def prepare(self, dues: Iterable[int] = (job.DEADLINE,)) -> None:
        """What is done before any clock runs. `dues` are the seconds that the first gate of a run may take."""

    async def begin(self, stand: Stand, run: str, due: int = job.DEADLINE) -> Handle:
        """Starts a run whose first gate may take so many seconds."""

    async def say(self, handle: Handle, message: Message) -> str:
        """Hands a message over and waits for its verdict: empty where it was taken, else the code of the refusal."""

    def has_done(self, result: Mapping[str, Any]) -> bool:
        """Whether the result of a run says that it did the whole job, and nothing too late."""

    def unrested(self, folder: Path, staying: int = 0) -> int:
        """How much of what the runs have caused is still on its way outside them, where so many of them stay open."""


class Hand:
    """By hand, messages as updates; automated tasks as local activities or as activities."""

    start_of: StartOf = staticmethod(processes.by_hand)
    workflow: str = "ByHand"

    def __init__(self, name: str, *, local: bool) -> None:
        self.name, self._local = name, local

    def prepare(self, dues: Iterable[int] = (job.DEADLINE,)) -> None:
        """Nothing: an order is three values."""

    async def begin(self, stand: Stand, run: str, due: int = job.DEADLINE) -> Handle:
        """See `Contender`."""
        order = by_hand.Order(run, self._local, (due, job.DEADLINE))
        return await stand.client.start_workflow(
            self.workflow, order, id=f"by-hand/{run}", task_queue=QUEUE, rpc_timeout=CALL
        )

    async def say(self, handle: Handle, message: Message) -> str:
        """See `Contender`."""
        return await _update(handle, message, message.content["message_id"])

    def has_done(self, result: Mapping[str, Any]) -> bool:
        """The wait of each input, the duration of each stage, and each task."""
        done = (set(result["waited"]), set(result["took"]), set(result["done"]), result["late"])
        return done == ({*job.INPUTS}, {stage.id for stage in job.STAGES}, {*job.TASKS}, [])

    def unrested(self, folder: Path, staying: int = 0) -> int:
        """Nothing: all is in the run."""
        return 0


class HandSignals(Hand):
    """By hand, messages as signals; a query tells what became of one."""

    workflow = "ByHandSignals"

    async def say(self, handle: Handle, message: Message) -> str:
        """See `Contender`."""
        await handle.signal(message.name, message.content, rpc_timeout=CALL)
        verdict: Mapping[str, Any] = await handle.query("verdict", message.content["message_id"], rpc_timeout=CALL)
        return "" if verdict["outcome"] == "accepted" else str(verdict["code"])


class Ours:
    """This project: the job as a definition, with rows, trail, search attributes and cover sheet on."""

    start_of: StartOf = staticmethod(processes.ours)

    def __init__(self, name: str) -> None:
        self.name = name
        self._prepared: dict[int, Prepared] = {}

    def prepare(self, dues: Iterable[int] = (job.DEADLINE,)) -> None:
        """See `Contender`. An order differs from run to run only in whose it is."""
        for due in dues:
            if due not in self._prepared:
                self._prepared[due] = prepared_of(job.definition(due))

    async def begin(self, stand: Stand, run: str, due: int = job.DEADLINE) -> Handle:
        """Step by step as `starter.py start` does, but in a process that stays: the definition is compiled and the rows are open."""
        made = self._prepared[due]
        name = workflow_id(run, made.order.definition.id)
        order, directory = replace(made.order, customer=run, run=name), SqlDirectory(stand.rows)
        plan, contacts = Plan(order), contacts_of(made)
        await asyncio.to_thread(_demand_unknown, stand, run, name)
        if await look(stand.client, name) is not None:
            raise RuntimeError(f"{name} was started before")
        await asyncio.to_thread(directory.keep, name, contacts)
        handle = await stand.client.start_workflow(
            WORKFLOW_TYPE, RawValue(Payload(metadata={"encoding": b"json/plain"}, data=write_order(order).encode())), id=name,
            task_queue=QUEUE, search_attributes=at_start(plan, datetime.now(UTC).replace(microsecond=0)), static_summary=cover.summary(plan),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE, id_conflict_policy=WorkflowIDConflictPolicy.FAIL, rpc_timeout=CALL,
        )  # fmt: skip
        await asyncio.to_thread(directory.settle, name, contacts)
        return handle

    async def say(self, handle: Handle, message: Message) -> str:
        """See `Contender`."""
        return await _update(handle, message, update_id(message.content["message_id"], message.name, message.content))

    def has_done(self, result: Mapping[str, Any]) -> bool:
        """It is live with its last stage, which opens after all others."""
        return bool(result["outcome"] == RunOutcome.LIVE)

    def unrested(self, folder: Path, staying: int = 0) -> int:
        """Rows of runs that are not closed yet, or of fewer than stay open, and notices that have not left."""
        with closing(sqlite3.connect(f"file:{folder / 'rows.sqlite'}?mode=ro", uri=True)) as rows:
            counts = ("SELECT count(*) FROM runs WHERE closed_at IS NULL", "SELECT count(*) FROM notices WHERE state = 'pending'")  # fmt: skip
            still_open, pending = (int(rows.execute(one).fetchone()[0]) for one in counts)
        return abs(still_open - staying) + pending


class OursSignals(Ours):
    """The same, with messages as signals; a query tells how the item stands."""

    async def say(self, handle: Handle, message: Message) -> str:
        """See `Contender`."""
        await handle.signal(message.name, message.content, rpc_timeout=CALL)
        refused = await handle.query("refused", rpc_timeout=CALL)
        mine = [row for row in refused["rows"] if row["message_id"] == message.content["message_id"]]
        return str(mine[0]["code"]) if mine else ""


def prepared_of(definition: Mapping[str, Any]) -> Prepared:
    """A start order for somebody, and its people."""
    now = datetime.now(UTC).replace(microsecond=0)
    year = now.year
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.yaml"
        path.write_text(json.dumps(definition))
        compiled = library.load(str(path))
    order, people = build_order(
        compiled, customer="c-0", inputs=job.start_input(), zones=lambda name: zone_around(name, year),
        holidays=lambda country, part: holidays_around(country, part, year), groups={}, started_by="dana",
    )  # fmt: skip
    return Prepared(order=order, people=people, at=now)


def _demand_unknown(stand: Stand, customer: str, run: str) -> None:
    """What a start asks the rows before anything is written."""
    erasures = Erasures(stand.rows)
    if erasures.forgotten(customer) or erasures.begun([run]) or ReadTable(stand.rows).find(run) is not None:
        raise RuntimeError(f"{run} is known before it has begun")


async def _update(handle: Handle, message: Message, update: str) -> str:
    try:
        await handle.execute_update(message.name, message.content, id=update, rpc_timeout=CALL)
    except WorkflowUpdateFailedError as error:
        if not isinstance(error.cause, ApplicationError) or error.cause.type != "Refused":
            raise
        return str(error.cause.details[0]["code"])
    return ""


async def rest(contender: Contender, stand: Stand, seconds: float = 60.0, staying: int = 0) -> None:
    """Waits until nothing is on its way any more, where so many runs stay open. Raises `TimeoutError` where that does not come."""
    async with asyncio.timeout(seconds):
        left = await asyncio.to_thread(contender.unrested, stand.folder, staying)
        while left:
            await asyncio.sleep(0.05)
            left = await asyncio.to_thread(contender.unrested, stand.folder, staying)


LOCAL, ACTIVITIES, SIGNALS, OURS, OURS_SIGNALS = "hand-local", "hand-activities", "hand-signals", "ours", "ours-signals"
REFERENCE: Final = LOCAL
"""To which the others are compared."""


def contender(name: str) -> Contender:
    """A new one of this name."""
    made: dict[str, Contender] = {
        LOCAL: Hand(LOCAL, local=True),
        ACTIVITIES: Hand(ACTIVITIES, local=False),
        SIGNALS: HandSignals(SIGNALS, local=True),
        OURS: Ours(OURS),
        OURS_SIGNALS: OursSignals(OURS_SIGNALS),
    }
    return made[name]


ALL: Final = (LOCAL, ACTIVITIES, SIGNALS, OURS, OURS_SIGNALS)
