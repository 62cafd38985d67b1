"""The real workflow, activated by hand: an exact clock, every command in sight, no server and no worker.

What the SDK's worker would hand to a run is handed to it here, one activation after another, and what it commands is answered as the
world would: rows are written, notices leave, timers fire at their second, hooks wait until somebody answers them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.bridge.proto.activity_result import ActivityResolution
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import ActivityCancellationType, WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import _Definition

from onboarding.engine.order_text import write_order
from onboarding.engine.state import RunState, StartOrder
from runtime.connection import plugin
from tests.support.history import json_payload
from workflows.address import QUERIES
from workflows.backlog import PAUSE
from workflows.onboarding_run import OnboardingRun


class Handed(NamedTuple):
    """One activation and what came of it. `begins` a workflow task, or goes on within one."""

    act: WorkflowActivation
    done: WorkflowActivationCompletion
    begins: bool


class Activated:
    """One run between its start and its end."""

    def __init__(
        self, order: StartOrder, at: datetime, flags: Sequence[int] = (), *, shown: TypedSearchAttributes | None = None
    ) -> None:
        """Starts it, and lets everything land that lands at once. `flags` of the SDK's logic are on as a history would say; the
        attributes `shown` were given with the start.
        """
        self.now = at
        self.flags = flags
        self.events = 3
        """How long its history is said to be."""
        self.activated: list[Handed] = []
        """Everything that was handed to it, and what it answered."""
        self.notices: list[dict[str, Any]] = []
        """Every notice that was asked for, with its rows or on its own, in order."""
        self.calls: list[dict[str, Any]] = []
        """Every hook and check that was called, in order."""
        self.rows: list[dict[str, Any]] = []
        """Every batch of rows, in order."""
        self.verdict: dict[str, Any] | None = None
        """The answer to the last update."""
        self.verdicts: list[dict[str, Any] | None] = []
        """The answer to every update, in the order in which they were sent."""
        self.closed = False
        self.goes_on = False
        """Whether it has gone on as new, where nobody follows it here."""
        self.spent: list[float] = []
        """Seconds of computing of every activation, in order."""
        self.pauses = 0
        """How often it left something for the next workflow task."""
        self._timers: dict[int, datetime] = {}
        self._hooks: dict[str, int] = {}
        self._end_themselves: list[int] = []
        self._updates = 0
        self._run = asyncio.run(_made(_details(order, at, shown)))
        job = WorkflowActivationJob()
        start = job.initialize_workflow
        start.workflow_type, start.workflow_id = "OnboardingRun", order.run
        start.arguments.append(Payload(metadata={"encoding": b"json/plain"}, data=write_order(order).encode()))
        start.workflow_task_timeout.CopyFrom(Duration(seconds=10))
        self._activate([job])

    @property
    def state(self) -> RunState:
        """What the run holds. Looked at from outside, because a query tells what people want to know and no more."""
        state: RunState = self._run._object._state  # type: ignore[attr-defined]
        return state

    def update(self, name: str, content: Any) -> dict[str, Any] | None:
        """Sends an update; its verdict, refused or not."""
        self.verdict = None
        self._activate([self._update_job(name, content)])
        return self.verdict

    def signal(self, name: str, content: Any) -> None:
        """Sends a signal."""
        self._activate([_signal_job(name, content)])

    def together(self, messages: Sequence[tuple[str, str, Any]], *, timers_first: bool) -> None:
        """Several messages (via, name, content) in one workflow task, with every timer whose second has come."""
        said = [
            self._update_job(name, content) if via == "update" else _signal_job(name, content)
            for via, name, content in messages
        ]
        rung = [_fired(self._timers, seq) for seq, at in sorted(self._timers.items()) if at <= self.now]
        self._activate([*rung, *said] if timers_first else [*said, *rung])

    @property
    def rings_at(self) -> datetime | None:
        """When the next timer fires."""
        return min(self._timers.values(), default=None)

    def _update_job(self, name: str, content: Any) -> WorkflowActivationJob:
        self._updates += 1
        self.verdicts.append(None)
        job = WorkflowActivationJob()
        about = job.do_update
        about.id = about.protocol_instance_id = f"u-{self._updates}"
        about.name, about.run_validator = name, True
        about.input.append(json_payload(content))
        return job

    def signals(self, heard: Iterable[tuple[str, Any]]) -> None:
        """Many signals that a worker finds at once when it comes back."""
        jobs = []
        for name, content in heard:
            job = WorkflowActivationJob()
            job.signal_workflow.signal_name, job.signal_workflow.originating_event_id = name, 4 + len(jobs)
            job.signal_workflow.input.append(json_payload(content))
            jobs.append(job)
        self._activate(jobs)

    def sleep(self, until: datetime) -> None:
        """No worker is there until then: whatever should have rung before rings at once."""
        self.now = until
        late = [seq for seq, at in self._timers.items() if at <= until]
        jobs = []
        for seq in late:
            del self._timers[seq]
            job = WorkflowActivationJob()
            job.fire_timer.seq = seq
            jobs.append(job)
        self._activate(jobs)

    def hook(self, key: str, result: Any) -> None:
        """A hook or check that was called comes back; `None` says that it failed at every attempt."""
        resolution = ActivityResolution()
        if result is None:
            failure = resolution.failed.failure
            failure.message = "Activity task failed"
            failure.activity_failure_info.activity_type.name = "run_hook"
            failure.cause.message = "gone"
            failure.cause.application_failure_info.type = "gone"
        else:
            resolution.completed.result.CopyFrom(json_payload(result))
        self._activate([_resolved(self._hooks.pop(key), resolution)])

    def wait(self, until: datetime, *, to_the_end: bool = True) -> None:
        """Time passes: timers fire at their second. Without `to_the_end` what is due at the very end has not fired yet."""
        while self._timers:
            seq, at = min(self._timers.items(), key=lambda one: one[1])
            if at > until or (at == until and not to_the_end):
                break
            self.now = max(self.now, at)
            self._activate([_fired(self._timers, seq)])
        self.now = max(self.now, until)

    def _activate(self, jobs: Iterable[WorkflowActivationJob]) -> None:
        """One workflow task, with everything that lands within it; then those in which the world answers what it was asked."""
        jobs, begins = list(jobs), True
        later: list[WorkflowActivationJob] = []
        while jobs:
            stamp = Timestamp()
            stamp.FromDatetime(self.now.astimezone(UTC).replace(tzinfo=None))
            act = WorkflowActivation(
                run_id="activated",
                timestamp=stamp,
                history_length=self.events,
                jobs=jobs,
                available_internal_flags=self.flags,
            )
            begun = time.thread_time()
            done = self._run.activate(act)
            self.spent.append(time.thread_time() - begun)
            self.activated.append(Handed(act, done, begins))
            if done.HasField("failed"):
                raise AssertionError(f"the workflow task failed: {done.failed.failure.message}")
            answers = [job for command in done.successful.commands for job in self._obey(command)]
            jobs = [job for job in answers if _is_within(job)]
            later += [job for job in answers if not _is_within(job)]
            begins = not jobs
            if not jobs:
                jobs, later = later, []

    def _obey(self, command: WorkflowCommand) -> list[WorkflowActivationJob]:
        """What the world does about a command; what comes back at once."""
        match command.WhichOneof("variant"):
            case "start_timer":
                timer = command.start_timer
                length = timer.start_to_fire_timeout.ToTimedelta()
                self._timers[timer.seq] = self.now + length
                self.pauses += length == PAUSE
            case "cancel_timer":
                self._timers.pop(command.cancel_timer.seq, None)
            case "schedule_local_activity":
                batch = _argument(command.schedule_local_activity.arguments)
                self.notices += batch["notices"]
                self.rows.append(batch)
                return [_landed(command.schedule_local_activity.seq, batch["id"], local=True)]
            case "schedule_activity":
                about = command.schedule_activity
                effect = _argument(about.arguments)
                if about.activity_type == "run_hook":
                    self._hooks[effect["key"]] = about.seq
                    if about.cancellation_type == ActivityCancellationType.WAIT_CANCELLATION_COMPLETED:
                        self._end_themselves.append(about.seq)
                    self.calls.append(effect)
                    return []
                assert about.activity_type == "deliver_notice", about.activity_type
                self.notices.append(effect)
                return [_landed(about.seq, None)]
            case "request_cancel_activity":
                seq = command.request_cancel_activity.seq
                if seq in self._end_themselves:
                    return []
                self._hooks = {key: one for key, one in self._hooks.items() if one != seq}
                resolution = ActivityResolution()
                resolution.cancelled.failure.canceled_failure_info.SetInParent()
                return [_resolved(seq, resolution)]
            case "update_response":
                self._hear(command)
            case "complete_workflow_execution":
                self.closed = True
            case "continue_as_new_workflow_execution":
                self.goes_on = True
            case "upsert_workflow_search_attributes" | "modify_workflow_properties":
                pass
            case other:
                raise AssertionError(f"nobody expected {other}")
        return []

    def _hear(self, command: WorkflowCommand) -> None:
        answer = command.update_response
        match answer.WhichOneof("response"):
            case "completed":
                self.verdict = json.loads(answer.completed.data)
            case "rejected":
                details = answer.rejected.application_failure_info.details.payloads
                self.verdict = json.loads(details[0].data)
            case _:
                return
        self.verdicts[int(answer.protocol_instance_id.removeprefix("u-")) - 1] = self.verdict


def cold(order: StartOrder, at: datetime, run: Activated) -> RunState:
    """What another worker makes of everything that was handed to a run; every command must be the one that was given then.

    Updates that were refused are in no history, so it is not told of them.
    """
    other = asyncio.run(_made(_details(order, at)))
    for act, done, _ in run.activated:
        refused = {one.update_response.protocol_instance_id for one in done.successful.commands if _is_refusal(one)}
        jobs = [job for job in act.jobs if job.do_update.protocol_instance_id not in refused]
        if act.jobs and not jobs:
            continue
        again = WorkflowActivation()
        again.CopyFrom(act)
        again.is_replaying = True
        del again.jobs[:]
        again.jobs.extend(jobs)
        for job in again.jobs:
            if job.HasField("do_update"):
                job.do_update.run_validator = False
        commands = list(other.activate(again).successful.commands)
        assert commands == [one for one in done.successful.commands if not _is_refusal(one)], "other commands"
    state: RunState = other._object._state  # type: ignore[attr-defined]
    return state


def untouched(order: StartOrder, at: datetime, runner: WorkflowRunner) -> WorkflowInstance:
    """A run as this runner makes it, to which nothing was handed yet."""
    return asyncio.run(_made(_details(order, at), runner))


def under_the_strict_sandbox(order: StartOrder, at: datetime, run: Activated) -> int:
    """Hands the same to a run whose rooms the sandbox has reloaded, messages that were refused among it, and asks every query in the end.

    Whatever reads a clock, draws a number or asks the world is stopped there. How many workflow tasks those were; each must end as it did
    without the sandbox.
    """
    runner = plugin(strict=True).workflow_runner
    assert isinstance(runner, SandboxedWorkflowRunner)
    other = asyncio.run(_made(_details(order, at), runner))
    for act, done, _ in run.activated:
        assert other.activate(act) == done
    if run.closed or run.goes_on:
        return len(run.activated)
    for name in QUERIES:
        job = WorkflowActivationJob()
        job.query_workflow.query_id, job.query_workflow.query_type = name, name
        last = run.activated[-1].act
        asked = WorkflowActivation(
            run_id=last.run_id, timestamp=last.timestamp, history_length=last.history_length, jobs=[job]
        )
        (answer,) = other.activate(asked).successful.commands
        assert answer.respond_to_query.HasField("succeeded"), answer
    return len(run.activated)


def _is_within(job: WorkflowActivationJob) -> bool:
    """What the SDK tells within the same workflow task: the end of a local activity, and that a call was called back."""
    return job.resolve_activity.is_local or job.resolve_activity.result.HasField("cancelled")


def _is_refusal(command: WorkflowCommand) -> bool:
    return command.update_response.HasField("rejected")


def _signal_job(name: str, content: Any) -> WorkflowActivationJob:
    job = WorkflowActivationJob()
    job.signal_workflow.signal_name, job.signal_workflow.originating_event_id = name, 9
    job.signal_workflow.input.append(json_payload(content))
    return job


def _fired(timers: dict[int, datetime], seq: int) -> WorkflowActivationJob:
    del timers[seq]
    job = WorkflowActivationJob()
    job.fire_timer.seq = seq
    return job


async def _made(details: WorkflowInstanceDetails, runner: WorkflowRunner | None = None) -> WorkflowInstance:
    """It looks for a loop while it is made, and brings its own."""
    return (runner or UnsandboxedWorkflowRunner()).create_instance(details)


def _details(order: StartOrder, at: datetime, shown: TypedSearchAttributes | None = None) -> WorkflowInstanceDetails:
    attributes = TypedSearchAttributes([*shown] if shown else [])  # of its own: the SDK changes them in place
    info = workflow.Info(
        attempt=1, continued_run_id=None, cron_schedule=None, execution_timeout=None, first_execution_run_id="activated",
        headers={}, namespace="default", original_execution_run_id="activated", parent=None, root=None, raw_memo={},
        retry_policy=None, run_id="activated", run_timeout=None, search_attributes={}, start_time=at, workflow_start_time=at,
        task_queue="activated", task_timeout=timedelta(seconds=10), typed_search_attributes=attributes,
        workflow_id=order.run, workflow_type="OnboardingRun", priority=Priority.default,
    )  # fmt: skip
    converter = pydantic_data_converter
    return WorkflowInstanceDetails(
        payload_converter_factory=converter.payload_converter_class, failure_converter_class=converter.failure_converter_class,
        interceptor_classes=[], defn=_Definition.must_from_class(OnboardingRun), info=info, randomness_seed=1,
        extern_functions={"__temporal_assert_local_activity_valid": _every_name}, disable_eager_activity_execution=True, worker_level_failure_exception_types=[],
        patch_activation_callback=None, last_completion_result=Payloads(), last_failure=None,
    )  # fmt: skip


def _every_name(activity: str) -> None:
    """Whether the worker has this activity: the shell's other tests ask that."""


def _argument(arguments: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(arguments[0].data)
    return read


def _landed(seq: int, result: Any, *, local: bool = False) -> WorkflowActivationJob:
    resolution = ActivityResolution()
    resolution.completed.result.CopyFrom(
        Payload(metadata={"encoding": b"binary/null"}) if result is None else json_payload(result)
    )
    return _resolved(seq, resolution, local=local)


def _resolved(seq: int, resolution: ActivityResolution, *, local: bool = False) -> WorkflowActivationJob:
    job = WorkflowActivationJob()
    job.resolve_activity.seq, job.resolve_activity.is_local = seq, local
    job.resolve_activity.result.CopyFrom(resolution)
    return job
