"""The machine by tables: every transition, every refusal in its order, and who may say what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from onboarding.engine import gates, health, machine, people
from onboarding.engine.effects import DeliverNotice, NoticeKind, RunHook
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunOutcome, RunStatus, StageStatus
from onboarding.language.model import (
    Check,
    Condition,
    ConditionKind,
    Definition,
    FieldType,
    FileRule,
    Gate,
    ItemKind,
    LadderStep,
    Outcome,
    Override,
    SignalRule,
    StepAction,
)
from onboarding.language.units import Offset, parse_duration
from onboarding.messages import OutcomeWord
from onboarding.reading import items
from tests.support.builders import Run, a_definition, a_stage, an_item, at, papers, text
from tests.support.simulation import ROLES, order_of

YES = Outcome(name="yes", passes=True)
GIVEN = {"legal_name": "Acme"}


def a_world(**changes: Any) -> Run:
    """A run with items of every kind, deputies, a group, a review, a vote of two and four eyes.

    `changes` are changes of single items: `a_world(details={"checks": (...)})`.
    """
    later = {"needs": ("details",)}
    parts: dict[str, tuple[ItemKind, str, str, dict[str, Any]]] = {
        "details": (ItemKind.REQUEST, "one", "champion", {"fields": (text("legal_name"),), "due": "2bd"}),
        "papers": (ItemKind.REQUEST, "one", "champion", {"files": FileRule(min=2, types=("pdf",)), "review": "lead"}),
        "pack": (ItemKind.TASK, "one", "crew", {"provides": (text("scope"),), "due": "1bd"}),
        "extra": (ItemKind.TASK, "one", "lead", {"optional": True}),
        "vote": (ItemKind.APPROVAL, "one", "champion", {"owners": ("champion", "lead"), "quorum": 2, "needs": ("pack",),
                 "outcomes": (YES, Outcome(name="no", passes=False, reopen=("pack",), max_rounds=1, then="escalate"))}),
        "eyes": (ItemKind.APPROVAL, "one", "lead", {"four_eyes": ("pack",), "outcomes": (YES,), "needs": ("pack",)}),
        "call": (ItemKind.EVENT, "one", "lead", {"event": "call.held"}),
        "hook": (ItemKind.HOOK, "one", "lead", {"activity": "provision"}),
        "left_out": (ItemKind.TASK, "one", "lead", {"when": "input.legacy"}),
        "next_task": (ItemKind.TASK, "two", "lead", later),
        "next_ask": (ItemKind.REQUEST, "two", "champion", {"fields": (text("later"),)}),
        "next_call": (ItemKind.EVENT, "two", "lead", {"event": "call.later"}),
        "next_vote": (ItemKind.APPROVAL, "two", "lead", {"outcomes": (YES,)}),
    }  # fmt: skip
    items = tuple(
        an_item(name, kind, stage, **{"owner": owner, **more, **changes.get(name, {})})
        for name, (kind, stage, owner, more) in parts.items()
    )
    gate = Gate(
        all=(Condition(text="facts.legal_name", kind=ConditionKind.FACT, ref="legal_name"),),
        override=Override(by=("head",), expires=parse_duration("2bd")),
    )
    definition = a_definition(
        items=items,
        roles=ROLES,
        stages=(
            a_stage(
                "one", tuple(name for name, part in parts.items() if part[1] == "one"), gate=gate, milestone="begun"
            ),
            a_stage("two", tuple(name for name, part in parts.items() if part[1] == "two"), needs=("one",)),
        ),
        signals=(
            SignalRule(event="call.held", fulfils="call", match={"customer_id": "payload.who.id"}),
            SignalRule(event="call.later", fulfils="next_call", match={}),
        ),
        metrics=(),
    )
    return a_run_of(definition)


def a_run_of(definition: Definition) -> Run:
    """A run of this definition on day 1."""
    plan = Plan(order_of(definition))
    decision = machine.start(plan, at(1))
    return Run(plan=plan, state=decision.state, now=at(1), effects=list(decision.effects))


def status(run: Run, item: str) -> str:
    """Where an item is."""
    return str(run.state.items[item].status)


def notices(run: Run, kind: NoticeKind, since: int = 0) -> list[tuple[str, str | None]]:
    """To whom and about what, since the effect with this number."""
    sent = [effect.notice for effect in run.effects[since:] if isinstance(effect, DeliverNotice)]
    return [(one.to, one.item) for one in sent if one.kind is kind]


def finish_one(run: Run) -> None:
    """Everything of the first stage, in a way that nobody objects to."""
    run.say("submit", "customer:champion", item="details", fields=GIVEN)
    run.say("submit", "customer:champion", item="papers", files=papers())
    run.say("decide", "olga", item="papers", outcome="accept")
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    run.say("decide", "customer:champion", item="vote", outcome="yes")
    run.say("decide", "olga", item="vote", outcome="yes")
    run.say("decide", "olga", item="eyes", outcome="yes")
    run.say("happen", "integration:x", event="call.held")
    run.hook("hook")


# Who is who -----------------------------------------------------------------------------------------------------------

SUBMIT = ("submit", {"item": "details", "fields": GIVEN})
SUBMIT_FOR = ("submit", {"item": "details", "fields": GIVEN, "on_behalf_of": "champion"})
COMPLETE = ("complete", {"item": "pack", "provides": {"scope": "all"}})
HAPPEN = ("happen", {"event": "call.held"})
HOLD = ("hold", {"reason": "x"})
RESUME = ("resume", {})
EXTEND = ("extend", {"item": "details", "due": "2026-12-20T09:00:00Z", "reason": "x"})
SET_CALENDAR = ("set_calendar", {"calendar": "customer", "week": "mon-thu", "reason": "x"})
REASSIGN = ("reassign", {"item": "details", "to": "sid"})
NOTE = ("note", {"text": "x"})
WAIVE = ("waive", {"item": "details", "reason": "x"})
WAIVE_GATE = ("waive", {"condition": "facts.legal_name", "reason": "x"})
CANCEL = ("cancel", {"reason": "x"})
DECIDE = ("decide", {"item": "vote", "outcome": "yes"})
REVIEW = ("decide", {"item": "papers", "outcome": "accept"})
REOPEN = ("reopen", {"items": ["pack"], "reason": "x"})

PROVIDERS = ("olga", "henk", "ivy", "ian", "lead", "head", "crew")
CUSTOMERS = ("customer:champion", "sid", "champion", "signer")
OTHERS = ("unverified", "stranger", "integration:crm")

MAY: list[tuple[tuple[str, dict[str, Any]], tuple[str, ...]]] = [
    (SUBMIT, (*CUSTOMERS, "unverified")),
    (SUBMIT_FOR, (*CUSTOMERS, "unverified", "olga", "lead", "henk", "head")),
    (COMPLETE, ("ivy", "ian", "crew", "olga", "lead", "henk", "head")),
    (HAPPEN, (*PROVIDERS, "integration:crm")),
    (HOLD, PROVIDERS),
    (EXTEND, PROVIDERS),
    (REASSIGN, PROVIDERS),
    (SET_CALENDAR, PROVIDERS),
    (NOTE, (*PROVIDERS, *CUSTOMERS)),
    (WAIVE, ("henk", "head")),
    (WAIVE_GATE, ("henk", "head")),
    (CANCEL, PROVIDERS),
    (REOPEN, PROVIDERS),
    (DECIDE, ("customer:champion", "champion", "sid", "signer", "olga", "lead", "henk", "head")),
    (REVIEW, ("olga", "lead", "henk", "head")),
]


@pytest.mark.parametrize("actor", [*PROVIDERS, *CUSTOMERS, *OTHERS])
@pytest.mark.parametrize(("said", "may"), MAY, ids=[f"{name}-{n}" for n, ((name, _), _) in enumerate(MAY)])
def test_only_who_may_is_heard(said: tuple[str, dict[str, Any]], may: tuple[str, ...], actor: str) -> None:
    """The table of the contract, every message by every kind of person."""
    run = a_world()
    if said in (DECIDE, REOPEN):
        run.say("complete", "ida", item="pack", provides={"scope": "all"})
    if said is REVIEW:
        run.say("submit", "customer:champion", item="papers", files=papers())
    before = run.state
    verdict = run.say(said[0], actor, **said[1])

    if actor in may:
        assert OutcomeWord.ACCEPTED is verdict.outcome, verdict.sentence
    else:
        assert (verdict.outcome, verdict.code) == (OutcomeWord.FORBIDDEN, "not_entitled")
        assert before is run.state


def test_resume_is_for_our_side() -> None:
    """As hold."""
    for actor in (*PROVIDERS, *CUSTOMERS, *OTHERS):
        run = a_world()
        run.say("hold", "olga", reason="x")

        assert ("resumed" if actor in PROVIDERS else "not_entitled") == run.say("resume", actor).code


@pytest.mark.parametrize(
    ("actor", "handle"),
    [("lead", "olga"), ("crew", "ivy"), ("customer:signer", "sid"), ("OLGA", "olga"), ("sid", "sid")],
)
def test_a_role_stands_for_whoever_holds_it(actor: str, handle: str) -> None:
    """Also a contact role of somebody who has a handle of their own."""
    run = a_world()
    plan = Plan(
        replace(run.plan.order, inputs=CONTACTS_INPUT, definition=replace(run.plan.definition, inputs=CONTACT_FIELDS))
    )
    run.plan = plan
    run.say("note", actor, text="x")

    assert handle == run.state.trail[-1].actor


CONTACTS_INPUT = {
    "legacy": False,
    "contacts": [{"role": "champion", "handle": "customer:champion"}, {"role": "signer", "handle": "sid"}],
}
CONTACT_FIELDS = (*a_definition().inputs, text("contacts", type=FieldType.CONTACTS))


def test_what_our_side_owns_never_goes_to_the_customer() -> None:
    """A customer who held a provider role could hold, waive and cancel."""
    run = a_world()

    for target in ({"role": "head"}, {"stage": "one"}, {"item": "pack"}):
        assert run.say("reassign", "olga", **target, to="customer:champion").code == "wrong_side"
    assert run.say("reassign", "olga", item="details", to="signer").code == "reassigned"


# The order of refusal -------------------------------------------------------------------------------------------------


def used_id(run: Run) -> dict[str, Any]:
    """An id that was used for something else."""
    run.say("note", "olga", message_id="used", text="first")
    return {"message_id": "used"}


REFUSALS: list[tuple[str, str, str, dict[str, Any], OutcomeWord, str]] = [
    # What is wrong on purpose beside the first fault must not be told instead of it.
    ("unknown item before person", "submit", "stranger", {"item": "detals"}, OutcomeWord.UNKNOWN, "unknown_item"),
    ("unknown event before person", "happen", "stranger", {"event": "call.hold"}, OutcomeWord.UNKNOWN, "unknown_event"),
    ("unknown stage before person", "extend", "sid", {"stage": "ones", "due": "2020-01-01T00:00:00Z", "reason": "x"}, OutcomeWord.UNKNOWN, "unknown_stage"),
    ("unknown role before person", "reassign", "sid", {"role": "leed", "to": "sid"}, OutcomeWord.UNKNOWN, "unknown_role"),
    ("unknown condition before person", "waive", "sid", {"condition": "facts.x"}, OutcomeWord.UNKNOWN, "unknown_condition"),
    ("unknown item of several", "reopen", "sid", {"items": ["details", "x"], "reason": "r"}, OutcomeWord.UNKNOWN, "unknown_item"),
    ("unknown outcome before person", "decide", "stranger", {"item": "vote", "outcome": "yess"}, OutcomeWord.UNKNOWN, "unknown_outcome"),
    ("kind before person", "submit", "stranger", {"item": "pack"}, OutcomeWord.REJECTED, "wrong_kind"),
    ("kind: complete", "complete", "stranger", {"item": "details"}, OutcomeWord.REJECTED, "wrong_kind"),
    ("kind: decide", "decide", "stranger", {"item": "pack", "outcome": "yes"}, OutcomeWord.REJECTED, "wrong_kind"),
    ("kind: a hook is nobody's", "complete", "olga", {"item": "hook"}, OutcomeWord.REJECTED, "wrong_kind"),
    ("kind: an event", "submit", "olga", {"item": "call"}, OutcomeWord.REJECTED, "wrong_kind"),
    ("person before content", "submit", "stranger", {"item": "details", "fields": {"x": 1}}, OutcomeWord.FORBIDDEN, "not_entitled"),
    ("person before dates", "extend", "sid", {"item": "details", "due": "2020-01-01T00:00:00Z", "reason": "x"}, OutcomeWord.FORBIDDEN, "not_entitled"),
    ("person before whom", "reassign", "sid", {"item": "details", "to": "unverified"}, OutcomeWord.FORBIDDEN, "not_entitled"),
    ("person before reason", "waive", "olga", {"item": "details"}, OutcomeWord.FORBIDDEN, "not_entitled"),
    ("not needed", "complete", "olga", {"item": "left_out"}, OutcomeWord.CONFLICT, "not_needed"),
    ("too early to decide", "decide", "olga", {"item": "next_vote", "outcome": "yes"}, OutcomeWord.REJECTED, "not_open_yet"),
    ("nothing to review", "decide", "olga", {"item": "papers", "outcome": "accept"}, OutcomeWord.REJECTED, "not_open_yet"),
    ("content", "submit", "sid", {"item": "details", "fields": {"x": 1}}, OutcomeWord.REJECTED, "required"),
    ("content of facts", "complete", "ivy", {"item": "pack", "provides": {"scope": 5}}, OutcomeWord.REJECTED, "wrong_type"),
    ("files where none belong", "submit", "sid", {"item": "details", "fields": GIVEN, "files": papers(1)}, OutcomeWord.REJECTED, "unknown_field"),
    ("too few files", "submit", "sid", {"item": "papers", "files": papers(1)}, OutcomeWord.REJECTED, "too_few_files"),
    ("another customer's event", "happen", "olga", {"event": "call.held", "data": {"who": {"id": "c-2"}}}, OutcomeWord.REJECTED, "not_this_run"),
    ("a date in the past", "extend", "olga", {"item": "details", "due": "2020-01-01T00:00:00Z", "reason": "x"}, OutcomeWord.REJECTED, "in_past"),
    ("a date too far", "extend", "olga", {"item": "details", "due": "2199-01-01T00:00:00Z", "reason": "x"}, OutcomeWord.REJECTED, "too_far"),
    ("one target", "extend", "olga", {"item": "details", "stage": "one", "due": "2026-12-20T09:00:00Z", "reason": "x"}, OutcomeWord.REJECTED, "one_of"),
    ("some target", "reassign", "olga", {"to": "sid"}, OutcomeWord.REJECTED, "one_of"),
    ("nobody as owner", "reassign", "olga", {"item": "details", "to": "unverified"}, OutcomeWord.REJECTED, "not_a_person"),
    ("no such contact", "reassign", "olga", {"item": "details", "to": "customer:x"}, OutcomeWord.REJECTED, "unknown_person"),
    ("a waiver without reason", "waive", "henk", {"item": "details"}, OutcomeWord.REJECTED, "required"),
    ("a waiver in the past", "waive", "henk", {"item": "details", "reason": "x", "expires": "2020-01-01T00:00:00Z"}, OutcomeWord.REJECTED, "in_past"),
    ("a waiver too long", "waive", "henk", {"item": "details", "reason": "x", "expires": "2027-01-01T00:00:00Z"}, OutcomeWord.REJECTED, "too_far"),
    ("a stage that may not be waived", "waive", "henk", {"item": "next_task", "reason": "x"}, OutcomeWord.FORBIDDEN, "not_entitled"),
    ("a review date in the past", "hold", "olga", {"reason": "x", "review_at": "2020-01-01T00:00:00Z"}, OutcomeWord.REJECTED, "in_past"),
    ("nothing to resume", "resume", "olga", {}, OutcomeWord.CONFLICT, "not_held"),
    ("what is not done is not reopened", "reopen", "olga", {"items": ["details"], "reason": "x"}, OutcomeWord.CONFLICT, "not_done"),
    ("what is left out is not reopened", "reopen", "olga", {"items": ["left_out"], "reason": "x"}, OutcomeWord.CONFLICT, "not_needed"),
    ("what is not open has no date", "extend", "olga", {"item": "next_task", "due": "2026-12-20T09:00:00Z", "reason": "x"}, OutcomeWord.CONFLICT, "not_open"),
]  # fmt: skip


@pytest.mark.parametrize("via", ["update", "signal"])
@pytest.mark.parametrize(
    ("name", "actor", "content", "outcome", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_the_first_thing_wrong_is_told_and_nothing_changes(
    name: str, actor: str, content: dict[str, Any], outcome: OutcomeWord, code: str, via: str
) -> None:
    """Names, kind, entitlement, closed stage, decided item, content; a refused signal is counted and no more."""
    run = a_world()
    before, effects = run.state, len(run.effects)
    verdict = run.say(name, actor, via=via, **content)

    assert (outcome, code) == (verdict.outcome, verdict.code), verdict.sentence
    if via == "update":
        assert before is run.state
        assert effects == len(run.effects)
    else:
        counted = replace(before, refused=run.state.refused, refused_count=1)
        assert counted == run.state
        assert (code, name) == (run.state.refused[0].code, run.state.refused[0].name)


def test_a_known_id_comes_before_everything_but_the_shape() -> None:
    """Even in a closed run; with other content it is a conflict that says who used it."""
    run = a_world()
    run.say("note", "olga", message_id="used", text="first")
    reused = run.say("submit", "stranger", message_id="used", item="nonsense")
    run.say("cancel", "olga", reason="x")
    again = run.say("note", "olga", message_id="used", text="first")
    closed = run.say("submit", "stranger", item="nonsense")

    assert (reused.outcome, reused.code) == (OutcomeWord.CONFLICT, "id_reused")
    assert "'olga'" in reused.sentence
    assert (again.outcome, again.code) == (OutcomeWord.DUPLICATE, "noted")
    assert (closed.outcome, closed.code) == (OutcomeWord.CLOSED, "run_finished")


def test_a_closed_stage_comes_after_the_person_and_before_the_content() -> None:
    """With the day on which it was closed, and the way out."""
    run = a_world()
    finish_one(run)
    late = run.say("submit", "sid", item="details", fields={"nonsense": 1})
    stranger = run.say("submit", "stranger", item="details", fields={})

    assert StageStatus.DONE is run.state.stages["one"].status
    assert (late.outcome, late.code) == (OutcomeWord.CLOSED, "stage_closed")
    assert "2026-11-30" in late.sentence
    assert OutcomeWord.FORBIDDEN is stranger.outcome


def test_what_is_decided_is_decided() -> None:
    """With who and when."""
    run = a_world()
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    run.say("decide", "olga", item="eyes", outcome="yes")
    again = run.say("decide", "henk", item="eyes", outcome="yes")
    done = run.say("complete", "ian", item="pack", provides={})

    assert (again.outcome, again.code) == (OutcomeWord.CONFLICT, "already_decided")
    assert "olga on 2026-11-30 09:00 UTC (yes)" in again.sentence
    assert (done.outcome, done.code) == (OutcomeWord.CONFLICT, "already_done")


def test_a_verdict_stays_small_whatever_is_sent() -> None:
    """Hostile names, many faults: the answer is bounded, and says the first of them."""
    run = a_world()
    verdict = run.say("submit", "sid", item="details", fields={f"ü{n}" * 40: "x" * 50 for n in range(150)})

    assert OutcomeWord.REJECTED is verdict.outcome
    assert len(repr(verdict).encode()) < 16_384


# Transitions ----------------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_is_played_somewhere_here() -> None:
    """The table in `machine.TRANSITIONS` names statuses that exist."""
    known = {*map(str, ItemStatus)}

    for sources, _, target, _ in machine.TRANSITIONS:
        assert {one.strip() for one in sources.split(",")} <= known
        assert {one.strip() for one in target.split(",")} <= known


def test_what_needs_nothing_opens_at_the_start_and_what_is_left_out_is_skipped() -> None:
    """not_ready to open, with an ask or a hook; not_ready to skipped."""
    run = a_world()

    assert [status(run, name) for name in ("details", "papers", "pack", "call")] == ["open"] * 4
    assert (status(run, "vote"), status(run, "left_out")) == ("not_ready", "skipped")
    assert [effect.key for effect in run.effects if isinstance(effect, RunHook)] == ["onboarding/c-1/small/hook/1/hook"]
    assert ("customer:champion", "details") in notices(run, NoticeKind.ASK)


@pytest.mark.parametrize(
    ("name", "actor", "content", "item"),
    [
        ("submit", "sid", {"item": "next_ask", "fields": {"later": "x"}}, "next_ask"),
        ("complete", "olga", {"item": "next_task"}, "next_task"),
        ("happen", "integration:x", {"event": "call.later"}, "next_call"),
    ],
)
def test_what_comes_early_is_kept_and_applied_once(name: str, actor: str, content: dict[str, Any], item: str) -> None:
    """In the trail as held on arrival and as accepted on application, with one id."""
    run = a_world()
    held = run.say(name, actor, message_id="early", **content)
    again = run.say(name, actor, message_id="early", **content)
    finish_one(run)

    assert (held.outcome, again.outcome) == (OutcomeWord.HELD, OutcomeWord.DUPLICATE)
    assert status(run, item) == "done"
    assert [entry.outcome for entry in run.state.trail if entry.message_id == "early"] == ["held", "accepted"]
    assert run.state.held == ()
    assert (None, item) not in notices(run, NoticeKind.ASK)


def test_what_was_kept_for_nothing_is_refused_for_all_to_see() -> None:
    """Its item was never opened: the run ended before."""
    run = a_world()
    run.say("complete", "olga", message_id="early", item="next_task")
    run.say("cancel", "olga", reason="x")

    assert (run.state.refused[0].message_id, run.state.refused[0].code) == ("early", "run_finished")
    assert [entry.outcome for entry in run.state.trail if entry.message_id == "early"] == ["held", "closed"]


def test_an_answer_without_checks_is_done_and_its_values_are_facts() -> None:
    """open to answered to done, with a receipt."""
    run = a_world()
    run.say("submit", "sid", item="details", fields={"legal_name": " Acme "})

    assert status(run, "details") == "done"
    assert run.state.facts["legal_name"].value == " Acme "
    assert notices(run, NoticeKind.RECEIPT) == [("sid", "details")]


def test_a_draft_is_no_answer_and_is_completed_by_the_next_one() -> None:
    """Stored, no progress, merged."""
    run = a_world(details={"fields": (text("legal_name"), text("vat_id"))})
    kept = run.say("submit", "sid", item="details", fields={"vat_id": "DE1"}, draft=True)
    then = run.say("submit", "sid", item="details", fields=GIVEN)

    assert (kept.code, kept.status) == ("draft_kept", "open")
    assert (then.code, then.status) == ("answered", "done")
    assert {"legal_name", "vat_id"} == set(run.state.facts)


CHECKS = (Check(activity="look"), Check(activity="profile", blocks=False))


def check_key(run: Run, number: int, answer: int = 1, round_: int = 1) -> str:
    """The key of a check of `details`."""
    return f"{run.state.run}/details/{round_}/check{number}.{answer}"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("ok", 0)], "done"),
        ([("ok", 1)], "answered"),
        ([("no", 1), ("ok", 0)], "done"),
        ([("no", 0)], "returned"),
        ([("broken", 0)], "in_review"),
        ([("broken", 1), ("ok", 0)], "done"),
        ([("odd", 0)], "in_review"),
    ],
)
def test_a_check_decides_where_an_answer_goes(events: list[tuple[str, int]], expected: str) -> None:
    """Blocking ones hold it, advisory ones do not; one that cannot run makes it a person's job."""
    run = a_world(details={"checks": CHECKS})
    run.say("submit", "sid", item="details", fields=GIVEN)
    for how, number in events:
        come_back(run, check_key(run, number), how)

    assert expected == status(run, "details")


