"""Who has what: groups in turn, people who are away, decisions in order and on the exact answer, and handoffs."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onboarding.engine import health, machine
from onboarding.engine.effects import DeliverNotice, WriteRecords
from onboarding.engine.orders import build_order
from onboarding.engine.people import acting
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus
from onboarding.errors import StartRefused
from onboarding.messages import OutcomeWord
from onboarding.reading import views
from onboarding.reading.cover import cover
from runtime.library import load
from runtime.zones import zone
from tests.support.builders import Run, at, papers

HEAD = """
schema: onboarding/v1
id: people
version: 1
title: People
inputs:
  contacts: {type: contacts, required: true}
  small: {type: bool, default: false}
  owner: {type: email, default: lars@provider.example}
calendars:
  provider: {tz: UTC, week: mon-fri, hours: "09:00-17:00"}
roles:
  onb: {side: provider, value: dana@provider.example, deputy: lead}
  lead: {side: provider, from: input.owner, deputy: head}
  head: {side: provider, value: hanna@provider.example}
  solo: {side: provider, value: sam@provider.example}
  crew: {side: provider, group: implementation}
  desk: {side: provider, group: implementation, assign_after: 4bh}
  champion: {side: customer, contact: champion}
"""
CARLA = {"role": "champion", "email": "carla@customer.example", "name": "Carla", "handle": "carla"}
AWAY = {"since": "2026-11-30T09:00:00Z", "until": "2026-12-07T09:00:00Z"}


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """A run through stages written as YAML, on day 1: Monday, 30 November 2026, nine in the morning."""

    def begun(stages: str, *, customer: str = "c-1", head: str = HEAD, **inputs: Any) -> Run:
        path = tmp_path / "people.yaml"
        path.write_text(f"{head}stages:\n{stages}")
        order, _ = build_order(
            load(str(path)), customer=customer, inputs={"contacts": [CARLA], **inputs},
            zones=lambda name: zone(name, 2026, 2028), groups={"implementation": ("ivy", "ian")}, started_by="dana",
        )  # fmt: skip
        plan = Plan(order)
        decision = machine.start(plan, at(1))
        return Run(plan=plan, state=decision.state, now=at(1), effects=list(decision.effects))

    return begun


def stage(items: str, owner: str = "onb", more: str = "") -> str:
    """One stage."""
    return f"  - id: one\n    title: One\n    owner: {owner}\n{more}{items}"


def tasks(*texts: str) -> str:
    """Tasks of a stage."""
    return "    tasks:\n" + "".join(f"      - {{{text}}}\n" for text in texts)


def told(run: Run, since: int = 0) -> list[str]:
    """Notices from a place on, as `kind to item`."""
    sent = [effect.notice for effect in run.effects[since:] if isinstance(effect, DeliverNotice)]
    return [f"{one.kind} {one.to} {one.item}" for one in sent]


def who(run: Run, item: str) -> str:
    """Who has an item now."""
    return acting(run.plan, run.state, run.plan.items[item])[0]


def last(run: Run) -> tuple[str, str | None, str]:
    """The latest entry of the trail."""
    entry = run.state.trail[-1]
    return entry.actor, entry.on_behalf_of, entry.code


# Groups ---------------------------------------------------------------------------------------------------------------


def test_the_members_of_a_group_take_turns(begin: Any) -> None:
    """At once, each item to one of them, and the trail names the group and the person."""
    run = begin(
        stage(tasks("id: a, title: A, owner: crew", "id: b, title: B, owner: crew", "id: c, title: C, owner: crew"))
    )

    a, b, c = (run.state.items[name].owner for name in "abc")
    assert {"ivy", "ian"} == {a, b}
    assert a == c
    assert [f"ask {a} a", f"ask {b} b", f"ask {c} c"] == sorted(told(run), key=lambda one: one[-1])
    said = [entry.sentence for entry in run.state.trail if entry.code == "assigned_in_turn"]
    assert f"A: {a}, in turn, for crew" in said


def test_not_every_run_begins_with_the_same_member(begin: Any) -> None:
    """Where the round begins follows from the run's name, and is the same whenever it is asked."""
    text = stage(tasks("id: a, title: A, owner: crew"))
    first = [begin(text, customer=f"c-{n}").state.items["a"].owner for n in range(12)]

    assert {"ivy", "ian"} == set(first)
    assert first == [begin(text, customer=f"c-{n}").state.items["a"].owner for n in range(12)]


def test_a_group_may_take_its_item_for_a_while_and_then_one_gets_it(begin: Any) -> None:
    """Until then the owner of the stage answers for it; the one who gets it hears of it, the other one that it is gone."""
    run = begin(stage(tasks("id: a, title: A, owner: desk, due: 2bd")))
    assert ("dana", ["ask ivy a", "ask ian a"]) == (who(run, "a"), told(run))
    assert (at(1, 13), "somebody of the group gets it in turn: A", "a") in health.upcoming(run.plan, run.state)
    assert at(1, 13) == machine.alarm_at(run.state)
    sentence = views.why(run.plan, run.state, "a", run.now)["sentence"]
    assert "waits for one of ivy and ian to take it by 2026-11-30 13:00 UTC (dana sees to it until then)" in sentence
    since = len(run.effects)

    run.wait(at(1, 13))

    owner = run.state.items["a"].owner
    other = "ivy" if owner == "ian" else "ian"
    assert owner in ("ivy", "ian")
    assert [f"handoff {owner} a", f"retraction {other} a"] == told(run, since)
    assert "assigned_in_turn" == run.state.trail[-1].code
    assert run.say("complete", other, item="a").code == "completed"


