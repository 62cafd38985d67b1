"""What the pictures of a report show, from its values: rows ready to be drawn, with the words that stand beside them. Pure.

Nothing is computed anew here: medians, shares and counts are those of `metrics.overall.report`. Only what a picture needs beyond
them is added: runs put into bins of time, and stages named by their titles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metrics.markup import plain
from metrics.spread import spread
from onboarding.reading.cover import lasting

Line = Mapping[str, Any]
Titles = Mapping[tuple[str, str], str]
"""Definition and stage, and what the stage is called."""

SIDES = {
    "customer": "customer", "provider": "provider", "third_party": "third party", "hold": "on hold", "off_hours": "off hours",
}  # fmt: skip
"""Whose time it is, in the words and the order in which it is shown."""
BINS = 24
"""Bars of a distribution, at most: more of them are a comb, and nobody reads a comb."""
TAIL = 2
"""How many times what 90 of 100 stay within: what took longer shares the last bar, or a single one would flatten the rest."""
_WIDTHS = (
    1, 5, 15, 60, 300, 900, 3_600, 2 * 3_600, 6 * 3_600, 12 * 3_600, 86_400, 2 * 86_400, 3 * 86_400, 4 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400,
    56 * 86_400, 112 * 86_400, 364 * 86_400,
)  # fmt: skip


def together(groups: Sequence[Line]) -> dict[str, Any]:
    """All groups of a report as one, for `metrics.overall.report`. Owners are not told: one may stand in several groups."""
    first = groups[0]
    return {
        "by": {},
        "runs": sum(group["runs"] for group in groups),
        "open": sum(group["open"] for group in groups),
        "elapsed": sum(group["elapsed"] for group in groups),
        "outcomes": {name: sum(group["outcomes"][name] for group in groups) for name in first["outcomes"]},
        "sides": {name: sum(group["sides"][name] for group in groups) for name in first["sides"]},
        "values": {name: _joined(group["values"][name] for group in groups) for name in first["values"]},
        "own": {},
        "waits": {
            name: tuple(_joined(group["waits"][name][n] for group in groups) for n in range(3)) for name in first["waits"]
        },
        "rates": {
            name: tuple(sum(group["rates"][name][n] for group in groups) for n in range(3)) for name in first["rates"]
        },
        "owners": [],
    }  # fmt: skip


def _joined(lists: Iterable[Sequence[int]]) -> list[int]:
    return [value for values in lists for value in values]


def headline_of(line: Line) -> str:
    """Which of the two times the report leads with: the first value, or going live where nobody has seen a first value."""
    told = line["with_open"]
    return "time_to_live" if not told["time_to_first_value"]["reached"] and told["time_to_live"]["reached"] else "time_to_first_value"  # fmt: skip


REACHING = {"time_to_first_value": "first value", "time_to_live": "fully live"}
"""What is reached at the end of a time."""


def unit_of(longest: float) -> tuple[int, str]:
    """The unit in which an axis is marked: its seconds and its letter."""
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if longest >= 2 * size:
            return size, letter
    return 1, "s"


def bins(reached: Sequence[int], waiting: Sequence[int], without: Sequence[int]) -> list[dict[str, Any]]:
    """Every run in exactly one bar: by the time it took, waits so far, or had waited when it closed without.

    A bar says `since` and `until`; `until` of the last one is `None` where it holds all that took longer. What is signed only
    later has waited for less than nothing, and stands in the first.
    """
    every = [max(value, 0) for value in sorted([*reached, *waiting, *without])]
    if not every:
        return []
    end = min(every[-1], TAIL * max(every[len(every) * 9 // 10], 1))
    width = next((one for one in _WIDTHS if end < BINS * one), end // BINS + 1)
    count = end // width + 1
    found: list[dict[str, Any]] = [
        {"since": n * width, "until": (n + 1) * width, "reached": 0, "waiting": 0, "without": 0} for n in range(count)
    ]
    if every[-1] >= count * width:
        found.append({"since": count * width, "until": None, "reached": 0, "waiting": 0, "without": 0})
    for name, values in (("reached", reached), ("waiting", waiting), ("without", without)):
        for value in values:
            found[min(max(value, 0) // width, len(found) - 1)][name] += 1
    return found


def stages_by_definition(line: Line) -> dict[str, list[Line]]:
    """The stages of a line, in their order, apart for each definition."""
    found: dict[str, list[Line]] = {}
    for stage in line["stages"]:
        found.setdefault(stage["definition"], []).append(stage)
    return found


def funnel(stages: Sequence[Line], titles: Titles) -> list[dict[str, Any]]:
    """Who came into each stage and how they went on."""
    return [
        {
            "title": title_of(stage, titles),
            **{name: stage[name] for name in ("entered", "left", "open", "lost", "cancelled")},
            **_both(_went(stage)),
        }
        for stage in stages
    ]


def _went(stage: Line) -> str:
    parts = [f"{stage['entered']:,} in", f"{stage['left']:,} went on"]
    parts += [f"{stage[name]:,} {word}" for name, word in (("open", "there now"), ("lost", "lost"), ("cancelled", "cancelled")) if stage[name]]  # fmt: skip
    return ", ".join(parts)


def plan_and_actual(stages: Sequence[Line], titles: Titles) -> list[dict[str, Any]]:
    """How long each stage takes against what was planned, of the runs that have left it; where there is none, that is said."""
    return [
        {
            "title": title_of(stage, titles),
            "planned": stage["planned"]["median"],
            "median": stage["actual"]["median"],
            "p80": stage["actual"]["p80"],
            **_took(stage),
        }
        for stage in stages
    ]


def _took(stage: Line) -> dict[str, str]:
    actual, planned, kept = stage["actual"], stage["planned"]["median"], stage["within_target"]
    plan = f"planned {time(planned)}" if planned is not None else "no plan"
    if not actual["n"]:
        return _both(f"no run has left it; {plan}")
    judged = f"; {kept['count']:,} of {kept['n']:,} in time" if kept["n"] else ""
    median, p80 = time(actual["median"]), time(actual["p80"])
    return {
        "said": f"half within {median}, 8 of 10 within {p80}; {plan}{judged}",
        "brief": f"{median}, 8 of 10 {p80}, {plan}",
    }


def _both(said: str) -> dict[str, str]:
    """Words beside a bar that are short enough for a telephone, too."""
    return {"said": said, "brief": said}


def sides(line: Line) -> list[dict[str, Any]]:
    """Whose the time of a closed run is on average; each begins where the one before ends, so that they add up to all of it."""
    told = line["sides"]
    if not told["n"]:
        return []
    rows, before = [], 0
    for side, words in SIDES.items():
        seconds = told[side]
        rows.append(
            {"side": side, "title": words, "since": before / told["n"], "until": (before + seconds) / told["n"], **_both(_part(seconds, told))}
        )  # fmt: skip
        before += seconds
    return rows


def _part(seconds: int, told: Line) -> str:
    return f"{time(seconds / told['n'])} · {share(seconds / told['elapsed'] if told['elapsed'] else None)}"


def bottlenecks(rows: Sequence[Line], titles: Titles) -> list[dict[str, Any]]:
    """Where the time of closed runs goes, and whose it is: the most first. Shares are of all their time."""
    elapsed = sum(sum(row["values"]) for row in rows)
    several = len({row["definition"] for row in rows}) > 1
    found = []
    for row in rows:
        seconds, told = sum(row["values"]), spread(row["values"])
        part = seconds / elapsed if elapsed else None
        title, words = title_of(row, titles), SIDES.get(row["side"], row["side"])
        found.append(
            {
                "title": f"{title} ({row['definition']})" if several else title,
                "side": row["side"],
                "whose": words,
                "runs": told["n"],
                "median": told["median"],
                "p80": told["p80"],
                "seconds": seconds,
                "share": part,
                **_both(
                    f"{words} · {share(part)} of all time · half within {time(told['median'])} · {runs(told['n'])}"
                ),
            }
        )
    return sorted(found, key=lambda one: (-one["seconds"], one["title"], one["side"]))


def title_of(row: Line, titles: Titles) -> str:
    """What a stage is called, on one line; its id where no row tells."""
    told = titles.get((row["definition"], row["stage"])) or row["stage"]
    return " ".join(plain(told).split()) or row["stage"]


def time(seconds: float | None) -> str:
    """A duration for people: its two largest units."""
    return "–" if seconds is None else lasting(round(seconds))


def share(part: float | None) -> str:
    """A share for people; what is little is not nothing."""
    if part is None:
        return "–"
    return "< 1 %" if 0 < part < 0.005 else f"{100 * part:.0f} %"


def runs(count: int) -> str:
    """How many runs."""
    return f"{count:,} run{'s' if count != 1 else ''}"
