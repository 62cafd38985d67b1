"""What people do to notices: look, let them be tried again, drop them, and see which reached nobody. On each database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from onboarding.engine.effects import NoticeKind
from onboarding.ports import Sent
from storage import desk
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.prompt import leave
from tests.support.records import RUN, a_notice, a_run, a_stage, a_turn, a_wait
from tests.support.stores import withdraw

LEASE = timedelta(seconds=60)


def failing(engine: Engine, *keys: str, code: str = "address_refused") -> SqlNoticeStore:
    """An outbox with notices that nobody took, each to a reader of its own."""
    store = SqlNoticeStore(engine)
    for key in keys:
        store.keep(a_notice(key, to=f"reader of {key}"))
    for one in store.claim(99, datetime.now(UTC), LEASE):
        store.fail(one, code, datetime.now(UTC))
    return store


def outcomes(verdicts: list[dict[str, str]]) -> list[tuple[str, str]]:
    """What each key was told."""
    return [(one["outcome"], one["code"]) for one in verdicts]


def test_a_failed_notice_that_is_resent_leaves_under_its_own_key(engine: Engine) -> None:
    """Once; a second time there is nothing to resend."""
    store = failing(engine, "n-1")
    now = datetime.now(UTC)
    assert outcomes(desk.resend(engine, ["n-1"], now)) == [("accepted", "resent")]

    assert leave(store, now + timedelta(seconds=1)) == ["n-1"]
    assert outcomes(desk.resend(engine, ["n-1"], now)) == [("conflict", "already_sent")]
    assert desk.failed_keys(engine) == []


def test_what_cannot_be_resent_says_why(engine: Engine) -> None:
    """Each key on its own; the others are resent all the same."""
    store, now = failing(engine, "failed"), datetime.now(UTC)
    SqlRecordStore(engine).write(a_turn(1, notices=(a_notice("held", to="a"),)))
    store.keep(a_notice("early", to="b", not_before=datetime(2999, 1, 1, tzinfo=UTC)))
    store.keep(a_notice("tried", to="c"))
    store.claim(9, datetime.now(UTC), LEASE)
    store.keep(a_notice("gone", to="d"))
    withdraw(store, "gone")

    keys = ["failed", "held", "early", "tried", "gone", "never heard of"]
    assert outcomes(desk.resend(engine, keys, now)) == [
        ("accepted", "resent"), ("conflict", "not_history"), ("conflict", "too_early"), ("conflict", "being_tried"),
        ("conflict", "withdrawn"), ("unknown", "unknown_notice"),
    ]  # fmt: skip


def test_what_was_taken_back_while_its_sender_died_is_not_resent(engine: Engine) -> None:
    """Its claim is over and nobody has looked since: it is settled all the same."""
    store = SqlNoticeStore(engine)
    store.keep(a_notice("alarm"))
    store.claim(9, datetime.now(UTC), LEASE)
    withdraw(store, "alarm")

    assert outcomes(desk.resend(engine, ["alarm"], datetime.now(UTC) + timedelta(seconds=61))) == [
        ("conflict", "withdrawn")
    ]


def test_a_notice_that_is_dropped_never_leaves_and_says_why(engine: Engine) -> None:
    """Also one that was only put off; never one that has left, and twice is once."""
    store, now = failing(engine, "failed"), datetime.now(UTC)
    store.keep(a_notice("waits", to="a"))
    store.keep(a_notice("left", to="b"))
    store.mark_sent(Sent("left", "mail", now))

    assert outcomes(desk.drop(engine, ["failed", "waits", "left"], "Told by phone.", now)) == [
        ("accepted", "dropped"), ("accepted", "dropped"), ("conflict", "already_sent"),
    ]  # fmt: skip
    assert outcomes(desk.drop(engine, ["failed"], "Again.", now)) == [("duplicate", "dropped")]
    assert leave(store, now + timedelta(days=1)) == []
    shown = desk.show(engine, "failed")
    assert shown is not None
    assert (shown["state"], shown["code"], shown["reason"]) == ("withdrawn", "dropped", "Told by phone.")


def test_what_calls_off_an_alarm_that_was_dropped_does_not_leave_either(engine: Engine) -> None:
    """Its reader has heard of nothing."""
    store, now = failing(engine, "alarm"), datetime.now(UTC)
    desk.drop(engine, ["alarm"], "Told by phone.", now)

    assert store.keep(a_notice("settled", kind=NoticeKind.RETRACTION, retracts=("alarm",))) == ("withdrawn",)


def test_a_notice_is_shown_with_what_it_calls_off_and_without_an_address(engine: Engine) -> None:
    """Nobody's address is in the outbox, so none can be shown."""
    store = SqlNoticeStore(engine)
    store.keep(a_notice("alarm"))
    leave(store)
    store.keep(a_notice("settled", kind=NoticeKind.RETRACTION, retracts=("alarm",)))

    shown = desk.show(engine, "settled")

    assert shown is not None
    assert (shown["retracts"], shown["held"], shown["tries"]) == (["alarm"], False, 0)
    assert not {"address", "channel_address"} & set(shown)
    assert desk.show(engine, "never heard of") is None


