"""The charts of a report, drawn by Altair from the rows of `metrics.shown`: each in two widths, for a page and for a telephone.

What a chart says stands in it as words, too, so that it can be read without colour. Nothing is left to chance: the same rows give
the same bytes. Needs the extra `reports`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any
from unicodedata import east_asian_width

import altair as alt
import vl_convert

from metrics.markup import plain, text
from metrics.shown import SIDES, time, unit_of
from metrics.stretches import Bars

Row = Mapping[str, Any]

WIDE, NARROW = 720, 340
"""Pixels: what fits a printed page, and what fits a telephone."""
SHARP = 2
"""Pixels of a PNG for each of ours: half of today's screens would blur it otherwise."""

INK, SOFT, FAINT = "#1b1f24", "#57606a", "#d8dee4"
COLOURS = {
    "customer": "#c2410c", "provider": "#1d5fa8", "third_party": "#2f8f6b", "hold": "#7a4fa3", "off_hours": "#b6bec8",
}  # fmt: skip
"""Of the sides; far apart in lightness or hue also for those who see fewer colours."""
_WENT = {"left": "#1d5fa8", "open": "#8fbce6", "lost": "#c2410c", "cancelled": "#8b949e"}
_WENT_WORDS = {"left": "went on", "open": "there now", "lost": "lost there", "cancelled": "cancelled there"}
_TIMES = {"reached": "#1d5fa8", "waiting": "#8fbce6", "without": "#b6bec8"}

Chart = alt.LayerChart


def time_to_value(bins: Sequence[Row], marks: Sequence[tuple[str, float | None]], words: Mapping[str, str], width: int) -> Chart:  # fmt: skip
    """Runs by the time that they took, wait so far, or had waited when they closed; `marks` are instants worth a line."""
    size, letter = unit_of(bins[-1]["since"])
    step = bins[0]["until"] - bins[0]["since"]
    values = []
    for one in bins:
        low = 0
        for kind, what in words.items():
            if one[kind]:
                values.append(
                    {
                        "since": one["since"] / size, "until": (one["since"] + step) / size, "low": low, "high": low + one[kind], "what": what,
                        "told": f"{one['since']} to {one['until'] or 'any'} seconds: {one[kind]} {what}",
                    }
                )  # fmt: skip
            low += one[kind]
    longest = (bins[-1]["since"] + step) / size
    scale = alt.Scale(domain=[0, longest], nice=False)
    bars = (
        _of(values)
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X("since:Q", scale=scale, title=None, axis=_axis(letter)),
            x2="until:Q",
            y=alt.Y("low:Q", title="runs", axis=alt.Axis(**_whole_ticks(values))),
            y2="high:Q",
            color=_colour({words[kind]: colour for kind, colour in _TIMES.items()}, width, orient="bottom"),
            description="told:N",
        )
    )
    lines = [
        {"at": at / size, "said": f"{what} {time(at)}", "left": at / size < longest * 0.6, "row": n}
        for n, (what, at) in enumerate(marks)
        if at is not None and at / size <= longest
    ]
    layers: list[Any] = [bars]
    for line in lines:
        base = _of([line]).encode(x=alt.X("at:Q", scale=scale))
        layers.append(base.mark_rule(color=INK, strokeDash=[4, 3]).encode(description="said:N"))
        layers.append(
            base.mark_text(
                align="left" if line["left"] else "right", dx=4 if line["left"] else -4, dy=-6 - 13 * (len(lines) - 1 - line["row"]),
                fontWeight="bold", color=INK,
            ).encode(text="said:N", y=alt.value(0))
        )  # fmt: skip
    return _finished(layers, width - 42, 220)


def _whole_ticks(values: Sequence[Row]) -> dict[str, Any]:
    """There is no half of a run."""
    most = max(value["high"] for value in values)
    return {"format": ",d", **({"values": list(range(most + 1))} if most <= 4 else {"tickMinStep": 1, "tickCount": 4})}


