"""Whether the templates of an installation can be used: each is read, its names are compared, and it is tried on made-up letters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jinja2 import TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError, UndefinedError

from integrations.composing import VARIABLES, Answer, Known, Open, Recipient
from integrations.letters import Reader
from integrations.rendering import BROKEN, READABLE, TemplateRenderer
from integrations.template_folders import ENGLISH, LAYOUT, PAGE, SHIPPED, TEXT, Folders, Place, language_of
from integrations.template_language import LetterEnvironment, TemplateFault, TooMuch, unknown_names
from integrations.templates import kind_of
from integrations.wording import WordingInvalid, wording_of
from onboarding.engine.effects import Notice, NoticeKind
from onboarding.language.model import Side
from onboarding.matter import Matter, Point
from onboarding.nearest import nearest

_AT: Final = datetime(2026, 11, 24, 9, tzinfo=UTC)
_POINT: Final = Point(
    id="details", title="Company details", kind="request", status="open", due_at=_AT + timedelta(days=3), who="customer:champion",
    side="customer", stage="intake", yours=True,
)  # fmt: skip
_OF_OURS: Final = re.compile(r"'integrations\.[\w.]*\.(\w+) object'")
_UNREAD: Final = TemplateFault(
    1, "unread_template",
    "No letter is made of this file: its place is <language>/NAME.txt.j2 or <definition>/<language>/NAME.txt.j2 (or .html.j2), and a language"
    " that is not shipped needs its language.toml.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Broken:
    """A file of the installation that cannot be used, and why."""

    path: Path
    fault: TemplateFault


def broken(own: Path | None, language: str, definition: str | None = None) -> tuple[Broken, ...]:
    """Everything that is wrong with the installation's templates; of one definition and of all, where one is named."""
    if own is None:
        return ()
    if not own.is_dir():
        return (Broken(own, TemplateFault(1, "no_folder", "There is no folder of this name, or it cannot be read.")),)
    found = [*_languages(own)]
    if found:
        return tuple(found)
    folders = Folders(own, language, readable=READABLE)
    if language not in folders.languages:
        sentence = f"Nothing is written in the language {language!r} here; there are {', '.join(folders.languages)}."
        return (Broken(own, TemplateFault(1, "unknown_language", sentence)),)
    for place in folders.places():
        if place.own and (definition is None or place.definition in ("", definition)):
            found += [Broken(place.path, fault) for fault in _of(folders, place)]
    return (*found, *(Broken(path, _UNREAD) for path in (folders.unread() if definition is None else ())))


def sample_notice(template: str, kind: NoticeKind = NoticeKind.ASK) -> Notice:
    """A notice that nobody was ever sent."""
    lines = ("Company details, due Fri 27 Nov 2026 09:00 UTC", "Answer with the item's id: details.")
    return Notice(
        key="onboarding/acme/quick-start/details/1/sample/customer:champion", kind=kind, to="customer:champion", template=template,
        subject="Please see to: Company details", lines=lines, run="onboarding/acme/quick-start", customer="acme", at=_AT, stage="intake",
        item="details", items=("details",), side="customer",
    )  # fmt: skip


def _languages(own: Path) -> Iterator[Broken]:
    english = Folders().wording(ENGLISH)
    for path in Folders(own).language_files():
        try:
            name = path.parent.name
            shipped = Folders().wording(name) if name in Folders().languages else english
            wording_of(name, path.read_text("utf-8"), shipped)
        except (WordingInvalid, OSError, ValueError) as error:
            found = re.search(r"\(at line (\d+)", str(error))
            yield Broken(path, TemplateFault(int(found[1]) if found else 1, "language_file", str(error)))


def _of(folders: Folders, place: Place) -> Iterator[TemplateFault]:
    environment = folders.environment(place.definition, folders.chosen(place.language))
    try:
        source = place.path.read_text("utf-8")
    except (OSError, ValueError):
        yield TemplateFault(1, "cannot_read", "The file cannot be read as UTF-8 text.")
        return
    try:
        tree = environment.parse(source, place.path.name, str(place.path))
    except TemplateSyntaxError as error:
        yield TemplateFault(error.lineno, "template_syntax", f"{(error.message or '')[:300].rstrip('.')}.")
        return
    except RecursionError:
        yield TemplateFault(1, "template_syntax", "It is nested too deeply.")
        return
    wrong = list(unknown_names(tree, *_names())) or list(_tried(folders, environment, place))
    yield from wrong or _unshown(environment, tree, place)


