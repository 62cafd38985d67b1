"""Values from outside against the fields of a definition: every fault at once, and the one form in which a value is kept.

Values are JSON and stay JSON. A fault names the place and what was expected, never what was found: it travels to logs,
screens and mail. Texts with a form of their own are read by `forms.py`; its note says why nothing here may change its mind.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import re2

from onboarding import limits
from onboarding.language import forms
from onboarding.language.attachments import check_files as check_files
from onboarding.language.model import Field, FieldType
from onboarding.messages import MessageFault, canonical_actor
from onboarding.nearest import nearest

MOST_ENTRIES = 200
"""Entries of one list: more is a file, not a form."""

MOST_INTEGER = 2**53 - 1
"""Whole numbers beyond this are read differently by different JSON readers."""

PLACE_LENGTH = 200
KEY_LENGTH = 64

HANDLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")
_LINE_BREAKS = "\n\r\t"

SECRET_FIELD = Field(name="reference", type=FieldType.STRING, required=True, max=500, title="Reference into a vault")
"""What a request with `secret: reference` takes."""

_CONTACT_FIELDS = (
    Field(name="role", type=FieldType.STRING, required=True),
    Field(name="email", type=FieldType.EMAIL, required=True),
    Field(name="name", type=FieldType.STRING, required=True, max=200),
    Field(name="tz", type=FieldType.STRING),
    Field(name="language", type=FieldType.STRING),
    Field(name="handle", type=FieldType.STRING),
)

_Faults = tuple[MessageFault, ...]
_Reading = tuple[Any, _Faults]


def check_value(field: Field, value: Any) -> tuple[MessageFault, ...]:
    """Every fault of one value, with places relative to it."""
    return _read(field, value)[1]


def check_fields(
    fields: Sequence[Field], given: Mapping[str, Any], *, partial: bool = False, prefix: str = "/fields"
) -> tuple[dict[str, Any], tuple[MessageFault, ...]]:
    """Normalised values in the order of `fields`, and every fault at once.

    `partial` is for drafts: what is missing is no fault yet, and no default is filled in. A blank text and `null` are no
    answer; values with faults are left out of the result.
    """
    values: dict[str, Any] = {}
    faults: list[MessageFault] = []
    for field in fields:
        place = prefix + pointer(field.name)
        value = given.get(field.name)
        if _blank(value):
            if partial:
                continue
            value = field.default
            if value is None:
                if field.required:
                    faults.append(fault(place, "required", "This field is required."))
                continue
        kept, found = _read(field, value)
        if found:
            faults.extend(replace(one, place=place + one.place) for one in found)
        else:
            values[field.name] = kept
    known = dict.fromkeys(field.name for field in fields)
    for n, name in enumerate(one for one in given if one not in known):
        hint = nearest(name, known) if n < limits.NEAREST_TOLD else ""
        sentence = f"There is no field of this name here{hint or '.'}"
        faults.append(fault(prefix + pointer(name[:KEY_LENGTH]), "unknown_field", sentence))
    return values, tuple(faults)


def check_secret(fields: Mapping[str, Any], *, prefix: str = "/fields") -> tuple[MessageFault, ...]:
    """Faults of the answer to a request with `secret: reference`: one URI into a vault, never the value."""
    values, faults = check_fields((SECRET_FIELD,), fields, prefix=prefix)
    if "reference" in values and forms.read_secret(values["reference"]) is None:
        sentence = (
            "Expected a reference into a vault, such as vault:kv/customers/acme; the secret itself is never sent."
        )
        faults += (fault(f"{prefix}/reference", "wrong_form", sentence),)
    return faults


def fault(place: str, code: str, sentence: str) -> MessageFault:
    """One fault; places are cut, because keys come from outside, too."""
    return MessageFault(place=place[:PLACE_LENGTH], code=code, sentence=sentence)


def pointer(part: str | int) -> str:
    """One step of a JSON pointer."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _bad(code: str, sentence: str, place: str = "") -> _Reading:
    return None, (fault(place, code, sentence),)


def _read(field: Field, value: Any) -> _Reading:
    match field.type:
        case FieldType.INT | FieldType.NUMBER:
            return _number(field, value)
        case FieldType.BOOL:
            return (value, ()) if isinstance(value, bool) else _bad("wrong_type", "Expected true or false.")
        case FieldType.LIST:
            return _list(field, value)
        case FieldType.CONTACTS:
            return _contacts(field, value)
        case _:
            return _text(field, value)


def _number(field: Field, value: Any) -> _Reading:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _bad("wrong_type", "Expected a number.")
    if isinstance(value, float) and field.type is FieldType.INT:
        return _bad("wrong_type", "Expected a whole number.")
    if isinstance(value, float) and not math.isfinite(value):
        return _bad("wrong_type", "Expected a number that has a value.")
    if field.min is not None and value < field.min:
        return _bad("too_small", f"Expected at least {field.min}.")
    if field.max is not None and value > field.max:
        return _bad("too_large", f"Expected at most {field.max}.")
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        return _bad("too_large" if value > 0 else "too_small", f"Expected a whole number of at most {MOST_INTEGER}.")
    return value, ()