def test_what_a_member_takes_is_given_to_nobody_else(begin: Any) -> None:
    """`reassign` to oneself; the others hear that they need not."""
    run = begin(stage(tasks("id: a, title: A, owner: desk")))
    since = len(run.effects)

    assert "reassigned" == run.say("reassign", "ian", item="a", to="ian", when=at(1, 10)).code

    assert ("ian", None) == (who(run, "a"), run.state.items["a"].assign_at)
    assert ["retraction ivy a", "handoff ian a"] == told(run, since)
    run.wait(at(3))
    assert "ian" == who(run, "a")


def test_the_owner_of_the_stage_may_take_what_they_see_to_already(begin: Any) -> None:
    """They had it until somebody takes it; now it is theirs."""
    run = begin(stage(tasks("id: a, title: A, owner: desk")))

    run.say("reassign", "dana", item="a", to="dana", when=at(1, 10))

    assert (None, True) == (run.state.items["a"].assign_at, run.state.items["a"].given)
    run.wait(at(3))
    assert "dana" == who(run, "a")


def test_one_ask_for_several_items_is_not_taken_back_with_one_of_them(begin: Any) -> None:
    """Ivy takes one before ian's ask has left: he need not do that, and is still asked for the other."""
    requests = "".join(
        f"      - {{id: {one}, title: {one}, owner: theirs, bundle: pack, fields: {{{one}_name: {{type: string}}}}}}\n"
        for one in "ab"
    )
    head = f"{HEAD}  theirs: {{side: customer, group: implementation, assign_after: 4bh}}\n"
    run = begin(stage(f"    requests:\n{requests}"), head=head)
    ask = next(one.notice for one in run.effects if isinstance(one, DeliverNotice) and one.notice.to == "ian")
    assert ("a", "b") == ask.items
    for item, taken_back in (("a", ()), ("b", (ask.key,))):
        since = len(run.effects)
        run.say("reassign", "ivy", item=item, to="ivy")
        new = run.effects[since:]
        (gone,) = [one.notice for one in new if isinstance(one, DeliverNotice) and one.notice.to == "ian"]

        assert (item, taken_back) == (gone.item, gone.retracts)
        assert (ask.key in [key for one in new if isinstance(one, WriteRecords) for key in one.withdrawn]) == bool(
            taken_back
        )


def test_two_absences_one_after_the_other_are_two_alarms(begin: Any) -> None:
    """One begins by the clock and nobody stands in; the next one is said right after it."""
    run = begin(stage(tasks("id: s, title: S, owner: solo", "id: h, title: H, owner: head")))
    run.say("absence", "dana", person="sam", since="2026-12-01T09:00:00Z", until="2026-12-07T09:00:00Z")
    run.wait(at(2))
    run.say("absence", "dana", person="hanna", since="2026-12-01T09:00:00Z", until="2026-12-07T09:00:00Z")

    alone = [one.notice for one in run.effects if isinstance(one, DeliverNotice) and "/alone." in one.notice.key]
    assert ["dana", "dana"] == [one.to for one in alone]
    assert len({one.key for one in alone}) == 2


def test_what_a_member_does_before_anybody_took_it_is_done_and_the_others_hear_of_it(begin: Any) -> None:
    """Nobody is left with an ask for what is settled."""
    run = begin(stage(tasks("id: a, title: A, owner: desk", "id: b, title: B, owner: onb")))
    since = len(run.effects)

    assert "completed" == run.say("complete", "ivy", item="a", when=at(1, 10)).code

    assert ["retraction ian a"] == told(run, since)
    run.wait(at(2))
    assert "assigned_in_turn" not in [entry.code for entry in run.state.trail]


def test_a_hold_stops_the_time_in_which_a_group_may_take_something(begin: Any) -> None:
    """Two hours of four were left, and are left afterwards."""
    run = begin(stage(tasks("id: a, title: A, owner: desk")))
    run.say("hold", "lars", reason="wait", when=at(1, 11))
    run.wait(at(2, 12))
    assert "dana" == who(run, "a")

    run.say("resume", "lars", when=at(2, 12))

    assert at(2, 14) == run.state.items["a"].assign_at


def test_a_hold_at_the_very_instant_comes_first(begin: Any) -> None:
    """The tie goes to the sender; afterwards the group still gets one owner."""
    run = begin(stage(tasks("id: a, title: A, owner: desk")))
    run.say("hold", "lars", reason="wait", when=at(1, 13))
    run.say("resume", "lars", when=at(2, 12))
    assert "dana" == who(run, "a")

    run.wait(at(2, 17))
    assert who(run, "a") in ("ivy", "ian")


def test_who_is_away_or_barred_is_passed_over(begin: Any) -> None:
    """Whose turn it would be does not matter then."""
    run = begin(
        stage(
            tasks("id: first, title: First, owner: crew", "id: a, title: A, owner: crew, needs: [first]")
            + "    approvals: [{id: ok, title: Ok, owner: crew, needs: [first], four_eyes: [first], decisions: {yes: pass}}]\n"
        )
    )
    doer = run.state.items["first"].owner
    other = "ivy" if doer == "ian" else "ian"
    run.say("absence", "lars", person=other, when=at(1, 9, 30), **AWAY)

    run.say("complete", doer, item="first", when=at(1, 10))

    assert (doer, doer) == (run.state.items["a"].owner, who(run, "a"))
    assert doer not in [handle for handle in told(run) if handle.endswith(" ok")]
    assert run.say("decide", doer, item="ok", outcome="yes").code == "same_person"


def test_a_review_of_a_group_has_one_reviewer_too(begin: Any) -> None:
    """In turn, at once or after the time to take it."""
    text = "    requests:\n"
    for name, role in (("now", "crew"), ("later", "desk")):
        text += f"      - {{id: {name}, title: T, owner: champion, review: {role}, fields: {{f_{name}: {{type: string}}}}}}\n"
    run = begin(stage(text))
    for name in ("now", "later"):
        run.say("submit", "carla", item=name, fields={f"f_{name}": "x"}, when=at(1, 10))

    first = run.state.items["now"].reviewer
    assert first in ("ivy", "ian")
    assert (first, "dana") == (who(run, "now"), who(run, "later"))
    assert ["ask ivy later", "ask ian later"] == [one for one in told(run) if one.endswith("later")][-2:]
    assert run.say("decide", "dana", item="later", outcome="accept").code == "not_entitled"

    run.wait(at(1, 14))
    assert run.state.items["later"].reviewer == who(run, "later") in ("ivy", "ian")
    assert run.say("decide", first, item="later", outcome="accept").code == "accepted"


