"""`list`: runs by what they are and how they do, in an order, page by page; or counted; or as a query for Temporal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, paging, printing
from console.leaving import OK, Misused
from console.paging import All, Cursor
from console.periods import first_moment
from console.printing import Output
from onboarding.engine.health import HEALTH, WAITING_ON
from onboarding.engine.state import RunOutcome, RunStatus
from onboarding.messages import canonical_actor
from onboarding.nearest import nearest

if TYPE_CHECKING:
    from storage.read_table import ReadTable

app = typer.Typer()

Many = list[str] | None
SORTS = ("run", "due", "promised", "started", "waiting", "customer")
"""What `list` can be ordered by; the same as `storage.run_list.SORTS`, which is not imported for a help text."""
_COLUMNS = {
    "run": "run", "state": "state", "outcome": "outcome", "health": "health", "stage": "stage", "owner": "owner",
    "waiting_on": "waiting on", "waiting_since": "since", "due_at": "due", "promised_at": "promised",
}  # fmt: skip
_COUNTED = {"by": "by", "value": "what", "runs": "runs"}


def _option(name: str, what: str) -> Any:
    return typer.Option(f"--{name}", help=f"{what}; may be repeated.", show_default=False)


def _one_of(name: str, words: Iterable[str]) -> Any:
    """An option that takes only these words: of a wrong one, an empty list would look like good news."""
    known = tuple(str(word) for word in words)
    option = f"--{name}"
    told = ", ".join(known)

    def checked(values: Many) -> Many:
        for value in values or ():
            _known(option, value, known)
        return values

    return typer.Option(option, help=f"{told}; may be repeated.", show_default=False, callback=checked)


def _known(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        hint = nearest(value, known) or "."
        raise Misused(f"{option} takes {', '.join(known)}; there is no {value[:60]!r}{hint}")
    return value


def _months(values: Many) -> Many:
    for value in values or ():
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value, re.ASCII):
            raise Misused(f"--month takes a month such as 2026-11, not {value[:60]!r}.")
    return values


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
    wave: Annotated[Many, _option("wave", "A wave")] = None,
    customer: Annotated[Many, _option("customer", "Key of a customer")] = None,
    month: Annotated[
        Many,
        typer.Option(
            "--month",
            help="Signed in this month (UTC), such as 2026-11; may be repeated.",
            show_default=False,
            callback=_months,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Started on this day (UTC) or at this instant, or later.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Started before this day (UTC) or instant.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Something open is past its due date.")] = False,
    at_risk: Annotated[
        bool,
        typer.Option(
            "--at-risk", help="Open and at risk, stalled, escalated, behind the promised date, or likely to miss it."
        ),
    ] = False,
    sort: Annotated[str, typer.Option("--sort", help=f"{', '.join(SORTS)}; nothing there comes last.")] = "run",
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many, by state, health, stage and more.")] = False,
    as_query: Annotated[
        bool, typer.Option("--as-query", help="Only the same question as a query for Temporal.")
    ] = False,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """Runs, narrowed by what they are and how they do."""
    ground.settings()
    now = datetime.now(UTC)
    wanted = {
        "stage": stage, "owner": [canonical_actor(one) for one in owner or ()], "health": health, "definition": definition,
        "state": state, "outcome": outcome, "waiting_on": waiting_on, "variant": variant, "segment": segment, "wave": wave,
        "customer": customer, "month": month, "since": first_moment(since, "--since"), "until": first_moment(until, "--until"),
        "overdue": now if overdue else None, "at_risk": now if at_risk else None,
    }  # fmt: skip
    filters: Any = {name: value for name, value in wanted.items() if value}
    _known("--sort", sort, SORTS)
    if as_query:
        _alone(
            "--as-query",
            {"--sort": sort != "run", "--reverse": reverse, "--count": count, "--cursor": cursor, "--all": every},
        )
        return _query(filters)
    if count:
        _alone("--count", {"--sort": sort != "run", "--reverse": reverse, "--cursor": cursor, "--all": every})
    with ground.read_table() as table:
        any_run = table.any_run()
        answer = counted(table, filters) if count else listed(table, filters, sort, reverse, cursor, every)
    nothing = paging.why_empty(answer, any_run, "No run fits.")
    return paging.show(answer, _COUNTED if count else _COLUMNS, nothing)


def listed(
    table: ReadTable,
    filters: Any,
    sort: str = "run",
    reverse: bool = False,
    cursor: str | None = None,
    every: bool = False,
) -> dict[str, Any]:
    """What `list` answers. Raises `Answered` for a word that no run has."""
    _all_known(table, filters)
    answer = paging.paged(lambda at: table.runs(sort=sort, reverse=reverse, cursor=at, **filters), cursor, every)
    return answer | {"total": table.runs_total(**filters)}


def counted(table: ReadTable, filters: Any) -> dict[str, Any]:
    """What `list --count` answers. Raises `Answered` for a word that no run has."""
    _all_known(table, filters)
    return {"rows": table.run_counts(**filters), "next_cursor": None, "total": table.runs_total(**filters)}


def _alone(option: str, others: dict[str, Any]) -> None:
    """What would be left out without a word is refused."""
    given = [name for name, value in others.items() if value]
    if given:
        raise Misused(f"{option} takes filters only: leave out {', '.join(given)}.")


def _all_known(table: ReadTable, filters: dict[str, Any]) -> None:
    found = table.unknown_word(**filters)
    if found is not None:
        name, word = found
        raise paging.stranger(name, word, table.known_words(name, word, ground.NEAREST_AMONG))


def _query(filters: dict[str, Any]) -> int:
    """Plain text also where nobody looks, for `temporal workflow list --query "$(…)"`; JSON only when asked for."""
    from console import visibility

    query = visibility.query_of(filters)
    if any(name in filters for name in visibility.NARROWER):
        printing.hint(
            "Temporal knows the one stage in which a run's time is spent; list also finds stages open beside it."
        )
    if printing.chosen() in (printing.Form.JSON, printing.Form.JSONL):
        printing.show({"query": query}, lambda _: query)
    else:
        print(query)
    return OK
