"""The cover sheet and the search attributes: a manager's answers on one screen, whatever text a run holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine.state import ItemStatus
from onboarding.language.model import ItemKind, Scale
from onboarding.reading.cover import COVER_BYTES, attributes, cover, escaped, lasting, summary
from tests.support.builders import Run, a_definition, a_finished_run, a_run, a_stage, an_item, an_order, at, papers

HOSTILE = "<b>x</b> & | [a](http://evil.example) `c` \\ **d**\r\n### e\u202e www.evil.example m@evil.example " * 20


def sheet(run: Run) -> str:
    """The sheet as it stands, without the space that keeps its columns apart."""
    return cover(run.plan, run.state, run.now).replace("\N{NO-BREAK SPACE}", "")


def a_hostile_run() -> Run:
    """Every text that comes from outside is an attack."""
    definition = a_definition()
    items = tuple(replace(item, title=HOSTILE) for item in definition.items)
    stages = tuple(replace(stage, title=HOSTILE) for stage in definition.stages)
    run = a_run(an_order(replace(definition, items=items, stages=stages, title=HOSTILE)))
    run.say("complete", via="signal", message_id=HOSTILE[:100], item=HOSTILE, when=at(1, 10))
    run.say(HOSTILE, via="signal", when=at(1, 10))
    run.say("hold", reason=HOSTILE[:500].replace("\u202e", ""), when=at(1, 11))
    return run


# What it says ---------------------------------------------------------------------------------------------------------


def test_the_sheet_answers_where_who_since_when_and_what_next() -> None:
    """The first lines are what a manager wants to know."""
    head = sheet(a_run()).partition("### Stages")[0]

    assert head.startswith("### Stage intake · on track\n")
    assert "**Waiting on** customer (customer:champion) since 2026-11-30 09:00 UTC" in head
    assert "**Must act** customer:champion: Title of details (due 2026-12-03 09:00 UTC)" in head
    assert "; olga: Look into their debts (due 2026-12-02 09:00 UTC)" in head
    assert "**Next** 2026-12-02 09:00 UTC: Look into their debts is due; after that it is escalated" in head
    assert "c-1 · small v2" in head
    assert "promised for 2026-12-14 09:00 UTC" in head


def test_the_sheet_shows_stages_open_items_and_events() -> None:
    """State, owner, planned and actual; who has what and until when; what happened last."""
    run = a_run()
    run.say("submit", "customer:champion", item="papers", files=papers(), when=at(1, 11))
    text = sheet(run)

    assert "| Stage | State | Owner | Planned, UTC | Actual, UTC |" in text
    assert "| Stage intake | **open** 0 of 5 | olga | 03 Dec 09:00 | since 30 Nov 09:00 |" in text
    assert "| Title of papers | in review | olga | 30 Nov 11:00 | 07 Dec 09:00 |" in text
    assert "- 30 Nov 11:00: customer:champion, submit papers: answered" in text


def test_the_sheet_shows_refused_messages_only_where_there_are_some() -> None:
    """Signals give no answer, so this is where a sender finds theirs."""
    run = a_run()
    before = sheet(run)
    run.say("complete", "customer:champion", via="signal", item="credit_check", when=at(1, 10))

    assert "Refused" not in before
    assert "### Refused messages: 1" in sheet(run)
    assert "2026-11-30 10:00 UTC: signal complete, id m1: not" in sheet(run)


def test_the_sheet_says_what_is_overdue_held_and_closed() -> None:
    """The three states that somebody must see at once."""
    run = a_run()
    run.wait(at(5, 10))
    late = sheet(run)
    run.say("hold", reason="their holidays", when=at(5, 11))
    held = sheet(run)
    closed = sheet(a_finished_run())

    assert "**overdue**" in late
    assert "**On hold** since 2026-12-04 11:00 UTC by olga\n" in held
    assert "on hold" in held.partition("\n")[0]
    assert closed.startswith("### Closed (live) on 2026-12-03 10:00 UTC")
    assert "**Time** 3d 1h: customer 19h, provider 6h, off hours 2d" in closed
    assert "Open items" not in closed


def test_no_words_of_a_person_stand_on_the_sheet() -> None:
    """It is not encrypted, so that managers can read it: why somebody holds or ends a run is for those who may ask the run."""
    run = a_run()
    run.say("note", text="call her at the hospital", when=at(1, 10))
    run.say("hold", reason="she is at the hospital", when=at(1, 11))
    held = sheet(run)
    run.say("cancel", reason="the hospital says no", when=at(1, 12))
    closed = sheet(run)

    assert closed.startswith("### Closed (cancelled)")
    assert "hospital" not in held + closed


def test_the_sheet_ends_with_a_rule_and_an_empty_line() -> None:
    """The UI cuts off the last line and a half; see the note in cover.py."""
    for run in (a_run(), a_finished_run(), a_hostile_run()):
        assert sheet(run).endswith("\n---\n\n")


def test_headings_are_of_the_third_level() -> None:
    """Larger ones break in the UI's narrow column."""
    headings = [line for line in sheet(a_run()).splitlines() if line.startswith("#")]

    assert [line.partition(" ")[0] for line in headings] == ["###"] * 4


