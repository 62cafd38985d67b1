"""How the cost of a run of ours grows: with items, with stages, with corrections, and with open runs beside it.

    python -m benchmarks.engine.growth                     # at most about 8 minutes
    python -m benchmarks.engine.growth --minutes 2 --runs 6 --open 200

All on one server and one worker. The usual run (7 stages, 27 items, 17 messages) is measured again in each round, because the machine may
be busier then: a figure is compared to that of its own round. `results/growth.json` has every value, and what `capacity` reckons with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from benchmarks.engine import contenders, crowds, job, scenarios, written
from benchmarks.engine.contenders import Handle, Ours
from benchmarks.engine.job import Message, Stage
from benchmarks.engine.processes import Stand, a_stand
from runtime.connection import plugin
from workflows.inbound import Inbound
from workflows.onboarding_run import OnboardingRun

AT_ONCE: Final = 4
_REPLAYS: Final = 3
_TASKS: Final = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)


@dataclass(frozen=True, slots=True)
class Shape:
    """A run: its stages, all its items, how often an approval sends an answer back, and open runs beside it."""

    stages: int = 7
    items: int = 27
    corrections: int = 0
    beside: int = 0

    @property
    def name(self) -> str:
        """In a table."""
        said = f"{self.stages} stages, {self.items} items, {len(self.messages())} messages"
        return f"{said}, {self.beside:,} open beside it" if self.beside else said

    def parts(self) -> tuple[Stage, ...]:
        """Inputs, approvals and automated tasks in the same shares as those of the job, dealt out to the stages one by one."""
        approvals = min(self.stages, round(self.items * len(job.APPROVALS) / 27))
        inputs = max(self.stages, round(self.items * len(job.INPUTS) / 27))
        tasks = max(0, self.items - approvals - inputs)

        def dealt(word: str, count: int, stage: int) -> tuple[str, ...]:
            return tuple(f"{word}_{number}" for number in range(stage, count, self.stages))

        return tuple(
            Stage(f"stage_{n}", dealt("input", inputs, n), f"approval_{n}" if n < approvals else None, dealt("task", tasks, n))
            for n in range(self.stages)
        )  # fmt: skip

    def messages(self) -> list[Message]:
        """Those of the job; the corrections are dealt out to the approvals, each a return and another answer."""
        said: list[Message] = []
        rounds = self._rounds()
        for message in job.messages(self.parts()):
            if message.name == "decide":
                for number in range(next(rounds)):
                    again = said[-1]
                    said += [_again(message, f"back-{number}", outcome="return"), _again(again, f"again-{number}")]
            said.append(message)
        return said

    def _rounds(self) -> Iterator[int]:
        approvals = sum(stage.approval is not None for stage in self.parts())
        return (len(range(n, self.corrections, approvals)) for n in range(approvals))


def _again(message: Message, mark: str, **more: str) -> Message:
    said = message.content["message_id"].partition("-again-")[0]
    return replace(message, content={**message.content, **more, "message_id": f"{said}-{mark}"})


USUAL: Final = Shape()
ITEMS: Final = tuple(Shape(items=items) for items in (14, 60, 120))
STAGES: Final = tuple(Shape(stages=stages) for stages in (3, 12))
CORRECTED: Final = tuple(Shape(corrections=rounds) for rounds in (8, 25))
BESIDE: Final = (200, 1_000)


class Shaped(Ours):
    """Ours with a run of this shape, and so many open runs beside it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape.name)
        self.shape = shape
        self.beside = 0

    def prepare(self, dues: Iterable[int] = (job.DEADLINE,)) -> None:
        """See `Contender`."""
        self._prepared = {due: contenders.prepared_of(job.definition(due, self.shape.parts())) for due in dues}


async def cost(shaped: Shaped, stand: Stand, runs: int, mark: str) -> dict[str, float]:
    """So many whole runs, a few of them at a time: what each has cost, with all that it has caused outside itself."""
    log, left, done, messages = scenarios.Log(), iter(range(runs)), list[Handle](), shaped.shape.messages()

    async def one_after_the_other() -> None:
        for number in left:
            handle = await shaped.begin(stand, f"c-{mark}-{number}")
            for message in messages:
                await scenarios.tell(shaped, handle, message, log)
            await asyncio.wait_for(handle.result(), scenarios.ENDS_WITHIN)
            done.append(handle)

    await contenders.rest(shaped, stand, 120, shaped.beside)
    before, rows = stand.used(), _rows(stand.folder)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, runs)):
            group.create_task(one_after_the_other())
    await contenders.rest(shaped, stand, 120, shaped.beside)
    spent = scenarios.cpu_of(before, stand.used(), runs)
    more = {name: (now - rows[name]) / runs for name, now in _rows(stand.folder).items()}
    return {**spent, "p50_ms": scenarios.spread_of(log.latencies)["p50_ms"], **await _history(done[0]), **more}


async def _history(handle: Handle) -> dict[str, float]:
    """Of one run, because those of a shape differ by a few events only."""
    told = (await handle.describe()).raw_description.workflow_execution_info
    history = await handle.fetch_history()
    tasks = sum(event.event_type in _TASKS for event in history.events)
    return {
        "events": float(len(history.events)), "tasks": float(tasks), "history_kib": told.history_size_bytes / 1_024,
        "replay_ms": await _replayed(history),
    }  # fmt: skip