def come_back(run: Run, key: str, how: str) -> None:
    """A hook or check comes back."""
    from onboarding.engine.events import HookFailed, HookSucceeded

    if how == "broken":
        run.hear(HookFailed(at=run.now, key=key, code="gone", sentence="No answer."))
    else:
        faults = [{"place": "/fields/legal_name", "code": "unlike", "sentence": "Not in the register."}]
        result: Any = {"ok": {"ok": True}, "no": {"ok": False, "faults": faults}, "odd": "text"}[how]
        run.hear(HookSucceeded(at=run.now, key=key, result=result))


def test_a_failed_check_asks_again_with_what_is_wrong() -> None:
    """Round 2, a new ask with the fault, and the old check says nothing any more."""
    run = a_world(details={"checks": CHECKS})
    run.say("submit", "sid", item="details", fields=GIVEN)
    effects = len(run.effects)
    come_back(run, check_key(run, 0), "no")
    come_back(run, check_key(run, 0), "ok")
    again = run.effects[effects].notice  # type: ignore[union-attr]

    assert (run.state.items["details"].round, status(run, "details")) == (2, "returned")
    assert (again.template, again.to) == ("returned", "customer:champion")
    assert any("Not in the register." in line for line in again.lines)


def test_the_same_answer_again_is_checked_under_a_key_of_its_own() -> None:
    """Two checks in flight must never share a key; only the last one counts."""
    run = a_world(details={"checks": CHECKS[:1]})
    for _ in range(3):
        run.say("submit", "sid", item="details", fields=GIVEN)
    keys = [effect.key for effect in run.effects if isinstance(effect, RunHook) and effect.check is not None]
    come_back(run, keys[0], "no")

    assert len(set(keys)) == 3
    assert status(run, "details") == "answered"
    come_back(run, keys[2], "ok")
    assert status(run, "details") == "done"


