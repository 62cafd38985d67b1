"""`python -m benchmarks.engine`: whole runs of ours beside those written by hand."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.engine import contenders, job, scenarios
from benchmarks.engine.processes import a_stand


async def once(name: str, runs: int, at_once: int) -> dict[str, Any]:
    """One contender under load."""
    contender = contenders.contender(name)
    contender.prepare(job.DEADLINE)
    with tempfile.TemporaryDirectory() as folder:
        async with a_stand(Path(folder), contender.start_of) as stand:
            print(f"{name}: worker is process {stand.worker}, server {stand.server.pid}, {stand.server.address}", file=sys.stderr, flush=True)  # fmt: skip
            await scenarios.load(contender, stand, runs=4, at_once=4, mark="warm")
            return await scenarios.load(contender, stand, runs=runs, at_once=at_once)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    words.add_argument("--only", default="load")
    words.add_argument("--contenders", default="hand-local,hand-activities,ours")
    words.add_argument("--repeats", type=int, default=1)
    words.add_argument("--runs", type=int, default=48)
    words.add_argument("--at-once", type=int, default=16)
    chosen = words.parse_args(arguments)
    for _ in range(chosen.repeats):
        for name in chosen.contenders.split(","):
            figures = asyncio.run(once(name, chosen.runs, chosen.at_once))
            print(f"{name:16}" + "  ".join(f"{key} {value:.1f}" for key, value in figures.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
