"""Events to the outside in the store: written with the rows of a turn, let go with its history, and one cursor for each webhook and run."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.event import listen

from onboarding.event_ports import HeldBatch
from onboarding.ports import INCOMPLETE
from storage import event_reading
from storage.erasing import Erasures
from storage.event_reading import EventReading
from storage.events import SqlEvents
from storage.records import SqlRecordStore
from storage.tables import EVENT_CURSORS, EVENTS
from tests.support.events import NOW, a_batch, an_event, tell
from tests.support.records import RUN

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def rows(engine: Engine) -> SqlRecordStore:
    return SqlRecordStore(engine)


@pytest.fixture
def events(engine: Engine) -> SqlEvents:
    return SqlEvents(engine)


def numbers(events: SqlEvents, webhook: str = "crm", by: str = "w1") -> list[int]:
    """What a worker would send now, and gives back."""
    found = []
    for claimed in events.claim(webhook, by, 10, NOW, LATER):
        found += [event.n for event in events.following(claimed, 100)[0]]
        events.give_back(claimed, by)
    return found


def test_an_event_waits_until_its_rows_are_history(rows: SqlRecordStore, events: SqlEvents) -> None:
    rows.write(a_batch("a", an_event(1), an_event(2)))

    assert list(events.held(10)) == [HeldBatch(RUN, "a", "x", "a")]
    assert numbers(events) == []
    assert events.release(RUN, ["a"]) == 2
    assert numbers(events) == [1, 2]
    assert list(events.held(10)) == []


def test_each_webhook_gets_what_it_wants_and_what_is_held_stops_the_order(
    rows: SqlRecordStore, events: SqlEvents
) -> None:
    rows.write(a_batch("a", an_event(1), an_event(2, "crm", "books")))
    rows.write(a_batch("b", an_event(3), follows="a"))
    rows.write(a_batch("c", an_event(4, "books"), follows="b"))
    events.release(RUN, ["a", "c"])

    assert (numbers(events), numbers(events, "books")) == ([1, 2], [2])
    events.release(RUN, ["b"])
    assert (numbers(events), numbers(events, "books")) == ([1, 2, 3], [2, 4])


def test_a_turn_that_was_lost_told_nothing(rows: SqlRecordStore, events: SqlEvents) -> None:
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    rows.write(a_batch("lost", an_event(2, id="evt_lost"), an_event(3, id="evt_lost_too"), follows="a"))

    assert rows.write(a_batch("b", an_event(2), follows="a")) == INCOMPLETE
    whole = a_batch("whole", an_event(1), an_event(2), follows="a", whole=True, execution="x2")
    assert rows.write(whole) == "whole"
    assert list(events.held(10)) == [HeldBatch(RUN, "whole", "x2", "whole")]
    assert numbers(events) == [1]
    events.release(RUN, ["whole"])
    assert numbers(events) == [1, 2]


def test_what_never_was_is_forgotten_and_what_has_left_stays(
    rows: SqlRecordStore, events: SqlEvents, engine: Engine
) -> None:
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    rows.write(a_batch("b", an_event(2), follows="a"))
    events.forget(RUN, ["a", "b"])

    with engine.connect() as connection:
        assert connection.execute(select(EVENTS.c.n)).scalars().all() == [1]


def test_events_of_a_run_that_was_reset_leave_again_under_their_own_ids(
    rows: SqlRecordStore, events: SqlEvents
) -> None:
    rows.write(a_batch("a", *(an_event(n) for n in (1, 2, 3))))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    assert events.arrived(claimed, "w1", 3, NOW, LATER)
    events.give_back(claimed, "w1")
    rows.write(a_batch("reset", an_event(1), an_event(2, id="evt_other"), whole=True))
    events.release(RUN, ["reset"])

    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    assert [event.id for event in events.following(claimed, 10)[0]] == ["evt_other"]


def test_whoever_sends_what_a_reset_takes_back_does_not_mark_what_is_there_instead(
    rows: SqlRecordStore, events: SqlEvents
) -> None:
    rows.write(a_batch("a", an_event(1), an_event(2), an_event(3)))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    rows.write(a_batch("reset", an_event(1), an_event(2, id="evt_other"), whole=True))
    events.release(RUN, ["reset"])

    assert events.arrived(claimed, "w1", 3, NOW, LATER) is False
    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    assert [event.id for event in events.following(claimed, 10)[0]] == ["evt_1", "evt_other"]


def test_a_whole_batch_that_is_followed_by_later_events_takes_none_of_them_back(
    rows: SqlRecordStore, events: SqlEvents
) -> None:
    rows.write(a_batch("a", *(an_event(n) for n in (1, 2, 3, 4))))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    assert events.arrived(claimed, "w1", 4, NOW, LATER)
    events.give_back(claimed, "w1")
    rows.write(a_batch("whole", an_event(1), an_event(2), whole=True, event_count=5))
    rows.write(a_batch("rest", an_event(3), an_event(4), an_event(5), follows="whole"))
    events.release(RUN, ["whole", "rest"])

    assert numbers(events) == [5]


def test_what_is_left_out_ends_with_what_has_happened(rows: SqlRecordStore, events: SqlEvents, engine: Engine) -> None:
    rows.write(a_batch("a", an_event(1), an_event(2)))
    events.release(RUN, ["a"])

    (left,) = EventReading(engine).resend("crm", RUN, number=1_000, skip=True)
    assert (left.first, left.events, left.skipped) == (3, 0, 2)
    rows.write(a_batch("b", an_event(3), follows="a"))
    events.release(RUN, ["b"])
    assert numbers(events) == [3]


def test_runs_that_nothing_may_leave_do_not_stand_before_the_others(rows: SqlRecordStore, events: SqlEvents) -> None:
    """What was let go of the first stands behind what is held, so that it is asked for in vain."""
    first, second = "onboarding/a/x", "onboarding/b/x"
    rows.write(a_batch("held", an_event(1), run=first))
    rows.write(a_batch("after", an_event(2), run=first, follows="held"))
    rows.write(a_batch("b", an_event(1), run=second))
    events.release(first, ["after"])
    events.release(second, ["b"])

    taken = []
    later = datetime.now(UTC) + timedelta(minutes=1)
    for n in range(2):
        (claimed,) = events.claim("crm", "w1", 1, later + timedelta(seconds=n), later + timedelta(minutes=1))
        events.give_back(claimed, "w1")
        taken.append(claimed.run)
    assert sorted(taken) == [first, second]


def test_thousands_of_runs_are_led_back_a_few_at_a_time(
    rows: SqlRecordStore, events: SqlEvents, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is locked against whoever writes its rows: all at once would stop every run, and be more than PostgreSQL can lock."""
    monkeypatch.setattr(event_reading, "RUNS_AT_ONCE", 2)
    for n in range(5):
        tell(engine, f"onboarding/c-{n}/x", 3)
    commits: list[int] = []
    listen(engine, "commit", lambda _: commits.append(1))
    reader = EventReading(engine)

    assert [one.events for one in reader.resend("crm", None)] == [3] * 5
    assert len(commits) >= 3
    assert [one.run for one in reader.resend("crm", None, since=NOW)] == [f"onboarding/c-{n}/x" for n in range(5)]
    for claimed in events.claim("crm", "w1", 10, NOW, LATER):
        events.arrived(claimed, "w1", 3, NOW, NOW)
        events.give_back(claimed, "w1")
    assert [(one.first, one.events) for one in reader.resend("crm", None, since=NOW + timedelta(minutes=3))] == [
        (3, 1)
    ] * 5