def test_compressed_time_is_told_in_seconds_and_named() -> None:
    """A demo's stages last seconds; nobody may take them for days."""
    run = a_run(an_order(a_definition(scale=Scale(business_day=8, business_hour=1))))

    assert "compressed time, 1bd = 8s" in sheet(run)
    assert "since 2026-11-30 09:00:00 UTC" in sheet(run)


# Attacks and sizes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a & b", "a &amp; b"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("a|b", "a\\|b"),
        ("[a](b)", "\\[a\\](b)"),
        ("back\\slash", "back\\\\slash"),
        ("`code`", "\\`code\\`"),
        ("**bold**", "\\*\\*bold\\*\\*"),
        ("one\r\ntwo\n\n# three\u2028four\x85five", "one two # three four five"),
        ("\u202egnp.exe\u200d\x00\x1b[0m", "gnp.exe\\[0m"),
        ("http://evil.example", "http:\u200b//evil.example"),
        ("WWW.evil.example", "WWW\u200b.evil.example"),
        ("dana@evil.example", "dana@\u200bevil.example"),
        ("x" * 100, "x" * 63 + "…"),
        ("", ""),
        ("\ud800half", "half"),
    ],
)
def test_a_value_stays_text(value: str, shown: str) -> None:
    """No markup, no HTML, no link, one line, not too long."""
    assert shown == escaped(value)


def test_hostile_text_makes_no_markup_anywhere() -> None:
    """Titles, reasons, names and ids of messages: none of them reaches the reader as anything but text."""
    text = sheet(a_hostile_run())
    rows = [line for line in text.splitlines() if line.startswith("|")]

    for bad in ("<", "http://", "www.", "[a]", "m@evil", "\u202e"):
        assert bad not in text, bad
    assert {5 + 1} == {line.replace("\\|", "").count("|") for line in rows}
    assert [line for line in text.splitlines() if line.startswith("### e")] == []


@pytest.mark.parametrize("stages", [1, 60])
@pytest.mark.parametrize("items", [1, 400])
@pytest.mark.parametrize("title", ["x", "\U0001f600" * 300, "|" * 300, "&" * 300])
def test_the_sheet_has_a_limit_whatever_a_run_holds(stages: int, items: int, title: str) -> None:
    """Many stages, many items, long titles, characters that grow when they are escaped."""
    names = [f"task_{n}" for n in range(items)]
    made = tuple(an_item(name, ItemKind.TASK, f"s{n % stages}", "lead", title=title) for n, name in enumerate(names))
    parts = tuple(a_stage(f"s{n}", tuple(names[n::stages]), title=title) for n in range(stages))
    run = a_run(an_order(a_definition(stages=parts, items=made, metrics=(), signals=(), title=title)))
    for n in range(10):
        run.say("complete", via="signal", actor="mallory", message_id=f"{'`' * 100}{n}", item="task_0")
    text = sheet(run)

    assert len(text.encode()) <= COVER_BYTES
    assert text.endswith("\n---\n\n")
    assert "**Must act**" in text


def test_a_usual_sheet_leaves_nothing_out() -> None:
    """Seven items and three stages are far below the limit."""
    text = sheet(a_run())

    assert " more" not in text
    assert len(text.encode()) < COVER_BYTES / 2


