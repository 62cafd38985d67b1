"""What a letter is about as it stands when it leaves: read from rows, for one reader, and never from a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

ANSWER_VALUES: Final = ("run", "items", "item", "handle")
"""What a text about how to answer may name, as `{run}`; `items` are all that the reader is to answer, `item` is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that is open, and who has it."""

    id: str
    """Of the item; of a gate, a debt or a review: what `inbox` calls it."""
    title: str
    kind: str
    """`request`, `task`, `approval`, ...; for what is no item `gate`, `debt` or `hold`."""
    status: str
    due_at: datetime | None
    who: str
    """The handle of whoever acts first."""
    side: str
    stage: str
    yours: bool
    """Whether the reader may do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """A run as one reader may hear of it. Without rows it is empty: `known` says so."""

    known: bool = False
    definition: str = ""
    closed_at: datetime | None = None
    on_hold: bool = False
    stage: str = ""
    """The title of the stage that the notice is about, else of the one that is open."""
    titles: tuple[str, ...] = ()
    """Of the items that the notice names."""
    points: tuple[Point, ...] = ()
    """What is open: of the notice first, then what else waits for this reader; the nearest date first."""
    following: Point | None = None
    """Who acts next, where it is none of `points`."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the people of this run are called, by handle."""
    zone: str = ""
    """In which dates are told where nobody knows the reader's own: that of the customer, as the start input says."""


class About(Protocol):
    """Asked at the moment of sending. `storage.about` fulfils it."""

    def matter(self, run: str, reader: str, *, stage: str | None, items: Sequence[str], side: str) -> Matter:
        """How a run stands for one handle; `items` are those that the notice names. May wait for a database; raises what it raises."""
