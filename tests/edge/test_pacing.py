"""A channel is never used faster than it may be, whoever waits; letters get their turn in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from integrations.channels.pacing import Paced
from integrations.letters import Letter, NotTaken, Postponed, Reader

LETTER = Letter(key="k", reader=Reader(handle="sam"), kind="ask", run="r", item=None, subject="s", text="t")


@dataclass
class Clock:
    """Time that passes only while somebody sleeps; sleepers wake in order."""

    now: float = 1_000.0
    sleepers: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Until somebody lets so much time pass."""
        event = asyncio.Event()
        self.sleepers.append((self.now + seconds, event))
        await event.wait()

    async def run(self, until: Callable[[], bool]) -> None:
        """Lets time pass from sleeper to sleeper."""
        for _ in range(10_000):
            for _ in range(5):
                await asyncio.sleep(0)
            if until():
                return
            if self.sleepers:
                self.sleepers.sort(key=lambda one: one[0])
                at, event = self.sleepers.pop(0)
                self.now = max(self.now, at)
                event.set()
        raise AssertionError("time passed and nothing happened")


@dataclass
class Heard:
    """A channel that notes when each letter came."""

    clock: Clock
    name: str = "mail"
    sort: str = "mail"
    came: list[tuple[float, str]] = field(default_factory=list)
    raises: Exception | None = None
    now: int = 0
    most: int = 0
    opens: asyncio.Event | None = None

    async def send(self, letter: Letter) -> None:
        """Notes it, and waits where the test says so."""
        self.came.append((self.clock.now, letter.key))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.opens is not None:
                await self.opens.wait()
            if self.raises is not None:
                raise self.raises
        finally:
            self.now -= 1

    async def close(self) -> None:
        """Holds nothing."""


async def test_a_cap_holds_in_every_minute_and_letters_keep_their_order() -> None:
    """Whatever comes at once, and however often it is tried again: what is not in turn is told when it is."""
    clock = Clock()
    heard = Heard(clock)
    paced = Paced(heard, per_minute=120, clock=clock, sleep=clock.sleep)
    done: list[str] = []

    async def one(n: int) -> None:
        while True:
            try:
                await paced.send(replace(LETTER, key=f"{n:03}"))
                done.append(f"{n:03}")
                return
            except Postponed as later:
                if later.code != "paced" or not later.after:
                    raise
                await clock.sleep(later.after)

    tasks = [asyncio.create_task(one(n)) for n in range(300)]
    await clock.run(lambda: len(done) == 300)
    await asyncio.gather(*tasks)
    times = sorted(at for at, _ in heard.came)
    most = max(sum(at <= other < at + 60 for other in times) for at in times)

    assert len(heard.came) == 300
    assert most == 120
    assert [key for _, key in heard.came[:4]] == ["000", "001", "002", "003"]
    print(
        f"pacing: 300 letters at once under a cap of 120 a minute: at most {most} in any 60 s, all sent in {times[-1] - times[0]:.0f} s"
    )


async def test_a_pause_that_is_asked_for_holds_for_the_whole_channel() -> None:
    """Nobody else tries meanwhile; afterwards it goes on."""
    clock = Clock()
    heard = Heard(clock, raises=Postponed("http_429", 90.0))
    paced = Paced(heard, clock=clock, sleep=clock.sleep)
    with pytest.raises(Postponed, match="http_429"):
        await paced.send(LETTER)
    heard.raises = None
    clock.now += 30
    with pytest.raises(Postponed) as told:
        await paced.send(LETTER)
    clock.now += 61
    await paced.send(LETTER)

    assert (told.value.code, told.value.after) == ("paced", 60.0)
    assert len(heard.came) == 2


async def test_only_so_many_are_on_their_way_at_once() -> None:
    """The others wait a moment, and are then told to come again."""
    clock = Clock()
    heard = Heard(clock, opens=asyncio.Event())
    paced = Paced(heard, at_once=3, clock=clock, sleep=clock.sleep)
    tasks = [asyncio.create_task(paced.send(replace(LETTER, key=str(n)))) for n in range(10)]
    await asyncio.sleep(0.05)
    assert len(heard.came) == 3
    assert heard.opens is not None
    heard.opens.set()
    await asyncio.gather(*tasks)

    assert (heard.most, len(heard.came)) == (3, 10)


async def test_what_a_channel_says_goes_through_and_gives_its_place_back() -> None:
    """A refusal is that of the letter; the next one is tried."""
    clock = Clock()
    heard = Heard(clock, raises=NotTaken("address_refused"))
    paced = Paced(heard, at_once=1, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        with pytest.raises(NotTaken, match="address_refused"):
            await paced.send(LETTER)

    assert (paced.name, paced.sort, len(heard.came)) == ("mail", "mail", 3)
