"""What becomes of answers, waivers and owners when things are asked for again: nothing accepted is lost, and there is always a way out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from onboarding.engine import gates, machine
from onboarding.engine.effects import DeliverNotice, NoticeKind, RunHook, WriteRecords
from onboarding.engine.orders import build_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunStatus, StageStatus
from onboarding.messages import OutcomeWord
from runtime.library import load
from runtime.zones import zone
from tests.support.builders import Run, at

HEAD = """
schema: onboarding/v1
id: again
version: 1
title: Once more
inputs:
  contacts: {type: contacts, required: true}
calendars:
  provider: {tz: Europe/Berlin, week: mon-fri, hours: "09:00-17:00"}
policies:
  escalation:
    stop: [{at: +1d, do: hold, to: [head]}]
roles:
  onb: {side: provider, value: dana@provider.example, deputy: lead}
  lead: {side: provider, value: lars@provider.example}
  head: {side: provider, value: hanna@provider.example}
  crew: {side: provider, group: implementation}
  champion: {side: customer, contact: champion}
"""
CARLA = {"role": "champion", "email": "carla@customer.example", "name": "Carla", "handle": "carla"}
LAST = '  - {id: last, title: Last, owner: onb, needs: [one], tasks: [{id: end, title: End}], gate: {all: ["debt == 0"]}}\n'


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """A run through stages written as YAML, on day 1."""

    def begun(stages: str) -> Run:
        path = tmp_path / "again.yaml"
        path.write_text(f"{HEAD}stages:\n{stages}")
        order, _ = build_order(
            load(str(path)), customer="c-1", inputs={"contacts": [CARLA]}, zones=lambda name: zone(name, 2026, 2028),
            groups={"implementation": ("ivy", "ian")}, started_by="dana",
        )  # fmt: skip
        plan = Plan(order)
        decision = machine.start(plan, at(1))
        return Run(plan=plan, state=decision.state, now=at(1), effects=list(decision.effects))

    return begun


def stage_one(items: str) -> str:
    """The first stage with these parts and a gate that hanna may pass."""
    override = "override: {by: [head], reason: required, expires: 2bd, debt: true}"
    return f"  - id: one\n    title: One\n    owner: onb\n{items}    gate: {{all: ['debt >= 0'], {override}}}\n"


def status(run: Run, item: str) -> str:
    """Where an item is."""
    return str(run.state.items[item].status)


def check(run: Run, item: str, *, ok: bool) -> None:
    """The first check of the present answer comes back."""
    current = run.state.items[item]
    key = f"{run.state.run}/{item}/{current.round}/check0.{current.answers}"
    run.hear(machine.HookSucceeded(at=run.now, key=key, result={"ok": ok}))


def ring(run: Run, until: Any) -> None:
    """Every alarm up to an instant."""
    while (alarm := machine.alarm_at(run.state)) is not None and alarm <= until:
        run.wait(alarm)
    run.wait(until)


def told(run: Run, since: int = 0) -> list[tuple[NoticeKind, str]]:
    """Kind and reader of every notice since the effect with this number."""
    return [(one.notice.kind, one.notice.to) for one in run.effects[since:] if isinstance(one, DeliverNotice)]


DOC = "    requests: [{id: doc, title: Doc, owner: champion, fields: {x: {type: int, required: true}}, review: lead}]\n"
T = "    tasks: [{id: t, title: T}]\n"


def test_a_waiver_that_runs_out_while_what_is_owed_is_reviewed_leads_nowhere_astray(begin: Any) -> None:
    """The stage was left; the reviewer still accepts, and the debt is paid."""
    run = begin(stage_one(DOC + T) + LAST)
    run.say("waive", "hanna", item="doc", reason="later")
    run.say("complete", "dana", item="t")
    run.say("submit", "carla", item="doc", fields={"x": 1}, when=at(2))
    ring(run, at(5))

    assert run.state.debts[0].expired
    assert run.say("decide", "lars", item="doc", outcome="accept").code == "accepted"
    assert run.state.facts["x"].value == 1
    run.say("complete", "dana", item="end")
    assert run.state.status is RunStatus.CLOSED


def test_what_is_owed_is_never_called_off(begin: Any) -> None:
    """A waived item whose upstream is reopened stays waived, and can be paid after its stage is left."""
    items = (
        "    requests:\n      - {id: first, title: F, owner: champion, fields: {y: {type: int, required: true}}}\n"
        "      - {id: doc, title: Doc, owner: champion, needs: [first], fields: {x: {type: int, required: true}}}\n"
    )
    run = begin(stage_one(items + T) + LAST)
    run.say("submit", "carla", item="first", fields={"y": 1})
    run.say("waive", "hanna", item="doc", reason="later")
    run.say("reopen", "dana", items=["first"], reason="wrong")
    assert status(run, "doc") == "waived"
    run.say("submit", "carla", item="first", fields={"y": 2})
    run.say("complete", "dana", item="t")

    assert run.state.stages["one"].status is StageStatus.DONE
    assert run.say("submit", "carla", item="doc", fields={"x": 1}).code == "answered"
    assert gates.open_debt(run.state) == 0


def test_nobody_owes_what_the_definition_leaves_out(begin: Any) -> None:
    """The waiver runs out, the item is asked for again, and skipped by time-out: the run can end."""
    items = "    requests: [{id: doc, title: Doc, owner: champion, due: 1d, on_timeout: skip, fields: {x: {type: int, required: true}}}]\n"
    run = begin(stage_one(items + T) + LAST)
    run.say("waive", "hanna", item="doc", reason="later")
    ring(run, at(8))
    run.say("complete", "dana", item="t")
    run.say("complete", "dana", item="end")

    assert run.state.status is RunStatus.CLOSED


def test_a_hook_is_told_only_what_with_names(begin: Any) -> None:
    """`with` keeps the rest inside."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, fields: {pub: {type: int}, priv: {type: int}}}]\n"
        "    hooks: [{id: h, title: H, activity: provision_tenant, needs: [doc], with: [pub]}]\n"
    )
    run = begin(stage_one(items))
    run.say("submit", "carla", item="doc", fields={"pub": 1, "priv": 2})

    hook = next(one for one in run.effects if isinstance(one, RunHook))
    assert hook.arguments["facts"] == {"pub": 1}


