"""Dates that the customer was told: each is kept with who and when, and every move of going live has a cause and a side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from onboarding import limits
from onboarding.engine import machine
from onboarding.engine.effects import DeliverNotice, WriteRecords
from onboarding.language.model import ContactPolicy, Field, FieldType, ItemKind, Scale
from onboarding.reading import views
from tests.support.builders import Run, a_definition, a_finished_run, a_run, a_stage, an_item, an_order, at

AGREED = Field(name="promised_live_on", type=FieldType.DATE)


def agreeing(**changes: Any) -> Run:
    """A run whose first task tells the date that was agreed."""
    definition = a_definition(**changes)
    items = tuple(
        replace(item, provides=(*item.provides, AGREED)) if item.id == "credit_check" else item
        for item in definition.items
    )
    return a_run(an_order(replace(definition, items=items)))


def go_lives(run: Run) -> list[tuple[str, str, str, str]]:
    """The dates of going live, as the read shows them: when, cause, side, by whom."""
    rows = views.promises(run.plan, run.state, run.now)["rows"]
    return [(row["due_at"], row["cause"], row["side"], row["by"]) for row in rows if row["about"] == "go_live"]


def sent(run: Run, template: str) -> list[tuple[str, str]]:
    """Notices with this template: to whom, and their first line."""
    notices = [effect.notice for effect in run.effects if isinstance(effect, DeliverNotice)]
    return [(one.to, one.lines[0]) for one in notices if one.template == template]


def test_the_first_date_is_the_planned_one() -> None:
    run = a_run()

    assert go_lives(run) == [("2026-12-14T09:00:00Z", "plan", "provider", "engine")]
    status = views.status(run.plan, run.state, run.now)
    assert (status["promised_at"], status["first_promised_at"], status["on_time"]) == ("2026-12-14T09:00:00Z",) * 2 + (
        None,
    )


def test_the_date_that_was_agreed_takes_the_place_of_the_planned_one() -> None:
    run = agreeing()
    run.say(
        "complete", item="credit_check", provides={"rating": "good", "promised_live_on": "2026-12-12"}, when=at(1, 12)
    )

    assert go_lives(run)[-1] == ("2026-12-11T17:00:00Z", "agreed", "provider", "olga"), "a Saturday ends on Friday"
    assert ("customer:champion", "You go live on Fri 11 Dec 2026 17:00 UTC.") in sent(run, "reminder")


def test_a_date_that_is_known_before_the_start_is_the_first_one() -> None:
    definition = a_definition(inputs=(*a_definition().inputs, AGREED))
    run = a_run(an_order(definition, inputs={"legacy": False, "promised_live_on": "2026-12-18"}))

    assert go_lives(run) == [("2026-12-18T17:00:00Z", "agreed", "provider", "dana")]


def test_a_slip_of_the_pen_is_no_promise() -> None:
    run = agreeing()
    run.say("complete", item="credit_check", provides={"rating": "good", "promised_live_on": "2426-12-12"})

    assert [cause for _, cause, _, _ in go_lives(run)] == ["plan"]
    assert "promise_not_taken" in [entry.code for entry in run.state.trail]


def test_an_agreed_day_means_nothing_in_compressed_time() -> None:
    run = agreeing(scale=Scale(business_day=8, business_hour=1))
    run.say("complete", item="credit_check", provides={"rating": "good", "promised_live_on": "2026-12-12"})

    assert [cause for _, cause, _, _ in go_lives(run)] == ["plan"]


def test_a_hold_of_the_customer_moves_the_date_and_what_we_are_measured_against() -> None:
    run = a_run()
    run.say("hold", reason="their budget round", side="customer", when=at(2))
    run.say("resume", when=at(4))

    assert go_lives(run)[-1] == ("2026-12-16T09:00:00Z", "hold", "customer", "olga")
    assert run.state.owed_at == run.state.promised_at


def test_a_hold_of_ours_moves_the_date_and_not_what_we_are_measured_against() -> None:
    run = a_run()
    run.say("hold", reason="our release is late", side="provider", when=at(2))
    run.say("resume", when=at(4))

    assert go_lives(run)[-1] == ("2026-12-16T09:00:00Z", "hold", "provider", "olga")
    assert at(15) == run.state.owed_at
    assert "You go live on Wed 16 Dec 2026 09:00 UTC, not on Mon 14 Dec 2026 09:00 UTC." in [
        effect.notice.lines[-1] for effect in run.effects if isinstance(effect, DeliverNotice)
    ]


def test_a_date_promised_during_a_hold_moves_only_by_what_was_left_of_it() -> None:
    run = a_run()
    run.say("hold", reason="their budget round", side="customer", when=at(2))
    run.say("promise", due="2026-12-21T09:00:00Z", reason="agreed on the phone", side="customer", when=at(3))
    run.say("resume", when=at(4))

    assert go_lives(run)[-1][0] == "2026-12-22T09:00:00Z"


def test_a_new_promise_is_told_and_booked_to_its_side() -> None:
    run = a_run()
    said = run.say("promise", due="2026-12-18T15:00:00Z", reason="they want to wait", side="customer", when=at(2))
    again = run.say("promise", due="2026-12-18T15:00:00Z", reason="they want to wait", side="customer")

    assert (said.outcome, said.code) == ("accepted", "promised")
    assert (again.outcome, again.code) == ("conflict", "already_promised")
    assert go_lives(run)[-1] == ("2026-12-18T15:00:00Z", "promise", "customer", "olga")
    assert run.state.owed_at == run.state.promised_at
    assert at(15) == run.state.first_promised_at
    assert len(sent(run, "reminder")) == 1


def test_only_our_side_promises_and_only_dates_to_come() -> None:
    run = a_run()
    assert run.say("promise", "customer:champion", due="2026-12-18T15:00:00Z", reason="r").code == "not_entitled"
    assert run.say("promise", "unverified", due="2026-12-18T15:00:00Z", reason="r", via="signal").code == "not_entitled"
    assert run.say("promise", due="2026-11-18T15:00:00Z", reason="r").code == "in_past"
    assert run.say("promise", due="2426-11-18T15:00:00Z", reason="r").code == "too_far"
    assert [cause for _, cause, _, _ in go_lives(run)] == ["plan"]


def test_a_promised_date_that_passes_is_told_once_and_puts_the_run_at_risk() -> None:
    call = an_item("call", ItemKind.TASK, "one", "lead")
    run = a_run(an_order(a_definition(items=(call,), stages=(a_stage("one", ("call",), stall="200bd"),), signals=())))
    run.wait(at(15))
    run.wait(at(16))

    told = [
        effect.notice.to
        for effect in run.effects
        if isinstance(effect, DeliverNotice) and effect.notice.subject == "The promised date has passed"
    ]
    status = views.status(run.plan, run.state, run.now)
    assert told == ["olga"]
    assert (status["on_time"], status["health"]) == (False, "at_risk")
    run.say("promise", due="2026-12-22T15:00:00Z", reason="our fault")
    assert views.status(run.plan, run.state, run.now)["on_time"] is False, "a promise is not kept by moving it"
    assert at(15) == run.state.owed_at


def test_a_customer_who_is_live_in_time_was_live_in_time() -> None:
    run = a_finished_run()

    assert views.status(run.plan, run.state, at(40))["on_time"] is True
    assert views.promises(run.plan, run.state, at(40))["rows"][0]["kept"] is True
    assert machine.alarm_at(run.state) is None


def test_a_run_carries_a_bounded_number_of_promises_and_always_the_last_date_of_going_live() -> None:
    run = a_run()
    for n in range(limits.PROMISES_KEPT + 20):
        run.say("promise", due=f"2027-01-{n % 28 + 1:02}T{n % 24:02}:00:{n % 60:02}Z", reason="r", side="customer")

    answer = views.promises(run.plan, run.state, run.now)
    assert len(run.state.promises) == limits.PROMISES_KEPT
    assert answer["earlier"] == run.state.promise_count - limits.PROMISES_KEPT >= 20
    assert run.state.promised_at == run.state.promises[-1].due_at


def test_whoever_has_something_open_hears_of_its_new_date_in_one_message_with_all_of_them() -> None:
    run = a_run()
    run.say("hold", reason="their budget round", side="customer", when=at(1, 10))
    run.say("resume", when=at(2, 10))

    told = [effect.notice for effect in run.effects if isinstance(effect, DeliverNotice)]
    mine = [one for one in told if one.to == "customer:champion" and one.kind == "ask" and "date" in one.key]
    assert len(mine) == 1
    assert mine[0].items == ("details", "papers")
    assert mine[0].lines[0] == "Title of details is due Fri 04 Dec 2026 09:00 UTC, not Thu 03 Dec 2026 09:00 UTC."
    assert ("olga", "Look into their debts") not in [(one.to, one.subject) for one in told], "who resumed it knows"
    rows = views.promises(run.plan, run.state, run.now)["rows"]
    assert ("papers", "customer:champion", "2026-12-08T09:00:00Z") in [
        (row["id"], row["to"], row["due_at"]) for row in rows
    ]


def test_a_new_date_of_a_task_is_told_to_whoever_has_it_unless_they_gave_it() -> None:
    run = a_run()
    run.say("reassign", item="credit_check", to="henk", when=at(1, 10))
    run.say("extend", item="credit_check", due="2026-12-09T12:00:00Z", reason="more time", when=at(1, 11))
    run.say("extend", "henk", item="credit_check", due="2026-12-10T12:00:00Z", reason="more time", when=at(1, 12))

    assert [to for to, _ in sent(run, "reminder")] == ["henk"]


def test_the_same_date_agreed_once_more_is_no_move() -> None:
    run = agreeing()
    given = {"rating": "good", "promised_live_on": "2026-12-11"}
    run.say("complete", item="credit_check", provides=given, when=at(1, 12))
    run.say("reopen", items=["credit_check"], reason="again", when=at(1, 13))
    run.say("complete", item="credit_check", provides=given, when=at(1, 14))

    assert [cause for _, cause, _, _ in go_lives(run)] == ["plan", "agreed"]


def test_a_date_that_has_not_been_read_is_taken_back_when_another_one_is_promised() -> None:
    run = a_run(an_order(a_definition(contact=ContactPolicy(send_in="working_hours"))), start=at(6))
    run.say("promise", due="2026-12-18T15:00:00Z", reason="r", when=at(6, 10))
    run.say("promise", due="2026-12-21T15:00:00Z", reason="r", when=at(6, 11))

    told = [
        effect.notice for effect in run.effects if isinstance(effect, DeliverNotice) and "date" in effect.notice.key
    ]
    gone = [key for effect in run.effects if isinstance(effect, WriteRecords) for key in effect.withdrawn]
    assert [one.key for one in told][:1] == gone
    assert told[1].not_before == at(8, 9)


def test_a_customer_who_is_live_is_promised_no_other_date() -> None:
    """A hold of what comes after going live moves nothing, and a new promise is refused; reopened, there is one to keep again."""
    first = a_stage("one", ("a",), milestone="first_value")
    items = (an_item("a", ItemKind.TASK, "one", "lead"), an_item("b", ItemKind.TASK, "two", "lead"))
    run = a_run(
        an_order(
            a_definition(stages=(first, a_stage("two", ("b",), needs=("one",))), items=items, signals=(), metrics=())
        )
    )
    run.say("complete", item="a", when=at(2))
    before = go_lives(run)

    run.say("hold", reason="a break", when=at(3))
    run.say("resume", when=at(4))
    refused = run.say("promise", due="2026-12-20T10:00:00Z", reason="later")

    assert (before, "already_live") == (go_lives(run), refused.code)
    assert sent(run, "reminder") == []
    run.say("reopen", items=["a"], reason="it broke")
    assert run.say("promise", due="2026-12-20T10:00:00Z", reason="later").code == "promised"


def test_a_date_that_comes_with_a_handover_is_a_promise_too() -> None:
    """Whoever of the customer has it now was told until when."""
    run = a_run(an_order(customer_contacts=("customer:champion", "sid")))

    run.say("reassign", item="details", to="sid")

    rows = views.promises(run.plan, run.state, run.now)["rows"]
    assert [(one["to"], one["due_at"]) for one in rows if one["id"] == "details"] == [
        ("customer:champion", "2026-12-03T09:00:00Z"),
        ("sid", "2026-12-03T09:00:00Z"),
    ]


def test_a_run_of_a_release_that_kept_no_promises_is_held_and_resumed() -> None:
    """Its date of going live stands in the state and in no log: it moves all the same, and is kept from then on."""
    run = a_run()
    run.change(promises=(), promise_count=0, owed_at=None, first_promised_at=None)
    run.say("hold", reason="a break", when=at(3))

    assert run.say("resume", when=at(4)).code == "resumed"

    assert go_lives(run) == [("2026-12-15T09:00:00Z", "hold", "customer", "olga")]
