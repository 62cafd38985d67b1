"""The shell at its edges on a real server: surplus arguments, faults of ours, what is too large or cannot be read again."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from onboarding import limits
from onboarding.engine import machine, order_text
from onboarding.messages import MessageFault
from tests.support.floor import Floor
from tests.support.shell import Run, a_run, an_order

pytestmark = pytest.mark.live

SECRET = "Tax id 136/695/976"


async def answer_to(run: Run, name: str, *arguments: Any) -> dict[str, Any]:
    """The details of a refusal."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await run.handle.execute_update(name, args=list(arguments), id=f"u-{name}")
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "Refused"
    details: dict[str, Any] = cause.details[0]
    return details


@pytest.mark.parametrize("name", ["note", "no_such_message"])
async def test_surplus_arguments_get_the_same_verdict_as_any_refusal(
    client: Client, floor: Floor, customer: str, name: str
) -> None:
    """A sender reads one shape: outcome, code, sentence, id, place of each fault, what is open."""
    run = await a_run(client, an_order("short", customer=customer), floor.task_queue)
    usual = await answer_to(run, "complete", {"colour": "red"})

    surplus = await answer_to(run, name, {"text": "a"}, {"text": "b"})

    assert surplus.keys() == usual.keys()
    assert (surplus["outcome"], surplus["code"], surplus["message_id"]) == (
        "rejected",
        "too_many_arguments",
        f"u-{name}",
    )
    assert [one["code"] for one in surplus["faults"]] == ["too_many_arguments"]
    assert surplus["next"] == usual["next"] != []


async def failed_tasks(run: Run) -> list[str]:
    """What failed workflow tasks say, in order."""
    return [
        event.workflow_task_failed_event_attributes.failure.message
        for event in await run.events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]


async def test_a_fault_of_ours_is_told_to_who_waits_and_suspends_for_who_does_not(
    client: Client, floor: Floor, customer: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The update leaves no trace; the signal is applied when the program is mended. Nobody's words are in log or history."""
    run = await a_run(client, an_order("short", customer=customer), floor.task_queue)
    await run.ask("status")
    note = machine.MOVES["note"]

    def broken(*_: object) -> Any:
        raise KeyError(SECRET)

    with caplog.at_level(logging.ERROR):
        monkeypatch.setitem(machine.MOVES, "note", broken)
        heard = await run.say("note", "n-1", actor="dana", text="hello")
        assert (heard["outcome"], heard["code"]) == ("rejected", "internal")
        assert (await run.say("complete", "c-1", actor="dana", item="none"))["code"] == "unknown_item"
        assert await failed_tasks(run) == []
        await run.signal("note", {"message_id": "n-2", "actor": "dana", "text": "by signal"})
        for _ in range(100):
            if await failed_tasks(run):
                break
            await asyncio.sleep(0.05)
    (said, *_) = await failed_tasks(run)
    assert "KeyError at " in said
    monkeypatch.setitem(machine.MOVES, "note", note)

    assert (await run.say("note", "n-1", actor="dana", text="hello"))["outcome"] == "accepted"
    trail = (await run.ask("trail"))["rows"]
    assert [row["message_id"] for row in trail if row["message"] == "note"] == ["n-2", "n-1"]
    ours = [record for record in caplog.records if record.msg.startswith("program_fault")]
    assert {record.event_name for record in ours} == {"MessageReceived"}  # type: ignore[attr-defined]
    assert all("broken" in record.reason for record in ours)  # type: ignore[attr-defined]
    assert SECRET not in said + "".join(record.getMessage() + str(record.__dict__.get("reason")) for record in ours)


async def test_a_state_that_could_not_be_read_again_stays_where_it_is(
    client: Client, floor: Floor, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next execution would end the run as failed; a long history is the lesser evil."""
    run = await a_run(client, an_order("quick-start", customer=customer), floor.task_queue)
    await run.ask("status")
    first_run = (await run.handle.describe()).run_id

    fault = MessageFault(place="", code="order_unreadable", sentence="no")
    monkeypatch.setattr(limits, "MESSAGES_PER_RUN", 3)
    monkeypatch.setattr(order_text, "_contradictions", lambda _: [fault])
    for number in range(8):
        assert (await run.say("note", actor="dana", text=f"{number}"))["outcome"] == "accepted"

    assert (await run.handle.describe()).run_id == first_run
    assert (await run.ask("status"))["state"] == "running"


async def test_a_hook_with_too_much_to_tell_becomes_a_persons_job(
    client: Client, floor: Floor, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a workflow task that fails for ever."""
    monkeypatch.setattr(limits, "HOOK_BYTES", 100)
    order = an_order("quick-start", customer=customer)
    run = await a_run(client, order, floor.task_queue)
    hook = next(one for one in order.definition.items if one.activity is not None)
    for _ in range(40):
        status = await run.ask("status")
        one = next(one for one in status["items"] if one["id"] == hook.id)
        if one["status"] == "open":
            break
        await answer_one(run, order, status)

    trail = json.dumps(await run.ask("trail"))
    assert "arguments_too_large" in trail
    assert await failed_tasks(run) == []
    assert (await run.say("complete", actor=one["owner"], item=hook.id, provides={}))["outcome"] in (
        "accepted",
        "rejected",
    )


async def answer_one(run: Run, order: Any, status: dict[str, Any]) -> None:
    """Settles the first open item."""
    from tests.support.shell import answer_all

    assert await answer_all(run, order, most=1) == 1, status
