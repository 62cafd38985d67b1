"""Where templates and languages come from: the installation's own folder first, then what is shipped.

`<definition>/<language>/`, then `<language>/`, then the same of the installation's own language, then English; in each place
`<name>.txt.j2`, and `<name>.html.j2` where a letter looks different from all others. A language is there where its
`language.toml` is. Nothing outside of these folders can be read from a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound

from integrations.template_language import LetterEnvironment
from integrations.template_names import TEMPLATES
from integrations.wording import Wording, WordingInvalid, wording_of

SHIPPED: Final = Path(__file__).resolve().parent / "letter_texts"
ENGLISH: Final = "en"
TEXT, PAGE, LANGUAGE = ".txt.j2", ".html.j2", "language.toml"
LAYOUT: Final = "letter"
"""The name of what letters extend: a folder of the installation's own may have another one."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_DEFINITION = re.compile(r"[a-z][a-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Place:
    """One template file."""

    name: str
    language: str
    definition: str
    path: Path
    own: bool
    """Of the installation, not shipped."""


class Folders:
    """The shipped folder, and one of the installation's own. Files are read once: a changed template needs a new process."""

    def __init__(self, own: Path | None = None, language: str = ENGLISH, *, readable: tuple[type, ...] = ()) -> None:
        self.own = own
        self.language = language
        self._readable = readable
        self._environments: dict[tuple[str, str], LetterEnvironment] = {}

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Those that a letter can be written in, sorted."""
        return tuple(sorted(self._wordings))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The templates that a definition may name: the shipped ones, then those of the installation."""
        mine = sorted({place.name for place in self.places() if place.own and place.name != LAYOUT})
        return tuple(dict.fromkeys((*TEMPLATES, *mine)))

    def chosen(self, wanted: str) -> str:
        """The language to write in for a reader who wants this one: without its region, else the installation's, else English."""
        return next(one for one in (wanted, wanted.partition("-")[0], self.language, ENGLISH) if one in self._wordings)

    def wording(self, language: str) -> Wording:
        """What a language says. Raises `KeyError` for one that is not there."""
        return self._wordings[language]

    def languages_for(self, language: str) -> tuple[str, ...]:
        """In which languages a template is looked for, in order."""
        return tuple(dict.fromkeys((language, self.chosen(self.language), ENGLISH)))

    def environment(self, definition: str, language: str) -> LetterEnvironment:
        """What templates of one definition in one language are read with."""
        known = definition if self._of_definition(definition) else ""
        found = self._environments.get((known, language))
        if found is None:
            loaders = [FileSystemLoader(folder) for folder in self._folders(known, language)]
            found = self._environments[known, language] = LetterEnvironment(ChoiceLoader(loaders), self._readable)
        return found

    def unread(self) -> Iterator[Path]:
        """Files of the installation's own that look like templates, and from which no letter is ever made."""
        if self.own is None:
            return
        read = {place.path for place in self.places() if place.own and place.language in self._wordings}
        for path in sorted(self.own.rglob("*.j2")):
            hidden = any(part.startswith((".", "_")) for part in path.relative_to(self.own).parts)
            if not hidden and (path not in read or not path.name.endswith((TEXT, PAGE))):
                yield path

    def places(self) -> Iterator[Place]:
        """Every template file there is, the installation's own first."""
        if self.own is not None:
            for path in (self.own / f"{LAYOUT}{end}" for end in (TEXT, PAGE)):
                if path.is_file():
                    yield Place(LAYOUT, self.language, "", path, own=True)
            for folder in _inside(self.own):
                if _is_language(folder):
                    yield from _files(folder, "", own=True)
                else:
                    for language in _inside(folder):
                        yield from _files(language, folder.name, own=True)
        for folder in _inside(SHIPPED):
            yield from _files(folder, "", own=False)

    def language_files(self) -> Iterator[Path]:
        """Every language file of the installation's own."""
        for folder in _inside(self.own) if self.own is not None else ():
            if (folder / LANGUAGE).is_file():
                yield folder / LANGUAGE

    @cached_property
    def shipped(self) -> Folders:
        """The same without anything of the installation's own."""
        return Folders(None, self.language, readable=self._readable)

    @cached_property
    def _wordings(self) -> dict[str, Wording]:
        english = wording_of(ENGLISH, (SHIPPED / ENGLISH / LANGUAGE).read_text("utf-8"))
        found = {ENGLISH: english}
        for folder in _inside(SHIPPED):
            found[folder.name] = wording_of(folder.name, (folder / LANGUAGE).read_text("utf-8"), english)
        for path in self.language_files():
            name = path.parent.name
            try:
                found[name] = wording_of(name, path.read_text("utf-8"), found.get(name, english))
            except (OSError, ValueError) as error:
                raise WordingInvalid(f"{path}: {error}") from None
        return found

    def _of_definition(self, definition: str) -> bool:
        if self.own is None or not _DEFINITION.fullmatch(definition):
            return False
        folder = self.own / definition
        return folder.is_dir() and not _is_language(folder)

    def _folders(self, definition: str, language: str) -> Iterator[Path]:
        for one in self.languages_for(language):
            if self.own is not None:
                if definition:
                    yield self.own / definition / one
                yield self.own / one
            yield SHIPPED / one
        if self.own is not None:
            yield self.own
        yield SHIPPED


def language_of(environment: Environment, name: str) -> str:
    """In which language the file stands that a template of this name is read from. Raises `TemplateNotFound`."""
    if environment.loader is None:
        raise TemplateNotFound(name)
    _, path, _ = environment.loader.get_source(environment, name)
    return Path(path or "").parent.name


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith((".", "_")))
    except OSError:
        return []


def _is_language(folder: Path) -> bool:
    return bool(_LANGUAGE.fullmatch(folder.name)) and not any(_inside(folder))


def _files(folder: Path, definition: str, *, own: bool) -> Iterator[Place]:
    for path in sorted(folder.glob("*.j2")):
        name = path.name.removesuffix(TEXT).removesuffix(PAGE)
        yield Place(name, folder.name, definition, path, own)