def test_a_review_accepts_or_returns() -> None:
    """answered to in_review to done, or back with the comment; whoever gave the answer may not review it."""
    run = a_world()
    run.say("submit", "olga", item="papers", files=papers(), on_behalf_of="champion")
    own = run.say("decide", "olga", item="papers", outcome="accept")
    back = run.say("decide", "henk", item="papers", outcome="return", comment="unreadable")

    assert (own.outcome, own.code) == (OutcomeWord.FORBIDDEN, "own_submission")
    assert (back.code, back.status) == ("returned", "returned")
    assert run.state.items["papers"].faults[0].sentence == "unreadable"
    run.say("submit", "sid", item="papers", files=papers(3))
    assert run.say("decide", "olga", item="papers", outcome="accept").code == "accepted"
    assert status(run, "papers") == "done"


def test_a_hook_that_fails_becomes_a_persons_job() -> None:
    """And whoever owns it closes it like a task."""
    run = a_world()
    effects = len(run.effects)
    run.hook("hook", ok=False)
    told = run.say("complete", "olga", item="hook")

    assert notices(run, NoticeKind.ASK, effects) == [("olga", "hook")]
    assert (told.code, told.status) == ("completed", "done")


@pytest.mark.parametrize(
    ("word", "item", "run_status"), [("skip", "skipped", "running"), ("fail", "cancelled", "closed")]
)
def test_a_hook_that_fails_does_what_the_definition_says(word: str, item: str, run_status: str) -> None:
    """`on_failure`."""
    run = a_world(hook={"on_failure": word})
    run.hook("hook", ok=False)

    assert (item, run_status) == (status(run, "hook"), str(run.state.status))


