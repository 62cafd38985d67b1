"""The definitions we ship: each loads without a fault, measures time to value, and starts with its example input."""

# ruff: noqa: SIM300 – tests put the expected value first

from functools import partial

import pytest

from onboarding.engine.order_text import read_order, write_order
from onboarding.engine.orders import build_order
from onboarding.language.compile import Installation
from onboarding.language.model import Definition, ItemKind, Scale, Side
from runtime import library
from runtime.holidays_data import public_holidays
from runtime.zones import zone
from tools import make_docs

SHIPPED = ("b2b-standard", "document-intake", "quick-start")

HERE = Installation(
    activities=(
        "provision_tenant", "import_export", "configure_sso", "enable_production", "check_vat_id", "scan_file",
        "profile_export", "verify_documents",
    ),
    templates=("welcome", "received", "ask", "reminder", "escalation", "retraction", "returned", "completed", "handover"),
    groups=("implementation",),
    webhooks=(),
)  # fmt: skip

STAGES = {
    "b2b-standard": ["handoff", "intake", "kickoff", "setup", "validate_train", "go_live", "transition"],
    "document-intake": ["handoff", "kickoff", "collection", "setup", "training", "go_live", "transition"],
    "quick-start": ["welcome", "setup", "activation", "handoff"],
}

ASKS = {"b2b-standard": 6, "document-intake": 5, "quick-start": 3}


def every_definition(name: str) -> list[Definition]:
    """The plan itself and every set of variants that can hold."""
    return list(library.load(name, installation=HERE).definitions.values())


def asks(definition: Definition) -> int:
    """Separate things the customer is asked for when everything that can happen happens."""
    customer = {role.id for role in definition.roles if role.side is Side.CUSTOMER}
    asked = [
        item.bundle or item.id
        for item in definition.items
        if item.kind is ItemKind.REQUEST or (item.kind is ItemKind.APPROVAL and customer.intersection(item.owners))
    ]
    return len(set(asked))


def test_all_of_them_are_known_by_their_id() -> None:
    """A definition's file is named for its id, and nothing else lies beside them."""
    assert set(SHIPPED) <= set(library.known_ids())
    assert list(library.known_ids()) == [library.load(name).id for name in library.known_ids()]


@pytest.mark.parametrize("name", library.known_ids())
def test_each_loads_without_error_or_warning(name) -> None:
    """What we show to authors as good has no fault, not even under --strict."""
    assert [] == library.check_file(library.find(name), installation=HERE)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_has_the_stages_of_its_practice(name) -> None:
    """The number of stages is free: four and seven load alike."""
    assert STAGES[name] == [stage.id for stage in library.load(name).definitions[()].stages]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_asks_no_more_than_it_promises(name) -> None:
    """The worst case of asks stays within the budget, in every variant."""
    budget = library.load(name).definitions[()].contact.request_budget

    assert ASKS[name] == asks(library.load(name).definitions[()])
    assert budget is not None
    assert all(asks(definition) <= budget for definition in every_definition(name))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_measures_from_signature_to_first_value(name) -> None:
    """The headline number exists everywhere, in every variant: first value is set by a stage and measured with a goal."""
    for definition in every_definition(name):
        metrics = {metric.id: metric for metric in definition.metrics}

        assert "first_value" in [stage.milestone for stage in definition.stages]
        assert "input.signed_at" == metrics["time_to_first_value"].start
        assert metrics["time_to_first_value"].goal is not None
        assert {"time_to_live", "customer_wait", "asks_made"} <= set(metrics)


@pytest.mark.parametrize("name", SHIPPED)
def test_nobody_is_waited_for_without_a_deadline_and_a_ladder(name) -> None:
    """Whatever a person must do has a due date and somebody who hears when it passes."""
    for definition in every_definition(name):
        people = [item for item in definition.items if item.kind is not ItemKind.HOOK and not item.optional]

        assert [] == [item.id for item in people if item.due is None]
        assert [] == [item.id for item in people if item.kind is not ItemKind.EVENT and not item.ladder]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_starts_with_its_example_input(name) -> None:
    """The example fits, holds no address in the run, and is read back as it was written."""
    compiled = library.load(name, installation=HERE)
    given = library.read_mapping(library.DEFINITIONS / "examples" / f"{name}.input.yaml")

    order, directory = build_order(
        compiled,
        customer="c-1042",
        inputs=given,
        zones=partial(zone, from_year=2026, to_year=2029),
        holidays=lambda country, part: public_holidays(country, part, 2026, 2029),
        groups={},
        started_by="dana",
    )

    assert f"onboarding/c-1042/{name}" == order.run
    assert order == read_order(write_order(order))
    assert [] == [person.email for person in directory if person.email and f'"{person.email}"' in _inputs(order)]
    assert {role.id for role in order.definition.roles} == set(order.people)


def _inputs(order) -> str:
    return write_order(order).partition('"inputs":')[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scale_changes_durations_and_hash_and_nothing_else(name) -> None:
    """The demo runs the same plan in compressed time, and says so in the hash."""
    plain, scaled = library.load(name), library.load(name, scale=Scale(business_day=8, business_hour=1))

    assert plain.hash != scaled.hash
    assert [item.id for item in plain.definitions[()].items] == [item.id for item in scaled.definitions[()].items]
    assert not any(item.due.is_business for item in scaled.definitions[()].items if item.due)


def test_the_smallest_definition_of_the_guide_loads(tmp_path) -> None:
    """What the README shows to authors is true."""
    text = (library.DEFINITIONS / "README.md").read_text(encoding="utf-8")
    example = tmp_path / "hello.yaml"
    example.write_text(
        text.partition("## The smallest definition\n\n```yaml\n")[2].partition("```")[0], encoding="utf-8"
    )

    assert [] == [fault for fault in library.check_file(example, installation=HERE) if fault.severity == "error"]
    assert "hello" == library.load(str(example), installation=HERE).id


def test_the_keyword_list_of_the_guide_is_that_of_the_grammar() -> None:
    """The list is generated; `python tools/make_docs.py` brings it up to date."""
    assert make_docs.readme() == (library.DEFINITIONS / "README.md").read_text(encoding="utf-8")
