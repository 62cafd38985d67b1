"""Checks that could not be made and hooks that were passed over: whoever goes on without them hears of it, and `why` says so."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboarding.engine import rules
from onboarding.engine.effects import DeliverNotice, Notice, NoticeKind
from onboarding.engine.events import HookFailed, HookSucceeded
from onboarding.engine.records import whole
from onboarding.language.model import Check, Definition, Item, Role, RoleSource, Side
from onboarding.reading import views
from tests.support.builders import Run, a_definition, a_run, an_order, at

TOLD = rules.TELLS_WHY_A_HOOK_FAILED
SAID = "The check vat could not be made: The other side answered 404 (http_404)."
CHECKED: dict[str, Any] = {
    "checks": (Check(activity="vat", blocks=True), Check(activity="size", blocks=False)),
    "review": "lead",
}


def begun(item: str, *, version: int = TOLD, **changes: Any) -> Run:
    """A run of the small definition in which one item is another one."""
    given = a_definition()
    items = tuple(replace(one, **changes) if one.id == item else one for one in given.items)
    return of(a_definition(items=items), version)


def of(definition: Definition, version: int = TOLD) -> Run:
    """A run that began with these rules."""
    return a_run(an_order(definition, rules_version=version))


def answered(**changes: Any) -> Run:
    """The customer has answered; both checks are on their way."""
    run = begun("details", **{**CHECKED, **changes})
    return answer(run)


def answer(run: Run) -> Run:
    """The customer answers, perhaps once more."""
    run.say("submit", "customer:champion", item="details", fields={"legal_name": "Acme", "vat_id": "DE1"})
    return run


def check(run: Run, index: int, *, ok: bool | None = None) -> None:
    """A check of the present answer comes back, or fails for good."""
    current = run.state.items["details"]
    key = f"{run.state.run}/details/{current.round}/check{index}.{current.answers}"
    if ok is None:
        run.hear(HookFailed(at=run.now, key=key, code="http_404", sentence="The other side answered 404."))
    else:
        run.hear(HookSucceeded(at=run.now, key=key, result={"ok": ok}))


def told(run: Run, to: str) -> list[Notice]:
    """What somebody was told, the latest last."""
    return [one.notice for one in run.effects if isinstance(one, DeliverNotice) and one.notice.to == to]


def why(run: Run, item: str) -> str:
    """The answer to why."""
    return str(views.why(run.plan, run.state, item, run.now)["sentence"])


@pytest.mark.parametrize("review", ["lead", None])
def test_a_reviewer_hears_which_check_could_not_be_made_and_why(review: str | None) -> None:
    """Also the owner of the stage, who looks at it only because of that: an answer must not be accepted as one that passed."""
    run = answered(review=review)
    check(run, 0)
    ask = told(run, "olga")[-1]

    assert (NoticeKind.ASK, "Please review: Title of details") == (ask.kind, ask.subject)
    assert SAID in ask.lines
    assert "the check vat could not be made: The other side answered 404 (http_404)" in why(run, "details")
    waiting = [one.waits_for for one in whole(run.plan, run.state).waiting if one.item == "details"]
    assert waiting
    assert all("the check vat could not be made" in one for one in waiting)


def test_a_check_that_only_advises_and_could_not_be_made_is_told_as_well() -> None:
    """Where it fails before the others are back; `why` says it whenever it was."""
    run = answered()
    check(run, 1)
    check(run, 0, ok=True)

    assert [line for line in told(run, "olga")[-1].lines if "could not" in line] == [SAID.replace("vat", "size")]
    run.say("decide", item="details", outcome="accept")
    assert "was done by olga" in why(run, "details")
    assert "the check size could not be made" in why(run, "details")


def test_checks_of_another_answer_are_not_told() -> None:
    """A correction is checked anew, and so is a new round."""
    run = answered()
    check(run, 0)
    answer(run)
    check(run, 0, ok=True)

    assert "could not" not in why(run, "details") + "".join(told(run, "olga")[-1].lines)
    answer(run)
    check(run, 0)
    run.say("decide", item="details", outcome="return", comment="Not yet.")
    assert () == run.state.items["details"].not_made


def test_whoever_takes_over_a_review_hears_of_the_check_too() -> None:
    """By another holder of the role, for somebody who is away, and as the member of a group whose turn it is."""
    for takes in (
        lambda run: run.say("reassign", role="lead", to="henk"),
        lambda run: run.say("absence", person="olga", since=at(1).isoformat(), until=at(9).isoformat(), to="henk"),
    ):
        run = answered()
        check(run, 0)
        assert "accepted" == takes(run).outcome

        about = [one for one in told(run, "henk") if one.item == "details"]
        assert about
        assert SAID in about[-1].lines

    crew = Role(id="crew", side=Side.PROVIDER, source=RoleSource.GROUP, ref="crew")
    given = a_definition()
    items = tuple(_reviewed_by(one, "crew") for one in given.items)
    order = an_order(a_definition(items=items, roles=(*given.roles, crew)), rules_version=TOLD)
    run = answer(a_run(replace(order, people={**order.people, "crew": ("ida", "lars")})))
    check(run, 0)
    before = run.state.items["details"].reviewer
    after = {"ida": "lars", "lars": "ida"}[before]
    run.say("reassign", item="details", to=after)

    assert SAID in told(run, before)[0].lines
    assert SAID in told(run, after)[-1].lines


def _reviewed_by(item: Item, role: str) -> Item:
    return replace(item, **{**CHECKED, "review": role}) if item.id == "details" else item


@pytest.mark.parametrize(
    ("word", "said"),
    [("skip", "was skipped on 2026-11-30 09:00 UTC (failed)"), ("fail", "ended the run on 2026-11-30 09:00 UTC")],
)
def test_why_says_why_a_hook_was_passed_over_or_ended_the_run(word: str, said: str) -> None:
    """`on_failure`: code and sentence stand there, whatever it says."""
    run = begun("provision", on_failure=word, stage="intake")
    run.hook("provision", ok=False)

    assert f'"Title of provision" {said}; its hook failed: It broke (broken).' == why(run, "provision")


def test_why_of_a_waived_hook_says_that_it_failed_as_well() -> None:
    """Nobody waits for it, and nobody must take it for done."""
    run = begun("provision", stage="intake", on_failure="skip")
    run.say("waive", "henk", item="provision", reason="they are new")
    run.hook("provision", ok=False)

    assert "waived" == run.state.items["provision"].status
    assert why(run, "provision").endswith("; its hook failed: It broke (broken).")


@pytest.mark.parametrize("version", [rules.FIRST, TOLD - 1])
def test_runs_that_began_before_that_rule_go_on_as_they_did(version: int) -> None:
    """Their histories hold what they have told."""
    run = answer(begun("details", version=version, **CHECKED))
    check(run, 0)
    hook = begun("provision", version=version, on_failure="skip", stage="intake")
    hook.hook("provision", ok=False)

    assert ("Title of details was answered and waits for you: accept or return.", 2) == (
        told(run, "olga")[-1].lines[0],
        len(told(run, "olga")[-1].lines),
    )
    assert ((), ()) == (run.state.items["details"].not_made, hook.state.items["provision"].not_made)
