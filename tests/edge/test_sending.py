"""From the outbox to people: channels in their order, what is put off and for how long, what fails, and that nothing leaves twice."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from integrations import sending, trying
from integrations.channels.routing import Route, Routing
from integrations.kept import PlainText
from integrations.letters import Channel, NotTaken, Postponed, Reader
from integrations.sending import Sender
from integrations.trying import OF_OTHERS, OF_PASSING, PACED, Way, pause
from onboarding import crash_points
from onboarding.engine.effects import NoticeKind
from tests.support.channels import Hand, Hanging, Told, raising
from tests.support.house import House
from tests.support.records import a_notice
from tests.support.stores import withdraw


@asynccontextmanager
async def a_sender(house: House, *channels: Channel, **options: Any) -> AsyncIterator[Sender]:
    """One that is let go of at the end."""
    sender = house.sender(*channels, **options)
    yield sender
    await sender.close()


async def one_round(sender: Sender) -> int:
    """Takes what may leave and waits until it is done with."""
    count = await sender.look()
    assert await sender.drain(20)
    return count


def line_of(house: House, key: str = "n-1") -> dict[str, Any]:
    """What `outbox` shows of a notice."""
    return next(line for line in house.reads.outbox()["rows"] if line["key"] == key)


def told(house: House, key: str = "n-1") -> tuple[str, str | None, str | None]:
    """State, code, and who took it."""
    line = line_of(house, key)
    return line["state"], line["code"], line["sent_by"]


# How long to wait.


@given(st.lists(st.floats(1.1, 1.25), min_size=60, max_size=60))
def test_no_hour_has_more_than_thirty_tries(drawn: list[float]) -> None:
    """Whichever pauses are drawn, however long it goes on; and no pause is longer than two and a half minutes."""
    at, tries, draws = 0.0, [0.0], iter(drawn)
    for n in range(1, 61):
        wait = pause(n, None, lambda low, high: next(draws)).total_seconds()
        assert 30 <= wait <= 150
        at += wait
        tries.append(at)

    most = max(sum(1 for other in tries if one <= other <= one + 3_600) for one in tries)
    assert 20 <= most <= 30


def test_a_crowd_does_not_come_back_in_one_moment() -> None:
    """After the first three pauses they differ."""
    assert [pause(n, None, max).total_seconds() for n in (1, 2, 3)] == [30, 60, 120]
    assert len({pause(9, None, lambda low, high, n=n: low + (high - low) * n / 9) for n in range(10)}) == 10  # type: ignore[misc]


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(5.0, 30), (600.0, 600), (1e12, 86_400), (math.inf, 30), (math.nan, 30), (-4.0, 30)],
)  # fmt: skip
def test_what_the_receiver_asks_for_is_obeyed_within_reason(after: float, seconds: float) -> None:
    """At least our own pause, at most a day: longer would be never."""
    assert pause(1, after, max).total_seconds() == seconds


# What becomes of a notice.


async def test_what_a_channel_takes_is_sent_by_it(house: House) -> None:
    """Once, with the key of the notice and its words."""
    mail = Told("mail")
    house.held.keep(a_notice())
    async with a_sender(house, mail) as sender:
        assert [await one_round(sender), await one_round(sender)] == [1, 0]

    assert (mail.took, told(house)) == (["n-1"], ("sent", None, "mail"))


@pytest.mark.parametrize(
    "fault", [Postponed("unreachable"), NotTaken("no_address"), ValueError("a bug in the channel")]
)
async def test_where_one_channel_does_not_take_it_the_next_one_is_tried(house: House, fault: Exception) -> None:
    """In the same try."""
    mail, chat = Told("mail", raising(fault)), Told("chat")
    house.held.keep(a_notice())
    async with a_sender(house, mail, chat) as sender:
        await one_round(sender)

    assert (mail.tried, told(house)) == (["n-1"], ("sent", None, "chat"))


async def test_a_channel_that_hangs_does_not_keep_a_letter_from_the_next_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its seconds, and then it is the other one's turn."""
    monkeypatch.setattr(trying, "EACH", 0.05)
    house.held.keep(a_notice())
    async with a_sender(house, Hanging("mail"), Told("chat")) as sender:
        await one_round(sender)

    assert told(house) == ("sent", None, "chat")