def test_whoever_owns_the_stage_finds_what_reached_nobody_in_their_inbox_until_it_is_settled(engine: Engine) -> None:
    """Before everything else; the owner of the run where it has no stage. Resent or dropped it is there no more."""
    records, table = SqlRecordStore(engine), ReadTable(engine)
    stages = (a_stage(visit=1, owner="before"), a_stage(visit=2, owner="stage owner"))
    records.write(a_turn(1, stages=stages, waiting=(a_wait("stage owner"),), run=a_run(owner="run owner")))
    failing(engine, "n-1")
    now = datetime.now(UTC)

    first, second = table.inbox("stage owner")["rows"]
    assert (first["kind"], first["id"], first["outcome"], first["run"]) == (
        "undelivered",
        "n-1",
        "address_refused",
        RUN,
    )
    assert first.keys() == second.keys()
    assert table.inbox_total("stage owner") == 2
    assert [line["id"] for line in table.group_inbox("stage owner")["rows"]][:1] == ["n-1"]
    assert [table.inbox_total(person) for person in ("before", "run owner")] == [0, 0]

    desk.resend(engine, ["n-1"], now)
    assert [line["kind"] == "undelivered" for line in table.inbox("stage owner")["rows"]] == [False]
    assert table.inbox_total("stage owner") == 1


def test_the_last_word_of_a_run_that_reached_nobody_waits_for_its_owner(engine: Engine) -> None:
    """The run has ended with it, and whoever should have read it does not know."""
    SqlRecordStore(engine).write(a_turn(1, run=a_run(state="closed", owner="dana", closed_at=a_notice().at)))
    failing(engine, "n-1")

    assert [line["id"] for line in ReadTable(engine).inbox("dana")["rows"]] == ["n-1"]
    desk.drop(engine, ["n-1"], "Told by phone.", datetime.now(UTC))
    assert ReadTable(engine).inbox_total("dana") == 0


def test_what_reached_nobody_is_counted_over_all_runs(engine: Engine) -> None:
    """Also where nobody owns a stage or the run has ended: whoever runs the installation looks."""
    assert (desk.unheard(engine).notices, desk.unheard(engine).since) == (0, None)
    failing(engine, "n-1", "n-2")

    found = desk.unheard(engine)
    assert (found.notices, found.runs, found.codes) == (2, 1, ("address_refused",))
    assert found.since is not None
    assert found.since.tzinfo is not None


def test_what_a_closed_run_could_not_tell_waits_for_nobody(engine: Engine) -> None:
    """The outbox still shows it."""
    SqlRecordStore(engine).write(a_turn(1, run=a_run(state="closed", owner="dana")))
    failing(engine, "n-1")

    assert ReadTable(engine).inbox_total("dana") == 0
    assert desk.failed_keys(engine, RUN) == ["n-1"]
