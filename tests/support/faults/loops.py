"""What every loop does around its faults: start runs, let senders talk, break things, come to rest, and be judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.support.faults.bench import Bench, reconciled, until
from tests.support.faults.checker import Evidence, check_all
from tests.support.faults.oplog import OperationLog, Told
from tests.support.faults.senders import Sender, kills_order
from tests.support.lost_tasks import attempt_of, waited_for

PROGRESS_WITHIN = 15.0
"""Seconds from the moment a worker is there again until somebody is told yes."""
LIVE_WITHIN = 60.0
"""Seconds after the last fault until every run answers, but for those of which more than three tasks were lost in a row: `waited_for`."""
STARTS_AT_ONCE = 20


@asynccontextmanager
async def talking(bench: Bench, seed: int, count: int) -> AsyncIterator[None]:
    """So many new runs, and a sender to each during the block; at its end each finishes what it says."""
    orders = [kills_order(f"k-{n}") for n in range(count)]
    for first in range(0, count, STARTS_AT_ONCE):
        await asyncio.gather(*(bench.start(one) for one in orders[first : first + STARTS_AT_ONCE]))
    over = asyncio.Event()
    senders = [asyncio.create_task(Sender(bench, one.run, f"{seed}/{one.run}").talk(over)) for one in orders]
    try:
        yield
        over.set()
        await asyncio.gather(*senders)
    finally:
        for one in senders:
            one.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def progress(log: OperationLog, since: float, within: float = PROGRESS_WITHIN) -> float:
    """Seconds until a sender was told yes after an instant."""

    async def seen() -> bool:
        return log.first_ok_after(since) is not None

    await until(seen, within, "somebody is told yes")
    return (log.first_ok_after(since) or since) - since


async def settle(bench: Bench, random: Random, last_fault: float) -> float:
    """With a worker: every run answers within a minute, half of what is unknown is asked again, and all comes to rest.

    The seconds from the last fault until the last run has answered, or more where senders had still something to say.
    """
    await asyncio.gather(*(_answers(bench, run) for run in bench.runs))
    lived = time.monotonic() - last_fault
    unknown = [one for one in bench.log.operations if one.told is Told.UNKNOWN]
    for one in unknown:
        if random.random() < 0.5:
            told = await bench.log.send(bench.client, one)
            assert told is not Told.UNKNOWN, f"{one.run} {one.name} {one.id}: asked again, and still nobody knows"
    await bench.rest()
    return lived


async def _answers(bench: Bench, run: str) -> None:
    one = bench.log.new(run, "note", {"message_id": "is-anybody-there", "actor": "dana", "text": "Is anybody there?"})
    within = LIVE_WITHIN + waited_for(await attempt_of(bench.runs[run][0].handle))
    until_then = time.monotonic() + within
    while await bench.log.send(bench.client, one) is Told.UNKNOWN:
        assert time.monotonic() < until_then, f"{run} has not answered {within:.0f} seconds after the last fault"


async def judge(bench: Bench, *, repeats: int, reconcile: Sequence[str] = ()) -> Sequence[Evidence]:
    """The checker, and `reconcile` beside it, which looks at all runs or at these; what they have looked at.

    Raises `AssertionError` with everything that is wrong.
    """
    evidence = await bench.evidence()
    wrong = check_all(evidence, repeats=repeats)
    differences = await asyncio.to_thread(reconciled, bench.door, reconcile)
    wrong += [f"reconcile: {one}" for one in differences]
    assert not wrong, "\n".join([f"{len(wrong)} broken promises:", *wrong[:20]])
    return evidence


def figures(bench: Bench) -> str:
    """What was said and heard, in a line."""
    log = bench.log
    return (
        f"{len(log.operations)} operations ({log.count(Told.OK)} ok, {log.count(Told.REFUSED)} refused, "
        f"{log.count(Told.UNKNOWN)} unknown) in {len(bench.runs)} runs"
    )