def funnel(rows: Sequence[Row], width: int) -> Chart:
    """Who came into each stage, and how they went on."""
    values = []
    for n, row in enumerate(rows):
        low = 0
        for kind, what in _WENT_WORDS.items():
            if row[kind]:
                values.append({"row": n, "low": low, "high": low + row[kind], "what": what, "told": f"{row['title']}: {row[kind]} {what}"})  # fmt: skip
            low += row[kind]
    most = max([1, *(row["entered"] for row in rows)])
    bars = _bars(values, most, None).encode(
        color=_colour({_WENT_WORDS[kind]: colour for kind, colour in _WENT.items()}, width)
    )
    return _in_rows(rows, [bars], width)


def stages(rows: Sequence[Row], width: int) -> Chart:
    """How long each stage takes: a bar to the median, a line to what 8 of 10 stay within, and a mark where it was planned."""
    longest = max([1, *(row[name] or 0 for row in rows for name in ("planned", "median", "p80"))])
    size, letter = unit_of(longest)
    took = [
        {
            "row": n, "low": 0, "high": row["median"] / size, "p80": row["p80"] / size,
            "told": f"{row['title']}: median {row['median']} seconds, p80 {row['p80']} seconds",
        }
        for n, row in enumerate(rows)
        if row["median"] is not None
    ]  # fmt: skip
    plan = [
        {"row": n, "plan": row["planned"] / size, "told": f"{row['title']}: planned {row['planned']} seconds"}
        for n, row in enumerate(rows)
        if row["planned"] is not None
    ]  # fmt: skip
    scale = alt.Scale(domain=[0, longest / size], nice=False)
    until = alt.X("p80:Q", scale=scale)
    bars = _bars(took, longest / size, letter).encode(color=alt.value(COLOURS["provider"]))
    over = _of(took).encode(y=_row(), x=alt.X("high:Q", scale=scale), x2="p80:Q")
    ends = _of(took).encode(y=_row(), x=until)
    planned = _of(plan).encode(y=_row(), x=alt.X("plan:Q", scale=scale), description="told:N")
    layers = [
        bars,
        over.mark_rule(color=COLOURS["provider"], strokeWidth=2),
        ends.mark_tick(color=COLOURS["provider"], thickness=2, size=10),
        planned.mark_tick(color=INK, thickness=3, size=18),
    ]
    return _in_rows(rows, layers, width)


def sides(rows: Sequence[Row], width: int) -> Chart:
    """Whose the time is; each bar begins where the one before ends."""
    size, letter = unit_of(rows[-1]["until"])
    values = [
        {
            "row": n, "low": row["since"] / size, "high": row["until"] / size, "what": row["side"],
            "told": f"{row['title']}: {round(row['until'] - row['since'])} seconds",
        }
        for n, row in enumerate(rows)
    ]  # fmt: skip
    bars = _bars(values, max(rows[-1]["until"] / size, 1e-9), letter).encode(color=_side())
    return _in_rows(rows, [bars], width)


def bottlenecks(rows: Sequence[Row], width: int) -> Chart:
    """Where most of the time goes, the most first, in the colour of the side that has it."""
    values = [
        {"row": n, "low": 0, "high": row["share"] or 0, "what": row["side"], "told": f"{row['title']}: {row['seconds']} seconds, {row['whose']}"}
        for n, row in enumerate(rows)
    ]  # fmt: skip
    most = max([1e-9, *(value["high"] for value in values)])
    return _in_rows(rows, [_bars(values, most, None).encode(color=_side())], width)


