"""How many events a second the pure core decides, beside a state machine written by hand for the same story.

    python -m benchmarks.core --short       # 20 runs
    python -m benchmarks.core               # 100 runs

Played is one whole onboarding by `b2b-standard` in which everybody answers at once, from its order to its end: no server, no database,
no message to read. The plain machine (`plain_machine.py`) does of it what dictionaries can, in turn with ours, so that whatever else the
machine does meets both: the ratio says what verdicts, deadlines on working hours, the ledger, the rows of every turn and a trail that
nobody can change cost beside that. The rehearsal is what `starter.py plan` shows before a run begins.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import plain_machine, story
from console import printing, tables
from onboarding.engine.plan import Plan
from onboarding.reading.rehearsal import rehearse

RESULTS = Path(__file__).parent / "results"
REPEATS, SHORT = 100, 20


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of a whole run, of all repeats; `events` are in one run, the start among them."""

    events: int
    ours: tuple[float, ...]
    plain: tuple[float, ...]
    rehearsal: tuple[float, ...]

    def shape(self) -> dict[str, Any]:
        """For the file of results."""
        parts = {"ours": self.ours, "plain": self.plain, "rehearsal": self.rehearsal}
        spread = {
            f"{name}_{word}_ms": round(of(times), 3)
            for name, times in parts.items()
            for word, of in (("median", median), ("least", min), ("most", max))
        }
        rates = {
            f"{name}_events_per_second": round(self.events / median(parts[name]) * 1_000) for name in ("ours", "plain")
        }
        ratio = round(median(self.ours) / median(self.plain), 1)
        return {"definition": story.DEFINITION, "events": self.events, **rates, **spread, "ratio": ratio}


def run(repeats: int = REPEATS) -> Timing:
    """Plays the story again and again, by turns."""
    told = story.tell()
    without, plan = plain_machine.left_out(told), Plan(told.order)

    def each() -> tuple[float, float, float]:
        return (
            _milliseconds(lambda: story.play(told)),
            _milliseconds(lambda: plain_machine.play(told, without)),
            _milliseconds(lambda: rehearse(plan, story.BEGIN)),
        )

    each()
    ours, plain, rehearsal = zip(*(each() for _ in range(repeats)), strict=True)
    return Timing(len(told.steps) + 1, ours, plain, rehearsal)


def _milliseconds(work: Callable[[], Any]) -> float:
    # Of the processor: nothing here waits, and what others do on the machine is not ours to time.
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1_000


def show(timing: Timing) -> None:
    """The table for people."""
    row = timing.shape()
    names = {"ours": "the core", "plain": "a plain machine", "rehearsal": "a rehearsal"}
    lines = [
        {
            "who": said, "ms": f"{row[f'{name}_median_ms']:.2f}", "spread": f"{row[f'{name}_least_ms']:.2f} to {row[f'{name}_most_ms']:.2f}",
            "rate": f"{row.get(f'{name}_events_per_second', 0):,}" if f"{name}_events_per_second" in row else "",
        }
        for name, said in names.items()
    ]  # fmt: skip
    title = f"{row['definition']}, {row['events']} events from start to end; the core takes {row['ratio']} times the plain machine"
    columns = {"who": "", "ms": "ms a run", "spread": "least to most", "rate": "events/s"}
    printing.console().print(tables.grid(lines, columns, title))


def keep(timing: Timing) -> Path:
    """Writes the results for whoever compares them later."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "core.json"
    path.write_text(json.dumps({"python": platform.python_version(), **timing.shape()}, indent=2) + "\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(
        prog="python -m benchmarks.core", description="Time the pure core on one whole run."
    )
    words.add_argument("--short", action="store_true", help=f"{SHORT} runs instead of {REPEATS}")
    words.add_argument("--repeats", type=int, default=None)
    chosen = words.parse_args(arguments)
    timing = run(chosen.repeats or (SHORT if chosen.short else REPEATS))
    show(timing)
    print(f"written to {keep(timing)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
