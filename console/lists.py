"""What can be read over all runs, from the rows they leave: `list`, `inbox`, `outbox`. Needs no Temporal server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer

from console import ground, printing, tables
from console.leaving import OK, Misused
from console.printing import Output
from onboarding.engine.health import HEALTH, WAITING_ON
from onboarding.engine.state import RunOutcome, RunStatus
from onboarding.nearest import nearest

app = typer.Typer()

Cursor = Annotated[str | None, typer.Option("--cursor", help="The next_cursor of the page before.")]
All = Annotated[bool, typer.Option("--all", help="Every page.")]
Many = list[str] | None
_RUN_COLUMNS = {
    "run": "run", "state": "state", "outcome": "outcome", "health": "health", "stage": "stage", "owner": "owner",
    "waiting_on": "waiting on", "waiting_since": "since", "due_at": "due", "promised_at": "promised",
}  # fmt: skip


def _option(name: str, what: str) -> Any:
    return typer.Option(f"--{name}", help=f"{what}; may be repeated.", show_default=False)


def _one_of(name: str, words: Iterable[str]) -> Any:
    """An option that takes only these words: of a wrong one, an empty list would look like good news."""
    known = tuple(str(word) for word in words)
    option = f"--{name}"
    told = ", ".join(known)

    def checked(values: Many) -> Many:
        for value in values or ():
            if value not in known:
                hint = nearest(value, known) or "."
                raise Misused(f"{option} takes {told}; there is no {value[:60]!r}{hint}")
        return values

    return typer.Option(option, help=f"{told}; may be repeated.", show_default=False, callback=checked)


@app.command("list")
def list_runs(
    stage: Annotated[Many, _option("stage", "Id of an open stage")] = None,
    owner: Annotated[Many, _option("owner", "Handle of a stage's owner")] = None,
    health: Annotated[Many, _one_of("health", HEALTH)] = None,
    definition: Annotated[Many, _option("definition", "Id of a definition")] = None,
    state: Annotated[Many, _one_of("state", RunStatus)] = None,
    outcome: Annotated[Many, _one_of("outcome", RunOutcome)] = None,
    waiting_on: Annotated[Many, _one_of("waiting-on", WAITING_ON)] = None,
    variant: Annotated[Many, _option("variant", "Id of a variant")] = None,
    segment: Annotated[Many, _option("segment", "A segment")] = None,
    customer: Annotated[Many, _option("customer", "Key of a customer")] = None,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """Runs, narrowed by what they are and how they do."""
    from storage.read_table import CursorInvalid
    from workflows.address import parse_run

    ground.settings()
    if cursor is not None and str(parse_run(cursor)) != cursor:  # pages of runs go on behind the name of one
        raise CursorInvalid
    wanted = {
        "stage": stage, "owner": owner, "health": health, "definition": definition, "state": state, "outcome": outcome,
        "waiting_on": waiting_on, "variant": variant, "segment": segment, "customer": customer,
    }  # fmt: skip
    filters: Any = {name: values for name, values in wanted.items() if values}
    with ground.read_table() as table:
        answer = _paged(lambda at: table.runs(cursor=at, **filters), cursor, every)
    return _show(answer, _RUN_COLUMNS)


@app.command()
def inbox(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A handle, such as dana or customer:admin.")],
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """What one person has open, over all runs, the most urgent first."""
    from onboarding.messages import canonical_actor

    ground.settings()
    with ground.read_table() as table:
        answer = _paged(lambda at: table.inbox(canonical_actor(person), cursor=at), cursor, every)
    columns = {
        "run": "run",
        "id": "item",
        "title": "title",
        "status": "status",
        "since": "since",
        "due_at": "due",
        "blocks": "blocks",
    }
    return _show(answer, columns)


@app.command()
def outbox(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: of all runs.")] = None,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """What was sent to people or would be, oldest first."""
    ground.settings()
    name = ground.workflow_id(run) if run is not None else None
    with ground.read_table() as table:
        if name is not None and table.find(name) is None:
            raise ground.unknown_run(name)
        answer = _paged(lambda at: table.outbox(name, cursor=at), cursor, every)
    columns = {
        "at": "at",
        "to": "to",
        "kind": "kind",
        "item": "item",
        "step": "step",
        "state": "state",
        "not_before": "not before",
        "subject": "subject",
    }
    return _show(answer, columns if name else {"run": "run", **columns})


def _paged(page: Callable[[str | None], dict[str, Any]], cursor: str | None, every: bool) -> dict[str, Any]:
    answer = page(cursor)
    while every and answer["next_cursor"]:
        following = page(answer["next_cursor"])
        answer = {"rows": [*answer["rows"], *following["rows"]], "next_cursor": following["next_cursor"]}
    return answer


def _show(answer: dict[str, Any], columns: Mapping[str, str]) -> int:
    printing.show(answer, lambda found: tables.rows(found, columns), rows="rows")
    return OK
