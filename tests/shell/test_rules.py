"""A run keeps the rules with which it began, and waits for a release that knows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from onboarding import limits
from onboarding.engine import rules
from onboarding.engine.order_text import read_order, write_order
from onboarding.errors import StartRefused
from tests.support.activations import Activated
from tests.support.history import Written
from tests.support.shell import an_order

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_a_run_with_rules_of_a_later_release_waits_for_it() -> None:
    """Its workflow task fails, which the server repeats until a worker that knows them has it; nothing ends it."""
    order = replace(an_order("short", customer="c-1"), rules_version=rules.NEWEST + 1)

    with pytest.raises(AssertionError, match=f"the workflow task failed: rules_unknown: .* rules {rules.NEWEST + 1}"):
        Activated(order, NOW)


@pytest.mark.parametrize("version", range(rules.FIRST, rules.NEWEST + 1))
async def test_every_released_number_is_known(version: int) -> None:
    """A run of any release so far goes on in this one."""
    order = replace(an_order("short", customer="c-1"), rules_version=version)

    assert await Written.of(order).task().replay() is None


@pytest.mark.parametrize(("version", "most"), [(1, 2_000), (2, 1_500), (rules.NEWEST, limits.EVENTS_PER_RUN)])
def test_an_execution_ends_where_the_rules_of_its_run_say(version: int, most: int) -> None:
    """The history of a run holds where it went on as new: an end at another place would stop each older one that is longer."""
    run = Activated(replace(an_order("short", customer="c-1"), rules_version=version), NOW)
    note = {"actor": "dana", "text": "x"}
    run.events = most - 1
    run.update("note", {**note, "message_id": "m-1"})
    before = run.goes_on
    run.events = most
    run.update("note", {**note, "message_id": "m-2"})

    assert (before, run.goes_on) == (False, True)


def test_an_order_that_names_no_rules_has_the_first_ones() -> None:
    """Orders that were written before there were others."""
    written = write_order(an_order("short", customer="c-1"))
    assert f'"rules_version":{rules.NEWEST}' in written

    assert read_order(written.replace(f'"rules_version":{rules.NEWEST},', "")).rules_version == rules.FIRST


def test_rules_below_the_first_are_refused() -> None:
    """No release has ever had them."""
    written = write_order(replace(an_order("short", customer="c-1"), rules_version=0))

    with pytest.raises(StartRefused) as refused:
        read_order(written)
    assert [fault.place for fault in refused.value.faults] == ["/rules_version"]
