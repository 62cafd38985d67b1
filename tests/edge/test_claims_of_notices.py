"""Each notice has one sender at a time: claims, their end, and what is taken back meanwhile. In every store alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from onboarding.engine.effects import NoticeKind
from onboarding.ports import Claimed, Sent
from storage.notices import SqlNoticeStore
from tests.support.prompt import leave
from tests.support.records import a_notice, a_turn, at
from tests.support.stores import withdraw

LEASE = timedelta(seconds=60)


def now() -> datetime:
    """Stores take what leaves at once by their own clock."""
    return datetime.now(UTC)


def claimed(store: Any, when: datetime | None = None, most: int = 9) -> list[Claimed]:
    """What a sender gets."""
    return list(store.claim(most, when or now(), LEASE))


def line_of(store: Any, key: str) -> dict[str, Any]:
    """What `outbox` shows."""
    return next(line for line in store.outbox()["rows"] if line["key"] == key)


def test_a_notice_is_given_to_one_sender_until_its_lease_is_over(store: Any) -> None:
    """Then to the next one, and nobody knows whether it left."""
    store.keep(a_notice())
    began = now()
    (first,) = claimed(store, began)

    assert claimed(store, began + timedelta(seconds=59)) == []
    (second,) = claimed(store, began + timedelta(seconds=61))
    assert (first.notice, first.tries, second.tries) == (a_notice(), 1, 2)
    assert not store.put_off(first, "busy", began, doubtful=False), "its claim is over"
    assert not store.fail(first, "address_refused", began)
    assert store.mark_sent(Sent("n-1", "mail", at(0))), "what has left has left, whoever says so"
    assert not store.mark_sent(Sent("n-1", "mail", at(0)))
    assert not store.put_off(second, "busy", began, doubtful=False)
    assert {name: line_of(store, "n-1")[name] for name in ("state", "tries", "sent_by", "code")} == {
        "state": "sent", "tries": 2, "sent_by": "mail", "code": None,
    }  # fmt: skip


def test_what_waits_for_history_or_for_its_reader_is_given_to_nobody(store: Any) -> None:
    """Until it is brought again, and until its hours have come."""
    store.write(a_turn(1, notices=(a_notice("held"),)))
    store.keep(a_notice("early", to="somebody", not_before=datetime(2999, 1, 1, tzinfo=UTC)))
    assert claimed(store) == []

    store.keep(a_notice("held"))

    assert [one.notice.key for one in claimed(store)] == ["held"]
    assert list(store.held(9)) == []


def test_one_that_is_put_off_comes_again_then_and_says_why(store: Any) -> None:
    """With one try more."""
    store.keep(a_notice())
    (one,) = claimed(store)
    then = now() + timedelta(minutes=5)
    assert store.put_off(one, "busy", then, doubtful=False)

    line = line_of(store, "n-1")
    assert (line["state"], line["tries"], line["code"]) == ("pending", 1, "busy")
    assert claimed(store, then - timedelta(seconds=2)) == []
    assert [again.tries for again in claimed(store, then)] == [2]


def test_notices_of_one_run_to_one_reader_keep_their_order(store: Any) -> None:
    """Others pass; and one that failed three times lets the next one try, which may have another way."""
    store.keep(a_notice("second", at=at(2)))
    store.keep(a_notice("first", at=at(1)))
    store.keep(a_notice("third", at=at(3)))
    store.keep(a_notice("other reader", at=at(4), to="dana"))
    store.keep(a_notice("other run", at=at(4), run="onboarding/beta/x"))
    when = now()
    for n in range(3):
        found = claimed(store, when)
        assert {one.notice.key for one in found} == {"first", *(("other reader", "other run") if n == 0 else ())}
        assert claimed(store, when) == []
        when += timedelta(minutes=3)
        first = next(one for one in found if one.notice.key == "first")
        store.put_off(first, "busy", when if n < 2 else when + timedelta(minutes=9), doubtful=False)
        for other in found:
            store.mark_sent(Sent(other.notice.key, "mail", at(5))) if other is not first else None

    assert [one.notice.key for one in claimed(store, when)] == ["second"]


def test_one_that_is_taken_back_while_it_is_tried_is_not_tried_again(store: Any) -> None:
    """Nobody can say now whether it leaves, so it may be read; if the try fails, that is its end."""
    for key in ("leaves", "fails", "fails for good"):
        store.keep(a_notice(key, to=key))
    tried = {one.notice.key: one for one in claimed(store)}

    assert [withdraw(store, key) for key in tried] == [False, False, False]

    store.mark_sent(Sent("leaves", "mail", at(1)))
    store.put_off(tried["fails"], "unreachable", now(), doubtful=False)
    store.fail(tried["fails for good"], "address_refused", at(1))
    assert {line["key"]: line["state"] for line in store.outbox()["rows"]} == {
        "leaves": "sent", "fails": "withdrawn", "fails for good": "withdrawn",
    }  # fmt: skip
    assert {key: withdraw(store, key) for key in tried} == {"leaves": False, "fails": True, "fails for good": True}
    assert claimed(store, now() + timedelta(days=1)) == []


def test_one_that_was_taken_back_while_its_sender_died_is_not_sent_again(store: Any) -> None:
    """It may have left, so what calls it off leaves; a reader must not be alarmed once more by what is settled."""
    store.keep(a_notice("alarm", kind=NoticeKind.ESCALATION))
    claimed(store)
    store.keep(a_notice("settled", at=at(1), kind=NoticeKind.RETRACTION, retracts=("alarm",)))

    later = now() + timedelta(seconds=61)
    assert [*leave(store, later), *leave(store, later)] == ["settled"]
    assert line_of(store, "alarm")["state"] == "withdrawn"


def test_who_comes_after_the_lease_changes_nothing_while_another_one_tries(store: Any) -> None:
    """Also where the other one's turn did not count as a try."""
    store.keep(a_notice())
    (late,) = claimed(store)
    (second,) = claimed(store, now() + timedelta(seconds=61))
    assert store.put_off(second, "paced", now() + timedelta(seconds=62), doubtful=False, tried=False)
    (third,) = claimed(store, now() + timedelta(seconds=63))

    assert (late.tries, second.tries, third.tries) == (1, 2, 2)
    assert not store.put_off(late, "busy", now(), doubtful=False)
    assert store.put_off(third, "busy", now(), doubtful=False)


