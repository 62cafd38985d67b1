"""Where in the text each value of a definition stands, so that every fault can name its line and column."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]


MAX_SPELLED = 64
"""Characters of one key that a sentence repeats."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key and its value begin; `text` is where the characters of a one-line scalar begin, else `None`.

    `owner` names the variant that put the value there, or is empty.
    """

    key_line: int
    key_column: int
    line: int
    column: int
    text: int | None = None
    owner: str = ""


START = Place(1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """Nested plain data (dict, list, str, int, float, bool, None) and the place of each part of it."""

    data: Any
    places: Mapping[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """The place of a path, or of the nearest part around it that is written down."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return START

    def get(self, path: Path) -> Any:
        """The value at a path, or `None`."""
        value = self.data
        for step in path:
            in_mapping = isinstance(value, dict) and step in value
            in_list = isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
            if not in_mapping and not in_list:
                return None
            value = value[step]
        return value


def without(places: Mapping[Path, Place], removed: Path) -> Mapping[Path, Place]:
    """The places after a part was taken out: behind a list entry everything moves up by one."""
    index = removed[-1] if removed else None
    if not isinstance(index, int):
        return places
    depth = len(removed) - 1
    moved: dict[Path, Place] = {}
    for path, place in places.items():
        step = path[depth] if len(path) > depth and path[:depth] == removed[:depth] else None
        if not isinstance(step, int) or step < index:
            moved[path] = place
        elif step > index:
            moved[(*path[:depth], step - 1, *path[depth + 1 :])] = place
    return moved


def spell(path: Path) -> str:
    """A path as people write it: `stages[1].requests[0].due`."""
    text = ""
    for step in path:
        if isinstance(step, str) and len(step) > MAX_SPELLED:
            step = step[:MAX_SPELLED] + "…"
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