def test_a_hook_may_tell_more_than_is_asked() -> None:
    """What the definition does not name is no fault of the activity."""
    run = a_world(hook={"provides": (text("tenant"),)})
    run.hook("hook", provides={"tenant": "t1", "more": "x"})

    assert (status(run, "hook"), run.state.facts["tenant"].value) == ("done", "t1")
    assert "more" not in run.state.facts


# Decisions ------------------------------------------------------------------------------------------------------------


def a_vote(*said: tuple[str, str], **changes: Any) -> tuple[Run, list[str]]:
    """A run in which these people decide one after the other, and the codes they heard."""
    run = a_world(vote=changes)
    run.say("complete", "ida", item="pack", provides={"scope": "all"})
    return run, [run.say("decide", actor, item="vote", outcome=outcome).code for actor, outcome in said]


THREE = {"owners": ("champion", "lead", "crew"), "quorum": 2}
GROUP = {"owner": "crew", "owners": ("crew",), "quorum": 2}
FINE = {"outcomes": (YES, Outcome(name="fine", passes=True))}


@pytest.mark.parametrize(
    ("said", "changes", "codes", "expected"),
    [
        ([("champion", "yes"), ("lead", "yes")], {}, ["counted", "decided"], "done"),
        ([("champion", "yes"), ("champion", "yes")], {}, ["counted", "already_decided"], "open"),
        ([("champion", "yes"), ("customer:champion", "no")], {}, ["counted", "already_decided"], "open"),
        ([("champion", "yes"), ("sid", "yes")], {}, ["counted", "already_decided"], "open"),
        ([("olga", "yes"), ("henk", "yes")], {}, ["counted", "already_decided"], "open"),
        ([("sid", "yes"), ("henk", "yes")], {}, ["counted", "decided"], "done"),
        ([("champion", "no")], {}, ["returned"], "not_ready"),
        ([("champion", "no"), ("olga", "yes"), ("ivy", "yes")], THREE, ["counted", "counted", "decided"], "done"),
        ([("champion", "no"), ("olga", "no")], THREE, ["counted", "returned"], "not_ready"),
        ([("ivy", "yes"), ("ian", "yes")], GROUP, ["counted", "decided"], "done"),
        ([("ivy", "no"), ("ian", "yes"), ("ida", "yes")], GROUP, ["counted", "counted", "decided"], "done"),
        ([("champion", "yes"), ("olga", "fine")], FINE, ["counted", "no_agreement"], "open"),
        ([("olga", "yes")], {"quorum": 1}, ["decided"], "done"),
    ],
)
def test_seats_and_not_voices_make_a_quorum(
    said: list[tuple[str, str]], changes: dict[str, Any], codes: list[str], expected: str
) -> None:
    """An owner and their deputy are two people and one seat; a refusal counts as soon as nothing can pass any more."""
    run, heard = a_vote(*said, **changes)

    assert (codes, expected) == (heard, status(run, "vote"))


