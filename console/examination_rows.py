"""One line of `doctor`."""

from __future__ import annotations

Row = dict[str, str]


def row(name: str, level: str, sentence: str, way_out: str = "") -> Row:
    """One line: `ok`, `warn` or `fail`, a sentence, and the way out."""
    return {"name": name, "level": level, "sentence": sentence, "way_out": way_out}


def line(one: Row) -> str:
    """A row as text."""
    return f"{one['level']:<5}{one['name']}: {one['sentence']}{' ' + one['way_out'] if one['way_out'] else ''}"
