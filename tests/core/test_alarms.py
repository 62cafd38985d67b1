"""Alarms that are called off: taken back before anybody has read them, retracted after that."""

from __future__ import annotations

from typing import Any

import pytest

from onboarding.engine.effects import NoticeKind
from onboarding.engine.events import NoticeFailed
from onboarding.language.model import Gate, ItemKind, Outcome, Override, StepAction
from tests.support.builders import Run, an_item, at
from tests.support.courtesy import (
    HOURS,
    SIGNER,
    begin,
    ladder,
    request,
    ring,
    submit,
    task,
    told,
    withdrawn,
)

LATE = {"due": "2d", "clock": "calendar", "ladder": ladder("3d", StepAction.NOTIFY, "head")}


def test_an_alarm_that_nobody_has_read_is_taken_back_and_nobody_hears_of_either() -> None:
    """Late on Saturday, answered on Sunday: Monday is quiet."""
    run = begin(request("details", **LATE), contact=HOURS)
    ring(run, at(6, 10))
    (alarm,) = told(run, NoticeKind.ESCALATION)
    submit(run, "details", at(7, 10))

    assert (at(8, 9), [alarm.key]) == (alarm.not_before, withdrawn(run))
    assert told(run, NoticeKind.RETRACTION) == []


@pytest.mark.parametrize(("answered", "reads"), [((8, 9), None), ((8, 12), None), ((13, 12), at(15, 9))])
def test_who_has_read_an_alarm_hears_that_it_is_settled(answered: tuple[int, int], reads: Any) -> None:
    """From the instant on at which it left; on a weekend the good news waits as well."""
    run = begin(request("details", **LATE), contact=HOURS)
    ring(run, at(6, 10))
    submit(run, "details", at(*answered))

    assert [("henk", reads)] == [(one.to, one.not_before) for one in told(run, NoticeKind.RETRACTION)]


def test_of_two_alarms_to_one_person_the_one_that_was_read_counts() -> None:
    """Told on Friday and again on Saturday, settled on Sunday: they know of the first."""
    steps = (*ladder("2d", StepAction.NOTIFY, "head"), *ladder("3d", StepAction.NOTIFY, "head"))
    run = begin(request("details", **{**LATE, "ladder": steps}), contact=HOURS)
    ring(run, at(6, 10))
    first, second = told(run, NoticeKind.ESCALATION)
    submit(run, "details", at(7, 10))

    assert (None, at(8, 9)) == (first.not_before, second.not_before)
    assert [one.to for one in told(run, NoticeKind.RETRACTION)] == ["henk"]
    assert second.key in withdrawn(run)


def test_what_is_settled_names_the_alarm_that_it_calls_off() -> None:
    """By the clock it has left; if it is still on its way, whoever delivers knows that nobody has heard of anything."""
    run = begin(request("details", **LATE))
    ring(run, at(6, 10))
    (alarm,) = told(run, NoticeKind.ESCALATION)
    submit(run, "details", alarm.at)

    assert [("henk", (alarm.key,))] == [(one.to, one.retracts) for one in told(run, NoticeKind.RETRACTION)]
    assert alarm.key in withdrawn(run)


def test_who_has_heard_an_earlier_alarm_hears_that_it_is_settled_whatever_became_of_the_last() -> None:
    """Only the latest is kept in the run, so that a long ladder is no long list."""
    steps = (*ladder("1d", StepAction.NOTIFY, "head"), *ladder("2d", StepAction.NOTIFY, "head"))
    run = begin(request("details", **{**LATE, "ladder": steps}))
    ring(run, at(6, 10))
    assert [one.again for one in run.state.items["details"].alarms] == [True]
    submit(run, "details", at(6, 10))

    assert [(one.to, one.retracts) for one in told(run, NoticeKind.RETRACTION)] == [("henk", ())]


