"""Whatever bytes arrive as an argument, by signal, update or as a start order: an answer, and the run goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue

from onboarding.messages import Received, Refusal
from tests.support.clock import Clock
from tests.support.floor import Floor
from tests.support.history import Written, json_payload
from tests.support.shell import a_run, an_order
from workflows.arguments import NOTHING, as_message, read


def plain(data: bytes) -> Payload:
    """Bytes that say they are JSON."""
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


GOOD = {"message_id": "m-1", "actor": "dana", "text": "hello"}
KINDS: dict[str, tuple[str, list[Payload], str]] = {
    # name of the message, its arguments, the code that the sender hears
    "good": ("note", [json_payload(GOOD)], "noted"),
    "refused by the rules": (
        "decide",
        [json_payload({"actor": "dana", "item": "none", "outcome": "x"})],
        "unknown_item",
    ),
    "an unknown name": ("submitt", [json_payload(GOOD)], "unknown_message"),
    "a name of Temporal's": ("__temporal_x", [json_payload(GOOD)], "unknown_message"),
    "no argument": ("note", [], "not_an_object"),
    "two arguments": ("note", [json_payload(GOOD), json_payload(GOOD)], "too_many_arguments"),
    "null": ("note", [Payload(metadata={"encoding": b"binary/null"})], "not_an_object"),
    "null with bytes": ("note", [Payload(metadata={"encoding": b"binary/null"}, data=b"\x00{")], "not_an_object"),
    "null with a key twice": (
        "note",
        [Payload(metadata={"encoding": b"binary/null"}, data=b'{"a": 1, "a": 2}')],
        "not_an_object",
    ),
    "JSON null": ("note", [json_payload(None)], "not_an_object"),
    "a list": ("note", [json_payload([GOOD])], "not_an_object"),
    "a text": ("note", [json_payload("hello")], "not_an_object"),
    "bytes": ("note", [Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\x01")], "not_json"),
    "broken JSON": ("note", [plain(b'{"text": ')], "not_json"),
    "empty text": ("note", [plain(b"")], "not_json"),
    "bad UTF-8": ("note", [plain(b'{"text": "\xff\xfe"}')], "not_json"),
    "a byte order mark": ("note", [plain(b"\xef\xbb\xbf{}")], "not_json"),
    "an unknown encoding": ("note", [Payload(metadata={"encoding": b"json/secret"}, data=b"{}")], "not_json"),
    "no encoding": ("note", [Payload(data=b"{}")], "not_json"),
    "protobuf": (
        "note",
        [Payload(metadata={"encoding": b"binary/protobuf", "messageType": b"x.Y"}, data=b"\x0a")],
        "not_json",
    ),
    "nested too deep": ("note", [plain(b"[" * 100_000)], "not_json"),
    "objects nested too deep": ("note", [plain(b'{"a":' * 20_000 + b"1" + b"}" * 20_000)], "not_json"),
    "no number": ("note", [plain(b'{"text": NaN}')], "not_json"),
    "infinite": ("note", [plain(b'{"message_id": "m", "actor": "dana", "text": 1e999}')], "not_json"),
    "5,000 digits": ("note", [plain(b'{"text": ' + b"9" * 5_000 + b"}")], "not_json"),
    "half a character": ("note", [plain(b'{"actor": "dana", "text": "\\ud800"}')], "control_characters"),
    "a number as id": ("note", [json_payload({**GOOD, "message_id": 7})], "wrong_type"),
    "over 64 KiB": ("note", [json_payload({**GOOD, "text": "x" * 70_000})], "message_too_large"),
    "1.9 MB": ("note", [json_payload({**GOOD, "text": "x" * 1_900_000})], "message_too_large"),
    "a field too many": ("note", [json_payload({**GOOD, "colour": "red"})], "unknown_field"),
    "a mail address": ("note", [json_payload({**GOOD, "actor": "lea@bakery.example"})], "mail_address"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_argument_is_a_message_or_a_refusal(kind: str) -> None:
    """Never an exception; and no value of the sender is in the sentence."""
    name, payloads, code = KINDS[kind]

    found = as_message(name, [RawValue(one) for one in payloads], via="update", fallback_id="u-1")

    if isinstance(found, Refusal):
        assert found.faults[0].code == code
        assert "bakery" not in found.faults[0].sentence
    else:
        assert isinstance(found, Received)
        assert code in ("noted", "unknown_item")


def test_nothing_and_odd_objects_are_read_as_no_argument() -> None:
    """The default of every handler, and something that is no payload at all."""
    assert read(NOTHING) is None
    assert read(RawValue(None)).code == "unreadable"  # type: ignore[arg-type]


async def test_every_kind_of_signal_leaves_a_written_history_playable() -> None:
    """All of them in one workflow task, in the strict sandbox, without a server."""
    history = Written.of(an_order("quick-start", customer="c-1"))
    for name, payloads, _ in KINDS.values():
        history.signal(name, *payloads)

    assert await history.task().replay() is None


async def test_a_start_order_that_cannot_be_read_ends_the_run() -> None:
    """As failed, in its first task, also when a signal came with it; nothing is tried again for ever."""
    orders = [
        [],
        [json_payload(None)],
        [json_payload([])],
        [plain(b"{")],
        [json_payload({"run": 1})],
        [plain(b"[" * 90_000)],
    ]
    for arguments in orders:
        history = Written("onboarding/c-1/quick-start", arguments).signal("note", json_payload(GOOD))
        assert await history.task().failed().replay() is None, arguments


@pytest.mark.live
async def test_every_kind_is_answered_by_a_running_run(
    client: Client, floor: Floor, clock: Clock, customer: str
) -> None:
    """As signal and as update: the code of the table, no failed workflow task, refused updates without a trace."""
    run = await a_run(client, an_order("quick-start", customer=customer), floor.task_queue)
    refused = [kind for kind, (_, _, code) in KINDS.items() if code != "noted"]

    for number, kind in enumerate(KINDS):
        name, payloads, code = KINDS[kind]
        await clock.settle(run.handle)
        before = len(await run.events())
        verdict = await update(run.handle, name, payloads, f"{number}")
        assert verdict["code"] == code, kind
        if code != "noted":
            assert len(await run.events()) == before, kind
        await run.handle.signal(name, args=[RawValue(one) for one in payloads])
        assert (await run.ask("status"))["state"] == "running", kind

    listed = await run.ask("refused")
    assert len(refused) == len(listed["rows"])
    assert [KINDS[kind][2] for kind in refused] == [row["code"] for row in listed["rows"]]
    assert not [event for event in await run.events() if "task_failed" in str(event.WhichOneof("attributes"))]


@pytest.mark.live
@pytest.mark.parametrize("argument", [None, [], "x", {"run": "r"}, {"customer": 3}], ids=json.dumps)
async def test_a_real_run_with_a_bad_order_fails_with_a_code(
    client: Client, floor: Floor, customer: str, argument: Any
) -> None:
    """The server shows it as failed, with code and faults."""
    from temporalio.client import WorkflowFailureError
    from temporalio.exceptions import ApplicationError

    handle = await client.start_workflow(
        "OnboardingRun", argument, id=f"onboarding/{customer}/x", task_queue=floor.task_queue
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("StartRefused", True)
    assert cause.details[0]["code"] == "order_unreadable"
    assert cause.details[0]["faults"]
    assert (await handle.query("status"))["state"] == "failed"


async def update(handle: Any, name: str, payloads: list[Payload], number: str) -> dict[str, Any]:
    """The verdict of an update with raw arguments."""
    from temporalio.client import WorkflowUpdateFailedError

    try:
        return dict(await handle.execute_update(name, args=[RawValue(one) for one in payloads], id=f"u-{number}"))
    except WorkflowUpdateFailedError as error:
        return dict(error.cause.details[0])  # type: ignore[union-attr]