def test_what_one_has_claimed_is_nobody_elses_until_its_lease_is_over(rows: SqlRecordStore, events: SqlEvents) -> None:
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 10, NOW, LATER)

    assert events.claim("crm", "w2", 10, NOW, LATER) == ()
    assert len(events.claim("crm", "w2", 10, LATER, LATER + timedelta(minutes=1))) == 1
    assert events.arrived(claimed, "w1", 1, LATER, LATER) is False


def test_what_is_put_off_or_parked_comes_when_it_may(rows: SqlRecordStore, events: SqlEvents) -> None:
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 10, NOW, LATER)
    events.put_off(claimed, "w1", "unreachable", LATER, NOW)

    assert numbers(events) == []
    (again,) = events.claim("crm", "w1", 10, LATER, LATER)
    assert again.tries == 1
    events.park(again, "w1", "gone", LATER)
    assert events.claim("crm", "w1", 10, NOW + timedelta(days=9), LATER) == ()


def test_an_erasure_takes_the_events_along(rows: SqlRecordStore, events: SqlEvents, engine: Engine) -> None:
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    Erasures(engine).tombstone(RUN, "c-1", by="dana", cause="asked", at=NOW)

    with engine.connect() as connection:
        assert [connection.execute(select(table)).first() for table in (EVENTS, EVENT_CURSORS)] == [None, None]


def test_the_same_batch_again_changes_nothing(rows: SqlRecordStore, events: SqlEvents) -> None:
    batch = a_batch("a", an_event(1))
    assert rows.write(batch) == rows.write(batch) == "a"
    events.release(RUN, ["a"])
    assert rows.write(dataclasses.replace(batch)) == "a"

    assert numbers(events) == [1]


def test_rows_that_a_history_tells_which_is_over_leave_at_once(
    rows: SqlRecordStore, events: SqlEvents, engine: Engine
) -> None:
    """After a restore: what had arrived by the day of the copy is not sent again, and what the copy lacks is."""
    rows.write(a_batch("a", an_event(1)))
    events.release(RUN, ["a"])
    (claimed,) = events.claim("crm", "w1", 1, NOW, LATER)
    events.arrived(claimed, "w1", 1, NOW, NOW)
    rows.write(a_batch("told", an_event(1), an_event(2), an_event(3), whole=True, execution=""))

    assert list(events.held(10)) == []
    assert numbers(events) == [2, 3]
