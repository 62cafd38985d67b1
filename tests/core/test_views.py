"""What can be known of a run: the shapes of the contract, one sentence for every why, and nothing that is not theirs to see."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from onboarding import limits
from onboarding.engine import rules
from onboarding.engine.state import ItemState, ItemStatus, StageState, StageStatus
from onboarding.language.model import ItemKind
from onboarding.reading import trail, views
from onboarding.reading.cover import COVER_BYTES, cover
from tests.support.builders import Run, a_definition, a_finished_run, a_run, a_stage, an_item, an_order, at, papers

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

READS: dict[str, Any] = {
    "status": lambda run: views.status(run.plan, run.state, run.now),
    "open_items": lambda run: views.open_items(run.plan, run.state, run.now),
    "why": lambda run: views.why(run.plan, run.state, "go", run.now),
    "gate": lambda run: views.gate(run.plan, run.state, "intake"),
    "trail": lambda run: views.trail(run.plan, run.state),
    "refused": lambda run: views.refused(run.plan, run.state),
    "ledger": lambda run: views.ledger(run.plan, run.state, run.now),
    "customer_view": lambda run: views.customer_view(run.plan, run.state, run.now),
}


def row(run: Run, item: str) -> dict[str, Any]:
    """One item as `status` shows it."""
    return next(one for one in views.status(run.plan, run.state, run.now)["items"] if one["id"] == item)


def a_busy_run() -> Run:
    """Something of everything: an answer in review, a refused signal, a hold, debt, a late item."""
    run = a_run()
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(1, 11))
    run.say("complete", item="credit_check", provides={"rating": "good"}, when=at(1, 12))
    run.say("waive", "henk", condition="facts.legal_name", reason="they are new", when=at(1, 13))
    run.say("submit", "customer:champion", via="signal", item="nonsense", when=at(1, 14))
    run.wait(at(8, 10))
    run.say("hold", reason="holidays", side="customer", when=at(8, 11))
    return run


def a_wide_definition(items: int) -> Any:
    """One stage with this many tasks that are open from the start."""
    names = tuple(f"task_{n}" for n in range(items))
    tasks = tuple(an_item(name, ItemKind.TASK, "all", "lead") for name in names)
    return a_definition(stages=(a_stage("all", names),), items=tasks, signals=(), metrics=())


# Shapes ---------------------------------------------------------------------------------------------------------------


def plain(value: Any) -> bool:
    """Nothing but what JSON has: no enums, no tuples, no instants."""
    if type(value) is dict:
        return all(type(key) is str and plain(inner) for key, inner in value.items())
    if type(value) is list:
        return all(map(plain, value))
    return value is None or type(value) in (str, int, bool)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("make", [a_run, a_busy_run, a_finished_run])
def test_every_read_is_plain_json(read: str, make: Any) -> None:
    """Whatever a run has been through, a read is made of JSON's own types."""
    found = READS[read](make())

    assert plain(found), found


KEYS = {
    "status": "run customer definition state outcome health waiting_on waiting_since signed_at started_at closed_at promised_at "
    "stages items milestones facts debt asks escalations refused next state_hash",
    "why": "item status sentence holder since next",
    "gate": "stage holds conditions debt",
    "ledger": "elapsed by_side entries metrics",
    "open_items": "rows next_cursor",
    "trail": "rows next_cursor",
    "refused": "rows next_cursor",
}
ROWS = {
    ("status", "stages"): "id title owner state entered_at left_at target_at progress unmet",
    (
        "status",
        "items",
    ): "id stage kind title status owner side round opened_at due_at answered_at closed_at late outcome steps waits_for",
    ("status", "next"): "at what item",
    ("gate", "conditions"): "text met holder since",
    ("ledger", "entries"): "item stage round side who from to seconds",
    ("open_items", "rows"): "id stage kind title status who since blocks",
    ("trail", "rows"): "n at actor on_behalf_of channel message item outcome code message_id digest",
    ("refused", "rows"): "at via name message_id code sentence",
}