def test_whoever_takes_a_review_has_the_review_and_not_the_ask(begin: Any) -> None:
    """Sent back, it is the customer's again. It is taken for good, and not by whoever gave the answer."""
    run = begin(
        stage("    requests: [{id: q, title: Q, owner: champion, review: desk, fields: {x: {type: string}}}]\n")
    )
    run.say("submit", "dana", item="q", fields={"x": "1"}, on_behalf_of="carla", when=at(1, 10))
    since = len(run.effects)
    assert "own_submission" == run.say("reassign", "ian", item="q", to="dana").code
    assert "not_for_a_review" == run.say("reassign", "ian", item="q", to="ian", until="2026-12-04T09:00:00Z").code

    assert "Q: ian instead of" in run.say("reassign", "ian", item="q", to="ian", when=at(1, 11)).sentence

    assert ["handoff ian q", "retraction ivy q"] == told(run, since)
    assert ("ian", None, "carla") == (who(run, "q"), run.state.items["q"].assign_at, run.state.items["q"].owner)
    assert "returned" == run.say("decide", "ian", item="q", outcome="return", comment="no", when=at(1, 12)).code
    assert "carla" == who(run, "q")


def test_a_stage_of_a_group_is_one_member_s(begin: Any) -> None:
    """At once: a stage is asked of nobody, so there is nothing to wait for."""
    run = begin(stage(tasks("id: a, title: A, owner: desk"), owner="desk"))

    assert run.state.stages["one"].owner in ("ivy", "ian")
    assert run.state.items["a"].owner in ("ivy", "ian")


def test_a_new_round_stays_with_the_member_who_had_the_one_before(begin: Any) -> None:
    """They know it best."""
    run = begin(stage(tasks("id: a, title: A, owner: crew", "id: b, title: B, owner: onb")))
    owner = run.state.items["a"].owner
    run.say("complete", owner, item="a")
    run.say("reopen", "lars", items=["a"], reason="again")

    assert (2, owner) == (run.state.items["a"].round, run.state.items["a"].owner)


def test_an_ask_that_a_member_has_not_read_is_taken_back_when_another_takes_it(begin: Any) -> None:
    """On Sunday it opens, and one of them takes it: on Monday the other one hears nothing of it."""
    hours = HEAD + "policies:\n  contact: {send_in: working_hours}\n"
    run = begin(
        stage(tasks("id: first, title: F, owner: onb", "id: a, title: A, owner: desk, needs: [first]")), head=hours
    )
    run.say("complete", "dana", item="first", when=at(7, 10))

    run.say("reassign", "ian", item="a", to="ian", when=at(7, 11))

    taken_back = [key for effect in run.effects if isinstance(effect, WriteRecords) for key in effect.withdrawn]
    assert ["ivy"] == [key.rpartition("/")[2] for key in taken_back]
    assert "retraction ivy a" not in told(run)


def test_what_nobody_needs_any_more_is_nobody_s_to_take(begin: Any) -> None:
    """An optional item is left behind with its stage, and with it the time to take it."""
    text = stage(tasks("id: a, title: A, owner: desk, optional: true", "id: b, title: B, owner: onb"))
    run = begin(text + "  - {id: two, title: Two, owner: onb, needs: [one], tasks: [{id: c, title: C, owner: onb}]}\n")

    run.say("complete", "dana", item="b", when=at(1, 10))

    assert ("cancelled", None) == (run.state.items["a"].status, run.state.items["a"].assign_at)


# Absence --------------------------------------------------------------------------------------------------------------

PLAIN = stage(
    tasks("id: a, title: A, owner: onb", "id: s, title: S, owner: solo")
    + "    approvals: [{id: ok, title: Ok, owner: head, needs: [a], four_eyes: [a], decisions: {yes: pass}}]\n"
)


def test_what_an_absent_person_has_is_answered_by_the_deputy_and_theirs_again_afterwards(begin: Any) -> None:
    """The deputy hears of it once, both names are on what they do, and the owner of record never changed."""
    run = begin(PLAIN)
    since = len(run.effects)
    verdict = run.say("absence", "hanna", person="dana", reason="holiday", **AWAY)

    assert ("absence_noted", "lars") == (verdict.code, who(run, "a"))
    assert "lars stands in as onb" in verdict.sentence
    assert ["handoff lars a", "handoff lars None"] == told(run, since)
    assert "dana" == run.state.items["a"].owner
    row = next(one for one in views.open_items(run.plan, run.state, run.now)["rows"] if one["id"] == "a")
    assert ("lars", "dana") == (row["who"], row["stands_for"])
    assert "lars for dana" in cover(run.plan, run.state, run.now)
    assert "waits for lars for dana to do it" in views.why(run.plan, run.state, "a", run.now)["sentence"]
    run.wait(at(7))
    since = len(run.effects)
    run.wait(at(8))
    assert ("dana", ()) == (who(run, "a"), run.state.absences)
    assert ["handoff dana a", "retraction lars a", "handoff dana None", "retraction lars None"] == told(run, since)[:4]


