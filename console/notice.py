"""`notice list` and `notice preview`: what is written to people, seen before they see it. Needs no Temporal server."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import ground, letters_here, printing, tables
from console.leaving import OK, Answered, Misused
from console.printing import Output, hint
from onboarding.errors import DefinitionInvalid, Fault
from onboarding.messages import canonical_actor

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from integrations.letters import Reader
    from integrations.rendering import TemplateRenderer, Words
    from integrations.template_folders import Folders
    from onboarding.engine.effects import Notice

app = typer.Typer()

_COLUMNS = {
    "template": "template",
    "languages": "languages",
    "definition": "only for",
    "page": "own page",
    "from": "from",
}


@app.command("notice list")
def listing(output: Output = None) -> int:
    """The templates that definitions may name, with their languages; the installation's own come before those that are shipped."""
    from integrations.template_folders import LAYOUT, PAGE

    folders = letters_here.demand_languages(letters_here.folders(ground.settings()))
    found: dict[tuple[str, str, bool], list[Any]] = {}
    for place in folders.places():
        if place.name != LAYOUT:
            found.setdefault((place.name, place.definition, place.own), []).append(place)
    rows = [
        {
            "template": name,
            "languages": sorted({one.language for one in places}),
            "definition": definition or None,
            "page": any(one.path.name.endswith(PAGE) for one in places),
            "from": str(folders.own) if own else "shipped",
        }
        for (name, definition, own), places in sorted(
            found.items(), key=lambda one: (one[0][0], not one[0][2], one[0][1])
        )
    ]
    answer = {"rows": rows, "languages": list(folders.languages), "language": folders.chosen(folders.language)}
    printing.show(answer, lambda _: tables.rows({"rows": rows, "next_cursor": None}, _COLUMNS), rows="rows")
    return OK


@app.command("notice preview")
def preview(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A name of `notice list`.")],
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Whose rows it is filled from.")],
    to: Annotated[str | None, typer.Option("--to", help="The handle of its reader.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Instead of the reader's.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the page, as a mail shows it.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    output: Output = None,
) -> int:
    """A letter as it would leave now: the newest such notice of the run, or one made up from what is open. Nothing is sent."""
    folders = letters_here.demand_languages(letters_here.folders(ground.settings()))
    _demand(template, language, folders)
    name = ground.workflow_id(run)
    with ground.database() as database:
        notice = _notice(database, name, template, canonical_actor(to) if to is not None else None)
        reader = _reader(database, name, notice.to, language)
        letter = _words(
            letters_here.renderer(ground.settings(), database, letters_here.answers(ground.settings())), notice, reader
        )
    if html is not None:
        html.write_text(letter.html, encoding="utf-8")
        hint(f"{html} is written.")
    if open_:
        _open(letter)
    shown = {"template": template, "run": name, "to": notice.to, "language": letter.language, "subject": letter.subject}
    printing.show({**shown, "text": letter.text}, lambda _: f"{letter.subject}\n\n{letter.text.rstrip()}")
    return OK


def _words(renderer: TemplateRenderer, notice: Notice, reader: Reader) -> Words:
    """Where a letter would leave with the shipped template, whoever looks at it beforehand is told why. Raises `DefinitionInvalid`."""
    from integrations.rendering import BROKEN
    from integrations.template_check import blamed

    known = renderer.known(notice, reader)
    try:
        return renderer.words(known)
    except BROKEN as error:
        found = blamed(error, Path(notice.template))
        fault = Fault(found.fault.line, 1, found.fault.code, "error", found.fault.sentence, "")
        raise DefinitionInvalid((fault,), str(found.path)) from None


def _demand(template: str, language: str | None, folders: Folders) -> None:
    if template not in folders.names:
        raise _unknown("template", template, folders.names)
    if language is not None and language not in folders.languages:
        raise Misused(
            f"Nothing is written in the language {language[:20]!r} here; there are {', '.join(folders.languages)}."
        )


def _notice(database: Engine, run: str, template: str, to: str | None) -> Notice:
    from integrations.templates import kind_of
    from onboarding.engine.effects import Notice, NoticeKind
    from onboarding.engine.roster import CONTACT
    from storage.about import SqlAbout, last_notice, readers_of
    from storage.read_table import ReadTable

    if ReadTable(database).find(run) is None:
        raise ground.unknown_run(run)
    readers = readers_of(database, run)
    if to is not None and to not in readers:
        raise _unknown("reader", to, readers)
    found = last_notice(database, run, template, to)
    if found is not None:
        return found
    hint("This run has no notice of this template yet: it is made up from what is open now.")
    kind = kind_of(template)
    # The customer never reads an escalation.
    inside = kind is NoticeKind.ESCALATION
    theirs = [handle for handle in readers if inside != handle.startswith(CONTACT)] or list(readers)
    chosen = to or (theirs[0] if theirs else "somebody")
    side = readers.get(chosen) or ("customer" if chosen.startswith(CONTACT) else "provider")
    matter = SqlAbout(database).matter(run, chosen, stage=None, items=(), side=side)
    open_ones = [point.id for point in matter.points]
    return Notice(
        key=f"{run}/preview", kind=kind, to=chosen, template=template, subject="", lines=(), run=run, customer=run.split("/")[1],
        at=datetime.now(UTC), items=tuple(open_ones), item=open_ones[0] if open_ones else None, side=side,
    )  # fmt: skip


def _reader(database: Engine, run: str, handle: str, language: str | None) -> Reader:
    """Who that is; a directory that cannot be asked is no reason to show nothing."""
    from console.hooks_here import hooks_here
    from integrations.letters import Postponed, Reader

    hooks = hooks_here(ground.settings().hooks)
    try:
        found = letters_here.directory(ground.settings(), database, hooks).reader(run, handle)
    except Postponed:
        hint("The hook of the directory did not answer: name, language and zone of the reader are left out.")
        found = None
    reader = found or Reader(handle=handle)
    return reader if language is None else replace(reader, language=language)


def _unknown(what: str, word: str, known: Iterable[str]) -> Answered:
    from onboarding.nearest import nearest

    sentence = f"There is no {what} {word[:60]!r} here{nearest(word, list(known)) or '; python starter.py notice list shows the templates.'}"
    return Answered({"outcome": "unknown", "code": f"unknown_{what}", "sentence": sentence})


def _open(letter: Words) -> None:
    """In a file of one's own, because the page holds what only this reader should see."""
    number, name = tempfile.mkstemp(suffix=".html", prefix="letter-")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(letter.html)
    if not webbrowser.open(Path(name).as_uri()):
        hint(f"No browser could be opened; the page is {name}.")
