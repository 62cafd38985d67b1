"""What becomes of a fault of this program, see docs/decisions/0006-a-fault-of-ours.md: it is logged without anybody's words,
a sender who waits hears of it, and everything else stands still until it is mended."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from temporalio import workflow

from onboarding.messages import MessageFault, OutcomeWord, Verdict

SENTENCE = (
    "This message met a fault of the program; nothing was changed. Tell whoever runs it, and send it again later."
)


class ProgramFault(RuntimeError):
    """The program cannot decide what comes next.

    Raised by the shell in the place of whatever the core raised, whose text may hold what somebody sent. It fails the
    workflow task: the run stands still, loses nothing, and goes on by itself when a mended program is deployed. Never catch
    it; read the log line `program_fault`.
    """


UNDECODABLE_ORDER = "The start order of this run cannot be decoded here: the key for it is not in this database."


class OrderUndecodable(RuntimeError):
    """The order of this run was encrypted, and this worker has no key for it.

    It fails the workflow task: more likely than a stranger's order is a worker with the wrong database, and that must end no
    run. Never catch it; give the worker its keys, or terminate the run of a customer who was erased.
    """

    def __init__(self, run: str) -> None:
        workflow.logger.error("order_undecodable", extra={"run_key": run})
        super().__init__(UNDECODABLE_ORDER)


@contextmanager
def suspending(run: str, event: str) -> Iterator[None]:
    """Lets a fault of ours fail the workflow task, so that nothing of it becomes history."""
    try:
        yield
    except ProgramFault:
        raise  # written down where it was met
    except Exception as fault:
        raise ProgramFault(logged(run, event, fault)) from None


def wait_for_a_later_release(run: str, rules_version: int) -> NoReturn:
    """Fails the workflow task of a run that began with rules of a later release: it goes on when a worker of that one has it."""
    workflow.logger.error("rules_unknown", extra={"run_key": run, "count": rules_version})
    raise ProgramFault(f"rules_unknown: this run began with rules {rules_version}, which a later release knows")


def logged(run: str, event: str, fault: BaseException) -> str:
    """Where the program failed: written to the log, and given back."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    where = f"{type(fault).__name__} at {place}"
    workflow.logger.error("program_fault", extra={"run_key": run, "event_name": event, "reason": where})
    return where


def answer(message_id: str) -> Verdict:
    """What a sender who waits is told: nothing of it is in the history, so the message may be sent again."""
    fault = MessageFault(place="", code="internal", sentence=SENTENCE)
    return Verdict(
        outcome=OutcomeWord.REJECTED, code="internal", sentence=SENTENCE, message_id=message_id, faults=(fault,)
    )
