"""How long the command line takes to answer, as a process that was just started.

    python -m benchmarks.doors --short                  # 5 times each
    python -m benchmarks.doors                          # 25 times

Beside each command stands the least that such a command needs: an interpreter that imports the same libraries and does nothing. They
take turns, so that whatever else the machine does meets both. Every process is new; the files it reads are in the memory of the machine
and the bytecode is written, as from the second command of an installation on. Nothing of the environment named ONBOARDING_* reaches them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from console import printing, tables

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results"
REPEATS = 25
SHORT = 5


@dataclass(frozen=True, slots=True)
class Door:
    """A command, the least that does what it must, and in how many seconds it should answer, if anybody has said so."""

    name: str
    arguments: tuple[str, ...]
    least: str
    goal: float | None = None


_OF_DEFINITIONS = "import pydantic, typer, ruamel.yaml, holidays.countries, cel_expr_python"

DOORS = (
    Door("--help", ("--help",), "pass", 0.4),
    Door("check b2b-standard", ("check", "b2b-standard"), _OF_DEFINITIONS, 1.0),
    Door("status --help", ("status", "--help"), "import pydantic, typer"),
    Door("list, of an empty database", ("list",), "import pydantic, typer, sqlalchemy"),
)
SERVER = Door("a connection to Temporal", (), "import pydantic, typer, temporalio.client")
"""No command answers without a server here; what those that need one cannot do without is in the table by itself."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one process: on the clock, and of processors."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Timing:
    """A command and the least beside it, of all repeats; no command for what is only a reference."""

    door: Door
    ours: tuple[Spent, ...]
    least: tuple[Spent, ...]

    def shape(self) -> dict[str, Any]:
        """For the file of results, in seconds."""
        row: dict[str, Any] = {"command": self.door.name, "goal": self.door.goal, "least_is": self.door.least}
        for name, spent in (("ours", self.ours), ("least", self.least)):
            row |= _spread(f"{name}_wall", [one.wall for one in spent]) | _spread(
                f"{name}_cpu", [one.cpu for one in spent]
            )
        row["ratio"] = round(row["ours_cpu_median"] / row["least_cpu_median"], 1) if self.ours else None
        return row


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_{word}": round(of(values), 3) for word, of in _FIGURES} if values else {}


_FIGURES = (("median", median), ("least", min), ("most", max))


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of the processes: bytecode and database lie in a folder of the moment."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("ONBOARDING_", "PYTHON"))}
    return kept | {
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "ONBOARDING_DATABASE_URL": f"sqlite:///{folder / 'empty.sqlite'}",
    }


def spent(command: Sequence[str], environ: dict[str, str]) -> Spent:
    """Runs a process to its end. Raises `CalledProcessError` where it fails: what does not work is not measured."""
    before, began = _of_children(), time.perf_counter()
    subprocess.run(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return Spent(time.perf_counter() - began, _of_children() - before)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(doors: Sequence[Door], repeats: int, environ: dict[str, str]) -> list[Timing]:
    """Every command and its reference, in turn, once before it counts."""
    times: dict[tuple[Door, bool], list[Spent]] = {}
    for repeat in range(repeats + 1):
        for door in doors:
            for ours, command in _both(door):
                one = spent(command, environ)
                if repeat:
                    times.setdefault((door, ours), []).append(one)
    return [Timing(door, tuple(times.get((door, True), ())), tuple(times[door, False])) for door in doors]


def _both(door: Door) -> list[tuple[bool, tuple[str, ...]]]:
    ours = [(True, (sys.executable, "starter.py", *door.arguments))] if door.arguments else []
    return [*ours, (False, (sys.executable, "-c", door.least))]


def show(timings: Sequence[Timing]) -> None:
    """The table for people."""
    lines = []
    for row in (one.shape() for one in timings):
        ours = "ours" if row["ratio"] else "least"
        lines.append({
            "command": row["command"] if row["ratio"] else row["least_is"],
            "goal": f"{row['goal']:.1f}" if row["goal"] else "",
            "wall": f"{row[f'{ours}_wall_median']:.2f}",
            "spread": f"{row[f'{ours}_wall_least']:.2f} to {row[f'{ours}_wall_most']:.2f}",
            "cpu": f"{row[f'{ours}_cpu_median']:.2f}",
            "least": f"{row['least_wall_median']:.2f}",
            "least_cpu": f"{row['least_cpu_median']:.2f}",
            "ratio": row["ratio"] or "",
        })  # fmt: skip
    columns = {
        "command": "command", "goal": "goal, s", "wall": "s", "spread": "least to most", "cpu": "CPU s",
        "least": "imports only, s", "least_cpu": "CPU s", "ratio": "ratio of CPU",
    }  # fmt: skip
    printing.console().print(tables.grid(lines, columns, "The command line, each time as a new process"))


def keep(timings: Sequence[Timing], repeats: int) -> Path:
    """Writes the results for whoever compares them later."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "doors.json"
    about = {"python": platform.python_version(), "repeats": repeats, "load": round(os.getloadavg()[0], 1)}
    path.write_text(json.dumps(about | {"commands": [one.shape() for one in timings]}, indent=2) + "\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    words = argparse.ArgumentParser(
        prog="python -m benchmarks.doors", description="Time commands as processes that were just started."
    )
    words.add_argument("--short", action="store_true", help=f"{SHORT} times each")
    words.add_argument("--repeats", type=int, default=REPEATS, help="how often each is started")
    chosen = words.parse_args(arguments)
    repeats = SHORT if chosen.short else max(1, chosen.repeats)
    with tempfile.TemporaryDirectory() as folder:
        environ = surroundings(Path(folder))
        subprocess.run(
            (sys.executable, "starter.py", "database", "upgrade"),
            env=environ,
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        timings = measure((*DOORS, SERVER), repeats, environ)
    show(timings)
    print(f"written to {keep(timings, repeats)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
