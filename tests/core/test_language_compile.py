"""A definition is compiled with every default filled in, a hash that covers what counts, and the variant asked for."""

# ruff: noqa: SIM300 – tests put the expected value first

import dataclasses
import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from onboarding.errors import DefinitionInvalid
from onboarding.language.compile import compile_definition
from onboarding.language.installation import Installation
from onboarding.language.keywords import json_schema, keywords
from onboarding.language.model import ConditionKind, Definition, Item, Scale, Side, StepAction
from onboarding.language.units import Duration, Offset, Share, Unit
from runtime.library import check_text, parse
from tests.support.language import compiled
from tests.support.language_cases import SMALL

DATA = Path(__file__).parent / "data"
SEVEN = Installation(
    activities=(
        "provision_tenant", "import_export", "configure_sso", "enable_production", "check_vat_id", "scan_file", "profile_export",
    ),
    templates=("welcome", "received"),
    groups=("implementation",),
)  # fmt: skip
LARGE = {"segment": "large", "sso": True, "seats": 5}
TINY = {"segment": "smb", "sso": True, "seats": 5}


def item(definition: Definition, name: str) -> Item:
    return next(each for each in definition.items if each.id == name)


def small(scale: Scale | None = None) -> Definition:
    return compiled(SMALL, scale).choose(LARGE)


def test_the_example_of_the_language_uses_what_is_not_built_and_nothing_else_is_wrong() -> None:
    errors = [
        f for f in check_text((DATA / "seven-stages.yaml").read_bytes(), installation=SEVEN) if f.severity == "error"
    ]

    assert {"not_built_yet"} == {fault.rule for fault in errors}
    assert ["portal", "retention.files", "retention.redact_on_close", "on_new_version"] == [
        fault.place for fault in errors
    ]


def test_the_example_without_it_compiles() -> None:
    file = compile_definition(parse((DATA / "seven-stages-built.yaml").read_bytes()), SEVEN)
    definition = file.choose({"segment": "mid"})

    assert 7 == len(definition.stages)
    assert 26 == len(definition.items)
    assert ("smb", "enterprise") == file.variants


def test_a_task_takes_the_owner_of_its_stage_and_his_clock() -> None:
    prepare = item(small(), "prepare")

    assert ("manager", ("manager",), Side.PROVIDER, "provider") == (
        prepare.owner, prepare.owners, prepare.side, prepare.clock,
    )  # fmt: skip


def test_a_request_takes_what_the_defaults_of_its_kind_say() -> None:
    details = item(small(), "details")

    assert ("champion", Side.CUSTOMER, "customer") == (details.owner, details.side, details.clock)
    assert Duration(3, Unit.BUSINESS_DAY) == details.due
    assert [Offset(-1, Duration(1, Unit.BUSINESS_DAY)), Offset(0), None] == [step.at for step in details.reminders]
    assert [Share(80), Offset(0), Offset(1, Duration(2, Unit.BUSINESS_DAY))] == [step.at for step in details.ladder]
    assert "received" == details.confirm
    assert "escalate" == details.on_timeout


def test_none_switches_a_plan_of_the_defaults_off() -> None:
    text = SMALL.replace(
        "      - id: signature", "      - id: signature\n        reminders: none\n        escalation: none"
    )
    signature = item(compiled(text).choose(LARGE), "signature")

    assert () == signature.reminders
    assert () == signature.ladder


def test_reassign_without_a_name_turns_to_the_deputy() -> None:
    text = SMALL.replace("do: reassign, to: deputy", "do: reassign")
    step = item(compiled(text).choose(LARGE), "details").ladder[1]

    assert (StepAction.REASSIGN, ("deputy",)) == (step.do, step.to)


def test_an_event_belongs_to_the_outside_unless_it_names_an_owner() -> None:
    text = SMALL.replace("    hooks:\n", "    events:\n      - {id: paid, title: Paid, event: bank.paid}\n    hooks:\n")
    text += "  bank.paid: {fulfils: paid, match: {customer_id: payload.id}}\n"
    paid = item(compiled(text).choose(LARGE), "paid")
    owned = item(compiled(text.replace("title: Paid", "title: Paid, owner: champion")).choose(LARGE), "paid")

    assert (Side.THIRD_PARTY, "calendar", "manager") == (paid.side, paid.clock, paid.owner)
    assert (Side.CUSTOMER, "customer", "champion") == (owned.side, owned.clock, owned.owner)


def test_a_hook_is_work_of_the_provider_and_needs_no_title() -> None:
    hook = item(small(), "sso_link")

    assert (Side.PROVIDER, "Sso link", 8, 2.0, "task") == (
        hook.side, hook.title, hook.attempts, hook.backoff, hook.on_failure,
    )  # fmt: skip