@pytest.mark.parametrize("read", KEYS)
def test_a_read_has_the_fields_of_the_contract(read: str) -> None:
    """Fields may be added, never taken away."""
    found = READS[read](a_busy_run())

    assert set() == set(KEYS[read].split()) - set(found)


@pytest.mark.parametrize(("read", "part"), ROWS)
def test_a_row_has_the_fields_of_the_contract(read: str, part: str) -> None:
    """The same for what stands in the lists."""
    rows = READS[read](a_busy_run())[part]

    assert rows
    assert all(set(ROWS[read, part].split()) <= set(one) for one in rows)


def test_instants_are_utc_with_a_z() -> None:
    """RFC 3339, whole seconds, never an offset to reckon with."""
    found = json.dumps([READS[read](a_busy_run()) for read in READS])
    instants = re.findall(r'"[a-z_]*_at": "([^"]+)"', found)

    assert instants
    assert [one for one in instants if not INSTANT.fullmatch(one)] == []


def test_status_tells_where_a_run_is() -> None:
    """The values of a run that has just begun."""
    run = a_run()
    found = views.status(run.plan, run.state, at(1, 10))

    assert {"id": "small", "version": 2, "hash": "0" * 64, "variant": ""}.items() <= found["definition"].items()
    assert (found["state"], found["outcome"], found["health"]) == ("running", None, "on_track")
    assert found["waiting_on"] == "customer"
    assert found["signed_at"] == "2026-11-27T12:00:00Z"
    assert found["milestones"] == {"collected": None, "first_value": None}
    assert [stage["state"] for stage in found["stages"]] == ["open", "not_ready", "not_ready"]
    assert found["stages"][0]["progress"] == {"met": 0, "of": 5}
    assert "Title of details is open" in found["stages"][0]["unmet"]
    assert len(found["next"]) == 3


def test_status_of_a_finished_run_waits_for_nobody() -> None:
    """Nothing is left to come, everything that was reached has its instant."""
    run = a_finished_run()
    found = views.status(run.plan, run.state, at(9))

    assert tuple(found[name] for name in ("state", "outcome", "waiting_on", "waiting_since")) == (
        "closed",
        "live",
        "nobody",
        None,
    )
    assert found["milestones"] == {"collected": "2026-12-01T15:00:00Z", "first_value": "2026-12-03T10:00:00Z"}
    assert found["next"] == []
    assert [item["waits_for"] for item in found["items"]] == [None] * 7
    assert sorted(found["facts"]) == ["legal_name", "rating", "vat_id"]


def test_status_counts_open_waivers_and_refused_signals() -> None:
    """Debt is what was waived and is still not met."""
    run = a_busy_run()
    found = views.status(run.plan, run.state, run.now)

    assert (found["debt"], found["refused"]) == (1, 1)
    assert row(run, "details")["steps"] == 1
    assert row(run, "details")["late"]


def test_status_of_a_huge_definition_stays_small_and_keeps_what_is_open() -> None:
    """A query answer over 2 MB never reaches anybody."""
    definition = a_wide_definition(3_000)
    run = a_run(an_order(definition))
    done = {f"task_{n}": replace(run.state.items[f"task_{n}"], status=ItemStatus.DONE) for n in range(2_500)}
    run.change(items={**run.state.items, **done})
    found = views.status(run.plan, run.state, run.now)

    assert len(found["items"]) == 1_000
    assert found["left_out"] == 2_000
    assert sum(1 for item in found["items"] if item["status"] == "open") == 500
    assert len(json.dumps(found)) < 1_000_000


def test_long_titles_are_cut_wherever_they_are_repeated() -> None:
    """A file may hold a title of 200 KB; a read does not."""
    definition = a_definition()
    items = tuple(replace(item, title="x" * 50_000) for item in definition.items)
    run = a_run(an_order(replace(definition, items=items, title="y" * 50_000)))

    for read in READS.values():
        assert len(json.dumps(read(run))) < 20_000


