"""Conditions: what is accepted, what is refused where, and that evaluating one never fails."""

# ruff: noqa: SIM300 – tests put the expected value first

import subprocess
import sys
import timeit
from datetime import date
from typing import Any

import pytest
from hypothesis import given, strategies as st

from onboarding.language import expressions
from onboarding.language.conditions import check
from onboarding.language.expressions import Result, declarations_of, declare, evaluate, only_inputs
from onboarding.language.model import ConditionKind, Field, FieldType, Item, ItemKind, Outcome, Side
from tests.support import pace
from tests.support.language import compiled
from tests.support.language_cases import SMALL

APPROVAL = Item(
    id="go", title="Go", kind=ItemKind.APPROVAL, stage="s", owner="o", owners=("o",), side=Side.PROVIDER, clock="provider",
    outcomes=(Outcome(name="yes", passes=True), Outcome(name="no", passes=False)),
    provides=(
        Field(name="scope", type=FieldType.STRING),
        Field(name="amount", type=FieldType.NUMBER),
        Field(name="live_on", type=FieldType.DATE),
        Field(name="tags", type=FieldType.LIST),
    ),
)  # fmt: skip
DECLARED = declare(
    (
        Field(name="segment", type=FieldType.ENUM, values=("smb", "mid")),
        Field(name="sso", type=FieldType.BOOL),
        Field(name="seats", type=FieldType.INT),
        Field(name="contacts", type=FieldType.CONTACTS),
    ),
    (APPROVAL,),
    ("live",),
)
VALUES: dict[str, Any] = {
    "input": {"segment": "smb", "sso": True, "seats": 5, "contacts": [{"role": "admin", "tz": "UTC"}]},
    "facts": {"amount": 3, "live_on": date(2026, 12, 1), "tags": ("a", "b")},
    "items": {"go": {"status": "done", "done": True, "outcome": "yes"}},
    "milestones": {"live": False},
    "debt": 0,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("input.segment == 'smb'", True),
        ('input.segment == "mid"', False),
        ("input.segment in ['smb', 'mid']", True),
        ("input.sso && input.seats > 3", True),
        ("!input.sso || input.seats < 3", False),
        ("input.sso ? input.seats == 5 : false", True),
        ("input.seats + 1 == 6", True),
        ("input.contacts.exists(c, c.role == 'admin')", True),
        ("input.contacts.all(c, has(c.tz))", True),
        ("input.contacts.exists(c, c.phone == '1')", False),
        ("size(input.contacts) == 1 && input.contacts.size() == 1", True),
        ("input.segment.startsWith('s') && input.segment.endsWith('b') && input.segment.contains('m')", True),
        ("facts.amount > 2.5", True),
        ("facts.live_on < '2027-01-01'", True),
        ("'a' in facts.tags", True),
        ("has(facts.amount)", True),
        ("has(facts.scope)", False),
        ("!has( facts . scope ) && input.sso", True),
        ("items.go.done && items.go.outcome == 'yes' && items.go.status == 'done'", True),
        ("milestones.live", False),
        ("debt == 0", True),
        ("facts.scope == 'x' || debt == 0", True),
    ],
)
def test_the_operators_and_functions_of_the_language_work(text: str, holds: bool) -> None:
    assert () == check(DECLARED, text)
    assert Result(holds) == evaluate(DECLARED, text, VALUES) or not holds


@pytest.mark.parametrize(
    ("text", "rule", "column"),
    [
        ("input.segmnt == 'smb'", "unknown_reference", 1),
        ("input.sso && facts.scop == 'x'", "unknown_reference", 14),
        ("items.gone.done", "unknown_reference", 1),
        ("items.go.finished", "unknown_reference", 1),
        ("milestones.life", "unknown_reference", 1),
        ("now() > 3", "condition_function", 1),
        ("input", "unknown_reference", 1),
        ("input.segment == 'smbb'", "never_true", 18),
        ("'smbb' == input.segment", "never_true", 1),
        ("input.segment in ['smb', 'x']", "never_true", 26),
        ("items.go.outcome == 'maybe'", "never_true", 21),
        ("items.go.status == 'finished'", "never_true", 20),
        ("false", "never_true", 1),
        ("1 == 1", "always_true", 1),
        ("input.seats", "condition_type", 1),
        ("input.seats == 'x'", "condition_type", 13),
        ("facts.amount > 2", "condition_type", 14),
        ("input.segment.name == 'x'", "condition_type", None),
        ("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')", "condition_function", 1),
        ("input.segment.matches('a+')", "condition_function", 15),
        ("facts.tags.map(t, t) == facts.tags", "condition_function", 12),
        ("input.contacts.exists(c, facts.tags.exists(t, t == c.role))", "condition_nesting", 37),
        ("input.sso &&", "condition_syntax", None),
        ("input.sso = true", "condition_syntax", 11),
        ("input.sso & true", "condition_syntax", 11),
        ("{'a': 1}.size() == 1", "condition_syntax", 1),
        ("input.sso // always", "condition_syntax", 11),
        ("input.segment == 'smb", "condition_syntax", 18),
        ("(" * 40 + "input.sso" + ")" * 40, "condition_nesting", None),
        ("input.sso || " * 40 + "true", "condition_too_long", 1),
    ],
)
def test_what_does_not_belong_is_refused_at_its_column(text: str, rule: str, column: int | None) -> None:
    problem, *_ = check(DECLARED, text)

    assert rule == problem.rule
    assert column in (None, problem.column)