def test_both_names_are_in_the_record_and_known_to_four_eyes(begin: Any) -> None:
    """Lars does it for dana: the trail says so, and neither of them may decide on it."""
    run = begin(PLAIN)
    run.say("absence", "hanna", person="onb", **AWAY)

    run.say("complete", "lars", item="a")

    assert ("lars", "dana", "completed") == last(run)
    assert ("lars", "dana") == run.state.items["a"].actors
    run.say("reassign", "hanna", role="head", to="lars")
    assert run.say("decide", "lars", item="ok", outcome="yes").code == "same_person"
    run.say("reassign", "lars", role="head", to="dana")
    assert run.say("decide", "dana", item="ok", outcome="yes").code == "same_person"


def test_an_absence_inside_another_comes_out_right(begin: Any) -> None:
    """The deputy is away too, for a day: their deputy has it, then they, then the one who was away first."""
    run = begin(PLAIN)
    run.say("absence", "hanna", person="dana", **AWAY)
    run.say("absence", "hanna", person="lars", since="2026-12-01T09:00:00Z", until="2026-12-02T09:00:00Z")
    found = []
    for day in (1, 2, 3, 8):
        run.wait(at(day, 9, 1))
        found.append(who(run, "a"))

    assert ["lars", "hanna", "lars", "dana"] == found
    assert ["handoff lars a", "handoff hanna a", "handoff lars a", "handoff dana a"] == [
        one for one in told(run) if one.startswith("handoff") and one.endswith(" a")
    ]


def test_who_is_named_stands_in_before_any_deputy(begin: Any) -> None:
    """Also somebody who had no part in the run before; the trail of what they do names both."""
    run = begin(PLAIN)
    run.say("absence", "dana", person="dana", to="sam", **AWAY)
    assert "sam" == who(run, "a")

    assert "accepted" == run.say("note", "sam", text="hello").outcome
    assert "completed" == run.say("complete", "sam", item="a").code
    assert ("sam", "dana", "completed") == last(run)


def test_a_stranger_who_stands_in_steers_in_the_name_of_the_absent_person(begin: Any) -> None:
    """They have no part of their own, so whatever they do is for somebody."""
    run = begin(PLAIN)
    run.say("absence", "dana", person="dana", to="newcomer", **AWAY)

    assert "extended" == run.say("extend", "newcomer", item="s", due="2026-12-09T09:00:00Z", reason="more").code
    assert ("newcomer", "dana", "extended") == last(run)


def test_an_absence_in_the_future_begins_and_ends_by_the_clock(begin: Any) -> None:
    """Both instants are shown as what happens by itself; a hold does not stop them."""
    run = begin(PLAIN)
    run.say("absence", "hanna", person="dana", since="2026-12-01T09:00:00Z", until="2026-12-02T09:00:00Z")
    assert ("dana", (at(2), "dana is away", None)) == (who(run, "a"), health.upcoming(run.plan, run.state)[0])
    run.say("hold", "hanna", reason="wait", review_at="2026-12-20T09:00:00Z")
    assert at(2) == machine.alarm_at(run.state)

    run.wait(at(2))
    assert ("lars", (at(3), "dana is back", None)) == (who(run, "a"), health.upcoming(run.plan, run.state)[0])
    run.wait(at(3))

    assert "dana" == who(run, "a")
    assert ["absence_began", "absence_ended"] == [one.code for one in run.state.trail if one.message == "absence"][1:]


def test_another_absence_of_the_same_person_replaces_the_first(begin: Any) -> None:
    """Longer, shorter, or over in a minute: that is how one is ended early."""
    run = begin(PLAIN)
    run.say("absence", "hanna", person="dana", **AWAY)
    run.say("absence", "hanna", person="dana", since="2026-11-30T09:00:00Z", until="2026-11-30T09:01:00Z")
    run.wait(at(1, 9, 1))
    assert ("dana", ()) == (who(run, "a"), run.state.absences)

    run.say("absence", "hanna", person="dana", **AWAY)
    run.say("absence", "hanna", person="dana", since="2026-12-03T09:00:00Z", until="2026-12-04T09:00:00Z")
    assert "dana" == who(run, "a")


def test_where_nobody_stands_in_the_verdict_and_the_owner_of_the_stage_know(begin: Any) -> None:
    """It stays with the absent person; of what the owner of the stage has themselves, whoever said so hears."""
    run = begin(PLAIN)
    since = len(run.effects)
    verdict = run.say("absence", "hanna", person="sam", **AWAY)

    assert "nobody stands in as solo" in verdict.sentence
    assert ("sam", ["escalation dana None"]) == (who(run, "s"), told(run, since))

    alone = begin(stage(tasks("id: s, title: S, owner: solo"), owner="solo"))
    since = len(alone.effects)
    alone.say("absence", "hanna", person="sam", **AWAY)
    assert ["escalation hanna None"] == told(alone, since)


def test_an_item_that_was_given_by_name_goes_back_to_its_role_while_that_person_is_away(begin: Any) -> None:
    """And to the person it was given to afterwards."""
    run = begin(PLAIN)
    run.say("reassign", "hanna", item="a", to="sam")
    run.say("absence", "hanna", person="sam", **AWAY)
    assert "dana" == who(run, "a")

    run.wait(at(8))
    assert "sam" == who(run, "a")


def test_what_opens_during_an_absence_is_asked_of_the_one_who_stands_in(begin: Any) -> None:
    """And nobody is told twice."""
    run = begin(stage(tasks("id: a, title: A, owner: solo", "id: b, title: B, owner: onb, needs: [a]")))
    run.say("absence", "hanna", person="dana", **AWAY)
    since = len(run.effects)
    run.say("complete", "sam", item="a")

    assert ["ask lars b"] == told(run, since)
    assert "dana" == run.state.items["b"].owner


