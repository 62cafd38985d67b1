"""Hooks that work outside, through the real workflow and worker.py: what is asked, tried again, waited for, brought and taken back."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import Engine, update
from temporalio.client import Client
from werkzeug import Request, Response

from activities.hooks import HookActivities
from activities.lanes import Lanes
from activities.notices import NoticeActivities
from activities.parking import Attendant
from activities.records import RecordActivities
from integrations.hooks import HookRegistry
from integrations.outbox import OutboxNotifier
from onboarding.engine.state import RunStatus, StartOrder
from onboarding.errors import HookRefused
from onboarding.language.model import StageAction
from runtime.devserver import DevServer
from storage.engine import open_database, writing
from storage.hook_waits import SqlHookWaits
from storage.tables import ITEMS
from tests.support.doors import environment_of, worker_process
from tests.support.shell import ROOT, Edge, Run, a_run, a_worker, an_order

pytestmark = [
    pytest.mark.live,
    # The SDK warns where rows on their way at once took longer than they may; as an error that warning ends the whole worker.
    pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning"),
]

WITHIN = 60.0
"""Seconds that a busy machine may take for what usually takes two."""


async def until(met: Callable[[], Any], what: str) -> Any:
    """Waits for something, awaiting it where it takes that."""
    began = time.monotonic()
    while time.monotonic() - began < WITHIN:
        found = met()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"in vain: {what}")


async def item_of(run: Run, name: str = "tenant") -> dict[str, Any]:
    """An item as `status` shows it."""
    found: dict[str, Any] = next(one for one in (await run.ask("status"))["items"] if one["id"] == name)
    return found


async def until_item(run: Run, status: str, name: str = "tenant") -> dict[str, Any]:
    """Waits until an item stands so."""

    async def stands() -> dict[str, Any] | None:
        found = await item_of(run, name)
        return found if found["status"] == status else None

    found: dict[str, Any] = await until(stands, f"{name} is {status}")
    return found


@dataclass
class Ground:
    """One folder with a file of hooks, and everything that works with it."""

    client: Client
    server: DevServer
    folder: Path
    queue: str
    hooks: Path = field(init=False)

    def __post_init__(self) -> None:
        """Where the file is."""
        self.hooks = self.folder / "hooks.yaml"

    def say(self, server: HTTPServer, path: str = "/tenants", **more: Any) -> None:
        """Writes the file: `provision_tenant` is this address of the test's own server."""
        call = {"url": server.url_for(path), "allow": [server.host], "plain": True, **more}
        self.hooks.write_text(json.dumps({"inside": ["127.0.0.0/8", "::1/128"], "hooks": {"provision_tenant": call}}))

    def worker(self) -> Any:
        """`worker.py` with that file."""
        return worker_process(
            self.client, self.server.address, self.folder, self.queue, ONBOARDING_HOOKS=str(self.hooks)
        )

    async def cli(self, *words: str) -> tuple[int, dict[str, Any]]:
        """`starter.py` with the same settings: its exit code and its answer."""
        settings = environment_of(self.server.address, self.folder, self.queue, ONBOARDING_HOOKS=str(self.hooks))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARDING_", "TEMPORAL_"))}
        asked = [sys.executable, str(ROOT / "starter.py"), *words, "-o", "json"]
        done = await asyncio.to_thread(
            subprocess.run, asked, env={**clean, **settings}, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {"stderr": done.stderr}

    async def begin(self, customer: str) -> Run:
        """A run whose first thing is the hook."""
        return await a_run(self.client, an_order("hooks", customer=customer), self.queue)


@pytest.fixture
def ground(client: Client, dev_server: DevServer, tmp_path: Path, customer: str) -> Ground:
    """For one test."""
    return Ground(client, dev_server, tmp_path, f"hooks-{customer}")


async def test_what_the_other_side_refuses_is_a_persons_job_with_the_reason(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """404 is final: one request, and `why` tells the code and a sentence without any of its words."""
    httpserver.expect_request("/tenants").respond_with_data("canary-words", status=404)
    ground.say(httpserver)
    async with ground.worker() as worker:
        run = await ground.begin(customer)
        await until(lambda: _by_person(run), "it is a person's job")
        why = await run.ask("why", "tenant")
        trail = (await run.ask("trail", {"cursor": "0"}))["rows"]

        assert "its hook failed: The other side answered 404 (http_404)" in why["sentence"]
        assert ["http_404"] == [one["code"] for one in trail if one["message"] == "hook"]
        assert 1 == len(httpserver.log)
        assert "canary" not in f"{why}{trail}{worker.words()}"


async def _by_person(run: Run) -> bool:
    return bool(
        (await run.ask("status"))["items"][0]["side"] == "provider"
        and "failed" in (await run.ask("why", "tenant"))["sentence"]
    )


async def test_a_busy_system_is_asked_again_when_it_has_said_and_with_the_same_key(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """503 with `Retry-After: 3`, and then a tenant: the fact is there, and both requests were one to the other side."""
    asked: list[tuple[float, str]] = []

    def tenants(request: Request) -> Response:
        asked.append((time.monotonic(), request.headers["Idempotency-Key"]))
        if len(asked) == 1:
            return Response("", 503, headers={"Retry-After": "3"})
        return Response(json.dumps({"made": True, "tenant": {"id": "t-7"}}))

    httpserver.expect_request("/tenants").respond_with_handler(tenants)
    ground.say(httpserver, answer={"ok": "/made", "provides": {"tenant_id": "/tenant/id"}})
    async with ground.worker():
        run = await ground.begin(customer)
        await until_item(run, "done")

    assert 2 == len(asked)
    assert 2.9 <= asked[1][0] - asked[0][0] < 30
    assert asked[0][1] == asked[1][1] == f"onboarding/{customer}/hooks/tenant/1/hook"


async def test_an_answer_that_comes_later_outlives_the_worker_and_is_taken_once(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """202; the worker is killed; another one goes on waiting and asks nobody again; `hook finish` brings the answer."""
    httpserver.expect_request("/tenants").respond_with_json({"percent": 10}, status=202)
    ground.say(httpserver, later={"within": "4m", "progress": "/percent"})
    key = f"onboarding/{customer}/hooks/tenant/1/hook"
    async with ground.worker() as first:
        run = await ground.begin(customer)
        _, listed = await until(lambda: _listed(ground), "it waits")
        assert [(key, "provision_tenant", "10", False)] == [
            (one["key"], one["hook"], one["progress"], one["polled"]) for one in listed["rows"]
        ]
        first.process.kill()
        assert await first.ended() == -signal.SIGKILL
    async with ground.worker():
        assert (20, "hook_answer_invalid") == await told(ground, "hook", "finish", key, "--answer", '{"provides": {}}')
        answer = '{"ok": true, "provides": {"tenant_id": "t-1"}}'
        assert (0, "hook_answered") == await told(ground, "hook", "finish", key, "--answer", answer)
        await until_item(run, "done")
        again = await until(lambda: _unless(told(ground, "hook", "finish", key, "--answer", answer), 75), "an answer")

        assert (0, "hook_answered") == again
        _as_before_it_was_written(ground)
        assert (0, "hook_answered") == await told(ground, "hook", "finish", key, "--answer", answer), "the run knows"
        assert (23, "unknown_hook_call") == await told(
            ground, "hook", "finish", key.replace("tenant", "tenent"), "--answer", answer
        )
        assert [] == (await ground.cli("hook", "list"))[1]["rows"]
    assert 1 == len(httpserver.log), "the other side was asked once"


def _as_before_it_was_written(ground: Ground) -> None:
    """The row of the item as it stands until what the run has taken has landed."""
    url = environment_of(ground.server.address, ground.folder, ground.queue)["ONBOARDING_DATABASE_URL"]
    engine = open_database(url)
    with writing(engine) as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.item == "tenant").values(status="open"))
    engine.dispose()


async def test_an_attempt_that_was_lost_with_every_worker_is_waited_for_again(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """Nobody says for longer than the server's patience that it lives: the next attempt takes over, and the other side hears nothing."""
    httpserver.expect_request("/tenants").respond_with_json({}, status=202)
    ground.say(httpserver, later={"within": "4m"})
    key = f"onboarding/{customer}/hooks/tenant/1/hook"
    async with ground.worker() as first:
        run = await ground.begin(customer)
        await until(lambda: _listed(ground), "it waits")
        first.process.kill()
        await first.ended()
    await until(lambda: _attempt(run, 2), "the server gives the first attempt up")
    answer = '{"ok": true, "provides": {"tenant_id": "t-1"}}'
    assert 75 == (await told(ground, "hook", "finish", key, "--answer", answer))[0]
    async with ground.worker():
        await until(lambda: _taken_over(run), "the next attempt waits")
        assert (0, "hook_answered") == await until(
            lambda: _unless(told(ground, "hook", "finish", key, "--answer", answer), 75), "an attempt that waits"
        )
        await until_item(run, "done")
    assert 1 == len(httpserver.log)


async def test_work_elsewhere_is_asked_for_until_it_is_done_and_shows_how_far_it_is(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """An import that takes three looks; what it says stands in `hook list` and in the heartbeat that the UI shows."""
    said = iter([{"percent": 30}, {"percent": 60}])
    go = threading.Event()

    def job(request: Request) -> Response:
        if not go.is_set():
            return Response(json.dumps(next(said, {"percent": 60})), 202)
        return Response(json.dumps({"ok": True, "provides": {"tenant_id": "t-1"}}))

    httpserver.expect_request("/tenants").respond_with_json({"status_url": "/jobs/1"}, status=202)
    httpserver.expect_request("/jobs/1").respond_with_handler(job)
    ground.say(httpserver, later={"within": "4m", "poll": "/status_url", "every": "1s", "progress": "/percent"})
    async with ground.worker():
        run = await ground.begin(customer)
        await until(lambda: _progress(ground, "60"), "60 % are told")
        await until(lambda: _heartbeat(run, '"progress":"60"'), "the server knows it")
        go.set()
        await until_item(run, "done")
        await until(lambda: _nothing_waits(ground), "nothing waits any more")


async def test_a_run_that_is_cancelled_forgets_what_it_waits_for(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """Its row goes, and whoever brings the answer afterwards is told so."""
    httpserver.expect_request("/tenants").respond_with_json({}, status=202)
    ground.say(httpserver, later={"within": "4m"})
    async with ground.worker():
        run = await ground.begin(customer)
        await until(lambda: _listed(ground), "it waits")
        await run.say("cancel", actor="dana", reason="budget")
        await until(lambda: _nothing_waits(ground), "nothing waits any more")
        code, _ = await told(
            ground, "hook", "fail", f"onboarding/{customer}/hooks/tenant/1/hook", "--reason", "too late"
        )

        assert 21 == code
        assert "cancelled" == (await run.handle.result())["outcome"]


async def test_a_cancelled_run_is_taken_back_before_its_workflow_ends(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """The undo hears what the hook has made; its first try fails, its second does it, and the trail tells."""
    undone: list[dict[str, Any]] = []

    def undo(request: Request) -> Response:
        undone.append(json.loads(request.data))
        return Response("", 503) if len(undone) == 1 else Response('{"ok": true}')

    httpserver.expect_request("/tenants").respond_with_json({"ok": True, "provides": {"tenant_id": "t-3"}})
    httpserver.expect_request("/undo").respond_with_handler(undo)
    ground.say(httpserver)
    both = json.loads(ground.hooks.read_text())
    both["hooks"]["enable_production"] = {**both["hooks"]["provision_tenant"], "url": httpserver.url_for("/undo")}
    ground.hooks.write_text(json.dumps(both))
    async with ground.worker():
        run = await ground.begin(customer)
        await until_item(run, "done")
        await run.say("cancel", actor="dana", reason="budget")
        result = await asyncio.wait_for(run.handle.result(), WITHIN)
        trail = (await run.ask("trail", {"cursor": "0"}))["rows"]

    assert "cancelled" == result["outcome"]
    assert ["t-3", "t-3"] == [one["facts"]["tenant_id"] for one in undone]
    assert {f"onboarding/{customer}/hooks/tenant/1/undo"} == {one["key"] for one in undone}
    assert ["hook_done", "hook_undone"] == [one["code"] for one in trail if one["message"] == "hook"]


async def test_what_a_hook_makes_while_its_run_is_cancelled_is_taken_back(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """It was called before the end and answers after it: there is a tenant, and nobody would know of it."""
    called, go, undone = threading.Event(), threading.Event(), []

    def tenants(request: Request) -> Response:
        called.set()
        assert go.wait(WITHIN)
        return Response(json.dumps({"ok": True, "provides": {"tenant_id": "t-4"}}))

    def undo(request: Request) -> Response:
        undone.append(json.loads(request.data)["facts"]["tenant_id"])
        return Response('{"ok": true}')

    httpserver.expect_request("/tenants").respond_with_handler(tenants)
    httpserver.expect_request("/undo").respond_with_handler(undo)
    ground.say(httpserver, seconds=60)
    both = json.loads(ground.hooks.read_text())
    both["hooks"]["enable_production"] = {**both["hooks"]["provision_tenant"], "url": httpserver.url_for("/undo")}
    ground.hooks.write_text(json.dumps(both))
    async with ground.worker():
        run = await ground.begin(customer)
        await until(called.is_set, "the hook is called")
        await run.say("cancel", actor="dana", reason="budget")
        assert "closed" == (await run.ask("status"))["state"], (
            "nobody waits for a system to hear that the run has ended"
        )
        go.set()
        await asyncio.wait_for(run.handle.result(), WITHIN)
        trail = (await run.ask("trail", {"cursor": "0"}))["rows"]

    assert ["t-4"] == undone
    assert ["hook_done", "hook_undone"] == [one["code"] for one in trail if one["message"] == "hook"]


@pytest.mark.parametrize("fails", [False, True])
async def test_what_a_stage_does_on_leaving_is_done_although_the_run_is_over(
    client: Client, customer: str, tmp_path: Path, fails: bool
) -> None:
    """The last stage calls a hook when it is left; the rows of the end have landed long before it answers, and who must look is told."""
    edge = LimitedEdge(open_database(f"sqlite:///{tmp_path / 'waits.sqlite'}"), fails=fails)
    queue = f"exit-{customer}"
    order = _calling("quick", customer)
    leaving = replace(order.definition.stages[0], on_exit=(StageAction(hook="slow"),))
    order = replace(order, definition=replace(order.definition, stages=(leaving,)))
    async with a_worker(client, edge, queue):
        run = await a_run(client, order, queue)
        await until_item(run, "done")
        await run.say("complete", actor="dana", item="talk")
        await until(lambda: edge.running, "the hook of leaving is called")
        await until(
            lambda: edge.store.kept[run.handle.id].row.state == RunStatus.CLOSED, "the rows of the end are there"
        )
        edge.open.set()
        result = await asyncio.wait_for(run.handle.result(), WITHIN)
        trail = (await run.ask("trail", {"cursor": "0"}))["rows"]
        history = await run.handle.fetch_history()
    edge.engine.dispose()

    assert "live" == result["outcome"]
    assert 1 == len(edge.called)
    assert not [one for one in history.events if one.HasField("activity_task_cancel_requested_event_attributes")]
    assert ["no_licence"] * fails == [
        one["code"] for one in trail if one["item"] == "build" and one["message"] == "hook"
    ]


async def test_a_worker_that_is_told_to_stop_ends_the_calls_that_had_to_wait_for_their_turn(
    ground: Ground, httpserver: HTTPServer, customer: str
) -> None:
    """The second call is made when the first is through, and is at work when the worker is told to stop: it ends, and is not made again."""
    go, asked = (threading.Event(), threading.Event()), []

    def tenants(request: Request) -> Response:
        asked.append(request.headers["Idempotency-Key"])
        assert go[len(asked) - 1].wait(WITHIN)
        return Response(json.dumps({"ok": True, "provides": {"tenant_id": "t-1"}}))

    httpserver.expect_request("/tenants").respond_with_handler(tenants)
    ground.say(httpserver, at_once=1, seconds=60)
    async with ground.worker() as worker:
        runs = [await ground.begin(f"{customer}-1")]
        await until(lambda: len(asked) == 1, "the first is called")
        runs.append(await ground.begin(f"{customer}-2"))
        await until(lambda: _attempt(runs[1], 1), "the second waits")
        await asyncio.sleep(1)  # its worker has parked it, of which nobody outside can be told
        go[0].set()
        await until(lambda: len(asked) == 2, "the second is called")
        worker.process.terminate()
        await until(lambda: "worker_stopping" in worker.words(), "it stops")
        go[1].set()
        assert 0 == await worker.ended()
    async with ground.worker():
        for run in runs:
            await until_item(run, "done")

    assert 2 == len(set(asked)) == len(asked)


async def test_a_slow_hook_does_not_stop_another(client: Client, customer: str, tmp_path: Path) -> None:
    """50 calls that take half a minute in all, in a worker with room for 10: another hook is called at once, and all 50 end."""
    edge = LimitedEdge(open_database(f"sqlite:///{tmp_path / 'waits.sqlite'}"))
    queue = f"lanes-{customer}"
    with ThreadPoolExecutor(10) as threads:
        async with a_worker(client, edge, queue):
            serving = asyncio.create_task(Attendant(client, edge.lanes, edge.calls.call_parked, threads).run())
            slow = [await a_run(client, _calling("slow", f"{customer}-s{n}"), queue) for n in range(50)]
            await until(lambda: edge.lanes.counts().get("slow", (0, 0))[1] >= 40, "40 calls wait for their turn")
            began = time.monotonic()
            other = await a_run(client, _calling("quick", f"{customer}-q"), queue)
            await until_item(other, "done")
            took = time.monotonic() - began
            waited = edge.lanes.counts()["slow"][1]
            edge.open.set()
            for run in slow:
                await until_item(run, "done")
            serving.cancel()
    edge.engine.dispose()

    assert waited >= 40, "it did not wait for the slow ones"
    assert 50 == len(edge.called)
    assert edge.most_at_once <= 2
    print(
        f"hooks: 50 slow calls of one hook, 2 at once, {waited} waited; another hook was done after {took:.1f} s; 50 of 50 ended"
    )


class LimitedEdge(Edge):
    """Two hooks, of which the slow one is called twice at once and no more."""

    def __init__(self, engine: Engine, *, fails: bool = False) -> None:
        """Nothing is called yet. `fails`: the slow one refuses in the end."""
        super().__init__()
        self.fails = fails
        self.engine = engine
        self.open = threading.Event()
        self.called: list[str] = []
        self.running = self.most_at_once = 0
        self._lock = threading.Lock()
        self.lanes = Lanes(lambda name: (2, None))
        hooks = HookRegistry({"slow": self._slow, "quick": self._quick})
        self.calls = HookActivities(hooks, self.lanes, SqlHookWaits(engine))

    def activities(self) -> list[Any]:
        """As a worker has them."""
        notifier = OutboxNotifier(self.store)
        records, notices = RecordActivities(self.store, notifier), NoticeActivities(notifier)
        return [records.write_records, notices.deliver_notice, self.calls.run_hook]

    def _slow(self, arguments: Any) -> dict[str, Any]:
        with self._lock:
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        self.open.wait(60)
        with self._lock:
            self.running -= 1
            self.called.append(str(arguments["run"]))
        if self.fails:
            raise HookRefused("no_licence", "There is no licence left.")
        return {"ok": True, "provides": {"tenant_id": "t"}}

    @staticmethod
    def _quick(arguments: Any) -> dict[str, Any]:
        return {"ok": True, "provides": {"tenant_id": "t"}}


def _calling(activity: str, customer: str) -> StartOrder:
    order = an_order("hooks", customer=customer)
    items = tuple(replace(one, activity=activity) if one.activity else one for one in order.definition.items)
    return replace(order, definition=replace(order.definition, items=items))


async def told(ground: Ground, *words: str) -> tuple[int, str]:
    """Exit code and code of a command."""
    code, answer = await ground.cli(*words)
    return code, str(answer.get("code", answer))


async def _unless(asking: Any, code: int) -> Any:
    answer = await asking
    return None if answer[0] == code else answer


async def _listed(ground: Ground) -> Any:
    code, answer = await ground.cli("hook", "list")
    return (code, answer) if answer.get("rows") else None


async def _nothing_waits(ground: Ground) -> bool:
    return (await ground.cli("hook", "list"))[1].get("rows") == []


async def _progress(ground: Ground, text: str) -> bool:
    return any(one["progress"] == text for one in (await ground.cli("hook", "list"))[1].get("rows", ()))


async def _pending(run: Run) -> Iterator[Any]:
    return iter((await run.handle.describe()).raw_description.pending_activities)


async def _heartbeat(run: Run, text: str) -> bool:
    return any(text in str(one.data.decode()) for act in await _pending(run) for one in act.heartbeat_details.payloads)


async def _attempt(run: Run, number: int) -> bool:
    return any(act.attempt >= number for act in await _pending(run))


async def _taken_over(run: Run) -> bool:
    return any(act.attempt >= 2 and act.heartbeat_details.payloads for act in await _pending(run))