async def test_what_nobody_ever_takes_fails_at_once(house: House) -> None:
    """With the last word that was said; nobody tries again."""
    hand = Hand()
    house.held.keep(a_notice())
    async with a_sender(house, Told("a", raising(NotTaken("no_address"))), Told("b", raising(NotTaken("address_refused"))), clock=hand) as sender:  # fmt: skip
        await one_round(sender)
        hand.forward(days=8)
        assert await one_round(sender) == 0

    assert told(house) == ("failed", "address_refused", None)


class Learning:
    """A directory that knows nobody until it is told."""

    def __init__(self) -> None:
        self.known: dict[str, Reader] = {}

    def reader(self, run: str, handle: str) -> Reader | None:
        """Whoever is known by now."""
        return self.known.get(handle)


async def test_whom_nobody_knows_is_asked_for_again_for_a_while(house: House) -> None:
    """A directory may lag behind a run; after some minutes it fails, so that somebody looks."""
    hand, mail = Hand(), Told("mail")
    house.held.keep(a_notice())
    async with a_sender(house, directory=Learning(), clock=hand) as sender:
        sender._routes = Routing({"mail": mail})
        began = hand.now
        while told(house) != ("failed", "reader_unknown", None):
            await one_round(sender)
            if hand.now < began + trying.OF_UNKNOWN - timedelta(seconds=5):
                assert told(house) == ("pending", "reader_unknown", None)
                assert line_of(house)["tries"] <= 1 + (hand.now - began).total_seconds() // 30
            assert hand.now < began + 2 * trying.OF_UNKNOWN
            hand.forward(seconds=5)
        hand.forward(days=8)
        assert await one_round(sender) == 0

    assert mail.tried == []


async def test_whom_a_directory_learns_of_late_is_reached(house: House) -> None:
    """Within a minute or two; what nobody could be told is taken back without a word meanwhile."""
    hand, mail, directory = Hand(), Told("mail"), Learning()
    house.held.keep(a_notice(to="dana"))
    house.held.keep(a_notice("n-2", to="dana", kind=NoticeKind.ESCALATION))
    async with a_sender(house, directory=directory, clock=hand) as sender:
        sender._routes = Routing({"mail": mail})
        await one_round(sender)
        assert withdraw(house.held, "n-2"), "nobody has read it"
        directory.known["dana"] = Reader(handle="dana", addresses={"mail": "dana@provider.example"})
        hand.forward(seconds=31)
        await one_round(sender)

    assert (mail.took, told(house)) == (["n-1"], ("sent", None, "mail"))


async def test_whom_nobody_knows_is_reached_where_no_address_is_needed(house: House) -> None:
    """A room, or a system of the installation that knows who a handle is; the route is that of the notice's side."""
    mail, room, other = Told("mail"), Told("room"), Told("other")
    room.sort = other.sort = ""
    readers: list[Reader] = []
    room._asks = lambda letter: readers.append(letter.reader)
    house.held.keep(a_notice(to="dana", side="provider"))
    async with a_sender(house, directory=Learning()) as sender:
        routes = (Route(to=("other",), side="customer"), Route(to=("mail", "room"), side="provider"))
        sender._routes = Routing({"mail": mail, "other": other, "room": room}, routes)
        await one_round(sender)

    assert (mail.tried, other.tried, told(house)) == ([], [], ("sent", None, "room"))
    assert readers == [Reader(handle="dana", side="provider")]


async def test_a_directory_that_cannot_answer_puts_letters_off(house: House) -> None:
    """It may be well in half a minute; what it raised is told to nobody."""

    class Broken:
        def reader(self, run: str, handle: str) -> Reader | None:
            raise ConnectionError("postgresql://user:secret@host")

    hand = Hand()
    house.held.keep(a_notice())
    async with a_sender(house, Told("mail"), directory=Broken(), clock=hand) as sender:
        await one_round(sender)
        hand.forward(seconds=29)
        assert await one_round(sender) == 0
        hand.forward(seconds=2)
        assert await one_round(sender) == 1

    assert told(house) == ("pending", "directory_failed", None)


