"""Taking back what hooks did: exactly what was done, the last first, one at a time, whatever comes twice or fails."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from onboarding.engine import machine
from onboarding.engine.effects import DeliverNotice, NoticeKind, RunHook
from onboarding.engine.events import HookFailed, HookSucceeded
from onboarding.engine.order_text import read_order, write_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.language.model import ItemKind
from onboarding.messages import OutcomeWord
from onboarding.reading import views
from tests.support.builders import Run, a_definition, a_run, a_stage, an_item, an_order, at, text

NAMES = ("a", "b", "c", "d", "e")


def a_run_of_hooks(undo: tuple[str, ...], on_failure: str = "task") -> Run:
    """Five hooks that are called at once, and a task that keeps the run open. Those of `undo` can be taken back."""
    hooks = tuple(
        an_item(
            name, ItemKind.HOOK, "work", "lead", activity=f"make_{name}", undo=f"unmake_{name}" if name in undo else None,
            provides=(text(f"id_{name}", required=False),), on_failure=on_failure, with_facts=("company",),
        )
        for name in NAMES
    )  # fmt: skip
    items = (*hooks, an_item("talk", ItemKind.TASK, "work", "lead"))
    definition = a_definition(stages=(a_stage("work", (*NAMES, "talk")),), items=items, signals=(), metrics=())
    return a_run(an_order(definition))


def undoing(run: Run) -> list[RunHook]:
    """What was called to take something back, in order."""
    return [one for one in run.effects if isinstance(one, RunHook) and one.key.endswith("/undo")]


def answer(run: Run, call: RunHook, how: str) -> None:
    """The undo comes back so."""
    when = run.now + timedelta(seconds=1)
    if how == "fails":
        run.hear(HookFailed(at=when, key=call.key, code="http_503", sentence="The other side answered 503."))
    else:
        run.hear(HookSucceeded(at=when, key=call.key, result={"ok": True} if how == "ok" else {"ok": False}))


def comes_back(run: Run, name: str, how: str) -> list[tuple[NoticeKind, str | None]]:
    """A hook that was at work when the run ended comes back so, twice; who is told of it."""
    key, when, before = f"{run.state.run}/{name}/1/hook", run.now + timedelta(seconds=1), len(run.effects)
    for _ in range(2):
        if how == "fails":
            run.hear(HookFailed(at=when, key=key, code="called_back", sentence="It was called back."))
        else:
            provides = {f"id_{name}": f"made-{name}"}
            run.hear(HookSucceeded(at=when, key=key, result={"ok": how == "ok", "provides": provides}))
    told = [one.notice for one in run.effects[before:] if isinstance(one, DeliverNotice)]
    return [(one.kind, one.item) for one in told]


@settings(max_examples=150)
@given(
    order=st.permutations(NAMES),
    done=st.integers(0, len(NAMES)),
    undo=st.sets(st.sampled_from(NAMES)),
    how=st.lists(st.sampled_from(("ok", "fails", "says no")), min_size=5, max_size=5),
    late=st.lists(st.sampled_from(("ok", "fails", "says no")), min_size=5, max_size=5),
    twice=st.booleans(),
)
def test_what_was_done_is_taken_back_once_and_in_reverse(
    order: list[str], done: int, undo: set[str], how: list[str], late: list[str], twice: bool
) -> None:
    """Whatever order hooks came back in, before the end and after it, whichever can be undone, however each undo ends, and with every
    answer heard twice."""
    run = a_run_of_hooks(tuple(sorted(undo)))
    for n, name in enumerate(order[:done]):
        run.hook(name, when=at(1, 10, n), provides={f"id_{name}": f"made-{name}"})
    assert [] == undoing(run)

    run.say("cancel", "olga", when=at(2), reason="budget")

    expected = [name for name in reversed(order[:done]) if name in undo]
    for n, name in enumerate(one for one in order[done:] if one in undo):
        assert [] == undoing(run), "nothing is touched while a hook is at work"
        told = comes_back(run, name, late[n])
        assert ([(NoticeKind.ESCALATION, name)] if late[n] == "fails" else []) == told
        expected = [name, *expected] if late[n] == "ok" else expected
    ended = len(run.state.trail)
    for n, name in enumerate(expected):
        called = undoing(run)
        assert [f"unmake_{one}" for one in expected[: n + 1]] == [one.activity for one in called]
        assert f"made-{name}" == called[-1].arguments["facts"][f"id_{name}"], "what it takes to find its work again"
        before = len(run.effects)
        answer(run, called[-1], how[n])
        told = [one.notice for one in run.effects[before:] if isinstance(one, DeliverNotice)]
        assert ([] if how[n] == "ok" else [(NoticeKind.ESCALATION, name)]) == [(one.kind, one.item) for one in told]
        if twice:
            after = run.state, len(run.effects)
            answer(run, called[-1], "ok")
            assert after == (run.state, len(run.effects)), "an answer that comes again changes nothing"

    assert len(expected) == len(undoing(run)) == len({one.key for one in undoing(run)})
    assert () == run.state.undo
    assert () == run.state.at_work
    codes = [(one.item, one.outcome) for one in run.state.trail[ended:] if one.message == "hook"]
    assert codes == [(name, "accepted" if how[n] == "ok" else "rejected") for n, name in enumerate(expected)]
    assert (RunStatus.CLOSED, at(2)) == (run.state.status, run.state.closed_at)


def test_while_it_is_undone_a_run_answers_as_one_that_has_ended() -> None:
    """Messages are closed, its clock stands, its numbers do not move."""
    run = a_run_of_hooks(("a",))
    run.hook("a")
    run.say("cancel", "olga", when=at(2), reason="budget")
    ledger = views.ledger(run.plan, run.state, at(2))

    assert OutcomeWord.CLOSED is run.say("note", "olga", when=at(3), text="late").outcome
    assert machine.alarm_at(run.state) is None
    answer(run, undoing(run)[-1], "ok")

    assert ledger == views.ledger(run.plan, run.state, at(4))
    assert "closed" == views.status(run.plan, run.state, at(4))["state"]


def test_a_run_that_a_hook_ends_is_undone_as_well() -> None:
    """`on_failure: fail` ends it as lost."""
    run = a_run_of_hooks(("a", "b"), on_failure="fail")
    run.hook("a")
    run.hook("b", ok=False)

    assert ["unmake_a"] == [one.activity for one in undoing(run)]


def test_each_round_of_a_hook_is_taken_back_with_what_it_gave() -> None:
    """A second round has made a second thing: reopening has taken the facts of the first one away, and its work is still there."""
    run = a_run_of_hooks(("a",))
    run.hook("a", provides={"id_a": "first"})
    run.say("reopen", "olga", items=["a"], reason="again")
    run.hook("a", provides={"id_a": "second"})
    for name in NAMES[1:]:
        run.hook(name)
    run.say("cancel", "olga", when=at(2), reason="budget")
    answer(run, undoing(run)[-1], "fails")
    answer(run, undoing(run)[-1], "fails")

    keys = [f"{run.state.run}/a/{n}/undo" for n in (2, 1)]
    assert keys == [one.key for one in undoing(run)]
    assert ["second", "first"] == [one.arguments["facts"]["id_a"] for one in undoing(run)]
    told = [
        one.notice.key for one in run.effects if isinstance(one, DeliverNotice) and "Not taken" in one.notice.subject
    ]
    assert 2 == len(set(told)), "the owner hears of both"


def test_a_hook_that_ends_the_run_is_not_waited_for() -> None:
    """It has failed; but another one is at work, and what is done is touched when that one is back."""
    run = a_run_of_hooks(("a", "b", "c"), on_failure="fail")
    run.hook("a")
    run.hook("b", ok=False)

    assert ("c",) == run.state.at_work
    assert [] == undoing(run)
    comes_back(run, "c", "fails")
    assert ["unmake_a"] == [one.activity for one in undoing(run)]


def test_what_is_left_to_undo_travels_with_the_run() -> None:
    """Across continue-as-new, and to a worker of a later release."""
    run = a_run_of_hooks(("a", "b"))
    run.hook("a")
    run.hook("b")
    carried: Any = read_order(write_order(an_order(run.plan.definition, snapshot=run.state)))

    assert (("a", 1), ("b", 1)) == tuple((one.item, one.round) for one in carried.snapshot.undo)
    assert "unmake_a" == Plan(carried).items["a"].undo


@pytest.mark.parametrize("undo", [(), ("a",)])
def test_hooks_that_cannot_be_undone_leave_a_cancelled_run_as_it_was(undo: tuple[str, ...]) -> None:
    """Nothing is called for them, and nothing else in the decision differs."""
    run = a_run_of_hooks(undo)
    run.hook("b")
    run.say("cancel", "olga", when=at(2), reason="budget")

    assert [] == undoing(run)
