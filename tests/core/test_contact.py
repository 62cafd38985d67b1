"""What is said, and when: hours of the reader, digests, the least gap, the ask budget."""

from __future__ import annotations

import json
from dataclasses import replace

from onboarding.engine import machine
from onboarding.engine.effects import NoticeKind
from onboarding.language.model import ReminderStep, Scale, StepAction
from onboarding.language.units import Offset, parse_duration
from onboarding.reading.views import status
from tests.support.builders import OFFICE, at
from tests.support.courtesy import (
    CHAMPION,
    HOURS,
    SIGNER,
    TOKYO,
    begin,
    ladder,
    remind,
    request,
    ring,
    submit,
    task,
    told,
    withdrawn,
)
from tests.support.simulation import STATE

# Hours ----------------------------------------------------------------------------------------------------------------


def test_an_ask_on_a_sunday_waits_for_monday_and_a_receipt_does_not() -> None:
    """The customer answers on Sunday: they hear at once that it came, and on Monday what comes next."""
    run = begin(request("details"), request("papers", needs=("details",)), contact=HOURS)
    submit(run, "details", at(7, 12))

    (receipt,), (_, ask) = told(run, NoticeKind.RECEIPT), told(run, NoticeKind.ASK)
    assert (None, at(8, 9)) == (receipt.not_before, ask.not_before)
    assert (ask.item, run.state.items["papers"].status) == ("papers", "open")
    assert machine.alarm_at(run.state) != at(8, 9), "no timer for words that wait"


def test_words_leave_at_once_where_the_reader_works_or_the_file_says_nothing() -> None:
    """In their hours there is nothing to wait for; `any_time` never waits."""
    assert [one.not_before for one in told(begin(request("details"), contact=HOURS))] == [None]
    assert [one.not_before for one in told(begin(request("details"), start=at(7, 12)))] == [None]


def test_the_hours_are_those_of_whoever_reads() -> None:
    """Ten in the morning in London is the evening of Tokyo; our own people hear at once."""
    run = begin(
        request("details"), task("pack"), contact=HOURS, start=at(1, 10), calendars={"provider": OFFICE, "customer": OFFICE, "tokyo": TOKYO},
        calendar_of={CHAMPION: "tokyo"},
    )  # fmt: skip

    assert {CHAMPION: at(2, 0), "olga": None} == {one.to: one.not_before for one in told(run, NoticeKind.ASK)}


def test_a_ladder_acts_on_a_saturday_and_speaks_on_monday() -> None:
    """The item changes hands at its instant; the deputy reads of it in their hours."""
    run = begin(
        task("pack", due="2d", clock="calendar", ladder=ladder("3d", StepAction.REASSIGN, "deputy")), contact=HOURS
    )
    ring(run, at(6, 10))

    (handoff,) = told(run, NoticeKind.HANDOFF)
    assert ("henk", "henk", at(8, 9)) == (run.state.items["pack"].owner, handoff.to, handoff.not_before)


def test_in_compressed_time_nothing_waits() -> None:
    """A demo on a Sunday is not silent."""
    scale = {"scale": Scale(business_day=8, business_hour=1)}
    run = begin(request("details"), contact={"send_in": "any_time", "digest": True}, definition=scale, start=at(7, 12))

    assert [one.not_before for one in told(run)] == [None]


def test_a_reminder_that_fires_at_night_after_an_absence_waits_for_the_morning() -> None:
    """A worker was away; it says then what holds then, and nothing of what was answered in between."""
    run = begin(request("details", reminders=remind("-1bd")), contact=HOURS)
    run.wait(at(3, 22))
    assert told(run, NoticeKind.REMINDER) == []
    assert at(4, 9) == machine.alarm_at(run.state)

    submit(run, "details", at(4, 8))
    ring(run, at(5, 9))
    assert told(run, NoticeKind.REMINDER) == []


# One message for each person and day ----------------------------------------------------------------------------------


