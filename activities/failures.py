"""Which exception may be tried again and which may not, in one table.

What leaves an activity stands in the history of a run for as long as the server keeps it. So a failure
says a code and a sentence of ours, never the text of an exception of somebody else's: that may quote
what a customer wrote.

Note [Threads are left alone]
    The SDK's way to cancel a synchronous activity is to raise an exception in its thread at any line: inside a lock of the
    connection pool, or in a thread that is just being started, which then hangs for ever (1 of 60 tries). All of ours are short
    or have a time limit of their own, so they run to their end and nobody listens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, FailureError

from onboarding.errors import HookPutOff, HookRefused, LimitExceeded, RecordConflict

PERMANENT: Mapping[type[Exception], str] = {
    RecordConflict: "record_conflict",
    HookRefused: "hook_refused",
    LimitExceeded: "limit_exceeded",
}
"""No repetition changes these: an entry stands there differently, a hook has said no, something is too large."""

OUR_VALUES: Mapping[type[Exception], str] = {
    **PERMANENT,
    TypeError: "wrong_type",
    ValueError: "wrong_value",
    OverflowError: "wrong_value",
}
"""Also permanent where nothing but our own code has seen the value. In a hook, these are as good as any other error."""

_SENTENCES = {
    "wrong_type": "A value has a type that cannot be stored.",
    "wrong_value": "A value cannot be stored.",
}
_AGAIN = "The attempt failed and can be repeated."


def failure_of(error: Exception, permanent: Mapping[type[Exception], str]) -> ApplicationError:
    """The failure that the run and the Temporal UI see: `type` is the code, the first detail holds code and sentence."""
    if isinstance(error, HookRefused) and HookRefused in permanent:
        return failure(error.code, error.sentence)
    if isinstance(error, HookPutOff):
        return failure(error.code, error.sentence, again=True, after=error.after)
    for kind, code in permanent.items():
        if isinstance(error, kind):
            return failure(code, _SENTENCES.get(code) or str(error))
    named = getattr(error, "code", None)
    return failure(named if isinstance(named, str) else type(error).__name__, _AGAIN, again=True)


def failure(code: str, sentence: str, *, again: bool = False, after: float | None = None) -> ApplicationError:
    """A failure with a code; final unless `again`, and then repeated `after` so many seconds where somebody has asked for that."""
    return ApplicationError(
        f"{code}: {sentence}",
        {"code": code, "sentence": sentence},
        type=code,
        non_retryable=not again,
        next_retry_delay=None if after is None else timedelta(seconds=after),
    )


@contextmanager
def told(permanent: Mapping[type[Exception], str] = OUR_VALUES) -> Iterator[None]:
    """Lets every exception of the block leave as a failure of ours; Temporal's own pass unchanged."""
    try:
        yield
    except FailureError:
        raise
    except Exception as error:
        found = failure_of(error, permanent)
        activity.logger.warning("activity_failed", extra={"code": found.type, "final": found.non_retryable})
        raise found from None
