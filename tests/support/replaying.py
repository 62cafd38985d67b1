"""What was handed to a run by hand, as the history that a server would have kept of it, and once more through the SDK's replayer.

The replayer checks every command against the events, so what is written here must be what a server writes: no event for an update
that was refused, a marker for a local activity where it landed, everything else in the order of its commands.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, WorkflowType
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from onboarding.engine.state import RunState
from tests.support.activations import Activated, Handed
from workflows.onboarding_run import OnboardingRun

_CORE_FLAGS = (1, 2, 4, 3)
"""What this SDK writes into the first workflow task: without them the replayer checks less."""


class Kept:
    """A history in the making, one workflow task after the other."""

    def __init__(self, run: Activated) -> None:
        self.events: list[HistoryEvent] = []
        self.workflow_id = run.activated[0].act.jobs[0].initialize_workflow.workflow_id
        self._flags = run.flags
        self._timers: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._local: dict[int, str] = {}
        self._updates: dict[str, WorkflowActivationJob] = {}
        self._accepted: dict[str, int] = {}
        self._stamp = Timestamp()
        for task in _tasks(run.activated):
            self._task(task)

    def _task(self, task: list[Handed]) -> None:
        first = task[0]
        refused = {one.update_response.protocol_instance_id for one in first.done.successful.commands if _refuses(one)}
        jobs = [job for job in first.act.jobs if job.do_update.protocol_instance_id not in refused]
        if not jobs:
            return  # a workflow task with nothing but refusals is never written
        self._stamp = first.act.timestamp
        for job in jobs:
            self._before(job)
        self._updates = {job.do_update.protocol_instance_id: job for job in jobs if job.HasField("do_update")}
        scheduled = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
        scheduled.workflow_task_scheduled_event_attributes.task_queue.name = "kept"
        begun = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
        begun.workflow_task_started_event_attributes.scheduled_event_id = scheduled.event_id
        done = self._add(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
        about = done.workflow_task_completed_event_attributes
        about.scheduled_event_id, about.started_event_id = scheduled.event_id, begun.event_id
        if done.event_id == 4:
            about.sdk_metadata.core_used_flags.extend(_CORE_FLAGS)
            about.sdk_metadata.lang_used_flags.extend(self._flags)
        gone = _taken_back(task)
        for handed in task:
            for job in handed.act.jobs if not handed.begins else ():
                if job.resolve_activity.is_local:
                    self._marker(job, handed.act)
            for command in handed.done.successful.commands:
                if not _refuses(command) and _about(command) not in gone:
                    self._after(command, scheduled.event_id)

    def _add(self, kind: EventType.ValueType) -> HistoryEvent:
        event = HistoryEvent(event_id=len(self.events) + 1, event_time=self._stamp, event_type=kind)
        self.events.append(event)
        return event

    def _before(self, job: WorkflowActivationJob) -> None:
        """What made the server ask for a workflow task."""
        match job.WhichOneof("variant"):
            case "initialize_workflow":
                start = self._add(
                    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
                ).workflow_execution_started_event_attributes
                start.workflow_type.CopyFrom(WorkflowType(name="OnboardingRun"))
                start.task_queue.name = "kept"
                start.input.CopyFrom(Payloads(payloads=job.initialize_workflow.arguments))
                start.original_execution_run_id = start.first_execution_run_id = "activated"
                start.workflow_id, start.attempt = job.initialize_workflow.workflow_id, 1
            case "signal_workflow":
                said = self._add(
                    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
                ).workflow_execution_signaled_event_attributes
                said.signal_name = job.signal_workflow.signal_name
                said.input.CopyFrom(Payloads(payloads=job.signal_workflow.input))
            case "fire_timer":
                fired = self._add(EventType.EVENT_TYPE_TIMER_FIRED).timer_fired_event_attributes
                fired.timer_id, fired.started_event_id = str(job.fire_timer.seq), self._timers[job.fire_timer.seq]
            case "resolve_activity":
                self._answered(job)

    def _answered(self, job: WorkflowActivationJob) -> None:
        """A call was taken up and has ended."""
        scheduled, result = self._calls[job.resolve_activity.seq], job.resolve_activity.result
        begun = self._add(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
        begun.activity_task_started_event_attributes.scheduled_event_id = scheduled
        if result.HasField("completed"):
            told = self._add(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED).activity_task_completed_event_attributes
            told.result.CopyFrom(Payloads(payloads=[result.completed.result]))
            told.scheduled_event_id, told.started_event_id = scheduled, begun.event_id
        else:
            broken = self._add(EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED).activity_task_failed_event_attributes
            broken.failure.CopyFrom(result.failed.failure.cause)
            broken.scheduled_event_id, broken.started_event_id = scheduled, begun.event_id

    def _marker(self, job: WorkflowActivationJob, act: WorkflowActivation) -> None:
        """A local activity has ended within its workflow task."""
        seq = job.resolve_activity.seq
        at = {"seconds": act.timestamp.seconds, "nanos": act.timestamp.nanos}
        data = {
            "seq": seq, "attempt": 1, "activity_id": str(seq), "activity_type": self._local[seq], "complete_time": at, "backoff": None,
            "original_schedule_time": at,
        }  # fmt: skip
        told = self._add(EventType.EVENT_TYPE_MARKER_RECORDED).marker_recorded_event_attributes
        told.marker_name = "core_local_activity"
        payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(data).encode())
        told.details["data"].CopyFrom(Payloads(payloads=[payload]))
        told.details["result"].CopyFrom(Payloads(payloads=[job.resolve_activity.result.completed.result]))

    def _after(self, command: WorkflowCommand, scheduled: int) -> None:
        """What the server makes of a command."""
        match command.WhichOneof("variant"):
            case "schedule_local_activity":
                self._local[command.schedule_local_activity.seq] = command.schedule_local_activity.activity_type
            case "schedule_activity":
                call, event = command.schedule_activity, self._add(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
                self._calls[call.seq] = event.event_id
                about = event.activity_task_scheduled_event_attributes
                about.activity_id = call.activity_id
                about.activity_type.CopyFrom(ActivityType(name=call.activity_type))
                about.input.CopyFrom(Payloads(payloads=call.arguments))
            case "request_cancel_activity":
                event = self._add(EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
                event.activity_task_cancel_requested_event_attributes.scheduled_event_id = self._calls[
                    command.request_cancel_activity.seq
                ]
            case "start_timer":
                event = self._add(EventType.EVENT_TYPE_TIMER_STARTED)
                self._timers[command.start_timer.seq] = event.event_id
                event.timer_started_event_attributes.timer_id = str(command.start_timer.seq)
                event.timer_started_event_attributes.start_to_fire_timeout.CopyFrom(
                    command.start_timer.start_to_fire_timeout
                )
            case "cancel_timer":
                gone = self._add(EventType.EVENT_TYPE_TIMER_CANCELED).timer_canceled_event_attributes
                gone.timer_id = str(command.cancel_timer.seq)
                gone.started_event_id = self._timers[command.cancel_timer.seq]
            case "upsert_workflow_search_attributes":
                shown = command.upsert_workflow_search_attributes.search_attributes
                event = self._add(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
                event.upsert_workflow_search_attributes_event_attributes.search_attributes.CopyFrom(shown)
            case "update_response":
                self._update(command, scheduled)
            case "complete_workflow_execution":
                event = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
                told = command.complete_workflow_execution.result
                event.workflow_execution_completed_event_attributes.result.CopyFrom(Payloads(payloads=[told]))
            case other:
                raise AssertionError(f"nobody knows what a server makes of {other}")

    def _update(self, command: WorkflowCommand, scheduled: int) -> None:
        name = command.update_response.protocol_instance_id
        if command.update_response.HasField("accepted"):
            event = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
            self._accepted[name] = event.event_id
            about = event.workflow_execution_update_accepted_event_attributes
            about.protocol_instance_id, about.accepted_request_message_id = name, f"{name}/request"
            about.accepted_request_sequencing_event_id = scheduled
            about.accepted_request.meta.update_id = name
            about.accepted_request.input.name = self._updates[name].do_update.name
            about.accepted_request.input.args.CopyFrom(Payloads(payloads=self._updates[name].do_update.input))
            return
        event = self._add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
        about_end = event.workflow_execution_update_completed_event_attributes
        about_end.meta.update_id, about_end.accepted_event_id = name, self._accepted[name]
        about_end.outcome.success.CopyFrom(Payloads(payloads=[command.update_response.completed]))


def _tasks(handed: list[Handed]) -> Iterator[list[Handed]]:
    task: list[Handed] = []
    for one in handed:
        if one.begins and task:
            yield task
            task = []
        task.append(one)
    if task:
        yield task


def _about(command: WorkflowCommand) -> tuple[str, int] | None:
    """Which timer or call a command is about."""
    match command.WhichOneof("variant"):
        case "start_timer" | "cancel_timer" as kind:
            return "timer", getattr(command, kind).seq
        case "schedule_activity" | "request_cancel_activity" as kind:
            return "call", getattr(command, kind).seq
    return None


def _taken_back(task: list[Handed]) -> set[tuple[str, int] | None]:
    """What is begun and called off within one workflow task: the server never hears of it."""
    begun, ended = set(), set()
    for command in (one for handed in task for one in handed.done.successful.commands):
        which = begun if command.WhichOneof("variant") in ("start_timer", "schedule_activity") else ended
        which.add(_about(command))
    return (begun & ended) - {None}


def _refuses(command: WorkflowCommand) -> bool:
    return command.update_response.HasField("rejected")


class _Watched(UnsandboxedWorkflowRunner):
    """Keeps hold of what it makes, so that a test can look into it."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[WorkflowInstance] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        self.made.append(super().create_instance(det))
        return self.made[-1]


class Replayed(NamedTuple):
    """Why the SDK's replayer takes a history for another one's, and the state that it comes to."""

    failure: Exception | None
    state: RunState


async def replay(kept: Sequence[Kept]) -> list[Replayed]:
    """Each history by a worker that knows nothing of it, one after the other."""
    runner = _Watched()
    # In debug mode a busy machine is no deadlock.
    replayer = Replayer(
        workflows=[OnboardingRun], workflow_runner=runner, data_converter=pydantic_data_converter, debug_mode=True
    )  # fmt: skip
    found = []

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for n, one in enumerate(kept):
            yield WorkflowHistory(one.workflow_id, History(events=one.events).events)
            assert len(runner.made) == n + 1, "one instance for each history"

    async with replayer.workflow_replay_iterator(histories()) as results:
        async for result in results:
            found.append(Replayed(result.replay_failure, runner.made[-1]._object._state))  # type: ignore[attr-defined]
    return found