# Unknown names and pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["detials", "", None, 7, ["details"], {"item": "details"}, "x" * 100_000, "\ud800"])
def test_an_unknown_item_or_stage_is_an_answer(name: Any) -> None:
    """A query never fails for what it was asked."""
    run = a_run()
    answers = [views.why(run.plan, run.state, name, run.now), views.gate(run.plan, run.state, name)]

    assert [answer["code"] for answer in answers] == ["unknown_item", "unknown_stage"]
    assert {"unknown"} == {answer["outcome"] for answer in answers}
    assert all(len(answer["sentence"]) < 200 for answer in answers)


def test_the_nearest_name_is_offered() -> None:
    """A typing error costs one look."""
    run = a_run()

    assert "'details'" in views.why(run.plan, run.state, "detials", run.now)["sentence"]
    assert "'intake'" in views.gate(run.plan, run.state, "intakes")["sentence"]


@pytest.mark.parametrize("read", ["open_items", "trail", "refused", "ledger"])
@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "²", "9" * 40, 7, True, ["1"], {"cursor": "1"}])
def test_an_unknown_cursor_is_an_answer(read: str, cursor: Any) -> None:
    """A cursor is a text that a page gave; anything else is told so."""
    run = a_run()
    asked = {
        "open_items": lambda: views.open_items(run.plan, run.state, run.now, cursor),
        "trail": lambda: views.trail(run.plan, run.state, cursor),
        "refused": lambda: views.refused(run.plan, run.state, cursor),
        "ledger": lambda: views.ledger(run.plan, run.state, run.now, cursor),
    }

    assert asked[read]()["code"] == "unknown_cursor"


def test_pages_of_the_trail_give_every_entry_once() -> None:
    """Page after page until there is no cursor."""
    run = a_run()
    for n in range(250):
        run.say("note", text=f"note {n}")
    found, cursor, sizes = [], None, []
    while True:
        answer = views.trail(run.plan, run.state, cursor)
        found += [one["n"] for one in answer["rows"]]
        sizes.append(len(answer["rows"]))
        cursor = answer["next_cursor"]
        if cursor is None:
            break

    assert list(range(1, run.state.trail_count + 1)) == found
    assert max(sizes) == limits.PAGE


def test_items_that_close_between_two_pages_move_nothing() -> None:
    """The second page begins where the first one ended, whatever was done in between."""
    run = a_run(an_order(a_wide_definition(250)))
    first = views.open_items(run.plan, run.state, run.now)
    for name in ("task_3", "task_5", "task_120"):
        run.say("complete", item=name)
    second = views.open_items(run.plan, run.state, run.now, first["next_cursor"])

    assert [f"task_{n}" for n in range(100)] == [one["id"] for one in first["rows"]]
    assert [f"task_{n}" for n in range(100, 201) if n != 120] == [one["id"] for one in second["rows"]]


def test_what_a_run_no_longer_carries_is_counted() -> None:
    """A long trail begins in the middle and says so."""
    run = a_run()
    for n in range(limits.TRAIL_KEPT + 20):
        run.say("note", text=f"note {n}")
    found = views.trail(run.plan, run.state)

    assert found["rows"][0]["n"] - 1 == found["earlier"]
    assert found["earlier"] > 0
    assert trail.verify(run.state.trail, run.state.run) is None


# Trail ----------------------------------------------------------------------------------------------------------------


def test_the_chain_of_a_trail_holds() -> None:
    """What the engine chained is what the reader checks."""
    assert trail.verify(a_finished_run().state.trail, a_finished_run().state.run) is None
    assert trail.verify((), "") is None


@pytest.mark.parametrize("change", [{"actor": "mallory"}, {"code": "other"}, {"at": at(5)}, {"digest": "0" * 64}])
def test_a_changed_entry_is_found(change: dict[str, Any]) -> None:
    """The first broken entry is named."""
    state = a_finished_run().state
    entries = list(state.trail)
    entries[4] = replace(entries[4], **change)

    assert trail.verify(entries, state.run) == 5