def _plain(value: Any) -> _Faults:
    if not isinstance(value, str):
        return (fault("", "wrong_type", "Expected a text."),)
    if len(value) > limits.TEXT_LENGTH:
        return (fault("", "too_long", f"Expected at most {limits.TEXT_LENGTH} characters."),)
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in _LINE_BREAKS for char in value):
        return (fault("", "control_characters", "Text holds a control character or half a character; remove it."),)
    return ()


def _text(field: Field, value: Any) -> _Reading:
    faults = _plain(value)
    if faults:
        return None, faults
    kept: str = value
    if field.type is FieldType.ENUM:
        if kept in field.values:
            return kept, ()
        return _bad("not_a_choice", f"Expected one of {', '.join(field.values)}" + (nearest(kept, field.values) or "."))
    if field.type in forms.READERS:
        reader, expected = forms.READERS[field.type]
        normal = reader(kept.strip())
        if normal is None:
            if field.type is FieldType.DATETIME and forms.has_no_offset(kept.strip()):
                return _bad("no_offset", "An instant carries an offset, such as 2026-11-21T10:00:00Z.")
            return _bad("wrong_form", f"Expected {expected}.")
        kept = normal
    faults = _length(field, len(kept), "character")
    matched = not faults or len(kept) <= limits.PATTERN_TEXT
    if field.pattern is not None and matched and not _pattern(field.pattern).search(kept):
        faults += (fault("", "wrong_form", f"Expected a text that fits the pattern {field.pattern}."),)
    return (None, faults) if faults else (kept, ())


def _length(field: Field, length: int, what: str) -> _Faults:
    if field.min is not None and length < field.min:
        return (fault("", "too_short", f"Expected at least {_count(field.min, what)}."),)
    if field.max is not None and length > field.max:
        return (fault("", "too_long", f"Expected at most {_count(field.max, what)}."),)
    return ()


def _count(amount: int | float, what: str) -> str:
    many = "entries" if what == "entry" else f"{what}s"
    return f"{amount} {what if amount == 1 else many}"


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _entries(field: Field, value: Any) -> tuple[list[Any], _Faults]:
    if not isinstance(value, list | tuple):
        return [], (fault("", "wrong_type", "Expected a list."),)
    if len(value) > MOST_ENTRIES:
        return [], (fault("", "too_long", f"Expected at most {MOST_ENTRIES} entries."),)
    return list(value), _length(field, len(value), "entry")


def _list(field: Field, value: Any) -> _Reading:
    entries, faults = _entries(field, value)
    for index, entry in enumerate(entries):
        faults += tuple(replace(one, place=pointer(index)) for one in _plain_entry(entry))
    return (None, faults) if faults else (entries, ())


def _plain_entry(entry: Any) -> _Faults:
    if isinstance(entry, bool):
        return ()
    if isinstance(entry, int | float):
        return _number(Field(name="", type=FieldType.NUMBER), entry)[1]
    if isinstance(entry, str):
        return _plain(entry)
    return (fault("", "wrong_type", "Expected a text, a number, true or false."),)


def _contacts(field: Field, value: Any) -> _Reading:
    entries, faults = _entries(field, value)
    contacts: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        contact, found = _contact(entry)
        contacts.append(contact)
        faults += tuple(replace(one, place=pointer(index) + one.place) for one in found)
    return (None, faults) if faults else (contacts, ())


def _contact(entry: Any) -> tuple[dict[str, Any], _Faults]:
    if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
        return {}, (
            fault("", "wrong_type", "Expected a contact: role, email and name, perhaps tz, language and handle."),
        )
    contact, faults = check_fields(_CONTACT_FIELDS, entry, prefix="")
    if "role" in contact and not _ROLE.fullmatch(contact["role"]):
        faults += (fault("/role", "wrong_form", "Expected a role such as champion: lower-case letters, digits and _."),)
    if "tz" in contact and not _ZONE.fullmatch(contact["tz"]):
        faults += (fault("/tz", "wrong_form", "Expected an IANA time zone such as Europe/Berlin."),)
    if "language" in contact and not _LANGUAGE.fullmatch(contact["language"]):
        faults += (fault("/language", "wrong_form", "Expected a language such as de or pt-BR."),)
    if "handle" in contact:
        contact["handle"] = canonical_actor(contact["handle"])
        if not HANDLE.fullmatch(contact["handle"]):
            sentence = "Expected a handle such as dana: lower-case letters, digits, dot, dash and _, at most 63."
            faults += (fault("/handle", "wrong_form", sentence),)
    return contact, faults
