"""`backup` and `restore`: our own rows as one file, and back. The runs are Temporal's, and so are its backups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing
from console.leaving import OK, Misused
from console.printing import Output, hint
from console.replacing import beside, place_for
from onboarding.errors import DefinitionInvalid, Fault
from storage.faults import DatabaseUnavailable

if TYPE_CHECKING:
    from storage.copying import Unfit

app = typer.Typer()

_NAME_ONE = "Name a file that `backup` has written."


@app.command()
def backup(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where the copy goes; one that is there is replaced by a good one only."),
    ],
    output: Output = None,
) -> int:
    """A whole and verified copy of the database, made while workers write. How to reach people is in it: keep it as safe.

    The master keys are not in it: without their file what is encrypted stays unreadable.
    """
    from console.database import demand_file
    from storage import copying
    from storage.engine import connected

    live = _live(f"pg_dump --format=custom --file={file.name}")
    _demand_another(live, file)
    demand_file(ground.settings().database_url)
    engine = connected(ground.settings().database_url)
    try:
        with beside(file, named="FILE") as part:
            copying.copy(engine, part)
            _refuse(file, copying.unfit(part, any_release=True))
            rows, size = copying.rows_of(part), part.stat().st_size
    finally:
        engine.dispose()
    answer = {
        "file": str(file),
        "bytes": size,
        "runs": rows.get("runs", 0),
        "rows": sum(rows.values()),
        "verified": True,
    }
    printing.show(answer, _kept)
    hint(
        "The master keys are not in it: keep a copy of their file elsewhere. Runs are Temporal's: back its database up, too."
    )
    return OK


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that `backup` has written.")],
    output: Output = None,
) -> int:
    """Puts a copy in the place of the database; what stood there is kept beside it. Stop the workers before.

    Keys that were made or destroyed since are taken over from it.
    """
    from storage import copying
    from storage.carrying import carry_over

    live = _live("pg_restore --clean --if-exists --dbname=…")
    _demand_another(live, file)
    _demand_regular(file)
    live.parent.mkdir(parents=True, exist_ok=True)
    part = place_for(live)
    try:
        copying.copy_of_file(file, part)
        _refuse(file, copying.unfit(part, any_release=False))
        rows = copying.rows_of(part)
        again = carry_over(live, part)
        kept = copying.put_in_place(part, live)
    except DatabaseUnavailable as error:
        if error.code == "not_a_database":
            _refuse(file, copying.Unfit(code="not_a_backup", sentence=error.sentence, way_out=_NAME_ONE))
        raise
    finally:
        part.unlink(missing_ok=True)
    answer = {
        "file": str(file),
        "database": str(live),
        "runs": rows["runs"],
        "rows": sum(rows.values()),
        "kept": kept and str(kept),
        "erase_again": list(again or ()),
    }
    printing.show(answer, _restored)
    if again:
        hint(f"Erased since, and back with the copy: {', '.join(again)}. Erase them again.")
    if again is None:
        hint(
            "What stood there could not be read: a customer whose first key is younger than the copy cannot go on without it."
        )
    hint("`python starter.py reconcile` names what runs have done since; with --mend they bring their rows again.")
    return OK


def _live(instead: str) -> Path:
    """The file of the database; other databases have programs of their own."""
    from storage.copying import file_of

    url = ground.settings().database_url
    live = file_of(url)
    if live is None:
        raise Misused(
            f"Only a SQLite file is copied by this command. For PostgreSQL: {instead}, see Backups in docs/operating.md."
        )
    return live


def _demand_another(live: Path, file: Path) -> None:
    if file.resolve() == live.resolve():
        raise Misused(f"{str(file)!r} is the database itself: name another file.")


def _demand_regular(file: Path) -> None:
    from runtime.files import Unreadable, open_regular

    try:
        with open_regular(file):
            pass
    except Unreadable as no:
        raise _invalid(file, "cannot_read", f"The file cannot be read: {no}.") from None


def _refuse(file: Path, wrong: Unfit | None) -> None:
    if wrong is not None:
        raise _invalid(file, wrong.code, f"{wrong.sentence} {wrong.way_out}")


def _invalid(file: Path, code: str, sentence: str) -> DefinitionInvalid:
    return DefinitionInvalid([Fault(1, 1, code, "error", sentence)], str(file)[:200])


def _kept(answer: dict[str, Any]) -> str:
    return f"{answer['file']}: {answer['runs']} runs, {answer['rows']} rows, {answer['bytes']} bytes; read again and whole."


def _restored(answer: dict[str, Any]) -> str:
    kept = f" What stood there is kept as {answer['kept']}." if answer["kept"] else ""
    return f"{answer['database']} holds {answer['runs']} runs, {answer['rows']} rows of {answer['file']}.{kept}"
