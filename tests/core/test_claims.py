"""What senders claim: when they sent it, and who they are. A run counts by its own clock, and one person by whatever spelling is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.builders import Run, a_definition, a_run, an_order, at

CLAIMS = (
    "2024-11-30T09:00:00Z",
    "2026-11-30T08:59:59Z",
    "2026-11-30T09:00:01Z",
    "2026-12-01T09:00:00Z",
    "9999-12-31T23:59:59Z",
)


@pytest.mark.parametrize("sent_at", CLAIMS)
def test_a_claimed_instant_changes_no_date_and_no_duration(sent_at: str) -> None:
    """Two years ago, a second ago, tomorrow, at the end of time: the run hears it when it hears it."""
    plain, claiming = a_run(), a_run()
    for run, claimed in ((plain, {}), (claiming, {"sent_at": sent_at})):
        verdict = run.say("complete", item="credit_check", provides={"rating": "good"}, when=at(2), **claimed)
        assert verdict.received_at == at(2)

    assert claiming.state.items == plain.state.items
    assert claiming.state.booked == plain.state.booked
    assert claiming.state.trail == plain.state.trail


@pytest.mark.parametrize(
    ("sent_at", "code"),
    [("2026-11-30T09:00:00", "no_offset"), ("2026-11-30T09:00:60Z", "not_an_instant"), ("now", "not_an_instant")],
)
def test_a_claim_that_is_no_instant_is_refused_at_its_place(sent_at: str, code: str) -> None:
    """Without a zone, with a leap second, in words."""
    run = a_run()
    verdict = run.say("complete", item="credit_check", provides={"rating": "good"}, sent_at=sent_at)

    assert (verdict.code, verdict.faults[0].place) == (code, "/sent_at")


SPELLINGS = (
    "olga",
    "Olga",
    "OLGA",
    " olga ",
    "\uff4f\uff4c\uff47\uff41",
    "\u00a0olga",
    "oLGA\n",
    "\uff2f\uff2c\uff27\uff21 ",
)


def four_eyes() -> Run:
    """A run in which whoever looked into the debts may not decide."""
    definition = a_definition()
    items = tuple(
        replace(one, four_eyes=("credit_check",), quorum=1, owners=("lead",), owner="lead", needs=())
        if one.id == "go"
        else one
        for one in definition.items
    )
    stages = tuple(replace(one, needs=()) for one in definition.stages)
    run = a_run(an_order(replace(definition, items=items, stages=stages), people={
        "lead": ("olga",), "head": ("henk",), "champion": ("customer:champion",)
    }))  # fmt: skip
    assert run.say("complete", "OLGA", item="credit_check", provides={"rating": "good"}).outcome == "accepted"
    return run


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_person_in_eight_spellings_is_one_pair_of_eyes(spelling: str) -> None:
    """Capitals, blanks and full-width letters make no second person; a second person decides."""
    run = four_eyes()
    verdict = run.say("decide", spelling, item="go", outcome="go")

    assert verdict.outcome == "forbidden"
    assert run.state.items["go"].votes == ()
