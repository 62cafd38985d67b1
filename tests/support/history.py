"""Event histories as a server would have kept them, written by hand: what the workflow does with them needs no server.

A history here ends with a workflow task that has begun, so the replayer hands everything before it to the workflow at once and
reports what the workflow makes of it. Commands are checked where a task is `completed` and followed by the events it made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads, WorkflowType
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History as HistoryEvents, HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from onboarding.engine.order_text import write_order
from onboarding.engine.state import StartOrder
from runtime.connection import plugin
from workflows.onboarding_run import OnboardingRun


def json_payload(value: Any) -> Payload:
    """A value as every SDK sends it."""
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


class Written:
    """A history in the making. Each method adds what the server would add."""

    def __init__(self, workflow_id: str, arguments: Sequence[Payload], at: datetime | None = None) -> None:
        """A run that was started."""
        self.workflow_id = workflow_id
        self._at = at or datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        self._events: list[HistoryEvent] = []
        started = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
        about = started.workflow_execution_started_event_attributes
        about.workflow_type.CopyFrom(WorkflowType(name="OnboardingRun"))
        about.task_queue.CopyFrom(TaskQueue(name="written"))
        about.input.CopyFrom(Payloads(payloads=list(arguments)))
        about.original_execution_run_id = about.first_execution_run_id = "written"
        about.workflow_id = workflow_id
        about.attempt = 1

    @classmethod
    def of(cls, order: StartOrder, at: datetime | None = None) -> Written:
        """A run that was started with this order."""
        argument = Payload(metadata={"encoding": b"json/plain"}, data=write_order(order).encode())
        return cls(order.run, [argument], at)

    def later(self, **units: float) -> Written:
        """Time passes."""
        self._at += timedelta(**units)
        return self

    def signal(self, name: str, *arguments: Payload) -> Written:
        """A signal arrived."""
        about = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED).workflow_execution_signaled_event_attributes
        about.signal_name = name
        about.input.CopyFrom(Payloads(payloads=list(arguments)))
        return self

    def task(self) -> Written:
        """A workflow task began."""
        scheduled = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
        scheduled.workflow_task_scheduled_event_attributes.task_queue.CopyFrom(TaskQueue(name="written"))
        begun = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
        begun.workflow_task_started_event_attributes.scheduled_event_id = scheduled.event_id
        return self

    def failed(self) -> Written:
        """The run ended with a failure, in the task that began."""
        begun = self._events[-1]
        done = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
        done.workflow_task_completed_event_attributes.scheduled_event_id = begun.event_id - 1
        done.workflow_task_completed_event_attributes.started_event_id = begun.event_id
        # Without these the replayer checks less than it does on a real history.
        done.workflow_task_completed_event_attributes.sdk_metadata.core_used_flags.extend([1, 2, 3])
        end = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED)
        end.workflow_execution_failed_event_attributes.workflow_task_completed_event_id = done.event_id
        return self

    async def replay(self, *, strict: bool = True) -> Exception | None:
        """What the workflow made of it: nothing, or why it stands still or went another way."""
        replayer = Replayer(workflows=[OnboardingRun], plugins=[plugin(strict=strict)])
        history = WorkflowHistory(self.workflow_id, HistoryEvents(events=self._events).events)
        return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure

    def _add(self, kind: EventType.ValueType) -> HistoryEvent:
        stamp = Timestamp()
        stamp.FromDatetime(self._at.astimezone(UTC).replace(tzinfo=None))
        self._at += timedelta(milliseconds=1)
        event = HistoryEvent(event_id=len(self._events) + 1, event_time=stamp, event_type=kind)
        self._events.append(event)
        return event
