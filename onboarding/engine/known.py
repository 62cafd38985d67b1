"""Answers that are worked out once and asked for many times: who has what, as long as nothing that this follows from has changed.

Note [The same object]
    A state is frozen, and a change makes new dictionaries of what it changes, and of nothing else. So what was worked out from a
    dictionary holds for every state that has this very one: whether it is the same object is all that must be looked at. What is
    kept holds on to its dictionaries, so that no other can take their place in memory. It changes no answer, only how long it takes.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from onboarding.engine.state import Absence, ItemState, RunState, StageState
from onboarding.language.model import Item

if TYPE_CHECKING:
    from onboarding.engine.plan import Plan

T = TypeVar("T")

_Holders = Mapping[str, tuple[str, ...]]
_Absences = tuple[Absence, ...]


class OfPeople:
    """What follows from who holds which role and who is away."""

    __slots__ = ("absences", "found", "holders")

    def __init__(self, holders: _Holders, absences: _Absences) -> None:
        self.holders, self.absences = holders, absences
        self.found: dict[Any, Any] = {}

    def holds_for(self, state: RunState) -> bool:
        """See Note [The same object]."""
        return self.holders is state.holders and self.absences is state.absences


class OfItems:
    """What follows from that, and from how all items and stages stand."""

    __slots__ = ("absences", "found", "holders", "items", "stages")

    def __init__(self, state: RunState) -> None:
        self.items: Mapping[str, ItemState] = state.items
        self.stages: Mapping[str, StageState] = state.stages
        self.holders, self.absences = state.holders, state.absences
        self.found: dict[tuple[str, str], Any] = {}

    def holds_for(self, state: RunState) -> bool:
        """See Note [The same object]."""
        return (
            self.items is state.items
            and self.stages is state.stages
            and self.holders is state.holders
            and self.absences is state.absences
        )


class Known:
    """What a plan knows of its run: as it stands now, and as it stood before the present turn.

    Of people, the two who were asked for last: who has something is also worked out as if nobody were away.
    """

    __slots__ = ("before", "now", "others", "people")

    def __init__(self) -> None:
        self.people = self.others = OfPeople({}, ())
        self.now: OfItems | None = None
        self.before: OfItems | None = None

    def begin(self) -> None:
        """A turn begins: in its end somebody asks again for what was known before it."""
        self.before = self.now

    def of_people(self, state: RunState) -> dict[Any, Any]:
        """What is known as long as the same people are there."""
        if not self.people.holds_for(state):
            others, self.others = self.others, self.people
            self.people = others if others.holds_for(state) else OfPeople(state.holders, state.absences)
        return self.people.found

    def of_items(self, state: RunState) -> dict[tuple[str, str], Any]:
        """What is known as long as no item and no stage changes either."""
        for known in (self.now, self.before):
            if known is not None and known.holds_for(state):
                return known.found
        self.now = OfItems(state)
        return self.now.found


def once_for_items(ask: "Callable[[Plan, RunState, Item], T]") -> "Callable[[Plan, RunState, Item], T]":
    """For a question about an item of the plan whose answer follows from items, stages, holders and absences alone."""
    name = ask.__name__

    @wraps(ask)
    def known(plan: "Plan", state: RunState, item: Item) -> T:
        found = plan.known.of_items(state)
        key = name, item.id
        if key not in found:
            found[key] = ask(plan, state, item)
        answer: T = found[key]
        return answer

    return known
