"""The guard against silence: how long the customer hears nothing, and what they are told then."""

from __future__ import annotations

import pytest

from onboarding.engine import machine
from onboarding.engine.effects import NoticeKind
from onboarding.language.model import Gate, ItemKind, Outcome, Override, StageAction
from onboarding.reading.views import promises, status
from tests.support.builders import an_item, at
from tests.support.courtesy import (
    CHAMPION,
    HOURS,
    SIGNER,
    begin,
    request,
    ring,
    submit,
    task,
    told,
)


def test_the_customer_hears_how_it_stands_after_three_quiet_days_of_theirs() -> None:
    """A weekend is no silence: asked on Thursday, told on Tuesday, and again three days later."""
    run = begin(
        request("details", due="9bd"), task("pack", title="Secret of ours", owner="head"), contact={"max_silence": "3bd"}, start=at(4, 10),
        stage={"target": "9bd"},
    )  # fmt: skip
    ring(run, at(12, 17))

    first, second = told(run, NoticeKind.SILENCE)
    assert [(CHAMPION, at(9, 10)), (CHAMPION, at(12, 10))] == [(one.to, one.at) for one in (first, second)]
    assert first.lines == (
        "Nothing has arrived from you yet.",
        "We wait for: Title of details (champion), due Wed 16 Dec 2026 10:00 UTC.",
        "You act next.",
        "Next date: Stage one is planned until Wed 16 Dec 2026 10:00 UTC.",
    )
    assert [word for one in (first, second) for word in ("Secret", "olga", "henk") if word in str(one.lines)] == []


def test_the_report_names_what_came_and_whose_turn_it_is() -> None:
    """Nothing is needed from them, a wish at most: the stage, never our items or names."""
    run = begin(
        request("details"),
        request("wish", optional=True, due=None),
        task("pack", title="Secret of ours"),
        contact={"max_silence": "2bd"},
        stage={"target": "1bd"},
    )
    submit(run, "details", at(1, 12))
    ring(run, at(3, 12))

    (report,) = told(run, NoticeKind.SILENCE)
    assert report.lines == (
        "We have from you: Title of details.",
        "Nothing is needed from you now.",
        "We act next: Stage one.",
        "Next date: All of it is planned until Mon 14 Dec 2026 09:00 UTC.",
    )


@pytest.mark.parametrize("hears", [CHAMPION, SIGNER])
def test_whatever_any_of_them_hears_ends_the_silence(hears: str) -> None:
    """A receipt to the signer is enough: somebody there knows that we are at it."""
    run = begin(request("details", due="9bd"), request("sign", due="9bd"), contact={"max_silence": "3bd"})
    submit(run, "sign", at(3, 12), actor=hears)
    ring(run, at(6, 11))

    assert told(run, NoticeKind.SILENCE) == []
    ring(run, at(8, 12))
    assert [at(8, 12)] == [one.at for one in told(run, NoticeKind.SILENCE)]


def test_what_was_taken_back_was_never_heard() -> None:
    """An ask of Saturday that we waive on Sunday: the silence counts from before it."""
    gate = Gate(override=Override(by=("head",)))
    run = begin(
        task("pack"),
        request("details", needs=("pack",)),
        task("other"),
        stage={"gate": gate},
        contact={**HOURS, "max_silence": "6bd"},
    )
    before = run.state.silence_at
    run.say("complete", "olga", item="pack", when=at(6, 12))
    assert at(16, 9) == run.state.silence_at
    run.say("waive", "henk", item="details", reason="x", when=at(7, 12))

    assert (before, {}) == (run.state.silence_at, run.state.coming)


def test_a_hold_stops_the_silence_and_a_resume_moves_it() -> None:
    """One working day was quiet before it, one more may be after it."""
    run = begin(request("details", due=None), contact={"max_silence": "2bd"}, definition={"target": None})
    run.say("hold", reason="x", review_at="2026-12-18T10:00:00Z", when=at(2, 9))
    ring(run, at(10, 9))
    assert told(run, NoticeKind.SILENCE) == []
    run.say("resume", when=at(10, 9))
    ring(run, at(11, 9))

    assert [at(11, 9)] == [one.at for one in told(run, NoticeKind.SILENCE)]


def test_a_run_that_is_over_says_no_more() -> None:
    """Neither by itself nor in its plan."""
    run = begin(request("details"), contact={"max_silence": "2bd"})
    run.say("cancel", reason="x", when=at(1, 12))

    assert machine.alarm_at(run.state) is None
    assert status(run.plan, run.state, at(1, 12))["next"] == []