def run(whole: Bars, rows: Sequence[Row], marks: Sequence[Row], width: int) -> Chart:
    """One run: a bar for each stage over the days, in the colours of the sides, then a row for each milestone.

    Off hours are thin, so that the working time of a side is what the eye sees.
    """
    begin, end = _epoch(whole.since), _epoch(whole.until)
    scale = alt.Scale(type="utc", domain=[begin, end], nice=False)
    axis = alt.Axis(
        format="%H:%M" if end - begin < 2 * 86_400_000 else "%d %b", tickCount=6 if width == WIDE else 4, grid=True
    )
    values = [
        {"row": n, "since": _epoch(one.since), "until": _epoch(one.until), "what": SIDES.get(one.side, one.side), "told": f"{row['title']}: {one.seconds} seconds {SIDES.get(one.side, one.side)}"}
        for n, row in enumerate(rows)
        for one in row["bar"].stretches
    ]  # fmt: skip
    named = {words: COLOURS[side] for side, words in SIDES.items()}
    x = alt.X("since:T", scale=scale, title=None, axis=axis)
    off = SIDES["off_hours"]
    opened = [
        {"row": n, "since": _epoch(row["bar"].entered_at), "until": _epoch(row["bar"].left_at or whole.end)} for n, row in enumerate(rows) if row["bar"].entered_at
    ]  # fmt: skip
    layers: list[Any] = [_of(opened).mark_rule(color=SOFT, strokeWidth=1).encode(y=_row(), x=x, x2="until:T")]
    for size, drawn in (
        (5, [one for one in values if one["what"] == off]),
        (14, [one for one in values if one["what"] != off]),
    ):
        bars = _of(drawn).mark_bar(size=size).encode(y=_row(), x=x, x2="until:T", description="told:N")
        layers.append(bars.encode(color=_colour(named, width)))
    if whole.promised_at is not None and whole.part(whole.promised_at) <= 1:
        layers.append(_of([{"at": _epoch(whole.promised_at)}]).mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.X("at:T", scale=scale)))  # fmt: skip
    below = [
        {"row": len(rows) + n, "at": _epoch(mark["at"]), "told": f"{mark['title']}: {mark['said']}"}
        for n, mark in enumerate(marks)
    ]
    layers.append(
        _of(below).mark_point(shape="diamond", filled=True, size=110, color=INK, opacity=1).encode(y=_row(), x=alt.X("at:T", scale=scale), description="told:N")
    )  # fmt: skip
    return _in_rows([*rows, *marks], layers, width)


def _epoch(at: datetime) -> int:
    return round(at.timestamp() * 1000)


_STEP = {WIDE: 44, NARROW: 58}
_TEXT = 12


def _of(values: Sequence[Row]) -> alt.Chart:
    clean = [{name: plain(one) if isinstance(one, str) else one for name, one in row.items()} for row in values]
    return alt.Chart(alt.Data(values=clean))  # type: ignore[no-untyped-call]  # altair's own


def _row() -> alt.Y:
    return alt.Y("row:O", axis=None, title=None, scale=alt.Scale(padding=0))


def _bars(values: Sequence[Row], most: float, letter: str | None) -> alt.Chart:
    """One bar for each value, from `low` to `high`."""
    axis = _axis(letter) if letter is not None else None
    scale = alt.Scale(domain=[0, most], nice=False)
    drawn: alt.Chart = (
        _of(values)
        .mark_bar(size=14)
        .encode(y=_row(), x=alt.X("low:Q", scale=scale, title=None, axis=axis), x2="high:Q", description="told:N")
    )
    return drawn


def _in_rows(rows: Sequence[Row], layers: Sequence[Any], width: int) -> Chart:
    """Bars with their words above them, which so have the whole width; on a telephone the numbers have a line of their own."""
    narrow = width == NARROW
    words = _of([{"row": n, "title": _fitting(row["title"], "" if narrow else row["said"], width), "said": row["brief" if narrow else "said"]} for n, row in enumerate(rows)])  # fmt: skip
    title = words.mark_text(align="left", dy=-29 if narrow else -17, fontSize=_TEXT, fontWeight="bold", color=INK)
    title = title.encode(y=_row(), x=alt.value(0), text="title:N")
    said = words.mark_text(
        align="left" if narrow else "right", dy=-15 if narrow else -17, fontSize=_TEXT - narrow, color=SOFT
    )
    said = said.encode(y=_row(), x=alt.value(0 if narrow else width - 10), text="said:N")
    return _finished([*layers, title, said], width, _STEP[width] * len(rows) + 8)