def test_one_that_waits_for_its_turn_keeps_its_place_before_later_ones(store: Any) -> None:
    """However often it is told to come later: nothing was tried, so nothing counts as a try."""
    store.keep(a_notice("first", at=at(1)))
    store.keep(a_notice("second", at=at(2)))
    when = now()
    for _ in range(5):
        (first,) = claimed(store, when)
        assert (first.notice.key, first.tries) == ("first", 1)
        store.put_off(first, "paced", when + timedelta(seconds=3), doubtful=False, tried=False)
        assert claimed(store, when + timedelta(seconds=1)) == []
        when += timedelta(seconds=3)

    assert line_of(store, "first")["tries"] == 0


def test_one_that_shall_come_back_in_an_hour_holds_nothing_back(store: Any) -> None:
    """A receiver may ask for so long a pause; an alarm that goes by another way does not wait for it."""
    store.keep(a_notice("ask", at=at(1)))
    store.keep(a_notice("alarm", at=at(2), kind=NoticeKind.ESCALATION))
    (ask,) = claimed(store)
    store.put_off(ask, "http_429", now() + timedelta(hours=1), doubtful=False)

    assert [one.notice.key for one in claimed(store)] == ["alarm"]


def test_one_that_may_have_left_counts_as_read(store: Any) -> None:
    """Its sender died, or the other side never answered: it is not tried again, and what calls it off leaves."""
    for key in ("died", "silent"):
        store.keep(a_notice(key, to=key))
    tried = {one.notice.key: one for one in claimed(store)}
    store.put_off(tried["silent"], "timeout", now() + timedelta(hours=1), doubtful=True)
    assert withdraw(store, "silent") is False
    assert withdraw(store, "silent") is False, "the same answer, however often it is asked"
    later = now() + timedelta(seconds=61)
    store.keep(a_notice("calls off", kind=NoticeKind.RETRACTION, retracts=("silent",)))

    assert sorted(leave(store, later)) == ["calls off", "died"]
    assert line_of(store, "silent")["state"] == "withdrawn"


