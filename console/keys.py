"""`keys`: the master keys of an installation. What they are is never shown, by no command."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing
from console.keys_here import demand_unused
from console.leaving import OK
from console.printing import Output, hint
from runtime.masters import MasterFile

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer()


class Action(StrEnum):
    """What can be done with the master keys."""

    NEW = "new"
    ROTATE = "rotate"
    LIST = "list"


@app.command()
def keys(
    action: Annotated[
        Action,
        typer.Argument(
            help="new: the first master key, or another one that waits. rotate: the one that waits becomes the current one. "
            "list: which there are, and what is under them."
        ),
    ],
    output: Output = None,
) -> int:
    """Make, change and list the keys under which everything that people say is encrypted."""
    file = MasterFile(ground.settings().keys)
    match action:
        case Action.NEW:
            return _new(file)
        case Action.ROTATE:
            return _rotate(file)
        case _:
            return _list(file)


def _new(file: MasterFile) -> int:
    first = not file.exists()
    if first:
        demand_unused(ground.settings(), file)
    made = file.add()
    printing.show({"master": made.id, "file": str(file.path), "current": first}, _made)
    if first:
        hint("From now on what is sent is encrypted; workers on this machine need not be started anew.")
        hint("Copy the file to every machine with a worker or a command line, and keep a copy apart from the database.")
    else:
        hint("It waits. Copy the file to every machine, then `python starter.py keys rotate`.")
    return OK


def _made(answer: dict[str, Any]) -> str:
    what = "is the first one" if answer["current"] else "waits"
    return f"Master key {answer['master']} {what}; it stands in {answer['file']}."


def _rotate(file: MasterFile) -> int:
    """An earlier rotation that was killed in the middle is brought to its end, whether or not another key waits."""
    from storage.keys import CustomerKeys

    with ground.database() as engine:
        table = CustomerKeys(engine, file)
        if file.read().waiting is not None or not table.behind():
            file.rotated()
        count, lost = table.rewrap(), table.lost()
    printing.show({"master": file.current(), "rewrapped": count, "lost": lost}, _rotated)
    _tell_lost(lost)
    hint("Older master keys stay in the file: backups of the database need them.")
    return OK


def _rotated(answer: dict[str, Any]) -> str:
    return (
        f"{answer['master']} is the current master key; {answer['rewrapped']} keys of customers were put under it and retired: "
        "each customer gets a new one with the next message."
    )


def _list(file: MasterFile) -> int:
    from storage.keys import CustomerKeys

    if not file.exists():
        printing.show({"file": str(file.path), "rows": []}, _listed, rows="rows")
        hint("There is no key file, so nothing is encrypted. `python starter.py keys new` makes the first key.")
        return OK
    content = file.read()
    with ground.database() as engine:
        table = CustomerKeys(engine, file)
        counted, lost = table.count(), table.lost()
    held = {(row["master"], row["state"]): row["keys"] for row in counted}
    rows = [
        {
            "master": one.id,
            "created_at": one.created_at,
            "state": "current" if one.id == content.current else "waiting" if one == content.waiting else "old",
            "active": held.get((one.id, "active"), 0),
            "retired": held.get((one.id, "retired"), 0),
        }
        for one in content.keys
    ]
    destroyed = sum(count for (_, state), count in held.items() if state == "destroyed")
    printing.show({"file": str(file.path), "rows": rows, "destroyed": destroyed, "lost": lost}, _listed, rows="rows")
    _tell_lost(lost)
    return OK


def _tell_lost(count: int) -> None:
    if count:
        hint(
            f"{count} keys of customers are under a master key that is not in this file: restore the file that has it."
        )


def _listed(answer: dict[str, Any]) -> RenderableType | str:
    from console import tables

    if not answer["rows"]:
        return f"{answer['file']} is not there: nothing is encrypted."
    columns = {
        "master": "master key",
        "created_at": "made",
        "state": "state",
        "active": "customers",
        "retired": "retired keys",
    }
    gone = f"; {answer['destroyed']} keys of erased customers are destroyed" if answer["destroyed"] else ""
    return tables.grid(answer["rows"], columns, f"Master keys, oldest first{gone}")
