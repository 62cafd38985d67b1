"""The same story by a state machine written by hand: dictionaries that are changed in place, and nothing that the story does not need.

It knows what is open, takes an answer once, counts votes, sets dates in whole days, asks, and keeps a trail in words. It has no working
hours, deputies, absences, waivers, holds, corrections, ledger or rows, and nobody could read its state back from a row. It is no rival:
it is the floor beside which the figure of the core is told.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from benchmarks.story import BEGIN, Step, Story
from onboarding.engine.events import MessageReceived
from onboarding.engine.state import ItemStatus
from onboarding.language.model import Definition, ItemKind

OVER = ("done", "skipped")
DUE = timedelta(days=3)


class PlainMachine:
    """One run."""

    def __init__(self, definition: Definition, left_out: frozenset[str]) -> None:
        self.stages: dict[str, dict[str, Any]] = {
            one.id: {"status": "not_ready", "needs": one.needs, "items": one.items} for one in definition.stages
        }
        self.items: dict[str, dict[str, Any]] = {
            one.id: {
                "status": "skipped" if one.id in left_out else "not_ready", "stage": one.stage, "needs": one.needs, "owner": one.owner,
                "quorum": one.quorum if one.kind is ItemKind.APPROVAL else 1, "checks": len(one.checks), "review": one.review, "votes": 0,
            }
            for one in definition.items
        }  # fmt: skip
        self.seen: set[str] = set()
        self.trail: list[str] = []
        self.asked: list[tuple[str, str, datetime]] = []
        self.closed = False

    def start(self, at: datetime) -> None:
        """What needs nothing opens."""
        self._go_on(at)

    def hear(self, step: Step) -> dict[str, Any]:
        """Takes one event and answers it."""
        event = step.event
        if isinstance(event, MessageReceived):
            number = event.received.message.message_id
            if number in self.seen:
                return {"outcome": "duplicate", "item": step.item}
            self.seen.add(number)
        item = self.items[step.item]
        if item["status"] not in ("open", "answered", "in_review"):
            return {"outcome": "refused", "item": step.item}
        self._take(item, check=step.check)
        self.trail.append(f"{event.at:%Y-%m-%d %H:%M} {step.item} is {item['status']}")
        self._go_on(event.at)
        return {"outcome": "accepted", "item": step.item, "next": [one for one, _, _ in self.asked[-3:]]}

    def _take(self, item: dict[str, Any], *, check: bool) -> None:
        if check:
            item["checks"] -= 1
        elif item["status"] == "open":
            item["votes"] += 1
            if item["votes"] < item["quorum"]:
                return
            item["status"] = "answered"
        else:
            item["status"] = "done"
        if item["status"] == "answered" and not item["checks"]:
            item["status"] = "in_review" if item["review"] else "done"

    def _go_on(self, at: datetime) -> None:
        moved = True
        while moved:
            moved = False
            for name, stage in self.stages.items():
                if stage["status"] == "not_ready" and self._met(stage["needs"]):
                    stage["status"], moved = "open", True
                    self.trail.append(f"{at:%Y-%m-%d %H:%M} {name} begins")
            for name, item in self.items.items():
                ready = item["status"] == "not_ready" and self.stages[item["stage"]]["status"] == "open"
                if ready and self._met(item["needs"]):
                    item["status"], item["due"], moved = "open", at + DUE, True
                    self.asked.append((name, item["owner"], item["due"]))
            for stage in self.stages.values():
                if stage["status"] == "open" and self._met(stage["items"]):
                    stage["status"], moved = "done", True
        self.closed = all(stage["status"] == "done" for stage in self.stages.values())

    def _met(self, names: tuple[str, ...]) -> bool:
        return all((self.stages.get(name) or self.items[name])["status"] in OVER for name in names)


def left_out(story: Story) -> frozenset[str]:
    """The items that this run does not need."""
    return frozenset(name for name, item in story.end.items.items() if item.status is not ItemStatus.DONE)


def play(story: Story, without: frozenset[str]) -> PlainMachine:
    """The whole run, from its definition to its end."""
    plain = PlainMachine(story.order.definition, without)
    plain.start(BEGIN)
    for step in story.steps:
        plain.hear(step)
    return plain
