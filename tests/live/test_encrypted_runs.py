"""Runs whose payloads are encrypted, on a real server with a real worker: keys that come, rotate, are away, and are destroyed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import RawValue
from temporalio.worker import Replayer

from runtime.codec import ENCODING, KEY_ID, RUN
from runtime.connection import connect, plugin
from runtime.devserver import DevServer
from runtime.key_cache import LIFE
from storage.engine import open_database
from storage.keys import destroy
from storage.notices import SqlNoticeStore
from tests.support.calls import Door
from tests.support.doors import environment_of, worker_process
from tests.support.keys import ring_of
from tests.support.shell import Run, a_run, an_order, until_closed
from workflows.onboarding_run import OnboardingRun

pytestmark = pytest.mark.live

SAID = "Please call Mrs. Canary at noon."


async def client_with_keys(dev_server: DevServer, folder: Path) -> Client:
    """As a command of this installation has it."""
    return await connect(address=dev_server.address, namespace="default", keys=ring_of(folder))


def payloads_in(message: Any) -> list[Payload]:
    """Every payload of an event, but search attributes and what is made to be read."""
    found: list[Payload] = []
    for descriptor, value in message.ListFields():
        if descriptor.name in ("search_attributes", "user_metadata") or descriptor.message_type is None:
            continue
        many = value.values() if isinstance(value, dict) or hasattr(value, "items") else value
        for one in many if descriptor.is_repeated or hasattr(value, "items") else [value]:
            if isinstance(one, Payload):
                found.append(one)
            elif hasattr(one, "ListFields"):
                found += payloads_in(one)
    return found


def key_ids(events: Sequence[Any]) -> list[bytes | None]:
    """Under which key each payload of a history is, in order; `None` for one in clear."""
    payloads = [payload for event in events for payload in payloads_in(event)]
    return [payload.metadata[KEY_ID] if payload.metadata.get("encoding") == ENCODING else None for payload in payloads]


async def replayed(run: Run, folder: Path) -> None:
    """Raises where this build, with these keys, would have decided otherwise."""
    history = await run.handle.fetch_history()
    await Replayer(workflows=[OnboardingRun], plugins=[plugin(ring_of(folder))]).replay_workflow(history)


async def test_a_run_goes_on_when_the_first_key_comes_and_when_keys_rotate(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """Without a pause and without a restart; then a fresh worker reads all of it, and the notices have left."""
    order, queue = an_order("quick-start", customer=customer), f"keys-{customer}"
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    ours = await client_with_keys(dev_server, tmp_path)
    async with worker_process(client, dev_server.address, tmp_path, queue) as first:
        run = await a_run(ours, order, queue)
        assert (await run.say("note", actor="dana", text=SAID))["outcome"] == "accepted"
        assert set(key_ids(await run.events())) == {None}

        assert (await asyncio.to_thread(door, "keys", "new")).code == 0
        assert (await run.say("note", actor="dana", text=SAID))["outcome"] == "accepted"
        await run.signal("note", {"message_id": "s-1", "actor": "dana", "text": SAID})
        for command in ("new", "rotate"):
            assert (await asyncio.to_thread(door, "keys", command)).code == 0
        said = 3
        async with asyncio.timeout(10 * LIFE):
            while len(set(key_ids(await run.events()))) < 3:
                assert (await run.say("note", actor="dana", text=SAID))["outcome"] == "accepted"
                said += 1
                await asyncio.sleep(LIFE / 10)  # few enough for one page of the trail
        first.process.send_signal(signal.SIGKILL)
        await first.ended()

    async with worker_process(client, dev_server.address, tmp_path, queue) as second:
        page = await run.ask("trail")
        assert page["next_cursor"] is None
        assert [row["outcome"] for row in page["rows"] if row["message"] == "note"] == ["accepted"] * said
        await until_closed(run, order)
        result = await asyncio.wait_for(run.handle.result(), 60)
        assert await second.stop() == 0
        assert "Traceback" not in second.words()
    assert result["outcome"] == "live"
    await replayed(run, tmp_path)
    engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    assert SqlNoticeStore(engine).held(100) == ()
    engine.dispose()
    listed = door("keys", "list", "-o", "json").data
    assert [row["state"] for row in listed["rows"]] == ["old", "current"]
    assert [row["retired"] for row in listed["rows"]] == [0, 1]


async def test_a_plain_client_still_reaches_an_encrypted_run(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """It sends in clear, is understood and understands the verdict; a payload of another run, or of no key, is a refusal in words and holds nobody up."""
    order, queue = an_order("quick-start", customer=customer), f"plain-{customer}"
    ours = await client_with_keys(dev_server, tmp_path)
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    assert door("keys", "new").code == 0
    async with worker_process(client, dev_server.address, tmp_path, queue) as worker:
        run = await a_run(ours, order, queue)
        plain = client.get_workflow_handle(run.handle.id)
        await plain.signal("note", {"message_id": "p-1", "actor": "dana", "text": SAID})
        unkeyed = Run(plain)
        heard = [
            await unkeyed.say("note", actor="dana", text=SAID),
            await unkeyed.say("complete", actor="dana", item="nothing"),
        ]
        assert [one["code"] for one in heard] == ["noted", "unknown_item"]
        events = await run.events()
        stolen = next(payload for event in events for payload in payloads_in(event) if KEY_ID in payload.metadata)
        other = Payload()
        other.CopyFrom(stolen)
        other.metadata[RUN] = b"onboarding/somebody/quick-start"
        unknown = Payload()
        unknown.CopyFrom(stolen)
        unknown.metadata[KEY_ID] = b"00" * 16
        cut = Payload(metadata=stolen.metadata, data=stolen.data[:20])
        for payload in (
            other,
            unknown,
            cut,
            Payload(metadata={"encoding": ENCODING}),
            Payload(metadata={"encoding": b"\xff"}),
        ):
            await plain.signal("note", RawValue(payload))
        refused = (await run.ask("refused"))["rows"]
        trail = (await run.ask("trail"))["rows"]
        assert (await run.say("note", actor="dana", text=SAID))["outcome"] == "accepted"
        answer = door("status", run.handle.id, "-o", "json")
        assert "Traceback" not in worker.words()

    assert [row["code"] for row in refused] == ["payload_undecodable"] * 4 + ["not_json"]
    assert [row["outcome"] for row in trail if row["message_id"] == "p-1"] == ["accepted"]
    assert answer.code == 0
    await replayed(run, tmp_path)


async def test_keys_that_are_away_hold_a_run_and_spoil_nothing(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """A worker with another database and one with another key file: the run neither ends nor refuses; the right one goes on."""
    order, queue = an_order("quick-start", customer=customer), f"away-{customer}"
    ours = await client_with_keys(dev_server, tmp_path)
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    assert door("keys", "new").code == 0
    run = await a_run(ours, order, queue)
    await run.signal("note", {"message_id": "s-1", "actor": "dana", "text": SAID})
    elsewhere, another = tmp_path / "elsewhere", tmp_path / "another"
    for folder in (elsewhere, another):
        folder.mkdir()
    (elsewhere / "keys.json").write_bytes((tmp_path / "keys.json").read_bytes())
    (elsewhere / "keys.json").chmod(0o600)
    assert Door(another)("keys", "new", ONBOARDING_KEYS=str(another / "keys.json")).code == 0
    wrong = {
        elsewhere: {},
        another: {"ONBOARDING_DATABASE_URL": f"sqlite:///{tmp_path / 'rows.sqlite'}"},
    }
    for folder, settings in wrong.items():
        async with worker_process(client, dev_server.address, folder, queue, **settings) as worker:
            await until_held(run)
            assert (await run.handle.describe()).status.name == "RUNNING"
            assert await worker.stop() == 0

    async with worker_process(client, dev_server.address, tmp_path, queue) as right:
        await until_free(run)
        trail = (await run.ask("trail"))["rows"]
        assert [row["outcome"] for row in trail if row["message_id"] == "s-1"] == ["accepted"]
        assert (await run.ask("refused"))["rows"] == []
        assert await right.stop() == 0
    await replayed(run, tmp_path)


async def test_a_worker_without_the_keys_that_it_needs_does_not_begin(
    dev_server: DevServer, tmp_path: Path, customer: str, client: Client
) -> None:
    """In production never without; elsewhere not where the database holds keys. Nor does a command send anything."""
    queue = f"none-{customer}"
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    assert (
        door("note", f"{customer}/quick-start", SAID, "--actor", "dana", ONBOARDING_ENVIRONMENT="production").code == 64
    )
    with pytest.raises(AssertionError, match="keys new"):
        async with worker_process(client, dev_server.address, tmp_path, queue, ONBOARDING_ENVIRONMENT="production"):
            pass
    assert door("keys", "new").code == 0
    ring = ring_of(tmp_path)
    await ring.active(customer)
    (tmp_path / "keys.json").rename(tmp_path / "kept.json")

    with pytest.raises(AssertionError, match="holds keys"):
        async with worker_process(client, dev_server.address, tmp_path, queue):
            pass
    refused = door("note", f"{customer}/quick-start", SAID, "--actor", "dana")
    assert refused.code == 69
    assert "ONBOARDING_KEYS" in refused.err
    assert door("keys", "new").code == 69


async def test_a_destroyed_customer_can_be_read_by_nobody(
    client: Client, dev_server: DevServer, tmp_path: Path, customer: str
) -> None:
    """The worker that has served the run forgets the key within seconds; whoever asks or sends is told, with a code."""
    order, queue = an_order("quick-start", customer=customer), f"gone-{customer}"
    ours = await client_with_keys(dev_server, tmp_path)
    door = Door(tmp_path, **environment_of(dev_server.address, tmp_path, queue))
    assert door("keys", "new").code == 0
    async with worker_process(client, dev_server.address, tmp_path, queue) as worker:
        run = await a_run(ours, order, queue)
        await until_closed(run, order)
        await asyncio.wait_for(run.handle.result(), 60)
        engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
        assert destroy(engine, customer) == 1
        engine.dispose()
        async with asyncio.timeout(10 * LIFE):
            while (told := await asyncio.to_thread(door, "why", run.handle.id, "welcome_call")).code == 0:
                await asyncio.sleep(0.5)
        assert (told.code, told.data["code"]) == (22, "customer_erased")
        again = door("start", "quick-start", "--customer", customer, "--input", "nowhere.yaml")
        assert again.code == 65
        assert "Traceback" not in worker.words()
        assert await worker.stop() == 0

    async with worker_process(client, dev_server.address, tmp_path, queue):
        asked = door("status", run.handle.id)
        assert asked.code in (22, 69)
        with pytest.raises(WorkflowQueryFailedError, match="cannot be decoded"):
            await client.get_workflow_handle(run.handle.id).query("status")


async def until_free(run: Run) -> None:
    """The server has given the task to a worker again, and that one has done it."""
    async with asyncio.timeout(60):
        while (await run.handle.describe()).raw_description.HasField("pending_workflow_task"):
            await asyncio.sleep(0.2)


async def until_held(run: Run) -> None:
    """A worker has tried the run's task and has not been able to."""
    async with asyncio.timeout(60):
        while True:
            found = (await run.handle.describe()).raw_description.pending_workflow_task
            if found.attempt > 2:
                return
            await asyncio.sleep(0.2)
