"""What is made and copied quickly is what a dataclass would have made: equal, locked, and with defaults of its own."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from onboarding.engine import effects, state
from onboarding.engine.copies import replace
from onboarding.engine.state import ItemState, ItemStatus, Planned, PlannedKind, RunState, TrailEntry

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
KINDS = [
    one
    for room in (state, effects)
    for one in vars(room).values()
    if dataclasses.is_dataclass(one) and isinstance(one, type) and one.__module__ == room.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_value_is_made_whole_and_stays_locked(kind: type[Any]) -> None:
    """Each field has what was given for it, in its own place."""
    given = {one.name: object() for one in dataclasses.fields(kind)}
    made = kind(**given)

    assert type(made) is kind
    assert {name: getattr(made, name) for name in given} == given
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, next(iter(given)), 1)
    with pytest.raises(TypeError):
        kind(**given, no_such_field=1)


def test_a_copy_is_the_one_that_a_dataclass_makes() -> None:
    """Equal, of the same class, and the value that was copied is as it was."""
    item = ItemState(id="details", due_at=NOW)

    copy = replace(item, status=ItemStatus.OPEN, round=2)

    assert copy == dataclasses.replace(item, status=ItemStatus.OPEN, round=2)
    assert type(copy) is ItemState
    assert item == ItemState(id="details", due_at=NOW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        copy.round = 3  # type: ignore[misc]


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    """A slip of the pen is an error, and no state with a field more."""
    run = RunState(run="r", customer="c", started_at=NOW, at=NOW)

    with pytest.raises(AttributeError, match="no_such_field"):
        replace(run, no_such_field=1)


def test_defaults_are_nobody_elses() -> None:
    """What is left out is a dictionary of its own, or the default of the field."""
    entry: dict[str, Any] = dict.fromkeys(("actor", "message", "outcome", "code", "digest"), "x")
    entry |= dict.fromkeys(("on_behalf_of", "channel", "item", "message_id"))
    one, other = (TrailEntry(n=n, at=NOW, **entry) for n in (1, 2))

    assert (one.changes, one.sentence) == ({}, "")
    assert one.changes is not other.changes
    assert Planned(at=NOW, kind=PlannedKind.DUE).times == 1
