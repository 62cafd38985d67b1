"""Recorded histories: where they are, how they are written, and that nobody changes them."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

from google.protobuf.message import Message
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.client import Client, WorkflowHistory

from tests.support.shell import Run

FOLDER = Path(__file__).parent.parent / "histories"
SUMS = "SHA256SUMS"


async def histories_of(client: Client, run: Run) -> list[WorkflowHistory]:
    """All executions of a run, the first one first."""
    found: list[WorkflowHistory] = []
    before: str | None = None
    while before != "":
        history = await client.get_workflow_handle(run.handle.id, run_id=before).fetch_history()
        found.insert(0, history)
        before = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return found


def keep(history: WorkflowHistory, path: Path) -> None:
    """Writes a history, without what only says on which machine it was recorded."""
    for event in history.events:
        _forget(event)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(history.to_json()), separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def sum_up(folder: Path) -> None:
    """Writes the digests beside the histories, so that a changed one is noticed."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(folder.glob("*.json.gz"))
    ]
    (folder / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _forget(message: Message) -> None:
    if isinstance(message, TaskQueue) and message.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        message.name = "recorded"  # it begins with the process and the machine
    for descriptor, value in message.ListFields():
        if descriptor.name in ("identity", "stack_trace"):
            setattr(message, descriptor.name, "recorded" if descriptor.name == "identity" else "")
        elif descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
            continue
        elif isinstance(value, Message):
            _forget(value)
        else:
            for one in value:
                _forget(one)
