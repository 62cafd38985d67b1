"""`report`: the numbers of one run, or over all runs by what they have in common. Needs no Temporal server."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from console import ground, printing, report_tables, tables
from console.leaving import OK, Answered, Misused
from onboarding.nearest import nearest

app = typer.Typer()

Many = list[str] | None


class ReportForm(StrEnum):
    """How a report is written: CSV is for spreadsheets, a line for each number."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


_chosen: list[ReportForm] = []


def _choose(form: ReportForm | None) -> ReportForm | None:
    if form is not None:
        _chosen[:] = [form]
    return form


def _form() -> ReportForm:
    """How this process answers."""
    return _chosen[0] if _chosen else ReportForm(printing.form())


@app.command()
def report(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Numbers of one run; default: over all runs.")
    ] = None,
    by: Annotated[
        Many,
        typer.Option(
            "--by",
            help="definition (default), version, variant, segment, owner, month or wave; may be repeated.",
            show_default=False,
        ),
    ] = None,
    definition: Annotated[
        Many, typer.Option("--definition", help="Only runs of this definition; may be repeated.", show_default=False)
    ] = None,
    owner: Annotated[
        Many,
        typer.Option("--owner", help="Only runs that this person answers for; may be repeated.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Only runs signed (else started) at this instant or later; a date is its first moment in UTC.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Only runs signed (else started) before this instant.")
    ] = None,
    output: Annotated[
        ReportForm | None,
        typer.Option("-o", "--output", callback=_choose, help="Default: table on a terminal, json otherwise."),
    ] = None,
) -> int:
    """Time-to-value numbers: of one run, or over all. Seconds, or counts; docs/numbers.md says what each rests on."""
    ground.settings()
    if run is None:
        return _over_all(tuple(by or ("definition",)), tuple(definition or ()), tuple(owner or ()), since, until)
    if by or definition or owner or since or until:
        raise Misused("A report is of one run or over many (--by, --from, --to, --definition, --owner), not both.")
    return _of_one(ground.workflow_id(run))


def _over_all(
    by: tuple[str, ...], definition: tuple[str, ...], owner: tuple[str, ...], since: str | None, until: str | None
) -> int:
    from metrics import overall
    from storage.report_terms import Chosen
    from storage.reporting import Reporting

    _check_dimensions(by, overall.DIMENSIONS)
    chosen = Chosen(
        definition=definition, owner=owner, since=_instant("--from", since), until=_instant("--to", until)
    )  # fmt: skip
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        raise Misused("--to comes after --from: no run lies between these two.")
    now = datetime.now(UTC).replace(microsecond=0)
    with ground.database() as engine:
        reads = Reporting(engine)
        _check_known(reads, definition, owner)
        groups, stages = reads.read(tuple(dict.fromkeys(by)), chosen, now)
        runs = 0 if groups else reads.count()
    _show(overall.report(groups, stages, now), _nothing(runs))
    return OK


def _check_dimensions(by: Iterable[str], known: tuple[str, ...]) -> None:
    for name in by:
        if name not in known:
            told = f"{', '.join(known[:-1])} or {known[-1]}"
            raise Misused(f"A report is made by {told}, not by {name[:60]!r}{nearest(name, known) or '.'}")


def _check_known(reads: Any, definitions: Iterable[str], owners: Iterable[str]) -> None:
    """A name that nothing bears: an empty report would look like an answer."""
    from runtime.library import known_ids

    if definitions:
        known = sorted({*reads.known("definition"), *known_ids()})
        for name in definitions:
            if name not in known:
                raise _unknown("definition", name, known)
    if owners:
        known = [one for one in reads.known("owner") if one]
        for name in owners:
            if name not in known:
                raise _unknown("owner", name, known)


def _unknown(what: str, name: str, known: Iterable[str]) -> Answered:
    shown = name[:200]
    sentence = (
        f"No run has the {what} {shown!r}{nearest(name, known) or '; python starter.py list shows what is known.'}"
    )
    return Answered({"outcome": "unknown", "code": f"unknown_{what}", "sentence": sentence, what: shown})


def _instant(option: str, told: str | None) -> datetime | None:
    """A date as its first moment in UTC, or an instant."""
    if told is None:
        return None
    try:
        if len(told) == len("2026-11-01"):
            day = date.fromisoformat(told)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        found = datetime.fromisoformat(told)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise Misused(
            f"{option} takes a date such as 2026-11-01 or an instant such as 2026-11-01T08:00:00Z, not {told[:60]!r}."
        )
    return found.astimezone(UTC)


def _nothing(runs: int) -> str:
    """Why a report is empty."""
    if runs == 0:
        return "No run has been recorded here yet; python starter.py start begins one."
    return f"None of the {runs} runs that are recorded here was chosen by --definition, --owner, --from and --to."


def _show(found: list[dict[str, Any]], empty: str) -> None:
    form = _form()
    if form is not ReportForm.TABLE and not found:
        printing.hint(empty)
    if form is ReportForm.CSV:
        _write(report_tables.flat(found))
        return
    answer = {"rows": found, "next_cursor": None}
    printing.show(
        answer, lambda _: report_tables.overall(found) if found else empty, rows="rows", how=printing.Form(form)
    )  # fmt: skip


def _of_one(run: str) -> int:
    from metrics.report import of_run
    from storage.read_table import ReadTable
    from storage.reporting import Reporting

    with ground.database() as engine:
        row = Reporting(engine).one(run)
        if row is None:
            raise ground.unknown_run(run)
        answer = of_run(row, ReadTable(engine).ledger(run))
    if _form() is ReportForm.CSV:
        _write(report_tables.flat_run(answer))
    else:
        printing.show(answer, tables.report, how=printing.Form(_form()))
    return OK


def _write(lines: list[dict[str, Any]]) -> None:
    """Lines for a spreadsheet. What begins like a formula is text there, too."""
    if lines:
        writer = csv.DictWriter(sys.stdout, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_tame(line) for line in lines)
    sys.stdout.flush()


def _tame(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value
        for name, value in line.items()
    }