def test_who_has_two_seats_takes_the_one_that_lets_others_speak() -> None:
    """henk stands in for olga and for himself; olga can only have her own."""
    run, codes = a_vote(("henk", "yes"), ("olga", "yes"), owners=("lead", "head"), owner="lead", quorum=2)

    assert codes == ["counted", "decided"]
    assert {vote.handle: vote.role for vote in run.state.items["vote"].votes} == {"henk": "head", "olga": "lead"}


def test_a_voice_goes_with_the_role() -> None:
    """Who lost the role before the decision was made has not decided."""
    run, _ = a_vote(("olga", "yes"))
    run.say("reassign", "henk", role="lead", to="eve")
    run.say("reassign", "henk", item="vote", to="customer:champion")

    assert run.say("decide", "champion", item="vote", outcome="yes").code == "counted"
    assert run.say("decide", "eve", item="vote", outcome="yes").code == "decided"


def test_four_eyes_are_of_two_people() -> None:
    """Neither who did it, nor for whom it was done, nor anybody who speaks for them."""
    run = a_world()
    run.say("complete", "olga", item="pack", provides={"scope": "all"}, on_behalf_of="ivy")

    for actor, more in (("olga", {}), ("lead", {}), ("henk", {"on_behalf_of": "olga"})):
        verdict = run.say("decide", actor, item="eyes", outcome="yes", **more)
        assert (verdict.outcome, verdict.code) == (OutcomeWord.FORBIDDEN, "same_person")
    run.say("reassign", "henk", item="eyes", to="ivy")
    assert run.say("decide", "ivy", item="eyes", outcome="yes").code == "same_person"
    assert run.say("decide", "olga", item="eyes", outcome="yes").code == "not_entitled"
    assert run.say("decide", "henk", item="eyes", outcome="yes").code == "decided"