@pytest.mark.parametrize(
    ("kind", "end", "state"),
    [(NoticeKind.REMINDER, OF_PASSING, ("withdrawn", "overtaken", None)), (NoticeKind.ESCALATION, OF_OTHERS, ("failed", "unreachable", None))],
)  # fmt: skip
async def test_a_notice_is_tried_for_as_long_as_it_makes_sense(
    house: House, kind: NoticeKind, end: timedelta, state: tuple[str, str, str | None]
) -> None:
    """A reminder of yesterday is dropped; an escalation becomes something for a person after a week."""
    hand = Hand()
    house.held.keep(a_notice(kind=kind))
    async with a_sender(house, Told("mail", raising(Postponed("unreachable"))), clock=hand) as sender:
        await one_round(sender)
        hand.now += end - timedelta(minutes=5)
        await one_round(sender)
        assert told(house) == ("pending", "unreachable", None)
        hand.forward(minutes=10)
        await one_round(sender)

    assert told(house) == state


async def test_an_escalation_that_waited_for_a_week_for_a_worker_is_still_tried(house: House) -> None:
    """No worker ran: that is no reason to tell nobody."""
    hand = Hand()
    house.held.keep(a_notice(kind=NoticeKind.ESCALATION))
    hand.forward(days=9)
    async with a_sender(house, Told("mail"), clock=hand) as sender:
        await one_round(sender)

    assert told(house) == ("sent", None, "mail")


# That nothing leaves twice.


async def test_a_mark_that_could_not_be_kept_is_kept_later_and_the_letter_leaves_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is held right after it has left, for longer than the lease."""
    mail, hand, mark, held = Told("mail"), Hand(), house.held.mark_sent, [True]

    def busy(*marks: Any) -> int:
        if held:
            raise TimeoutError("held")
        return int(mark(*marks))

    monkeypatch.setattr(house.held, "mark_sent", busy)
    house.held.keep(a_notice())
    async with a_sender(house, mail, clock=hand) as sender:
        for _ in range(3):
            await one_round(sender)
            hand.forward(seconds=70)
        assert line_of(house)["state"] == "pending"
        held.clear()
        await one_round(sender)

    assert (mail.took, told(house)) == (["n-1"], ("sent", None, "mail"))


@pytest.mark.parametrize(("point", "times"), [("outbox.after_claim", 1), ("outbox.after_send", 2)])
async def test_a_sender_that_dies_costs_one_repeat_at_most(house: House, point: str, times: int) -> None:
    """The next one sends it when the lease is over; before it was sent that is the first time, after it the second."""
    mail, hand = Told("mail"), Hand()
    died = asyncio.Event()
    loop = asyncio.get_running_loop()

    def die(at: str) -> None:
        if at == point and not died.is_set():
            loop.call_soon_threadsafe(died.set)
            time.sleep(0.2)
            raise RuntimeError("the process is gone")

    house.held.keep(a_notice())
    crash_points.listen(die)
    try:
        first = house.sender(mail, clock=hand)
        with contextlib.suppress(RuntimeError):
            await first.look()
        await asyncio.wait_for(died.wait(), 10)
        await first.drain(10)
        await first.close()
    finally:
        crash_points.listen(None)
    async with a_sender(house, mail, clock=hand) as second:
        assert await one_round(second) == 0, "somebody has it"
        hand.forward(seconds=61)
        assert await one_round(second) == 1

    assert (len(mail.took), set(mail.took), told(house)) == (times, {"n-1"}, ("sent", None, "mail"))


async def test_who_stops_waits_for_what_is_on_its_way(house: House) -> None:
    """And takes nothing more in hand."""
    mail = Told("mail", seconds=0.2)
    house.held.keep(a_notice())
    async with a_sender(house, mail) as sender:
        running = asyncio.create_task(sender.run())
        ends = time.monotonic() + 10
        while not mail.tried:
            assert time.monotonic() < ends
            await asyncio.sleep(0.01)
        running.cancel()
        assert await sender.drain(10)

    assert told(house) == ("sent", None, "mail")


async def test_who_wakes_when_the_lease_is_over_begins_no_letter_that_another_one_has_sent(house: House) -> None:
    """A machine that slept: time limits have slept with it, and only the clock on the wall tells."""
    hand, gate = Hand(), asyncio.Event()

    class Slow(Told):
        async def send(self, letter: Any) -> None:
            self.tried.append(letter.key)
            await gate.wait()
            self.took.append(letter.key)

    mail, other_mail = Slow("mail"), Told("mail")
    for n in range(trying.AT_ONCE + 3):
        house.held.keep(a_notice(f"n-{n:02}", to=f"reader-{n}"))
    async with a_sender(house, mail, clock=hand) as sleeper:
        await sleeper.look()
        ends = time.monotonic() + 10
        while len(mail.tried) < trying.AT_ONCE:
            assert time.monotonic() < ends
            await asyncio.sleep(0.01)
        hand.forward(seconds=61)
        async with a_sender(house, other_mail, clock=hand) as other:
            await one_round(other)
        gate.set()
        assert await sleeper.drain(20)

    assert len(other_mail.took) == trying.AT_ONCE + 3
    assert len(mail.tried) == trying.AT_ONCE, "what was on its way when it fell asleep, and nothing more"
    assert {line["state"] for line in house.reads.outbox()["rows"]} == {"sent"}


async def test_a_letter_that_a_slow_server_takes_while_the_worker_stops_leaves_once(house: House) -> None:
    """What has begun is waited for; what has not is given back at once, without a doubt and without a try."""
    mail = Told("mail", seconds=0.5)
    for n in range(trying.AT_ONCE + 3):
        house.held.keep(a_notice(f"n-{n:02}", to=f"reader-{n}"))
    async with a_sender(house, mail) as sender:
        await sender.look()
        ends = time.monotonic() + 10
        while len(mail.tried) < trying.AT_ONCE:
            assert time.monotonic() < ends
            await asyncio.sleep(0.01)
        assert await sender.finish(0.01, most=10)

    lines = house.reads.outbox()["rows"]
    assert len(mail.tried) == len(mail.took) == trying.AT_ONCE
    assert sorted(line["key"] for line in lines if line["state"] == "sent") == sorted(mail.took)
    assert [(line["state"], line["tries"]) for line in lines if line["key"] not in mail.took] == [("pending", 0)] * 3
    chat, hand = Told("chat"), Hand()
    hand.forward(seconds=3)
    async with a_sender(house, chat, clock=hand) as other:
        assert await one_round(other) == 3
    assert not set(chat.took) & set(mail.took)


# One channel and the others.


async def test_a_channel_that_is_dead_is_left_in_peace_and_one_letter_tries_for_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty letters for a mail server that hangs do not hold up one for the chat."""
    monkeypatch.setattr(trying, "EACH", 0.05)
    hand, mail, chat = Hand(), Hanging("mail"), Told("chat")

    class ByReader:
        def channels(self, notice: Any, reader: Reader) -> list[Channel]:
            return [chat] if reader.handle == "chatty" else [mail]

    for n in range(40):
        house.held.keep(a_notice(f"n-{n}", to=f"reader-{n}"))
    async with a_sender(house, clock=hand) as sender:
        sender._routes = ByReader()
        await one_round(sender)
        tried = len(mail.tried)
        assert trying.IN_A_ROW <= tried <= trying.IN_A_ROW + trying.AT_ONCE
        hand.forward(seconds=40)
        house.held.keep(a_notice("to the chat", to="chatty"))
        await one_round(sender)

    assert len(mail.tried) == tried + 1, "one tries for all"
    assert told(house, "to the chat") == ("sent", None, "chat")
    assert {line["state"] for line in house.reads.outbox()["rows"] if line["key"] != "to the chat"} == {"pending"}


