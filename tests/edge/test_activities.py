"""The doors to the world: what an attempt does, and what a second or a late one does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.notices import NoticeActivities
from activities.records import RecordActivities
from onboarding.engine.effects import Notice, NoticeKind, RunHook, WriteRecords
from storage.memory import MemoryStore
from tests.support.house import House
from tests.support.prompt import Prompt, ripe
from tests.support.records import RUN, a_hook, a_notice, a_refusal, a_trail, a_turn, at
from tests.support.stores import withdraw


def test_rows_are_written_and_their_notices_leave(house: House) -> None:
    """One attempt does both."""
    house.run(house.records.write_records, a_turn(1, notices=(a_notice(),)))

    assert house.reads.find(RUN)["asks"] == 1
    assert house.states() == {"n-1": "sent"}


def test_what_is_written_before_it_is_history_holds_its_notices(house: House) -> None:
    """A local activity comes before its workflow task is kept: whoever dies in between has told nobody anything."""
    house.environment.info = replace(house.environment.info, is_local=True)

    assert house.run(house.records.write_records, a_turn(1, notices=(a_notice(),))) == "b-1"

    assert house.states() == {"n-1": "pending"}


def test_what_has_no_place_sends_nothing(house: House) -> None:
    """The rows were not written, so nobody hears of them."""
    late = a_turn(3, notices=(a_notice(),), withdrawn=("n-2",))

    assert house.run(house.records.write_records, late) == "incomplete"

    assert house.states() == {}
    assert house.run(house.notices.deliver_notice, a_notice("n-2"))
    assert house.states() == {"n-2": "sent"}


def test_a_second_attempt_is_harmless(house: House) -> None:
    """Everything has a key."""
    turn = a_turn(1, notices=(a_notice(),), withdrawn=("n-0",))

    house.run(house.records.write_records, turn)
    house.run(house.records.write_records, turn)

    assert house.states() == {"n-1": "sent"}


def test_an_attempt_that_died_after_the_rows_sends_the_notice_next_time(house: House) -> None:
    """The notice waits as pending beside the rows."""
    turn = a_turn(1, notices=(a_notice(),))
    house.records._store.write(turn)
    pending = house.states()

    house.run(house.records.write_records, turn)

    assert pending == {"n-1": "pending"}
    assert house.states() == {"n-1": "sent"}


def test_what_an_answer_overtook_is_not_sent(house: House) -> None:
    """Asked and answered within the turns of one batch."""
    house.run(house.records.write_records, a_turn(1, notices=(a_notice(),), withdrawn=("n-1",)))

    assert house.states() == {"n-1": "withdrawn"}


def test_a_late_delivery_of_a_withdrawn_notice_does_nothing(house: House) -> None:
    """The withdrawal came first: the key stays withdrawn for ever."""
    assert withdraw(house.held, "n-1") is True

    house.run(house.notices.deliver_notice, a_notice())

    assert "sent" not in house.states().values()


def test_what_has_left_cannot_be_withdrawn(house: House) -> None:
    """Then the people who read it are told by another notice."""
    assert house.run(house.notices.deliver_notice, a_notice()) is True
    assert house.run(house.notices.deliver_notice, a_notice()) is True

    assert withdraw(house.held, "n-1") is False
    assert house.states() == {"n-1": "sent"}


@pytest.mark.parametrize("first", ["the rows", "the retraction"])
def test_who_never_heard_an_alarm_does_not_hear_that_it_is_settled(house: House, first: str) -> None:
    """The answer overtakes the alarm on its way, and the rows that take it back may come after what calls it off."""
    settled = a_notice("settled", kind=NoticeKind.RETRACTION, retracts=("alarm",))
    overtaken = a_turn(1, withdrawn=("alarm",))
    if first == "the rows":
        house.run(house.records.write_records, overtaken)
    house.run(house.notices.deliver_notice, settled)
    house.run(house.notices.deliver_notice, a_notice("alarm", kind=NoticeKind.ESCALATION))
    house.run(house.records.write_records, overtaken)
    house.run(house.notices.deliver_notice, settled)

    assert house.states() == {"settled": "withdrawn"}


def test_an_alarm_that_waits_or_failed_is_taken_back_together_with_what_calls_it_off(house: House) -> None:
    """Kept and not brought to anybody yet: neither leaves."""
    for n, state in enumerate(("failed", "pending")):
        house.held.keep(a_notice(f"alarm-{n}"))
        if state == "failed":
            (claimed,) = house.held.claim(1, datetime.now(UTC), timedelta(seconds=60))
            house.held.fail(claimed, "mailbox_unknown", at(0))
        assert house.states()[f"alarm-{n}"] == state
        house.run(house.notices.deliver_notice, a_notice(f"settled-{n}", retracts=(f"alarm-{n}",)))

    assert set(house.states().values()) == {"withdrawn"}


def test_who_heard_one_of_several_alarms_hears_that_it_is_settled(house: House) -> None:
    """The one that is still on its way is taken back all the same."""
    house.run(house.notices.deliver_notice, a_notice("first"))

    house.run(house.notices.deliver_notice, a_notice("settled", retracts=("first", "second")))
    house.run(house.notices.deliver_notice, a_notice("second"))

    assert house.states() == {"first": "sent", "settled": "sent"}


def test_what_calls_an_alarm_off_waits_for_its_readers_hours_only_if_the_alarm_has_left(house: House) -> None:
    """Decided when it is brought, and again, alike, when it may leave."""
    later = datetime(2999, 1, 1, tzinfo=UTC)
    house.run(house.notices.deliver_notice, a_notice("heard"))
    for alarm in ("heard", "unheard"):
        house.run(house.notices.deliver_notice, a_notice(f"{alarm}-not", not_before=later, retracts=(alarm,)))

    assert house.states() == {"heard": "sent", "heard-not": "pending", "unheard-not": "withdrawn"}
    assert [one.retracts for one in ripe(house.held, 10, later)] == [("heard",)]


def test_many_attempts_at_once_send_once(house: House) -> None:
    """Sixteen threads deliver and withdraw one key: it is one of both, and stays it."""
    with ThreadPoolExecutor(16) as pool:
        jobs = [
            pool.submit(withdraw, house.held, "n-1")
            if n % 4 == 3
            else pool.submit(house.notices._notifier.deliver, a_notice())
            for n in range(16)
        ]
        withdrawn = [job.result() for job in jobs[3::4]]

    state = "withdrawn" if withdrawn[0] else "sent"
    assert withdrawn == [state == "withdrawn"] * 4
    assert house.states() in ({"n-1": state}, {})


def test_a_conflict_ends_the_attempts_and_names_no_content(house: House) -> None:
    """The run hears a code; what the rows say stays in the store."""
    house.run(house.records.write_records, a_turn(1))

    with pytest.raises(ApplicationError) as caught:
        house.run(house.records.write_records, a_turn(2, chain="second", trail=(a_trail(2, sentence="canary-4711"),)))

    assert caught.value.type == "record_conflict"
    assert caught.value.non_retryable
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_store_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known to be wrong with the rows, so the server repeats the attempt."""
    store = MemoryStore()

    def away(_: WriteRecords) -> None:
        raise ConnectionError("secret host name")

    monkeypatch.setattr(store, "write", away)

    with pytest.raises(ApplicationError) as caught:
        ActivityEnvironment().run(RecordActivities(store, Prompt(store)).write_records, a_turn(1))

    assert caught.value.type == "ConnectionError"
    assert not caught.value.non_retryable
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        a_turn(1, notices=(a_notice(),), refused=(a_refusal(1),), withdrawn=("a", "b")),
        a_notice(at=at(1), stage=None, item=None),
        a_hook(arguments={"files": [{"bytes": 3}], "facts": {"n": None}}),
    ],
    ids=["records", "notice", "hook"],
)
async def test_inputs_travel_unchanged(value: WriteRecords | Notice | RunHook) -> None:
    """Frozen values in, the same values out, by the converter that client and worker share."""
    payloads = await pydantic_data_converter.encode([value])

    assert await pydantic_data_converter.decode(payloads, [type(value)]) == [value]


def test_the_names_of_the_activities_are_part_of_the_contract() -> None:
    """Open runs know them: a renamed activity is never found."""
    functions = [
        RecordActivities.write_records,
        NoticeActivities.deliver_notice,
    ]

    assert [activity._Definition.must_from_callable(one).name for one in functions] == [
        "write_records",
        "deliver_notice",
    ]
    assert not any(asyncio.iscoroutinefunction(one) for one in functions)
