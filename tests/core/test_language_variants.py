"""A variant changes a definition as written; what it breaks is reported at the variant."""

# ruff: noqa: SIM300 – tests put the expected value first

from onboarding.language.units import Duration, Unit
from tests.support.language import compiled, errors_in, faults_in
from tests.support.language_cases import SMALL

LINE = next(number for number, line in enumerate(SMALL.split("\n"), 1) if "- id: tiny" in line)
TINY = {"segment": "smb", "sso": True, "seats": 5}
LARGE = {"segment": "large", "sso": True, "seats": 5}


def with_variants(*variants: str) -> str:
    start, end = SMALL.index("variants:"), SMALL.index("metrics:")
    return SMALL[:start] + "variants:\n" + "".join(f"  - {variant}\n" for variant in variants) + SMALL[end:]


def test_the_inputs_choose() -> None:
    file = compiled(SMALL)

    assert ("tiny", "") == (file.choose(TINY).variant, file.choose(LARGE).variant)
    assert "sso_link" not in [item.id for item in file.choose(TINY).items]
    assert file.choose(TINY).hash == file.choose(LARGE).hash


def test_override_merges_mappings_and_replaces_lists() -> None:
    patch = "{accepted: {owners: [manager], four_eyes: [], decisions: {go: pass, again: {max_rounds: 1}}}, intake: {target: 4bd}}"
    chosen = compiled(with_variants(f"{{id: a, when: input.sso, target: 20bd, override: {patch}}}")).choose(LARGE)
    accepted = next(item for item in chosen.items if item.id == "accepted")

    assert ("manager",) == accepted.owners
    assert [("go", ()), ("again", ("prepare",))] == [(outcome.name, outcome.reopen) for outcome in accepted.outcomes]
    assert 1 == accepted.outcomes[1].max_rounds
    assert (Duration(4, Unit.BUSINESS_DAY), Duration(20, Unit.BUSINESS_DAY)) == (chosen.stages[0].target, chosen.target)


def test_add_brings_items_to_a_stage_and_whole_stages() -> None:
    added = "{intake: {tasks: [{id: call, title: Call}]}, review: {title: Review, owner: boss, needs: [setup], tasks: [{id: look, title: Look}]}}"
    chosen = compiled(with_variants(f"{{id: a, when: input.sso, add: {added}}}")).choose(LARGE)

    assert ("details", "signature", "prepare", "call") == chosen.stages[0].items
    assert ("review", ("setup",)) == (chosen.stages[2].id, chosen.stages[2].needs)


def test_a_removed_stage_takes_its_signals_and_metrics_along() -> None:
    text = with_variants("{id: a, when: input.sso, remove: [signature]}")

    assert () == compiled(text).choose(LARGE).signals
    assert 1 == len(compiled(text).choose({**LARGE, "sso": False}).signals)


def test_what_dangles_after_a_removal_is_reported_at_the_variant() -> None:
    faults = errors_in(with_variants("id: a\n    when: input.sso\n    remove: [prepare]"))

    assert {"unknown_name"} == {fault.rule for fault in faults}
    assert {LINE} == {fault.line for fault in faults}
    assert all("with variant 'a'" in fault.message for fault in faults)


def test_a_fault_inside_a_variant_is_reported_at_its_own_line() -> None:
    text = with_variants(
        "id: a\n    when: input.sso\n    override:\n      details: {due: 3bd}\n      prepare: {owner: champion}"
    )
    (fault,) = errors_in(text)

    assert ("wrong_side", LINE + 4) == (fault.rule, fault.line)


def test_variants_that_exclude_each_other_are_never_combined() -> None:
    apart = with_variants(
        "{id: a, when: \"input.segment == 'smb'\", remove: [sso_link]}",
        "{id: b, when: \"input.segment == 'mid'\", override: {sso_link: {due: 1d}}}",
    )
    together = apart.replace("input.segment == 'mid'", "input.sso")

    assert [] == errors_in(apart)
    assert [("variant_target", LINE + 1)] == [(fault.rule, fault.line) for fault in errors_in(together)]


def test_texts_compared_with_different_words_exclude_each_other() -> None:
    base = "{{id: {}, when: \"input.customer_id == '{}'\", {}}}"
    apart = with_variants(
        base.format("a", "x", "remove: [sso_link]"), base.format("b", "y", "override: {sso_link: {due: 1d}}")
    )

    assert [] == errors_in(apart)


def test_variants_apply_in_file_order() -> None:
    text = with_variants(
        "{id: a, when: input.sso, override: {details: {due: 1bd}}}",
        "{id: b, when: input.seats > 3, override: {details: {due: 2bd}}}",
    )
    chosen = compiled(text).choose(LARGE)

    assert "a+b" == chosen.variant
    assert Duration(2, Unit.BUSINESS_DAY) == chosen.items[0].due


def test_too_many_variants_that_can_hold_together_are_refused() -> None:
    text = with_variants(
        *(f"{{id: v{n}, when: input.seats > {n}, override: {{details: {{due: {n + 1}bd}}}}}}" for n in range(12))
    )

    assert ["too_many_variants"] == [fault.rule for fault in errors_in(text)]


def test_variants_whose_names_together_are_too_long_for_an_index_are_refused() -> None:
    ids = [f"v{n}_{'x' * 55}" for n in range(9)]
    always = (f"{{id: {one}, when: input.sso, override: {{details: {{due: 1bd}}}}}}" for one in ids)
    (fault,) = errors_in(with_variants(*always))

    assert "too_many_variants" == fault.rule
    assert "500 are allowed" in fault.message


def test_what_only_a_variant_uses_is_used() -> None:
    text = SMALL.replace("  admin: {side", "  idle: {side: provider, value: x}\n  admin: {side")
    used = text.replace("remove: [sso_link]", "override: {prepare: {owner: idle}}")

    assert ["unused_role"] == [fault.rule for fault in faults_in(text)]
    assert [] == faults_in(used)
