"""`reconcile`: do the rows of runs say what the runs have done? Changes nothing itself.

Rows are compared to the record that their trail tells of and to one another, and, where a Temporal server answers, to what the
server, the definition and the run itself say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing, tables
from console.leaving import BY_OUTCOME, OK, Answered, Misused
from console.printing import Output, hint

if TYPE_CHECKING:
    from rich.console import RenderableType
    from sqlalchemy import Engine
    from temporalio.client import Client

    from onboarding.reading.rebuilding import Difference, Tables

app = typer.Typer()

RECENT = timedelta(days=30)
"""How long a closed run is looked at without being named."""
AT_ONCE = 8
"""Runs that are asked at the same time."""
MENDS = 30.0
"""Seconds in which rows that were asked for must have come."""
SETTLES = 3.0
"""Seconds after which a difference counts: what a run has just done stands in its rows by then."""


@app.command()
def reconcile(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]…", help="Only these; default: all open ones and those that closed in the last 30 days."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run that has rows.")] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Let runs that differ bring all their rows again, and tell what is left.")
    ] = False,
    output: Output = None,
) -> int:
    """Every difference between the rows of runs and what they follow from; ends with 0 where there is none, else with 21."""
    from storage.naming import runs_known
    from storage.whole_runs import names

    ground.settings()
    if runs and every:
        raise Misused("--all is every run: name none.")
    with ground.database() as engine:
        named = list(dict.fromkeys(ground.workflow_id(run) for run in runs or ()))
        known = runs_known(engine, named)
        missing = [run for run in named if run not in known]
        if missing:
            raise ground.unknown_run(missing[0])
        since = None if every else datetime.now(UTC) - RECENT

        def look() -> dict[str, Any]:
            return ground.run(_Reconciled(engine, whole=not named, since=since).of(named or names(engine, since)))

        answer = look()
        if mend and answer["differences"]:
            answer = _mended(engine, answer, look)
    printing.show(answer, _table, rows="rows")
    return BY_OUTCOME["conflict"] if answer["differences"] else OK


def _mended(engine: Engine, answer: dict[str, Any], look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is left when runs that differ have brought all that they carry. Only they know what is right, so nobody else is asked."""
    from console.mending import Mended, mended

    done: Mended = ground.run(mended(engine, sorted({row["run"] for row in answer["rows"]})))
    hint(
        f"{len(done.asked)} open runs were asked to bring all their rows again; of {len(done.written)} that are closed they were written."
    )
    until = time.monotonic() + MENDS
    while done.asked or done.written:
        answer = look()
        if not {row["run"] for row in answer["rows"]} & {*done.asked} or time.monotonic() > until:
            break
    return answer


class _Reconciled:
    """Goes through runs; what it finds is kept line by line."""

    def __init__(self, engine: Engine, *, whole: bool, since: datetime | None) -> None:
        self.engine, self.whole, self.since = engine, whole, since
        self.runs = self.asked = self.older = 0
        self.rows: list[dict[str, Any]] = []

    async def of(self, runs: Iterable[str]) -> dict[str, Any]:
        """The answer of the command."""
        client = await _client()
        found: list[str] = []
        for some in _batches(runs, AT_ONCE):
            found += some
            for lines in await asyncio.gather(*(self._run(client, run) for run in some)):
                self.rows += lines
        self.runs = len(found)
        if client is not None and self.whole:
            self.rows += await self._without_rows(client, found)
        if self.older:
            hint(
                f"{self.older} of these runs began before trails told of changes: of them chain and ledger were looked at."
            )
        return {
            "runs": self.runs, "asked": self.asked, "older": self.older, "differences": len(self.rows), "rows": self.rows,
        }  # fmt: skip

    async def _run(self, client: Client | None, run: str) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._of_rows, run)
        found += await self._settled(lambda: self._of_others(client, run)) if client is not None else []
        return [_line(run, one) for one in found]

    def _of_rows(self, run: str) -> list[Difference]:
        from storage.whole_runs import RowUnreadable, tables_of

        try:
            tables = tables_of(self.engine, run)
        except RowUnreadable as no:
            return [_unreadable(no.table)]
        if tables is None:
            return []
        self.older += is_older(tables)
        return list(inside(tables))

    async def _of_others(self, client: Client | None, run: str) -> list[Difference]:
        from console.own_words import differences
        from storage.whole_runs import RowUnreadable, tables_of

        assert client is not None, "only asked where a server answers"
        try:
            tables = await asyncio.to_thread(tables_of, self.engine, run)
        except RowUnreadable:
            return []  # told already
        if tables is None:
            return []
        try:
            found = await differences(client, run, tables)
        except Answered as no:
            hint(f"{run} was not asked itself: {no.answer['sentence']}")
            return []
        self.asked += 1
        return found

    async def _settled(self, look: Callable[[], Awaitable[list[Difference]]]) -> list[Difference]:
        """What is still different after a while: rows come a moment after what they tell of."""
        found = await look()
        if not found:
            return []
        await asyncio.sleep(SETTLES)
        self.asked -= 1
        again = await look()
        return [one for one in again if one.where in {known.where for known in found}]

    async def _without_rows(self, client: Client, known: Iterable[str]) -> list[dict[str, Any]]:
        """Runs that the server knows, open or closed not long ago, and that have no rows."""
        from console.own_words import there
        from onboarding.reading.rebuilding import Difference
        from storage.naming import runs_known

        states = await there(client, self.since)
        names = sorted(set(states) - set(known))
        if names:
            await asyncio.sleep(SETTLES)
        rows = runs_known(self.engine, names)
        return [
            _line(run, Difference(where="runs", column="", source="server", row=None, expected=states[run]))
            for run in names
            if run not in rows
        ]