def test_nobody_lends_a_voice_that_they_do_not_have(begin: Any) -> None:
    """Who did the work names somebody to stand in, who has no seat of their own: that voice stays barred."""
    run = begin(
        stage(
            tasks("id: a, title: A, owner: onb")
            + "    approvals: [{id: ok, title: Ok, owner: onb, needs: [a], four_eyes: [a], decisions: {yes: pass}}]\n"
        )
    )
    run.say("complete", "dana", item="a")
    run.say("absence", "dana", person="dana", to="sam", **AWAY)

    assert run.say("decide", "sam", item="ok", outcome="yes").code == "not_entitled"
    assert "lars" == who(run, "ok")
    assert run.say("decide", "lars", item="ok", outcome="yes").code == "decided"
    assert ("lars", None, "decided") == next(
        (one.actor, one.on_behalf_of, one.code) for one in run.state.trail if one.message == "decide"
    )


@pytest.mark.parametrize(
    ("actor", "content", "outcome", "code"),
    [
        ("hanna", {"person": "nobody"}, OutcomeWord.UNKNOWN, "unknown_person"),
        ("hanna", {"person": "crew"}, OutcomeWord.REJECTED, "not_a_person"),
        ("carla", {"person": "dana"}, OutcomeWord.FORBIDDEN, "not_entitled"),
        ("unverified", {"person": "dana"}, OutcomeWord.FORBIDDEN, "not_entitled"),
        ("hanna", {"person": "dana", "until": "2026-11-29T09:00:00Z"}, OutcomeWord.REJECTED, "before_since"),
        ("hanna", {"person": "dana", "since": "2026-11-01T09:00:00Z", "until": "2026-11-02T09:00:00Z"}, OutcomeWord.REJECTED, "in_past"),
        ("hanna", {"person": "dana", "to": "dana"}, OutcomeWord.REJECTED, "stands_in_for_themselves"),
        ("hanna", {"person": "dana", "to": "carla"}, OutcomeWord.REJECTED, "wrong_side"),
        ("hanna", {"person": "carla", "to": "dana"}, OutcomeWord.REJECTED, "wrong_side"),
        ("carla", {"person": "carla"}, OutcomeWord.ACCEPTED, "absence_noted"),
        ("hanna", {"person": "customer:champion"}, OutcomeWord.ACCEPTED, "absence_noted"),
    ],
)  # fmt: skip
def test_an_absence_is_judged_like_every_message(begin: Any, actor: str, content: Any, outcome: Any, code: str) -> None:
    """Names, then rights, then dates and who stands in."""
    verdict = begin(PLAIN).say("absence", actor, **{**AWAY, **content})

    assert (outcome, code) == (verdict.outcome, verdict.code)


def test_who_is_away_is_part_of_what_a_run_holds(begin: Any) -> None:
    """The hash of the state tells it, and `status` lists it."""
    run = begin(PLAIN)
    before = views.state_hash(run.state)
    run.say("absence", "hanna", person="dana", reason="ill", **AWAY)

    assert before != views.state_hash(run.state)
    shown = views.status(run.plan, run.state, run.now)["absences"]
    assert [("dana", "2026-12-07T09:00:00Z", True, "ill")] == [
        (one["person"], one["until"], one["away"], one["reason"]) for one in shown
    ]


def test_what_a_ladder_gives_to_the_deputy_is_theirs_though_they_are_away_for_a_day(begin: Any) -> None:
    """Whoever stands in for the deputy has it until they are back, and not for good."""
    head = HEAD + "policies:\n  escalation:\n    up: [{at: due, do: reassign, to: deputy}]\n"
    run = begin(stage(tasks("id: a, title: A, owner: onb, due: 1bd, escalation: up")), head=head)
    run.say("absence", "hanna", person="lars", since="2026-11-30T09:00:00Z", until="2026-12-03T09:00:00Z")
    run.wait(at(2, 12))
    assert ("lars", "hanna") == (run.state.items["a"].owner, who(run, "a"))

    run.wait(at(4, 9))
    assert "lars" == who(run, "a")


def test_where_nobody_who_is_there_may_decide_any_more_somebody_must_be_found(begin: Any) -> None:
    """One stands in for the other of two seats and has spoken: it does not wait for them to speak again."""
    run = begin(stage("    approvals: [{id: ok, title: Ok, owners: [onb, lead], quorum: 2}]\n", owner="solo"))
    run.say("absence", "sam", person="dana", **AWAY)
    assert "counted" == run.say("decide", "lars", item="ok", outcome="approve", when=at(1, 10)).code

    sentence = views.why(run.plan, run.state, "ok", run.now)["sentence"]
    assert "waits for sam to find somebody who may decide (approve); 1 of 2 decisions are there" in sentence
    assert run.say("reassign", "sam", role="onb", to="hanna", when=at(1, 11)).code == "reassigned"
    assert run.say("decide", "hanna", item="ok", outcome="approve", when=at(1, 12)).code == "decided"


def test_two_absences_at_one_instant_are_two_notices(begin: Any) -> None:
    """One begins by itself and one is said right after it: whoever must find somebody hears of both."""
    run = begin(stage(tasks("id: a, title: A, owner: head", "id: b, title: B, owner: solo")))
    run.say("absence", "lars", person="hanna", since="2026-12-01T09:00:00Z", until="2026-12-07T09:00:00Z")
    run.wait(at(2, 9))
    run.say("absence", "lars", person="sam", since="2026-12-01T09:00:00Z", until="2026-12-07T09:00:00Z")

    alone = [one.notice for one in run.effects if isinstance(one, DeliverNotice) and "/alone." in one.notice.key]
    assert ["dana", "dana"] == [one.to for one in alone]
    assert len({one.key for one in alone}) == 2


def test_whoever_answers_again_under_review_stands_in_for_no_reviewer(begin: Any) -> None:
    """The reviewer is away and the customer corrects the answer: the reviewer gave no answer, and may review it when back."""
    text = "    requests: [{id: q, title: Q, owner: champion, review: head, fields: {x: {type: string}}}]\n"
    run = begin(stage(text))
    run.say("submit", "carla", item="q", fields={"x": "1"})
    run.say("absence", "lars", person="hanna", **AWAY)

    run.say("submit", "carla", item="q", fields={"x": "2"}, when=at(1, 10))

    assert ("carla", None, "answered") == last(run)
    assert ("carla",) == run.state.items["q"].actors
    digest = run.state.items["q"].answer.digest
    assert "accepted" == run.say("decide", "hanna", item="q", outcome="accept", answer=digest, when=at(9)).code


