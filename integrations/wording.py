"""What a language says: dates, headings, and the lines of the core in it. One `language.toml` for each, see `letter_texts/en`.

The core says its lines in English and its instants in UTC, because a run must not depend on who reads it. Here a line is
recognised by its form and told anew: in the reader's language, with instants in the reader's zone, and without its beginning
where it stands under a heading that says the same. What has no known form is shown as it is, so that nothing is lost.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

import re2

from onboarding.matter import ANSWER_VALUES
from onboarding.nearest import nearest

ROLES: Final = ("points", "answer", "missing", "next", "by", "said")
"""Under which heading a line stands, in the order in which its form is looked for. `points` and `answer` are said by rows, too."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG = rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d (?:{'|'.join(_MONTHS)}) \d{{4}} \d\d:\d\d UTC"
_SHORT = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
_WHEN = rf"(?:{_LONG}|{_SHORT}|no date)"
_INSTANTS = re2.compile(rf"(?:{_LONG}|{_SHORT})")
_FIELD = re.compile(r"\{([a-z_]+)\}")
_FORMS: Final = {"when": _WHEN, "before": _WHEN, "n": r"\d+", "answer": r"[0-9a-f]+", "place": ".*"}
_OF_PEOPLE: Final = ("who", "list")
"""Fields in which handles may stand; in `list` besides other forms (`[inside]`)."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line of a notice as its reader gets it, and the heading it belongs under."""

    role: str
    text: str
    when: str = ""
    """The instant that it names, where it names one."""


@dataclass(frozen=True, slots=True)
class _Form:
    role: str
    pattern: Any
    text: str


@dataclass(frozen=True)
class Voice:
    """A language in the zone of one reader, with the names of the people whom it may speak of."""

    wording: Wording
    zone: tzinfo = UTC
    names: Mapping[str, str] = field(default_factory=dict)
    reader: str = ""
    """Their handle: where a line says that they act next, it speaks to them."""

    def when(self, at: datetime | None) -> str:
        """An instant in words; where there is none, that there is no date."""
        if at is None:
            return self.wording.words["no_date"]
        local, dates = at.astimezone(self.zone), self.wording.dates
        zone = local.tzname() or "UTC"
        return fill(
            dates["instant"],
            {
                "weekday": dates["weekdays"][local.weekday()], "day": str(local.day), "month": dates["months"][local.month - 1],
                "year": str(local.year), "hour": f"{local.hour:02}", "minute": f"{local.minute:02}",
                "zone": f"UTC{zone}" if zone[0] in "+-" else dates["zones"].get(zone, zone),
            },
        )  # fmt: skip

    def name(self, handle: str) -> str:
        """What somebody is called; the handle where no name is known."""
        return self.names.get(handle) or handle

    def line(self, line: str) -> Said:
        """One line of the core."""
        for form in self.wording.forms:
            found = form.pattern.fullmatch(line)
            if found is not None:
                given = found.groupdict()
                values = {name: self._told(name, text) for name, text in given.items()}
                theirs = form.role == "next" and self.reader and given.get("who") == self.reader
                told = self.word("you") if theirs else fill(form.text, values).removeprefix(": ")
                return Said(form.role, told, values.get("when", ""))
        # What is wrong with a whole answer has no place to stand before it.
        return Said("said", self._dated(line).removeprefix(": "))

    def word(self, name: str, /, **values: str) -> str:
        """A heading, or a short sentence with these values."""
        return fill(self.wording.words[name], values)

    def _told(self, name: str, text: str) -> str:
        if name in ("when", "before"):
            at = instant_of(text)
            return self.when(at)
        if name in _OF_PEOPLE:
            text = ", ".join(self.name(one) for one in text.split(", "))
        if name == "list":
            for pattern, said in self.wording.inside:
                text = pattern.sub(lambda found, said=said: fill(said, {key: self._told(key, value) for key, value in found.groupdict().items()}), text)  # fmt: skip
        return self._dated(text)

    def _dated(self, text: str) -> str:
        return str(_INSTANTS.sub(lambda found: self.when(instant_of(found.group())), text))


@dataclass(frozen=True)
class Wording:
    """One language as its file says it."""

    language: str
    words: Mapping[str, str]
    answers: Mapping[str, str]
    dates: Mapping[str, Any]
    lines: Mapping[str, Mapping[str, str]]
    """By role: the core's form of a line to this language's."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The same for what may stand inside of a `{list}`."""

    @cached_property
    def forms(self) -> Sequence[_Form]:
        """Every form of a line, the first that fits counts."""
        return tuple(
            _Form(role, _pattern(form), text) for role in ROLES for form, text in self.lines.get(role, {}).items()
        )

    @cached_property
    def inside(self) -> Sequence[tuple[Any, str]]:
        """Forms that are looked for inside of a list."""
        return tuple((_pattern(form), text) for form, text in self.parts.items())

    def voice(self, zone: str = "", names: Mapping[str, str] | None = None, reader: str = "") -> Voice:
        """This language for a reader in a zone; UTC where nobody knows it, or there is none of that name."""
        return Voice(self, _zone(zone), names or {}, reader)


