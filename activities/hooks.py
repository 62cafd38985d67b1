"""Hooks and checks: whatever an installation has registered, called with limits."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities.failures import PERMANENT, failure, told
from activities.lanes import Lanes, Parked
from onboarding.crash_points import reached
from onboarding.engine.effects import RunHook
from onboarding.errors import HookPutOff, HookRefused, LimitExceeded
from onboarding.ports import HookRunner, HookWaits, Later, WaitingHook

RESULT_BYTES = 65_536
"""JSON of one answer: it becomes part of the run's history, and facts are meant to be small."""
PATIENCE = 30.0
"""Seconds after which a call comes again for which there was no room."""
BEAT_SECONDS = 5.0
"""How often a hook that is at work says so, where its heartbeat limit does not ask for more."""


class HookActivities:
    """Runs in the worker's thread pool. A hook is repeated after any exception that is no answer."""

    def __init__(self, runner: HookRunner, lanes: Lanes | None = None, waits: HookWaits | None = None) -> None:
        """The door that builds the worker says who fulfils the ports.

        With `lanes` an `Attendant` must run, without them any number of calls is made at once. Without `waits` no hook may answer later.
        """
        self._runner = runner
        self._lanes = lanes
        self._waits = waits

    @activity.defn(name="run_hook", no_thread_cancel_exception=True)  # see Note [Threads are left alone]
    def run_hook(self, effect: RunHook) -> dict[str, Any]:
        """Calls the hook and gives its answer back. Its failures say a code, never what a hook's exception says."""
        if effect.activity not in self._runner.names:
            raise failure("unknown_hook", "No hook of this name is registered with this worker.")
        lanes = self._lanes
        if lanes is not None and not lanes.enter(effect.activity):
            if not lanes.park(_parked(effect)):
                raise failure("worker_full", "Too many calls wait in this worker.", again=True, after=PATIENCE)
            activity.raise_complete_async()
        try:
            with _heartbeat():
                answer = self._call(_parked(effect))
        finally:
            if lanes is not None:
                lanes.leave(effect.activity)
        if answer is None:
            activity.raise_complete_async()
        return answer

    def call_parked(self, parked: Parked) -> dict[str, Any] | None:
        """As `run_hook`, for a call whose turn has come; `None` where the answer comes later."""
        return self._call(parked)

    def _call(self, attempt: Parked) -> dict[str, Any] | None:
        effect = attempt.effect
        with told(PERMANENT):
            if self._goes_on(attempt):
                return None
            reached("act.before_effect")
            answer = self._runner.run(effect.activity, effect.arguments, effect.key)
            reached("act.after_effect")
            if isinstance(answer, Later):
                self._remember(attempt, answer)
                return None
        return answer_of(answer, is_check=effect.check is not None)

    def _goes_on(self, attempt: Parked) -> bool:
        """Whether the other side has begun this already, and an earlier attempt was lost with its worker: it is not called again."""
        if self._waits is None:
            return False
        try:
            known = self._waits.find(attempt.effect.key)
        except Exception as error:
            if attempt.number > 1:
                raise HookPutOff(
                    "waits_unreadable", "Our database cannot say whether the work has begun already.", PATIENCE
                ) from error
            known = None  # nothing was lost yet, so a database that is away keeps no hook from its work
        if known is None:
            return False
        self._waits.keep(
            replace(known, token=attempt.token, activity=attempt.activity, execution=attempt.execution, beat_at=None)
        )
        return True

    def _remember(self, attempt: Parked, later: Later) -> None:
        if self._waits is None:
            raise HookRefused("answers_later", "The hook answers later, and nobody here waits for such answers.")
        effect, now = attempt.effect, datetime.now(UTC).replace(microsecond=0)
        self._waits.keep(
            WaitingHook(
                key=effect.key, run=attempt.run, hook=effect.activity, about=effect.item or effect.stage, token=attempt.token,
                activity=attempt.activity, execution=attempt.execution, since=now, progress=later.progress,
                ends_at=now + timedelta(seconds=later.within), poll=later.poll, every=max(1, later.every),
                poll_at=now + timedelta(seconds=max(1, later.every)) if later.poll else None,
            )
        )  # fmt: skip


def answer_of(answer: Any, *, is_check: bool) -> dict[str, Any]:
    """The answer as the run takes it. Raises a final failure for one that is none."""
    plain = _readable(answer)
    if is_check and not isinstance(plain.get("ok"), bool):
        # Whoever runs the hooks: silence never approves, so a person looks at an answer that no check has judged.
        raise failure("hook_answer_invalid", "A check says `ok`, true or false; this one did not.")
    return plain


def _parked(effect: RunHook) -> Parked:
    info = activity.info()
    limit = info.heartbeat_timeout
    return Parked(
        effect=effect, token=info.task_token, run=info.workflow_id or "", activity=info.activity_id,
        execution=info.workflow_run_id or "", number=info.attempt, heartbeat=limit.total_seconds() if limit else BEAT_SECONDS * 3,
    )  # fmt: skip


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
