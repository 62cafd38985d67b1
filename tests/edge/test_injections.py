"""Strings that mean something to a careless reader, in every place where the program writes: everywhere they are text and nothing else."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, text as sql

from console import tables
from console.cells import csv_lines
from console.leaving import Misused
from console.visibility import query_of
from integrations.letters import Letter, Reader
from integrations.rendering import READABLE, TemplateRenderer
from integrations.template_folders import Folders
from integrations.template_names import TEMPLATES
from integrations.templates import kind_of
from metrics import markup
from onboarding.engine.orders import build_order
from onboarding.engine.people import who_is
from onboarding.engine.records import whole
from onboarding.errors import StartRefused
from onboarding.matter import Matter, Point
from onboarding.messages import Received, canonical_json
from onboarding.parsing import parse
from onboarding.reading import cover
from runtime import library
from runtime.logs import set_up_logs
from runtime.zones import zone
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.builders import Run, a_definition, a_run, an_order
from tests.support.figures import Figure
from tests.support.injections import STRINGS
from tests.support.large_plans import INPUTS, tasks
from tests.support.records import a_notice

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b\ufeff]")
"""What moves a cursor, begins a line, or turns the direction of reading."""


def kept(words: str) -> bool:
    """Whether a run takes these as words of a person; control characters are refused at the door."""
    return isinstance(parse("note", {"actor": "dana", "text": words}, via="update", fallback_id="x"), Received)


def run_with(words: str) -> Run:
    """A run in which a person has said them wherever a person may say something."""
    run = a_run()
    run.say("note", text=words)
    run.say("hold", reason=words)
    run.say("resume", reason=words)
    run.say("complete", item="credit_check", provides={"rating": words}, comment=words, channel=words)
    return run


def in_rows(engine: Engine) -> int:
    """They come back letter by letter, and the tables are still there."""
    store, reads = SqlRecordStore(engine), ReadTable(engine)
    written = 0
    for n, words in enumerate(one for one in STRINGS if kept(one)):
        run = a_run(an_order(run=f"onboarding/c-{n}/small", customer=f"c-{n}"))
        run.say("note", text=words)
        store.write(replace(whole(run.plan, run.state), id=f"batch-{n}"))
        (row,) = [row for row in reads.trail(f"onboarding/c-{n}/small")["rows"] if row["message"] == "note"]
        assert row["sentence"] == words
        assert reads.trail(words)["rows"] == []
        assert reads.find(words) is None
        written += 1
    with engine.connect() as connection:
        assert connection.execute(sql("SELECT COUNT(*) FROM runs")).scalar_one() == written
    return len(STRINGS)


def in_csv() -> int:
    """A spreadsheet computes nothing, a terminal obeys nothing, and a reader gets back what was written."""
    for words in STRINGS:
        line = "".join(csv_lines(["a", "b"], [{"a": words, "b": "end"}]))
        _, row = csv.reader(io.StringIO(line, newline=""))
        assert row[1:] == ["end"]
        assert not re.match('[\\s"\u200b\ufeff\ufffd]*[=+@\uff1d-]', row[0]), words
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", line)
    return len(STRINGS)


class _Seen(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_comment(self, data: str) -> None:
        self.elements.append("comment")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def in_pages() -> int:
    """The same elements as for a harmless word; a heading, a cell, a card, a caption."""

    def page(words: str) -> str:
        parts = [
            markup.tagged("h1", words),
            markup.cards([(words, words)]),
            markup.table([words], [[words]], caption=words),
        ]
        return markup.page(words, parts)

    usual = _Seen(page("word")).elements
    for words in STRINGS:
        made = page(words)
        assert _Seen(made).elements == usual, words
        assert not STEERING.search(made)
    return len(STRINGS)


def in_cover_sheets() -> int:
    """No heading, link, image, table or HTML that was not there before."""
    for words in STRINGS:
        definition = a_definition(title=words)
        stages = tuple(replace(one, title=words) for one in definition.stages)
        items = tuple(replace(one, title=words) for one in definition.items)
        run = a_run(an_order(replace(definition, stages=stages, items=items)))
        run.say("hold", reason="waits" if not kept(words) else words)
        made = cover.cover(run.plan, run.state, run.now)
        assert not re.search(r"(?<!\\)\[[^\]]*[^\\]\]\(http://evil", made), words
        assert not re.search(r"(?m)https?://evil|www\.evil|@evil|^# |<(script|img|svg|http)", made), words
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", made), words
        assert all(len(str(one)) <= 200 for one in cover.attributes(run.plan, run.state).values())
    return len(STRINGS)


def in_terminals() -> int:
    """A table of several lines stays one, and nothing moves or colours it."""
    for words in STRINGS:
        out = io.StringIO()
        console = Console(file=out, markup=False, emoji=False, highlight=False, width=180, force_terminal=False)
        verdict = {
            "outcome": "rejected",
            "code": "x",
            "sentence": words,
            "message_id": words,
            "item": words,
            "status": None,
            "next": [],
            "faults": [],
        }
        console.print(tables.verdict(verdict))
        console.print(tables.rows({"rows": [{"a": words, "b": "end"}], "next_cursor": None}, {"a": "A", "b": "B"}))
        assert not STEERING.search(out.getvalue().replace("\n", "")), words
    return len(STRINGS)


def in_logs(stream_of: Callable[[str], io.StringIO]) -> int:
    """One event is one line that can be read by a program."""
    for form in ("json", "console"):
        stream = stream_of(form)
        for n, words in enumerate(STRINGS):
            logging.getLogger("tests").warning("heard", extra={"reason": words, "item": words, "name_of": words})
            lines = stream.getvalue().splitlines()
            if form == "json":
                assert len(stream.getvalue().rstrip("\n").split("\n")) == n + 1, words
                assert json.loads(stream.getvalue().rstrip("\n").split("\n")[-1])["reason"] == words
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(lines)), (form, words)
    return len(STRINGS)


def in_notices() -> int:
    """A subject is one line, and words of people are no templates: in every template and language, as text and as a page."""
    folders = Folders(readable=READABLE)
    for template in TEMPLATES:
        for language in folders.languages:
            calm = letter_of(template, language, "calm", folders)
            for words in STRINGS:
                letter = letter_of(template, language, words, folders)
                for text in (letter.subject, letter.text.replace("\n", ""), (letter.html or "").replace("\n", "")):
                    assert not STEERING.search(text), (template, words)
                assert "\n" not in letter.subject
                assert "49" not in letter.subject + letter.text + (letter.html or "")
                assert "root:x:" not in letter.text
                # One line more or less would be a heading, or a signature, that somebody made up.
                assert shape(calm.text) == shape(letter.text), (template, words)
                assert tags(calm.html or "") == tags(letter.html or ""), (template, words)
    return len(STRINGS)


def letter_of(template: str, language: str, words: str, folders: Folders) -> Letter:
    """A letter in which everything that comes from people is these words."""
    point = Point(
        id="x", title=f"a {words}", kind="request", status="open", due_at=None, who="lea", side="provider", stage="s", yours=False
    )  # fmt: skip
    known = Matter(
        known=True,
        definition="small",
        stage=f"a {words}",
        titles=(f"a {words}",),
        points=(point,),
        names={"lea": f"a {words}"},
    )
    notice = a_notice(
        "k", to="lea", template=template, kind=kind_of(template), subject=f"a {words}", lines=(f"a {words}",)
    )
    renderer = TemplateRenderer(Known(known), folders)
    return renderer.letter(notice, Reader(handle="lea", name=f"a {words}", language=language))


class Known:
    """Fulfils `onboarding.matter.About`."""

    def __init__(self, matter: Matter) -> None:
        self._matter = matter

    def matter(self, run: str, reader: str, *, stage: str | None, items: Any, side: str) -> Matter:
        """The same for everybody."""
        return self._matter


def shape(text: str) -> list[bool]:
    """Which lines of a letter are empty."""
    return [bool(line.strip()) for line in text.splitlines()]


def tags(page: str) -> list[Any]:
    """The tags of a page with their attributes, and its comments."""
    found: list[Any] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, attrs))  # type: ignore[method-assign]
    parser.handle_comment = lambda data: found.append(data)  # type: ignore[method-assign]
    parser.feed(page)
    return found


def in_names() -> int:
    """No key of a customer, no id of a definition and no handle of a person is made of them; so no path and no address is."""
    for words in STRINGS:
        if words not in ("null", "www.evil.example"):  # letters and dots: no path, no address, no markup
            with pytest.raises(StartRefused):
                build_order(
                    _compiled(), customer=words, inputs=INPUTS, zones=lambda name: zone(name, 2026, 2027), groups={}, started_by="dana"
                )  # fmt: skip
        found = parse("note", {"actor": words, "text": "x"}, via="update", fallback_id="x")
        if isinstance(found, Received):
            run = a_run()
            assert who_is(run.plan, run.state, found.message.actor).roles == ()
    return len(STRINGS)


def in_queries() -> int:
    """A text for Temporal's search is one quoted text, or it is refused."""
    for words in STRINGS:
        try:
            made = query_of({"stage": [words]})
        except Misused:
            continue
        bare = re.sub(r"'(?:[^']|'')*'", "T", made)
        assert bare == "WorkflowType = T AND ExecutionStatus IN (T, T) AND OnboardingStage = T", words
    return len(STRINGS)