class WordingInvalid(ValueError):
    """A language file that cannot be used; the sentence says why."""


def wording_of(language: str, content: str, base: Wording | None = None) -> Wording:
    """A language from the text of its file; what it leaves out is said as `base` says it. Raises `WordingInvalid`.

    Lines of the core are only taken from a base of the same language: in another one they would stand out.
    """
    try:
        found = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise WordingInvalid(f"It is no TOML: {str(error)[:200]}.") from None
    tables = ("words", "answers", "dates", "inside", *ROLES)
    strange = next((name for name in found if name not in tables), None)
    if strange is not None:
        raise WordingInvalid(f"There is no table {strange[:60]!r}; there are {', '.join(tables)}.")
    dates = {**(base.dates if base else {}), **_table(found, "dates")}
    same = base if base is not None and base.language == language else None
    zones = _texts(_table(found, "dates"), "zones")
    made = Wording(
        language,
        {**(base.words if base else {}), **_texts(found, "words")},
        {**(base.answers if base else {}), **_texts(found, "answers")},
        {**dates, "zones": {**(same.dates["zones"] if same else {}), **zones}},
        # The first form that fits counts, so those of the file stand before the others.
        {role: {**_texts(found, role), **_others(same, role, found)} for role in ROLES},
        {
            **_texts(found, "inside"),
            **{
                form: said for form, said in (same.parts if same else {}).items() if form not in _texts(found, "inside")
            },
        },
    )
    _demand_known(made, base)
    _demand_dates(made.dates)
    return made


def instant_of(text: str) -> datetime | None:
    """The instant that the core has spelt, `None` for "no date" and for a day that no calendar has."""
    parts = text.split(" ")
    try:
        if len(parts) == 6:
            day = datetime(int(parts[3]), _MONTHS.index(parts[2]) + 1, int(parts[1]), tzinfo=UTC)
            return day.replace(hour=int(parts[4][:2]), minute=int(parts[4][3:]))
        return datetime.fromisoformat(f"{parts[0]}T{parts[1]}+00:00") if len(parts) == 3 else None
    except ValueError:
        return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with `{name}` replaced, once: what stands in a value is never a field."""
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), text)


def _pattern(form: str) -> Any:
    parts, at = [], 0
    for found in _FIELD.finditer(form):
        parts += [re2.escape(form[at : found.start()]), f"(?P<{found[1]}>{_FORMS.get(found[1], '(?s:.+)')})"]
        at = found.end()
    return re2.compile("".join([*parts, re2.escape(form[at:])]))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # no such zone, or a name that is none
        return UTC


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise WordingInvalid(f"{name!r} is a table of names and texts.")
    return table


def _texts(found: Mapping[str, Any], name: str) -> dict[str, str]:
    table = _table(found, name)
    wrong = next((key for key, value in table.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise WordingInvalid(f"What {wrong[:60]!r} in {name!r} says is a text.")
    return table


def _others(same: Wording | None, role: str, found: Mapping[str, Any]) -> dict[str, str]:
    """The forms of the same language that a file does not say anew, under whatever heading."""
    said = {form for name in ROLES for form in _texts(found, name)}
    return {form: text for form, text in (same.lines[role] if same else {}).items() if form not in said}


def _demand_known(made: Wording, base: Wording | None) -> None:
    """A name that nothing reads, and a value that nothing fills, would be passed over or stand in letters as it is."""
    tables = () if base is None else (("words", made.words, base.words), ("answers", made.answers, base.answers))
    for table, mine, known in tables:
        for name, text in mine.items():
            if name not in known:
                raise WordingInvalid(f"There is no {name[:60]!r} in {table!r}{nearest(name, known) or '.'}")
            fields = ANSWER_VALUES if table == "answers" else tuple(_FIELD.findall(known[name]))
            _demand_fields(name, text, fields)
    for form, text in (one for lines in (*made.lines.values(), made.parts) for one in lines.items()):
        _demand_fields(form, text, tuple(_FIELD.findall(form)))


def _demand_fields(name: str, text: str, fields: Sequence[str]) -> None:
    strange = next((one for one in _FIELD.findall(text) if one not in fields), None)
    if strange is not None:
        known = nearest(strange, fields) or (f"; there are {', '.join(fields)}." if fields else ".")
        raise WordingInvalid(f"What {name[:60]!r} says has no value {strange[:60]!r}{known}")


def _demand_dates(dates: Mapping[str, Any]) -> None:
    for name, many in (("weekdays", 7), ("months", 12)):
        words = dates.get(name)
        if not (isinstance(words, list) and len(words) == many and all(isinstance(word, str) for word in words)):
            raise WordingInvalid(f"{name!r} in 'dates' are {many} words.")
    if not isinstance(dates.get("instant"), str):
        raise WordingInvalid("'instant' in 'dates' is a text with {weekday}, {day}, {month}, {year}, {hour}, {minute} and {zone}.")  # fmt: skip
