"""Each limit at its cap and one beyond: what fits is taken, what does not is refused with a code, and nothing is lost of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine.fullness import content_bytes
from onboarding.engine.order_text import read_order, unbearable, write_order
from onboarding.engine.state import Remembered
from onboarding.language.model import Field, FieldType
from onboarding.messages import Received, canonical_json
from onboarding.parsing import parse
from onboarding.reading import views
from runtime.library import check_text
from tests.support import large_plans
from tests.support.builders import Run, a_definition, a_run, an_order, text
from tests.support.language import HERE

SEVERE = "error"


def rules_of(content: str) -> list[str]:
    """The errors of a definition."""
    return [fault.rule for fault in check_text(content.encode(), installation=HERE) if fault.severity == SEVERE]


def padded(content: str, size: int) -> str:
    """A definition with comments up to so many bytes."""
    line = "# " + "x" * 97 + "\n"
    content += line * ((size - len(content)) // len(line))
    return content + "#" * (size - len(content))


@pytest.mark.parametrize(("over", "expected"), [(0, []), (1, ["too_large"])])
def test_a_definition_has_256_kib(over: int, expected: list[str]) -> None:
    """Bytes of the file, comments included."""
    assert rules_of(padded(large_plans.tasks(3), limits.DEFINITION_BYTES + over)) == expected


@pytest.mark.parametrize(("over", "expected"), [(0, []), (1, ["too_many_items"])])
@pytest.mark.parametrize("what", ["items", "stages", "calendars"])
def test_a_definition_has_so_many_items_stages_and_calendars(what: str, over: int, expected: list[str]) -> None:
    """The order that somebody writes by hand has no more."""
    match what:
        case "items":
            content = large_plans.tasks(limits.ITEMS + over)
        case "stages":
            content = large_plans.stages(limits.STAGES + over, 1)
        case _:
            more = "".join(f"  c{n}: {{tz: Europe/Berlin}}\n" for n in range(limits.CALENDARS - 1 + over))
            content = large_plans.tasks(1).replace("roles:", f"{more}roles:")

    assert rules_of(content) == expected


@pytest.mark.parametrize("over", [0, 1])
def test_an_order_from_outside_has_no_more_items_than_a_definition(over: int) -> None:
    """It can be read, and the shell refuses it."""
    definition = a_definition()
    extra = tuple(replace(definition.items[2], id=f"t{n}") for n in range(limits.ITEMS - len(definition.items) + over))
    order = an_order(replace(definition, items=(*definition.items, *extra)))

    assert [fault.place for fault in unbearable(read_order(write_order(order)))] == ["/definition/items"] * over


@pytest.mark.parametrize("over", [0, 1])
def test_sets_of_variants_are_checked_up_to_a_limit(over: int) -> None:
    """Five that may all hold make 32 sets, each as large as the file."""
    names = "variants:\n" + "".join(f"  - {{id: v{n}, when: 'size(input.numbers) == {n}'}}\n" for n in range(5))
    fits = (
        large_plans.tasks(400) + names
        if not over
        else large_plans.tasks(500, lambda _: ", owner: boss, due: 1d") + names
    )

    assert rules_of(fits) == ["too_many_variants"] * over


def event_of(size: int) -> dict[str, Any]:
    """A message of so many bytes."""
    raw = {"message_id": "m", "actor": "dana", "event": "e", "data": {"x": ""}}
    raw["data"] = {"x": "y" * (size - len(canonical_json(raw)))}
    return raw


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_has_64_kib(over: int) -> None:
    """Canonical JSON of the whole argument."""
    found = parse("happen", event_of(limits.MESSAGE_BYTES + over), via="update", fallback_id="x")

    assert isinstance(found, Received) is (over == 0)


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_has_so_many_files(over: int) -> None:
    """Small ones; the size of the message is the other bound."""
    files = [{} for _ in range(limits.FILES + over)]
    found = parse("submit", {"actor": "dana", "item": "x", "files": files}, via="update", fallback_id="x")

    assert not isinstance(found, Received)
    assert (found.faults[0].code, found.faults[0].place) == (
        ("too_long", "/files") if over else ("required", "/files/0/uri")
    )


@pytest.mark.parametrize(("field", "most"), [("text", limits.TEXT_LENGTH), ("message_id", limits.MESSAGE_ID_LENGTH)])
@pytest.mark.parametrize("over", [0, 1])
def test_texts_and_ids_have_so_many_characters(field: str, most: int, over: int) -> None:
    """Characters, not bytes."""
    raw = {"message_id": "m", "actor": "dana", "text": "x", field: "ü" * (most + over)}

    assert isinstance(parse("note", raw, via="update", fallback_id="x"), Received) is (over == 0)


def a_full_run() -> Run:
    """A run with one large form that may be answered in part."""
    definition = a_definition()
    fields = tuple(text(f"f{n}", required=False) for n in range(400))
    items = tuple(replace(one, fields=fields) if one.id == "details" else one for one in definition.items)
    return a_run(an_order(replace(definition, items=items)))


def test_what_is_delivered_fits_up_to_the_byte() -> None:
    """An answer is counted twice, because it becomes facts; a draft once."""
    run = a_full_run()
    count = 0
    while (
        run.say(
            "submit",
            "customer:champion",
            item="details",
            draft=True,
            fields={f"f{count * 15 + n}": "y" * 4_000 for n in range(15)},
        ).outcome
        == "accepted"
    ):
        count += 1
    last = run.state
    verdict = run.say("submit", "customer:champion", item="details", draft=True, fields={f"f{count * 15}": "y" * 4_000})
    small = run.say("submit", "customer:champion", item="details", draft=True, fields={"f399": "y"})

    assert count > 4
    assert verdict.code in ("draft_kept", "run_full")
    assert small.outcome == "accepted"
    assert content_bytes(last) <= limits.CONTENT_BYTES < content_bytes(last) + 15 * 4_010


@pytest.mark.parametrize("over", [0, 1])
def test_a_run_remembers_so_many_ids(over: int) -> None:
    """The last one that fits is taken; beyond it only what ends the run."""
    run = a_run()
    kept = Remembered(digest="d", outcome="accepted", code="c", item=None, status=None, at=run.now, actor="olga")
    run.change(remembered={f"id{n}": kept for n in range(limits.REMEMBERED_MESSAGES - 1 + over)})

    assert run.say("note", text="one more").code == ("run_full" if over else "noted")
    assert run.say("cancel", reason="enough").outcome == "accepted"


def test_the_refused_list_keeps_the_latest_and_counts_all() -> None:
    """One beyond the cap: the first one stands in the rows alone."""
    run = a_run()
    for n in range(limits.REFUSED_KEPT + 1):
        run.say("note", via="signal", message_id=f"m{n}", text=7)

    assert len(run.state.refused) == limits.REFUSED_KEPT
    assert run.state.refused_count == limits.REFUSED_KEPT + 1
    assert (run.state.refused[0].message_id, run.state.refused[-1].message_id) == ("m1", f"m{limits.REFUSED_KEPT}")


@pytest.mark.parametrize("over", [0, 1])
def test_so_many_early_messages_are_kept(over: int) -> None:
    """For an item that is not open yet."""
    run = a_run()
    for n in range(limits.HELD_MESSAGES - 1 + over):
        assert run.say("happen", "integration:app", event="product.used", data={"n": n}).outcome == "held"
    verdict = run.say("happen", "integration:app", event="product.used", data={"n": "last"})

    assert (verdict.outcome, verdict.code) == (("too_large", "too_many_held") if over else ("held", verdict.code))


@pytest.mark.parametrize("over", [0, 1])
def test_a_list_answers_a_hundred_at_once(over: int) -> None:
    """And a cursor for the rest."""
    run = a_run()
    for n in range(limits.PAGE - run.state.trail_count + over):
        run.say("note", text=f"{n}")
    page = views.trail(run.plan, run.state, None)

    assert len(page["rows"]) == limits.PAGE
    assert (page["next_cursor"] is not None) is (over == 1)


@pytest.mark.parametrize("over", [0, 1])
def test_a_list_of_a_form_has_two_hundred_entries(over: int) -> None:
    """More is a file."""
    from onboarding.language.values import MOST_ENTRIES, check_value

    faults = check_value(Field(name="x", type=FieldType.LIST), [1] * (MOST_ENTRIES + over))

    assert [fault.code for fault in faults] == ["too_long"] * over


def test_five_hundred_messages_at_the_cap_fill_a_run_and_do_not_break_it() -> None:
    """Each is taken or refused as too much; what it holds can still go on as new, and it can be ended."""
    run = a_full_run()
    outcomes = [
        run.say(
            "submit", "customer:champion", item="details", draft=True,
            fields={f"f{(n * 15 + k) % 400}": chr(97 + n % 26) * 4_000 for k in range(15)},
        ).outcome
        for n in range(40)
    ]  # fmt: skip
    outcomes += [run.say("happen", "integration:app", **event_data(n)).outcome for n in range(460)]
    size = len(write_order(replace(run.plan.order, snapshot=run.state)))
    with_all = run.say("cancel", reason="enough")

    assert set(outcomes) <= {"accepted", "held", "too_large"}
    assert {"accepted", "too_large"} <= set(outcomes)
    assert size < limits.CARRIED_BYTES
    assert with_all.outcome == "accepted"


def event_data(n: int) -> dict[str, Any]:
    """An early event of nearly 64 KiB."""
    return {"event": "product.used", "data": {"x": f"{n}" + "y" * 65_000}}
