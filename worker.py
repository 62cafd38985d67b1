"""The worker: the process in which runs live. `python worker.py`; settings come from the environment (.env.example).

It logs to stderr, writes nothing to stdout, and stops on SIGTERM or Ctrl-C when what it is doing is done, at most half a
minute later. Exit codes: 0 stopped as asked, 64 a setting, an argument or the Python is the wrong one, 65 a file that a setting names
is wrong, 69 the Temporal server or the database cannot be used, 70 a bug, 75 the database can be used later: it is held, full or read-only now.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from runtime.prerequisites import require

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from temporalio.client import Client
    from temporalio.worker import Worker

    from activities.hooks import HookActivities
    from activities.keeping import Keeper
    from activities.parking import Attendant
    from console.channels_here import WaysOut
    from integrations.hooks import HookRegistry
    from integrations.sending import Sender
    from runtime.key_cache import KeyCache
    from runtime.releasing import Releaser
    from runtime.settings import Settings

OK, USAGE, INVALID, BUG = 0, 64, 65, 70

ACTIVITIES_AT_ONCE: Final = 50
"""Of each sort, remote and local; each has a thread. A database takes no more writers, a hook's system rarely more callers."""
TURNS_AT_ONCE: Final = 16
"""Workflow tasks. What is fetched and waits here for its turn is taken away again after ten seconds, done in vain, and given out anew:
with the SDK's 100, a crowd of 200 that wakes at once on a busy machine did not get through. In the server's queue nothing runs out."""
STICKY: Final = timedelta(seconds=2)
"""How long the server waits for this worker before it asks another one. With the usual 10 s a killed worker's runs stand
still for eight."""
PATIENCE: Final = 30.0
"""Seconds after which a database that says nothing is taken for lost: no attempt of an activity waits for longer than ten."""
LAST_LOOK: Final = timedelta(seconds=2)
"""For notices of the last turns, when everything else has stopped. `LAST_LETTERS`: for letters in hand; what has begun by then may take
what is left of `GRACE`, since it would leave again elsewhere, under the same key."""
LAST_LETTERS: Final = timedelta(seconds=4)
GRACE: Final = timedelta(seconds=30)
"""How long what is running may take after the signal. What takes longer is done again elsewhere."""


def main(arguments: list[str]) -> int:
    """Runs until told to stop; the exit code."""
    _stop_early()
    _Parser(prog="worker.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(
        arguments
    )
    # Late, so that --help and a wrong argument are answered at once.
    from onboarding.errors import DefinitionInvalid
    from runtime.errors import SetupError
    from runtime.fault_injection import VARIABLE, arm
    from runtime.logs import set_up_logs
    from runtime.settings import read_settings
    from storage.faults import DatabaseUnavailable

    try:
        settings = read_settings()
        set_up_logs(settings.log_format, settings.log_level)
        fault = os.environ.get(VARIABLE)
        if fault:
            logging.getLogger("worker").warning(
                "fault_armed", extra={"reason": arm(fault, environment=settings.environment)}
            )
        return asyncio.run(_serve(settings))
    except (SetupError, DatabaseUnavailable) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except DefinitionInvalid as error:
        print(error, file=sys.stderr)
        return INVALID


async def _serve(settings: Settings) -> int:
    from console.channels_here import channels_here
    from console.events_here import events_beside
    from console.hooks_here import hooks_here
    from console.letters_here import demand_templates
    from onboarding.language.expressions import warm
    from runtime.connection import connect

    warm()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop_or_leave, stop)
    log = logging.getLogger("worker")
    ways = channels_here(settings.channels)
    demand_templates(settings)
    hooks = hooks_here(settings.hooks)
    database = await asyncio.to_thread(_open, settings)
    client = await connect(settings, metrics=settings.metrics_address, keys=_keys(settings, database))
    await _check_search_attributes(client)
    calls, attendant, keeper = _hooks(hooks, client, database)
    worker, releaser = _build(settings, client, database, calls)
    sender = _sender(settings, database, hooks, ways)
    running = asyncio.create_task(worker.run())
    events = events_beside(settings, client, database, ways.said)
    others = (attendant.run(), keeper.run(), *events, *_gauges(settings, client, database))
    beside = [asyncio.create_task(one) for one in (releaser.run(), sender.run(), *others)]
    log.info("worker_started", extra={"task_queue": settings.task_queue, "environment": settings.environment})
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        error = running.exception()
        log.error("worker_failed", exc_info=error)
        return BUG
    log.info("worker_stopping")
    ends = asyncio.get_running_loop().time() + GRACE.total_seconds()
    # Bounded by us, too: without a server the SDK may wait for an answer that never comes.
    ending = [asyncio.create_task(one) for one in (worker.shutdown(), attendant.drain(GRACE.total_seconds()))]
    await asyncio.wait(ending, timeout=(GRACE * 1.2).total_seconds())
    for one in beside:
        one.cancel()
    with contextlib.suppress(Exception):  # what is left goes with the next worker
        await asyncio.wait_for(_last_look(releaser, sender), LAST_LOOK.total_seconds())
    await sender.finish(LAST_LETTERS.total_seconds(), most=ends - asyncio.get_running_loop().time())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sender.close(), LAST_LOOK.total_seconds())
    log.info("worker_stopped")
    return OK


async def _last_look(releaser: Releaser, sender: Sender) -> None:
    await releaser.look()
    await sender.look()


def _open(settings: Settings) -> Engine:
    """The rows, looked at before any work is taken."""
    from storage.engine import open_database
    from storage.inspection import glance

    database = open_database(settings.database_url, patience=PATIENCE)
    glance(database)
    return database


