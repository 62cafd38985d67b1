"""Marks of letters that have left: several in one transaction, and each sender hears whether its own was kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from integrations.marking import Marks
from onboarding.ports import Sent

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


class Outbox:
    """Writes when it is let, and fails when it is told to."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.may = asyncio.Event()
        self.fails = False

    async def write(self, marks: Sequence[Sent]) -> None:
        """All of them or none."""
        await self.may.wait()
        if self.fails:
            raise TimeoutError("held")
        self.written.append([one.key for one in marks])


def adding(marks: Marks, *keys: str) -> list[asyncio.Task[None]]:
    """One that marks each, all at once."""
    return [asyncio.create_task(marks.add(Sent(key, "mail", NOW))) for key in keys]


async def test_what_comes_while_one_is_written_goes_together_with_the_next() -> None:
    """The first waits for nobody."""
    outbox = Outbox()
    marks = Marks(outbox.write)
    tasks = adding(marks, "a")
    await asyncio.sleep(0)
    tasks += adding(marks, "b", "c", "d")
    await asyncio.sleep(0)
    outbox.may.set()
    await asyncio.gather(*tasks)
    await marks.add(Sent("e", "mail", NOW))

    assert outbox.written == [["a"], ["b", "c", "d"], ["e"]]


async def test_each_of_those_that_were_not_kept_hears_of_it() -> None:
    """And what comes later is kept."""
    outbox = Outbox()
    outbox.fails = True
    marks = Marks(outbox.write)
    tasks = adding(marks, "a", "b", "c")
    await asyncio.sleep(0)
    outbox.may.set()

    told = await asyncio.gather(*tasks, return_exceptions=True)
    outbox.fails = False
    await marks.add(Sent("d", "mail", NOW))

    assert [type(one) for one in told] == [TimeoutError] * 3
    assert outbox.written == [["d"]]


async def test_whoever_is_cancelled_takes_nobody_along() -> None:
    """At the end of a worker: what had left by then is marked all the same."""
    outbox = Outbox()
    marks = Marks(outbox.write)
    (blocking,) = adding(marks, "a")
    await asyncio.sleep(0)
    first, second = adding(marks, "b", "c")
    await asyncio.sleep(0)
    blocking.cancel()
    first.cancel()
    await asyncio.sleep(0.01)
    outbox.may.set()
    await second

    assert (blocking.cancelled(), first.cancelled()) == (True, True)
    assert outbox.written == [["a"], ["b", "c"]]
