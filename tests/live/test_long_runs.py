"""Two years and two moved clocks on a real server with time skipping, told the same way as by the core alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from onboarding.engine.effects import NoticeKind
from onboarding.engine.plan import Plan
from onboarding.engine.state import StartOrder
from tests.support import long_runs
from tests.support.agreement import replays, whole_trail
from tests.support.clock import Clock
from tests.support.floor import Floor
from tests.support.long_runs import TWO_YEARS, last_sunday
from tests.support.shell import a_run, an_order, instant

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def years() -> tuple[int, int]:
    """Zone data for everything that these runs may live to see."""
    this = datetime.now(UTC).year
    return this - 1, this + 4


async def test_two_years_pass_on_a_real_server_and_leave_the_trail_of_the_core(
    client: Client, floor: Floor, clock: Clock, customer: str
) -> None:
    """Three hundred reminders, a hold, two ladders, several executions: digest by digest what the core says alone."""
    order = an_order("two-years", customer=customer, years=years())
    run = await a_run(client, order, floor.task_queue)
    begin = instant((await run.ask("status"))["started_at"])
    for said in TWO_YEARS:
        await clock.advance(run.handle, begin + timedelta(days=said.day, hours=1))
        verdict = await run.say(said.name, said.content["message_id"], **without_id(said.content))
        assert verdict["outcome"] == "accepted", verdict
    result = await run.handle.result()

    trail = await whole_trail(run)
    alone = core_alone(order, begin, trail)
    assert [row["digest"] for row in trail] == [entry.digest for entry in alone.state.trail]
    assert (result["outcome"], instant(result["closed_at"])) == ("live", alone.state.closed_at)
    assert alone.state.closed_at - begin > timedelta(days=730)
    sent = [kept.notice for kept in floor.edge.store.notices.values() if kept.notice and kept.notice.run == order.run]
    assert len([one for one in sent if one.kind is NoticeKind.REMINDER]) == 302
    assert sorted((one.at, str(one.kind)) for one in sent) == sorted((at, str(kind)) for at, kind, _ in alone.sent)
    assert await replays(client, run) > 1


@pytest.mark.parametrize(("month", "hour"), [(3, 9), (10, 8)], ids=["March", "October"])
async def test_the_night_in_which_the_clock_is_moved_goes_by_as_in_the_core(
    client: Client, floor: Floor, clock: Clock, customer: str, month: int, hour: int
) -> None:
    """The next one that comes: started on the Thursday before, at ten in Berlin."""
    now = datetime.now(UTC)
    sunday = next(
        one for year in (now.year, now.year + 1) if (one := last_sunday(year, month)) > now + timedelta(days=4)
    )
    begin = sunday - timedelta(days=3) + timedelta(hours=hour)
    order = an_order("clock-changes", customer=customer, years=years())
    run = await a_run(client, order, floor.task_queue, start_delay=begin - datetime.now(UTC))
    for days in (1, 13):
        await clock.advance(run.handle, begin + timedelta(days=days, minutes=30))
    status, trail = await run.ask("status"), await whole_trail(run)

    alone = long_runs.begin(Plan(order), instant(status["started_at"]))
    long_runs.wait(alone, begin + timedelta(days=13, minutes=30))
    assert instant(status["started_at"]) - begin < timedelta(minutes=1)
    assert {row["id"]: instant(row["due_at"]) for row in status["items"]} == {
        name: item.due_at for name, item in alone.state.items.items()
    }
    assert [row["digest"] for row in trail] == [entry.digest for entry in alone.state.trail]
    sent = [kept.notice for kept in floor.edge.store.notices.values() if kept.notice and kept.notice.run == order.run]
    assert sorted((one.at, str(one.kind)) for one in sent) == sorted((at, str(kind)) for at, kind, _ in alone.sent)
    assert await replays(client, run) == 1


def core_alone(order: StartOrder, begin: datetime, trail: list[dict[str, object]]) -> long_runs.Lived:
    """The same story in the core: each message at the instant at which the real run heard it."""
    heard = {row["message_id"]: instant(str(row["at"])) for row in trail if row["message_id"]}
    return long_runs.live(
        Plan(order), begin, [(heard[said.content["message_id"]], said.name, said.content) for said in TWO_YEARS]
    )


def without_id(content: dict[str, object]) -> dict[str, object]:
    """What is said, beside its id."""
    return {name: value for name, value in content.items() if name != "message_id"}