def test_rounds_end_and_then_people_are_asked() -> None:
    """`max_rounds` and `then: escalate`: nothing goes back by itself a second time."""
    run, codes = a_vote(("olga", "no"))
    run.say("complete", "ida", item="pack", provides={"scope": "more"})
    effects = len(run.effects)
    second = run.say("decide", "olga", item="vote", outcome="no")

    assert codes == ["returned"]
    assert (second.code, second.status) == ("rounds_exhausted", "open")
    assert notices(run, NoticeKind.ESCALATION, effects) == [("olga", "vote")]


@pytest.mark.parametrize(("then", "expected"), [("fail", "cancelled"), ("skip", "skipped")])
def test_rounds_end_as_the_definition_says(then: str, expected: str) -> None:
    """`then: fail` ends the run, `then: skip` goes on without the decision."""
    back = Outcome(name="no", passes=False, reopen=("pack",), max_rounds=1, then=then)
    run, _ = a_vote(("olga", "no"), outcomes=(YES, back))
    run.say("complete", "ida", item="pack", provides={"scope": "more"})
    run.say("decide", "olga", item="vote", outcome="no")

    assert expected == status(run, "vote")
    assert (RunOutcome.LOST if then == "fail" else None) is run.state.outcome


# Reopening, waiving, leaving ------------------------------------------------------------------------------------------


def test_exactly_what_depended_on_it_is_open_again() -> None:
    """The stage is entered again, its milestone is not reached any more, facts are forgotten; the rest stays."""
    run = a_world()
    finish_one(run)
    run.say("reopen", "olga", items=["pack"], reason="wrong scope")

    assert (status(run, "pack"), run.state.items["pack"].round) == ("open", 2)
    assert [status(run, name) for name in ("vote", "eyes")] == ["not_ready", "not_ready"]
    assert [status(run, name) for name in ("details", "papers")] == ["done", "done"]
    assert (run.state.stages["one"].status, run.state.stages["one"].visit) == (StageStatus.OPEN, 2)
    assert (run.state.milestones, "scope" in run.state.facts) == ({}, False)


def test_a_stage_that_comes_after_a_reopened_one_waits_for_it() -> None:
    """What is open there stays open, nothing new opens, and it is not left."""
    run = a_world()
    finish_one(run)
    run.say("reopen", "olga", items=["pack"], reason="x")
    run.say("submit", "sid", item="next_ask", fields={"later": "x"})
    run.say("complete", "olga", item="next_task")
    run.say("decide", "olga", item="next_vote", outcome="yes")
    run.say("happen", "integration:x", event="call.later")

    assert StageStatus.OPEN is run.state.stages["two"].status
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    for actor, item in (("champion", "vote"), ("olga", "vote"), ("olga", "eyes")):
        run.say("decide", actor, item=item, outcome="yes")
    assert (run.state.status, run.state.outcome) == (RunStatus.CLOSED, RunOutcome.LIVE)