# In order -------------------------------------------------------------------------------------------------------------

ORDER = stage(
    "    approvals: [{id: ok, title: Ok, owners: [solo, onb, champion], quorum: 2, in_order: true, decisions: {yes: pass, no: pass}}]\n"
)


def test_where_people_decide_in_order_only_the_next_one_is_asked(begin: Any) -> None:
    """Out of turn is refused with the name of who is before; the next one is asked when their turn comes."""
    run = begin(ORDER)
    assert (["ask sam ok"], "sam") == (told(run), who(run, "ok"))
    early = run.say("decide", "dana", item="ok", outcome="yes")
    assert (OutcomeWord.FORBIDDEN, "not_your_turn") == (early.outcome, early.code)
    assert "sam decides before 'dana'" in early.sentence
    since = len(run.effects)

    assert "counted" == run.say("decide", "sam", item="ok", outcome="yes").code
    assert (["ask dana ok"], "dana") == (told(run, since), who(run, "ok"))
    assert "already_decided" == run.say("decide", "sam", item="ok", outcome="yes").code
    assert "not_your_turn" == run.say("decide", "carla", item="ok", outcome="yes").code
    assert "decided" == run.say("decide", "dana", item="ok", outcome="yes").code


def test_a_seat_whose_only_person_is_away_is_passed_over_and_may_still_speak(begin: Any) -> None:
    """The others go on; who comes back, or writes from afar, still has a voice."""
    run = begin(ORDER)
    run.say("absence", "hanna", person="sam", **AWAY)
    assert "dana" == who(run, "ok")
    assert "counted" == run.say("decide", "dana", item="ok", outcome="yes").code

    assert "decided" == run.say("decide", "sam", item="ok", outcome="yes").code
    assert ["dana", "sam"] == [vote.handle for vote in run.state.items["ok"].votes]


def test_a_decision_for_an_absent_person_is_a_vote_with_both_names(begin: Any) -> None:
    """The deputy takes the seat when its turn comes."""
    run = begin(ORDER)
    run.say("decide", "sam", item="ok", outcome="yes")
    run.say("absence", "hanna", person="dana", **AWAY)

    assert "decided" == run.say("decide", "lars", item="ok", outcome="yes").code
    vote = run.state.items["ok"].votes[-1]
    assert ("lars", "onb", "dana") == (vote.handle, vote.role, vote.on_behalf_of)
    assert {"lars", "dana"} <= set(run.state.items["ok"].actors)


def test_in_order_whoever_has_a_later_seat_does_not_use_up_an_earlier_one(begin: Any) -> None:
    """Lars is dana's deputy and decides last: her turn is hers."""
    run = begin(
        stage(
            "    approvals: [{id: ok, title: Ok, owners: [onb, solo, lead], in_order: true, decisions: {yes: pass}}]\n"
        )
    )

    assert "not_your_turn" == run.say("decide", "lars", item="ok", outcome="yes").code
    for handle in ("dana", "sam", "lars"):
        verdict = run.say("decide", handle, item="ok", outcome="yes")
    assert "decided" == verdict.code


def test_whoever_has_spoken_is_not_reminded_and_not_said_to_be_waited_for(begin: Any) -> None:
    """The next one is reminded, in the digest of what they have; the alarm and the log of promises name them, too."""
    head = HEAD.replace("champion: {side", "signer: {side: customer, contact: signer}\n  champion: {side") + (
        "policies:\n  reminders:\n    r: [{at: -1bd}]\n"
    )
    text = "    approvals: [{id: ok, title: Ok, owners: [champion, signer], in_order: true, due: 3bd, reminders: r}]\n"
    sid = {"role": "signer", "email": "sid@customer.example", "name": "Sid", "handle": "sid"}
    run = begin(stage(text), head=head, contacts=[CARLA, sid])
    run.say("decide", "carla", item="ok", outcome="approve", when=at(1, 10))
    assert "reminder to sid: Ok" in [what for _, what, _ in health.upcoming(run.plan, run.state)]

    run.wait(at(4, 12))

    assert ["ask carla ok", "ask sid ok", "reminder sid ok", "escalation dana ok"] == told(run)
    alarm = [effect.notice for effect in run.effects if isinstance(effect, DeliverNotice)][-1]
    assert "We wait for sid to approve it." in alarm.lines
    kept = views.promises(run.plan, run.state, run.now)["rows"]
    assert [("ok", "carla"), ("ok", "sid")] == [(one["id"], one["to"]) for one in kept if one["about"] == "item"]


def test_the_voice_of_whoever_has_lost_the_seat_is_not_waited_behind(begin: Any) -> None:
    """In order: the new owner of the first seat speaks before the next one, and is the one who is waited for."""
    run = begin(stage("    approvals: [{id: ok, title: Ok, owners: [solo, onb], quorum: 2, in_order: true}]\n"))
    run.say("decide", "sam", item="ok", outcome="approve", when=at(1, 10))
    run.say("reassign", "lars", item="ok", to="hanna", when=at(1, 11))

    assert "hanna" == who(run, "ok")
    sentence = views.why(run.plan, run.state, "ok", run.now)["sentence"]
    assert "waits for hanna to decide (approve); 0 of 2 decisions are there" in sentence
    assert ["counted", "decided"] == [
        run.say("decide", one, item="ok", outcome="approve").code for one in ("hanna", "dana")
    ]