OPTIONAL = (
    "    requests:\n"
    "      - {id: survey, title: S, owner: champion, optional: true, fields: {x: {type: int, required: true}}, review: lead}\n"
)


def test_an_accepted_answer_is_looked_at_after_its_stage_was_left(begin: Any) -> None:
    """It becomes known, or whoever gave it hears that it was not taken."""
    for outcome, expected in (("accept", "done"), ("return", "cancelled")):
        run = begin(stage_one(OPTIONAL + T) + LAST)
        run.say("submit", "carla", item="survey", fields={"x": 3})
        run.say("complete", "dana", item="t")
        effects = len(run.effects)

        assert run.state.stages["one"].status is StageStatus.DONE
        assert run.say("decide", "lars", item="survey", outcome=outcome).outcome is OutcomeWord.ACCEPTED
        assert status(run, "survey") == expected
        assert ("x" in run.state.facts) == (outcome == "accept")
        if outcome == "return":
            assert (NoticeKind.RETRACTION, "carla") in told(run, effects)


def test_waiving_over_an_answer_keeps_the_answer(begin: Any) -> None:
    """It is looked at all the same, and pays the debt."""
    run = begin(stage_one(DOC + T) + LAST)
    run.say("submit", "carla", item="doc", fields={"x": 3})
    run.say("waive", "hanna", item="doc", reason="no time")
    run.say("complete", "dana", item="t")

    assert run.state.stages["one"].status is StageStatus.DONE
    assert status(run, "doc") == "in_review"
    run.say("decide", "lars", item="doc", outcome="accept")
    assert run.state.facts["x"].value == 3
    assert gates.open_debt(run.state) == 0


def test_a_reopened_optional_item_is_waited_for(begin: Any) -> None:
    """Its stage opens again and stays so until it is answered."""
    run = begin(stage_one(OPTIONAL + T) + LAST)
    run.say("complete", "dana", item="t")
    assert status(run, "survey") == "cancelled"
    effects = len(run.effects)

    assert run.say("reopen", "dana", items=["survey"], reason="we need it").status == "open"
    assert run.state.stages["one"].status is StageStatus.OPEN
    assert (NoticeKind.ASK, "carla") in told(run, effects)
    run.say("submit", "carla", item="survey", fields={"x": 3})
    run.say("decide", "lars", item="survey", outcome="accept")
    assert run.state.stages["one"].status is StageStatus.DONE


