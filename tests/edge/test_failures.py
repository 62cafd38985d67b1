"""Which exception may be tried again: the table, row by row."""

from __future__ import annotations

import sqlite3

import pytest
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment

from activities.failures import OUR_VALUES, PERMANENT, failure_of, told
from onboarding.errors import HookRefused, LimitExceeded, RecordConflict, UnknownRun
from storage.engine import DatabaseUnavailable

CANARY = "DE89370400440532013000"


@pytest.mark.parametrize(
    ("error", "code", "final_in_rows", "final_in_hooks"),
    [
        (RecordConflict("trail", "run#1"), "record_conflict", True, True),
        (HookRefused("no_licence", "There is no licence left."), "no_licence", True, True),
        (LimitExceeded("An answer", 1, 2), "limit_exceeded", True, True),
        (TypeError(CANARY), "wrong_type", True, False),
        (ValueError(CANARY), "wrong_value", True, False),
        (UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY), "wrong_value", True, False),
        (OverflowError(CANARY), "wrong_value", True, False),
        (DatabaseUnavailable("database_busy", "held", "wait"), "database_busy", False, False),
        (UnknownRun("run"), "UnknownRun", False, False),
        (sqlite3.OperationalError(CANARY), "OperationalError", False, False),
        (ConnectionError(CANARY), "ConnectionError", False, False),
        (TimeoutError(CANARY), "TimeoutError", False, False),
        (OSError(28, CANARY), "OSError", False, False),
        (KeyError(CANARY), "KeyError", False, False),
        (RuntimeError(CANARY), "RuntimeError", False, False),
    ],
)
def test_the_table(error: Exception, code: str, final_in_rows: bool, final_in_hooks: bool) -> None:
    """Code and finality of each kind, where we made the value and where a hook did; never its text."""
    in_rows, in_hooks = failure_of(error, OUR_VALUES), failure_of(error, PERMANENT)

    assert (in_rows.type, in_rows.non_retryable) == (code, final_in_rows)
    assert in_hooks.non_retryable is final_in_hooks
    for failure in (in_rows, in_hooks):
        assert CANARY not in f"{failure} {failure.details}"
        assert failure.details[0]["code"] == failure.type


@pytest.mark.parametrize("error", [ApplicationError("x", type="mine"), CancelledError("stop")], ids=["ours", "cancel"])
def test_what_is_a_failure_already_passes_unchanged(error: Exception) -> None:
    """A cancelled attempt must stay one."""

    def work() -> None:
        with told():
            raise error

    with pytest.raises(type(error)) as caught:
        ActivityEnvironment().run(work)

    assert caught.value is error
