"""A report as one page that a manager can forward: what matters first, then how it comes about, and what each number rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from metrics import charts, overall, shown
from metrics.charts import NARROW, WIDE, Figure
from metrics.markup import cards, figure, page, table, tagged
from metrics.shown import runs, share, time

Line = Mapping[str, Any]

SECTIONS = 12
"""Lines of a report that have charts of their own; a page of a hundred is read by nobody."""
WORST = 10
"""Places in the list of where the days go."""


@dataclass(frozen=True)
class Material:
    """What a page is made of: what the database gave, when, and the words for which runs were asked for."""

    groups: Sequence[Line]
    stages: Sequence[Line]
    spent: Sequence[Line]
    titles: shown.Titles
    at: datetime
    chosen: str
    empty: str = ""
    """What is said where there are no groups."""

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the report."""
        return overall.report(self.groups, self.stages, self.at)

    @cached_property
    def pairs(self) -> list[tuple[Line, Line]]:
        """Each line with the group that it was made from, whose single values are drawn."""
        groups = {tuple(group["by"].values()): group for group in self.groups}
        return [(groups[tuple(line["by"].values())], line) for line in self.lines]

    @cached_property
    def whole(self) -> dict[str, Any]:
        """All of them as one line; only of its stages nothing is told, because definitions differ in them."""
        return overall.report([shown.together(self.groups)], [], self.at)[0]


# One chart -----------------------------------------------------------------------------------------------------------


def time_to_value(group: Line, line: Line, width: int = WIDE) -> list[Figure]:
    """The distribution of the time that the report leads with."""
    name = shown.headline_of(line)
    told, goal = line["with_open"][name], shown.REACHING[name]
    bars = shown.bins(*group["waits"][name])
    if not bars:
        return []
    words = {"reached": f"reached {goal}", "waiting": "still wait, for so long", "without": "closed without"}
    marks = [("half within", told["median"]), ("8 of 10 within", told["p80"])]
    longer = sum(bars[-1][kind] for kind in words) if bars[-1]["until"] is None else 0
    beyond = f" Last bar: {runs(longer)} beyond {time(bars[-1]['since'])}." if longer else ""
    caption = (
        f"{runs(told['n'])}: {told['reached']:,} reached it, {told['open']:,} still wait, {told['ended']:,} closed without. "
        f"Half and 8 of 10 are estimated with those that still wait.{beyond}"
    )
    return [Figure(f"From signing to {goal}", caption, charts.time_to_value(bars, marks, words, width))]


def funnel(line: Line, titles: shown.Titles, width: int = WIDE) -> list[Figure]:
    """Who came into each stage, for each definition."""
    caption = "Each bar holds the runs that came in: those that went on, are there now, or ended there."
    return [
        Figure(f"Funnel by stage{of}", caption, charts.funnel(shown.funnel(stages, titles), width))
        for of, stages in _by_definition(line)
    ]


def plan(line: Line, titles: shown.Titles, width: int = WIDE) -> list[Figure]:
    """How long each stage takes against its plan, for each definition."""
    caption = "Of the runs that have left a stage. Bar: half of them within; line: 8 of 10 within; black mark: planned."
    return [
        Figure(f"Stages, planned and actual{of}", caption, charts.stages(shown.plan_and_actual(stages, titles), width))
        for of, stages in _by_definition(line)
    ]


def _by_definition(line: Line) -> list[tuple[str, list[Line]]]:
    found = shown.stages_by_definition(line)
    return [(f": {name}" if len(found) > 1 else "", stages) for name, stages in found.items()]


def sides(line: Line, width: int = WIDE) -> list[Figure]:
    """Whose the time was."""
    told = line["sides"]
    rows = shown.sides(line)
    if not rows:
        return []
    caption = (
        f"The average of {told['n']:,} closed {'run' if told['n'] == 1 else 'runs'}: together {time(told['elapsed'] / told['n'])} from start "
        "to close. Each bar begins where the one before ends; a side has its working hours, the rest is off hours."
    )
    return [Figure("Time by side", caption, charts.sides(rows, width))]


def bottlenecks(rows: Sequence[Line], titles: shown.Titles, width: int = WIDE) -> list[Figure]:
    """Where most of the time goes."""
    found = shown.bottlenecks(rows, titles)
    if not found:
        return []
    caption = "All time of closed runs, nights and weekends with it, by stage and by whose turn it was; the most first."
    return [Figure("Where the days go", caption, charts.bottlenecks(found[:WORST], width))]


