"""The reference: the same job as workflows that somebody wrote by hand for exactly this process, clearly and fast.

What a good engineer writes in an afternoon: one update for each sort of message, refused by a validator before it is in the history; one
timer for each stage; an activity for each automated task, which runs beside the messages; the wait of each input and the duration of
each stage in the result. No definition, no rows, no search attributes, no notices but the escalation of a stage that is late.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from benchmarks.engine.job import APPROVALS, INPUTS, STAGES, Stage

TASK_TIMEOUT = timedelta(seconds=10)
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=8)


@dataclass
class Order:
    """What a run starts with. `deadlines` are the seconds that the first and any later stage may take."""

    customer: str
    local: bool
    deadlines: tuple[int, int]


@dataclass
class Submission:
    """The customer delivers an input."""

    message_id: str
    actor: str
    item: str
    fields: dict[str, str]


@dataclass
class Decision:
    """Somebody decides an approval."""

    message_id: str
    actor: str
    item: str
    outcome: str
    comment: str


@dataclass
class Verdict:
    """What a sender hears."""

    outcome: str
    code: str
    message_id: str
    item: str


@dataclass
class Report:
    """How a run went: seconds that each input waited for, and that each stage took."""

    waited: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


class Activities:
    """What the workflows call. Escalations are lines of a file, so that somebody can count them."""

    def __init__(self, escalations: Path) -> None:
        """`escalations` is that file; it may not be there yet."""
        self._escalations = escalations

    @activity.defn
    async def do_task(self, customer: str, task: str) -> str:
        """An automated task: as much work as the hook of ours, which is none."""
        return f"{task} of {customer} is done"

    @activity.defn
    async def escalate(self, customer: str, stage: str) -> str:
        """Tells the owner of a stage that it is late."""
        with self._escalations.open("a") as lines:
            lines.write(f"{customer}\n")
        return f"{stage} of {customer} is late"


class _Onboarding:
    """What both workflows share: everything but how a message comes in."""

    def __init__(self) -> None:
        self.answers: dict[str, datetime] = {}
        self.decided: set[str] = set()
        self.seen: dict[str, Verdict] = {}
        self.opened: dict[str, datetime] = {}
        self.report = Report()
        self.order = Order("", True, (0, 0))

    async def carry_out(self, order: Order) -> Report:
        """All stages, one after the other."""
        self.order = order
        for stage in STAGES:
            await self._stage(stage, order.deadlines[0] if stage is STAGES[0] else order.deadlines[1])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.report

    async def _stage(self, stage: Stage, deadline: int) -> None:
        began = workflow.now()
        self.opened[stage.id] = began
        work = asyncio.create_task(self._work(stage))
        ends = began.replace(microsecond=0) + timedelta(seconds=deadline)
        try:
            await workflow.wait_condition(work.done, timeout=ends - began)
        except TimeoutError:
            self.report.late.append(stage.id)
            await self._call("escalate", stage.id)
        await work
        for name in stage.inputs:
            self.report.waited[name] = max(0.0, (self.answers[name] - began).total_seconds())
        self.report.took[stage.id] = (workflow.now() - began).total_seconds()

    async def _work(self, stage: Stage) -> None:
        await workflow.wait_condition(lambda: stage.inputs[0] in self.answers)
        tasks = [asyncio.create_task(self._call("do_task", name)) for name in stage.tasks]
        await workflow.wait_condition(lambda: self._is_answered(stage))
        await asyncio.gather(*tasks)
        self.report.done.extend(stage.tasks)

    def _is_answered(self, stage: Stage) -> bool:
        answered = all(name in self.answers for name in stage.inputs)
        return answered and (stage.approval is None or stage.approval in self.decided)

    async def _call(self, activity_name: str, about: str) -> str:
        arguments = [self.order.customer, about]
        run = workflow.execute_local_activity if self.order.local else workflow.execute_activity
        told: str = await run(
            activity_name, args=arguments, result_type=str, start_to_close_timeout=TASK_TIMEOUT, retry_policy=RETRY
        )
        return told

    def take(self, message: Submission | Decision) -> Verdict:
        """Applies a message; its verdict. An input may come before its stage is open; it counts when that opens."""
        if isinstance(message, Submission):
            self.answers[message.item] = workflow.now()
        else:
            self.decided.add(message.item)
        verdict = Verdict("accepted", "answered", message.message_id, message.item)
        self.seen[message.message_id] = verdict
        return verdict

    def judge(self, message: Submission | Decision) -> str:
        """The code of what is wrong with a message; empty where nothing is."""
        if message.message_id in self.seen:
            return "id_reused"
        if isinstance(message, Submission):
            if message.item not in INPUTS:
                return "unknown_item"
            if any(not text.strip() for text in message.fields.values()):
                return "blank_field"
            return "already_done" if message.item in self.answers else ""
        if message.item not in APPROVALS:
            return "unknown_item"
        if message.outcome != "accept":
            return "unknown_outcome"
        if message.item in self.decided:
            return "already_decided"
        stage = next(one for one in STAGES if one.approval == message.item)
        ready = stage.id in self.opened and all(name in self.answers for name in stage.inputs)
        return "" if ready else "not_open_yet"


def _refuse(code: str, message: Submission | Decision) -> None:
    if code:
        raise ApplicationError(code, Verdict("rejected", code, message.message_id, message.item), type="Refused", non_retryable=True)  # fmt: skip


@workflow.defn(name="ByHand")
class ByHand(_Onboarding):
    """Messages as updates: the sender hears the verdict at once."""

    @workflow.run
    async def run(self, order: Order) -> Report:
        """Carries the run to its end."""
        return await self.carry_out(order)

    @workflow.update
    def submit(self, message: Submission) -> Verdict:
        """The customer delivers an input."""
        return self.take(message)

    @submit.validator
    def _may_submit(self, message: Submission) -> None:
        _refuse(self.judge(message), message)

    @workflow.update
    def decide(self, message: Decision) -> Verdict:
        """Somebody decides."""
        return self.take(message)

    @decide.validator
    def _may_decide(self, message: Decision) -> None:
        _refuse(self.judge(message), message)


@workflow.defn(name="ByHandSignals")
class ByHandSignals(_Onboarding):
    """Messages as signals: the sender asks afterwards what became of them."""

    @workflow.run
    async def run(self, order: Order) -> Report:
        """Carries the run to its end."""
        return await self.carry_out(order)

    @workflow.signal
    def submit(self, message: Submission) -> None:
        """The customer delivers an input."""
        self._hear(message)

    @workflow.signal
    def decide(self, message: Decision) -> None:
        """Somebody decides."""
        self._hear(message)

    @workflow.query
    def verdict(self, message_id: str) -> Verdict | None:
        """What became of a message."""
        return self.seen.get(message_id)

    def _hear(self, message: Submission | Decision) -> None:
        code = self.judge(message)
        if not code:
            self.take(message)
        elif message.message_id not in self.seen:
            self.seen[message.message_id] = Verdict("rejected", code, message.message_id, message.item)
