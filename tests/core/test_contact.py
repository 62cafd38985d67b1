"""What is said, and when: hours of the reader, digests, gaps, the guard against silence, and alarms that are called off.

`at(1)` is Monday, 30 November 2026, so `at(6)` is a Saturday; everybody works from 9 to 17 UTC unless a test says otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboarding.engine import machine
from onboarding.engine.calendars import Calendar, Zone
from onboarding.engine.effects import DeliverNotice, Notice, NoticeKind, WriteRecords
from onboarding.language.model import (
    ContactPolicy,
    Gate,
    Item,
    ItemKind,
    LadderStep,
    Mark,
    Override,
    ReminderStep,
    Role,
    RoleSource,
    Scale,
    Side,
    StageAction,
    StepAction,
)
from onboarding.language.units import Offset, parse_duration
from onboarding.reading.views import status
from tests.support.builders import OFFICE, Run, a_definition, a_run, a_stage, an_item, an_order, at, text

CHAMPION, SIGNER = "customer:champion", "sid"
HOURS = {"send_in": "working_hours"}
TOKYO = Calendar(zone=Zone(name="Asia/Tokyo", transitions=((0, 32_400),)), week=(0, 1, 2, 3, 4), hours=((540, 1_020),))
ROLES = (
    Role(id="lead", side=Side.PROVIDER, source=RoleSource.VALUE, ref="olga", deputy="head"),
    Role(id="head", side=Side.PROVIDER, source=RoleSource.VALUE, ref="henk"),
    Role(id="champion", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="champion", deputy="signer"),
    Role(id="signer", side=Side.CUSTOMER, source=RoleSource.CONTACT, ref="signer"),
)
PEOPLE = {"lead": ("olga",), "head": ("henk",), "champion": (CHAMPION,), "signer": (SIGNER,)}


def remind(*steps: str) -> tuple[ReminderStep, ...]:
    """Reminder steps as a file writes them: `-1bd`, `due`, or `every 2bd` three times."""
    found = []
    for step in steps:
        if step.startswith("every "):
            found.append(ReminderStep(every=parse_duration(step.removeprefix("every ")), max=3))
        elif step == "due":
            found.append(ReminderStep(at=Offset(0)))
        else:
            found.append(ReminderStep(at=Offset(1 if step[0] == "+" else -1, parse_duration(step[1:]))))
    return tuple(found)


def ladder(after: str, do: StepAction, *to: str, mark: Mark | None = None) -> tuple[LadderStep, ...]:
    """One step, so long after due."""
    return (LadderStep(at=Offset(1, parse_duration(after)), do=do, to=to, mark=mark),)


def request(name: str, **changes: Any) -> Item:
    """A request to the champion with one field."""
    return an_item(
        name, ItemKind.REQUEST, "one", **{"owner": "champion", "fields": (text(f"f_{name}"),), "due": "3bd", **changes}
    )


def task(name: str, **changes: Any) -> Item:
    """A task of ours."""
    return an_item(name, ItemKind.TASK, "one", **{"owner": "lead", **changes})


def begin(
    *items: Item, contact: dict[str, Any] | None = None, stage: dict[str, Any] | None = None, start: Any = None, **order: Any
) -> Run:  # fmt: skip
    """A run of one stage with these items under this contact policy."""
    written = dict(contact or {})
    for name in ("min_gap", "max_silence"):
        if name in written:
            written[name] = parse_duration(written[name])
    definition = a_definition(
        roles=ROLES, items=items, stages=(a_stage("one", tuple(item.id for item in items), **(stage or {})),), signals=(), metrics=(),
        contact=ContactPolicy(**written), **order.pop("definition", {}),
    )  # fmt: skip
    given = {"people": PEOPLE, "customer_contacts": (CHAMPION, SIGNER), **order}
    return a_run(an_order(definition, **given), start or at(1))


def told(run: Run, *kinds: NoticeKind, since: int = 0) -> list[Notice]:
    """Every notice of these kinds."""
    found = [effect.notice for effect in run.effects[since:] if isinstance(effect, DeliverNotice)]
    return [one for one in found if one.kind in kinds or not kinds]


def withdrawn(run: Run) -> list[str]:
    """Every key that was taken back."""
    return [key for effect in run.effects if isinstance(effect, WriteRecords) for key in effect.withdrawn]


def ring(run: Run, until: Any) -> None:
    """Time passes from alarm to alarm, as it does in the world."""
    while (alarm := machine.alarm_at(run.state)) is not None and alarm <= until:
        run.wait(alarm)
    run.wait(until)


def submit(run: Run, item: str, when: Any, actor: str = CHAMPION) -> None:
    """An answer that fits."""
    verdict = run.say("submit", actor, item=item, fields={f"f_{item}": "x"}, when=when)
    assert not verdict.refused, verdict


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


# Alarms that are called off -------------------------------------------------------------------------------------------

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


# The guard against silence --------------------------------------------------------------------------------------------


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
    run = begin(request("details", due="9bd"), contact={"max_silence": "2bd"})
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


def test_a_handover_of_a_stage_counts_as_heard_where_the_customer_reads_it() -> None:
    """A welcome is something."""
    run = begin(
        task("pack"), request("details", needs=("pack",), due="9bd"), contact={"max_silence": "3bd"},
        stage={"on_enter": (StageAction(notify="champion", template="welcome"),)},
    )  # fmt: skip

    assert at(4, 9) == run.state.silence_at
    assert [one.to for one in told(run, NoticeKind.HANDOFF)] == [CHAMPION]


def test_a_run_of_an_older_plan_keeps_no_books_that_nobody_asks_for() -> None:
    """Without the keywords the state is what it was."""
    run = begin(request("details"))

    bare = replace(run.state, written={}, heard_at=None, coming={}, silence_at=None)
    assert bare == run.state