def chart(material: Material, name: str) -> list[Figure]:
    """The chart of this name (`CHARTS`), of each line of the report; where the days go is told of all of them together."""
    if name == "bottlenecks":
        return bottlenecks(material.spent, material.titles)
    found = []
    for group, line in material.pairs:
        of = f": {_named(line)}" if len(material.lines) > 1 else ""
        found += [replace(one, title=f"{one.title}{of}") for one in _of_line(name, group, line, material.titles)]
    return found


def _of_line(name: str, group: Line, line: Line, titles: shown.Titles) -> list[Figure]:
    match name:
        case "funnel":
            return funnel(line, titles)
        case "stages":
            return plan(line, titles)
        case "sides":
            return sides(line)
        case _:
            return time_to_value(group, line)


# The page ------------------------------------------------------------------------------------------------------------


def report(material: Material) -> str:
    """The whole page; of no runs a page that says so."""
    title = "Onboarding report"
    if not material.groups:
        return page(title, [tagged("h1", title), tagged("p", material.empty, "lead"), _made(material)])
    drawn = _Drawn(material)
    one = len(material.lines) == 1
    body = drawn.single() if one else drawn.several()
    return page(title, [tagged("h1", title), tagged("p", headline(material.whole), "lead"), *body, _made(material)])


def headline(line: Line) -> str:
    """The one sentence that is read by everybody."""
    name = shown.headline_of(line)
    told, goal = line["with_open"][name], shown.REACHING[name]
    if told["median"] is not None:
        begin = f"Half of all runs reach {goal} within {time(told['median'])} of signing"
    elif told["reached"]:
        begin = f"{told['reached']:,} of {runs(told['n'])} have reached {goal} so far, which is fewer than half"
    else:
        begin = f"No run has reached {goal} yet"
    still = f"of {runs(line['runs'])} {line['open']:,} {'is' if line['open'] == 1 else 'are'} still open"
    if line["runs"] == 1:
        still = f"the only run is {'still open' if line['open'] else 'closed'}"
    kept = line["rates"]["on_time"]
    judged = f"{kept['count']:,} of {kept['n']:,} ({share(kept['rate'])}) went live by the date they were promised"
    return f"{begin}; {still}, and {judged if kept['n'] else 'no promised date has come yet'}."


def _four(line: Line) -> str:
    name = shown.headline_of(line)
    told, goal = line["with_open"][name], shown.REACHING[name]
    kept, theirs = line["rates"]["on_time"], line["rates"]["customer_on_time"]
    return cards(
        (
            (time(told["median"]), f"from signing to {goal}, half of {runs(told['n'])}; 8 of 10 within {time(told['p80'])}"),
            (f"{line['open']:,}", f"of {runs(line['runs'])} {'is' if line['open'] == 1 else 'are'} still open"),
            (share(kept["rate"]), f"live by the promised date: {kept['count']:,} of {kept['n']:,}"),
            (share(theirs["rate"]), f"of what customers owe comes in time: {theirs['count']:,} of {theirs['n']:,}"),
        )
    )  # fmt: skip


