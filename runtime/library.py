"""The only file that reads definitions/: finding a definition, checking and compiling it, reading start inputs."""

import re
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language.compile import PORTABLE, CompiledFile, Installation, compile_definition, faults_of
from onboarding.language.model import Scale
from onboarding.language.places import Document
from onboarding.language.rules import in_line_order
from onboarding.nearest import nearest
from runtime.calendar_tables import TABLES
from runtime.yaml_text import YamlText

DEFINITIONS = FilePath(__file__).resolve().parent.parent / "definitions"
"""Where definitions are found by id; both doors run from any folder."""


def load(
    ref: str,
    *,
    folder: FilePath = DEFINITIONS,
    installation: Installation = PORTABLE,
    scale: Scale | None = None,
    portable: bool = False,
) -> CompiledFile:
    """The definition of a path or an id, compiled; `DefinitionInvalid` with every fault when it has errors."""
    path = find(ref, folder=folder)
    faults = check_file(path, installation=installation, portable=portable)
    if any(fault.severity == "error" for fault in faults):
        raise DefinitionInvalid(faults, str(path))
    text = YamlText.of(path)
    return compile_definition(text.document, PORTABLE if portable else installation, scale)


def check_file(path: FilePath | str, *, installation: Installation = PORTABLE, portable: bool = False) -> list[Fault]:
    """Every fault of one definition file, in line order; never an exception."""
    text = YamlText.of(FilePath(path))
    return _check(text, PORTABLE if portable else installation)


def read_mapping(path: FilePath | str) -> dict[str, Any]:
    """The mapping in a JSON or YAML file (a start input, a directory); `DefinitionInvalid` with every fault of its text."""
    text = YamlText.of(FilePath(path), empty="The file says nothing: write a line `name: value` for each value.")
    if not text.faults and not isinstance(text.document.data, dict):
        text.add("not_a_mapping", 1, 1, "The file is not one mapping of names to values: write lines `name: value`.")
    if text.faults:
        raise DefinitionInvalid(text.faults, str(path))
    found: dict[str, Any] = text.document.data
    return found


def find(ref: str, *, folder: FilePath = DEFINITIONS) -> FilePath:
    """The file of a path, or of the id of a definition in the folder."""
    if re.fullmatch(r"[a-z][a-z0-9_-]*", ref) and _exists(folder / f"{ref}.yaml"):
        return folder / f"{ref}.yaml"
    path = FilePath(ref)
    if ref and _exists(path):
        return path
    known = known_ids(folder=folder)
    hint = nearest(ref, known) or f"; known here: {', '.join(known)}." if known else "."
    sentence = f"There is no file and no definition {ref[:100]!r}{hint}"
    raise DefinitionInvalid([Fault(1, 1, "cannot_read", "error", sentence)], ref[:200])


def known_ids(*, folder: FilePath = DEFINITIONS) -> tuple[str, ...]:
    """The ids of the definitions in the folder, sorted: a definition's file is named for its id."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml"))) if folder.is_dir() else ()


def check_text(content: bytes, *, installation: Installation = PORTABLE) -> list[Fault]:
    """Every fault of the text of one definition, in line order; never an exception."""
    text = YamlText()
    text.read(content)
    return _check(text, installation)


def parse(content: bytes) -> Document:
    """The data of a text with its places; `DefinitionInvalid` with the faults of the text."""
    text = YamlText()
    text.read(content)
    if text.faults:
        raise DefinitionInvalid(text.faults)
    return text.document


def _exists(path: FilePath) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name no file system takes
        return False


def _check(text: YamlText, installation: Installation) -> list[Fault]:
    """The faults of the text, and of the definition in it if it can be read."""
    if text.blocked:
        return text.faults
    # What a broken value was replaced with is not reported again.
    broken = [(fault.line, fault.column) for fault in text.faults]
    deeper = faults_of(text.document, replace(installation, calendars=TABLES))
    return in_line_order([*text.faults, *(each for each in deeper if (each.line, each.column) not in broken)])
