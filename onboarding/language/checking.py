"""What every cross rule works with: the file as written, the same compiled, and where to report."""

from collections.abc import Iterable
from dataclasses import dataclass

from onboarding.language.installation import Installation
from onboarding.language.model import Definition, Item
from onboarding.language.places import Path
from onboarding.language.rules import Faults
from onboarding.language.source import Entry, Source
from onboarding.nearest import nearest

MAX_OFFERS = 100
"""Faults of one definition that are answered with the nearest name: finding it is slow, and nobody reads more."""


@dataclass(frozen=True, slots=True)
class Checking:
    """One definition under check; `entries` and `items` are the same items as written and as compiled."""

    source: Source
    definition: Definition
    installation: Installation
    faults: Faults
    entries: tuple[Entry, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return self.definition.items

    def pairs(self) -> Iterable[tuple[Entry, Item]]:
        """Each item as written and as compiled."""
        return zip(self.entries, self.items, strict=True)

    def refer(self, rule: str, path: Path, name: str, known: Iterable[str], what: str, *, key: bool = False) -> bool:
        """Whether `name` is one of `known`; a fault with the nearest name if not."""
        names = tuple(known)
        if name in names:
            return True
        near = nearest(name, names) if len(self.faults.found) < MAX_OFFERS else ""
        hint = near or (f"; known here: {', '.join(names[:12])}." if names else "; none is declared.")
        self.faults.add(rule, path, f"There is no {what} {name[:80]!r}{hint}", key=key, name=name)
        return False

    def roles(self, path: Path, names: Iterable[str]) -> None:
        """Every name of a list is a role."""
        for index, name in enumerate(names):
            self.refer("unknown_role", (*path, index), name, self.source.file.roles, "role")
