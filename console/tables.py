"""Answers for people at a terminal. Every text is made plain first: what a customer wrote must not steer a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, Any]

_COLOURS = {
    "accepted": "green", "done": "green", "duplicate": "green", "on_track": "green", "ok": "green", "live": "green",
    "held": "cyan", "open": "cyan", "answered": "cyan", "in_review": "cyan",
    "warn": "yellow", "returned": "yellow", "at_risk": "yellow", "retry_later": "yellow", "on_hold": "yellow", "overdue": "yellow",
    "rejected": "red", "conflict": "red", "forbidden": "red", "unknown": "red", "closed": "red", "too_large": "red",
    "fail": "red", "escalated": "red", "stalled": "red", "lost": "red",
}  # fmt: skip


def plain(value: Any) -> str:
    """A value on one line without anything that is not writing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value) or "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items()) or "–"
    return "".join(char if char.isprintable() else " " for char in str(value))


def when(value: Any) -> str:
    """An instant as people read it; the seconds stay where they say something."""
    text = plain(value)
    if len(text) != 20 or text[10] != "T":
        return text
    day, _, time = text.rstrip("Z").partition("T")
    return f"{day} {time[:5]}" if time.endswith(":00") else f"{day} {time}"


def coloured(word: Any) -> Text:
    """A word of ours in its colour."""
    text = plain(word)
    return Text(text, style=_COLOURS.get(text, ""))


def grid(rows: Iterable[Row], columns: Mapping[str, str], title: str | None = None) -> RenderableType:
    """Rows under headings; `columns` maps a field to its heading."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    count = 0
    for row in rows:
        count += 1
        table.add_row(*(_cell(name, row.get(name)) for name in columns))
    if not count:
        return Text(f"{title or 'Nothing'}: none" if title else "Nothing here.")
    return table


def _cell(name: str, value: Any) -> Text:
    if name in ("status", "state", "outcome", "health", "level"):
        return coloured(value)
    return Text(
        when(value)
        if name.endswith("_at") or name in ("at", "since", "waiting_since", "due", "from", "to")
        else plain(value)
    )


def pairs(row: Row, names: Mapping[str, str]) -> RenderableType:
    """Some fields of one object, each on a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, heading in names.items():
        if row.get(name) is not None:
            table.add_row(heading, _cell(name, row[name]))
    return table


def link(address: Any) -> Text:
    """An address that stays whole, so that it can be clicked."""
    return Text(plain(address), no_wrap=True, overflow="ignore")


def more(answer: Row) -> Sequence[RenderableType]:
    """How many there are of how many, and what shows the others."""
    cursor, total = answer.get("next_cursor"), answer.get("total")
    of_all = f"{len(answer['rows'])} of {total}. " if total and "rows" in answer else ""
    words = f"{of_all}More: --cursor {plain(cursor)}, or --all" if cursor else of_all.rstrip(". ")
    return [Text(words, style="dim", overflow="fold")] if words else []


def verdict(answer: Row) -> RenderableType:
    """The answer to a message, or the reason why a command could not be done."""
    head = Text.assemble(
        coloured(answer.get("outcome")), f"  {plain(answer.get('code'))}: {plain(answer.get('sentence'))}"
    )
    parts: list[RenderableType] = [head]
    if answer.get("faults"):
        parts.append(grid(answer["faults"], {"place": "place", "code": "code", "sentence": "what to do"}))
    parts.append(
        pairs(
            answer,
            {
                "message_id": "message id",
                "item": "item",
                "status": "status",
                "answer": "answer",
                "received_at": "received",
            },
        )
    )
    if answer.get("next"):
        parts.append(grid(answer["next"], {"item": "item", "title": "title", "who": "who", "due": "due"}, "Open now"))
    return Group(*parts)


def sent(answer: Row) -> RenderableType:
    """A signal that was handed over."""
    return pairs(answer, {"message_id": "sent, message id", "hint": "what became of it"})


def started(answer: Row) -> RenderableType:
    """A run that was started, or was there already."""
    head = "started" if answer["created"] else "was started before with the same input"
    return Group(
        Text(f"{plain(answer['run'])} {head}"), pairs(answer, {"run_id": "Temporal run"}), link(answer["ui"] or "")
    )


def plan(answer: Row) -> RenderableType:
    """What will be asked of whom, and when."""
    columns = {"stage": "stage", "item": "item", "owner": "owner", "opens_at": "opens", "due_at": "due", "why": "why"}
    stages = {"title": "stage", "opens_at": "opens", "target_at": "planned until", "leaves_at": "left"}
    alone = [{**one, "item": row["item"]} for row in answer["plan"] for one in row["then"]]
    return Group(
        grid(answer["plan"], columns, f"Plan of {plain(answer['run'])}"),
        Text(""),
        grid(answer["stages"], stages, "Stages"),
        Text(""),
        grid(
            sorted(alone, key=lambda one: str(one["at"])), {"at": "at", "item": "item", "what": "where nobody answers"}
        ),
        Text(""),
        pairs(answer, {"promised_at": "going live is promised for"}),
    )


