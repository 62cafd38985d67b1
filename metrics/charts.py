"""The charts of a report, from the rows of `metrics.shown`: each in two widths, for a page and for a telephone.

Each is a plain mapping of Vega-Lite, as its documentation writes it, and is drawn by vl-convert. (A test reads each with Altair, which
knows the grammar; to build them with it took longer than everything else about a page.) What a chart says stands in it as words, too, so
that it can be read without colour. Nothing is left to chance: the same rows give the same bytes. Needs the extra `reports`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any
from unicodedata import east_asian_width

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

Chart = dict[str, Any]
"""Layers of Vega-Lite with their width and height."""
Part = dict[str, Any]
"""One layer, or a channel of its encoding."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"


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
    scale = _upto(longest)
    bars = _layer(
        values,
        {"type": "rect", "stroke": "white", "strokeWidth": 1},
        x=_number("since", scale=scale, title=None, axis=_axis(letter)),
        x2={"field": "until"},
        y=_number("low", title="runs", axis=_whole_ticks(values)),
        y2={"field": "high"},
        color=_colour({words[kind]: colour for kind, colour in _TIMES.items()}, width, orient="bottom"),
        description=_word("told"),
    )
    lines = [
        {"at": at / size, "said": f"{what} {time(at)}", "left": at / size < longest * 0.6, "row": n}
        for n, (what, at) in enumerate(marks)
        if at is not None and at / size <= longest
    ]
    layers = [bars]
    for line in lines:
        at = _number("at", scale=scale)
        layers.append(_layer([line], _DASHED, x=at, description=_word("said")))
        beside = {
            "type": "text", "align": "left" if line["left"] else "right", "dx": 4 if line["left"] else -4,
            "dy": -6 - 13 * (len(lines) - 1 - line["row"]), "fontWeight": "bold", "color": INK,
        }  # fmt: skip
        layers.append(_layer([line], beside, x=at, y=_value(0), text=_word("said")))
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
    bars = _bars(values, most, None, _colour({_WENT_WORDS[kind]: colour for kind, colour in _WENT.items()}, width))
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
    scale = _upto(longest / size)
    until, colour = _number("p80", scale=scale), COLOURS["provider"]
    over, ends = {"type": "rule", "strokeWidth": 2}, {"type": "tick", "thickness": 2, "size": 10}
    planned = {"type": "tick", "color": INK, "thickness": 3, "size": 18}
    layers = [
        _bars(took, longest / size, letter, _value(colour)),
        _layer(took, over | {"color": colour}, y=_ROW, x=_number("high", scale=scale), x2={"field": "p80"}),
        _layer(took, ends | {"color": colour}, y=_ROW, x=until),
        _layer(plan, planned, y=_ROW, x=_number("plan", scale=scale), description=_word("told")),
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
    bars = _bars(values, max(rows[-1]["until"] / size, 1e-9), letter, _SIDE)
    return _in_rows(rows, [bars], width)


def bottlenecks(rows: Sequence[Row], width: int) -> Chart:
    """Where most of the time goes, the most first, in the colour of the side that has it."""
    values = [
        {"row": n, "low": 0, "high": row["share"] or 0, "what": row["side"], "told": f"{row['title']}: {row['seconds']} seconds, {row['whose']}"}
        for n, row in enumerate(rows)
    ]  # fmt: skip
    most = max([1e-9, *(value["high"] for value in values)])
    return _in_rows(rows, [_bars(values, most, None, _SIDE)], width)


def run(whole: Bars, rows: Sequence[Row], marks: Sequence[Row], width: int) -> Chart:
    """One run: a bar for each stage over the days, in the colours of the sides, then a row for each milestone.

    Off hours are thin, so that the working time of a side is what the eye sees.
    """
    begin, end = _epoch(whole.since), _epoch(whole.until)
    scale = {"type": "utc", "domain": [begin, end], "nice": False}
    form = "%H:%M" if end - begin < 2 * 86_400_000 else "%d %b"
    axis = {"format": form, "tickCount": 6 if width == WIDE else 4, "grid": True}
    values = [
        {"row": n, "since": _epoch(one.since), "until": _epoch(one.until), "what": SIDES.get(one.side, one.side), "told": f"{row['title']}: {one.seconds} seconds {SIDES.get(one.side, one.side)}"}
        for n, row in enumerate(rows)
        for one in row["bar"].stretches
    ]  # fmt: skip
    named = {words: COLOURS[side] for side, words in SIDES.items()}
    x = _instant("since", scale=scale, title=None, axis=axis)
    at, until = _instant("at", scale=scale), {"field": "until"}
    off = SIDES["off_hours"]
    opened = [
        {"row": n, "since": _epoch(row["bar"].entered_at), "until": _epoch(row["bar"].left_at or whole.end)} for n, row in enumerate(rows) if row["bar"].entered_at
    ]  # fmt: skip
    layers = [_layer(opened, {"type": "rule", "color": SOFT, "strokeWidth": 1}, y=_ROW, x=x, x2=until)]
    for size, drawn in (
        (5, [one for one in values if one["what"] == off]),
        (14, [one for one in values if one["what"] != off]),
    ):
        bar, colour = {"type": "bar", "size": size}, _colour(named, width)
        layers.append(_layer(drawn, bar, y=_ROW, x=x, x2=until, description=_word("told"), color=colour))
    if whole.promised_at is not None and whole.part(whole.promised_at) <= 1:
        layers.append(_layer([{"at": _epoch(whole.promised_at)}], _DASHED, x=at))
    below = [
        {"row": len(rows) + n, "at": _epoch(mark["at"]), "told": f"{mark['title']}: {mark['said']}"}
        for n, mark in enumerate(marks)
    ]
    diamond = {"type": "point", "shape": "diamond", "filled": True, "size": 110, "color": INK, "opacity": 1}
    layers.append(_layer(below, diamond, y=_ROW, x=at, description=_word("told")))
    return _in_rows([*rows, *marks], layers, width)


def _epoch(at: datetime) -> int:
    return round(at.timestamp() * 1000)


_STEP = {WIDE: 44, NARROW: 58}
_TEXT = 12


_ROW: Part = {"field": "row", "type": "ordinal", "axis": None, "title": None, "scale": {"padding": 0}}
_SIDE: Part = {
    "field": "what", "type": "nominal", "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}, "legend": None,
}  # fmt: skip
_DASHED: Part = {"type": "rule", "color": INK, "strokeDash": [4, 3]}


def _layer(values: Sequence[Row], mark: Part, **encoding: Part) -> Part:
    """One mark for each value, whose words cannot steer a screen."""
    clean = [{name: plain(one) if isinstance(one, str) else one for name, one in row.items()} for row in values]
    return {"data": {"values": clean}, "mark": mark, "encoding": encoding}


def _number(field: str, **more: Any) -> Part:
    return {"field": field, "type": "quantitative", **more}


def _instant(field: str, **more: Any) -> Part:
    return {"field": field, "type": "temporal", **more}


def _word(field: str) -> Part:
    return {"field": field, "type": "nominal"}


def _value(value: Any) -> Part:
    return {"value": value}


def _upto(most: float) -> Part:
    return {"domain": [0, most], "nice": False}


def _bars(values: Sequence[Row], most: float, letter: str | None, colour: Part) -> Part:
    """One bar for each value, from `low` to `high`."""
    low = _number("low", scale=_upto(most), title=None, axis=_axis(letter) if letter is not None else None)
    bar = {"type": "bar", "size": 14}
    return _layer(values, bar, y=_ROW, x=low, x2={"field": "high"}, description=_word("told"), color=colour)


def _in_rows(rows: Sequence[Row], layers: Sequence[Any], width: int) -> Chart:
    """Bars with their words above them, which so have the whole width; on a telephone the numbers have a line of their own."""
    narrow = width == NARROW
    words = [{"row": n, "title": _fitting(row["title"], "" if narrow else row["said"], width), "said": row["brief" if narrow else "said"]} for n, row in enumerate(rows)]  # fmt: skip
    bold = {"type": "text", "align": "left", "dy": -29 if narrow else -17, "fontSize": _TEXT, "fontWeight": "bold"}
    title = _layer(words, bold | {"color": INK}, y=_ROW, x=_value(0), text=_word("title"))
    beside = {"align": "left", "dy": -15} if narrow else {"align": "right", "dy": -17}
    mark = {"type": "text", **beside, "fontSize": _TEXT - narrow, "color": SOFT}
    said = _layer(words, mark, y=_ROW, x=_value(0 if narrow else width - 10), text=_word("said"))
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


def _finished(layers: Sequence[Part], width: int, height: int) -> Chart:
    return {"layer": list(layers), "width": width - 10, "height": height}


def _axis(letter: str) -> Part:
    return {"labelExpr": f"datum.value + '{letter}'", "tickCount": 6, "grid": False}


def _colour(colours: Mapping[str, str], width: int, orient: str = "top") -> Part:
    legend = {
        "orient": orient, "title": None, "columns": 2 if width == NARROW else 0, "labelLimit": width, "symbolType": "square",
    }  # fmt: skip
    return {
        "field": "what", "type": "nominal", "scale": {"domain": list(colours), "range": list(colours.values())}, "sort": None,
        "legend": legend,
    }  # fmt: skip


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
    several = {"vconcat": drawn, "spacing": 36, "resolve": {"scale": {"color": "independent"}}}
    whole = drawn[0] if len(drawn) == 1 else several
    return {"$schema": _SCHEMA, "config": _CONFIG | {"padding": 12 if alone else 4}, **whole}


_CONFIG: Part = {
    "font": "sans-serif", "background": "white",
    "view": {"stroke": None, "continuousWidth": 300, "continuousHeight": 300},
    "legend": {"labelColor": INK, "labelFontSize": 11},
    "axis": {
        "labelColor": SOFT, "titleColor": SOFT, "titleFontWeight": "normal", "gridColor": FAINT, "domainColor": FAINT, "tickColor": FAINT,
        "labelFontSize": 11,
    },
}  # fmt: skip


def _titled(one: Figure) -> Chart:
    title = {
        "text": plain(one.title), "subtitle": wrap(plain(one.caption), 110), "anchor": "start", "color": INK, "subtitleColor": SOFT, "fontSize": 16,
        "subtitleFontSize": 12, "offset": 16, "subtitlePadding": 6,
    }  # fmt: skip
    return one.chart | {"title": title}


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