APPROVED = "    tasks: [{id: t, title: T}]\n    approvals: [{id: ok, title: OK, owner: head, needs: [t], decisions: {yes: pass, no: {reopen: [t]}}}]\n"


def test_a_new_round_is_asked_of_whoever_has_the_role(begin: Any) -> None:
    """Unless the item was given away by name."""
    for target, expected in (({"role": "onb"}, "lars"), ({"item": "t"}, "lars")):
        run = begin(stage_one(APPROVED))
        if "item" in target:
            run.say("reassign", "hanna", to="lars", **target)
        run.say("complete", "lars", item="t")
        if "role" in target:
            run.say("reassign", "hanna", to="lars", **target)
        run.say("decide", "hanna", item="ok", outcome="no", comment="not yet")

        assert run.state.items["t"].owner == expected
        assert run.state.items["t"].faults[0].sentence == "not yet"


def test_a_reassignment_inside_another_one_ends_in_its_order(begin: Any) -> None:
    """To lars until day 5, within it to hanna until day 3: hanna, lars, and then whoever has the role."""
    run = begin(stage_one(T))
    run.say("reassign", "hanna", item="t", to="lars", until="2026-12-04T09:00:00Z")
    run.say("reassign", "hanna", item="t", to="hanna", until="2026-12-02T09:00:00Z")
    run.say("reassign", "hanna", role="onb", to="ivy")

    assert run.state.items["t"].owner == "hanna"
    ring(run, at(4))
    assert run.state.items["t"].owner == "lars"
    ring(run, at(6))
    assert run.state.items["t"].owner == "ivy"


def test_whoever_an_item_was_taken_from_may_not_act_on_it(begin: Any) -> None:
    """Exactly one owner stays, with the deputies of the role."""
    run = begin(stage_one("    approvals: [{id: ok, title: OK, owner: onb}]\n"))
    run.say("reassign", "hanna", item="ok", to="hanna")

    assert run.say("decide", "dana", item="ok", outcome="approve").code == "not_entitled"
    assert run.say("decide", "hanna", item="ok", outcome="approve").code == "decided"


def test_what_the_customer_decides_is_never_given_to_us(begin: Any) -> None:
    """Neither the approval nor the role; and who loses a role hears of it."""
    run = begin(stage_one("    approvals: [{id: ok, title: OK, owner: champion}]\n"))
    effects = len(run.effects)

    assert run.say("reassign", "dana", item="ok", to="dana").code == "wrong_side"
    assert run.say("reassign", "dana", role="champion", to="lars").code == "wrong_side"
    assert run.say("reassign", "dana", role="head", to="dana").code == "reassigned"
    assert (NoticeKind.HANDOFF, "hanna") in told(run, effects)


def test_an_event_settles_a_request_whose_answer_is_still_checked(begin: Any) -> None:
    """The check neither undoes the event nor loses the answer."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, event: doc.signed, fields: {vat_id: {type: vat, required: true}},"
        " checks: [{activity: check_vat_id, blocks: true}]}]\n"
    )
    more = "signals: {doc.signed: {fulfils: doc}}\n"
    for ok in (True, False):
        run = begin(stage_one(items) + LAST + more)
        run.say("submit", "carla", item="doc", fields={"vat_id": "DE136695976"})
        run.say("happen", "integration:sign", event="doc.signed")
        check(run, "doc", ok=ok)

        assert status(run, "doc") == "done"
        assert ("vat_id" in run.state.facts) == ok


def test_a_hold_moves_the_end_of_a_waiver(begin: Any) -> None:
    """Hold stops every clock but its own review date."""
    run = begin(stage_one(DOC + T))
    run.say("waive", "hanna", item="doc", reason="later")
    before = run.state.debts[0].expires_at
    run.say("hold", "dana", reason="holidays")
    ring(run, at(15))
    run.say("resume", "dana", when=at(15))

    assert run.state.debts[0].expires_at == before + timedelta(days=14)
    assert not run.state.debts[0].expired


@pytest.mark.parametrize("outcome", ["skip", "pass"])
def test_late_work_stays_welcome_after_a_time_out(begin: Any, outcome: str) -> None:
    """The run went on; the answer becomes known and is marked late, once; a wrong one holds nothing up."""
    items = f"    requests: [{{id: doc, title: D, owner: champion, due: 1d, on_timeout: {outcome}, fields: {{x: {{type: int, required: true}}}}, review: lead}}]\n"
    run = begin(stage_one(items + T) + LAST)
    ring(run, at(4))
    run.say("complete", "dana", item="t")
    assert run.state.stages["one"].status is StageStatus.DONE

    assert run.say("submit", "carla", item="doc", fields={"x": 1}).code == "answered"
    run.say("decide", "lars", item="doc", outcome="return", comment="illegible")
    assert run.say("submit", "carla", item="doc", fields={"x": 2}).code == "answered"
    run.say("decide", "lars", item="doc", outcome="accept")
    assert run.state.facts["x"].value == 2
    assert run.say("submit", "carla", item="doc", fields={"x": 3}).outcome is OutcomeWord.CLOSED


def test_an_answer_ends_the_hold_that_its_absence_caused(begin: Any) -> None:
    """A ladder stood the run still; nobody has to remember to resume it."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, due: 1d, fields: {x: {type: int, required: true}},"
        " escalation: stop}]\n"
    )
    run = begin(stage_one(items + T))
    ring(run, at(4))
    assert run.state.status is RunStatus.ON_HOLD

    run.say("submit", "carla", item="doc", fields={"x": 1})
    assert run.state.status is RunStatus.RUNNING
    assert run.say("resume", "dana").code == "not_held"