_made: list[Any] = []


def _compiled() -> Any:
    if not _made:
        from onboarding.language.compile import PORTABLE, compile_definition

        _made.append(compile_definition(library.parse(tasks(1).encode()), PORTABLE))
    return _made[0]


def test_rows_hold_them_as_they_are(engine: Engine) -> None:
    """On SQLite and on PostgreSQL."""
    assert in_rows(engine) >= 60


@pytest.fixture
def stream_of() -> Any:
    """Where log lines of a form go; afterwards they go where they went."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def begin(form: str) -> io.StringIO:
        stream = io.StringIO()
        set_up_logs(form, stream=stream)  # type: ignore[arg-type]
        return stream

    yield begin
    root.handlers[:] = before
    root.setLevel(level)


def test_every_other_sink_takes_them_for_text(stream_of: Callable[[str], io.StringIO], figure: Figure) -> None:
    """Each of them in each sink."""
    sinks = {
        "CSV": in_csv, "pages": in_pages, "cover sheets": in_cover_sheets, "terminals": in_terminals, "logs": lambda: in_logs(stream_of),
        "notices": in_notices, "names and paths": in_names, "queries": in_queries,
    }  # fmt: skip
    counts = {name: sink() for name, sink in sinks.items()}
    figure(
        f"S7: {len(STRINGS)} strings x {len(counts) + 1} sinks (rows on two databases, {', '.join(counts)}): all inert"
    )

    assert min(counts.values()) >= 60
    assert canonical_json(STRINGS)