def test_an_ask_that_nobody_has_read_is_taken_back_when_nothing_of_it_is_open() -> None:
    """Of two requests in one ask the first answer leaves it, the second takes it back."""
    pack = {"bundle": "pack"}
    run = begin(
        request("details", **pack),
        request("papers", **pack),
        task("later", needs=("papers",)),
        contact=HOURS,
        start=at(6, 10),
    )
    (ask,) = told(run, NoticeKind.ASK)
    submit(run, "details", at(6, 11))
    assert withdrawn(run) == []

    submit(run, "papers", at(6, 12))
    assert [ask.key] == withdrawn(run)


@pytest.mark.parametrize("do", [StepAction.FAIL, StepAction.SKIP])
def test_what_ends_an_item_is_news_that_its_end_does_not_take_back(do: StepAction) -> None:
    """On a Saturday the ladder gives up; on Monday people read that it did."""
    run = begin(request("details", **{**LATE, "ladder": ladder("3d", do, "head")}), task("pack"), contact=HOURS)
    ring(run, at(6, 10))

    (news,) = told(run, NoticeKind.ESCALATION)
    assert ("henk", at(8, 9)) == (news.to, news.not_before)
    assert news.key not in withdrawn(run)
    assert told(run, NoticeKind.RETRACTION) == []


def test_a_handover_that_nobody_has_read_is_taken_back_when_it_is_done() -> None:
    """Given to the deputy on Saturday, done on Sunday: on Monday nothing is theirs."""
    late = {"due": "2d", "clock": "calendar", "ladder": ladder("3d", StepAction.REASSIGN, "deputy")}
    run = begin(task("pack", **late), contact=HOURS)
    ring(run, at(6, 10))
    (handover,) = told(run, NoticeKind.HANDOFF)

    run.say("complete", "henk", item="pack", when=at(7, 10))

    assert [handover.key] == withdrawn(run)


def test_an_ask_that_nobody_has_read_is_taken_back_when_somebody_else_has_it() -> None:
    """Asked for and given away on Sunday: on Monday only one of them hears that it is theirs."""
    run = begin(request("details"), task("pack", needs=("details",)), contact=HOURS)
    submit(run, "details", at(7, 10))
    ask = next(one for one in told(run, NoticeKind.ASK) if one.item == "pack")

    run.say("reassign", "olga", item="pack", to="henk", when=at(7, 11))

    assert [ask.key] == withdrawn(run)
    assert [("henk", at(8, 9))] == [(one.to, one.not_before) for one in told(run, NoticeKind.HANDOFF)]


@pytest.mark.parametrize("to", ["lead", "deputy"])
def test_no_ladder_gives_the_decision_of_the_customer_to_our_side(to: str) -> None:
    """The signer has no deputy, so the step finds nobody of theirs: whoever it names hears of it, and decides nothing."""
    item = an_item(
        "ok", ItemKind.APPROVAL, "one", "signer", owners=("signer",), due="1bd", ladder=ladder("1bd", StepAction.REASSIGN, to),
        outcomes=(Outcome(name="yes", passes=True),),
    )  # fmt: skip
    run = begin(item)
    ring(run, at(4))

    assert (run.state.items["ok"].owner, run.state.items["ok"].given) == (SIGNER, False)
    assert [one.to for one in told(run, NoticeKind.ESCALATION)] == ["olga"]
    assert run.say("decide", "olga", item="ok", outcome="yes").code == "not_entitled"


def test_a_stall_names_who_has_what_since_when_and_clears_itself() -> None:
    """Its owner hears once that nothing moves and once that it does; a note moves nothing."""
    run = begin(
        request("details", due="9bd"),
        request("wish", optional=True, due="9bd"),
        task("pack"),
        stage={"owner": "head", "stall": "2bd"},
    )
    ring(run, at(4, 9))
    (alert,) = told(run, NoticeKind.ESCALATION)
    assert "Title of details: with customer:champion since Mon 30 Nov 2026 09:00 UTC." in alert.lines
    assert "Title of pack: with olga since Mon 30 Nov 2026 09:00 UTC." in alert.lines
    assert alert.lines[-1].startswith("Title of wish"), "what is optional blocks least"

    run.say("note", text="called them", when=at(4, 10))
    assert told(run, NoticeKind.RETRACTION) == []
    submit(run, "details", at(4, 11))
    submit(run, "wish", at(4, 12))
    assert [(one.to, one.stage) for one in told(run, NoticeKind.RETRACTION)] == [("henk", "one")]
    assert not run.state.stages["one"].stalled