def test_a_long_plan_is_shown_around_the_stage_it_is_in() -> None:
    """Of sixty stages those that matter now."""
    names = [f"task_{n}" for n in range(60)]
    made = tuple(an_item(name, ItemKind.TASK, f"s{n}", "lead") for n, name in enumerate(names))
    parts = tuple(
        a_stage(f"s{n}", (name,), needs=(f"s{n - 1}",) if n else (), title=f"Stage {n}.")
        for n, name in enumerate(names)
    )
    run = a_run(an_order(a_definition(stages=parts, items=made, metrics=(), signals=())))
    for n in range(30):
        run.say("complete", item=f"task_{n}")
    text = sheet(run)

    assert "| Stage 30. | **open**" in text
    assert "| Stage 29. | done |" in text
    assert "Stage 0." not in text
    assert " more" in text


@pytest.mark.parametrize(
    ("spent", "said"), [(0, "0s"), (59, "59s"), (3_600, "1h"), (90_061, "1d 1h"), (61, "1m 1s"), (86_400, "1d")]
)
def test_a_duration_is_told_in_its_two_largest_units(spent: int, said: str) -> None:
    """What a person remembers."""
    assert said == lasting(spent)


# Search attributes ----------------------------------------------------------------------------------------------------


def test_the_attributes_are_those_of_the_contract() -> None:
    """Fourteen names, each of the type that is registered."""
    run = a_run()
    found = attributes(run.plan, run.state)

    assert {
        "OnboardingCustomer": "c-1",
        "OnboardingDefinition": "small",
        "OnboardingStage": "intake",
        "OnboardingOwner": "olga",
        "OnboardingHealth": "on_track",
        "OnboardingWaitingOn": "customer",
        "OnboardingSegment": "smb",
        "OnboardingWave": None,
        "OnboardingDueAt": at(3, 9),
        "OnboardingPromisedAt": at(15, 9),
        "OnboardingSignedAt": datetime(2026, 11, 27, 12, tzinfo=UTC),
        "OnboardingEscalations": 0,
        "OnboardingAsks": 2,
        "OnboardingFirstValue": False,
    } == found


def test_the_attributes_of_a_finished_run_wait_for_nobody() -> None:
    """What a filter for open work must not find."""
    run = a_finished_run()
    found = attributes(run.plan, run.state)

    assert tuple(found[f"Onboarding{name}"] for name in ("WaitingOn", "DueAt", "FirstValue")) == ("nobody", None, True)


def test_no_attribute_can_grow_past_its_limit() -> None:
    """The server terminates a run whose Keyword value passes 2,048 bytes."""
    huge = "\U0001f600" * 3_000
    run = a_run(an_order(inputs={"segment": huge, "wave": huge, "signed_at": huge}))
    stage = replace(run.state.stages["intake"], owner=huge)
    run.change(stages={**run.state.stages, "intake": stage}, customer=huge)
    texts = [value for value in attributes(run.plan, run.state).values() if isinstance(value, str)]

    assert max(map(len, texts)) == limits.ATTRIBUTE_LENGTH
    assert max(len(text.encode()) for text in texts) <= 2_048


@pytest.mark.parametrize("signed", [None, "", "yesterday", 7, ["2026-11-27"], "2026-11-27"])
def test_a_strange_instant_of_signature_is_none_or_a_day(signed: Any) -> None:
    """An attribute of a wrong type would stop the run."""
    run = a_run(an_order(inputs={"signed_at": signed, "legacy": False}))
    found = attributes(run.plan, run.state)["OnboardingSignedAt"]

    assert found is None or found == datetime(2026, 11, 27, tzinfo=UTC)


def test_the_summary_names_customer_and_definition() -> None:
    """One line that never changes."""
    assert summary(a_run().plan) == "c-1 · small"


def test_a_gate_without_open_items_names_its_owner() -> None:
    """When nobody has an item, somebody still has the stage."""
    run = a_run()
    done = {
        name: replace(run.state.items[name], status=ItemStatus.DONE) for name in ("details", "papers", "credit_check")
    }
    run.change(items={**run.state.items, **done})

    assert "**Must act** olga: legal_name is not known yet" in sheet(run)