async def _replayed(history: WorkflowHistory) -> float:
    """Milliseconds of CPU to read a whole run again, as a worker does that has lost it. The first time is not counted: it imports."""
    replayer = Replayer(workflows=[OnboardingRun], plugins=[plugin()], interceptors=[Inbound()])

    async def again_and_again() -> AsyncIterator[WorkflowHistory]:
        for _ in range(_REPLAYS + 1):
            yield history

    began = 0.0
    async with replayer.workflow_replay_iterator(again_and_again()) as replays:
        async for replay in replays:
            if replay.replay_failure is not None:
                raise replay.replay_failure
            began = began or time.process_time()
    return (time.process_time() - began) * 1_000 / _REPLAYS


def _rows(folder: Path) -> dict[str, float]:
    with closing(sqlite3.connect(f"file:{folder / 'rows.sqlite'}?mode=ro", uri=True)) as there:
        names = [name for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = sum(there.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)
        pages, size = (there.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return {"rows": float(rows), "rows_kib": pages * size / 1_024}


Rounds = dict[Shape, list[dict[str, float]]]


async def measure(runs: int, beside: Sequence[int], minutes: float) -> Rounds:
    """Rounds until the time is over, at least one; then once with open runs beside it."""
    found: Rounds = {}
    began, took = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        async with a_stand(Path(folder), Ours.start_of) as stand:
            await _one(USUAL, stand, AT_ONCE, "warm", {})
            number = 0
            while not number or time.monotonic() - began + 2 * took < minutes * 60:
                from_here = time.monotonic()
                for place, shape in enumerate((USUAL, *ITEMS, *STAGES, *CORRECTED)):
                    await _one(shape, stand, runs, f"{number}-{place}", found)
                took, number = time.monotonic() - from_here, number + 1
            there = 0
            for count in beside:
                shaped = Shaped(replace(USUAL, beside=count))
                shaped.prepare()
                await crowds.start(shaped, stand, count - there, f"beside-{count}")
                shaped.beside = there = count
                found[shaped.shape] = [await cost(shaped, stand, runs, f"among-{count}")]
                _say(shaped.shape)
    return found


async def _one(shape: Shape, stand: Stand, runs: int, mark: str, found: Rounds) -> None:
    shaped = Shaped(shape)
    shaped.prepare()
    found.setdefault(shape, []).append(await cost(shaped, stand, runs, mark))
    _say(shape)


def _say(shape: Shape) -> None:
    print(f"done: {shape.name}", file=sys.stderr, flush=True)


WORDS: Final[Mapping[str, str]] = {
    "worker_cpu_ms": "worker, CPU ms", "server_cpu_ms": "server, CPU ms", "events": "events", "tasks": "tasks", "history_kib": "history, KiB",
    "rows": "rows", "rows_kib": "rows, KiB", "replay_ms": "read again, CPU ms", "p50_ms": "verdict, median, ms",
}  # fmt: skip


def table(found: Rounds) -> str:
    """Markdown: a line for each shape, each figure with its ratio to the usual run."""
    lines = [f"| a run of | {' | '.join(WORDS.values())} |", "|---" * (len(WORDS) + 1) + "|"]
    for shape, rounds in sorted(found.items(), key=_order):
        cells = [f"{median(one[key] for one in rounds):,.1f} ({_ratio(found, shape, key):.2f} ×)" for key in WORDS]
        lines.append(f"| {shape.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _order(one: tuple[Shape, Any]) -> tuple[bool, int, int, int, int]:
    shape = one[0]
    return (shape != USUAL, shape.beside, shape.corrections, abs(shape.stages - USUAL.stages), shape.items)


def _ratio(found: Rounds, shape: Shape, key: str) -> float:
    """The median of the ratios of the rounds; what has one round only is compared to the last."""
    rounds, usual = found[shape], found[USUAL]
    beside = usual[-len(rounds) :]
    return median(one[key] / max(other[key], 1e-9) for one, other in zip(rounds, beside, strict=True))


def shape_of_results(found: Rounds) -> dict[str, Any]:
    """For the file: every value, and the cost of the usual run by the names of `capacity.Cost`."""
    told = {key: median(one[key] for one in found[USUAL]) for key in WORDS}
    # A run that is read again is half way through, in the mean.
    cost_of_a_run = {name: told[key] for name, key in _COST.items()} | {"replay_ms": told["replay_ms"] / 2}
    return {"cost_of_a_run": cost_of_a_run, "shapes": [{"run": shape.name, "rounds": rounds} for shape, rounds in found.items()]}  # fmt: skip


_COST: Final = {
    "worker_ms": "worker_cpu_ms", "server_ms": "server_cpu_ms", "events": "events", "tasks": "tasks", "history_kib": "history_kib",
    "rows": "rows", "rows_kib": "rows_kib",
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.engine.growth", description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    words.add_argument("--runs", type=int, default=12, help="of each shape in a round")
    words.add_argument("--open", type=int, action="append", metavar="N", help=f"open runs beside it; else {BESIDE}")
    words.add_argument("--minutes", type=float, default=5.0, help="after which no further round begins")
    chosen = words.parse_args(arguments)
    began = written.moment()
    found = asyncio.run(measure(chosen.runs, sorted(chosen.open or BESIDE), chosen.minutes))
    print(table(found))
    written.FOLDER.mkdir(exist_ok=True)
    path = written.FOLDER / "growth.json"
    about = {"began": began, "ended": written.moment(), "runs": chosen.runs}
    path.write_text(json.dumps({**about, **shape_of_results(found)}, indent=2) + "\n")
    print(f"written to {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
