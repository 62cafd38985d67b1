"""`database`: the tables of an installation, looked at and brought up."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing
from console.leaving import OK, UNAVAILABLE
from console.printing import Output, hint

if TYPE_CHECKING:
    from sqlalchemy import Engine

app = typer.Typer()


class Action(StrEnum):
    """What can be done with the database."""

    CHECK = "check"
    UPGRADE = "upgrade"


@app.command()
def database(
    action: Annotated[
        Action, typer.Argument(help="check: schema, integrity and rows. upgrade: bring the tables to this release.")
    ],
    output: Output = None,
) -> int:
    """Look at the database, or bring its tables to the schema of this release (make a backup before)."""
    from storage.engine import connected

    url = ground.settings().database_url
    if action is Action.CHECK:
        demand_file(url)
    engine = connected(url)
    try:
        return _check(engine) if action is Action.CHECK else _upgrade(engine)
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> int:
    from storage import schema
    from storage.engine import upgrade

    found = upgrade(engine)
    changed = found != schema.head()
    answer = {"from": found, "to": schema.head(), "changed": changed}
    printing.show(answer, _moved)
    return OK


def _moved(answer: dict[str, Any]) -> str:
    if not answer["changed"]:
        return f"The database has schema {answer['to']}: there is nothing to do."
    if answer["from"] is None:
        return f"The database was empty; it has schema {answer['to']} now."
    return f"The database had schema {answer['from'].removeprefix('schema ')}; it has {answer['to']} now."


def _check(engine: Engine) -> int:
    from storage import inspection, schema
    from storage.faults import DatabaseUnavailable

    found = inspection.report(engine)
    wrong, ways_out = [], []
    try:
        schema.demand(found["schema"])
    except DatabaseUnavailable as error:
        wrong.append(error.sentence)
        ways_out.append(error.way_out)
    if found["integrity"] != "ok":
        wrong.append("The file is damaged.")
        ways_out.append("Stop the workers and restore it from a backup; runs wait for them and lose nothing.")
    if found["foreign_keys"]:
        wrong.append(f"{found['foreign_keys']} rows belong to a run that is not there.")
        ways_out.append("Somebody wrote into it by hand: restore a backup, or delete these rows.")
    printing.show({**found, "ok": not wrong, "sentence": " ".join(wrong) or "The database is well."}, _looked_at)
    if not wrong:
        return OK
    hint(" ".join(ways_out))
    return UNAVAILABLE


def _looked_at(answer: dict[str, Any]) -> str:
    lines = [
        answer["sentence"],
        f"{answer['url']}, schema {(answer['schema'] or 'none').removeprefix('schema ')}, this program reads {answer['reads']}",
        f"integrity     {answer['integrity']}",
        f"foreign keys  {answer['foreign_keys'] or 'none'} broken",
    ]
    if answer["journal"] is not None:
        lines.append(f"journal       {answer['journal']}")
    return "\n".join([*lines, *(f"{name:<14}{count:,} rows" for name, count in answer["tables"].items())])


def demand_file(url: str) -> None:
    """Looking makes nothing: a file that is not there is not made by it."""
    from storage.engine import file_of
    from storage.faults import DatabaseUnavailable

    file = file_of(url)
    if file is not None and not file.exists():
        raise DatabaseUnavailable(
            "database_missing",
            f"There is no database {str(file)!r} yet.",
            "The first worker or command that needs it makes it, and so does `python starter.py database upgrade`.",
        )
