"""`absence`, as far as it goes without a server: what is judged here, and which id each run hears."""

from __future__ import annotations

from console.absence import message_id_for
from tests.support.calls import Door

FROM, UNTIL = ("--from", "2026-12-01T08:00:00Z"), ("--until", "2026-12-11T08:00:00Z")


def test_what_does_not_fit_is_told_with_every_place_before_any_run_is_asked(door: Door) -> None:
    """As for every message: the shape needs no run."""
    answer = door("absence", "dana", "--from", "tomorrow", "--until", "2026-12-11T08:00:00", "-o", "json")

    assert answer.code == 20
    assert sorted((fault["place"], fault["code"]) for fault in answer.data["faults"]) == [
        ("/actor", "required"),
        ("/since", "not_an_instant"),
        ("/until", "no_offset"),
    ]


def test_where_no_run_is_open_nothing_is_to_be_done(door: Door) -> None:
    """An empty list and 0; a word on stderr says why."""
    answer = door("absence", "dana", *FROM, *UNTIL, "--actor", "lead", "--id", "holiday", "-o", "json")

    assert (answer.code, answer.data) == (0, {"id": "holiday", "rows": [], "next_cursor": None})
    assert "No open run knows 'dana'" in answer.err


def test_one_run_that_cannot_be_asked_is_69(door: Door) -> None:
    """Nothing listens at the address."""
    answer = door("absence", "dana", *FROM, *UNTIL, "--actor", "lead", "--run", "c-1/quick-start")

    assert answer.code == 69


def test_each_run_hears_an_id_of_its_own_and_always_the_same() -> None:
    """So that the same command again is harmless, whichever runs are open then."""
    ids = [message_id_for("holiday", run) for run in ("onboarding/a/x", "onboarding/b/x", "onboarding/a/x")]

    assert ids[0] == ids[2] != ids[1]
    assert all(len(one) <= 128 for one in (message_id_for("x" * 128, "onboarding/a/x"), *ids))