def test_a_chain_begins_with_the_name_of_its_run() -> None:
    """So the trail of one run is not that of another; chains of runs that began before that hold as well."""
    named, older = (a_run(replace(an_order(), rules_version=version)).state for version in (rules.NAMES_CHAINS, 1))

    assert named.trail[0].digest != older.trail[0].digest
    assert [trail.verify(one.trail, one.run) for one in (named, older)] == [None, None]
    assert trail.verify(named.trail, "onboarding/other/quick-start") == 1


def test_an_entry_that_was_taken_out_or_swapped_is_found() -> None:
    """Numbers run without a gap."""
    state = a_finished_run().state
    entries = state.trail

    assert trail.verify(entries[:3] + entries[4:], state.run) == 5
    assert trail.verify((*entries[:2], entries[3], entries[2], *entries[4:]), state.run) == 4


# Why ------------------------------------------------------------------------------------------------------------------


def explained(run: Run, item: str) -> dict[str, Any]:
    """The answer to why."""
    return views.why(run.plan, run.state, item, run.now)


def test_why_of_an_open_request_names_who_what_since_and_next() -> None:
    """One sentence that a manager can act on."""
    found = explained(a_run(), "details")

    assert found["sentence"] == (
        '"Title of details" waits for customer:champion to deliver legal_name and vat_id, since 2026-11-30 09:00 UTC, '
        "due 2026-12-03 09:00 UTC; next: reminder to customer:champion: Title of details on 2026-12-02 09:00 UTC."
    )
    assert (found["holder"], found["since"]) == ("customer:champion", "2026-11-30T09:00:00Z")
    assert found["next"] == {"at": "2026-12-02T09:00:00Z", "what": "reminder to customer:champion: Title of details"}


def test_why_of_an_item_far_down_names_whoever_is_in_the_way_now() -> None:
    """What waits for a stage waits for somebody in it."""
    found = explained(a_run(), "first_use")

    assert found["blocked_by"] == "details"
    assert found["holder"] == "customer:champion"
    assert 'waits for its stage "Stage live" to begin, which waits for "Stage setup"' in found["sentence"]
    assert 'customer:champion has "Title of details" since' in found["sentence"]


def test_why_of_an_answer_in_review_names_the_reviewer_since_the_answer() -> None:
    """Once the customer has answered it is our time."""
    run = a_run()
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(2, 11))
    found = explained(run, "papers")

    assert (found["holder"], found["since"]) == ("olga", "2026-12-01T11:00:00Z")
    assert "waits for olga to accept or return the answer" in found["sentence"]


def test_why_of_a_returned_answer_names_what_is_wrong() -> None:
    """So that whoever reads it knows what to ask for."""
    run = a_run()
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(2, 11))
    run.say("decide", item="papers", outcome="return", comment="The second page is missing", when=at(2, 12))

    assert "to correct the answer: The second page is missing" in explained(run, "papers")["sentence"]


def test_why_of_a_decision_counts_the_votes() -> None:
    """Who has spoken is not waited for."""
    run = a_finished_run()
    opened = replace(
        run.state.items["go"], status=ItemStatus.OPEN, closed_at=None, votes=run.state.items["go"].votes[:1]
    )
    run.change(items={**run.state.items, "go": opened})
    sentence = explained(run, "go")["sentence"]

    assert "waits for olga to decide (go and stop); 1 of 2 decisions are there" in sentence


def test_why_of_a_skipped_item_names_its_condition() -> None:
    """An item that never was is explained, too."""
    found = explained(a_run(), "export")

    assert "its condition 'input.legacy' was false" in found["sentence"]
    assert (found["holder"], found["since"]) == (None, None)
    assert found["next"] == {"at": None, "what": "nothing happens by itself"}


def test_why_of_a_done_item_says_by_whom_and_when() -> None:
    """The past is answered as well."""
    found = explained(a_finished_run(), "credit_check")

    assert found["sentence"] == '"Look into their debts" was done by olga on 2026-11-30 12:00 UTC.'


def test_why_on_hold_says_that_the_clocks_stand_still() -> None:
    """And when the hold is looked at again."""
    found = explained(a_busy_run(), "details")

    assert "the run is on hold since 2026-12-07 11:00 UTC" in found["sentence"]
    assert found["next"]["what"] == "the hold is reviewed"


