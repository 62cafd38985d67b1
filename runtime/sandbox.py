"""The sandbox of a run, asked for nothing that is known outside of it.

For each payload that comes or goes the SDK asks the run itself, three or four times, which context the codec should have, and goes through
the sandbox for each answer: a sixth of what a worker had to compute, measured in docs/decisions/0019-what-a-message-costs.md. Our codec
wants to know the run and nothing else (`runtime/codec.py`), and a run has neither children nor other runs to write to.
"""

from __future__ import annotations

from typing import Any

from temporalio.converter import SerializationContext, StorageDriverStoreContext, WorkflowSerializationContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info


class Sandbox(SandboxedWorkflowRunner):
    """As the SDK's."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One run in a sandbox of its own."""
        return _Run(super().create_instance(det), det.info)


class _Run(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, info: Info) -> None:
        self._inner = inner
        self._info = info
        self._context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)
        self._stored = StorageDriverStoreContext(target=None)

    def activate(self, act: Any) -> Any:
        """Hands an activation to the run."""
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext:
        """That of the run, also for its activities: what they carry is encrypted for the same run."""
        return self._context

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """Nothing of a run is stored elsewhere."""
        return self._stored

    def get_info(self) -> Info:
        return self._info

    def get_thread_id(self) -> int | None:
        """Where it runs now: the SDK interrupts a run there that does not come to an end."""
        return self._inner.get_thread_id()