def test_two_reminders_of_one_day_are_one_message() -> None:
    """Both with title, due and id; one of another day and one of another person are not in it."""
    run = begin(
        request("details", reminders=remind("-1bd")), request("papers", due="22bh", reminders=remind("-2bh")),
        request("wish", due="4bd", reminders=remind("-1bd")), request("sign", owner="signer", reminders=remind("-1bd")),
        contact={"digest": True},
    )  # fmt: skip
    ring(run, at(3, 17))

    (digest,) = told(run, NoticeKind.DIGEST)
    assert (digest.to, digest.items) == (CHAMPION, ("details", "papers"))
    assert digest.lines == (
        "Title of details is due Thu 03 Dec 2026 09:00 UTC: details",
        "Title of papers is due Wed 02 Dec 2026 15:00 UTC: papers",
    )
    assert [(one.to, one.item) for one in told(run, NoticeKind.REMINDER)] == [(SIGNER, "sign")]
    ring(run, at(4, 17))
    assert [(one.to, one.item) for one in told(run, NoticeKind.REMINDER)] == [(SIGNER, "sign"), (CHAMPION, "wish")]


def test_without_a_digest_each_reminder_is_a_message() -> None:
    """As many as the plans say."""
    run = begin(request("details", reminders=remind("-1bd")), request("papers", reminders=remind("-1bd")))
    ring(run, at(3, 17))

    assert [[one.item for one in told(run, kind)] for kind in (NoticeKind.REMINDER, NoticeKind.DIGEST)] == [
        ["details", "papers"],
        [],
    ]


def test_the_day_of_a_digest_is_the_readers() -> None:
    """Two instants of one day in London lie in two days of Tokyo."""
    tokyo = {"calendars": {"provider": OFFICE, "customer": OFFICE, "tokyo": TOKYO}, "calendar_of": {CHAMPION: "tokyo"}}
    early = request("details", due="2d", clock="calendar", reminders=remind("-1h"))
    late = request("papers", due="61h", clock="calendar", reminders=remind("-1h"))
    ours = begin(early, late, contact={"digest": True})
    theirs = begin(early, late, contact={"digest": True}, **tokyo)
    for run in (ours, theirs):
        ring(run, at(3, 23))

    assert (len(told(ours, NoticeKind.DIGEST)), len(told(theirs, NoticeKind.DIGEST))) == (1, 0)
    assert [one.item for one in told(theirs, NoticeKind.REMINDER)] == ["details", "papers"]


def test_a_repetition_goes_on_from_its_own_instant() -> None:
    """Taken along at nine, though planned for noon: the next one comes eighteen working hours after noon."""
    run = begin(
        request("details", reminders=remind("-1bd")),
        request("papers", due="1bh", clock="provider", reminders=remind("every 18bh")),
        contact={"digest": True},
    )
    ring(run, at(5, 17))

    said = [(str(one.kind), one.at) for one in told(run, NoticeKind.DIGEST, NoticeKind.REMINDER)]
    assert said == [("digest", at(3, 9)), ("reminder", at(5, 14))]


def test_an_ask_takes_along_what_else_is_due_to_be_said_that_day() -> None:
    """What it asks for keeps its own reminders."""
    run = begin(
        request("details", reminders=remind("-1bd")), task("pack"),
        request("papers", needs=("pack",), due="4bh", reminders=remind("-1bh")), contact={"digest": True},
    )  # fmt: skip
    ring(run, at(3, 8))
    run.say("complete", "olga", item="pack", when=at(3, 8))
    asks = told(run, NoticeKind.ASK)
    ring(run, at(3, 17))

    assert "Title of details is due Thu 03 Dec 2026 09:00 UTC: details" in asks[-1].lines
    assert asks[-1].items == ("papers",)
    assert [one.item for one in told(run, NoticeKind.REMINDER, NoticeKind.DIGEST)] == ["papers"]


