"""Every fault of a definition is found at its line and under its rule, and nothing else is said."""

# ruff: noqa: SIM300 – tests put the expected value first

from collections import Counter

import pytest

from onboarding.language.rules import RULES
from tests.support.language import errors_in, faults_in, warnings_in
from tests.support.language_cases import CASES, SMALL, WARNINGS

# What no snippet of YAML can break: it is about files, installations or time-zone tables.
ELSEWHERE = (
    "cannot_read", "too_large", "not_utf8", "empty_file", "not_a_mapping", "too_many_values", "too_many_items",
    "no_deputy", "deputy_missing", "too_many_variants", "no_calendar",
)  # fmt: skip


def marked(text: str) -> int:
    """The line that a case marks with `#!`."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if "#!" in line)


@pytest.mark.parametrize(("rule", "find", "write"), CASES, ids=[f"{n}-{rule}" for n, (rule, _, _) in enumerate(CASES)])
def test_one_mistake_gives_one_error_at_its_line(rule: str, find: str, write: str) -> None:
    assert find in SMALL
    text = SMALL.replace(find, write, 1)

    assert [(rule, marked(text))] == [(fault.rule, fault.line) for fault in errors_in(text)]


@pytest.mark.parametrize(
    ("rule", "find", "write"), WARNINGS, ids=[f"{n}-{rule}" for n, (rule, _, _) in enumerate(WARNINGS)]
)
def test_what_will_hurt_is_a_warning_at_its_line(rule: str, find: str, write: str) -> None:
    assert find in SMALL
    text = SMALL.replace(find, write, 1)

    assert (rule, marked(text)) in [(fault.rule, fault.line) for fault in warnings_in(text)]
    assert [] == errors_in(text)


def test_the_small_definition_has_no_fault() -> None:
    assert [] == faults_in(SMALL)


def test_every_rule_is_shown_by_a_case() -> None:
    shown = {rule for rule, _, _ in (*CASES, *WARNINGS)}

    assert [] == [rule for rule in RULES if rule not in shown and rule not in ELSEWHERE]


def test_there_are_enough_cases() -> None:
    assert 90 <= len(CASES)


def test_ten_mistakes_are_reported_at_once_in_line_order() -> None:
    text = SMALL
    edits = {
        "version: 1": "version: one",
        "target: 10bd": "targett: 10bd",
        "type: enum, values: [smb, mid, large]": "type: enumm, values: [smb, mid, large]",
        "tz: Europe/Berlin": "tz: Europe/Berlinn",
        "deputy: boss": "deputy: bos",
        "do: hold": "do: hodl",
        "activity: check_vat,": "activity: chek_vat,",
        "when: input.sso": "when: input.ssso",
        "reopen: [prepare]": "reopen: [prepar]",
        "goal: 14d": "goal: 14",
    }
    for find, write in edits.items():
        text = text.replace(find, write, 1)
    faults = errors_in(text)

    assert len(edits) == len(faults)
    assert sorted(fault.line for fault in faults) == [fault.line for fault in faults]
    assert {"unknown_key", "wrong_value", "unknown_role", "unknown_activity"} <= Counter(f.rule for f in faults).keys()


def test_a_broken_part_does_not_make_its_neighbours_unknown() -> None:
    text = SMALL.replace("legal_name: {type: string, required: true, max: 200}", "legal_name: {typ: string}")

    assert ["missing_key", "unknown_key"] == sorted(fault.rule for fault in errors_in(text))


def test_a_fault_says_the_nearest_name_and_where() -> None:
    (fault,) = errors_in(SMALL.replace("owner: manager\n    needs", "owner: managr\n    needs"))

    assert "did you mean 'manager'?" in fault.message
    assert "stages[1].owner" == fault.place
    assert 12 == fault.column


def test_a_typo_inside_a_condition_is_shown_at_its_column() -> None:
    text = SMALL.replace("input.segment != 'smb'", "input.sso && input.segmnt != 'smb'")
    (fault,) = errors_in(text)
    line = text.split("\n")[fault.line - 1]

    assert line.index("input.segmnt") + 1 == fault.column
    assert "'input.segment'" in fault.message


def test_after_a_syntax_error_nothing_else_is_said() -> None:
    faults = faults_in(SMALL.replace("version: 1", "version: 0").replace("signals:", "signals: ["))

    assert ["syntax"] == [fault.rule for fault in faults]


def test_a_secret_is_never_repeated() -> None:
    text = SMALL.replace("        event: esign.completed", "        event: esign.completed\n        secret: hunter2")

    assert not any("hunter2" in fault.message for fault in faults_in(text))


def test_nobody_to_turn_to_is_an_error_and_some_without_a_deputy_a_warning() -> None:
    some = SMALL.replace("contact: champion, deputy: admin", "contact: champion")
    with_boss = some.replace("id: prepare, title", "id: prepare, owner: manager, escalation: standard, title")

    assert ["no_deputy"] == [fault.rule for fault in errors_in(some)]
    assert [] == errors_in(with_boss)
    assert "deputy_missing" in [fault.rule for fault in warnings_in(with_boss)]


def test_business_time_without_a_calendar_is_a_warning() -> None:
    start, end = SMALL.index("calendars:"), SMALL.index("roles:")

    assert ["no_calendar"] == [fault.rule for fault in faults_in(SMALL[:start] + SMALL[end:])]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "~", "null"])
def test_nothing_is_refused_as_empty(text: str) -> None:
    assert ["empty_file"] == [fault.rule for fault in faults_in(text)]


@pytest.mark.parametrize("text", ["just words", "- a\n- b", "7", "'quoted'"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert ["not_a_mapping"] == [fault.rule for fault in faults_in(text)]


@pytest.mark.parametrize("word", ["no", "NO", "on", "yes", "off", "12:30", "1_000", "2026-12-25"])
def test_words_of_yaml_1_1_stay_texts(word: str) -> None:
    assert [] == errors_in(SMALL.replace("A small onboarding", word))


def test_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    assert [] == faults_in("\ufeff" + SMALL.replace("\n", "\r\n"))


def test_a_fault_behind_a_broken_entry_keeps_its_own_line() -> None:
    text = SMALL.replace("    tasks:\n", "    tasks:\n      - {title: Nameless, nedes: [x]}\n      - 7\n").replace(
        "[{at: -1bd}", "[{at: soon}"
    )
    text = text.replace("owner: manager\n    needs", "owner: managr\n    needs")
    line = next(number for number, each in enumerate(text.split("\n"), 1) if "managr" in each)

    assert ("unknown_role", line) in [(fault.rule, fault.line) for fault in errors_in(text)]
    assert 5 == len(errors_in(text))


UNREAD = """schema: onboarding/v1
id: unread
version: 1
title: Nobody reads it
roles:
  onboarding: {side: provider, value: dana}
policies:
  contact: {digest: true}
stages:
  - id: start
    title: Start
    owner: onboarding
    tasks: [{id: call, title: Call, due: 1d, needs: [nothing]}]
"""


def test_what_nobody_would_read_is_told_beside_other_mistakes() -> None:
    """A need that does not exist and a digest without reminders: both at once, since neither explains the other."""
    assert ["digest_unread", "unknown_name"] == [fault.rule for fault in errors_in(UNREAD)]
