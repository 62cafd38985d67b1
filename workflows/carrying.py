"""What a run takes along when it goes on as new: its order with the state in it, if that can be sent and read again."""

from dataclasses import replace

from temporalio import workflow

from onboarding import limits
from onboarding.engine.order_text import read_order, write_order
from onboarding.engine.state import RunState, StartOrder
from onboarding.errors import StartRefused
from workflows import faults


def carried(order: StartOrder, state: RunState, written: str) -> bytes | None:
    """The order of the next execution, whose rows follow those of the batch `written`, or `None` if it could not be sent, or not be
    read there."""
    try:
        found = write_order(replace(order, snapshot=state, rows_after=written)).encode()
        if len(found) > limits.CARRIED_BYTES:
            workflow.logger.error("state_too_large", extra={"run_key": order.run, "count": len(found)})
            return None
        read_order(found)
    except (StartRefused, ValueError) as trouble:
        faults.logged(order.run, "continue_as_new", trouble)
        return None
    return found
