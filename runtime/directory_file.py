"""The file that ONBOARDING_DIRECTORY names: members of groups, and how people are reached. Every fault with its line.

Either `group: [member, ...]` and nothing else, or `groups:` with that and `people:` with `handle: {mail: ..., name: ..., ...}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from onboarding.engine.roster import CONTACT, handle_of
from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language.places import Document, Path, spell
from onboarding.language.rules import in_line_order
from onboarding.mailboxes import mailbox
from onboarding.nearest import nearest
from runtime.calendar_tables import TABLES
from runtime.people import NO_HANDLE, handle_from
from runtime.yaml_text import YamlText

KEYS: Final = ("name", "language", "zone", "side", "channels")
"""What may be said of a person beside addresses."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_SIDES: Final = ("customer", "provider", "third_party")
_LONGEST: Final = 500
_NO_ADDRESS: Final = "This is no mail address: write it as name@firm.example."


@dataclass(frozen=True, slots=True)
class DirectoryFile:
    """What the file says: handles or addresses by group, and details by handle."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_directory(path: FilePath | None, sorts: Sequence[str], channels: Sequence[str] | None = None) -> DirectoryFile:
    """The file, or nothing where none is set. Raises `DefinitionInvalid` with every fault.

    `sorts` are the kinds of addresses, `channels` the names of the ways to people, where they are known.
    """
    if path is None:
        return DirectoryFile()
    text = YamlText.of(path, empty="The file says nothing: write a line `group: [handle, handle]` for each group.")
    if not text.faults and not isinstance(text.document.data, dict):
        text.add(
            "not_a_mapping",
            1,
            1,
            "The file is not one mapping of groups to their members: write lines `group: [handle]`.",
        )
    faults = text.faults or in_line_order([*_faults(text.document, tuple(sorts), channels)])
    if faults:
        raise DefinitionInvalid(faults, str(path))
    data: dict[str, Any] = text.document.data
    groups = data.get("groups", {}) if _is_new(data) else data
    return DirectoryFile(
        {name: tuple(member[0] for one in members if (member := _member(one))) for name, members in groups.items()},
        {handle_from(name) or name: dict(one) for name, one in data.get("people", {}).items()} if _is_new(data) else {},
    )


def _is_new(data: Mapping[str, Any]) -> bool:
    """A group may be called `groups` or `people`, too: then it has a list."""
    return any(isinstance(data.get(name), dict) for name in ("groups", "people"))


def _faults(document: Document, sorts: tuple[str, ...], channels: Sequence[str] | None) -> Iterator[Fault]:
    data = document.data
    if not _is_new(data):
        yield from _of_groups(document, data, ())
        return
    for name, value in data.items():
        if name not in ("groups", "people"):
            sentence = (
                f"The file has `groups` and `people`, not {name[:60]!r}{nearest(name, ('groups', 'people')) or '.'}"
            )
            yield _fault(document, (name,), "unknown_key", sentence, key=True)
        elif not isinstance(value, dict):
            yield _fault(document, (name,), "wrong_type", f"`{name}` is a mapping of names.")
        elif name == "groups":
            yield from _of_groups(document, value, ("groups",))
        else:
            yield from _of_handles(document, value)
            for handle, details in value.items():
                yield from _of_person(document, handle, details, sorts)
                yield from _of_channels(document, handle, details, channels)


def _of_handles(document: Document, people: Mapping[str, Any]) -> Iterator[Fault]:
    """People are looked up as runs write them; what no run can write would stand here in vain."""
    seen = set[str]()
    for name in people:
        handle, path = handle_from(name), ("people", name)
        if handle is None:
            yield _fault(document, path, "not_a_handle", NO_HANDLE, key=True)
        elif handle in seen:
            sentence = f"{handle!r} has stood here before, perhaps in another spelling: say it in one place."
            yield _fault(document, path, "handle_twice", sentence, key=True)
        else:
            seen.add(handle)


def _of_groups(document: Document, groups: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    for name, members in groups.items():
        if not isinstance(members, list) or not all(isinstance(one, str) and one.strip() for one in members):
            sentence = f"The group {name[:60]!r} is a list of handles or addresses."
            yield _fault(document, (*path, name), "wrong_type", sentence)
            continue
        seen = set[str]()
        for n, one in enumerate(members):
            here, member = (*path, name, n), _member(one)
            if member is None:
                sentence = "A member of a group is a handle such as dana, or an address such as dana@firm.example."
                yield _fault(document, here, "not_a_handle", sentence)
                continue
            if member[1] in seen:
                sentence = f"Two members of the group {name[:60]!r} would be {member[1]!r}: name each person once."
                yield _fault(document, here, "handle_twice", sentence)
            seen.add(member[1])


def _member(text: str) -> tuple[str, str] | None:
    """A member of a group as runs are started with it, and the handle that this will be; `None` for what is neither handle nor address."""
    written = text.strip() if "@" in text else handle_from(text) or ""
    handle = handle_of(written) if "@" in written else written
    fits = handle_from(handle) is not None and not handle.startswith(CONTACT)
    return (written, handle) if fits and ("@" not in written or mailbox(written) is not None) else None


def _of_person(document: Document, handle: str, details: Any, sorts: tuple[str, ...]) -> Iterator[Fault]:
    path: Path = ("people", handle)
    if not isinstance(details, dict):
        yield _fault(
            document,
            path,
            "wrong_type",
            f"What is known of {handle[:60]!r} is a mapping, such as {{mail: …, language: de}}.",
        )
        return
    for key, value in details.items():
        here, texts = (*path, key), isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST
        if key not in (*KEYS, *sorts):
            sentence = f"Of a person the file says {', '.join((*KEYS, *sorts))}, not {key[:60]!r}{nearest(key, (*KEYS, *sorts)) or '.'}"
            yield _fault(document, here, "unknown_key", sentence, key=True)
        elif key == "channels":
            if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
                yield _fault(document, here, "wrong_type", "`channels` is a list of names of channels.")
        elif not texts:
            yield _fault(document, here, "wrong_type", f"`{key}` is a text of at most {_LONGEST} characters.")
        elif key == "mail" and mailbox(value) is None:
            yield _fault(document, here, "bad_address", _NO_ADDRESS)
        elif key == "language" and not _LANGUAGE.fullmatch(value):
            yield _fault(document, here, "wrong_form", "A language is written as de or pt-BR.")
        elif key == "side" and value not in _SIDES:
            yield _fault(document, here, "wrong_form", f"A side is one of {', '.join(_SIDES)}.")
        elif key == "zone" and (sentence_of_zone := TABLES.zone_fault(value)) is not None:
            yield _fault(document, here, "unknown_zone", sentence_of_zone)


def _of_channels(document: Document, handle: str, details: Any, known: Sequence[str] | None) -> Iterator[Fault]:
    """A name that no channel has would be passed over, and the person reached in another way than they wish."""
    names = details.get("channels") if isinstance(details, dict) else None
    for n, name in enumerate(names if isinstance(names, list) and known is not None else ()):
        if isinstance(name, str) and name not in (known or ()):
            sentence = f"No channel is called {name[:60]!r}{nearest(name, known or ()) or '.'}"
            yield _fault(document, ("people", handle, "channels", n), "unknown_channel", sentence)


def _fault(document: Document, path: Path, code: str, sentence: str, *, key: bool = False) -> Fault:
    place = document.place(path)
    line, column = (place.key_line, place.key_column) if key else (place.line, place.column)
    return Fault(line, column, code, "error", sentence, spell(path))
