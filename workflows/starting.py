"""Whether a start order that can be read may become a run, and what a caller hears if not."""

from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from onboarding.engine import rules
from onboarding.engine.order_text import unbearable
from onboarding.engine.state import StartOrder
from onboarding.errors import StartRefused
from onboarding.messages import MessageFault


def judge(order: StartOrder) -> None:
    """Raises `StartRefused` for an order of another run, and for one that is too much for any run."""
    if order.run != workflow.info().workflow_id:
        # Rows are kept by the run's name: under another id two runs would write the same ones.
        sentence = "The order is for another run than the one that was started; the workflow id must be the run's name."
        raise StartRefused((MessageFault(place="/run", code="other_run", sentence=sentence),))
    # What goes on as new was borne before; what an earlier release has started, it goes on bearing.
    if order.snapshot is None and order.rules_version >= rules.REFUSES_UNBEARABLE and (faults := unbearable(order)):
        raise StartRefused(faults)


def refuse(refusal: StartRefused) -> NoReturn:
    """Ends the run as failed, with code, place and sentence of each fault."""
    faults = [{"place": fault.place, "code": fault.code, "sentence": fault.sentence} for fault in refusal.faults]
    first = refusal.faults[0]
    details = {"code": first.code, "faults": faults}
    # Without the place, which may hold a name that the sender made up: it stands in the details, and those are encrypted.
    raise ApplicationError(f"{first.code}: {first.sentence}", details, type="StartRefused", non_retryable=True)
