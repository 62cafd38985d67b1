"""From a notice to a letter: what is known now, in the reader's language and zone, as text and as a page for a mail reader.

Whatever people said is a value here and never part of a template, and is one line without characters that steer a screen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from jinja2 import Template, TemplateError, TemplateNotFound

from integrations import composing
from integrations.composing import Answer, Known, Open, Recipient
from integrations.letters import Letter, Reader
from integrations.template_folders import LAYOUT, PAGE, TEXT, Folders, language_of
from integrations.template_language import BUDGET, Budget, LetterEnvironment, TooMuch, rendered
from integrations.templates import FOR_KIND
from onboarding.engine.effects import Notice
from onboarding.matter import About

READABLE: Final = (Open, Recipient, Answer)
"""The classes whose fields a template may name."""

# Python itself refuses what is nested a hundred times, and a file may be closed to us since it was looked at.
BROKEN: Final = (
    TemplateError, TooMuch, RecursionError, SyntaxError, MemoryError, OSError, TypeError, ValueError, KeyError, AttributeError,
)  # fmt: skip
"""What a template raises that cannot be used."""
_log = logging.getLogger("rendering")


class Renderer(Protocol):
    """Makes a letter of a notice."""

    def letter(self, notice: Notice, reader: Reader) -> Letter:
        """As it leaves now. May wait for a database; raises what it raises."""


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of one rendering."""

    subject: str
    text: str
    html: str
    language: str


class TemplateRenderer:
    """Fulfils `Renderer` with templates of the installation and those that are shipped."""

    def __init__(
        self,
        about: About,
        folders: Folders | None = None,
        *,
        answers: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`answers`: what a reader of a side (`customer`, `provider`, `third_party`) is told about how to answer, where that is
        not what a language says by itself."""
        self._about = about
        self._folders = folders or Folders(readable=READABLE)
        self._answers = dict(answers or {})
        self._now = now

    def letter(self, notice: Notice, reader: Reader) -> Letter:
        """A template that cannot be used gives way to the shipped one: who waits for a letter gets it."""
        known = self.known(notice, reader)
        try:
            words = self.words(known)
        except BROKEN as error:
            _log.warning(
                "template_failed",
                extra={"run_key": notice.run, "code": type(error).__name__, "name_of": notice.template},
            )
            words = self._shipped(known)
        return Letter(
            key=notice.key, reader=reader, kind=str(notice.kind), run=notice.run, item=notice.item, subject=words.subject,
            text=words.text, html=words.html, language=words.language,
        )  # fmt: skip

    def known(self, notice: Notice, reader: Reader) -> Known:
        """What a letter is made of now. May wait for a database; raises what it raises."""
        items = notice.items or ((notice.item,) if notice.item else ())
        matter = self._about.matter(notice.run, notice.to, stage=notice.stage, items=items, side=notice.side)
        return Known(notice=notice, reader=reader, matter=matter, at=self._now(), answers=self._answers)

    def words(self, known: Known) -> Words:
        """What the templates say; raises what a broken one raises."""
        wanted = self._folders.chosen(known.reader.language)
        environment = self._folders.environment(known.matter.definition, wanted)
        name = _name(environment, known.notice)
        # Headings and sentence must be of one language: where only another has this template, the letter is in that one.
        language = self._folders.chosen(language_of(environment, name + TEXT))
        if language != wanted:
            environment = self._folders.environment(known.matter.definition, language)
        return self._written(environment, name, known, language)

    def tried(self, known: Known, environment: LetterEnvironment, text: str, page: str) -> Words:
        """The letter that a text template or a page makes of these values, whatever the notice names; raises what it raises."""
        language = self._folders.chosen(known.reader.language)
        return self._written(environment, text or FOR_KIND[known.notice.kind], known, language, page)

    def _shipped(self, known: Known) -> Words:
        """By nothing of the installation's own, its languages included: one of them may be what is broken."""
        shipped = TemplateRenderer(self._about, self._folders.shipped)
        return shipped.words(known)

    def _written(self, environment: LetterEnvironment, name: str, known: Known, language: str, page: str = "") -> Words:
        values = composing.values(known, self._folders.wording(language))
        template = environment.get_template(name + TEXT)
        subject = values["subject"] or composing.one_line(_block(template, "subject", values))
        values |= {"subject": subject, "intro": _block(template, "intro", values)}
        text = _tidy(_run(template, values))
        if "intro" not in template.blocks:
            # Their text is a letter of its own shape: the page says the same and nothing beside it.
            values["body"] = tuple(text.splitlines())
        layout = environment.select_template([page] if page else [name + PAGE, LAYOUT + PAGE])
        return Words(subject, text, _run(layout, values), language)


def _name(environment: LetterEnvironment, notice: Notice) -> str:
    try:
        language_of(environment, notice.template + TEXT)
    except (TemplateNotFound, UnicodeError):
        return FOR_KIND[notice.kind]
    return notice.template


def _run(template: Template, values: Mapping[str, Any]) -> str:
    return rendered(template.generate(values, **{BUDGET: Budget()}))


def _block(template: Template, name: str, values: Mapping[str, Any]) -> str:
    block = template.blocks.get(name)
    if block is None:
        return ""
    try:
        return rendered(block(template.new_context({**values, BUDGET: Budget()}))).strip()
    except Exception:
        # As Jinja does for a whole template: the lines of what was raised become those of the file.
        template.environment.handle_exception()


def _tidy(text: str) -> str:
    """At most one empty line in a row, and none at the ends: what a layout leaves out leaves no hole."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip() if line.strip() != "--" else "-- ")
    return "\n".join(lines).strip("\n") + "\n"