@pytest.mark.parametrize("status", ItemStatus)
@pytest.mark.parametrize("item", ["details", "papers", "credit_check", "provision", "go", "export", "first_use"])
def test_every_item_in_every_status_has_an_explanation(item: str, status: ItemStatus) -> None:
    """Also the combinations that no run should ever show."""
    run = a_run()
    made = ItemState(id=item, status=status, owner="olga", opened_at=at(1), answered_at=at(2))
    run.change(items={**run.state.items, item: made})
    found = explained(run, item)

    assert found["sentence"].endswith(".")
    assert str(status) == found["status"]
    assert plain(READS["status"](run))


# Gate and open items --------------------------------------------------------------------------------------------------


def test_a_gate_shows_each_condition_with_its_holder_and_since_when() -> None:
    """What is met says since when, what is not says who has it."""
    run = a_run()
    run.say("complete", item="credit_check", provides={"rating": "good"}, when=at(1, 12))
    found = views.gate(run.plan, run.state, "intake")
    shown = {one["text"]: (one["met"], one["holder"], one["since"]) for one in found["conditions"]}

    assert not found["holds"]
    assert shown == {
        "details": (False, "customer:champion", "2026-11-30T09:00:00Z"),
        "papers": (False, "customer:champion", "2026-11-30T09:00:00Z"),
        "credit_check": (True, None, "2026-11-30T12:00:00Z"),
        "facts.legal_name": (False, "customer:champion", "2026-11-30T09:00:00Z"),
        "facts.rating != 'bad'": (True, None, None),
    }


def test_a_waived_condition_is_met_and_stands_as_debt() -> None:
    """By whom, why, and for how long."""
    run = a_busy_run()
    found = views.gate(run.plan, run.state, "intake")
    waived = next(one for one in found["conditions"] if one["text"] == "facts.legal_name")

    assert (waived["met"], waived["waived"]) == (True, True)
    assert [(d["text"], d["by"], d["reason"]) for d in found["debt"]] == [("facts.legal_name", "henk", "they are new")]


def test_open_items_say_who_since_when_and_what_they_block() -> None:
    """The rows of an inbox."""
    run = a_finished_run()
    opened = replace(run.state.items["provision"], status=ItemStatus.OPEN, closed_at=None)
    waiting = replace(run.state.items["go"], status=ItemStatus.NOT_READY)
    run.change(items={**run.state.items, "provision": opened, "go": waiting})
    (found,) = views.open_items(run.plan, run.state, run.now)["rows"]

    assert tuple(found[name] for name in ("id", "who", "since", "blocks")) == (
        "provision",
        "olga",
        "2026-12-01T15:00:00Z",
        ["go"],
    )


# The customer's view --------------------------------------------------------------------------------------------------


def test_the_customer_sees_nothing_of_how_we_work() -> None:
    """No internal item, no handle of ours, no value, no comment, no reason, no debt: by words planted everywhere."""
    run = a_run(
        an_order(people={"lead": ("canary-olga",), "head": ("canary-henk",), "champion": ("customer:champion",)})
    )
    run.say(
        "submit",
        "customer:champion",
        item="details",
        fields={"legal_name": "canary-name", "vat_id": "canary-vat"},
        when=at(1, 10),
    )
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(1, 11))
    run.say("decide", "canary-olga", item="papers", outcome="return", comment="canary-comment", when=at(1, 12))
    run.say(
        "complete",
        "canary-olga",
        item="credit_check",
        provides={"rating": "bad"},
        comment="canary-remark",
        when=at(1, 13),
    )
    run.say("waive", "canary-henk", condition="facts.rating != 'bad'", reason="canary-reason", when=at(1, 14))
    run.say("note", "canary-olga", text="canary-note", when=at(1, 15))
    run.say("hold", "canary-olga", reason="canary-hold", side="customer", when=at(1, 16))
    found = json.dumps(views.customer_view(run.plan, run.state, at(1, 17)))

    assert re.findall(r"canary-\w+", found) == []
    for inner in ("Look into their debts", "credit_check", "provision", "rating", "debt", "waive", "henk", "health"):
        assert inner not in found, inner


