"""A report over many runs for people at a terminal, and as lines for a spreadsheet. Every number with the runs that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from console import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

Line = Mapping[str, Any]
PERCENTS = ("median", "p80", "p90")
COUNTS = ("asks", "rounds")
"""Standard numbers that are no seconds."""
TIMES = (
    "time_to_first_value", "time_to_live", "elapsed", "customer_seconds", "provider_seconds", "third_party_seconds",
    "hold_seconds", "off_hours_seconds", "handoff_seconds", "longest_silence",
)  # fmt: skip
"""Standard numbers that are seconds; of what a definition names nobody knows."""
RATES = {
    "on_time": "live by the promised date", "went_live": "closed as live", "escalated": "escalated at least once",
    "customer_on_time": "customer on time", "first_pass": "right at the first attempt",
}  # fmt: skip


def overall(found: Sequence[Line]) -> RenderableType:
    """One part after the other for each line of the report."""
    parts: list[RenderableType] = []
    for line in found:
        parts += [*([Text("")] if parts else []), *_parts(line)]
    return Group(*parts)


def _parts(line: Line) -> list[RenderableType]:
    return [
        Text(_headline(line), style="bold"),
        Text(""),
        tables.grid(_numbers(line), {"name": "number", "n": "runs"} | _same(PERCENTS)),
        Text(""),
        tables.grid(
            _with_open(line),
            {"name": "with open runs", "n": "runs", "reached": "reached", "waits": "open", "ended": "ended"} | _same(PERCENTS),
        ),
        Text(""),
        tables.grid(_rates(line), {"name": "share", "runs": "runs", "of": "of", "rate": "rate"}),
        Text(""),
        tables.grid(_sides(line), {"name": "time by side", "n": "runs", "time": "time", "share": "share"}),
        *_stages(line),
    ]  # fmt: skip


def _same(names: Sequence[str]) -> dict[str, str]:
    return {name: name for name in names}


def _headline(line: Line) -> str:
    of = ", ".join(f"{name} {tables.plain(value) or '–'}" for name, value in line["by"].items())
    ends = ", ".join(f"{count} {outcome}" for outcome, count in line["outcomes"].items())
    owners = line["owners"]
    per = f"{owners['n']} owner{'s' if owners['n'] != 1 else ''}, median {tables.plain(owners['median'])} runs each"
    return f"{of}: {line['runs']} runs, {line['open']} open, {ends}; {per}"


def _numbers(line: Line) -> list[Line]:
    return [
        {"name": name, "n": told["n"], **{percent: _said(name, told[percent]) for percent in PERCENTS}}
        for name, told in line["metrics"].items()
    ]


def _said(name: str, number: int | float | None) -> str:
    if number is None or name in COUNTS:
        return tables.plain(number)
    return tables.lasting(round(number)) if name in TIMES else tables.measured(number)


def _with_open(line: Line) -> list[Line]:
    return [
        {"name": name, **told, "waits": told["open"], **{one: _time(told[one]) for one in PERCENTS}}
        for name, told in line["with_open"].items()
    ]


def _time(seconds: int | float | None) -> str:
    return tables.plain(seconds) if seconds is None else tables.lasting(round(seconds))


def _rates(line: Line) -> list[Line]:
    return [
        {"name": RATES[name], "runs": told["runs"], "of": f"{told['count']} of {told['n']}", "rate": _share(told["rate"])}
        for name, told in line["rates"].items()
    ]  # fmt: skip


def _share(rate: float | None) -> str:
    return tables.plain(rate) if rate is None else f"{100 * rate:.0f} %"


def _sides(line: Line) -> list[Line]:
    told = line["sides"]
    names = [name for name in told if name not in ("n", "elapsed")]
    return [
        {
            "name": "together" if name == "elapsed" else name.replace("_", " "),
            "n": told["n"],
            "time": _time(told[name]),
            "share": _share(told[name] / told["elapsed"]) if told["elapsed"] else "",
        }
        for name in (*names, "elapsed")
    ]


def _stages(line: Line) -> list[RenderableType]:
    if not line["stages"]:
        return []
    several = len({stage["definition"] for stage in line["stages"]}) > 1
    shown = [
        {
            **stage,
            "name": f"{stage['definition']}/{stage['stage']}" if several else stage["stage"],
            "plan": _time(stage["planned"]["median"]),
            "took": _time(stage["actual"]["median"]),
            "slow": _time(stage["actual"]["p80"]),
            "waits": _time(stage["with_open"]["median"]),
            "kept": f"{stage['within_target']['count']} of {stage['within_target']['n']}",
        }
        for stage in line["stages"]
    ]
    columns = {
        "name": "stage", "entered": "in", "left": "out", "open": "there", "lost": "lost", "cancelled": "cancelled",
        "plan": "planned", "took": "took", "slow": "p80", "waits": "with open", "kept": "in time",
    }  # fmt: skip
    return [Text(""), tables.grid(shown, columns)]


_COLUMNS = (
    "stage", "part", "number", "runs", "n", "count", "rate", "reached", "open", "ended", "median", "p80", "p90", "value",
)  # fmt: skip


def flat(found: Sequence[Line]) -> list[dict[str, Any]]:
    """A line for each number: what it is of, what it rests on, and its values; what a number does not have stays empty."""
    empty = dict.fromkeys(_COLUMNS)
    return [{**line["by"], "at": line["at"], **empty, **one} for line in found for one in _flat(line)]


def flat_run(answer: Line) -> list[dict[str, Any]]:
    """The numbers of one run, one a line."""
    parts = {"milestone": answer["milestones"], "side": answer["by_side"], "metric": answer["metrics"]}
    told = [("run", "elapsed", answer["elapsed"])]
    told += [(part, name, value) for part, numbers in parts.items() for name, value in numbers.items()]
    return [{"run": answer["run"], "part": part, "number": name, "value": value} for part, name, value in told]


def _flat(line: Line) -> Iterator[dict[str, Any]]:
    yield from _counts({"runs": line["runs"], "open": line["open"], **line["outcomes"]}, "runs", line["runs"])
    for part in ("metrics", "with_open", "rates"):
        for name, told in line[part].items():
            yield {"part": part, "number": name, "runs": told["n"], **told}
    sides = {name: value for name, value in line["sides"].items() if name != "n"}
    yield from _counts(sides, "sides", line["sides"]["n"])
    yield {"part": "owners", "number": "runs_per_owner", "runs": line["runs"], **line["owners"]}
    for stage in line["stages"]:
        of = {"stage": f"{stage['definition']}/{stage['stage']}"}
        counts = {name: stage[name] for name in ("entered", "left", "open", "lost", "cancelled")}
        for told in _counts(counts, "stages", stage["entered"]):
            yield of | told
        for name in ("planned", "actual", "with_open", "within_target"):
            yield of | {"part": "stages", "number": name, "runs": stage[name]["n"], **stage[name]}


def _counts(values: Mapping[str, Any], part: str, runs: int) -> Iterator[dict[str, Any]]:
    for name, value in values.items():
        yield {"part": part, "number": name, "runs": runs, "value": value}