def test_a_stall_of_a_weekend_that_ends_on_it_is_never_heard_of() -> None:
    """And who ends it by their own deed is not told what they did."""
    run = begin(task("pack"), task("more"), stage={"stall": "5d"}, contact=HOURS)
    ring(run, at(6, 9))
    (alert,) = told(run, NoticeKind.ESCALATION)
    run.say("complete", "olga", item="pack", when=at(6, 10))
    assert ([alert.key], []) == (withdrawn(run), told(run, NoticeKind.RETRACTION))

    ring(run, at(14, 9))
    run.say("complete", "olga", item="more", when=at(14, 10))
    assert len(told(run, NoticeKind.ESCALATION)) == 2
    assert told(run, NoticeKind.RETRACTION) == []


@pytest.mark.parametrize("paid_at", [at(2, 12), at(7, 12)])
def test_a_waiver_that_is_paid_before_anybody_read_of_its_end_is_quiet(paid_at: Any) -> None:
    """Paid in time, or on the weekend on which it ran out."""
    run = waived()
    ring(run, paid_at)
    run.say("complete", "olga", item="pack", when=paid_at)

    assert told(run, NoticeKind.RETRACTION) == []


def test_a_waiver_that_is_paid_late_is_called_off() -> None:
    """Whoever has the stage and whoever waived heard that it had run out, and hear that it is settled."""
    run = waived()
    ring(run, at(8, 12))
    assert [one.to for one in told(run, NoticeKind.ESCALATION)] == ["olga", "henk"]
    run.say("complete", "olga", item="pack", when=at(8, 13))

    assert [one.to for one in told(run, NoticeKind.RETRACTION)] == ["olga", "henk"]


def waived() -> Run:
    """A run whose pack is waived until Saturday noon."""
    gate = Gate(override=Override(by=("head",)))
    run = begin(task("pack"), request("details", due="20bd"), stage={"gate": gate, "stall": "20bd"}, contact=HOURS)
    run.say("waive", "henk", item="pack", reason="trust", expires="2026-12-05T12:00:00Z", when=at(1, 10))
    return run


def test_who_was_asked_to_review_a_hold_hears_that_it_is_over() -> None:
    """Reviewed on Wednesday and on a Saturday nobody read of; resumed on Sunday by somebody else."""
    run = begin(task("pack"), contact=HOURS)
    run.say("hold", "olga", reason="x", review_at="2026-12-02T10:00:00Z", when=at(1, 10))
    ring(run, at(3, 11))
    (review,) = told(run, NoticeKind.ESCALATION)
    run.say("resume", "henk", when=at(7, 10))

    assert review.to == "olga"
    assert [("olga", at(8, 9))] == [(one.to, one.not_before) for one in told(run, NoticeKind.RETRACTION)]


def test_the_end_of_a_run_calls_every_alarm_off() -> None:
    """Nobody goes on waiting for a stage of a run that is over."""
    run = begin(task("pack"), request("details", due="20bd"), stage={"stall": "2bd", "owner": "head"})
    ring(run, at(4, 9))
    run.say("cancel", "olga", reason="x", when=at(4, 10))

    assert [one.to for one in told(run, NoticeKind.RETRACTION)] == ["henk"]


def test_what_calls_an_alarm_off_and_reaches_nobody_alarms_nobody_else() -> None:
    """The third word about one thing would help nobody; that it did not arrive stands in the trail."""
    run = begin(task("pack"), request("details", due="20bd"), stage={"stall": "2bd", "owner": "head"})
    ring(run, at(4, 9))
    submit(run, "details", at(4, 10))
    (said,) = told(run, NoticeKind.RETRACTION)
    heard = len(told(run))
    run.hear(NoticeFailed(at=at(4, 11), key=said.key, code="bounced"))

    assert ("bounced", heard) == (run.state.trail[-1].code, len(told(run)))
