"""The only file that knows YAML: bytes from outside become data with places, or faults.

Text from outside is hostile until shown otherwise: its size is capped before it is parsed, the parser's events are
read one by one and left at the first sign of excess, and nothing a file can hold becomes an exception.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from onboarding import limits
from onboarding.errors import Fault
from onboarding.language.places import Document, Path, Place, spell
from onboarding.language.rules import RULES, in_line_order
from runtime.files import Unreadable, read_at_most

MAX_LEVELS = 32
"""Nesting of a file: the language's figure; the deepest honest definition has nine levels."""

MAX_VALUES = 10_000
"""Values of a file: the shipped definitions have under 1,500, and this is the bound on the time a hostile one takes."""

MAX_DIGITS = 18
"""Digits of a number: what fits a 64-bit integer everywhere it may be read."""

# What YAML calls printable, the tab apart.
_FORBIDDEN = re.compile("[^\n\r\\x20-\\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORBIDDEN_INSIDE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
# The core schema of YAML 1.2: `no`, `on`, `1_000`, `12:30` and `2026-12-25` are texts.
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read."""

    path: Path
    into: Any
    key: str | None = None
    key_place: tuple[int, int] = (1, 1)
    skip: bool = False


@dataclass(slots=True)
class YamlText:
    """One text on its way to data; `blocked` when a fault keeps the rest from meaning anything."""

    empty: str = "The file says nothing: begin with `schema: onboarding/v1`."
    """What is said of a text without a value: what it should hold, whoever reads it knows."""
    document: Document = field(default_factory=lambda: Document(None))
    faults: list[Fault] = field(default_factory=list)
    blocked: bool = False
    places: dict[Path, Place] = field(default_factory=dict)
    frames: list[_Frame] = field(default_factory=list)
    root: Any = None

    @classmethod
    def of(cls, path: FilePath, empty: str | None = None) -> "YamlText":
        text = cls() if empty is None else cls(empty=empty)
        try:
            content = read_at_most(path, limits.DEFINITION_BYTES + 1)
        except Unreadable as why:
            text.stop("cannot_read", 1, 1, f"The file cannot be read ({why}): check the path and its permissions.")
            return text
        text.read(content)
        return text

    def add(self, rule: str, line: int, column: int, message: str, path: Path = ()) -> None:
        self.faults.append(Fault(line, column, rule, RULES[rule].severity, message, spell(path)))

    def stop(self, rule: str, line: int, column: int, message: str) -> None:
        self.blocked = True
        self.add(rule, line, column, message)

    def read(self, content: bytes) -> None:
        """Fill `document` and `faults`."""
        text = self.decode(content)
        if text is None or self.unfit(text):
            return
        try:
            for event in self.events(text):
                self.take(event)
                if self.blocked:
                    break
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            said = str(error.problem or error.context or "cannot be read")
            self.faults = []
            self.stop(
                "syntax",
                line,
                column,
                f"The YAML cannot be read here: {said[:200]}. Check indentation, colons, brackets and quotes.",
            )
        except Exception:  # a parser stumbling over hostile text is a fault of the text, not of the program
            self.faults = []
            self.stop("syntax", 1, 1, "The YAML cannot be read. Check indentation, colons, brackets and quotes.")
        self.faults = in_line_order(self.faults)
        self.document = Document(None if self.blocked else self.root, self.places)
        if not self.blocked and self.root is None:
            self.stop("empty_file", 1, 1, self.empty)

    def decode(self, content: bytes) -> str | None:
        if len(content) > limits.DEFINITION_BYTES:
            most = limits.DEFINITION_BYTES // 1024
            self.stop("too_large", 1, 1, f"A file has at most {most} KiB: take out what does not belong in it.")
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = content[: error.start]
            line = before.count(b"\n") + 1
            column = error.start - (before.rfind(b"\n") + 1) + 1
            self.stop("not_utf8", line, column, "The file is not UTF-8 text: save it as UTF-8.")
            return None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        # In JSON a tab can only stand between words, and a blank in its place changes nothing.
        return text.replace("\t", " ") if text.lstrip(" \t\n")[:1] == "{" else text

    def unfit(self, text: str) -> bool:
        """Whether the characters of the text keep it from being parsed."""
        for found in re.finditer("\t", text):
            line, column = _line_of(text, found.start())
            if not any(fault.line == line for fault in self.faults[-1:]) and len(self.faults) < limits.FAULTS_TOLD:
                self.stop("tab", line, column, "A tab stands here: use blanks.")
        control = _FORBIDDEN.search(text.replace("\t", " "))
        if control:
            line, column = _line_of(text, control.start())
            self.stop(
                "control_character", line, column, "A character stands here that no text has: is the file binary?"
            )
        directive = re.search(r"\A(?:[ ]*(?:#[^\n]*)?\n)*(%)", text)
        if directive:
            line, column = _line_of(text, directive.start(1))
            self.stop(
                "directive", line, column, "A directive (%) stands here: remove the line, files are always YAML 1.2."
            )
        self.faults = in_line_order(self.faults)
        return self.blocked

    def events(self, text: str) -> Iterator[Any]:
        for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
            if count > 2 * MAX_VALUES:
                self.stop("too_many_values", *_at(event), f"A file holds at most {MAX_VALUES:,} values: split it.")
            yield event

    def take(self, event: Any) -> None:
        line, column = _at(event)
        if isinstance(event, DocumentStartEvent) and self.places:
            self.stop("several_documents", line, column, "A second document begins here: one file is one document.")
        self.refuse_marks(event, line, column)
        if isinstance(event, AliasEvent):
            self.stop("anchor", line, column, f"An alias (*{event.anchor}) stands here: write the value itself.")
        elif isinstance(event, ScalarEvent):
            self.scalar(event, line, column)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self.open({} if isinstance(event, MappingStartEvent) else [], line, column)
        elif type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
            self.frames.pop()

    def refuse_marks(self, event: Any, line: int, column: int) -> None:
        if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            if event.anchor is not None:
                self.add(
                    "anchor",
                    line,
                    column,
                    f"An anchor (&{event.anchor}) stands here: remove it, and write each value where it counts.",
                )
            if event.tag is not None:
                self.add("tag", line, column, "A tag (!) stands here: remove it, values need none.")

    def open(self, into: Any, line: int, column: int) -> None:
        if self.frames and isinstance(self.frames[-1].into, dict) and self.frames[-1].key is None:
            self.stop("key_not_text", line, column, "A list or mapping is used as a key here: a key is a text.")
            return
        if len(self.frames) >= MAX_LEVELS:
            self.stop("too_deep", line, column, f"Nesting has at most {MAX_LEVELS} levels: flatten this part.")
            return
        path = self.put(into, Place(line, column, line, column))
        self.frames.append(_Frame(path, into))

    def scalar(self, event: Any, line: int, column: int) -> None:
        frame = self.frames[-1] if self.frames else None
        if frame is not None and isinstance(frame.into, dict) and frame.key is None:
            self.key(frame, event, line, column)
            return
        value = self.value(event, line, column)
        quoted = event.style in ("'", '"')
        one_line = event.start_mark.line == event.end_mark.line
        length = event.end_mark.column - event.start_mark.column
        literal = isinstance(value, str) and one_line and length == len(value) + 2 * quoted
        self.put(value, Place(line, column, line, column, column + quoted if literal else None))

    def key(self, frame: _Frame, event: Any, line: int, column: int) -> None:
        key = self.value(event, line, column)
        frame.skip = False
        frame.key_place = (line, column)
        if not isinstance(key, str):
            self.add("key_not_text", line, column, "A key is a text: put it in quotes.", frame.path)
            frame.skip = True
        elif key == "<<" and event.style is None:
            self.add("merge_key", line, column, "A merge key (<<) stands here: write the keywords out.", frame.path)
            frame.skip = True
        elif key in frame.into:
            first = self.places[(*frame.path, key)].key_line
            sentence = f"The key {key[:60]!r} stands here a second time (first in line {first}): keep one of them."
            self.add("duplicate_key", line, column, sentence, (*frame.path, key))
            frame.skip = True
        frame.key = str(key)

    def put(self, value: Any, place: Place) -> Path:
        """Store a value where it belongs; below a key that is refused it goes nowhere."""
        if not self.frames:
            self.root = value
            self.places[()] = place
            return ()
        frame = self.frames[-1]
        if isinstance(frame.into, list):
            path: Path = (*frame.path, len(frame.into))
            frame.into.append(value)
        else:
            path = (*frame.path, frame.key or "")
            place = Place(*frame.key_place, place.line, place.column, place.text)
            frame.key = None
            if frame.skip:
                # Parts of a refused value keep places of their own, apart from the value that is kept.
                return (*path, "(second)")
            frame.into[path[-1]] = value
        self.places[path] = place
        return path

    def value(self, event: Any, line: int, column: int) -> Any:
        text: str = event.value
        if event.style is not None:
            return self.clean(text, line, column)
        if _NULL.fullmatch(text):
            return None
        truth = _BOOL.fullmatch(text)
        if truth:
            return truth.group(1) is not None
        if _NO_NUMBER.fullmatch(text) or (_INT.fullmatch(text) and len(text.lstrip("+-0")) > MAX_DIGITS):
            self.add(
                "bad_number",
                line,
                column,
                f"A number is finite and has at most {MAX_DIGITS} digits: put it in quotes if it is a text.",
            )
            return "?"
        if _INT.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text, 0)
        if _FLOAT.fullmatch(text) and len(text) <= 40:
            number = float(text)
            if math.isfinite(number):
                return number
            self.add("bad_number", line, column, "A number is finite: write a smaller one.")
            return "?"
        return self.clean(text, line, column)

    def clean(self, text: str, line: int, column: int) -> str:
        if not _FORBIDDEN_INSIDE.search(text):
            return text
        # JSON writes characters beyond the first plane as two halves.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if _FORBIDDEN_INSIDE.search(whole) or "\ufffd" in whole:
            self.add(
                "control_character",
                line,
                column,
                "The text holds an escaped control character or half a character: remove it.",
            )
            return "?"
        return whole


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _line_of(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
