"""Hooks and checks: whatever an installation has registered, called with limits."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from temporalio import activity

from activities.failures import PERMANENT, failure, told
from onboarding.crash_points import reached
from onboarding.engine.effects import RunHook
from onboarding.errors import LimitExceeded
from onboarding.ports import HookRunner

RESULT_BYTES = 65_536
"""JSON of one answer: it becomes part of the run's history, and facts are meant to be small."""
BEAT_SECONDS = 5.0
"""How often a hook that is at work says so, where its heartbeat limit does not ask for more."""


class HookActivities:
    """Runs in the worker's thread pool. A hook is repeated after any exception that is no answer."""

    def __init__(self, runner: HookRunner) -> None:
        """The door that builds the worker says who fulfils the port."""
        self._runner = runner

    @activity.defn(name="run_hook", no_thread_cancel_exception=True)  # see Note [Threads are left alone]
    def run_hook(self, effect: RunHook) -> dict[str, Any]:
        """Calls the hook and gives its answer back. Its failures say a code, never what a hook's exception says."""
        if effect.activity not in self._runner.names:
            raise failure("unknown_hook", "No hook of this name is registered with this worker.")
        with told(PERMANENT), _heartbeat():
            reached("act.before_effect")
            answer = self._runner.run(effect.activity, effect.arguments, effect.key)
            reached("act.after_effect")
        plain = _readable(answer)
        if effect.check is not None and not isinstance(plain.get("ok"), bool):
            # Whoever runs the hooks: silence never approves, so a person looks at an answer that no check has judged.
            raise failure("hook_answer_invalid", "A check says `ok`, true or false; this one did not.")
        return plain


def _readable(answer: Any) -> dict[str, Any]:
    """The answer as plain JSON, or a final failure: the run must not meet it as something else."""
    try:
        text = json.dumps(answer, allow_nan=False, ensure_ascii=False)
        size = len(text.encode("utf-8"))
    except (TypeError, ValueError, RecursionError):
        raise failure("hook_answer_invalid", "The hook's answer is not plain JSON.") from None
    if size > RESULT_BYTES:
        raise failure("hook_answer_too_large", str(LimitExceeded("A hook's answer in bytes", RESULT_BYTES, size)))  # fmt: skip
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise failure("hook_answer_invalid", "The hook answered something else than an object.")
    return plain


@contextmanager
def _heartbeat() -> Iterator[None]:
    """Says every few seconds that the hook is at work, so that a killed worker is noticed before its long limit."""
    limit = activity.info().heartbeat_timeout
    pause = min(BEAT_SECONDS, limit.total_seconds() / 3) if limit else BEAT_SECONDS
    done = threading.Event()

    def beat() -> None:
        # A worker that is going down takes no more beats; the attempt ends with it.
        with suppress(RuntimeError):
            while not done.wait(pause):
                activity.heartbeat()

    activity.heartbeat()
    # The context tells the other thread which activity it speaks for.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(beat,), name="hook-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
