"""The ledger of one run as one page: where its time went, stage by stage, what was promised and reached, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from metrics import charts, shown
from metrics.charts import NARROW, WIDE, Figure
from metrics.markup import cards, figure, page, table, tagged
from metrics.shown import SIDES, time
from metrics.stretches import Bar, Bars, bars_of, coarser

Answer = Mapping[str, Any]

POINTS = 350
"""Parts of a bar that can be told apart; a run with more stretches is drawn by whoever has most of each part."""


def ledger(answer: Answer, status: Answer) -> str:
    """The page, from what the run answers to `ledger` (all pages of it) and `status`."""
    whole = bars_of(answer, status)
    title = f"Ledger of {status['run']}"
    parts = [
        tagged("h1", title),
        tagged("p", _headline(answer, status, whole), "lead"),
        _four(answer, status),
        *(tagged("p", one["sentence"]) for one in (status.get("forecast"), answer.get("counterfactual")) if one),
        *_earlier(answer),
        *_drawn("run", stages_figure(whole, WIDE), stages_figure(whole, NARROW)),
        *_sides(answer),
        *_stages(whole),
        *_holds(answer),
        tagged("h3", "Numbers"),
        _numbers(answer, status),
        f"<footer>{tagged('p', _made(status))}</footer>",
    ]
    return page(title, parts)


def stages_figure(whole: Bars, width: int) -> Figure:
    """A bar for each stage, and a mark for each milestone."""
    many = sum(len(bar.stretches) for bar in whole.bars) > 2 * POINTS
    rows = [
        {"title": bar.title, **_both(_went(bar)), "bar": coarser(bar, whole, POINTS) if many else bar} for bar in whole.bars
    ]  # fmt: skip
    marks = [{"title": f"Milestone {mark.name}", **_both(_at(mark.at)), "at": mark.at} for mark in whole.milestones]
    promised = ""
    if whole.promised_at is not None:
        seen = "the dashed line" if whole.part(whole.promised_at) <= 1 else "beyond what is shown"
        promised = f" Going live is promised for {_at(whole.promised_at)}: {seen}."
    most = " Each point of a bar shows who has most of it." if many else ""
    caption = f"From {_at(whole.since)} to {_at(whole.until)}; every instant is booked to one side of one stage. Thin line: the stage is open.{most}{promised}"
    return Figure("Whose turn it was, by stage", caption, charts.run(whole, rows, marks, width))


def _both(said: str) -> dict[str, str]:
    return {"said": said, "brief": said}


def _went(bar: Bar) -> str:
    if bar.state == "skipped":
        return "skipped"
    if not bar.stretches:
        return "not begun" if bar.entered_at is None else "its time is booked to stages beside it"
    return ", ".join(f"{SIDES[side]} {time(seconds)}" for side, seconds in bar.by_side.items())


def _headline(answer: Answer, status: Answer, whole: Bars) -> str:
    state = f"closed, {status['outcome']}," if status["state"] == "closed" else str(status["state"]).replace("_", " ")
    side, most = max(((side, answer["by_side"][side]) for side in _WHOSE), key=lambda one: one[1])
    lived = f"{status['definition']['title']}: {state} after {time(answer['elapsed'])}"
    promised = ""
    if whole.promised_at is not None:
        kept = {True: "that was kept", False: "that was missed", None: "that date has not come yet"}[status["on_time"]]
        promised = f" Going live was promised for {_at(whole.promised_at)}: {kept}."
    return f"{lived}; nights and weekends aside, most of it, {time(most)}, was {_WHOSE[side]}.{promised}"


_WHOSE = {"customer": "the customer's", "provider": "ours", "third_party": "a third party's", "hold": "on hold"}


def _four(answer: Answer, status: Answer) -> str:
    sides = answer["by_side"]
    return cards(
        (
            (time(answer["elapsed"]), "from start to close" if status["closed_at"] else "since the start"),
            (time(sides["customer"]), "working time of the customer"),
            (time(sides["provider"]), "working time of ours"),
            (f"{status['asks']}", f"separate asks, {status['rounds']} corrections, {status['escalations']} escalations"),
        )
    )  # fmt: skip


def _earlier(answer: Answer) -> list[str]:
    count = answer.get("earlier", 0)
    return [tagged("p", f"{count:,} earlier stretches are in the sums, but not in the picture: the run no longer carries them.")] if count else []  # fmt: skip


def _drawn(name: str, wide: Figure, narrow: Figure) -> list[str]:
    drawings = (charts.svg([one], f"{name}{kind}", alone=False) for one, kind in ((wide, "w"), (narrow, "n")))
    return [tagged("h3", wide.title), tagged("p", wide.caption, "soft"), figure(*drawings)]


def _sides(answer: Answer) -> list[str]:
    if not answer["elapsed"]:
        return []
    rows = shown.sides({"sides": {"n": 1, "elapsed": answer["elapsed"], **answer["by_side"]}})
    caption = f"Each bar begins where the one before ends; together {time(answer['elapsed'])}."
    wide, narrow = (Figure("Time by side", caption, charts.sides(rows, width)) for width in (WIDE, NARROW))
    return _drawn("sides", wide, narrow)


def _stages(whole: Bars) -> list[str]:
    dates = [
        (bar.title, bar.state.replace("_", " "), _maybe(bar.entered_at), _maybe(bar.left_at), _maybe(bar.target_at))
        for bar in whole.bars
    ]
    times = [(bar.title, *(time(bar.by_side.get(side, 0)) for side in SIDES)) for bar in whole.bars if bar.stretches]
    return [
        tagged("h3", "Stages"),
        table(("stage", "state", "entered", "left", "planned until"), dates, words=5, caption="Instants in UTC"),
        table(("stage", *SIDES.values()), times),
    ]


def _holds(answer: Answer) -> list[str]:
    held = [entry for entry in answer["entries"] if entry["side"] == "hold"]
    if not held:
        return []
    rows = [(_told(one["from"]), _told(one["to"]), SIDES.get(one.get("held_side") or "", "–"), one["who"] or "–", time(one["seconds"])) for one in held]  # fmt: skip
    return [tagged("h3", "Holds"), table(("from", "to", "because of", "by", "time"), rows, words=4)]


def _numbers(answer: Answer, status: Answer) -> str:
    rows = [("time between two of us", time(answer.get("handoff_seconds", 0)))]
    rows += (
        [(f"going live, first promised for {_told(status['first_promised_at'])}", "")]
        if status.get("first_promised_at")
        else []
    )
    rows += [(name, "–" if value is None else f"{value:,}") for name, value in answer["metrics"].items()]
    return table(("number", "seconds, or a count"), rows)


def _made(status: Answer) -> str:
    return (
        f"{status['run']}, {status['definition']['id']} version {status['definition']['version']}, as it stood at {_told(status['read_at'])}. "
        "A side has its working hours while it has the turn; the rest is off hours."
    )


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _maybe(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _told(at: str) -> str:
    return _at(datetime.fromisoformat(at))
