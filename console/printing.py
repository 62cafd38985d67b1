"""Answers on stdout, as a table, JSON or JSON lines; hints on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onboarding import limits

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


WIDE = 180
"""Columns of a table that no terminal shows."""

_chosen: list[Form] = []


def _choose(form: Form | None) -> Form | None:
    if form is not None:
        _chosen[:] = [form]
    return form


Output = Annotated[
    Form | None,
    typer.Option("-o", "--output", callback=_choose, help="Default: table on a terminal, json otherwise."),
]
"""The option that every command has. Choosing is its whole effect, so commands never look at it."""


def chosen() -> Form | None:
    """How this process was told to answer, if it was."""
    return _chosen[0] if _chosen else None


def form() -> Form:
    """How this process answers."""
    if _chosen:
        return _chosen[0]
    return Form.TABLE if sys.stdout.isatty() else Form.JSON


def show(answer: Any, table: Callable[[Any], RenderableType], *, rows: str = "", how: Form | None = None) -> None:
    """Prints an answer. `rows` names the list in it that JSON lines are made of; `how` is for a command with forms of its own."""
    match how or form():
        case Form.JSON:
            print(json.dumps(answer, ensure_ascii=False, indent=2))
        case Form.JSONL:
            lines = answer[rows] if rows and isinstance(answer, Mapping) and rows in answer else [answer]
            for line in lines:
                print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        case Form.TABLE:
            rendered = table(answer)
            if isinstance(rendered, str):
                print(rendered)
            else:
                console().print(rendered)
    sys.stdout.flush()


def console(stderr: bool = False) -> Console:
    """A terminal without markup: nothing that a customer wrote can colour or move anything."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def shown(name: str) -> str:
    """A name from outside as it may be repeated: short, and nothing in it that a screen would obey."""
    return "".join(char if char.isprintable() else "?" for char in name[: limits.NAME_LENGTH])


def hint(sentence: str) -> None:
    """What to do next, beside the data. Where nobody takes it, the command goes on."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
