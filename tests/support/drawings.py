"""Reads back what a page or a drawing shows: its marks with what they say and where they lie, and what it would load."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

_RECT = re.compile(r"M([\d.e-]+),([\d.e-]+)h([\d.e-]+)v([\d.e-]+)h")
_HARMLESS = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
"""Names of what a drawing is, which nobody opens."""


@dataclass(frozen=True)
class Mark:
    """A bar of a drawing."""

    told: str
    x: float
    y: float
    width: float
    height: float


def bars(svg: str) -> list[Mark]:
    """Every bar that says something, in the order in which it was drawn."""
    found = []
    for element in ElementTree.fromstring(svg).iter():
        told, place = element.get("aria-label", ""), _RECT.match(element.get("d", ""))
        if element.get("role") == "graphics-symbol" and place and ": " in told:
            found.append(Mark(told, *(float(number) for number in place.groups())))
    return found


def written(svg: str) -> list[str]:
    """Every text of a drawing that is seen."""
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")
    ]


@dataclass
class Page(HTMLParser):
    """A page, as a browser takes it."""

    html: str
    tags: Counter[str] = field(default_factory=Counter)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._silent = 0
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Counts it."""
        self._silent += tag == "style"
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """What a style says is no text."""
        self._silent -= tag == "style"

    def handle_data(self, data: str) -> None:
        """What is read."""
        if not self._silent:
            self.text += f"{data}\n"

    @property
    def ids(self) -> list[str | None]:
        """Every id, also one that is there twice."""
        return [value for name, value in self.attributes if name == "id"]

    @property
    def outside(self) -> list[str]:
        """What a browser would have to fetch, or run."""
        addresses = set(re.findall(r"[a-z]+://[^\s\"'<>)]+", self.html)) - _HARMLESS
        loading = {
            name
            for name, _ in self.attributes
            if name in ("src", "href", "xlink:href", "srcset", "action") or name.startswith("on")
        }
        running = {
            tag for tag in ("script", "link", "iframe", "img", "object", "embed", "form", "base") if self.tags[tag]
        }
        styles = re.findall(r"@import|url\((?!#)[^)]*\)", self.html)
        return sorted({*addresses, *loading, *running, *styles})