def status(answer: Row) -> RenderableType:
    """A run on one screen: where it is, who must act, since when, what is next."""
    head = {
        "run": "run", "state": "state", "outcome": "outcome", "health": "health", "stage": "stage", "waiting_on": "waiting on",
        "waiting_since": "since", "started_at": "started", "promised_at": "promised", "closed_at": "closed",
    }  # fmt: skip
    parts: list[RenderableType] = [pairs({**answer, "waiting_since": when(answer.get("waiting_since"))}, head)]
    stages = [
        {**one, "progress": f"{one['progress']['met']} of {one['progress']['of']}"} for one in answer.get("stages", ())
    ]
    if stages:
        columns = {
            "title": "stage", "state": "state", "owner": "owner", "progress": "met", "target_at": "planned",
            "entered_at": "entered", "left_at": "left",
        }  # fmt: skip
        parts += [Text(""), grid(stages, columns)]
    busy = [one for one in answer.get("items", ()) if one["status"] in ("open", "answered", "in_review", "returned")]
    if busy:
        columns = {"id": "item", "status": "status", "owner": "owner", "due_at": "due", "waits_for": "waits for"}
        parts += [Text(""), grid(busy, columns)]
    if answer.get("next"):
        parts += [Text(""), grid(answer["next"], {"at": "next", "what": "what"})]
    if answer.get("forecast"):
        parts += [Text(""), Text(plain(answer["forecast"]["sentence"]))]
    counts = {name: answer[name] for name in ("asks", "escalations", "refused", "debt") if name in answer}
    page = [Text("cover sheet", style="dim"), link(answer["ui"])] if answer.get("ui") else []
    return Group(*parts, Text(""), Text(plain(counts), style="dim"), *page)


def rows(answer: Row, columns: Mapping[str, str], name: str = "rows", nothing: str = "") -> RenderableType:
    """A page of a list; of an empty one, `nothing` says why."""
    if nothing and not answer[name]:
        return Text(nothing)
    return Group(grid(answer[name], columns), *more(answer))


def why(answer: Row) -> RenderableType:
    """Why an item is as it is."""
    coming = answer.get("next") or {}
    told = {**answer, "next": f"{when(coming.get('at'))} {plain(coming.get('what'))}" if coming.get("what") else None}
    columns = {
        "item": "item",
        "status": "status",
        "sentence": "why",
        "holder": "with",
        "stands_for": "in place of",
        "since": "since",
        "answer": "answer",
        "next": "next",
    }
    return pairs(told, columns)


def gate(answer: Row) -> RenderableType:
    """What keeps a stage."""
    head = Text(f"{plain(answer['stage'])}: {'may be left' if answer['holds'] else 'is kept'}")
    columns = {"text": "condition", "met": "met", "holder": "with", "since": "since", "why": "why"}
    conditions = [
        {**one, "why": f"waived: {plain(one['why'])}" if one.get("why") else "waived"} if one.get("waived") else one
        for one in answer["conditions"]
    ]
    debt = grid(answer["debt"], {"text": "waived", "by": "by", "reason": "reason", "expires_at": "until"}, "Debt")
    return Group(head, grid(conditions, columns), *([debt] if answer["debt"] else []))


def ledger(answer: Row, bars: RenderableType | None = None) -> RenderableType:
    """Whose the time was, and the numbers; `bars` are the same as a picture."""
    total = answer["elapsed"] or 1
    sides = [
        {"side": side.replace("_", " "), "time": lasting(spent), "share": f"{100 * spent / total:.0f} %"}
        for side, spent in answer["by_side"].items()
    ]
    sides.append({"side": "together", "time": lasting(sum(answer["by_side"].values())), "share": ""})
    numbers = [{"metric": name, "value": measured(value)} for name, value in answer["metrics"].items()]
    entries = [{**one, "seconds": measured(one["seconds"])} for one in answer["entries"]]
    columns = {
        "from": "from",
        "to": "to",
        "side": "side",
        "who": "who",
        "item": "item",
        "round": "round",
        "seconds": "seconds",
    }
    return Group(
        grid(entries, columns),
        *more(answer),
        *([Text(""), bars] if bars is not None else []),
        Text(""),
        grid(sides, {"side": "side", "time": "time", "share": "share"}, f"Elapsed: {lasting(answer['elapsed'])}"),
        Text(""),
        grid(numbers, {"metric": "metric", "value": "seconds or count"}),
        *([Text(plain(told["sentence"]))] if (told := answer.get("counterfactual")) else []),
    )


def customer(answer: Row) -> RenderableType:
    """What the customer may see."""
    step = answer["next_step"]
    asks = {"item": "asked for", "title": "title", "status": "status", "due_at": "due", "missing": "missing"}
    return Group(
        Text(f"{plain(answer['title'])}: {plain(step['what'])} {when(step['by']) if step['by'] else ''}"),
        grid(answer["stages"], {"title": "stage", "state": "state", "target_at": "planned", "left_at": "done"}),
        grid(answer["asks"], asks),
    )


def lasting(seconds: int) -> str:
    """A duration for people. What was reached before it was signed took less than nothing."""
    from onboarding.reading.cover import lasting as said

    return said(seconds) if seconds >= 0 else f"-{said(-seconds)}"


def measured(number: int | float | None) -> str:
    """Seconds, or a count, as a table shows it: from a minute on also as a duration, because nobody divides by 3,600."""
    if number is None or number < 60:
        return plain(number)
    return f"{number} ({lasting(round(number))})"


def report(answer: Row) -> RenderableType:
    """The numbers of one run."""
    since = "signature" if answer["since"] == "signed_at" else "start"
    parts: list[RenderableType] = [
        Text(f"{plain(answer['run'])}: {plain(answer['state'])} {plain(answer['outcome'] or '')}"),
        grid(
            [{"what": name, "time": lasting(spent)} for name, spent in answer["milestones"].items()],
            {"what": "milestone", "time": f"since {since}"},
        ),
        grid(
            [{"side": side.replace("_", " "), "time": lasting(spent)} for side, spent in answer["by_side"].items()],
            {"side": "side", "time": "time"},
        ),
        grid(
            [{"metric": name, "value": measured(value)} for name, value in answer["metrics"].items()],
            {"metric": "metric", "value": "seconds or count"},
        ),
    ]
    return Group(*parts)
