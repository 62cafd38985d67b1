"""Notices that came before their reader's hours: they wait in the outbox, and leave when these have come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.support.house import House
from tests.support.prompt import ripe
from tests.support.records import RUN, a_notice, a_turn
from tests.support.stores import withdraw

LATER = datetime(2999, 1, 1, 9, 0, tzinfo=UTC)
PAST = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def test_an_urgent_notice_that_comes_early_is_kept_and_shown_with_its_instant(house: House) -> None:
    """The activity is over at once: the run waits for nothing."""
    deliver = house.notices.deliver_notice
    assert house.environment.run(deliver, a_notice(not_before=LATER)) is True

    (line,) = house.reads.outbox(RUN)["rows"]
    assert (line["state"], line["not_before"]) == ("pending", "2999-01-01T09:00:00Z")


def test_a_notice_without_an_instant_says_so(house: House) -> None:
    """Most leave at once."""
    house.notifier.deliver(a_notice())

    (line,) = house.reads.outbox(RUN)["rows"]
    assert (line["state"], line["not_before"]) == ("sent", None)


async def test_it_is_let_go_when_its_instant_has_come_and_not_before(house: House) -> None:
    """One whose hours have come, one whose have not."""
    house.held.keep(a_notice("now", not_before=PAST))
    house.held.keep(a_notice("then", not_before=LATER))

    assert [await house.send(), await house.send()] == [1, 0]

    assert house.states() == {"now": "sent", "then": "pending"}


def test_the_longest_waiting_is_ripe_first(house: House) -> None:
    """By the instant at which each may leave, as many as are asked for."""
    for n, key in enumerate(("c", "a", "b")):
        house.notifier.deliver(a_notice(key, to=f"reader-{n}", not_before=LATER + timedelta(hours=n)))

    assert list(ripe(house.held, 10, LATER - timedelta(seconds=1))) == []
    assert a_notice("c", to="reader-0", not_before=LATER) == ripe(house.held, 1, LATER)[0]
    assert [one.key for one in ripe(house.held, 10, LATER + timedelta(hours=1))] == ["c", "a"]
    assert [one.key for one in ripe(house.held, 1, LATER + timedelta(hours=5))] == ["c"]


def test_one_that_is_overtaken_never_leaves(house: House) -> None:
    """Answered on Sunday: the alarm of Saturday is not read on Monday."""
    house.notifier.deliver(a_notice(not_before=LATER))

    assert withdraw(house.held, "n-1")

    assert list(ripe(house.held, 10, LATER + timedelta(days=1))) == []
    assert house.states() == {"n-1": "withdrawn"}


def test_one_that_travels_with_rows_waits_for_history_first(house: House) -> None:
    """Its rows are confirmed long before it leaves: by then the history may be gone."""
    house.environment.info = replace(house.environment.info, is_local=True)
    records = house.records
    house.environment.run(records.write_records, a_turn(1, notices=(a_notice(not_before=LATER),)))
    held = house.held.held(10)

    assert [one.notice.key for one in held] == ["n-1"]
    assert list(ripe(house.held, 10, LATER)) == [], "nothing leaves before its turn is history"
    house.notifier.deliver(held[0].notice)
    assert list(house.held.held(10)) == []
    assert [one.key for one in ripe(house.held, 10, LATER)] == ["n-1"]


def test_a_turn_that_is_decided_again_does_not_bring_it_twice(house: House) -> None:
    """Once it waits for its hours alone it is known by its key."""
    house.notifier.deliver(a_notice(subject="first", not_before=LATER))

    house.store.write(a_turn(1, notices=(a_notice(subject="second", not_before=PAST),)))

    assert [line["subject"] for line in house.reads.outbox()["rows"]] == ["first"]
    assert list(ripe(house.held, 10, PAST)) == []
