"""S1: what people say is searched for in everything that is left behind. Values of 26 kinds, through a real run with keys."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client
from temporalio.common import RawValue

from runtime.connection import connect
from runtime.devserver import DevServer, _free_ports
from storage.engine import open_database, reading
from storage.tables import ALL
from tests.support.calls import Answer, Door
from tests.support.canaries import CANARIES, found_in, found_in_files
from tests.support.doors import environment_of, worker_process
from tests.support.keys import ring_of
from tests.support.shell import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(400)]

DATA = Path(__file__).parent / "data"
HOLDING = {"people", "notices", "trail", "promises"}
"""The tables that may hold what people said; docs/operating.md lists them."""
HOOKS = """
def fails(arguments):
    raise RuntimeError({hook!r} + str(arguments))


def checks(arguments):
    if arguments["fields"].get("street"):
        return {{"ok": True, "note": {check!r}}}
    return {{"ok": False, "faults": [{{"place": "/fields/street", "code": "no_street", "sentence": {check!r}}}]}}
"""


@dataclass
class Scene:
    """One run and whoever speaks to it, with everything that was said on a terminal."""

    door: Door
    client: Client
    folder: Path
    run: str = ""
    said: list[Answer] = field(default_factory=list)

    async def __call__(self, *words: str, code: int = 0) -> Answer:
        """One command."""
        answer = await asyncio.to_thread(self.door, *words)
        self.said.append(answer)
        assert answer.code == code, (words[:3], answer.out, answer.err)
        return answer

    async def say(self, name: str, *words: str, actor: str = "lena", code: int = 0) -> Answer:
        """One message."""
        return await self(name, self.run, *words, "--actor", actor, code=code)

    async def until(self, item: str, status: Sequence[str]) -> None:
        """Waits for an item."""
        async with asyncio.timeout(60):
            while True:
                told = await self.client.get_workflow_handle(self.run).query("status")
                if next(one["status"] for one in told["items"] if one["id"] == item) in status:
                    return
                await asyncio.sleep(0.2)


def install_hooks(folder: Path) -> None:
    """A package with hooks, as an installation adds its own; they fail with what they were given."""
    about = folder / "canary_hooks-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: canary-hooks\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[onboarding.hooks]\ncanary_hook = canary_hooks:fails\ncanary_check = canary_hooks:checks\n"
    )
    (folder / "canary_hooks.py").write_text(
        HOOKS.format(hook=CANARIES["words of a failing hook"], check=CANARIES["words of a failing check"])
    )


async def play(scene: Scene, customer: str) -> None:
    """Says everything that can be said: accepted, refused, drafted, unreadable, by update and by signal."""
    c = CANARIES
    given = {
        "company": c["name of a company"], "customer_id": customer,
        "contacts": [{"role": "owner", "email": c["mail address"], "name": c["name of a person"], "handle": "owner"}],
    }  # fmt: skip
    (scene.folder / "input.json").write_text(json.dumps(given))
    started = await scene(
        "start", str(DATA / "canaries.yaml"), "--customer", customer, "--input", "input.json", "--actor", "lena"
    )
    scene.run = started.data["run"]
    file = {
        "uri": c["place of a file"], "sha256": "a" * 64, "type": "pdf", "bytes": 9, "name": c["name of a file"],
    }  # fmt: skip
    fields = {
        "name": c["name of a person"], "mail": c["mail address"], "phone": c["telephone number"], "iban": c["bank account"],
        "vat": c["number for VAT"], "url": c["web address"],
    }  # fmt: skip
    refused = c["value that is refused"]
    await scene.say(
        "submit", "papers", "--fields", json.dumps({**fields, "mail": refused}), actor="customer:owner", code=20
    )
    await scene.say("submit", "papers", "--fields", json.dumps({"nickname": refused}), actor="customer:owner", code=20)
    await scene.say("submit", refused, "--fields", json.dumps(fields), actor="customer:owner", code=23)
    await scene.say("submit", "papers", "--draft", "--fields", json.dumps(fields), actor="customer:owner")
    answer = ("submit", "papers", "--files", json.dumps([file]), "--fields")
    await scene.say(*answer, json.dumps(fields), actor="customer:owner")
    await scene.until("papers", ("returned",))  # by the check, in its words
    await scene.say(*answer, json.dumps({**fields, "street": c["street"]}), actor="customer:owner")
    await scene.until("papers", ("in_review",))
    await scene.say("decide", "papers", "return", "--comment", c["comment on an answer"], actor="hugo")
    await scene.say(*answer, json.dumps({**fields, "street": c["street"]}), actor="customer:owner")
    await scene.until("papers", ("in_review",))
    await scene.say("decide", "papers", "accept", "--comment", c["comment on an answer"], actor="hugo")
    await scene.say(
        "complete", "call", "--provides", json.dumps({"goal": c["fact"]}), "--comment", c["comment on a task"]
    )
    await scene.say(
        "happen",
        "bank.paid",
        "--data",
        json.dumps({"customer": customer, "note": c["content of an event"]}),
        actor="integration:bank",
    )
    await scene.say("note", c["note"])
    await scene.say("hold", "--reason", c["reason of a hold"])
    await scene.say("resume", "--reason", c["reason of a hold"])
    await scene.say("reopen", "call", "--reason", c["reason of a return"])
    await scene.say("extend", "call", "--due", "2031-01-01T00:00:00Z", "--reason", c["reason of a new date"])
    await scene.say("reassign", "call", "--to", "hugo", "--reason", c["reason of another owner"])
    await scene.say("promise", "--due", "2031-01-01T00:00:00Z", "--reason", c["reason of a promise"])
    await scene.until("provision", ("open",))  # the hook has failed, and a person has it
    await scene.say("waive", "facts.goal == 'never'", "--reason", c["reason of a waiver"], actor="hugo")
    handle = scene.client.get_workflow_handle(scene.run)
    for message in (
        {c["content of a signal that is none"]: 1},
        [c["content of a signal that is none"]],
        c["content of a signal that is none"],
    ):
        await handle.signal("note", message)
    await handle.signal(
        "note", RawValue(Payload(metadata={"encoding": b"x/y"}, data=c["content of a signal that is none"].encode()))
    )
    for read in ("status", "open-items", "trail", "ledger", "promises", "refused", "customer"):
        await scene(read, scene.run, "-o", "json")
    await scene.say("cancel", "--reason", c["reason of an end"])
    await handle.result()


async def left_at_the_server(client: Client, run: str) -> dict[str, set[str]]:
    """What a person with the server, and without a key, finds of a run."""
    handle = client.get_workflow_handle(run)
    history = await handle.fetch_history()
    described = await handle.describe()
    sheet = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert sheet.current_details
    raw = b"".join(event.SerializeToString() for event in history.events)
    return {
        "history, as it is": found_in(raw),
        "history, exported": found_in(history.to_json()),
        "search attributes, memo, ids": found_in(described.raw_description.SerializeToString()),
        "cover sheet": found_in(sheet.SerializeToString()),
    }


def left_in_our_database(folder: Path) -> dict[str, set[str]]:
    """By table."""
    engine = open_database(f"sqlite:///{folder / 'rows.sqlite'}")
    with reading(engine) as connection:
        found = {
            table.name: found_in("\n".join(str(tuple(row)) for row in connection.execute(select(table))))
            for table in ALL
        }
    engine.dispose()
    return {name: kinds for name, kinds in found.items() if kinds}


async def test_what_people_say_is_nowhere_but_where_it_may_be(tmp_path: Path) -> None:
    """Not at the Temporal server, in no log, in no error, in no number; in our own database only in the tables that are named."""
    hooks, folder = tmp_path / "hooks", tmp_path / "own"
    install_hooks(hooks)
    folder.mkdir()
    (port,) = _free_ports(1)
    async with DevServer(tmp_path / "temporal") as server:
        plain = await connect(address=server.address, namespace="default")
        more = {
            "PYTHONPATH": str(hooks),
            "ONBOARDING_LOG_LEVEL": "DEBUG",
            "ONBOARDING_METRICS_ADDRESS": f"127.0.0.1:{port}",
        }
        settings = environment_of(server.address, folder, "canaries", **more)
        door = Door(folder, **settings)
        assert door("keys", "new").code == 0
        ours = await connect(address=server.address, namespace="default", keys=ring_of(folder))
        scene = Scene(door, ours, folder)
        async with worker_process(plain, server.address, folder, "canaries", **more) as worker:
            await play(scene, "c-canary")
            left: dict[str, set[str]] = await left_at_the_server(plain, scene.run)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
                left["metrics"] = found_in(page.read())
            assert await worker.stop() == 0
            left["log of the worker at DEBUG"] = found_in(worker.words())
        left["files of the Temporal server"] = found_in_files((tmp_path / "temporal").iterdir())
        spoken = "".join(one.err for one in scene.said)
        refusals = "".join(one.out for one in scene.said if one.code)
        left["hints and errors on a terminal"] = found_in(spoken)
        left["refusals"] = found_in(refusals)
    rows = left_in_our_database(folder)
    whole = found_in_files(folder.glob("rows.sqlite*"))

    places = len(left)
    hits = {place: kinds for place, kinds in left.items() if kinds}
    print(
        f"S1: {len(CANARIES)} kinds of values, {places} places, {sum(map(len, hits.values()))} hits; in our database: {', '.join(rows)}"
    )
    assert hits == {}
    assert set(rows) <= HOLDING
    assert whole == {kind for kinds in rows.values() for kind in kinds}
    table = (ROOT / "docs" / "operating.md").read_text().partition("## What stands where")[2].partition("\n## ")[0]
    assert [name for name in HOLDING if f"`{name}`" not in table] == []


async def test_the_search_finds_what_is_not_encrypted(tmp_path: Path) -> None:
    """The same without a key: a search that finds nothing anywhere would prove nothing."""
    async with DevServer(tmp_path / "temporal") as server:
        client = await connect(address=server.address, namespace="default")
        door = Door(tmp_path, **environment_of(server.address, tmp_path, "clear"))
        async with worker_process(client, server.address, tmp_path, "clear"):
            scene = Scene(door, client, tmp_path)
            started = await scene(
                "start", "quick-start", "--customer", "c-clear", "--input", str(ROOT / "definitions/examples/quick-start.input.yaml")
            )  # fmt: skip
            scene.run = started.data["run"]
            await scene.say("note", CANARIES["note"], actor="dana")
            left: dict[str, Any] = await left_at_the_server(client, scene.run)
        files = found_in_files((tmp_path / "temporal").iterdir())

    assert left["history, as it is"] == left["history, exported"] == files == {"note"}
