"""Pages and pictures on their way out: drawn where the extra is installed, and to a file whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from console import printing
from console.leaving import OK, Misused

PACKAGES = {"vl_convert": "vl-convert-python"}
"""What drawing needs: as it is imported, and as it is installed."""
TOGETHER = 6
"""Charts in one picture; more of them are too small to be read."""


def drawing(name: str) -> Any:
    """A module of `metrics` that draws. Raises `NotInstalled` where this installation cannot draw."""
    try:
        return import_module(f"metrics.{name}")
    except ImportError as missing:
        from runtime.errors import NotInstalled

        package = (missing.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise NotInstalled(PACKAGES[package], "reports") from None


def check_place(form: str, file: Path | None) -> None:
    """Before anything is read: a terminal would only be confused by a PNG."""
    if form == "png" and file is None and sys.stdout.isatty():
        raise Misused("A PNG is no text: give it a file with --file.")


def report(page: Any, material: Any, form: str, chart: str, file: Path | None) -> int:
    """A report as a page or as one chart."""
    if form == "html":
        return write(page.report(material).encode(), file)
    figures: Sequence[Any] = page.chart(material, chart) if material.groups else []
    if len(figures) > TOGETHER:
        raise Misused(
            f"These would be {len(figures)} charts in one picture: choose fewer (--definition, --owner, --by), or take -o html."
        )
    if not figures:
        printing.hint("There is nothing to draw yet: no run has come so far.")
        return OK
    drawn = page.charts.png(figures) if form == "png" else page.charts.svg(figures).encode()
    return write(drawn, file)


def write(content: bytes, file: Path | None) -> int:
    """To a file, or to where the command's answer goes."""
    if file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return OK
    from console.replacing import beside

    with beside(file) as part:
        part.write_bytes(content)
    printing.hint(f"Written to {file}.")
    return OK
