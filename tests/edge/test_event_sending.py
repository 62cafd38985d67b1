"""Events on their way to real receivers: signed, in order, at least once; one that does not take them holds back nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from sqlalchemy import Engine, select

from integrations import event_out
from integrations.egress import Egress
from integrations.event_out import EventSender
from onboarding import crash_points
from storage.events import SqlEvents
from storage.records import SqlRecordStore
from storage.tables import EVENT_CURSORS
from tests.support.events import a_batch, an_event, tell
from tests.support.receiver import Receiver, Simulated, loopback

RUNS = ("onboarding/a/x", "onboarding/b/x", "onboarding/c/x")


@pytest.fixture
def clock() -> Simulated:
    return Simulated()


@pytest.fixture
def crm(httpserver: HTTPServer, clock: Simulated) -> Iterator[Receiver]:
    yield Receiver(httpserver, clock=clock)
    httpserver.check_assertions()


@pytest.fixture
def books(httpserver: HTTPServer, clock: Simulated) -> Receiver:
    return Receiver(httpserver, "books", clock)


@pytest.fixture
def events(engine: Engine) -> SqlEvents:
    return SqlEvents(engine)


def sender(events: SqlEvents, *receivers: Receiver, by: str = "w1") -> EventSender:
    """What sends beside a worker, by the clock of its receivers."""
    (clock,) = {id(one.clock): one.clock for one in receivers}.values()
    assert clock is not None
    webhooks = [one.webhook for one in receivers]
    return EventSender(events, webhooks, loopback(), by=by, installation="test", now=clock, chance=lambda: 0.5)


def always(status: int) -> Callable[[dict[str, Any]], int]:
    """A receiver that knows one answer."""
    return lambda event: status


def codes(engine: Engine) -> list[tuple[str, str, str | None, bool]]:
    """Receiver, run, why the last attempt failed, and whether that was the last one."""
    columns = EVENT_CURSORS.c.webhook, EVENT_CURSORS.c.run, EVENT_CURSORS.c.code, EVENT_CURSORS.c.parked
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns[:2]))]


async def test_events_arrive_in_order_signed_and_as_their_schema_says(
    engine: Engine, events: SqlEvents, crm: Receiver
) -> None:
    for run in RUNS:
        tell(engine, run, 70)

    assert [await sender(events, crm).look() for _ in range(3)] == [150, 60, 0]
    for run in RUNS:
        assert [n for told, n in crm.told() if told == run] == list(range(1, 71))
    event = crm.requests[0]
    assert (event["specversion"], event["source"], event["subject"]) == ("1.0", f"/test/{event['data']['run']}", "s1")
    assert event["dataschema"] == "urn:onboarding:event:stage.entered:1"


async def test_hours_without_a_receiver_lose_nothing_and_cost_few_attempts(
    engine: Engine, events: SqlEvents, crm: Receiver, clock: Simulated
) -> None:
    """Six hours, looked at every ten seconds: at most thirty attempts an hour for each event, and then all arrive in order."""
    tell(engine, RUNS[0], 3)
    for run in RUNS[1:]:  # what others want lies between
        batch = a_batch(
            run, *(an_event(n, "crm" if n % 3 == 0 else "books", id=f"{run}{n}") for n in range(1, 10)), run=run
        )
        SqlRecordStore(engine).write(batch)
        events.release(run, [run])
    crm.status = lambda event: 503
    own = sender(events, crm)
    tries: Counter[tuple[int, str]] = Counter()
    for n in range(6 * 360):
        before = len(crm.requests)
        await own.look()
        tries.update((n // 360, event["id"]) for event in crm.requests[before:])
        clock.shift(seconds=10)
    assert crm.told() == []
    crm.status = lambda event: 204
    for _ in range(40):
        await own.look()
        clock.shift(seconds=10)

    most = max(tries.values())
    print(f"R17 (events): 9 events of 9 after 6 simulated hours, 0 lost, at most {most} attempts an hour")
    assert most <= 30
    assert sorted(crm.told()) == [(run, n * (1 if run == RUNS[0] else 3)) for run in RUNS for n in (1, 2, 3)]
    assert [n for run, n in crm.told() if run == RUNS[0]] == [1, 2, 3]


async def test_a_run_that_a_receiver_refuses_waits_alone(
    engine: Engine, events: SqlEvents, crm: Receiver, books: Receiver
) -> None:
    for run in RUNS:
        tell(engine, run, 2, "crm", "books")
    crm.status = lambda event: 422 if event["data"]["run"] == RUNS[1] else 200
    books.status = lambda event: 410 if event["data"]["run"] == RUNS[0] else 200
    own = sender(events, crm, books)
    for _ in range(3):
        await own.look()

    assert sorted(crm.told()) == [(run, n) for run in (RUNS[0], RUNS[2]) for n in (1, 2)]
    assert sorted(books.told()) == [(run, n) for run in RUNS[1:] for n in (1, 2)]
    assert [one for one in codes(engine) if one[3]] == [
        ("books", RUNS[0], "gone", True), ("crm", RUNS[1], "http_422", True),
    ]  # fmt: skip


async def test_what_says_nothing_about_the_event_is_tried_again(
    engine: Engine, events: SqlEvents, crm: Receiver, clock: Simulated
) -> None:
    """A wrong password, a limit, a place that is not there yet: whoever operates the receiver mends that."""
    tell(engine, RUNS[0], 1)
    own = sender(events, crm)
    for status in (401, 403, 404, 408, 425, 429, 500, 503):
        crm.status = always(status)
        await own.look()
        assert codes(engine) == [("crm", RUNS[0], f"http_{status}", False)]
        clock.shift(minutes=3)
    crm.status = lambda event: 200
    await own.look()

    assert crm.told() == [(RUNS[0], 1)]


async def test_a_receiver_that_asks_for_time_gets_it(
    engine: Engine, events: SqlEvents, crm: Receiver, clock: Simulated
) -> None:
    tell(engine, RUNS[0], 1)
    crm.status, crm.headers = (lambda event: 429), {"Retry-After": "900"}
    own = sender(events, crm)
    await own.look()
    clock.shift(seconds=890)
    await own.look()
    assert len(crm.requests) == 1
    clock.shift(seconds=20)
    await own.look()

    assert len(crm.requests) == 2


async def test_a_receiver_that_answers_nobody_is_asked_with_one_run_at_a_time(
    engine: Engine, events: SqlEvents, crm: Receiver
) -> None:
    for n in range(20):
        tell(engine, f"onboarding/{n}/x", 1)
    crm.status = lambda event: 502
    own = sender(events, crm)
    for _ in range(4):
        await own.look()

    assert len(crm.requests) == 8 + 3


async def test_two_workers_send_nothing_twice(engine: Engine, events: SqlEvents, crm: Receiver) -> None:
    for run in RUNS:
        tell(engine, run, 10)
    one, other = sender(events, crm), sender(events, crm, by="w2")
    while any(await asyncio.gather(one.look(), other.look())):
        pass

    assert len(crm.requests) == 30
    assert sorted(crm.told()) == [(run, n) for run in RUNS for n in range(1, 11)]


@pytest.mark.parametrize("point", ["events.after_send", "events.after_mark"])
async def test_what_arrived_and_was_not_marked_comes_again_under_the_same_id(
    engine: Engine, events: SqlEvents, crm: Receiver, clock: Simulated, point: str
) -> None:
    tell(engine, RUNS[0], 3)

    def die(at: str) -> None:
        if at == point:
            crash_points.listen(None)
            raise RuntimeError(at)

    crash_points.listen(die)
    try:
        with pytest.raises(RuntimeError, match=point):
            await sender(events, crm).look()
    finally:
        crash_points.listen(None)
    other = sender(events, crm, by="w2")
    assert await other.look() == 0  # the claim of the dead holds for a minute
    clock.shift(minutes=2)
    await other.look()

    came = [int(event["sequence"]) for event in crm.requests]
    assert came == ([1, 1, 2, 3] if point == "events.after_send" else [1, 2, 3])
    assert len({event["id"] for event in crm.requests}) == 3


async def test_an_old_and_a_new_secret_sign_together(engine: Engine, events: SqlEvents, crm: Receiver) -> None:
    tell(engine, RUNS[0], 1)
    newer = SecretStr("whsec_" + "QUJD" * 8)
    both = replace(crm.webhook, secrets=(newer, *crm.webhook.secrets))
    crm.clock = None

    assert await EventSender(events, [both], loopback(), by="w", installation="test").look() == 1
    assert crm.told() == [(RUNS[0], 1)]


async def test_what_may_not_be_asked_waits_and_says_why(engine: Engine, events: SqlEvents, crm: Receiver) -> None:
    tell(engine, RUNS[0], 1)
    own = EventSender(events, [crm.webhook], Egress(), by="w", installation="test")

    assert await own.look() == 0
    assert codes(engine) == [("crm", RUNS[0], "forbidden_address", False)]
    assert crm.requests == []


async def test_an_event_that_cannot_be_made_holds_back_no_other_run(
    engine: Engine, events: SqlEvents, crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(engine, RUNS[0], 1)
    tell(engine, RUNS[1], 1)
    made = event_out.body_of
    monkeypatch.setattr(event_out, "body_of", lambda event, at: made(event, at) if event.run == RUNS[1] else 1 / 0)

    assert await sender(events, crm).look() == 1
    assert ("crm", RUNS[0], "not_made", False) in codes(engine)
    assert crm.told() == [(RUNS[1], 1)]


def test_a_batch_of_the_tests_is_one_that_the_store_takes(engine: Engine) -> None:
    assert SqlRecordStore(engine).write(a_batch("a", an_event(1))) == "a"
