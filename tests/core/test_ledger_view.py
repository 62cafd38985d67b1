"""Where the time went: entries lie end to end, and the sides add up to the elapsed time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine.state import Booking
from onboarding.reading.ledger import ledger
from tests.support.builders import OFFICE, Run, a_finished_run, a_run, an_order, at, papers


def a_held_run() -> Run:
    """Held from Tuesday noon to Thursday noon, then gone on with."""
    run = a_run()
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(1, 11))
    run.say("hold", reason="holidays", side="customer", when=at(2, 12))
    run.say("resume", when=at(4, 12))
    run.now = at(4, 15)
    return run


def a_weekend_run() -> Run:
    """Nobody does anything from Friday to Monday."""
    run = a_run(start=at(5, 16))
    run.now = at(8, 10)
    return run


STORIES = {"finished": a_finished_run, "held": a_held_run, "weekend": a_weekend_run, "fresh": a_run}


def told(run: Run, now: datetime | None = None, cursor: Any = None) -> dict[str, Any]:
    """The ledger as it stands."""
    return ledger(run.plan, run.state, now or run.now, cursor)


@pytest.mark.parametrize("story", STORIES)
def test_the_sides_add_up_to_the_elapsed_time(story: str) -> None:
    """Every second is somebody's, and only one's."""
    found = told(STORIES[story]())

    assert found["elapsed"] == sum(found["by_side"].values())
    assert list(found["by_side"]) == ["customer", "provider", "third_party", "hold", "off_hours"]


@pytest.mark.parametrize("story", STORIES)
def test_entries_lie_end_to_end_from_the_start(story: str) -> None:
    """No gap, no overlap, and the same sums."""
    run = STORIES[story]()
    found = told(run)
    entries = found["entries"]
    bounds = [f"{run.state.started_at:%Y-%m-%dT%H:%M:%SZ}", *(entry["to"] for entry in entries)]
    sums = dict.fromkeys(found["by_side"], 0)
    for entry in entries:
        sums[entry["side"]] += entry["seconds"]

    assert [entry["from"] for entry in entries] == bounds[:-1]
    assert bounds[-1] == f"{run.state.closed_at or run.now:%Y-%m-%dT%H:%M:%SZ}"
    assert found["by_side"] == sums


def test_nights_and_weekends_are_off_hours_of_whoever_had_it() -> None:
    """Friday 16 to Monday 10: two working hours, the rest is nobody's fault."""
    found = told(a_weekend_run())

    assert [(entry["side"], entry["seconds"]) for entry in found["entries"]] == [
        ("customer", 3_600),
        ("off_hours", 64 * 3_600),
        ("customer", 3_600),
    ]
    assert {"details"} == {entry["item"] for entry in found["entries"]}


def test_held_time_is_booked_to_hold_and_keeps_the_side_named() -> None:
    """Two days of holidays are neither ours nor counted as work of theirs."""
    found = told(a_held_run())
    (held,) = [entry for entry in found["entries"] if entry["side"] == "hold"]

    assert found["by_side"]["hold"] == 48 * 3_600
    assert (
        held["held_side"],
        held["from"],
        held["to"],
    ) == ("customer", "2026-12-01T12:00:00Z", "2026-12-03T12:00:00Z")


def test_a_closed_run_stops_counting() -> None:
    """Asked a year later it says the same."""
    run = a_finished_run()

    assert told(run, at(9)) == told(run, at(400))


def test_an_open_run_counts_up_to_now() -> None:
    """The last entry is the one that goes on."""
    run = a_run()

    assert told(run, at(1, 9, 30))["elapsed"] == 1_800
    assert told(run, at(1, 9, 30))["entries"][-1]["to"] == "2026-11-30T09:30:00Z"


def test_an_asker_whose_clock_is_behind_gets_no_negative_time() -> None:
    """Time never runs backwards, not even in a read."""
    found = told(a_held_run(), at(-100))

    assert found["elapsed"] == sum(found["by_side"].values())
    assert all(entry["seconds"] > 0 for entry in found["entries"])


def test_the_metrics_of_the_definition_are_told() -> None:
    """Seconds or counts; what is not reached yet is null."""
    start = told(a_run())["metrics"]
    end = told(a_finished_run())["metrics"]

    assert start == {"time_to_value": None, "asks_made": 2}
    assert end == {"time_to_value": 511_200, "asks_made": 3}


def a_long_run(stretches: int) -> Run:
    """A run with so many stretches that they fill several pages."""
    run = a_run(an_order(calendars={"provider": OFFICE, "customer": OFFICE}))
    begin = run.state.started_at
    booked = tuple(
        Booking(
            item="details",
            stage="intake",
            round=n + 1,
            side="customer",
            who="customer:champion",
            clock="calendar",
            since=begin + timedelta(minutes=n),
            to=begin + timedelta(minutes=n + 1),
        )
        for n in range(stretches)
    )
    last = replace(booked[-1], since=booked[-1].to, to=None)
    run.change(ledger=booked, ledger_count=stretches, booking=last, booked={"customer": 60 * stretches})
    run.now = begin + timedelta(minutes=stretches + 1)
    return run


def test_pages_give_every_entry_once_and_each_the_whole_sum() -> None:
    """The sums do not depend on the page."""
    run = a_long_run(250)
    rounds, cursor, pages = [], None, []
    while True:
        found = told(run, cursor=cursor)
        rounds += [entry["round"] for entry in found["entries"]]
        pages.append(found)
        cursor = found["next_cursor"]
        if cursor is None:
            break

    assert [*range(1, 251), 250] == rounds
    assert [len(page["entries"]) for page in pages] == [limits.PAGE, limits.PAGE, 51]
    assert {251 * 60} == {page["elapsed"] for page in pages} | {sum(page["by_side"].values()) for page in pages}
    assert pages[0]["metrics"] == pages[2]["metrics"]


def test_a_stretch_without_length_is_no_entry() -> None:
    """Two things in one second leave no empty rows."""
    run = a_run()
    run.say("submit", "customer:champion", item="details", fields={"legal_name": "A", "vat_id": "1"}, when=at(1, 9))
    found = told(run, at(1, 9))

    assert (found["elapsed"], found["entries"]) == (0, [])