def _unshown(environment: LetterEnvironment, tree: nodes.Template, place: Place) -> Iterator[TemplateFault]:
    """What stands in a file and in no letter: a page without its text, a block that no layout has."""
    if place.name != LAYOUT and place.path.name.endswith(PAGE) and not _is_there(environment, place.name + TEXT):
        sentence = f"No letter has this page, because there is no {place.name}{TEXT}: add it."
        yield TemplateFault(1, "unknown_template", sentence)
    known = {"subject"} if place.path.name.endswith(TEXT) else set()
    above, seen = next(tree.find_all(nodes.Extends), None), set[str]()
    if above is None:
        return
    while above is not None and isinstance(above.template, nodes.Const) and above.template.value not in seen:
        seen.add(above.template.value)
        source = environment.loader.get_source(environment, above.template.value)[0] if environment.loader else ""
        layout = environment.parse(source)
        known |= {block.name for block in layout.find_all(nodes.Block)}
        above = next(layout.find_all(nodes.Extends), None)
    for block in tree.body:
        if isinstance(block, nodes.Block) and block.name not in known:
            way_out = nearest(block.name, sorted(known)) or f"; there are {', '.join(sorted(known))}."
            yield TemplateFault(block.lineno, "unknown_block", f"The layout has no block {block.name[:60]!r}{way_out}")


def _is_there(environment: LetterEnvironment, name: str) -> bool:
    try:
        language_of(environment, name)
    except TemplateNotFound:
        return False
    return True


def _names() -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
    fields_of = {kind: tuple(one.name for one in fields(kind)) for kind in (Recipient, Open, Answer)}
    known: dict[str, Sequence[str]] = dict.fromkeys(VARIABLES, ())
    known |= {
        "reader": fields_of[Recipient],
        "words": tuple(Folders().wording(ENGLISH).words),
        "answers": tuple(map(str, Side)),
    }
    return known, {"points": fields_of[Open], "answer": fields_of[Answer]}


def _tried(folders: Folders, environment: LetterEnvironment, place: Place) -> Iterator[TemplateFault]:
    """A field that no value has shows only when it is asked for."""
    renderer = TemplateRenderer(_Nothing(), folders)
    # A layout is tried with templates that keep it.
    name = place.path.name if place.name != LAYOUT else ""
    for known in _samples(place):
        try:
            renderer.tried(
                known, environment, place.name if name.endswith(TEXT) else "", name if name.endswith(PAGE) else ""
            )
        except BROKEN as error:
            found = blamed(error, place.path)
            # Another file of the installation is tried by itself, and told once.
            if found.path == place.path or folders.own not in found.path.parents:
                yield found.fault
                return


def blamed(error: BaseException, path: Path) -> Broken:
    """What a template raised while it was used, as a fault of the file in which that was; `path` where none can be told."""
    at, line = _place(error, path)
    return Broken(at, TemplateFault(line, *_said(error)))


def _said(error: BaseException) -> tuple[str, str]:
    match error:
        case TemplateNotFound():
            return "unknown_template", f"It extends {str(error.name)[:60]!r}, and there is no such file."
        case TemplateSyntaxError():
            return "template_syntax", f"{(error.message or '')[:300].rstrip('.')}."
        case UndefinedError() | SecurityError():
            sentence = _OF_OURS.sub(r"'\1'", str(error))
            return "unknown_variable", f"{sentence[:300].rstrip('.')}."
        case TooMuch():
            return "too_much", f"It writes more than a letter holds ({error})."
        case RecursionError():
            return "too_much", "Its blocks call each other without an end."
        case SyntaxError() | MemoryError():  # of Python, into which it is made
            return "template_syntax", "It is nested too deeply."
        case _:
            return "template_failed", f"It fails here: {type(error).__name__}."


def _place(error: BaseException, path: Path) -> tuple[Path, int]:
    """The innermost template in the traceback, into which Jinja puts its lines; a shipped layout fails by what was put into it."""
    if isinstance(error, TemplateSyntaxError):
        return Path(error.filename or path), error.lineno
    found, trace = [(path, 1)], error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.name.endswith((TEXT, PAGE)) and (file == path or SHIPPED not in file.parents):
            found.append((file, trace.tb_lineno))
        trace = trace.tb_next
    return found[-1]


def _samples(place: Place) -> Iterator[Known]:
    """Letters of each kind, that of its name first: which of them a definition uses a template for is its own business."""
    for kind in dict.fromkeys((kind_of(place.name), *NoticeKind)):
        # The customer never reads an escalation.
        side = Side.PROVIDER if kind is NoticeKind.ESCALATION else Side.CUSTOMER
        reader = Reader(handle="customer:champion", name="Carla Cho", language=place.language)
        notice = replace(sample_notice(place.name, kind), side=str(side))
        matter = Matter(
            known=True,
            definition="quick-start",
            stage="Intake",
            titles=("Company details",),
            points=(_POINT,),
            zone="Europe/Berlin",
        )
        yield Known(notice=notice, reader=reader, matter=matter, at=_AT)
        yield Known(notice=notice, reader=replace(reader, name=""), matter=Matter(), at=_AT)
        yield Known(
            notice=replace(notice, lines=(), item=None, items=()),
            reader=reader,
            matter=replace(matter, points=(), closed_at=_AT),
            at=_AT,
        )


class _Nothing:
    """Samples bring what they are about."""

    def matter(self, run: str, reader: str, *, stage: str | None, items: object, side: str) -> Matter:
        """Nothing."""
        return Matter()