def test_the_later_of_two_early_answers_counts(begin: Any) -> None:
    """The first one is not lost: the trail says that it was replaced."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, needs: [t], fields: {x: {type: int, required: true}}}]\n"
    )
    run = begin(stage_one(T + items) + LAST)
    for value in (1, 2):
        assert run.say("submit", "carla", item="doc", fields={"x": value}).outcome is OutcomeWord.HELD
    run.say("complete", "dana", item="t")

    assert run.state.facts["x"].value == 2
    assert [one.code for one in run.state.trail if one.message == "submit"] == ["held", "held", "replaced", "answered"]


def test_drafts_outlive_a_new_round(begin: Any) -> None:
    """What was typed in is never typed again."""
    items = "    requests: [{id: doc, title: D, owner: champion, needs: [t], fields: {x: {type: int, required: true}, y: {type: int, required: true}}}]\n"
    run = begin(stage_one(T + items) + LAST)
    run.say("complete", "dana", item="t")
    run.say("submit", "carla", item="doc", fields={"x": 1}, draft=True)
    run.say("reopen", "dana", items=["t"], reason="wrong")
    run.say("complete", "dana", item="t")

    assert run.say("submit", "carla", item="doc", fields={"y": 2}).code == "answered"
    assert {name: fact.value for name, fact in run.state.facts.items()} == {"x": 1, "y": 2}


def test_a_returned_waiver_waits_for_the_correction(begin: Any) -> None:
    """The approval does not pass on what it has just sent back."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, fields: {x: {type: int, required: true}}}]\n"
        "    approvals: [{id: ok, title: OK, owner: onb, needs: [doc], decisions: {yes: pass, no: {reopen: [doc]}}}]\n"
    )
    run = begin(stage_one(items))
    run.say("waive", "hanna", item="doc", reason="later")
    run.say("decide", "dana", item="ok", outcome="no")

    assert (status(run, "doc"), status(run, "ok")) == ("returned", "not_ready")
    assert gates.open_debt(run.state) == 0


def test_everybody_of_a_group_may_waive_where_the_group_may(begin: Any) -> None:
    """Not only the one who answers for it."""
    stages = "  - {id: one, title: One, owner: onb, tasks: [{id: t, title: T}], gate: {all: ['debt >= 0'], override: {by: [crew], reason: required}}}\n"
    run = begin(stages + LAST)

    assert run.say("waive", "ian", item="t", reason="because").code == "waived"


def test_whoever_gave_the_answer_is_not_asked_to_review_it(begin: Any) -> None:
    """The deputy is; where there is none, the owner of the stage."""
    run = begin(stage_one(DOC.replace("review: lead", "review: onb") + T))
    effects = len(run.effects)
    run.say("submit", "dana", item="doc", fields={"x": 1}, on_behalf_of="carla")

    assert (NoticeKind.ASK, "lars") in told(run, effects)
    assert run.state.items["doc"].status is ItemStatus.IN_REVIEW
    assert run.say("decide", "dana", item="doc", outcome="accept").code == "own_submission"
    assert run.say("decide", "lars", item="doc", outcome="accept").code == "accepted"