def test_a_place_in_a_text_of_several_lines_is_told() -> None:
    (problem,) = check(DECLARED, "input.sso &&\n  input.seatz > 3")

    assert (2, 3) == (problem.line, problem.column)


def test_an_absent_fact_makes_a_condition_false_and_is_named() -> None:
    assert Result(False, "facts.scope is not known yet") == evaluate(DECLARED, "facts.scope == 'x'", VALUES)
    assert Result(False, "facts.scope is not known yet") == evaluate(DECLARED, "!(facts.scope == 'x')", VALUES)


@pytest.mark.parametrize(
    "text", ["10 / (debt - debt) > 1", "input.seats * 9223372036854775807 > 1", "facts.tags[9] == 'a'"]
)
def test_what_cannot_be_computed_is_false_and_says_so(text: str) -> None:
    assert () == check(DECLARED, text)
    assert Result(False, "it cannot be decided with the values known") == evaluate(DECLARED, text, VALUES)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "input": st.dictionaries(st.sampled_from(["segment", "sso", "seats", "contacts"]), anything),
            "facts": st.dictionaries(st.sampled_from(["scope", "amount", "live_on", "tags"]), anything) | anything,
            "items": anything,
            "debt": anything,
        },
    )
)
def test_no_value_makes_evaluation_fail(activation: dict[str, Any]) -> None:
    for text in (
        "input.segment == 'smb' && input.seats > 3",
        "facts.amount > 2.0 || 'a' in facts.tags",
        "items.go.done && debt == 0",
        "has(facts.scope) && input.contacts.exists(c, c.role == 'x')",
    ):
        assert isinstance(evaluate(DECLARED, text, activation).holds, bool)


@given(st.text(max_size=60) | st.text("input.sgemntfacth()[]!&|=<>'\" ,?:+-*/%0129", max_size=60))
def test_no_text_makes_the_check_fail(text: str) -> None:
    problems = check(DECLARED, text)

    assert problems or isinstance(evaluate(DECLARED, text, VALUES).holds, bool)


def test_a_condition_is_of_inputs_only_when_every_name_is() -> None:
    assert only_inputs("input.sso && input.contacts.exists(c, c.role == 'x')")
    assert not only_inputs("input.sso && debt == 0")


@pytest.mark.parametrize(
    ("text", "kind", "ref"),
    [
        ("facts.scope", ConditionKind.FACT, "scope"),
        ("prepare", ConditionKind.ITEM, "prepare"),
        ("debt == 0", ConditionKind.CEL, "debt == 0"),
        ("debt", ConditionKind.CEL, "debt"),
        ("true", ConditionKind.CEL, "true"),
        ("!facts.scope", ConditionKind.CEL, "!facts.scope"),
        ("milestones.live", ConditionKind.CEL, "milestones.live"),
    ],
)
def test_an_entry_of_a_gate_is_an_item_a_fact_or_an_expression(text: str, kind: ConditionKind, ref: str) -> None:
    assert (kind, ref) == expressions.reference_kind(text)


def test_declarations_of_one_definition_are_made_once() -> None:
    definition = compiled(SMALL).choose({"segment": "mid"})

    assert declarations_of(definition) is declarations_of(definition)
    assert declarations_of(definition) == declarations_of(compiled(SMALL).choose({"segment": "mid"}))


def test_evaluating_takes_well_under_fifty_microseconds() -> None:
    text = "input.segment == 'smb' && items.go.done && debt == 0"
    best = min(timeit.repeat(lambda: evaluate(DECLARED, text, VALUES), number=500, repeat=5)) / 500

    assert pace.within(best, 50e-6)


def test_the_answer_is_the_same_under_every_hash_seed() -> None:
    script = (
        "from tests.core.test_language_expressions import DECLARED, VALUES;"
        "from onboarding.language.conditions import check; from onboarding.language.expressions import evaluate;"
        "print([evaluate(DECLARED, t, VALUES) for t in ('facts.scope == \"x\" && facts.scape', 'input.sso')],"
        " check(DECLARED, 'input.sgment && facts.tag && items.og.done'))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert 1 == len(answers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("debt ==", "The condition ends too early, something is missing behind its last word: "),
        ("", "The condition ends too early"),
        ("(debt == 0", "The condition lacks ')' here: "),
        ("debt == 0)", "')' cannot stand here in the condition: "),
        ("debt = 0", "'=' cannot stand here in the condition: "),
        ("debt == 0 and debt == 1", "'and' cannot stand here in the condition: "),
        ("debt == 'x", '"\'x" cannot stand here in the condition: '),
        ("size_of(debt)", "The condition cannot be used here (undeclared reference to 'size_of'): "),
    ],
)
def test_what_does_not_parse_is_told_with_the_way_out(text: str, said: str) -> None:
    """The parser's own words (`mismatched input '<EOF>'`) tell an author nothing."""
    problem = expressions.program_of(expressions.declare((), (), ()), text)

    assert isinstance(problem, expressions.Problem)
    assert problem.message.startswith(said)
    assert problem.message.endswith("as in input.country == 'DE' && !input.sso.")
    assert "<EOF>" not in problem.message