def _keys(settings: Settings, database: Engine) -> KeyCache:
    """The keys of customers. A worker does not begin without those that it will need: it could only fail tasks."""
    from runtime.key_cache import KeyCache
    from runtime.masters import MasterFile, demand
    from storage.keys import CustomerKeys, holds_keys

    masters = MasterFile(settings.keys)
    demand(masters, settings.environment, lambda: holds_keys(database))
    return KeyCache(CustomerKeys(database, masters))


def _hooks(hooks: HookRegistry, client: Client, database: Engine) -> tuple[HookActivities, Attendant, Keeper]:
    """What calls the hooks, and what looks after calls that wait for their turn or for an answer."""
    from activities.hooks import HookActivities
    from activities.keeping import ASKED_AT_ONCE, Keeper
    from activities.lanes import Lanes
    from activities.parking import Attendant
    from storage.hook_waits import SqlHookWaits

    lanes = Lanes(lambda name: (hooks.terms(name).at_once, hooks.terms(name).per_minute))
    waits = SqlHookWaits(database)
    calls = HookActivities(hooks, lanes, waits)
    threads = ThreadPoolExecutor(ACTIVITIES_AT_ONCE, thread_name_prefix="hook")
    asking = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="hook-asks")
    return calls, Attendant(client, lanes, calls.call_parked, threads), Keeper(client, waits, hooks, asking)


def _build(settings: Settings, client: Client, database: Engine, calls: HookActivities) -> tuple[Worker, Releaser]:
    """The only place where a worker's parts are put together."""
    from temporalio.worker import Worker

    from activities.notices import NoticeActivities
    from activities.records import RecordActivities
    from integrations.outbox import OutboxNotifier
    from runtime.releasing import Releaser
    from storage.notices import SqlNoticeStore
    from storage.records import SqlRecordStore
    from workflows.inbound import Inbound
    from workflows.onboarding_run import OnboardingRun

    outbox = SqlNoticeStore(database)
    notifier = OutboxNotifier(outbox)
    records, notices = RecordActivities(SqlRecordStore(database), notifier), NoticeActivities(notifier)
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[OnboardingRun],
        interceptors=[Inbound()],
        activities=[records.write_records, notices.deliver_notice, calls.run_hook],
        activity_executor=ThreadPoolExecutor(2 * ACTIVITIES_AT_ONCE, thread_name_prefix="activity"),
        max_concurrent_workflow_tasks=TURNS_AT_ONCE,
        max_concurrent_activities=ACTIVITIES_AT_ONCE,
        max_concurrent_local_activities=ACTIVITIES_AT_ONCE,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=GRACE,
    )
    return worker, Releaser(client, outbox, notifier)


def _sender(settings: Settings, database: Engine, hooks: HookRegistry, ways: WaysOut) -> Sender:
    """What brings notices to people. Without channels what is kept counts as sent."""
    from console.letters_here import directory, renderer
    from integrations import kept
    from integrations.sending import Sender
    from storage.notices import SqlNoticeStore

    outbox = SqlNoticeStore(database)
    if ways.routing is not None:
        people, letters = directory(settings, database, hooks), renderer(settings, database, ways.said.answer)
        return Sender(outbox, people, letters, ways.routing)
    return Sender(outbox, kept.Anybody(), kept.PlainText(), kept.OneRoute(kept.KeptChannel()))


def _gauges(settings: Settings, client: Client, database: Engine) -> list[Coroutine[Any, Any, None]]:
    """The numbers of all runs for a dashboard, and which of them do not go on; nobody looks where nothing is shown."""
    if settings.metrics_address is None:
        return []
    from metrics.gauges import GAUGES, Reading, readings, stuck, vanished
    from runtime.connection import build_runtime
    from runtime.gauging import Gauges
    from runtime.watching import Watch
    from storage.census import census
    from storage.watching import rows_of_open_runs

    before: list[Reading] = []

    def read() -> list[Reading]:
        now = datetime.now(UTC)
        found = readings(census(database, now), now)
        gone = vanished(before, found)
        before[:] = [*found, *gone]
        return before

    gauges = Gauges(build_runtime(metrics=settings.metrics_address).metric_meter, GAUGES.values(), read)
    watch = Watch(client, lambda now: rows_of_open_runs(database, now))
    return [gauges.run(), watch.run(lambda counts: gauges.show(stuck(counts)))]


async def _check_search_attributes(client: Client) -> None:
    """A run that sets an attribute the server does not know stands still, so a worker does not begin with one missing."""
    from runtime.errors import Unreachable
    from runtime.search_attributes import ensure_search_attributes

    wrong = [check for check in await ensure_search_attributes(client) if not check.ok]
    if wrong:
        names = ", ".join(check.name for check in wrong)
        raise Unreachable(
            f"The Temporal server lacks search attributes that runs set, or has them with another type: {names}.",
            place=client.namespace,
            way_out="`python starter.py doctor --fix` registers them.",
            code="search_attributes",
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{message}. worker.py takes no arguments; see `python worker.py --help`.", file=sys.stderr)
        raise SystemExit(USAGE)


def _stop_early() -> None:
    """Before the loop runs there is nothing to finish: a signal ends the process as it would later, with 0."""

    def leave(number: int, frame: FrameType | None) -> None:
        _leave(OK)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def _stop_or_leave(stop: asyncio.Event) -> None:
    if stop.is_set():
        _leave(OK)  # asked twice: whoever asks does not want to wait
    stop.set()


def _leave(code: Any) -> NoReturn:
    """The SDK's native threads can abort or hang an interpreter that ends in the ordinary way."""
    try:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else BUG)


if __name__ == "__main__":
    require("worker.py")
    try:
        code: Any = main(sys.argv[1:])
    except SystemExit as leaving:
        code = leaving.code or OK
    except BaseException:
        logging.getLogger("worker").exception("worker_failed")
        code = BUG
    _leave(code)