def test_an_ask_that_waits_for_monday_takes_nothing_along() -> None:
    """What it said of other items might be settled when it leaves; they are reminded of on the day itself."""
    run = begin(
        request("details", due="6bd", reminders=remind("-1bd")), task("pack"), request("papers", needs=("pack",)),
        contact={**HOURS, "digest": True},
    )  # fmt: skip
    run.say("complete", "olga", item="pack", when=at(7, 8))
    submit(run, "details", at(7, 12))
    ring(run, at(8, 12))

    assert not [line for one in told(run, NoticeKind.ASK) for line in one.lines if "details is due" in line]
    assert told(run, NoticeKind.REMINDER, NoticeKind.DIGEST) == []


def test_reminders_that_were_taken_along_are_laid_anew_with_a_new_date() -> None:
    """After an extension, and in a new round."""
    run = begin(
        request("details", reminders=remind("-1bd")),
        request("papers", reminders=remind("-1bd")),
        contact={"digest": True},
    )
    ring(run, at(3, 10))
    run.say("extend", item="papers", due="2026-12-10T09:00:00Z", reason="x", when=at(3, 11))
    submit(run, "details", at(3, 12))
    run.say("reopen", items=["details"], reason="x", when=at(4, 9))
    ring(run, at(20, 9))

    assert [(str(one.kind), one.item) for one in told(run, NoticeKind.DIGEST, NoticeKind.REMINDER)] == [
        ("digest", "details"),
        ("reminder", "details"),
        ("reminder", "papers"),
    ]


def test_reminders_stop_the_moment_the_answer_lands() -> None:
    """Nothing planned is left, and what may not have left yet is taken back."""
    run = begin(
        request("details", due="2bd", reminders=remind("-1bd", "due", "every 1bd")), request("papers", due="20bd")
    )
    ring(run, at(2, 12))
    (first,) = told(run, NoticeKind.REMINDER)
    submit(run, "details", at(2, 13))
    ring(run, at(12, 9))

    assert [first] == told(run, NoticeKind.REMINDER)
    assert first.key in withdrawn(run)


def test_in_compressed_time_a_day_is_as_long_as_the_scale_says() -> None:
    """Eight seconds are a day: what lies in the first is one message, what lies in the second another."""
    after = [ReminderStep(at=Offset(-1, parse_duration(step))) for step in ("9s", "5s", "1s")]
    items = [request(f"r{n}", due="10s", clock="calendar", reminders=(step,)) for n, step in enumerate(after)]
    run = begin(*items, contact={"digest": True}, definition={"scale": Scale(business_day=8, business_hour=1)})
    ring(run, at(1, 10))

    assert [one.items for one in told(run, NoticeKind.DIGEST)] == [("r0", "r1")]
    assert [one.item for one in told(run, NoticeKind.REMINDER)] == ["r2"]


# The least gap --------------------------------------------------------------------------------------------------------


def test_a_reminder_soon_after_an_ask_waits_for_the_end_of_the_gap() -> None:
    """Four working hours after the ask of Tuesday four o'clock is Wednesday noon."""
    run = begin(
        request("details", due="2bd", reminders=remind("-1bh")), task("pack"), request("papers", needs=("pack",)),
        contact={"min_gap": "4bh"},
    )  # fmt: skip
    run.say("complete", "olga", item="pack", when=at(2, 16))
    ring(run, at(3, 17))

    (reminder,) = told(run, NoticeKind.REMINDER)
    assert ("details", at(3, 12)) == (reminder.item, reminder.at)


def test_reminders_of_one_item_that_fall_together_are_one() -> None:
    """Two steps within the gap are said once, at its end."""
    run = begin(request("details", due="3bh", reminders=remind("-1bh", "due")), contact={"min_gap": "4bh"})
    ring(run, at(1, 17))

    assert [at(1, 13)] == [one.at for one in told(run, NoticeKind.REMINDER)]


def test_reminders_of_two_items_within_a_gap_are_two_messages_without_a_digest_and_one_with_it() -> None:
    """The second waits for its own gap."""
    items = (request("details", reminders=remind("-1bd")), request("papers", reminders=remind("-1bd")))
    apart, merged = (begin(*items, contact={"min_gap": "4bh", "digest": digest}) for digest in (False, True))
    for run in (apart, merged):
        ring(run, at(4, 8))

    assert [at(3, 9), at(3, 13)] == [one.at for one in told(apart, NoticeKind.REMINDER)]
    assert [(at(3, 9), ("details", "papers"))] == [(one.at, one.items) for one in told(merged, NoticeKind.DIGEST)]