def test_the_customer_sees_their_asks_and_what_is_missing() -> None:
    """Dates, what lacks, and that it is their turn."""
    run = a_run()
    run.say("submit", "customer:champion", item="details", fields={"legal_name": "Acme"}, draft=True, when=at(1, 10))
    found = views.customer_view(run.plan, run.state, run.now)
    asks = {ask["item"]: ask for ask in found["asks"]}

    assert list(asks) == ["details", "papers"]
    assert asks["details"]["missing"] == ["vat_id"]
    assert asks["papers"]["missing"] == ["2 files"]
    assert asks["details"]["due_at"] == "2026-12-03T09:00:00Z"
    assert asks["details"]["who_acts"] == {"side": "customer", "role": "champion"}
    assert tuple(found["next_step"][k] for k in ("item", "side", "by")) == (
        "details",
        "customer",
        "2026-12-03T09:00:00Z",
    )


def test_the_customer_hears_that_it_is_our_turn() -> None:
    """When all is answered the next step is ours, by stage and date, not by name."""
    run = a_run()
    run.say(
        "submit", "customer:champion", item="details", fields={"legal_name": "Acme", "vat_id": "DE1"}, when=at(1, 10)
    )
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(1, 11))
    found = views.customer_view(run.plan, run.state, run.now)

    assert tuple(found["next_step"][name] for name in ("side", "role", "what")) == (
        "provider",
        None,
        "We are working on the next step: Stage intake.",
    )
    assert found["asks"][1]["who_acts"] == {"side": "provider", "role": None}
    assert found["asks"][1]["missing"] == []


def test_the_customer_does_not_hear_of_waivers_or_of_what_was_left_out() -> None:
    """A waived ask is simply not needed; a skipped stage is not there."""
    run = a_run()
    run.say("waive", "henk", item="papers", reason="known", when=at(1, 10))
    left_out = StageState(id="live", status=StageStatus.SKIPPED)
    run.change(stages={**run.state.stages, "live": left_out})
    found = views.customer_view(run.plan, run.state, run.now)

    assert next(ask["status"] for ask in found["asks"] if ask["item"] == "papers") == "skipped"
    assert [stage["id"] for stage in found["stages"]] == ["intake", "setup"]


# The hash -------------------------------------------------------------------------------------------------------------


def test_a_hash_knows_neither_order_nor_time_nor_messenger() -> None:
    """Two inputs that commute leave the same behind, whoever brought them, whenever."""
    first, second = a_run(), a_run()
    first.say("complete", item="credit_check", provides={"rating": "good"}, when=at(1, 12))
    first.say("submit", "customer:champion", item="details", fields={"legal_name": "A", "vat_id": "1"}, when=at(1, 13))
    second.say("submit", "olga", on_behalf_of="customer:champion", item="details", fields={"vat_id": "1", "legal_name": "A"},
               channel="phone", when=at(2, 10))  # fmt: skip
    second.say("complete", "lead", item="credit_check", provides={"rating": "good"}, comment="fine", when=at(3, 12))

    assert views.state_hash(first.state) == views.state_hash(second.state)
    assert len(views.state_hash(first.state)) == 64


def test_a_refused_message_leaves_the_hash_as_it_was() -> None:
    """By update and by signal, readable or not."""
    run = a_run()
    before = views.state_hash(run.state)
    run.say("submit", "customer:champion", item="details", fields={"legal_name": 7})
    run.say("complete", "mallory", via="signal", item="credit_check")
    run.say("submit", via="signal", nonsense=True)

    assert before == views.state_hash(run.state)
    assert run.state.refused_count == 2


