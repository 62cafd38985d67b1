"""The demo: a whole onboarding on a real Temporal server, by a scripted customer, in time compressed by a stated scale.

Everything it starts, it stops; everything it keeps is in a folder of its own. It ends with a claim for each thing it wanted to
show, and not with 0 unless all of them hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from console import demo_end, ground, ordering, reads, sending, starting
from console.children import WorkerProcess, finished, of_server, stopping
from console.demo_screen import Screen
from console.demo_script import CUSTOMER, DEFINITION, STEPS, Step
from console.leaving import BUG, INTERRUPTED, OK, Answered
from onboarding.language.model import Scale
from runtime import library
from runtime.connection import ui_url
from runtime.devserver import DevServer, client_of
from runtime.settings import DATA, ROOT

if TYPE_CHECKING:
    from temporalio.client import Client

HOURS_A_DAY = 8
LOOK = 0.25
"""Seconds between two looks at the run."""
PATIENCE = 10
"""Business days after which something that should have happened has not."""
_INPUT = ROOT / "definitions" / "examples" / f"{DEFINITION}.input.yaml"


class Off(Exception):
    """The demo went another way than its script; the sentence says where."""


async def play(business_day: int, *, keep: bool) -> int:
    """Plays the whole demo; the exit code."""
    stop = stopping()
    screen = Screen()
    began = monotonic()
    scale = Scale(business_day=business_day, business_hour=max(1, business_day // HOURS_A_DAY))
    folder = _fresh_folder()
    own = ground.settings().model_copy(
        update={
            "database_url": f"sqlite:///{folder / 'onboarding.sqlite'}", "definitions": library.DEFINITIONS, "directory": None,
            "keys": folder / "keys.json", "environment": "demo",
        }
    )  # fmt: skip
    ground.adopt(own)
    screen.title(f"A whole onboarding by {DEFINITION}, in compressed time: {scale}")
    server = DevServer(folder)
    worker = WorkerProcess(folder / "worker.log")
    try:
        show = asyncio.ensure_future(_show(server, worker, screen, scale, keep=keep))
        if not await finished(show, stop):
            screen.say("Stopped half-way.")
            return INTERRUPTED
        screen.say(f"The demo took {monotonic() - began:.0f} seconds.")
        return OK
    except Off as off:
        screen.say(f"The demo went another way: {off} What worker and server said is in {folder}.")
        return BUG
    finally:
        screen.close()
        await worker.stop()
        await server.stop()


async def _show(server: DevServer, worker: WorkerProcess, screen: Screen, scale: Scale, *, keep: bool) -> None:
    screen.say("Starting a Temporal server …")
    await server.start()
    settings = ground.settings().model_copy(update={"ui_url": server.ui_url})
    ground.adopt(settings)
    worker.of(
        **of_server(server.address, server.namespace, server.ui_url or ""),
        ONBOARDING_DATABASE_URL=settings.database_url,
        ONBOARDING_DEFINITIONS=str(settings.definitions),
        ONBOARDING_KEYS=str(settings.keys),
        ONBOARDING_ENVIRONMENT=settings.environment,
    )
    client = await client_of(server)
    await worker.start(client, settings.task_queue)
    screen.say(f"Temporal UI {server.ui_url}; a worker is process {worker.pid}.")
    prepared = ordering.prepare(
        DEFINITION, customer=CUSTOMER, input_file=str(_INPUT), actor="sam", scale=scale,
        settings=(f"signed_at={datetime.now(UTC).replace(microsecond=0).isoformat()}",),
    )  # fmt: skip
    run = prepared.order.run
    run_id, _ = await starting.begin(client, prepared, settings.task_queue)
    screen.begin(run, scale)
    screen.say(f"Watch it there (R refreshes): {ui_url(server.ui_url or '', client.namespace, run, run_id)}")
    following = asyncio.create_task(_follow(run, screen))
    try:
        heard = [await _take(client, run, step, screen, scale, number) for number, step in enumerate(STEPS, 1)]
        await _closed(client, run, scale)
    finally:
        following.cancel()
        screen.close()
    wrong = await demo_end.tell(client, run, run_id, screen, scale, heard, server, keep=keep)
    if wrong:
        raise Off(f"this does not hold: {'; '.join(wrong)}.")
    if keep:
        _leave_up(server, worker, screen)


async def _take(client: Client, run: str, step: Step, screen: Screen, scale: Scale, number: int) -> dict[str, Any]:
    """Waits until it is time for a step, sends it, and compares what is heard with what should be."""
    if step.item:
        await _until(client, run, step, screen, scale)
    await asyncio.sleep(step.after * scale.business_hour)
    content = {"message_id": f"demo-{number}", "actor": step.actor, "channel": "demo", **step.content}
    try:
        verdict = await sending.send_update(client, run, step.name, content)
    except Answered as no:
        verdict = no.answer
    screen.step(step, verdict)
    if verdict["outcome"] != step.expects:
        raise Off(f"{step.name} {step.item} was {verdict['outcome']} ({verdict['code']}), not {step.expects}.")
    return verdict


async def _until(client: Client, run: str, step: Step, screen: Screen, scale: Scale) -> None:
    until = monotonic() + PATIENCE * scale.business_day
    while monotonic() < until:
        status = await _status(client, run, screen)
        item = next(one for one in status["items"] if one["id"] == step.item)
        if item["status"] in step.statuses and item["round"] >= step.round and (item["late"] or not step.late):
            return
        if status["state"] == "closed":
            raise Off(f"the run closed before {step.item} was open.")
        await asyncio.sleep(LOOK)
    raise Off(f"{step.item} was not {' or '.join(step.statuses)} within {PATIENCE} business days.")


async def _status(client: Client, run: str, screen: Screen) -> dict[str, Any]:
    answer: dict[str, Any] = await client.get_workflow_handle(run).query(
        "status", result_type=dict, rpc_timeout=reads.ASK
    )
    screen.status(answer)
    return answer


async def _closed(client: Client, run: str, scale: Scale) -> None:
    """Until the run is over, and its last rows are where `report` reads them."""
    try:
        async with asyncio.timeout(PATIENCE * scale.business_day):
            await client.get_workflow_handle(run).result(rpc_timeout=timedelta(seconds=15))
    except TimeoutError:
        raise Off("the run did not end.") from None
    for _ in range(40):
        row = ground.remembered(run)
        if row is not None and row["state"] == "closed":
            return
        await asyncio.sleep(LOOK)
    raise Off("the end of the run is in no row.")


async def _follow(run: str, screen: Screen) -> None:
    """Shows notices as they leave."""
    shown: dict[str, None] = {}  # no cursor: of two notices of one second, the later one may stand before the earlier
    with ground.read_table() as table:
        while True:
            page = await asyncio.to_thread(table.outbox, run, limit=1_000)
            for row in page["rows"]:
                if row["key"] not in shown:
                    shown[row["key"]] = None
                    screen.notice(row)
            await asyncio.sleep(LOOK)


def _leave_up(server: DevServer, worker: WorkerProcess, screen: Screen) -> None:
    settings = ground.settings()
    address = server.address
    pids = worker.leave_running(), server.leave_running()
    screen.say("Server, UI and worker are left up. To look around from another terminal:")
    screen.say(f"  export TEMPORAL_ADDRESS={address} ONBOARDING_UI_URL={server.ui_url}")
    screen.say(f"  export ONBOARDING_DATABASE_URL={settings.database_url}")
    screen.say(f"To stop them: kill {pids[0]} {pids[1]}")


def _fresh_folder() -> Path:
    """An empty folder for this demo; those of earlier ones go, unless a server that was left up still uses them."""
    base = DATA / "demo"
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob("run-*"):
        with _unused(old) as unused:
            if unused:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=base))


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[bool]:
    """Whether no server holds the lock that runtime/devserver.py takes for as long as a server runs."""
    lock = folder / "temporal.lock"
    if not lock.exists():
        # Another demo may be about to start here.
        yield datetime.now(UTC).timestamp() - folder.stat().st_mtime > 60
        return
    with lock.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
