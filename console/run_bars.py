"""A run's ledger on a terminal: a bar for each stage over the time of the run, in the colour and by the letter of whose time it was."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from console.tables import lasting, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from metrics.stretches import Bar, Bars, Mark

LETTERS = {"customer": "C", "provider": "P", "third_party": "T", "hold": "H", "off_hours": "."}
"""What stands for a side, so that a bar reads without colour, too."""
_STYLES = {"customer": "white on red", "provider": "white on blue", "third_party": "black on green", "hold": "white on magenta", "off_hours": "bright_black"}  # fmt: skip
WIDEST = 120
"""Columns of a bar, also where nobody looks: a log is read on a screen, too."""
NARROWEST = 16


class RunBars:
    """What Rich prints; as wide as the terminal is."""

    def __init__(self, whole: Bars) -> None:
        self.whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Title, bar and time of each stage; below them milestones and the promise."""
        name = max([8, *(cell_len(plain(bar.title)) for bar in self.whole.bars)])
        name = min(name, max(options.max_width // 4, 12))
        width = max(min(options.max_width - name - 12, WIDEST), NARROWEST)
        yield self._axis(name, width)
        for bar in self.whole.bars:
            yield self._line(bar, name, width)
        marks = self._marks()
        if marks:
            yield self._below(marks, name, width)
        yield from (Text(f"{'':{name}} {words}", style="dim") for words in self._key(width))
        for n, mark in enumerate(marks):
            yield Text(f"{'':{name}} {_digit(n)} {plain(mark.name)}, {mark.at:%Y-%m-%d %H:%M} UTC")

    def _key(self, width: int) -> list[str]:
        """What the letters say, of those that are there."""
        there = {one.side for bar in self.whole.bars for one in bar.stretches}
        key = [f"{letter} {side.replace('_', ' ')}" for side, letter in LETTERS.items() if side in there]
        return wrap("  ".join([*key, "- open meanwhile"]), width + 12)

    def _axis(self, name: int, width: int) -> Text:
        form = "%Y-%m-%d %H:%M" if width >= 40 else "%m-%d"
        begin, end = f"{self.whole.since:{form}}", f"{self.whole.until:{form}}"
        return Text(f"{'':{name}} {begin}{end:>{width - len(begin)}}", style="dim")

    def _line(self, bar: Bar, name: int, width: int) -> Text:
        from metrics.stretches import cells

        title = Text(plain(bar.title))
        title.truncate(name, overflow="ellipsis", pad=True)
        line = title.append(" ")
        for n, side in enumerate(cells(bar, self.whole, width)):
            letter = LETTERS.get(side, "-" if self._open(bar, (n + 0.5) / width) else " ")
            line.append(letter, style=_STYLES.get(side, "dim"))
        spent = sum(one.seconds for one in bar.stretches)
        return line.append(f" {lasting(spent) if spent else '–':>10}")

    def _open(self, bar: Bar, part: float) -> bool:
        if bar.entered_at is None:
            return False
        return self.whole.part(bar.entered_at) <= part < self.whole.part(bar.left_at or self.whole.end)

    def _marks(self) -> list[Mark]:
        from metrics.stretches import Mark

        promised = [Mark("going live is promised", self.whole.promised_at)] if self.whole.promised_at else []
        return sorted([*self.whole.milestones, *promised], key=lambda mark: mark.at)

    def _below(self, marks: list[Mark], name: int, width: int) -> Text:
        line = [" "] * width
        for n, mark in enumerate(marks):
            part = self.whole.part(mark.at)
            if 0 <= part <= 1:
                place = min(int(part * width), width - 1)
                line[place] = _digit(n) if line[place] == " " else "+"
        return Text(f"{'':{name}} {''.join(line)}".rstrip(), style="bold")


def _digit(n: int) -> str:
    return "123456789abcdefghijklmnopqrstuvwxyz"[n] if n < 35 else "*"