def _fitting(title: str, beside: str, width: int) -> str:
    """As much of a title as there is room for. Cut here, because the library measures a text that is too long many times over."""
    room = int((width - 6.3 * len(beside) - 12) / 7.2)
    taken = 0
    for n, char in enumerate(title):
        taken += 2 if east_asian_width(char) in "WF" else 1
        if taken > room:
            return f"{title[: max(n - 1, 0)].rstrip()}…"
    return title


def _finished(layers: Sequence[Any], width: int, height: int) -> Chart:
    drawn: Chart = alt.LayerChart(layer=list(layers)).properties(width=width - 10, height=height)
    return drawn


def _axis(letter: str) -> alt.Axis:
    return alt.Axis(labelExpr=f"datum.value + '{letter}'", tickCount=6, grid=False)


def _colour(colours: Mapping[str, str], width: int, orient: Any = "top") -> alt.Color:
    legend = alt.Legend(
        orient=orient, title=None, columns=2 if width == NARROW else 0, labelLimit=width, symbolType="square"
    )
    return alt.Color(
        "what:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), sort=None, legend=legend
    )


def _side() -> alt.Color:
    return alt.Color("what:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)


# To bytes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title, and a sentence that says how to read it."""

    title: str
    caption: str
    chart: Chart


def spec(figures: Sequence[Figure], *, alone: bool) -> dict[str, Any]:
    """Charts one below the other; where they stand `alone`, each under its title and sentence."""
    drawn = [_titled(one) if alone else one.chart for one in figures]
    whole: Any = drawn[0] if len(drawn) == 1 else alt.vconcat(*drawn, spacing=36).resolve_scale(color="independent")
    whole = whole.configure(font="sans-serif", background="white", padding=12 if alone else 4)
    whole = whole.configure_view(stroke=None).configure_legend(labelColor=INK, labelFontSize=11)
    whole = whole.configure_axis(
        labelColor=SOFT, titleColor=SOFT, titleFontWeight="normal", gridColor=FAINT, domainColor=FAINT, tickColor=FAINT, labelFontSize=11
    )  # fmt: skip
    told: dict[str, Any] = whole.to_dict()
    return told


def _titled(one: Figure) -> Chart:
    title = alt.TitleParams(
        plain(one.title), subtitle=wrap(plain(one.caption), 110), anchor="start", color=INK, subtitleColor=SOFT, fontSize=16,
        subtitleFontSize=12, offset=16, subtitlePadding=6,
    )  # fmt: skip
    titled: Chart = one.chart.properties(title=title)
    return titled


def png(figures: Sequence[Figure]) -> bytes:
    """Charts as an image."""
    return bytes(vl_convert.vegalite_to_png(spec(figures, alone=True), scale=SHARP))


def svg(figures: Sequence[Figure], name: str = "chart", *, alone: bool = True) -> str:
    """Charts as a drawing. Title and sentence are what is read aloud; `name` keeps its ids apart on a page."""
    drawn: str = vl_convert.vegalite_to_svg(spec(figures, alone=alone))
    drawn = re.sub(r'\bid="', f'id="{name}-', drawn)
    drawn = re.sub(r"url\(#", f"url(#{name}-", drawn)
    title, told = "; ".join(one.title for one in figures), " ".join(one.caption for one in figures)
    aloud = f'<title id="{name}-title">{text(title)}</title><desc id="{name}-told">{text(told)}</desc>'
    opening, rest = drawn.split(">", 1)
    return f'{opening} role="img" aria-labelledby="{name}-title {name}-told">{aloud}{rest}\n'
