"""Rows as CSV (RFC 4180), for people who open it in a spreadsheet: nothing that a customer wrote becomes a formula there.

A text that a spreadsheet would take for a formula gets an apostrophe in front. Numbers, instants and truths of ours stay as they
are, and characters that steer a terminal are taken out. So a CSV is for reading; what must come back exactly is exported as JSON lines or Parquet.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_STARTS = "=+-@\t\r\n\u2212"
"""What a formula begins with; the last one is the minus of typography. Wide and small forms of them are the same after NFKC."""
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A heading and every row, each with its line break."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    yield _taken(buffer)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])
        yield _taken(buffer)


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout, each with the break that it has: a file or pipe gets the bytes of a file."""
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    for line in lines:
        sys.stdout.write(line)
    sys.stdout.flush()


def cell(value: Any) -> str:
    """A value as one cell; what holds several is JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            plain = "".join(
                char if char in "\t\r\n" or unicodedata.category(char) != "Cc" else "\ufffd" for char in value
            )
            return f"'{plain}" if _looks_like_a_formula(plain) else plain
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _looks_like_a_formula(text: str) -> bool:
    """Also behind white space, quotes and characters that nobody sees: some programs take those away first."""
    for char in text:
        if char in _STARTS or unicodedata.normalize("NFKC", char)[:1] in tuple(_STARTS):
            return True
        if not (char.isspace() or char == "\ufffd" or char in _QUOTES or not char.isprintable()):
            return False
    return False


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