def test_whoever_is_next_after_somebody_who_is_away_speaks_for_nobody_else(begin: Any) -> None:
    """Nobody stands in for the first seat, so the second one speaks before: in their own name, in the reads as in the record."""
    run = begin(stage("    approvals: [{id: ok, title: Ok, owners: [solo, onb], in_order: true}]\n", owner="lead"))
    run.say("absence", "lars", person="sam", **AWAY)

    answer = views.why(run.plan, run.state, "ok", run.now)
    assert ("dana", None) == (answer["holder"], answer["stands_for"])
    assert "waits for dana to decide (approve)" in answer["sentence"]
    run.say("decide", "dana", item="ok", outcome="approve", when=at(1, 10))
    assert ("dana", None, "counted") == last(run)


def test_in_order_the_turn_of_a_group_is_over_for_all_of_it_when_one_has_spoken(begin: Any) -> None:
    """Asked at night and decided at night: in the morning only the next one hears that it waits for them."""
    head = HEAD + "policies:\n  contact: {send_in: working_hours}\n"
    text = (
        "    approvals: [{id: ok, title: Ok, owners: [crew, onb, solo], quorum: 3, in_order: true, needs: [a]}]\n"
        "    tasks: [{id: a, title: A, owner: onb}]\n"
    )
    run = begin(stage(text), head=head)
    run.say("complete", "dana", item="a", when=at(1, 20))
    asked = [one.removeprefix("ask ").removesuffix(" ok") for one in told(run) if one.endswith(" ok")]

    run.say("decide", asked[0], item="ok", outcome="approve", when=at(1, 21))

    taken_back = [key for effect in run.effects if isinstance(effect, WriteRecords) for key in effect.withdrawn]
    assert asked == [key.rpartition("/")[2] for key in taken_back]
    assert "ask dana ok" == told(run)[-1]


# Whether a start can ever be decided ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("approval", "inputs", "place"),
    [
        ("owners: [lead, head], quorum: 2", {"owner": "hanna@provider.example"}, "/owner"),
        ("owners: [crew], quorum: 3", {}, "/groups/implementation"),
        ("owners: [crew], quorum: 2, four_eyes: [a]", {}, "/groups/implementation"),
    ],
)
def test_a_start_whose_people_can_never_decide_is_refused_at_its_place(
    begin: Any, approval: str, inputs: Any, place: str
) -> None:
    """Only the start knows who they are."""
    text = (
        tasks("id: a, title: A, owner: crew")
        + f"    approvals: [{{id: ok, title: Ok, needs: [a], {approval}, decisions: {{yes: pass}}}}]\n"
    )
    with pytest.raises(StartRefused) as refused:
        begin(stage(text), **inputs)

    assert [(place, "quorum_unmet")] == [(fault.place, fault.code) for fault in refused.value.faults]


def test_what_the_inputs_leave_out_needs_nobody(begin: Any) -> None:
    """And people who are enough are enough."""
    text = "    tasks: [{id: a, title: A, owner: onb}]\n    approvals: [{id: ok, title: Ok, owners: [crew], quorum: 3, when: input.small, decisions: {yes: pass}}]\n"

    assert begin(stage(text)).state.items["ok"].status is ItemStatus.SKIPPED
    assert begin(
        stage("    approvals: [{id: ok, title: Ok, owners: [crew, onb], quorum: 3, decisions: {yes: pass}}]\n")
    )


# The exact answer -----------------------------------------------------------------------------------------------------

REVIEWED = stage(
    "    requests:\n      - {id: tax, title: Tax, owner: champion, files: {min: 1, types: [pdf]}, review: onb}\n"
)


def test_a_review_is_tied_to_the_answer_that_was_looked_at(begin: Any) -> None:
    """Its digest is shown wherever somebody looks; the first eight characters do, another one is a conflict."""
    run = begin(REVIEWED)
    verdict = run.say("submit", "carla", item="tax", files=papers(1))
    digest = run.state.items["tax"].answer.digest
    row = views.open_items(run.plan, run.state, run.now)["rows"][0]
    assert {digest} == {verdict.answer, row["answer"], views.why(run.plan, run.state, "tax", run.now)["answer"]}
    ask = next(
        effect.notice
        for effect in run.effects
        if isinstance(effect, DeliverNotice) and "review" in effect.notice.subject
    )
    assert f"The answer is {digest}." in ask.lines

    other = run.say("decide", "dana", item="tax", outcome="accept", answer="0" * 64)
    assert (OutcomeWord.CONFLICT, "answer_changed", digest) == (other.outcome, other.code, other.answer)
    assert "changed by carla on 2026-11-30 09:00" in other.sentence
    assert "accepted" == run.say("decide", "dana", item="tax", outcome="accept", answer=digest[:8]).code


def test_an_answer_that_was_replaced_under_review_must_be_named(begin: Any) -> None:
    """Whoever decides without a name may have looked at the first one."""
    run = begin(REVIEWED)
    run.say("submit", "carla", item="tax", files=papers(1))
    first = run.state.items["tax"].answer.digest
    run.say("submit", "carla", item="tax", files=papers(2), when=at(1, 10))
    second = run.state.items["tax"].answer.digest

    assert "answer_changed" == run.say("decide", "dana", item="tax", outcome="accept").code
    assert "answer_changed" == run.say("decide", "dana", item="tax", outcome="accept", answer=first).code
    assert "accepted" == run.say("decide", "dana", item="tax", outcome="accept", answer=second).code


def test_the_same_answer_again_changes_nothing_for_the_reviewer(begin: Any) -> None:
    """And a new round begins anew."""
    run = begin(REVIEWED)
    for _ in range(2):
        run.say("submit", "carla", item="tax", files=papers(1))
    assert "returned" == run.say("decide", "dana", item="tax", outcome="return").code

    run.say("submit", "carla", item="tax", files=papers(2))
    assert "accepted" == run.say("decide", "dana", item="tax", outcome="accept").code


