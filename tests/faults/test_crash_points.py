"""Every named crash point, hit on purpose while senders talk: killed, failed, paused, its reply dropped. Nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from onboarding import limits
from onboarding.crash_points import POINTS, REPLIES
from storage.engine import reading
from storage.tables import PEOPLE
from tests.faults.conftest import Counting
from tests.support.faults.bench import Bench, Worker, bench, until
from tests.support.faults.counts import Trials
from tests.support.faults.loops import figures, judge, settle, talking
from tests.support.faults.senders import kills_order
from tests.support.faults.tiers import Tier
from tests.support.mail_server import mail_server
from tests.support.shell import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]

_INPUT = ROOT / "definitions" / "examples" / "quick-start.input.yaml"
_DEFINITION = "quick-start.yaml"

HIT_WITHIN = 60.0
"""Seconds until senders have brought a worker to any point; a lost workflow task holds its run back for ten."""
OF_A_WORKER = (
    "wf.before_apply", "wf.after_apply", "wf.at_timer", "wf.before_can", "wf.after_can", "act.before_effect", "act.after_effect",
    "act.after_db_commit", "rec.mid_tx", "rec.after_commit", "outbox.after_claim", "outbox.after_send", "outbox.after_mark",
)  # fmt: skip
"""Reached by any worker that is busy enough; the others have a test of their own, since a command reaches them."""
LETTERS_WITHIN = 20.0
"""Seconds until the first letters of a run have left; a second is usual."""
AT_ONCE = 3
"""Armed workers; a worker takes longer to start than to reach its point."""
BIG = 60_000
"""Characters of a signal that nobody wants: a few of them fill a history, and the run goes on in a new one."""


@dataclass
class Points:
    """Brings armed workers to their points, a few at a time; each works until its fault."""

    made: Bench
    random: Random
    trials: Trials
    customers: count[int]

    async def hit(self, faults: Sequence[str]) -> None:
        """The only workers are those with these faults, until each has happened; none of them is left then."""
        others = list(self.made.workers)
        armed = await asyncio.gather(*(self.made.work(fault) for fault in faults))
        for worker in others:
            await self.made.kill(worker)
        await asyncio.gather(*(self._hit(worker, fault) for worker, fault in zip(armed, faults, strict=True)))

    async def _hit(self, worker: Worker, fault: str) -> None:
        provoking = asyncio.create_task(self._provoke_often(fault))
        try:
            await until(lambda: self._happened(worker, fault), HIT_WITHIN, f"{fault} happens")
        finally:
            provoking.cancel()
        self.trials.done += 1
        if ":kill:" in fault:
            assert await worker.ended() == -signal.SIGKILL
            self.made.workers.remove(worker)
        else:
            await asyncio.sleep(1.0)  # what a fault has failed is tried again here
            await self.made.kill(worker)

    async def _provoke_often(self, fault: str) -> None:
        """Another worker may have taken what was meant for this one."""
        while True:
            await self._provoke(fault)
            await asyncio.sleep(5.0)

    async def _provoke(self, fault: str) -> None:
        """What senders do not do by themselves: a date that comes, a history that is full."""
        if fault.startswith(("wf.at_timer", "outbox.", "act.after_effect")):
            await self.made.start(kills_order(f"p-{next(self.customers)}"))
        if fault.startswith(("wf.before_can", "wf.after_can")):
            # One that has begun: what came before its first turn counts as what the run began with.
            run = self.random.choice([one.run for one in self.made.log.operations if one.outcomes[:1] == ("accepted",)])
            for n in range(limits.HISTORY_BYTES // BIG + 2):
                content = {"message_id": f"{fault}-{n}-{next(self.customers)}", "actor": "dana", "text": "x" * BIG}
                await self.made.log.send(self.made.client, self.made.log.new(run, "note", content, "signal"))

    @staticmethod
    async def _happened(worker: Worker, fault: str) -> bool:
        ended = worker.process.poll() is not None
        told = f'"reason": "{fault}"' in worker.words() and "fault_injected" in worker.words()
        assert not ended or told, f"the worker ended before {fault}:\n{worker.words()[-2_000:]}"
        return told and (ended or ":kill:" not in fault)


@pytest.mark.timeout(3_000)
async def test_every_point_of_a_worker_is_survived(tmp_path: Path, tier: Tier, counting: Counting) -> None:
    """Killed at each; in the long form also failed, paused and with its reply dropped, at the first or a later time there."""
    random = Random(tier.seed)
    with counting("R6", "faults at named crash points of a worker") as trials:
        async with bench(tmp_path) as made:
            await made.work()
            async with talking(made, tier.seed, tier.of(6, 20, 20)):
                await until(lambda: _all_answered(made), HIT_WITHIN, "every run answers before anything is broken")
                points = Points(made, random, trials, count(1))
                faults = _faults(tier, random)
                for first in range(0, len(faults), AT_ONCE):
                    await points.hit(faults[first : first + AT_ONCE])
                last = time.monotonic()
                await made.work()
            lived = await settle(made, random, last)
            await judge(made, repeats=trials.done + made.kills)
            print(
                f"R6: {trials.done} faults at {len(OF_A_WORKER)} points of a worker, {figures(made)}, 0 lost, 0 double, 0 stuck; "
                f"all runs answer after {lived:.1f} s; seed {tier.seed}"
            )


async def _all_answered(made: Bench) -> bool:
    return {one.run for one in made.log.operations if one.outcomes[:1] == ("accepted",)} == {*made.runs}


def _faults(tier: Tier, random: Random) -> list[str]:
    kills = [
        f"{point}:kill:{random.randint(1, tier.of(1, 4))}" for point in OF_A_WORKER for _ in range(tier.of(1, 3, 10))
    ]
    if tier.of(True, False):
        return kills
    others = [f"{point}:{action}:1" for point in OF_A_WORKER for action in ("raise", "pause-500")]
    drops = [f"{point}:drop-reply:1" for point in OF_A_WORKER if point in REPLIES]
    mixed = [*kills, *others, *drops]
    random.shuffle(mixed)
    return mixed


@pytest.mark.timeout(3_000)
async def test_every_point_of_a_command_is_survived(tmp_path: Path, tier: Tier, counting: Counting) -> None:
    """The same command again finishes what the killed one began, and says whether it had happened."""
    with counting("R6b", "faults at named crash points of a command") as trials:
        async with mail_server() as server, bench(tmp_path) as made:
            made.more["ONBOARDING_CHANNELS"] = str(_by_mail(tmp_path, server.port))
            _at_any_time(tmp_path)
            await made.work()
            for n in range(tier.of(1, 3, 10)):
                await asyncio.to_thread(_of_a_start, made, n)
                await asyncio.to_thread(_of_a_message, made, n)
                trials.done += 5
            print(f"R6: {trials.done} faults at {len(POINTS) - len(OF_A_WORKER)} points of a command, 0 lost, 0 double")


def _by_mail(folder: Path, port: int) -> Path:
    """Channels that need to know how to reach somebody."""
    file = folder / "channels.yaml"
    file.write_text(
        f"inside: [127.0.0.0/8, '::1/128']\nchannels:\n  mail: {{kind: mail, host: localhost, port: {port}, security: none, "
        "plain: true, from: onboarding@firm.example}\n"
    )
    return file


def _at_any_time(folder: Path) -> None:
    """The definition of which runs are started, whose first letters wait for nobody's hours."""
    shipped = (ROOT / "definitions" / "quick-start.yaml").read_text(encoding="utf-8")
    assert "send_in: working_hours" in shipped
    (folder / _DEFINITION).write_text(shipped.replace("send_in: working_hours", "send_in: any_time"), encoding="utf-8")


