"""What a worker says to an update with more than one argument: the SDK would answer with a TypeError of ours."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from temporalio import workflow
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from onboarding.messages import BY_NAME


class OneArgument(Interceptor):
    """Refuses surplus arguments in our words, before the update is accepted; to be given to every worker of the workflow."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """The part that runs inside the workflow."""
        return _OneArgument


class _Judge(Protocol):
    """The run, as far as it is asked here."""

    def judge(self, name: str, args: Sequence[Any]) -> None:
        """Raises the refusal of an update."""


class _OneArgument(WorkflowInboundInterceptor):
    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        # A dynamic update gets its name as an argument of its own; it reads a list and refuses surplus by itself.
        if len(input.args) > 1 and input.update in BY_NAME:
            cast(_Judge, workflow.instance()).judge(input.update, input.args)
        super().handle_update_validator(input)