async def test_letters_for_which_it_is_too_early_are_told_different_instants() -> None:
    """Told the same one, they would all come back at once, and all but a few in vain."""

    async def never() -> None:
        raise AssertionError("nothing has left")

    hand = Hand()
    way = Way(Told("mail", raising(Postponed(PACED, 2.0))), hand)
    told_each = []
    for _ in range(4):
        with pytest.raises(Postponed) as caught:
            await way.send(
                PlainText().letter(a_notice(), Reader(handle="dana")), never, hand.now + timedelta(minutes=1)
            )
        told_each.append(caught.value.after)

    assert told_each == sorted(set(told_each))
    assert told_each[0] == 2.0


async def test_to_be_told_to_wait_is_no_trouble(house: House) -> None:
    """A cap of our own is reached: it comes back at that instant, not half a minute later, and its channel does not rest."""
    hand, early = Hand(), [True]

    def answer(_: Any) -> None:
        if early:
            raise Postponed(PACED, 2.0)

    house.held.keep(a_notice())
    async with a_sender(house, Told("mail", answer), clock=hand) as sender:
        for _ in range(trying.IN_A_ROW + 2):
            assert await one_round(sender) == 1
            hand.forward(seconds=3)
        early.clear()
        await one_round(sender)

    assert told(house) == ("sent", None, "mail")