def test_what_calls_off_waits_while_what_it_calls_off_is_tried(store: Any) -> None:
    """And leaves if that has left; else both are never read."""
    for key in ("left", "failed"):
        store.keep(a_notice(key, to=key, kind=NoticeKind.ESCALATION))
    tried = {one.notice.key: one for one in claimed(store)}
    for key in tried:
        store.keep(a_notice(f"not {key}", to=key, at=at(1), kind=NoticeKind.RETRACTION, retracts=(key,)))
    assert claimed(store) == []

    store.mark_sent(Sent("left", "mail", at(1)))
    store.put_off(tried["failed"], "unreachable", now(), doubtful=False)

    assert leave(store) == ["not left"]
    assert {line["key"]: line["state"] for line in store.outbox()["rows"]} == {
        "left": "sent", "failed": "withdrawn", "not left": "sent", "not failed": "withdrawn",
    }  # fmt: skip


def test_a_reminder_is_dropped_when_the_next_one_is_decided_and_an_escalation_is_not(store: Any) -> None:
    """Only one that could not leave at once; of the same item, to the same person."""
    for kind in (NoticeKind.REMINDER, NoticeKind.ESCALATION):
        store.keep(a_notice(f"{kind} 1", kind=kind, to=kind, at=at(1)))
    when = now()
    for one in claimed(store, when):
        store.put_off(one, "busy", when + timedelta(minutes=1), doubtful=False)
    for kind in (NoticeKind.REMINDER, NoticeKind.ESCALATION):
        store.keep(a_notice(f"{kind} 2", kind=kind, to=kind, at=at(2)))

    leave(store, when + timedelta(minutes=2))

    states = {line["key"]: (line["state"], line["code"]) for line in store.outbox()["rows"]}
    assert states == {
        "reminder 1": ("withdrawn", "overtaken"), "reminder 2": ("sent", None),
        "escalation 1": ("sent", None), "escalation 2": ("sent", None),
    }  # fmt: skip


def test_many_senders_at_once_never_have_the_same_notice(engine: Engine) -> None:
    """Eight threads claim a hundred notices, a few at a time: each is somebody's, and only theirs."""
    store, when = SqlNoticeStore(engine), now()
    for n in range(100):
        store.keep(a_notice(f"n-{n}", to=f"reader-{n}"))
    when = now()

    def take(_: int) -> list[str]:
        found: list[str] = []
        idle = 0
        while idle < 3:
            keys = [one.notice.key for one in store.claim(7, when, LEASE)]
            idle = 0 if keys else idle + 1
            found += keys
        return found

    with ThreadPoolExecutor(8) as pool:
        keys = [key for found in pool.map(take, range(8)) for key in found]

    assert sorted(keys) == sorted(f"n-{n}" for n in range(100))


def test_a_look_at_an_outbox_where_nothing_is_due_writes_nothing(engine: Engine) -> None:
    """Every worker looks twice a second; on one file only one may write at a time."""
    store = SqlNoticeStore(engine)
    with engine.connect().execution_options(writes=True) as writer, writer.begin():
        writer.exec_driver_sql("UPDATE notices SET tries = tries")

        assert store.claim(9, now(), LEASE) == ()
