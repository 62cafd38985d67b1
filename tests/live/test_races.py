"""Races on a real server with real rows: two people for one decision, a sender and a deadline, a worker that was away.

Whoever wins, the answers, the run, its rows and its notices name the same winner, and the histories go the same way again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from runtime.devserver import DevServer, client_of
from storage.engine import open_database
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.agreement import replays, rows_are_history, rows_of_trail
from tests.support.figures import Figure
from tests.support.prompt import Prompt
from tests.support.races import Told, answer_to, deadline_order, decision_order, judge
from tests.support.shell import Edge, Run, a_run, a_worker, instant, send, send_until_told

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    # The SDK warns where a worker goes away while rows are on their way; a warning that is an error would end the next one, too.
    pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning"),
]

RUNS, EACH = 40, 10
"""Runs at once, and deadline races in each. They are two seconds apart: a run never sleeps for less than one. One more answer
in each run comes so late that the clock wins, however busy the machine is."""
AWAY_FROM_DUE = 0.05
"""Seconds before or after the deadline within which an answer is sent."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """A file of its own."""
    engine = open_database(f"sqlite:///{tmp_path / 'rows.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def edge(database: Engine) -> Edge:
    """Rows and notices go to the database."""
    return Edge(records=SqlRecordStore(database), notifier=Prompt(SqlNoticeStore(database)))


@pytest.fixture
async def other_client(dev_server: DevServer) -> Client:
    """Somebody else, on a connection of their own."""
    return await client_of(dev_server)


async def test_two_people_decide_at_once_and_one_of_them_did(
    client: Client,
    other_client: Client,
    edge: Edge,
    database: Engine,
    customer: str,
    tmp_path: Path,
    figure: Figure,
) -> None:
    """200 contradicting decisions for one seat: one is accepted and is what happened, the other is told so."""
    async with a_worker(client, edge, f"races-{customer}"):
        runs = [
            await a_run(client, decision_order(tmp_path, f"{customer}-{n}", 20), f"races-{customer}") for n in range(10)
        ]
        races = [
            race for found in await asyncio.gather(*(_decide_all(run, other_client) for run in runs)) for race in found
        ]
        for run in runs:
            await rows_are_history(run, database)
            races_of_run = [race for race in races if race["run"] == run.handle.id]
            await _name_the_winner(run, database, races_of_run)
    won = Counter((race["winner"], race["loser_hears"]) for race in races)
    wrong = [race for race in races if race["wrong"]]
    figure(f"R13: {len(races)} decisions, won and the other told: {dict(won)}; {len(wrong)} disagreements")

    assert len(races) == 200
    assert wrong == []
    assert {winner for winner, _ in won} == {"grant", "decline"}
    assert await replays(client, *runs) == len(runs)


async def _decide_all(run: Run, other_client: Client) -> list[dict[str, Any]]:
    """Both decisions on every approval of a run, each race at one moment, one race after another."""
    rng = Random(run.handle.id)
    other = other_client.get_workflow_handle(run.handle.id)
    items = [item["id"] for item in (await run.ask("status"))["items"]]
    for base in (name for name in items if name.startswith("base")):
        await run.signal("complete", {"message_id": f"m-{base}", "actor": "dana", "item": base})
    races = []
    for item in (name for name in items if name.startswith("one")):
        said = [
            {"message_id": f"m-{item}-{actor}", "actor": actor, "item": item, "outcome": outcome}
            for actor, outcome in zip(("dana", "drew"), rng.sample(("grant", "decline"), 2), strict=True)
        ]
        senders = [send(run.handle, "decide", said[0]), send(other, "decide", said[1])]
        order = rng.sample((0, 1), 2)
        heard = dict(zip(order, await asyncio.gather(*(senders[n] for n in order)), strict=True))
        races.append({"run": run.handle.id, "item": item, "said": said, "heard": [heard[0], heard[1]], "wrong": []})
    return races


async def _name_the_winner(run: Run, database: Engine, races: list[dict[str, Any]]) -> None:
    """Compares what both heard with the trail and the rows."""
    reads = ReadTable(database)
    rows = {row["id"]: row for row in sorted(reads.items(run.handle.id), key=lambda row: row["round"])}
    trail = rows_of_trail(reads, run)
    for race in races:
        item = race["item"]
        accepted = [n for n, heard in enumerate(race["heard"]) if heard["outcome"] == "accepted"]
        first = accepted[0] if accepted else 0
        winner, loser = race["said"][first], race["heard"][1 - first]
        race |= {"winner": winner["outcome"], "loser_hears": loser["code"]}
        sent_back = winner["outcome"] == "decline" and f"base_{item.partition('_')[2]}" in rows
        decisions = [
            (row["actor"], row["message_id"]) for row in trail if row["item"] == item and row["message"] == "decide"
        ]
        claims = {
            "one winner": len(accepted) == 1,
            "one decision": decisions == [(winner["actor"], winner["message_id"])],
            "its outcome": rows[item]["outcome"] == winner["outcome"],
            "its status": rows[item]["status"] == ("not_ready" if sent_back else "done"),
            # Where the winner sent the approval back, nobody may decide until what was asked for again is there.
            "the other heard it": loser["code"] == ("not_open_yet" if sent_back else "already_decided"),
        }
        race["wrong"] = [claim for claim, holds in claims.items() if not holds]


async def test_a_sender_and_a_deadline_meet_and_everything_names_one_winner(
    client: Client,
    other_client: Client,
    edge: Edge,
    database: Engine,
    customer: str,
    tmp_path: Path,
    figure: Figure,
) -> None:
    """400 answers within 50 milliseconds of their deadline; the worker of every fifth run is another one every few seconds."""
    async with (
        a_worker(client, edge, f"kept-{customer}"),
        _ever_new_worker(client, edge, f"forgotten-{customer}") as stay,
    ):
        runs = []
        for n in range(RUNS):
            order = deadline_order(tmp_path, f"{customer}-{n}", [6 + 2 * due + n % 2 for due in range(EACH + 1)], n)
            runs.append(await a_run(client, order, f"{'kept' if n % 5 else 'forgotten'}-{customer}"))
        verdicts = await asyncio.gather(*(_answer_all(run, other_client) for run in runs))
        stay.set()
        told: list[Told] = []
        for run, heard in zip(runs, verdicts, strict=True):
            await rows_are_history(run, database)
            told += await judge(run, database, heard)
    won = Counter((one.variant, one.winner) for one in told)
    wrong = [story for one in told for story in one.wrong]
    figure(f"R14: {len(told)} deadlines, first came: {dict(sorted(won.items()))}; {len(wrong)} disagreements")

    assert len(told) == RUNS * (EACH + 1) == 400 + RUNS
    assert wrong == []
    assert {winner for _, winner in won} == {"sender", "clock"}
    assert await replays(client, *runs) == len(runs)


@asynccontextmanager
async def _ever_new_worker(client: Client, edge: Edge, task_queue: str) -> AsyncIterator[asyncio.Event]:
    """A worker that is replaced every three seconds: the next one knows nothing and builds every run from its history.

    The event lets the next one stay. A task that is given to a worker on its way out is given out again after ten seconds only,
    so what is asked while they come and go may never be answered.
    """
    done, stay = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            async with a_worker(client, edge, task_queue):
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), None if stay.is_set() else 3)

    working = asyncio.create_task(work())
    try:
        yield stay
    finally:  # a worker that is left to the end of the session is cancelled while it shuts down, and never ends
        done.set()
        await working


async def _answer_all(run: Run, other_client: Client) -> dict[str, dict[str, Any] | None]:
    """One answer to each item with a deadline, close to it; what the sender heard."""
    rng = Random(run.handle.id)
    handle = other_client.get_workflow_handle(run.handle.id)
    due = {item["id"]: instant(item["due_at"]) for item in (await run.ask("status"))["items"] if item["due_at"]}

    async def answer(item: str, at: datetime) -> dict[str, Any]:
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        return await send_until_told(handle, *answer_to(item))

    moments = {item: at + timedelta(seconds=rng.uniform(-AWAY_FROM_DUE, AWAY_FROM_DUE)) for item, at in due.items()}
    moments[max(due, key=lambda item: due[item])] += timedelta(seconds=0.6)
    heard = await asyncio.gather(*(answer(item, at) for item, at in moments.items()))
    return dict(zip(moments, heard, strict=True))


async def test_what_waits_for_an_absent_worker_is_in_time_whatever_the_order_in_history(
    client: Client, edge: Edge, database: Engine, customer: str, tmp_path: Path
) -> None:
    """Answers sent before the deadline and after it, as signals and updates: all are read before it is acted on."""
    runs, verdicts, waiting = [], [], []
    async with a_worker(client, edge, f"away-{customer}"):
        for n in range(4):
            runs.append(await a_run(client, deadline_order(tmp_path, f"{customer}-{n}", [8] * 8), f"away-{customer}"))
        started = [await run.ask("status") for run in runs]
    due = {row["id"]: instant(row["due_at"]) for status in started for row in status["items"] if row["due_at"]}
    items, last = list(due), max(due.values())
    for run in runs:
        for item in items[:3]:
            name, content = answer_to(item)
            await run.signal(name, content)
        waiting.append([asyncio.create_task(send(run.handle, *answer_to(item))) for item in items[3:5]])
    await asyncio.sleep((last - datetime.now(UTC)).total_seconds() + 0.5)
    for run in runs:
        while "timer" not in _signals_and_timers(await run.events()):
            await asyncio.sleep(0.1)
        for item in items[5:]:
            name, content = answer_to(item)
            await run.signal(name, content)
    async with a_worker(client, edge, f"away-{customer}"):
        for run, updates in zip(runs, waiting, strict=True):
            heard = dict(zip(items[3:5], await asyncio.gather(*updates), strict=True))
            verdicts.append({item: heard.get(item) for item in items})
            await rows_are_history(run, database)
        told = [one for run, heard in zip(runs, verdicts, strict=True) for one in await judge(run, database, heard)]
    orders = [_signals_and_timers(await run.events()) for run in runs]

    assert [story for one in told for story in one.wrong] == []
    assert {one.winner for one in told} == {"sender"}
    assert all({("signal", "timer"), ("timer", "signal")} <= set(pairwise(order)) for order in orders)
    assert await replays(client, *runs) == len(runs)


def _signals_and_timers(events: list[Any]) -> list[str]:
    """What came from outside and from the clock, in the order of a history."""
    names = {EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal", EventType.EVENT_TYPE_TIMER_FIRED: "timer"}
    return [names[event.event_type] for event in events if event.event_type in names]