def test_a_gate_says_which_waiver_is_in_the_way(begin: Any) -> None:
    """And the time is ours, whatever optional things are open at the customer's."""
    run = begin(
        stage_one(DOC + T)
        + LAST.replace(
            "tasks: [{id: end, title: End}]",
            "requests: [{id: survey, title: S, owner: champion, optional: true, fields: {z: {type: int}}}], tasks: [{id: end, title: End}]",
        )
    )
    run.say("waive", "hanna", item="doc", reason="later")
    run.say("complete", "dana", item="t")
    run.say("complete", "dana", item="end")

    assert gates.unmet(run.plan, run.state, "last") == ("1 waiver is open: doc; deliver what was waived",)
    booking = run.state.booking
    assert booking is not None
    assert (str(booking.side), booking.who) == ("provider", "dana")


def test_an_early_answer_was_given_when_it_came(begin: Any) -> None:
    """The receipt time is the arrival, whenever its item opens."""
    items = (
        "    requests: [{id: doc, title: D, owner: champion, needs: [t], fields: {x: {type: int, required: true}}}]\n"
    )
    run = begin(stage_one(T + items) + LAST)
    run.say("submit", "carla", item="doc", fields={"x": 1}, when=at(2))
    run.say("complete", "dana", item="t", when=at(4))

    answer = run.state.items["doc"].answer
    assert answer is not None
    assert answer.at == at(2)


def test_whoever_answered_early_hears_that_it_was_not_needed(begin: Any) -> None:
    """They were told that it is kept."""
    items = (
        "    tasks: [{id: t, title: T, provides: {big: {type: bool, required: true}}}]\n"
        "    requests: [{id: doc, title: D, owner: champion, needs: [t], when: facts.big, fields: {x: {type: int, required: true}}}]\n"
    )
    run = begin(stage_one(items) + LAST)
    run.say("submit", "carla", item="doc", fields={"x": 1})
    effects = len(run.effects)
    run.say("complete", "dana", item="t", provides={"big": False})

    assert status(run, "doc") == "skipped"
    assert (NoticeKind.RETRACTION, "carla") in told(run, effects)


def test_no_review_waits_unnoticed(begin: Any) -> None:
    """Where a definition has no stall window, a week of nothing is told to the owner of the stage."""
    run = begin(stage_one(DOC))
    run.say("submit", "carla", item="doc", fields={"x": 1})
    effects = len(run.effects)
    ring(run, at(9))

    assert (NoticeKind.ESCALATION, "dana") in told(run, effects)
    assert run.state.stages["one"].stalled


def test_late_work_is_not_called_a_time_out(begin: Any) -> None:
    """Whatever the clock did before, what a person delivered has the outcome of a delivery."""
    tasks = "    tasks: [{id: t, title: T, due: 1d, clock: calendar, on_timeout: skip}, {id: u, title: U}]\n"
    requests = "    requests: [{id: doc, title: D, owner: champion, due: 1d, clock: calendar, on_timeout: skip, fields: {x: {type: int, required: true}}}]\n"
    run = begin(stage_one(tasks + requests) + LAST)
    ring(run, at(4))
    assert (run.state.items["t"].outcome, run.state.items["doc"].outcome) == ("timeout", "timeout")
    run.say("complete", "dana", item="t")
    run.say("submit", "carla", item="doc", fields={"x": 1})

    for name in ("t", "doc"):
        item = run.state.items[name]
        assert (item.status, item.outcome, item.late, item.tacit) == (ItemStatus.DONE, None, True, False)


def test_an_approval_goes_to_the_deputy_in_the_rows_too_when_four_eyes_bars_its_owner(begin: Any) -> None:
    """Acting on one item changes who has another: its row is written with the same turn."""
    items = (
        "    tasks: [{id: t, title: T}]\n"
        "    approvals:\n"
        "      - {id: first, title: F, owners: [onb, head], decisions: {yes: pass}}\n"
        "      - {id: second, title: S, owner: onb, decisions: {yes: pass}, four_eyes: [first]}\n"
    )
    run = begin(stage_one(items) + LAST)
    effects = len(run.effects)
    run.say("decide", "dana", item="first", outcome="yes")

    (rows,) = (effect for effect in run.effects[effects:] if isinstance(effect, WriteRecords))
    assert [(row.item, row.owner) for row in rows.items] == [("first", "hanna"), ("second", "lars")]