def test_an_answer_a_receipt_and_an_alarm_begin_no_gap_and_wait_for_none() -> None:
    """They answer somebody, or somebody must know."""
    run = begin(
        request("details", due="2bd"), request("papers", due="2bd", reminders=remind("-1bh"), ladder=ladder("1bh", StepAction.NOTIFY, "champion")),
        contact={"min_gap": "6bh"},
    )  # fmt: skip
    submit(run, "details", at(2, 16))
    ring(run, at(3, 17))

    said = [(str(one.kind), one.at) for one in told(run) if one.at >= at(2)]
    assert said == [("receipt", at(2, 16)), ("reminder", at(2, 16)), ("escalation", at(3, 10))]


def test_the_gap_is_each_persons_own() -> None:
    """Who was not written to is reminded in time; nobody is kept beyond the people of the run."""
    run = begin(
        request("details", due="2bd", reminders=remind("-1bh")), request("sign", owner="signer", due="2bd", reminders=remind("-1bh")),
        task("pack"), request("papers", needs=("pack",)), contact={"min_gap": "4bh"},
    )  # fmt: skip
    run.say("complete", "olga", item="pack", when=at(2, 16))
    ring(run, at(3, 17))

    assert {SIGNER: at(2, 16), CHAMPION: at(3, 12)} == {one.to: one.at for one in told(run, NoticeKind.REMINDER)}
    assert sorted(run.state.written) == [CHAMPION, "olga", SIGNER]


# The ask budget -------------------------------------------------------------------------------------------------------


def test_asks_that_open_together_in_one_bundle_are_one_and_all_asks_count() -> None:
    """`status` shows both numbers; beyond the budget the trail says so once, and nothing is left unasked."""
    pack = {"bundle": "pack"}
    run = begin(
        request("details", **pack),
        request("papers", **pack),
        request("sign", owner="signer", **pack),
        task("more"),
        contact={"request_budget": 1},
    )
    shown = status(run.plan, run.state, at(1))
    assert (shown["asks"], shown["ask_budget"]) == (1, 1)
    assert len([one for one in told(run, NoticeKind.ASK) if one.to != "olga"]) == 2, "each of them hears their part"

    for day in (2, 3):
        submit(run, "details", at(day, 10))
        run.say("reopen", items=["details"], reason="x", when=at(day, 12))
    assert 3 == run.state.asks == len([one for one in told(run, NoticeKind.ASK) if one.to == CHAMPION])
    assert [entry.item for entry in run.state.trail if entry.code == "over_budget"] == ["details"]


def test_a_run_without_a_budget_shows_none() -> None:
    """And nothing is over it."""
    run = begin(request("details"))

    assert status(run.plan, run.state, at(1))["ask_budget"] is None
    assert [entry for entry in run.state.trail if entry.code == "over_budget"] == []


# Old and new ----------------------------------------------------------------------------------------------------------


def test_a_run_of_an_older_plan_keeps_no_books_that_nobody_asks_for() -> None:
    """Without the keywords the state is what it was."""
    run = begin(request("details"))

    bare = replace(run.state, written={}, heard_at=None, coming={}, silence_at=None)
    assert bare == run.state


def test_a_snapshot_of_an_earlier_release_is_read() -> None:
    """It knows nothing of alarms and silence, and has a word that is not used any more."""
    run = begin(request("details"))
    kept = json.loads(STATE.dump_json(run.state))
    for name in ("written", "heard_at", "coming", "silence_at"):
        del kept[name]
    for each in (*kept["items"].values(), *kept["stages"].values()):
        del each["alarms"]
    for item in kept["items"].values():
        del item["unsent_asks"]
        item["alarmed"] = ["olga"]

    assert run.state == STATE.validate_json(json.dumps(kept))
