"""What every list of many rows has: pages, how many there are, and a sentence where there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer

from console import printing, tables
from console.leaving import OK, Answered
from onboarding.nearest import nearest

Cursor = Annotated[str | None, typer.Option("--cursor", help="The next_cursor of the page before.")]
All = Annotated[bool, typer.Option("--all", help="Every page.")]

NO_RUNS = "No runs yet: python starter.py start begins the first one."


def paged(page: Callable[[str | None], dict[str, Any]], cursor: str | None, every: bool) -> dict[str, Any]:
    """One page, or this and every one behind it."""
    answer = page(cursor)
    lines = answer["rows"]
    while every and answer["next_cursor"]:
        answer = page(answer["next_cursor"])
        lines += answer["rows"]
    return {"rows": lines, "next_cursor": answer["next_cursor"]}


def show(answer: dict[str, Any], columns: Mapping[str, str], nothing: str = "") -> int:
    """Prints lines. Of none, `nothing` says why: in a table in their place, beside data on stderr."""
    if nothing and not answer["rows"] and printing.form() is not printing.Form.TABLE:
        printing.hint(nothing)
    printing.show(answer, lambda found: tables.rows(found, columns, nothing=nothing), rows="rows")
    return OK


def why_empty(answer: Mapping[str, Any], any_run: bool, otherwise: str) -> str:
    """Why a page has no lines: there are no runs, or no more lines, or, `otherwise`, none at all."""
    if not any_run:
        return NO_RUNS
    return f"No more of {answer['total']}: the page before was the last one." if answer["total"] else otherwise


def stranger(name: str, word: str, known: Iterable[str]) -> Answered:
    """The answer for a word that no row has, with the nearest one that some row has."""
    kind = name.replace("_", " ")
    hint = nearest(word, known) or "; python starter.py list --count shows what is known."
    sentence = f"No run has the {kind} {word[:100]!r}{hint}"
    return Answered({"outcome": "unknown", "code": f"unknown_{name}", "sentence": sentence, name: word[:200]})
