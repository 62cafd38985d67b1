"""Malformed messages at the doors: as an update and as a signal to a real run, and as words of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from tests.support.calls import Door
from tests.support.figures import Figure
from tests.support.floor import Floor
from tests.support.malformed import CANARY, all_of_them, by_hand
from tests.support.shell import a_run, an_order

pytestmark = pytest.mark.live


async def test_malformed_messages_get_their_verdict_at_every_door(
    client: Client, floor: Floor, customer: str, tmp_path: Path, figure: Figure
) -> None:
    """One of seven as an update and as a signal, and some as words: the same code, no value repeated, and the run goes on."""
    run = await a_run(client, an_order("short", customer=customer), floor.task_queue)
    sample = [*all_of_them()[::7], *list(by_hand())[:10]]
    for n, bad in enumerate(sample):
        argument = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=bad.data))
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await run.handle.execute_update(bad.name, argument, id=f"bad-{n}")
        cause = failed.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "Refused", cause
        assert cause.details[0]["code"], bad
        assert bad.place.endswith(CANARY) or bad.name == CANARY or CANARY not in json.dumps(cause.details), bad
        await run.handle.signal(bad.name, argument)
    status = await run.ask("status")
    door, words = Door(tmp_path), 0
    for option, code in (
        ("{", 64), (f'{{"a": "{CANARY}", "a": 1}}', 64), (f'["{CANARY}"]', 20), (f'"{CANARY}"', 20), ("@nowhere.json", 65),
        ("[" * 5_000, 64), (json.dumps({"x": CANARY * 6_000}), 24), (f'{{"x": NaN, "y": "{CANARY}"}}', 64),
    ):  # fmt: skip
        answer = door("submit", run.handle.id, "first", "--actor", "dana", "--fields", option)
        assert answer.code == code, (option[:60], answer)
        assert CANARY not in answer.out + answer.err
        words += 1
    figure(
        f"R10: {len(sample)} as updates and as signals on a real server, {words} at the command line: all refused, 0 stuck"
    )

    assert status["state"] == "running"
    assert status["refused"] == len(sample)