def _of_a_start(made: Bench, n: int) -> None:
    words = (
        "start",
        made.folder / _DEFINITION,
        "--customer",
        f"c-{n}",
        "--input",
        _INPUT,
        "--actor",
        "dana",
        "-o",
        "json",
    )
    early = made.door(*words, FAULT="start.before_run:kill:1")
    nothing = made.door("status", f"c-{n}/quick-start", "-o", "json")
    killed = made.door(*words, FAULT="start.after_run:kill:1")
    kept = _people(made, n)
    letters = _first_letters(made, n)
    again, once_more = made.door(*words), made.door(*words)
    status = made.door("status", f"c-{n}/quick-start", "-o", "json")

    assert (early.code, early.out, nothing.data["outcome"]) == (-signal.SIGKILL, "", "unknown")
    assert (killed.code, killed.out) == (-signal.SIGKILL, "")
    assert {(line["state"], line["code"], line["sent_by"]) for line in letters} == {("sent", None, "mail")}
    assert [again.data["created"], once_more.data["created"]] == [False, False]
    assert status.data["state"] == "running"
    assert kept == _people(made, n) > 0


def _first_letters(made: Bench, n: int) -> list[dict[str, Any]]:
    """What a run says first, when nothing of it waits any more: nobody is asked twice, so it must reach them."""
    ends = time.monotonic() + LETTERS_WITHIN
    while True:
        found: list[dict[str, Any]] = made.door("outbox", f"c-{n}/quick-start", "-o", "json").data["rows"]
        if (found and all(line["state"] != "pending" for line in found)) or time.monotonic() > ends:
            return found
        time.sleep(0.5)


def _people(made: Bench, n: int) -> int:
    """How many people are kept of a run."""
    of_run = PEOPLE.c.run == f"onboarding/c-{n}/quick-start"
    with reading(made.database) as connection:
        return len(connection.execute(select(PEOPLE.c.handle).where(of_run)).all())


def _of_a_message(made: Bench, n: int) -> None:
    run = f"c-{n}/quick-start"
    for fault, outcome in (
        ("deliver.before_update:kill:1", "accepted"),
        ("deliver.after_accept:kill:1", "duplicate"),
    ):
        words = ("note", run, "A text", "--actor", "dana", "--id", f"m-{fault}")
        killed, again = made.door(*words, FAULT=fault), made.door(*words, "-o", "json")
        assert (killed.code, killed.out) == (-signal.SIGKILL, "")
        assert (again.code, again.data["outcome"]) == (0, outcome)
    words = ("note", run, "A text", "--actor", "dana", "--id", f"m-dropped-{n}", "-o", "json")
    unheard = made.door(*words, FAULT="deliver.after_accept:drop-reply:1")
    assert (unheard.code, unheard.data["outcome"]) == (0, "accepted")
    trail = made.door("trail", run, "-o", "json")
    ids = [row["message_id"] for row in trail.data["rows"] if row["message"] == "note"]
    assert ids == ["m-deliver.before_update:kill:1", "m-deliver.after_accept:kill:1", f"m-dropped-{n}"]


def test_every_point_is_hit_by_one_of_these() -> None:
    """A point that is not a worker's is a command's; those of events out are hit in test_event_kills.py."""
    commands = {"start.before_run", "start.after_run", "deliver.before_update", "deliver.after_accept"}
    elsewhere = ("erase.", "backup.", "events.")

    assert {*OF_A_WORKER} | commands == {point for point in POINTS if not point.startswith(elsewhere)}