def test_a_waived_item_is_debt_until_it_is_paid() -> None:
    """Also in a stage that is closed; a payment that fails a check leaves it waived and reopens nothing."""
    run = a_world(details={"checks": CHECKS[:1]})
    run.say("waive", "henk", item="details", reason="trust")
    run.say("waive", "henk", condition="facts.legal_name", reason="trust")
    finish_one(run)
    assert (run.state.stages["one"].status, len(run.state.debts)) == (StageStatus.DONE, 2)

    run.say("submit", "sid", item="details", fields=GIVEN)
    come_back(run, check_key(run, 0, answer=2), "no")
    assert (status(run, "details"), run.state.stages["one"].status) == ("waived", StageStatus.DONE)

    run.say("submit", "sid", item="details", fields=GIVEN)
    come_back(run, check_key(run, 0, answer=3, round_=2), "ok")
    assert status(run, "details") == "done"
    assert [debt.settled_at is not None for debt in run.state.debts] == [True, True]


def test_a_waiver_ends_and_the_gate_closes_again() -> None:
    """People hear of it, the item is asked for again, the debt stays."""
    run = a_world()
    run.say("waive", "henk", item="details", reason="trust")
    effects = len(run.effects)
    run.wait(at(3, 9))

    assert (status(run, "details"), run.state.items["details"].round, run.state.debts[0].expired) == ("open", 2, True)
    assert {"olga", "henk"} == {to for to, _ in notices(run, NoticeKind.ESCALATION, effects) if to != "x"}


def test_a_condition_may_be_named_as_the_gate_shows_it() -> None:
    """The gate shows items by their ids; waiving such a line waives the item."""
    run = a_world()
    told = run.say("waive", "henk", condition="pack", reason="trust")

    assert (told.code, told.item, status(run, "pack")) == ("waived", "pack", "waived")
    assert run.say("waive", "henk", item="pack", reason="again").code == "already_done"


def test_who_comes_after_what_is_left_out_still_comes_after_what_was_before_it() -> None:
    """A skipped item or stage counts as met, but opens nothing earlier than it would have opened itself."""
    run = a_world(left_out={"needs": ("pack",)}, extra={"needs": ("left_out",)})

    assert (status(run, "left_out"), status(run, "extra")) == ("skipped", "not_ready")
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    assert status(run, "extra") == "open"


def test_a_stage_that_is_left_calls_off_what_is_optional() -> None:
    """Whoever was alarmed about it hears that it is settled."""
    alarm = (LadderStep(at=Offset(0), do=StepAction.NOTIFY, to=("head",)),)
    run = a_world(extra={"due": parse_duration("1h"), "ladder": alarm})
    run.wait(at(1, 11))
    effects = len(run.effects)
    finish_one(run)

    assert status(run, "extra") == "cancelled"
    assert ("henk", "extra") in notices(run, NoticeKind.RETRACTION, effects)


@pytest.mark.parametrize(("outcome", "expected"), [("lost", RunOutcome.LOST), ("cancelled", RunOutcome.CANCELLED)])
def test_a_cancelled_run_is_over(outcome: str, expected: RunOutcome) -> None:
    """Everything open is called off, and no ask leaves any more."""
    run = a_world()
    run.say("cancel", "olga", reason="x", outcome=outcome)

    assert (RunStatus.CLOSED, expected) == (run.state.status, run.state.outcome)
    assert not {"open", "not_ready"} & {str(item.status) for item in run.state.items.values()}
    assert machine.alarm_at(run.state) is None


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"), [("escalate", "open"), ("pass", "done"), ("skip", "skipped"), ("fail", "cancelled")]
)
def test_a_deadline_does_what_the_definition_says(word: str, expected: str) -> None:
    """Silence never approves unless the file says so, and then it is recorded as tacit."""
    run = a_world(pack={"on_timeout": word})
    run.wait(at(2, 9))
    current = run.state.items["pack"]

    assert (expected, True) == (status(run, "pack"), current.late or current.overdue or word == "fail")
    assert (word not in ("escalate",)) is any(entry.code == "tacit" for entry in run.state.trail)


def test_a_hold_moves_every_date_by_what_was_held_and_extensions_by_what_was_left() -> None:
    """Two days held, a date given on the second day of it: that one moves by a day."""
    run = a_world()
    run.say("hold", "olga", reason="x", when=at(1, 9))
    run.say("extend", "olga", item="pack", due="2026-12-10T09:00:00Z", reason="x", when=at(2, 9))
    run.say("resume", "olga", when=at(3, 9))

    assert at(5, 9) == run.state.items["details"].due_at
    assert at(11, 9) + timedelta(days=1) == run.state.items["pack"].due_at


def test_a_reassignment_with_an_end_goes_back() -> None:
    """The owner before has it again; nobody who had nothing is given anything."""
    run = a_world()
    run.say("reassign", "olga", item="details", to="sid", until="2026-12-01T12:00:00Z")
    assert run.state.items["details"].owner == "sid"
    run.wait(at(2, 12))

    assert run.state.items["details"].owner == "customer:champion"
    assert run.state.reverts == ()


def test_the_trail_holds_what_was_said() -> None:
    """A note is its text; a reason or comment stands beside what it was given for."""
    run = a_world()
    run.say("note", "olga", text="They merge in spring.")
    run.say("hold", "olga", reason="budget round")

    assert run.state.trail[-2].sentence == "They merge in spring."
    assert run.state.trail[-1].sentence.endswith("budget round")


