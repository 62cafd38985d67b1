"""The results as JSON, for whoever compares them later, and as tables for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.engine import contenders
from benchmarks.engine.repeated import Results

FOLDER: Final = Path(__file__).resolve().parents[1] / "results"
WORDS: Final[Mapping[str, str]] = {
    "runs": "runs",
    "runs_per_second": "runs a second",
    "messages_per_second": "messages a second",
    "starts_per_second": "starts a second",
    "escalations_per_second": "escalations a second",
    "seconds": "seconds in all",
    "first_seconds": "seconds until the first answer",
    "p50_ms": "verdict, median, ms",
    "p95_ms": "verdict, 95 of 100, ms",
    "p99_ms": "verdict, 99 of 100, ms",
    "worker_cpu_ms": "CPU of the worker for a run, ms",
    "server_cpu_ms": "CPU of the server for a run, ms",
    "worker_memory_mib": "memory of the worker, MiB",
    "worker_memory_kib": "memory of the worker for a run in its cache, KiB",
    "server_memory_kib": "memory of the server for a run, KiB",
    "server_disk_kib": "disk of the server for a run, KiB",
    "rows_disk_kib": "disk of the rows for a run, KiB",
    "rested_after": "seconds until nothing was on its way",
    "early": "approvals that came before their stage was open",
    "started_too_late": "seconds that the last start came too late",
    "told_twice": "runs told twice",
}
"""What a figure is called in a table, in the order of its lines."""
COUNTS: Final = ("runs", "rested_after", "early", "started_too_late", "told_twice")
"""Of these a ratio would say nothing."""


def machine(server: str) -> dict[str, Any]:
    """Where and with what this was measured, as far as it stands still."""
    return {
        "cores": os.cpu_count(), "system": platform.platform(terse=True), "python": platform.python_version(),
        "temporalio": version("temporalio"), "server": server,
    }  # fmt: skip


def moment() -> dict[str, Any]:
    """When, and how busy the machine is then."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "load_average": [round(one, 2) for one in os.getloadavg()]
    }  # fmt: skip


def tables(results: Results) -> str:
    """Markdown: a table for each scenario, with the spread of each figure and its ratio to the reference."""
    return "\n".join(_table(scenario, found) for scenario, found in results.shape().items())


def _table(scenario: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    names = [name for name in contenders.ALL if name in found]
    lines = [f"### {scenario.capitalize()}", "", f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for key, words in WORDS.items():
        figures = [found[name].get(key) for name in names]
        if any(figure and any(figure["values"]) for figure in figures):
            compared = key not in COUNTS
            cells = [
                _cell(figure, compared and name != contenders.REFERENCE) if figure else ""
                for name, figure in zip(names, figures, strict=True)
            ]
            lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(figure: Mapping[str, Any], compared: bool) -> str:
    value = _number(figure["median"])
    if figure["most"] > figure["least"]:
        value += f" ({_number(figure['least'])} to {_number(figure['most'])})"
    if compared and "ratio" in figure:
        value += f", {figure['ratio']:.2f} ×"
    return value


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def keep(name: str, about: Mapping[str, Any], results: Results) -> list[Path]:
    """Writes both forms; where they are."""
    FOLDER.mkdir(exist_ok=True)
    told = {**about, "rounds": results.count, "failed": results.failed, "scenarios": results.shape()}
    as_json, as_text = FOLDER / f"{name}.json", FOLDER / f"{name}.md"
    as_json.write_text(json.dumps(told, indent=2) + "\n")
    as_text.write_text(f"{_head(about, results)}\n\n{tables(results)}")
    return [as_json, as_text]


def _head(about: Mapping[str, Any], results: Results) -> str:
    where, began, ended = about["machine"], about["began"], about["ended"]
    return (
        f"{results.count} rounds on {where['cores']} cores, load average {began['load_average'][0]} to {ended['load_average'][0]}, "
        f"Python {where['python']}, temporalio {where['temporalio']}, {where['server']}, {began['at']}. "
        f"A cell: median (least to most), ratio to {contenders.REFERENCE}."
    )