def test_the_report_stands_in_what_comes_next() -> None:
    """A manager sees when the customer would hear by itself."""
    run = begin(request("details", due="9bd"), contact={"max_silence": "2bd"})
    (first, *_) = status(run.plan, run.state, at(1, 12))["next"]

    assert ("2026-12-02T09:00:00Z", f"report to {CHAMPION}, if the customer hears nothing before") == (
        first["at"],
        first["what"],
    )


def test_the_main_contact_is_of_the_first_customer_role_that_owns_something_here() -> None:
    """The champion's only item is left out in this run, so the signer hears."""
    run = begin(
        request("details", when="input.legacy"),
        request("sign", owner="signer", due="9bd"),
        contact={"max_silence": "2bd"},
    )
    ring(run, at(3, 9))

    assert [one.to for one in told(run, NoticeKind.SILENCE)] == [SIGNER]


def test_nobody_to_tell_is_no_reason_to_be_stuck() -> None:
    """A run without anything of the customer's simply has no guard."""
    run = begin(task("pack"), contact={"max_silence": "2bd"})

    assert run.state.silence_at is None
    ring(run, at(9, 9))
    assert told(run, NoticeKind.SILENCE) == []


def test_a_wall_clock_silence_that_ends_on_a_sunday_is_told_on_monday() -> None:
    """The reader's hours come first."""
    run = begin(request("details", due="9bd"), contact={**HOURS, "max_silence": "3d"}, start=at(4, 10))
    ring(run, at(8, 9))

    assert [(at(8, 9), None)] == [(one.at, one.not_before) for one in told(run, NoticeKind.SILENCE)]


def test_a_report_waits_for_the_gap_as_well() -> None:
    """Where somebody writes a gap that is longer in truth than it looks, the gap wins and the report comes after it."""
    run = begin(request("details", due="9bd"), contact={"min_gap": "20bh", "max_silence": "1bd"})
    ring(run, at(3, 13))

    assert [at(3, 13)] == [one.at for one in told(run, NoticeKind.SILENCE)]


def test_a_handover_of_a_stage_counts_as_heard_where_the_customer_reads_it() -> None:
    """A welcome is something."""
    run = begin(
        task("pack"), request("details", needs=("pack",), due="9bd"), contact={"max_silence": "3bd"},
        stage={"on_enter": (StageAction(notify="champion", template="welcome"),)},
    )  # fmt: skip

    assert at(4, 9) == run.state.silence_at
    assert [one.to for one in told(run, NoticeKind.HANDOFF)] == [CHAMPION]


def test_a_decision_that_only_we_made_did_not_come_from_the_customer() -> None:
    """Either side may decide, and ours did: nothing has arrived. What the report says by when is a promise."""
    both = an_item(
        "ok", ItemKind.APPROVAL, "one", "champion", owners=("champion", "lead"), quorum=1, outcomes=(Outcome(name="yes", passes=True),)
    )  # fmt: skip
    run = begin(both, request("details", due="9bd"), contact={"max_silence": "2bd"}, stage={"target": "9bd"})
    run.say("decide", "olga", item="ok", outcome="yes")
    ring(run, at(3, 12))

    (report,) = told(run, NoticeKind.SILENCE)
    assert report.lines[0] == "Nothing has arrived from you yet."
    rows = promises(run.plan, run.state, run.now)["rows"]
    assert ("stage", "one", CHAMPION) in [(one["about"], one["id"], one["to"]) for one in rows]


def test_a_run_of_a_release_that_did_not_listen_is_listened_to_from_the_next_word_on() -> None:
    run = begin(request("details", due="9bd"), contact={"max_silence": "2bd"})
    run.change(heard_at=None, silence_at=None, coming={})

    run.say("extend", item="details", due="2026-12-31T10:00:00Z", reason="later", when=at(2))

    assert run.state.silence_at == at(4)


def test_words_that_were_taken_back_hold_no_report_up() -> None:
    """An ask waits for the morning and is taken back at night: the report comes when it would have come without it."""
    run = begin(
        request("details", due="9bd"), task("prepare"), request("papers", needs=("prepare",)),
        contact={**HOURS, "min_gap": "2bh", "max_silence": "1bd"},
    )  # fmt: skip
    run.say("complete", "olga", item="prepare", when=at(1, 18))
    run.say("reopen", "olga", items=["prepare"], reason="not yet", when=at(1, 19))
    ring(run, at(2, 12))

    assert [at(2, 9)] == [one.at for one in told(run, NoticeKind.SILENCE)]