def inside(tables: Tables) -> Iterable[Difference]:
    """What can be found without asking anybody: the chain, the record that it tells of, the ledger, the sums."""
    from metrics.report import ledger_faults
    from onboarding.reading.rebuilding import Difference, from_erasure, from_sums, from_trail
    from onboarding.reading.seals import Sealer, verify

    if not tables["trail"]:
        yield Difference(where="trail", column="", source="chain", row=None, expected="a row")
    for flaw in verify(f"{line}\n".encode() for line in Sealer().lines(tables["trail"])).flaws:
        yield Difference(where=f"trail/{flaw.n}", column="digest", source="chain", row=flaw.sentence, expected=None)
    yield from from_erasure(tables)
    if not is_older(tables):
        yield from from_trail(tables)
        yield from from_sums(tables)
    (run,) = tables["runs"]
    ledger = [{**row, "from": row["since"]} for row in tables["ledger"]]
    for fault in ledger_faults(ledger, run["started_at"], run["closed_at"]):
        yield Difference(where=f"ledger/{fault.n}", column="", source="ledger", row=fault.sentence, expected=None)


def is_older(tables: Tables) -> bool:
    """Whether a run began before trails told what they change, its start among it: there is nothing to rebuild it from."""
    from onboarding.reading.rebuilding import rebuild

    told = rebuild(entry["changes"] for entry in tables["trail"])
    return bool(tables["trail"]) and "started_at" not in told.get("run", {})


def _unreadable(table: str) -> Difference:
    from onboarding.reading.rebuilding import Difference

    return Difference(where=table, column="", source="rows", row="a value that its column cannot hold", expected=None)


async def _client() -> Client | None:
    from runtime.errors import Unreachable

    try:
        return await ground.client()
    except Unreachable:
        hint("No Temporal server answers, so the rows were compared to their trails and to one another only.")
        return None


def _batches(runs: Iterable[str], size: int) -> Iterable[list[str]]:
    some: list[str] = []
    for run in runs:
        some.append(run)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _line(run: str, one: Difference) -> dict[str, Any]:
    return {
        "run": run, "where": one.where, "column": one.column or None, "source": one.source, "rows": one.row, "expected": one.expected,
    }  # fmt: skip


def _table(answer: dict[str, Any]) -> RenderableType | str:
    runs = "one run" if answer["runs"] == 1 else f"{answer['runs']} runs"
    if not answer["differences"]:
        return f"{runs}, {answer['asked']} of them asked themselves: nothing differs."
    columns = {
        "run": "run", "where": "where", "column": "column", "rows": "the rows say", "source": "and the", "expected": "says",
    }  # fmt: skip
    return tables.grid(answer["rows"], columns, f"{answer['differences']} differences in {runs}")