def test_long_notes_do_not_outgrow_a_run() -> None:
    """The rows have all of them; the run carries what it can carry on."""
    run = a_world()
    for _ in range(60):
        run.say("note", "olga", text="x" * 4_000)

    assert sum(len(entry.sentence) for entry in run.state.trail) <= 131_072
    assert run.state.trail_count > 60


def test_a_new_owner_hears_of_what_is_theirs() -> None:
    """Items, stages and reviews of a role that went to somebody else; who had them hears of it once."""
    run = a_world()
    run.say("submit", "sid", item="papers", files=papers())
    effects = len(run.effects)
    run.say("reassign", "henk", role="lead", to="eve")
    run.say("reassign", "henk", role="lead", to="eve")

    assert notices(run, NoticeKind.ASK, effects) == [("eve", "papers")]
    assert notices(run, NoticeKind.HANDOFF, effects) == [("olga", None), ("eve", "extra"), ("eve", None)]


# What nobody foresaw --------------------------------------------------------------------------------------------------


def test_a_deadline_without_a_ladder_is_told_to_the_owner_of_the_stage() -> None:
    """No deadline passes unnoticed: once for each due instant, and who was told hears when it is settled."""
    run = a_world()

    run.wait(at(3))

    assert notices(run, NoticeKind.ESCALATION) == [("olga", "pack"), ("olga", "details")]
    assert run.state.escalations == 2
    assert health.health(run.plan, run.state) == "escalated"
    run.say("extend", item="pack", due="2026-12-03T09:00:00Z", reason="x")
    run.wait(at(5))
    assert notices(run, NoticeKind.ESCALATION).count(("olga", "pack")) == 2
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    assert ("olga", "pack") in notices(run, NoticeKind.RETRACTION)


def test_an_optional_deadline_alarms_nobody() -> None:
    """Nobody waits for it: it is late, and that is all."""
    run = a_world(extra={"optional": True, "due": parse_duration("1bd")}, pack={"due": None}, details={"due": None})

    run.wait(at(9))

    assert run.state.items["extra"].overdue
    assert [about for _, about in notices(run, NoticeKind.ESCALATION) if about] == []


def test_what_the_end_of_a_run_cut_off_was_not_met() -> None:
    """A lost run shows what was missing."""
    run = a_world()
    before = gates.progress(run.plan, run.state, "one")

    run.say("cancel", reason="they left", outcome="lost")

    assert run.state.items["papers"].status is ItemStatus.CANCELLED
    assert gates.progress(run.plan, run.state, "one") == before


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("hold", {"reason": "x", "review_at": "9999-12-31T00:00:00Z"}, "/review_at"),
        ("extend", {"item": "details", "due": "9999-12-31T00:00:00Z", "reason": "x"}, "/due"),
        ("reassign", {"item": "details", "to": "sid", "until": "9999-12-31T00:00:00Z"}, "/until"),
        ("waive", {"item": "details", "reason": "x", "expires": "9999-12-31T00:00:00Z"}, "/expires"),
    ],
)
def test_a_date_beyond_ten_years_is_a_slip_of_the_pen(name: str, content: dict[str, Any], place: str) -> None:
    """Wherever somebody gives a date."""
    verdict = a_world().say(name, "henk", **content)

    assert (verdict.code, verdict.faults[0].place) == ("too_far", place)


def test_whom_four_eyes_bars_is_not_waited_for() -> None:
    """Neither asked nor named: a deputy is, and where there is none the owner of the stage must find somebody."""
    run = a_world(pack={"owner": "lead"})
    run.say("complete", "olga", item="pack", provides={"scope": "all"})
    current = run.state.items["eyes"]
    assert current.status is ItemStatus.OPEN
    assert people.entitled_to_decide(run.plan, run.state, run.plan.items["eyes"]) != ("olga",)
    assert "olga" not in (items.waits_for(run.plan, run.state, run.plan.items["eyes"]) or "")
    assert ("olga", "eyes") not in notices(run, NoticeKind.ASK)


def test_a_new_owner_whom_nobody_knows_is_welcome_and_pointed_out() -> None:
    """A slip of the pen would otherwise put work where nobody looks."""
    run = a_world()

    slip = run.say("reassign", item="pack", to="olgaa")
    known = run.say("reassign", item="pack", to="henk")

    assert slip.outcome is OutcomeWord.ACCEPTED
    assert slip.sentence.endswith("Nobody in this run was called 'olgaa' before; did you mean 'olga'?")
    assert "Nobody" not in known.sentence


def test_of_several_names_the_wrong_one_is_told() -> None:
    """By its place: a sentence may be all that a sender sees."""
    verdict = a_world().say("reopen", items=["pack", "nope"], reason="x")

    assert verdict.code == "unknown_item"
    assert "(at /items/1)" in verdict.sentence


@pytest.mark.parametrize("field", ["note", "hold", "cancel"])
def test_a_reason_is_words(field: str) -> None:
    """White space is none: people read reasons later."""
    verdict = a_world().say(field, **{"text" if field == "note" else "reason": " \n "})

    assert (verdict.outcome, verdict.code) == (OutcomeWord.REJECTED, "no_words")
    assert verdict.sentence.endswith(f"(at /{'text' if field == 'note' else 'reason'})")


def test_what_is_overdue_is_at_risk() -> None:
    """Whatever its ladder marks: a run with something late in it is not on track, until that is settled."""
    step = LadderStep(at=Offset(1, parse_duration("5bd")), do=StepAction.NOTIFY, to=("head",))
    run = a_world(pack={"ladder": (step,)}, details={"due": None})

    run.wait(at(2, 10))
    assert run.state.items["pack"].overdue
    assert health.health(run.plan, run.state) == "at_risk"
    run.say("complete", "ivy", item="pack", provides={"scope": "all"})
    assert health.health(run.plan, run.state) == "on_track"
