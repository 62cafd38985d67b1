"""`export`: whole tables for other programs. Needs no Temporal server.

JSON lines are exact, and those of the trail are sealed, see `onboarding/reading/seals.py`. CSV is for spreadsheets. Parquet needs the
extra `reports`.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from console import cells, ground, paging
from console.leaving import OK, Misused
from console.periods import first_moment
from console.printing import hint
from onboarding.nearest import nearest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from onboarding.reading.seals import Sealer
    from storage.chosen import Chosen

app = typer.Typer()

SPOOLED = 1_048_576
"""Characters of an answer that are in memory together."""
PART = 20_000
"""Rows of a Parquet file that are in memory together."""


class Form(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command()
def export(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="runs, ledger, trail, items, stages, milestones, handoffs, promises, faults, refused or notices.",
        ),
    ],
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]…", help="Only of these runs; default: of all.")
    ] = None,
    definition: Annotated[
        list[str] | None, typer.Option("--definition", help="Only runs of this definition; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Only runs that were signed, else started, at this date or later.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Only runs that were signed, else started, before.")] = None,
    output: Annotated[
        Form | None, typer.Option("-o", "--output", help="Default: what the name of --file ends with, else jsonl.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Write to this file, which is there whole or not at all.")
    ] = None,
) -> int:
    """Rows of one table as CSV, JSON lines or Parquet; the trail as JSON lines can be verified anywhere."""
    from storage.exporting import TABLES

    ground.settings()
    if table not in TABLES:
        raise Misused(f"export takes {', '.join(TABLES)}; there is no {table[:60]!r}{nearest(table, TABLES) or '.'}")
    form = output or _form_of(file)
    if form is Form.PARQUET and file is None:
        raise Misused("Parquet is no text: give it a file with --file.")
    with _Spool() as spool:
        with ground.database() as engine:
            written = _Written(engine, table, _chosen(engine, runs or [], definition or [], since, until))
            if file is None:
                spool.take(written.lines(form))
            elif form is Form.PARQUET:
                _save_parquet(written, file)
            else:
                _save(written.lines(form), file)
        if file is None:
            cells.print_lines(spool.parts())
    hint(written.told(file))
    return OK


class _Written:
    """The rows of an export on their way out, counted."""

    def __init__(self, engine: Engine, table: str, chosen: Chosen) -> None:
        from onboarding.reading.seals import Sealer
        from storage.exporting import columns_of

        self.table, self.columns = table, columns_of(table)
        self.count = 0
        self.seal: Sealer | None = None
        self._engine, self._chosen, self._sealer = engine, chosen, Sealer

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row, as plain JSON."""
        from storage import exporting

        for row in exporting.rows(self._engine, self.table, self._chosen):
            self.count += 1
            yield row

    def lines(self, form: Form) -> Iterator[str]:
        """Each line with its break."""
        from console.cells import csv_lines

        if form is Form.CSV:
            return csv_lines(tuple(self.columns), self.rows())
        if self.table != "trail":
            return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in self.rows())
        self.seal = self._sealer()
        return (f"{line}\n" for line in self.seal.lines(self.rows()))

    def told(self, file: Path | None) -> str:
        """What was written, and what to keep of it."""
        where = f" to {file}" if file else ""
        said = f"{self.count} {'row' if self.count == 1 else 'rows'} of {self.table}{where}."
        if not self.count:
            said += " There is nothing of that yet."
        if self.seal is None:
            return said
        kept = f"Digest of this export: {self.seal.digest}" if self.seal.digest else ""
        if self.seal.runs == 1:
            kept += f"; head of the run: {self.seal.head}"
        return f"{said} {kept}\nKeep it elsewhere: `trail verify FILE --against DIGEST` then finds any change.".strip()


def _form_of(file: Path | None) -> Form:
    """By the end of the file's name; JSON lines are exact and so the default."""
    end = file.suffix.lstrip(".").lower() if file else ""
    return Form(end) if end in tuple(Form) else Form.JSONL


def _chosen(engine: Engine, runs: list[str], definitions: list[str], since: str | None, until: str | None) -> Chosen:
    from storage.chosen import Chosen
    from storage.naming import definitions_known, runs_known

    first, last = first_moment(since, "--from"), first_moment(until, "--to")
    if first is not None and last is not None and first >= last:
        raise Misused("--to is not later than --from.")
    names = tuple(dict.fromkeys(ground.workflow_id(run) for run in runs))
    recorded = runs_known(engine, names)
    missing = [name for name in names if name not in recorded]
    if missing:
        raise ground.unknown_run(missing[0])
    if definitions and (known := definitions_known(engine)):  # where no run is yet, no word is wrong
        for name in definitions:
            if name not in known:
                raise paging.stranger("definition", name, known)
    return Chosen(runs=names, definition=tuple(definitions), since=first, until=last)


class _Spool:
    """Lines on their way to somebody who may be slow, so that the database need not wait: small ones in memory, others in a file."""

    def __enter__(self) -> Self:
        self._kept = tempfile.SpooledTemporaryFile(max_size=SPOOLED, mode="w+", encoding="utf-8", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def take(self, lines: Iterable[str]) -> None:
        """All of them."""
        try:
            for line in lines:  # writelines would have all of them in memory
                self._kept.write(line)
        except FileNotFoundError as error:  # there is no folder for such files
            raise OSError(error.errno, error.strerror, "TMPDIR") from None

    def parts(self) -> Iterator[str]:
        """What was taken, from its beginning."""
        self._kept.seek(0)
        while part := self._kept.read(SPOOLED):
            yield part


def _save(lines: Iterable[str], file: Path) -> None:
    from console.replacing import beside

    with beside(file) as part, part.open("w", encoding="utf-8", newline="") as out:
        out.writelines(lines)


def _save_parquet(written: _Written, file: Path) -> None:
    from console.replacing import beside
    from runtime.errors import NotInstalled

    try:
        import polars
    except ImportError:
        raise NotInstalled("polars", "reports") from None
    kinds: Mapping[str, Any] = {
        "instant": polars.Datetime("us", "UTC"), "number": polars.Int64, "truth": polars.Boolean,
        "words": polars.List(polars.String), "text": polars.String, "object": polars.String,
    }  # fmt: skip
    schema = {name: kinds[kind] for name, kind in written.columns.items()}
    with beside(file) as part, tempfile.TemporaryDirectory(dir=part.parent, prefix=f".{file.name}.") as folder:
        rows, count = written.rows(), 0
        while True:
            some = [_typed(row, written.columns) for row in itertools.islice(rows, PART)]
            if some or not count:
                polars.DataFrame(some, schema=schema, orient="row").write_parquet(Path(folder) / f"{count:06}.parquet")
                count += 1
            if len(some) < PART:
                break
        polars.scan_parquet(Path(folder) / "*.parquet").sink_parquet(part)


def _typed(row: Mapping[str, Any], kinds: Mapping[str, str]) -> tuple[Any, ...]:
    """A row as Parquet holds it: instants as instants, objects as JSON."""
    from datetime import datetime

    def value(name: str, kind: str) -> Any:
        found = row[name]
        if kind == "instant":
            return None if found is None else datetime.fromisoformat(found)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if kind == "object" else found

    return tuple(value(name, kind) for name, kind in kinds.items())