class _Drawn:
    """The parts of one page; charts are counted, so that their ids stay apart."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.count = 0

    def figures(self, wide: Sequence[Figure], narrow: Sequence[Figure], level: str = "h3") -> list[str]:
        """Each chart under its title, in both widths."""
        parts = []
        for large, small in zip(wide, narrow, strict=True):
            self.count += 1
            drawings = (
                charts.svg([one], f"c{self.count}{kind}", alone=False) for one, kind in ((large, "w"), (small, "n"))
            )
            parts += [tagged(level, large.title), tagged("p", large.caption, "soft"), figure(*drawings)]
        return parts

    def distribution(self, group: Line, line: Line) -> list[str]:
        """The time that the report leads with."""
        return self.figures(time_to_value(group, line), time_to_value(group, line, NARROW))

    def section(self, group: Line, line: Line) -> list[str]:
        """A line of the report, drawn."""
        titles = self.material.titles
        return [
            _four(line),
            *self.distribution(group, line),
            *self.figures(funnel(line, titles), funnel(line, titles, NARROW)),
            *self.figures(plan(line, titles), plan(line, titles, NARROW)),
            *self.figures(sides(line), sides(line, NARROW)),
        ]

    def single(self) -> list[str]:
        """A report of one line."""
        group, line = self.material.pairs[0]
        return [*self.section(group, line), *self.spent("h3"), *_numbers(line)]

    def several(self) -> list[str]:
        """All runs together, the lines beside each other, and each by itself."""
        whole, lines = self.material.whole, self.material.lines
        parts = [
            _four(whole),
            *self.distribution(shown.together(self.material.groups), whole),
            *self.spent("h3"),
            *_compared(lines),
        ]
        drawn = sorted(range(len(lines)), key=lambda n: (-lines[n]["runs"], n))[:SECTIONS]
        for n in sorted(drawn):
            group, line = self.material.pairs[n]
            parts += [tagged("h2", _named(line)), tagged("p", headline(line))]
            parts += [*self.section(group, line), *_numbers(line)]
        if len(lines) > len(drawn):
            told = f"Only the {SECTIONS} with the most runs have charts of their own; the table above has all {len(lines)}."
            parts.append(tagged("p", told, "soft"))
        return parts

    def spent(self, level: str) -> list[str]:
        """Where the days go: drawn, and as a table that can be copied."""
        material = self.material
        found = shown.bottlenecks(material.spent, material.titles)[:WORST]
        rows = [
            (
                f"{n}. {one['title']}",
                one["whose"],
                share(one["share"]),
                time(one["median"]),
                time(one["p80"]),
                f"{one['runs']:,}",
            )
            for n, one in enumerate(found, start=1)
        ]
        head = ("stage", "whose turn", "share of all time", "half within", "8 of 10 within", "runs")
        wide, narrow = (bottlenecks(material.spent, material.titles, width) for width in (WIDE, NARROW))
        return [*self.figures(wide, narrow, level), table(head, rows, words=2)] if found else []


def _named(line: Line) -> str:
    return ", ".join(f"{name} {'(none)' if value in ('', None) else value}" for name, value in line["by"].items())


def _compared(lines: Sequence[Line]) -> list[str]:
    rows = []
    for line in lines:
        told, kept = line["with_open"], line["rates"]["on_time"]
        first, live = told["time_to_first_value"], told["time_to_live"]
        rows.append(
            (
                _named(line), f"{line['runs']:,}", f"{line['open']:,}", time(first["median"]), time(first["p80"]), time(live["median"]),
                f"{share(kept['rate'])} of {kept['n']:,}",
            )
        )  # fmt: skip
    head = ("", "runs", "open", "to first value, half", "8 of 10", "to live, half", "live as promised")
    return [tagged("h3", "Side by side"), table(head, rows)]


WORDS = {
    "time_to_first_value": "signing to first value", "time_to_live": "signing to fully live", "elapsed": "start to close",
    "customer_seconds": "customer's working time", "provider_seconds": "our working time", "third_party_seconds": "third parties' time",
    "hold_seconds": "on hold", "off_hours_seconds": "off hours", "handoff_seconds": "between two of us", "longest_silence": "longest silence to a customer",
    "asks": "separate asks", "rounds": "corrections",
}  # fmt: skip
"""The standard numbers of a report, in the words and the order of the page."""
_COUNTS = ("asks", "rounds")
_RATES = {
    "on_time": "live by the promised date", "went_live": "closed as live", "escalated": "escalated at least once",
    "customer_on_time": "customer on time", "first_pass": "right at the first attempt",
}  # fmt: skip


def _numbers(line: Line) -> list[str]:
    """What each number rests on."""
    spreads = [
        (words, f"{told['n']:,}", *(amount(name, told[one]) for one in ("median", "p80", "p90")))
        for name, words in WORDS.items()
        for told in [line["metrics"][name]]
    ]
    waits = [
        (
            f"{WORDS[name]}, with those that wait",
            f"{told['n']:,}",
            *(time(told[one]) for one in ("median", "p80", "p90")),
        )
        for name, told in line["with_open"].items()
    ]
    rates = [
        (words, f"{line['rates'][name]['runs']:,}", f"{line['rates'][name]['count']:,} of {line['rates'][name]['n']:,}", share(line["rates"][name]["rate"]))
        for name, words in _RATES.items()
    ]  # fmt: skip
    return [
        tagged("h3", "What the numbers rest on"),
        table(("number", "runs", "half within", "8 of 10", "9 of 10"), [*waits, *spreads]),
        table(("share", "runs", "counted", "rate"), rates),
    ]


def amount(name: str, value: float | None) -> str:
    """A standard number for people: a duration, or a count."""
    if name not in _COUNTS:
        return time(value)
    return "–" if value is None else f"{value:g}"


def _made(material: Material) -> str:
    made = f"Made {material.at:%Y-%m-%d %H:%M} UTC from {material.chosen}."
    said = (
        f"{made} Times are elapsed time, nights and weekends included, except where "
        "a side's working time is told. What is counted from signing is counted from the start where no signing is known. docs/numbers.md has a query for each number."
    )
    return f"<footer>{tagged('p', said if material.groups else made)}</footer>"