def test_an_approval_without_decisions_can_approve_or_return_what_it_needs() -> None:
    text = SMALL.replace("        decisions: {go: pass, again: {reopen: [prepare], max_rounds: 2}}\n", "")
    accepted = item(compiled(text).choose(LARGE), "accepted")

    assert [("approve", True, ()), ("return", False, ("provision",))] == [
        (outcome.name, outcome.passes, outcome.reopen) for outcome in accepted.outcomes
    ]


def test_a_quorum_is_everybody_unless_the_file_says_less() -> None:
    assert 1 == item(small(), "accepted").quorum
    assert (
        2
        == item(
            compiled(SMALL.replace("        quorum: 1\n", "").replace("        four_eyes: [prepare]\n", "")).choose(
                LARGE
            ),
            "accepted",
        ).quorum
    )


def test_a_stage_takes_the_stall_window_of_the_file() -> None:
    assert [Duration(3, Unit.BUSINESS_DAY)] * 2 == [stage.stall for stage in small().stages]


def test_items_stand_in_the_order_of_the_file() -> None:
    assert ["details", "signature", "prepare", "provision", "sso_link", "accepted"] == [
        each.id for each in small().items
    ]
    assert ("details", "signature", "prepare") == small().stages[0].items


def test_gate_entries_are_read_as_items_facts_or_conditions() -> None:
    text = SMALL.replace("all: [facts.legal_name, prepare]", "all: [facts.legal_name, prepare, debt == 0]")
    gate = compiled(text).choose(LARGE).stages[0].gate

    assert [(ConditionKind.FACT, "legal_name"), (ConditionKind.ITEM, "prepare"), (ConditionKind.CEL, "debt == 0")] == [
        (condition.kind, condition.ref) for condition in gate.all
    ]


def test_provider_and_customer_calendars_always_exist() -> None:
    start, end = SMALL.index("calendars:"), SMALL.index("roles:")
    calendars = compiled(SMALL[:start] + SMALL[end:]).choose(LARGE).calendars

    assert [("provider", "UTC", None), ("customer", None, "provider")] == [
        (each.id, each.tz, each.fallback) for each in calendars
    ]


def test_the_hash_covers_the_content_and_not_its_dress() -> None:
    first = compiled(SMALL).hash

    assert first == compiled(SMALL + "\n# a comment\n").hash
    assert first == compiled(SMALL.replace("title: A small onboarding", 'title: "A small onboarding"')).hash
    assert first != compiled(SMALL.replace("version: 1", "version: 2")).hash
    assert (
        first
        != compiled(
            SMALL.replace("remove: [sso_link]", "remove: [prepare, sso_link]")
            .replace(", prepare]", "]")
            .replace("four_eyes: [prepare]", "four_eyes: []")
            .replace("reopen: [prepare]", "reopen: [details]")
        ).hash
    )
    assert first != compiled(SMALL, Scale(business_day=8, business_hour=1)).hash
    assert 64 == len(first)


def test_a_scale_turns_every_duration_into_seconds_of_the_calendar() -> None:
    definition = small(Scale(business_day=8, business_hour=1))
    details = item(definition, "details")

    assert Duration(24, Unit.SECOND) == details.due
    assert Offset(1, Duration(16, Unit.SECOND)) == details.ladder[2].at
    assert Duration(16, Unit.SECOND) == details.reminders[2].every
    assert Duration(80, Unit.SECOND) == definition.target
    assert Duration(10, Unit.MINUTE) == item(definition, "provision").timeout
    assert Duration(112, Unit.SECOND) == definition.metrics[0].goal
    assert {"calendar"} == {each.clock for each in (*definition.items, *definition.stages, *definition.metrics)}
    assert "any_time" == definition.contact.send_in
    assert Scale(business_day=8, business_hour=1) == definition.scale


def test_the_same_file_compiles_to_the_same_definition() -> None:
    assert small() == small()


def test_a_compiled_definition_travels_as_json() -> None:
    adapter = TypeAdapter(Definition)

    assert small() == adapter.validate_json(adapter.dump_json(small()))


def test_a_definition_with_errors_is_never_handed_out() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        compiled(SMALL.replace("version: 1", "version: 0").replace("target: 10bd", "target: ten"))

    assert ["wrong_value", "bad_duration"] == [fault.rule for fault in caught.value.faults]


def test_names_of_the_installation_are_left_out_where_the_file_may_go_elsewhere() -> None:
    assert compile_definition(parse(SMALL.encode()), Installation()).id == "small"


def test_every_keyword_is_described() -> None:
    found = keywords()

    assert 140 < len(found)
    assert [] == [each for each in found if not each.description.endswith(".") or not each.type]
    assert len(found) == len({(each.level, each.name) for each in found})


def test_the_schema_for_editors_is_json_and_knows_the_keywords() -> None:
    schema = json.loads(json.dumps(json_schema()))

    assert {"schema", "id", "version", "title", "roles", "stages"} == set(schema["required"])
    assert schema["additionalProperties"] is False
    assert {field.name for field in dataclasses.fields(Item)}
