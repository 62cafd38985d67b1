"""What the demo shows while it plays: a line for each thing that happens, and on a terminal the stages below them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from console import tables

if TYPE_CHECKING:
    from console.demo_script import Step
    from onboarding.language.model import Scale

_BAR = {"done": "■", "open": "▶", "not_ready": "□", "skipped": "–"}
_TOLD = ("reminder", "escalation", "retraction", "handoff")


class Screen:
    """Lines on stdout; a live panel where stdout is a terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.console = Console(
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=not self.terminal,
            width=None if self.terminal else 200,
        )
        self._live: Live | None = None
        self._began = datetime.now(UTC)
        self._scale: Scale | None = None

    def title(self, text: str) -> None:
        """The first line."""
        self.console.print(Text(text, style="bold"))

    def say(self, text: str) -> None:
        """A line beside the story."""
        self.console.print(Text(tables.plain(text), style="dim"))

    def show(self, what: RenderableType) -> None:
        """Something larger."""
        self.console.print(what)

    def begin(self, run: str, scale: Scale) -> None:
        """The run starts: from here on lines carry its time."""
        self._began, self._scale = datetime.now(UTC), scale
        self.console.print(Text.assemble(("Run ", "bold"), run, (" begins.", "")))
        if self.terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.start()

    def close(self) -> None:
        """The live panel goes; what was printed stays."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def step(self, step: Step, verdict: Mapping[str, Any]) -> None:
        """A message and its verdict."""
        outcome = str(verdict["outcome"])
        about = str(step.content.get("item") or step.content.get("event") or "")
        self._line(Text.assemble((step.story, "bold")))
        said = str(verdict["sentence"])
        self._line(Text.assemble("  ", f"{step.actor}: {step.name} {about} → ", tables.coloured(outcome), f"  {said}"))
        for fault in verdict.get("faults", ()):
            self._line(Text(f"    {fault['place']}: {fault['sentence']}", style="red"))

    def notice(self, row: Mapping[str, Any]) -> None:
        """A notice that left, where it is news."""
        if row["kind"] in _TOLD:
            style = "yellow" if row["kind"] in ("reminder", "escalation") else "green"
            self._line(Text(f"  ✉ {row['kind']} to {row['to']}: {row['subject']}", style=style))

    def status(self, answer: Mapping[str, Any]) -> None:
        """Where the run is, for the panel."""
        if self._live is None:
            return
        stages = [
            Text.assemble(
                f" {_BAR.get(stage['state'], ' ')} ",
                (f"{stage['title']:<32}", "bold" if stage["state"] == "open" else "dim"),
                f" {stage['progress']['met']} of {stage['progress']['of']}",
            )
            for stage in answer["stages"]
        ]
        head = Text.assemble("─ ", tables.coloured(answer["health"]), f" · waiting on {answer['waiting_on']} ")
        self._live.update(Group(head, *stages))

    def _line(self, text: Text) -> None:
        self.console.print(Text.assemble((f"{self._time():>14}  ", "dim"), text))

    def _time(self) -> str:
        spent = (datetime.now(UTC) - self._began).total_seconds()
        if self._scale is None:
            return ""
        return f"{spent:.0f} s, {spent / self._scale.business_day:.1f} bd"
