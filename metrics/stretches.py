"""A run's ledger as bars: one for each stage, made of stretches of time that each belong to one side. Pure.

What a run answers to `ledger` (all its pages) and `status` goes in; a terminal and a page draw what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from metrics.report import SIDES

Answer = Mapping[str, Any]

OFF = "off_hours"
NIGHT = timedelta(hours=16)
"""From one evening to the next morning."""
SEEN = 2
"""A promised date is drawn where the picture becomes no longer than so many times the run itself."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of one side, from an instant to another."""

    side: str
    since: datetime
    until: datetime

    @property
    def seconds(self) -> int:
        """How long it is."""
        return int((self.until - self.since).total_seconds())


@dataclass(frozen=True, slots=True)
class Bar:
    """The time of a run that was booked to one stage, and when the stage was last entered and left."""

    title: str
    state: str
    entered_at: datetime | None
    left_at: datetime | None
    target_at: datetime | None
    stretches: tuple[Stretch, ...]

    @property
    def by_side(self) -> dict[str, int]:
        """Seconds of each side that has some, in the order in which sides are shown."""
        sums = {side: sum(one.seconds for one in self.stretches if one.side == side) for side in SIDES}
        return {side: seconds for side, seconds in sums.items() if seconds}


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant that is worth a mark of its own."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Bars:
    """A run to be drawn: from `since` to `until`, of which it has lived until `end`."""

    since: datetime
    end: datetime
    until: datetime
    bars: tuple[Bar, ...]
    milestones: tuple[Mark, ...]
    promised_at: datetime | None

    def part(self, at: datetime) -> float:
        """Where an instant lies, from 0 to 1."""
        return (at - self.since) / (self.until - self.since)


def bars_of(ledger: Answer, status: Answer) -> Bars:
    """What is drawn of a run."""
    since = _read(status["started_at"])
    end = _read(status["closed_at"] or status["read_at"])
    booked: dict[str, list[Stretch]] = {}
    for entry in ledger["entries"]:
        until = _read(entry["to"])
        end = max(end, until)
        _add(booked.setdefault(entry["stage"] or "", []), Stretch(entry["side"], _read(entry["from"]), until))
    known = {stage["id"]: _bar(stage, booked.pop(stage["id"], [])) for stage in status["stages"]}
    left_out = [Bar(name or "no stage", "", None, None, None, tuple(found)) for name, found in booked.items()]
    promised = _maybe(status["promised_at"])
    until = end
    if promised is not None and end < promised <= since + SEEN * (end - since):
        until = promised
    reached = sorted(
        (Mark(name, _read(at)) for name, at in status["milestones"].items() if at), key=lambda mark: mark.at
    )
    return Bars(since, end, max(until, _soon(since)), (*known.values(), *left_out), tuple(reached), promised)


def _add(found: list[Stretch], one: Stretch) -> None:
    """One person after the other of the same side is one stretch."""
    if found and found[-1].side == one.side and found[-1].until == one.since:
        found[-1] = Stretch(one.side, found[-1].since, one.until)
    else:
        found.append(one)


def _bar(stage: Answer, found: Iterable[Stretch]) -> Bar:
    at = (_maybe(stage[name]) for name in ("entered_at", "left_at", "target_at"))
    entered, left, target = at
    return Bar(stage["title"], stage["state"], entered, left, target, tuple(found))


def cells(bar: Bar, whole: Bars, count: int) -> list[str]:
    """The bar in so many parts of equal length: of each the side that has most of it, or nothing.

    Where a part is longer than a night, off hours are only what is nothing else: every day has more of them than of anything.
    """
    width = (whole.until - whole.since) / count
    held: list[dict[str, float]] = [{} for _ in range(count)]
    for one in bar.stretches:
        first = min(int((one.since - whole.since) / width), count - 1)
        last = min(int((one.until - whole.since) / width), count - 1)
        for n in range(first, last + 1):
            begin = whole.since + n * width
            inside = (min(one.until, begin + width) - max(one.since, begin)).total_seconds()
            if inside > 0:
                held[n][one.side] = held[n].get(one.side, 0) + inside
    return [_most(sides, awake=width > NIGHT) for sides in held]


def _most(sides: Mapping[str, float], *, awake: bool) -> str:
    told = {side: seconds for side, seconds in sides.items() if side != OFF or not awake} or sides
    return max(sorted(told), key=lambda side: told[side]) if told else ""


def coarser(bar: Bar, whole: Bars, count: int) -> Bar:
    """The bar made of `cells`, for what is drawn: thousands of stretches are smaller than a point."""
    width = (whole.until - whole.since) / count
    found: list[Stretch] = []
    for n, side in enumerate(cells(bar, whole, count)):
        if side:
            _add(found, Stretch(side, whole.since + n * width, whole.since + (n + 1) * width))
    return replace(bar, stretches=tuple(found))


def _read(told: str) -> datetime:
    return datetime.fromisoformat(told)


def _maybe(told: str | None) -> datetime | None:
    return None if told is None else _read(told)


def _soon(since: datetime) -> datetime:
    """A run that has only begun has a length, too."""
    return since + timedelta(seconds=1)
