"""`inbox`: what waits for a person, or for whoever has a role, over all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, paging
from console.leaving import Misused
from console.paging import All, Cursor
from console.printing import Output
from onboarding.messages import canonical_actor

if TYPE_CHECKING:
    from storage.read_table import ReadTable

app = typer.Typer()

_COLUMNS = {
    "run": "run", "id": "item", "title": "title", "status": "status", "since": "since", "due_at": "due", "late": "late",
    "stands_for": "in place of", "blocks": "blocks",
}  # fmt: skip
_OF_GROUP = {"run": "run", "id": "item", "title": "title", "status": "status", "since": "since", "due_at": "due", "late": "late", "people": "who may", "blocks": "blocks"}  # fmt: skip


@app.command()
def inbox(
    person: Annotated[
        str | None, typer.Argument(metavar="[PERSON]", help="A handle, such as dana or customer:admin.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Instead of a person: a role, or a group that is its own handle.")
    ] = None,
    cursor: Cursor = None,
    every: All = False,
    output: Output = None,
) -> int:
    """What waits for one person, or for whoever has a role, over all runs, the most urgent first."""
    ground.settings()
    if person is not None and group is not None:
        raise Misused("An inbox is one person's or a group's: leave out PERSON or --group.")
    if person is None and group is None:
        raise Misused("Whose inbox? Name a person (inbox dana), or a role (inbox --group lead).")
    with ground.read_table() as table:
        any_run = table.any_run()
        name = canonical_actor(person or group or "")
        answer = (of_group if person is None else of_person)(table, name, cursor, every)
        if any_run and not answer["total"]:
            _known(table, name, group=person is None)
    nothing = paging.why_empty(answer, any_run, f"Nothing waits for {name}.")
    return paging.show(answer, _OF_GROUP if person is None else _COLUMNS, nothing)


def of_person(table: ReadTable, person: str, cursor: str | None = None, every: bool = False) -> dict[str, Any]:
    """What `inbox PERSON` answers."""
    answer = paging.paged(lambda at: table.inbox(person, cursor=at), cursor, every)
    return answer | {"total": table.inbox_total(person)}


def of_group(table: ReadTable, group: str, cursor: str | None = None, every: bool = False) -> dict[str, Any]:
    """What `inbox --group ROLE` answers."""
    answer = paging.paged(lambda at: table.group_inbox(group, cursor=at), cursor, every)
    return answer | {"total": table.group_total(group)}


def _known(table: ReadTable, name: str, *, group: bool) -> None:
    """A name for which nothing waits is told from one that nobody has ever heard. Raises `Answered`."""
    if not table.heard_of(name, group=group):
        raise paging.stranger(
            "group" if group else "person", name, table.names_near(name, ground.NEAREST_AMONG, group=group)
        )
