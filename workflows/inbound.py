"""What comes to a run and passes here first, since the SDK would answer it otherwise than we do."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from temporalio import workflow
from temporalio.worker import (
    HandleQueryInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from onboarding.messages import BY_NAME

METADATA: Final = "__temporal_workflow_metadata"
"""The SDK's own query, with which the Temporal UI asks for the cover sheet."""


class Inbound(Interceptor):
    """To be given to every worker of the workflow.

    An update with more than one argument is refused in our words, before it is accepted; the SDK would answer with a TypeError of ours.
    The cover sheet is made when somebody asks for it, as of then: made in every turn, as the SDK has it, most are read by nobody.
    """

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """The part that runs inside the workflow."""
        return _Inbound


class _Run(Protocol):
    """The run, as far as it is asked here."""

    def judge(self, name: str, args: Sequence[Any]) -> None:
        """Raises the refusal of an update."""

    def cover_sheet(self) -> str:
        """Where the run is, for a manager."""


class _Inbound(WorkflowInboundInterceptor):
    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        # A dynamic update gets its name as an argument of its own; it reads a list and refuses surplus by itself.
        if len(input.args) > 1 and input.update in BY_NAME:
            cast(_Run, workflow.instance()).judge(input.update, input.args)
        super().handle_update_validator(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        found = await super().handle_query(input)
        if input.query == METADATA:
            found.current_details = cast(_Run, workflow.instance()).cover_sheet()
        return found
