"""`trail verify` and `trail head`: is a trail what was written? A file needs neither a server nor a database for that."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, printing, tables
from console.leaving import BY_OUTCOME, INVALID, OK, Answered, Misused
from console.printing import Output, hint
from onboarding.errors import DefinitionInvalid, Fault

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onboarding.reading.seals import Flaw, Verified

app = typer.Typer()

LINE_BYTES = 16_777_216
"""A line of an export; an entry that tells of every item of a run is far shorter."""
DIFFERENT = BY_OUTCOME["conflict"]
"""Two records of one run say different things."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@app.command("trail verify")
def verify(
    what: Annotated[
        str, typer.Argument(metavar="FILE-OR-RUN", help="An export of trails (JSON lines), or a run in the database.")
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="A digest that was kept elsewhere, RUN=DIGEST as `trail head -o table` prints it, or a run whose rows a file is compared to; "
            "may be repeated.",
        ),
    ] = None,
    output: Output = None,
) -> int:
    """Whether trails are what was written: nothing changed, left out, put in, swapped or cut off.

    A FILE that somebody has sealed anew is only found --against a digest that was kept elsewhere.
    """
    file = Path(what)
    digests, runs = _kept(against or [])
    if not file.exists() and re.fullmatch(r"[^/]+(/[^/]+){1,2}", what) and not file.suffix:
        if runs:
            raise Misused("The rows of a run are verified against a digest; a file also against a run.")
        return _verify_run(what, digests)
    return _verify_file(file, digests, runs)


@app.command("trail head")
def head(
    run: Annotated[str, typer.Argument(metavar="RUN", help="onboarding/CUSTOMER/DEFINITION, or CUSTOMER/DEFINITION.")],
    output: Output = None,
) -> int:
    """Number and digest of the last entry of a run, to be kept elsewhere: it proves all that stands before it."""
    ground.settings()
    name = ground.workflow_id(run)
    printing.show({"run": name, **_head(name)}, lambda answer: f"{answer['run']}={answer['digest']}")
    return OK


def _kept(words: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """What a trail is compared to: digests, some with the run that they are the head of, and runs whose rows are asked."""
    digests: dict[str, str | None] = {}
    runs = []
    for word in words:
        run, _, digest = word.rpartition("=")
        if _DIGEST.fullmatch(digest):
            digests[digest] = ground.workflow_id(run) if run else None
        else:
            runs.append(word)
    return digests, runs


def _verify_file(file: Path, digests: dict[str, str | None], runs: list[str]) -> int:
    from onboarding.reading import seals

    names = [ground.workflow_id(run) for run in runs]
    with _opened(file) as lines:
        found = seals.verify(lines, digests, names)
    told = [_row(flaw) for flaw in found.flaws]
    for name in names:
        told += _compared(name, found)
    flawed = found.flawed + len(told) - len(found.flaws)
    return _tell(str(file), found, told, flawed, INVALID)


def _verify_run(run: str, digests: dict[str, str | None]) -> int:
    from onboarding.reading import seals
    from storage import exporting
    from storage.chosen import Chosen

    ground.settings()
    name = ground.workflow_id(run)
    head = _head(name)
    with ground.database() as engine:
        rows = exporting.rows(engine, "trail", Chosen(runs=(name,)))
        found = seals.verify((f"{line}\n".encode() for line in seals.Sealer().lines(rows)), digests)
    told = [_row(flaw) for flaw in found.flaws]
    held, n = ground.run(_held(name, head["n"])), head["n"]
    if held is not None and held.get(n, "") != head["digest"]:
        told.append(_unlike(name, n, "not_the_runs_own", "is not the entry that the run itself holds"))
    told += [
        _unlike(name, later, "cut_off", "is missing: the run itself holds it")
        for later in sorted(held or ())
        if later > n
    ]
    return _tell(name, found, told, found.flawed + len(told) - len(found.flaws), DIFFERENT)


def _compared(run: str, found: Verified) -> list[dict[str, Any]]:
    """A run of a file against its rows: they may have gone on since, and may not have gone another way."""
    if run not in found.heads:
        return [_unlike(run, None, "not_in_it", "is not in this file")]
    n, digest = found.heads[run]
    stored = _head(run, n)
    if stored["digest"] != digest:
        return [_unlike(run, n, "not_the_rows", "is not the entry that the database holds")]
    return []


def _unlike(run: str, n: int | None, code: str, sentence: str) -> dict[str, Any]:
    return {"line": None, "run": run, "n": n, "code": code, "sentence": sentence}


def _head(run: str, n: int | None = None) -> dict[str, Any]:
    """The last entry in the rows, or the n-th; an empty digest where there is none."""
    from storage.naming import runs_known
    from storage.trails import entry_of

    with ground.database() as engine:
        found = entry_of(engine, run, n)
        if found is None and not runs_known(engine, [run]):
            raise ground.unknown_run(run)
    return found or {"n": 0, "digest": "", "at": None}


async def _held(run: str, n: int) -> dict[int, str] | None:
    """The entries from the n-th on, as the run itself holds them; `None` where nobody answers."""
    from console.own_words import entries_from
    from runtime.errors import Unreachable

    try:
        return await entries_from(await ground.client(), run, max(n, 1))
    except Unreachable:
        hint("No Temporal server answers, so the rows were not compared to what the run itself holds.")
    except Answered as no:
        hint(f"The run itself was not asked: {no.answer['sentence']}")
    return None


def _tell(what: str, found: Verified, told: list[dict[str, Any]], flawed: int, code: int) -> int:
    answer = {
        "verified": not flawed, "what": what, "runs": found.runs, "entries": found.entries, "digest": found.digest,
        "against": [{"digest": digest, "is": where} for digest, where in found.kept.items()], "faults": flawed, "rows": told,
    }  # fmt: skip
    printing.show(answer, _table)
    if not flawed and not found.kept:
        hint("Whoever can write the whole of it could also seal it anew: keep a digest elsewhere and use --against.")
    return code if flawed else OK


def _table(answer: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    runs = "one run" if answer["runs"] == 1 else f"{answer['runs']} runs"
    count = f"{answer['entries']} entries of {runs}"
    if answer["verified"]:
        kept = [f"{one['digest'][:16]}… is {one['is']}" for one in answer["against"]]
        return Text("\n".join([f"{tables.plain(answer['what'])}: {count}, as they were written.", *kept]))
    columns = {"line": "line", "run": "run", "n": "entry", "code": "code", "sentence": "what is wrong with it"}
    head = Text(f"{tables.plain(answer['what'])}: not what was written, {answer['faults']} faults in {count}.")
    return Group(head, tables.grid(answer["rows"], columns))


def _row(flaw: Flaw) -> dict[str, Any]:
    return {"line": flaw.line, "run": flaw.run, "n": flaw.n, "code": flaw.code, "sentence": flaw.sentence}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of an export. Raises `DefinitionInvalid` for what is no file of JSON lines."""
    from runtime.files import Unreadable, open_regular

    try:
        with open_regular(path) as file:
            if file.read(1) not in (b"{", b""):
                raise _invalid(path, "Only JSON lines are exact enough to be verified: export trail -o jsonl.")
            file.seek(0)
            yield iter(lambda: file.readline(LINE_BYTES), b"")
    except Unreadable as no:
        raise _invalid(path, f"The file cannot be read: {no}.") from None


def _invalid(path: Path, sentence: str) -> DefinitionInvalid:
    return DefinitionInvalid([Fault(1, 1, "cannot_read", "error", sentence)], str(path)[:200])