def test_an_approval_is_tied_to_what_it_needs_and_voices_on_something_else_are_void(begin: Any) -> None:
    """A waived answer comes late, while two decide: the first voice was about less."""
    text = (
        "    requests: [{id: tax, title: Tax, owner: champion, fields: {no: {type: string, required: true}}}]\n"
        "    approvals: [{id: ok, title: Ok, owners: [onb, solo], needs: [tax], decisions: {yes: pass}}]\n"
        "    gate: {all: [tax], override: {by: [head]}}\n"
    )
    run = begin(stage(text))
    run.say("waive", "hanna", item="tax", reason="trust")
    before = run.say("decide", "dana", item="ok", outcome="yes").answer
    since = len(run.effects)

    run.say("submit", "carla", item="tax", fields={"no": "1"}, when=at(1, 11))

    assert () == run.state.items["ok"].votes
    assert {"ask dana ok", "ask sam ok"} <= set(told(run, since))
    assert "answer_changed" == run.say("decide", "sam", item="ok", outcome="yes").code
    changed = run.say("decide", "sam", item="ok", outcome="yes", answer=before)
    assert ("answer_changed", True) == (changed.code, "changed by carla" in changed.sentence)
    assert "counted" == run.say("decide", "sam", item="ok", outcome="yes", answer=changed.answer).code
    assert "decided" == run.say("decide", "dana", item="ok", outcome="yes", answer=changed.answer).code


def test_where_there_is_nothing_to_look_at_nothing_can_be_named(begin: Any) -> None:
    """An approval that needs nothing."""
    run = begin(ORDER)
    verdict = run.say("decide", "sam", item="ok", outcome="yes", answer="0" * 8)

    assert ("no_answer", "/answer") == (verdict.code, verdict.faults[0].place)


# Handoffs -------------------------------------------------------------------------------------------------------------

HANDED = stage(
    tasks("id: pack, title: Pack, owner: solo")
    + "    approvals: [{id: taken, title: Taken, owner: onb, needs: [pack], handoff: true, decisions: {accept: pass, return: {reopen: [pack]}}}]\n"
    + "    gate: {all: [taken], override: {by: [head]}}\n"
)
METRICS = HEAD + "metrics:\n  between: {sum: handoff}\n"


def handoff(run: Run) -> dict[str, Any]:
    """The one handoff as `status` shows it."""
    (row,) = views.status(run.plan, run.state, run.now)["handoffs"]
    return dict(row)


def test_a_handoff_is_released_then_returned_with_reasons_then_accepted(begin: Any) -> None:
    """The time between is on the clock of the one who must accept it, and a number of its own."""
    run = begin(HANDED, head=METRICS)
    assert [] == views.status(run.plan, run.state, run.now)["handoffs"]
    run.say("complete", "sam", item="pack", when=at(1, 10))
    assert ("sam", "dana", "2026-11-30T10:00:00Z", None, 1) == tuple(
        handoff(run)[name] for name in ("from", "to", "released_at", "accepted_at", "rounds")
    )
    assert "dana" == run.state.booking.who

    mute = run.say("decide", "dana", item="taken", outcome="return", when=at(1, 11))
    assert [("/comment", "required")] == [(fault.place, fault.code) for fault in mute.faults]
    run.say("decide", "dana", item="taken", outcome="return", comment="Who pays?", when=at(1, 12))
    assert ("2026-11-30T12:00:00Z", "return", 7_200) == tuple(
        handoff(run)[name] for name in ("returned_at", "outcome", "seconds")
    )
    run.say("complete", "sam", item="pack", when=at(1, 13))
    assert 7_200 + 1_800 == views.ledger(run.plan, run.state, at(1, 13, 30))["handoff_seconds"]
    run.say("decide", "dana", item="taken", outcome="accept", when=at(1, 14))

    done = handoff(run)
    assert ("2026-11-30T14:00:00Z", None, "accept", 10_800, 2) == tuple(
        done[name] for name in ("accepted_at", "returned_at", "outcome", "seconds", "rounds")
    )
    assert {"between": 10_800} == views.ledger(run.plan, run.state, at(3))["metrics"]


def test_a_hold_is_no_time_between_two_owners(begin: Any) -> None:
    """Released at nine, held from ten to Wednesday ten, still waiting at eleven: two hours, during the hold and after it."""
    run = begin(HANDED)
    run.say("complete", "dana", item="pack", when=at(1, 9))
    run.say("hold", "lars", reason="a break", when=at(1, 10))

    held = views.ledger(run.plan, run.state, at(2, 12))["handoff_seconds"]
    run.say("resume", "lars", when=at(3, 10))

    assert (3_600, 7_200) == (held, views.ledger(run.plan, run.state, at(3, 11))["handoff_seconds"])


def test_what_ends_a_handoff_without_a_decision_ends_its_time(begin: Any) -> None:
    """Nobody accepted it, and nobody returned it."""
    run = begin(HANDED)
    run.say("complete", "sam", item="pack", when=at(1, 10))
    run.say("waive", "hanna", item="taken", reason="late", when=at(1, 11))

    row = handoff(run)
    assert (None, None, "waived", 3_600) == tuple(
        row[name] for name in ("accepted_at", "returned_at", "outcome", "seconds")
    )


def test_a_handoff_of_somebody_who_is_away_is_on_the_clock_of_whoever_stands_in(begin: Any) -> None:
    """One named person at every instant."""
    run = begin(HANDED)
    run.say("complete", "sam", item="pack", when=at(1, 10))
    run.say("absence", "hanna", person="dana", **AWAY)

    assert ("lars", "lars") == (handoff(run)["to"], run.state.booking.who)
    run.say("decide", "lars", item="taken", outcome="accept", when=at(1, 11))
    assert ("lars", "dana", "decided") == next(
        (one.actor, one.on_behalf_of, one.code) for one in run.state.trail if one.message == "decide"
    )
