"""Our sandbox answers for a run what the SDK would ask the run itself: the codec comes to the same run, whatever is encoded."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from temporalio.api.enums.v1 import CommandType
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.converter import ActivitySerializationContext, SerializationContext, WorkflowSerializationContext
from temporalio.worker import WorkflowInstance
from temporalio.worker._command_aware_visitor import CommandInfo

from runtime.codec import ENCODING, KEY_ID, RUN, PayloadEncryption
from runtime.connection import plugin
from runtime.converting import converter
from runtime.sandbox import Sandbox, _Run
from tests.support.activations import Activated, untouched
from tests.support.keys import a_cache
from tests.support.shell import an_order
from workflows.address import workflow_id

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACME, BOLT = workflow_id("acme", "quick-start"), workflow_id("bolt", "quick-start")


def test_the_codec_is_led_to_the_run_to_which_the_sdk_would_lead_it() -> None:
    """Without a command, for an activity and for a local one; the SDK names each of them."""
    order = an_order("short", customer="acme")
    run = Activated(order, AT)
    run.update("complete", {"message_id": "m-1", "actor": "dana", "item": "first"})
    runner = plugin().workflow_runner
    assert isinstance(runner, Sandbox)
    ours = untouched(order, AT, runner)
    assert isinstance(ours, _Run)
    met: Counter[str] = Counter()
    for act, _, _ in run.activated:
        commands = ours.activate(act).successful.commands
        for about in (None, *(_about(one) for one in commands if _about(one) is not None)):
            theirs = ours._inner.get_serialization_context(about)
            assert _run_of(ours.get_serialization_context(about)) == _run_of(theirs) == order.run
            met[_kind(theirs)] += 1

    assert set(met) == {"run", "activity", "local activity"}
    assert ours.get_info().workflow_id == order.run


def test_ours_fulfils_all_that_the_sdk_asks_of_a_run() -> None:
    """An SDK that asks for more would be answered by its own base class: then this class must learn it first."""
    asked = {name for name in vars(WorkflowInstance) if not name.startswith("_")}

    assert asked == {name for name in vars(_Run) if not name.startswith("_")}
    assert asked - WorkflowInstance.__abstractmethods__ == {"get_thread_id"}


async def test_one_converter_serves_many_customers_in_turn() -> None:
    """Each is encrypted for whoever it was made for, whichever it was made from, and the first one stays as it was."""
    plain = converter(a_cache()[0])
    acme = plain.with_context(_of(ACME))
    bolt = acme.with_context(_of(BOLT))
    again = bolt.with_context(_of(ACME))
    activity = bolt.with_context(
        ActivitySerializationContext(
            namespace="default", workflow_id=ACME, workflow_type="OnboardingRun", activity_type="run_hook",
            activity_task_queue="q", is_local=False, activity_id="1",
        )
    )  # fmt: skip

    assert acme.with_context(_of(ACME)) is acme
    for made, run in ((acme, ACME), (bolt, BOLT), (again, ACME), (activity, ACME), (acme, ACME)):
        (payload,) = await made.encode(["a secret"])
        assert (payload.metadata["encoding"], payload.metadata[RUN]) == (ENCODING, run.encode())
        assert payload.metadata[KEY_ID]
        assert await plain.decode([payload]) == ["a secret"]


def _of(run: str) -> WorkflowSerializationContext:
    return WorkflowSerializationContext(namespace="default", workflow_id=run)


def _about(command: WorkflowCommand) -> CommandInfo | None:
    match command.WhichOneof("variant"):
        case "schedule_activity":
            seq = command.schedule_activity.seq
        case "schedule_local_activity":
            seq = command.schedule_local_activity.seq
        case _:
            return None
    return CommandInfo(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, command_seq=seq)


def _kind(context: SerializationContext | None) -> str:
    if isinstance(context, ActivitySerializationContext):
        return "local activity" if context.is_local else "activity"
    assert isinstance(context, WorkflowSerializationContext)
    return "run"


def _run_of(context: SerializationContext | None) -> str | None:
    assert context is not None
    return PayloadEncryption(a_cache()[0]).with_context(context)._run