async def test_a_channel_that_is_dead_is_not_asked_at_every_turn_of_another_one(house: House) -> None:
    """One asks for an hour of peace, the other is dead: within that hour the letter is tried thirty times at most."""
    hand = Hand()
    silent, dead = Told("chat", raising(Postponed(PACED, 3_600.0))), Told("mail", raising(Postponed("unreachable")))
    house.held.keep(a_notice())
    async with a_sender(house, silent, dead, clock=hand) as sender:
        for _ in range(360):
            await one_round(sender)
            hand.forward(seconds=10)

    assert 20 <= len(dead.tried) <= 30
    assert told(house) == ("pending", "unreachable", None)


async def test_to_be_told_to_wait_counts_as_no_try(house: House) -> None:
    """Neither in what is shown, nor in how long the pause is when something fails at last."""
    hand, answers = Hand(), [Postponed(PACED, 2.0)] * 5 + [Postponed("unreachable")]

    def answer(_: Any) -> None:
        raise answers.pop(0)

    house.held.keep(a_notice())
    async with a_sender(house, Told("mail", answer), clock=hand) as sender:
        while answers:
            await one_round(sender)
            hand.forward(seconds=3)
        assert line_of(house)["tries"] == 1
        hand.forward(seconds=24)
        assert await one_round(sender) == 0
        answers.append(Postponed("unreachable"))
        hand.forward(seconds=5)
        assert await one_round(sender) == 1


@pytest.mark.parametrize(
    ("code", "read"), [("http_429", False), ("directory_hook", False), ("http_503", True), ("timeout", True)]
)
async def test_what_was_certainly_not_taken_is_taken_back_without_a_word(house: House, code: str, read: bool) -> None:
    """Of anything else nobody knows, so that what calls it off leaves."""
    house.held.keep(a_notice(kind=NoticeKind.ESCALATION))
    async with a_sender(house, Told("chat", raising(Postponed(code)))) as sender:
        await one_round(sender)

    assert withdraw(house.held, "n-1") is not read


async def test_a_crowd_for_a_slow_channel_does_not_hold_up_a_letter_for_another_one(house: House) -> None:
    """Whoever would wait there for long comes back later; the slow one has always the next letter at hand."""
    mail, chat = Told("mail", seconds=1.0), Told("chat")

    class ByReader:
        def channels(self, notice: Any, reader: Reader) -> list[Channel]:
            return [chat] if reader.handle == "chatty" else [mail]

    for n in range(300):
        house.held.keep(a_notice(f"n-{n:03}", to=f"reader-{n}"))
    async with a_sender(house) as sender:
        sender._routes = ByReader()
        running, start = asyncio.create_task(sender.run()), time.monotonic()
        while len(mail.took) < 2 * trying.AT_ONCE:
            assert time.monotonic() < start + 20
            await asyncio.sleep(0.05)
        house.held.keep(a_notice("to the chat", to="chatty", kind=NoticeKind.ESCALATION))
        began = time.monotonic()
        while not chat.took:
            assert time.monotonic() < began + 10, "thirty seconds of mails come first"
            await asyncio.sleep(0.05)
        running.cancel()
        sent = len(mail.took) / (trying.AT_ONCE * (time.monotonic() - start))

    assert mail.most_at_once == trying.AT_ONCE
    assert sent > 0.3, "of what it could have taken"


async def test_no_more_is_in_hand_than_there_is_room_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest waits in the outbox, where others may take it."""
    monkeypatch.setattr(sending, "AT_ONCE", 5)
    mail = Told("mail", seconds=0.05)
    for n in range(12):
        house.held.keep(a_notice(f"n-{n}", to=f"reader-{n}"))
    async with a_sender(house, mail) as sender:
        assert await sender.look() == 5
        assert await sender.look() == 0
        assert await sender.drain(10)
        assert [await one_round(sender), await one_round(sender), await one_round(sender)] == [5, 2, 0]

    assert len(mail.took) == 12
    assert mail.most_at_once <= 5


async def test_nothing_of_a_letter_or_a_fault_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Codes and the key of the run only."""
    caplog.set_level("DEBUG")
    house.held.keep(a_notice(subject="Confidential", lines=("secret line",)))
    async with a_sender(house, Told("mail", raising(ValueError("lea@bakery.example")))) as sender:
        await one_round(sender)

    said = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "notice_delayed" in said
    assert not any(word in said for word in ("Confidential", "secret line", "lea@bakery.example"))
