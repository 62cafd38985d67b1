"""`report`: the numbers of one run, or over all runs by what they have in common. Needs no Temporal server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from console import ground, printing, report_tables, tables
from console.cells import csv_lines, print_lines
from console.leaving import OK, Misused
from console.paging import stranger
from console.periods import first_moment
from onboarding.nearest import nearest

if TYPE_CHECKING:
    from storage.chosen import Chosen

app = typer.Typer()

Many = list[str] | None


class ReportForm(StrEnum):
    """How a report is written: CSV is for spreadsheets, a line for each number; HTML a page to forward, PNG and SVG one chart of it."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"
    PNG = "png"
    SVG = "svg"


class Chart(StrEnum):
    """What a picture of a report shows."""

    TIME_TO_VALUE = "time-to-value"
    FUNNEL = "funnel"
    STAGES = "stages"
    SIDES = "sides"
    BOTTLENECKS = "bottlenecks"


PICTURES = (ReportForm.HTML, ReportForm.PNG, ReportForm.SVG)


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
    chart: Annotated[
        Chart | None,
        typer.Option(
            "--chart", help="Which chart -o png and -o svg draw; time-to-value where none is named.", show_default=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write the page or picture to this file, which is there whole or not at all."),
    ] = None,
    output: Annotated[
        ReportForm | None,
        typer.Option("-o", "--output", callback=_choose, help="Default: table on a terminal, json otherwise."),
    ] = None,
) -> int:
    """Time-to-value numbers: of one run, or over all. Seconds, or counts; docs/numbers.md says what each rests on."""
    ground.settings()
    if chart is not None and _form() not in (ReportForm.PNG, ReportForm.SVG):
        raise Misused("--chart is for -o png and -o svg: the page of -o html has all of them.")
    if file is not None and _form() not in PICTURES:
        raise Misused("--file is for -o html, png and svg: send other forms to a file with >.")
    if run is None:
        asked = _Asked(_once(by) or ("definition",), _once(definition), _once(owner), since, until)
        return _pictured(asked, chart or Chart.TIME_TO_VALUE, file) if _form() in PICTURES else _over_all(asked)
    if by or definition or owner or since or until:
        raise Misused("A report is of one run or over many (--by, --from, --to, --definition, --owner), not both.")
    if _form() in PICTURES:
        raise Misused("A picture of one run is drawn by `ledger RUN -o html`; `report` draws many.")
    return _of_one(ground.workflow_id(run))


def _once(names: Many) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names or ()))


class _Asked(NamedTuple):
    """What a report over many runs is made by, and which runs it is about, as it was typed."""

    by: tuple[str, ...]
    definition: tuple[str, ...]
    owner: tuple[str, ...]
    since: str | None
    until: str | None

    def chosen(self) -> Chosen:
        """Which runs these are."""
        from metrics.overall import DIMENSIONS
        from storage.chosen import Chosen

        _check_dimensions(self.by, DIMENSIONS)
        chosen = Chosen(
            definition=self.definition, owner=self.owner, since=first_moment(self.since, "--from"), until=first_moment(self.until, "--to")
        )  # fmt: skip
        if chosen.since and chosen.until and chosen.since >= chosen.until:
            raise Misused("--to comes after --from: no run lies between these two.")
        return chosen


def _over_all(asked: _Asked) -> int:
    from metrics import overall
    from storage.reporting import Reporting

    chosen, now = asked.chosen(), datetime.now(UTC).replace(microsecond=0)
    with ground.database() as engine:
        reads = Reporting(engine)
        _check_known(reads, asked.definition, asked.owner)
        groups, stages = reads.read(asked.by, chosen, now)
        runs = 0 if groups else reads.count()
    _show(overall.report(groups, stages, now), _nothing(runs))
    return OK


def _pictured(asked: _Asked, chart: Chart, file: Path | None) -> int:
    from console import pictures
    from storage.bottlenecks import Bottlenecks
    from storage.reporting import Reporting

    chosen, now, form = asked.chosen(), datetime.now(UTC).replace(microsecond=0), _form()
    page = pictures.drawing("page")
    pictures.check_place(form, file)
    with ground.database() as engine:
        reads, more = Reporting(engine), Bottlenecks(engine)
        _check_known(reads, asked.definition, asked.owner)
        groups, stages = reads.read(asked.by, chosen, now)
        definitions = tuple(sorted({one["definition"] for one in stages}))
        empty = "" if groups else _nothing(reads.count())
        material = page.Material(
            groups=groups, stages=stages, spent=more.read(chosen), titles=more.titles(definitions), at=now, chosen=_said(chosen), empty=empty,
        )  # fmt: skip
    if empty:
        printing.hint(empty)
    return pictures.report(page, material, form, chart, file)


def _said(chosen: Chosen) -> str:
    """Which runs a report is about, for whoever only sees the page."""
    parts = [f"of {' or '.join(chosen.definition)}"] if chosen.definition else []
    parts += [f"that {' or '.join(chosen.owner)} answers for"] if chosen.owner else []
    parts += [f"signed (else started) from {chosen.since:%Y-%m-%d %H:%M} UTC on"] if chosen.since else []
    parts += [f"signed (else started) before {chosen.until:%Y-%m-%d %H:%M} UTC"] if chosen.until else []
    return f"runs {', '.join(parts)}" if parts else "all runs"


def _check_dimensions(by: Iterable[str], known: tuple[str, ...]) -> None:
    for name in by:
        if name not in known:
            told = f"{', '.join(known[:-1])} or {known[-1]}"
            raise Misused(f"A report is made by {told}, not by {name[:60]!r}{nearest(name, known) or '.'}")


def _check_known(reads: Any, definitions: Iterable[str], owners: Iterable[str]) -> None:
    """A name that nothing bears: an empty report would look like an answer. Where no run is yet, no word is wrong."""
    from runtime.library import known_ids

    if not reads.count():
        return
    if definitions:
        known = sorted({*reads.known("definition"), *known_ids()})
        for name in definitions:
            if name not in known:
                raise stranger("definition", name, known)
    if owners:
        known = [one for one in reads.known("owner") if one]
        for name in owners:
            if name not in known:
                raise stranger("owner", name, known)


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
    if lines:
        print_lines(csv_lines(list(lines[0]), lines))