@pytest.mark.parametrize(
    "message",
    [
        ("complete", {"item": "credit_check", "provides": {"rating": "good"}}),
        ("submit", {"actor": "customer:champion", "item": "details", "fields": {"legal_name": "A", "vat_id": "1"}}),
        ("reassign", {"item": "credit_check", "to": "henk"}),
        ("hold", {"reason": "wait"}),
        ("cancel", {"reason": "lost"}),
    ],
)
def test_what_changes_a_run_changes_its_hash(message: tuple[str, dict[str, Any]]) -> None:
    """Statuses, owners, facts: each of them is in it."""
    run = a_run()
    before = views.state_hash(run.state)
    name, content = message
    verdict = run.say(name, content.pop("actor", "olga"), **content)

    assert verdict.outcome == "accepted"
    assert before != views.state_hash(run.state)


def test_a_value_of_another_kind_is_another_hash() -> None:
    """A fact's value counts, not its spelling as text alone."""
    run = a_finished_run()
    fact = run.state.facts["rating"]
    one = views.state_hash(replace(run.state, facts={"rating": replace(fact, value=1)}))
    other = views.state_hash(replace(run.state, facts={"rating": replace(fact, value="1")}))

    assert one != other


def test_a_read_in_the_past_of_the_run_does_not_fail() -> None:
    """The clock of the asker may be behind that of the run."""
    run = a_finished_run()

    for read in READS.values():
        run.now = datetime(2020, 1, 1, tzinfo=UTC)
        assert plain(read(run))


# Any run at all -------------------------------------------------------------------------------------------------------

ACTS = {
    "details": lambda run: run.say("submit", "customer:champion", item="details", fields={"legal_name": "A", "vat_id": "1"}),
    "papers": lambda run: run.say("submit", "customer:champion", item="papers", files=papers()),
    "accept": lambda run: run.say("decide", item="papers", outcome="accept"),
    "return": lambda run: run.say("decide", item="papers", outcome="return", comment="again"),
    "check": lambda run: run.say("complete", item="credit_check", provides={"rating": "bad"}),
    "waive": lambda run: run.say("waive", "henk", condition="facts.rating != 'bad'", reason="known"),
    "hook": lambda run: run.hook("provision"),
    "hook fails": lambda run: run.hook("provision", ok=False),
    "go": lambda run: run.say("decide", "customer:champion", item="go", outcome="go"),
    "go too": lambda run: run.say("decide", item="go", outcome="go"),
    "stop": lambda run: run.say("decide", item="go", outcome="stop"),
    "used": lambda run: run.say("happen", "integration:app", event="product.used"),
    "hold": lambda run: run.say("hold", reason="wait", side="third_party"),
    "resume": lambda run: run.say("resume"),
    "reopen": lambda run: run.say("reopen", items=["details"], reason="changed"),
    "calendar": lambda run: run.say("set_calendar", calendar="customer", hours="10:00-14:00", reason="part time"),
    "reassign": lambda run: run.say("reassign", item="papers", to="henk"),
    "extend": lambda run: run.say("extend", item="details", due=f"{run.now + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}", reason="so"),
    "nonsense": lambda run: run.say("submit", via="signal", item="nonsense"),
    "an hour": lambda run: run.wait(run.now + timedelta(hours=1)),
    "three days": lambda run: run.wait(run.now + timedelta(days=3)),
}  # fmt: skip


@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=25))
def test_whatever_happened_to_a_run_it_can_be_read(acts: list[str]) -> None:
    """No read raises, all are JSON, time adds up, the sheet fits, and an open run always has somebody to turn to."""
    run = a_run()
    for act in acts:
        ACTS[act](run)
    found = {name: read(run) for name, read in READS.items()}
    reasons = [views.why(run.plan, run.state, item, run.now) for item in run.plan.items]

    assert all(map(plain, [*found.values(), *reasons]))
    assert sum(found["ledger"]["by_side"].values()) == found["ledger"]["elapsed"]
    assert sum(entry["seconds"] for entry in found["ledger"]["entries"]) == found["ledger"]["elapsed"]
    assert len(cover(run.plan, run.state, run.now).encode()) <= COVER_BYTES
    assert all(one["holder"] for one in reasons if not settled(one["status"]))
    assert trail.verify(run.state.trail, run.state.run) is None


def settled(status: str) -> bool:
    """Nobody waits for it any more."""
    return status in ("done", "skipped", "waived", "cancelled")
