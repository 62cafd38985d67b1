"""What a worker says to an update with more than one argument: the SDK would answer with a TypeError of ours."""

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from onboarding.messages import BY_NAME
from workflows.arguments import TOO_MANY


class OneArgument(Interceptor):
    """Refuses surplus arguments in our words, before the update is accepted; to be given to every worker of the workflow."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """The part that runs inside the workflow."""
        return _OneArgument


class _OneArgument(WorkflowInboundInterceptor):
    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        # A dynamic update gets its name as an argument of its own; it reads a list and refuses surplus by itself.
        if len(input.args) > 1 and input.update in BY_NAME:
            code, sentence = TOO_MANY
            details: dict[str, Any] = {"code": code, "sentence": sentence}
            raise ApplicationError(f"{code}: {sentence}", details, type="Refused", non_retryable=True)
        super().handle_update_validator(input)
