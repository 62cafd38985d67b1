"""Recorded histories played again by this build: does it give the commands that were given then?

The SDK's replayer tells of commands that differ, and is silent where a workflow task fails, in which a real run would stand
still; so each activation is watched, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker._workflow_instance import WorkflowInstance, WorkflowInstanceDetails

from runtime.connection import build_runtime
from workflows.address import WORKFLOW_TYPE
from workflows.inbound import Inbound
from workflows.onboarding_run import OnboardingRun

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from temporalio.client import WorkflowHistory
    from temporalio.converter import DataConverter

PATIENCE = 60.0
"""Seconds for one history: the longest that a run leaves takes two."""

_PLAIN = frozenset({b"", b"json/plain", b"json/protobuf", b"binary/null", b"binary/plain", b"binary/protobuf"})
_PLACE = re.compile(r"HistoryEvent\(id: (\d+)")
_WHY = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one history. `verdict` is `replays`, `breaks`, or `unreadable` where nobody can tell.

    `event` is where it breaks, as near as can be told: the event that fits nothing, or the last one that was heard.
    """

    run: str
    run_id: str
    events: int
    verdict: str
    event: int | None = None
    kind: str = ""
    why: str = ""


class _Watch:
    """What the workflow did last while it was replayed."""

    def __init__(self) -> None:
        self._run = ""
        self.reached = 0
        self.trouble = ""
        self.failed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def begin(self, run_id: str) -> None:
        self._run = run_id
        self.reached, self.trouble = 0, ""
        self.failed.clear()

    def note(self, run_id: str, reached: int, trouble: str) -> None:
        """Called from the thread in which the workflow runs; one that was given up may go on failing for a while."""
        if run_id != self._run:
            return
        self.reached = max(self.reached, reached)
        if trouble and not self.trouble:
            self.trouble = trouble
            self._loop.call_soon_threadsafe(self.failed.set)


class _Watched(WorkflowRunner):
    """A runner whose instances tell how far they came and whether a workflow task failed."""

    def __init__(self, inner: WorkflowRunner, watch: _Watch) -> None:
        self._inner, self._watch = inner, watch

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance, watch = self._inner.create_instance(det), self._watch
        activate = instance.activate

        def watched(act: Any) -> Any:
            done = activate(act)
            failed = done.HasField("failed")
            watch.note(
                det.info.run_id, act.history_length, (done.failed.failure.message or "It failed.") if failed else ""
            )
            return done

        instance.activate = watched  # type: ignore[method-assign]
        return instance


class Check:
    """Replays one history after the other."""

    def __init__(self, replayer: Replayer, converter: DataConverter, watch: _Watch) -> None:
        self._replayer, self._converter, self._watch = replayer, converter, watch

    async def of(self, history: WorkflowHistory) -> Replayed:
        """Replays a history of whatever run; never raises for what is in it."""
        about = partial(Replayed, history.workflow_id, history.run_id, len(history.events))
        started = history.events[0].workflow_execution_started_event_attributes
        if started.workflow_type.name != WORKFLOW_TYPE:
            return about(verdict="unreadable", why=f"It is no {WORKFLOW_TYPE}.")
        if not any(one.HasField("workflow_task_started_event_attributes") for one in history.events):
            return about(
                verdict="replays"
            )  # nothing is decided yet; the native layer panics over a history without a task
        self._watch.begin(history.run_id)
        trouble = await self._trouble(history)
        if not trouble:
            return about(verdict="replays")
        locked = await self._locked(history)
        if locked:
            why = f"It holds payloads of the encoding {locked!r}, for which this process has no key."
            return about(verdict="unreadable", why=why)
        place = _PLACE.search(trouble)
        event = int(place[1]) if place else self._watch.reached or None
        return about(verdict="breaks", event=event, kind=_kind(history, event), why=_short(trouble))

    async def _trouble(self, history: WorkflowHistory) -> str:
        """Why it does not replay, or nothing."""
        replaying = asyncio.create_task(self._replayer.replay_workflow(history, raise_on_replay_failure=False))
        failing = asyncio.create_task(self._watch.failed.wait())
        try:
            # A task that fails in the middle is tried again and again: nothing ends that but us.
            await asyncio.wait((replaying, failing), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                return self._watch.trouble
            if not replaying.done():
                return f"It did not come to its end in {PATIENCE:.0f} seconds."
            if replaying.exception() is not None:
                return str(replaying.exception())
            failure = replaying.result().replay_failure
            return str(failure) if failure is not None else self._watch.trouble
        finally:
            for one in (failing, replaying):
                one.cancel()
            await asyncio.gather(failing, replaying, return_exceptions=True)

    async def _locked(self, history: WorkflowHistory) -> str:
        """The encoding in which the run was started, where something of it stays closed to this process.

        Others may have sent what nobody can open; that belongs to the run, and replays.
        """
        own = {_encoding(one) for one in _within(history.events[0])} - _PLAIN
        for payload in (one for event in history.events for one in _within(event)):
            if _encoding(payload) in own and not await self._opens(payload):
                return _encoding(payload).decode("utf-8", "replace")[:64]
        return ""

    async def _opens(self, payload: Payload) -> bool:
        codec = self._converter.payload_codec
        if codec is None:
            return False
        try:
            return all(_encoding(one) in _PLAIN for one in await codec.decode([payload]))
        except Exception:  # whatever keeps keys away
            return False


@asynccontextmanager
async def checking(own: SimplePlugin) -> AsyncIterator[Check]:
    """A check with the plugin that workers of this installation have, keys and all."""
    watch = _Watch()

    def watched(runner: WorkflowRunner | None) -> WorkflowRunner:
        assert runner is not None, "our plugin brings one"
        return _Watched(runner, watch)

    watching = SimplePlugin("watching", workflow_runner=watched)
    replayer = Replayer(
        workflows=[OnboardingRun], plugins=[own, watching], interceptors=[Inbound()], runtime=build_runtime()
    )
    yield Check(replayer, replayer.config()["data_converter"], watch)


def _kind(history: WorkflowHistory, event: int | None) -> str:
    kind = next((one.event_type for one in history.events if one.event_id == event), None)
    return EventType.Name(kind).removeprefix("EVENT_TYPE_").lower() if kind is not None else ""


def _short(trouble: str) -> str:
    """The native layer's error is a paragraph; its inner message is what a person can use."""
    inner = _WHY.search(trouble)
    text = (inner[1] if inner else trouble).replace("\n", " ")
    return text[:_REASON_LENGTH]


def _encoding(payload: Payload) -> bytes:
    return payload.metadata.get("encoding", b"")


def _within(message: Message) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from _within(value[key])
        elif isinstance(value, type(message)) or hasattr(value, "ListFields"):
            yield from _within(value)
        else:
            for one in value:
                yield from _within(one)
