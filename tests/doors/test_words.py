"""What the command line says before anything happens: greeting, help, wrong usage, wrong settings."""

from __future__ import annotations

import json
import re
from importlib import import_module

import pytest
from typer.main import get_group

from console.catalogue import ENTRIES, Entry
from tests.support.calls import Door
from tests.support.shell import ROOT

CONTRACT = (
    "check", "schema", "picture", "start", "submit", "decide", "complete", "happen", "hold", "resume", "extend", "reassign",
    "set-calendar",
    "check", "schema", "picture", "start", "submit", "decide", "complete", "happen", "hold", "resume", "extend", "reassign", "absence",
    "waive", "reopen", "note", "cancel", "status", "why", "gate", "trail", "ledger", "refused", "list", "inbox", "outbox",
    "report", "demo", "dev", "doctor", "database",
)  # fmt: skip
"""The commands of the contract."""
RUN = "onboarding/c-1/quick-start"


def test_alone_it_greets_with_five_commands(door: Door) -> None:
    """`python starter.py` prints what a newcomer needs, in order, and is no error."""
    answer = door()

    assert answer.code == 0
    assert [word.split()[0] for word in re.findall(r"(?m)^  python starter\.py (.+)$", answer.out)] == [
        "demo", "check", "dev", "start", "status",
    ]  # fmt: skip


def test_help_is_quick(door: Door) -> None:
    """Nothing heavy is imported to print a list of commands."""
    fastest = min(door("--help").seconds for _ in range(5))

    assert fastest <= 0.4


def test_every_command_of_the_contract_is_there(door: Door) -> None:
    """And each one is listed."""
    overview = door("--help").out

    assert set(CONTRACT) <= {entry.name for entry in ENTRIES}
    assert all(re.search(rf"(?m)^  {entry.name} +\S", overview) for entry in ENTRIES)


@pytest.mark.parametrize("name", [entry.name for entry in ENTRIES])
def test_every_command_explains_itself(door: Door, name: str) -> None:
    """`COMMAND --help` ends with 0 and says how the command is used."""
    answer = door(name, "--help")

    assert answer.code == 0
    assert f"Usage: python starter.py {name}" in answer.out


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_word_of_a_command_is_explained(entry: Entry) -> None:
    """Each argument and option has a line of its own, in every command."""
    command = get_group(import_module(f"console.{entry.module}").app).commands[entry.name]

    assert [one.name for one in command.params if not getattr(one, "help", None)] == []


def test_a_field_is_explained_as_its_own_message_means_it(door: Door) -> None:
    """`decide` and `cancel` both have an outcome, and they are not the same."""
    decide, cancel = door("decide", "--help").out, door("cancel", "--help").out

    assert "lost" not in decide
    assert "definition names" in decide
    assert "cancelled (default) or lost" in cancel


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lst",), "did you mean 'list'"),
        (("--verbose",), "There is no command"),
        (("-o", "json"), "Which command?"),
        (("submit", RUN), "Missing argument 'ITEM'"),
        (("submit",), "Missing argument 'RUN'"),
        (("status",), "Missing argument 'RUN'"),
        (("status", RUN, "--wach"), "--watch"),
        (("status", RUN, "-o", "yaml"), "yaml"),
        (("check",), "Missing argument"),
        (("picture", "quick-start", "-o", "svg"), "extra"),
        (("start", "quick-start"), "--customer"),
        (("start", "quick-start", "--customer", "c-1", "--set", "x"), "NAME=VALUE"),
        (("start", "quick-start", "--customer", "c-1", "--at", "2026-01-01T00:00:00Z"), "--dry-run"),
        (("start", "quick-start", "--customer", "c-1", "--dry-run", "--at", "tomorrow"), "offset"),
        (("start", "quick-start", "--customer", "c-1", "--dry-run", "--at", "2026-01-01T00:00:00"), "offset"),
        (("submit", RUN, "x", "--fields", "{"), "takes JSON"),
        (("submit", RUN, "x", "--fields", "[NaN]"), "takes JSON"),
        (("submit", RUN, "x", "--fields", "[" * 100_000), "nested too deep"),
        (("submit", RUN, "x", "--fields", '{"a": {"b": 1, "b": 2}}'), "the key '/a/b' twice"),
        (("submit", RUN, "x", "--fields", '{"a": [{"b/c": 1, "b/c": 1}]}'), "the key '/a/0/b~1c' twice"),
        (("complete", RUN, "x", "--provides", '{"a": 1, "a": 2}'), "--provides has the key '/a' twice"),
        (("happen", RUN, "x", "--data", '{"a": 1, "a": 2}'), "--data has the key '/a' twice"),
        (("start", "quick-start", "--customer", "c-1", "--set", "x=1", "--set", "x=1"), "--set names 'x' twice"),
        (("start", "quick-start", "--customer", "c-1", "--set", 'contacts=[{"role": 1, "role": 2}]'), "the key '/0/role' twice"),
        (("list", "--health", "at-risk"), "did you mean 'at_risk'?"),
        (("list", "--health", "on_track", "--health", "wrong"), "on_track, at_risk, stalled, escalated, on_hold; there is no 'wrong'"),
        (("list", "--state", "nosuch"), "running, on_hold, closed"),
        (("list", "--outcome", "won"), "live, lost, cancelled"),
        (("list", "--waiting-on", "x"), "customer, provider, third_party, nobody"),
        (("extend", RUN, "--due", "2026-01-01T00:00:00Z"), "--stage"),
        (("extend", RUN, "x", "--stage", "y"), "one thing"),
        (("set-calendar", RUN, "customer", "--tz", "Europe/Berln", "--reason", "r"), "nearest: Europe/Berlin"),
        (("set-calendar", RUN, "customer", "--country", "Spain", "--reason", "r"), "did you mean 'ES'?"),
        (("set-calendar", RUN, "customer", "--country", "ES", "--subdivision", "XX", "--reason", "r"), "ES has no subdivision 'XX'"),
        (("set-calendar", RUN, "customer", "--subdivision", "MD", "--reason", "r"), "--country"),
        (("set-calendar", RUN, "customer", "--no-holidays", "--holiday", "2026-12-24", "--reason", "r"), "leaves none"),
        (("set-calendar", RUN), "Missing argument 'CALENDAR'"),
        (("absence", "dana", "--until", "2026-12-01T00:00:00Z"), "--from"),
        (("absence", "--from", "2026-12-01T00:00:00Z", "--until", "2026-12-02T00:00:00Z"), "PERSON"),
        (("trail", RUN, "extra"), "extra"),
        (("report", "--by", "colour"), "by definition, version, variant, segment, owner, month or wave, not by 'colour'."),
        (("report", "--by", "versoin"), "did you mean 'version'?"),
        (("report", RUN, "--by", "definition"), "not both"),
        (("report", RUN, "--from", "2026-11-01"), "not both"),
        (("report", "--from", "yesterday"), "--from takes a date or an instant"),
        (("report", "--to", "2026-11-01T08:00:00"), "--to takes a date"),
        (("report", "--to", "2026-02-30"), "--to takes a date"),
        (("report", "--from", "2026-11-02", "--to", "2026-11-02"), "--to comes after --from"),
        (("inbox", "dana", "--cursor", "x"), "cursor"),
        (("list", "--cursor", "zzz"), "This cursor cannot be read"),
        (("list", "--cursor", "c-1/quick-start"), "This cursor cannot be read"),
        (("demo", "--scale", "1"), "--scale"),
    ],
)  # fmt: skip
def test_wrong_usage_is_64_and_says_what_is_right(door: Door, arguments: tuple[str, ...], words: str) -> None:
    """On stderr, in one sentence; stdout stays empty."""
    answer = door(*arguments)

    assert answer.code == 64
    assert words in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("inbox", "\udcff"),
        ("list", "--stage", "\udcff"),
        ("outbox", "--cursor", "\udcff"),
    ],
)
def test_a_word_that_is_no_text_is_64(door: Door, arguments: tuple[str, ...]) -> None:
    """Only names of files may be any bytes."""
    answer = door(*arguments)

    assert answer.code == 64
    assert "no UTF-8 text" in answer.err


@pytest.mark.parametrize("name", ["ONBOARDING_DEFINITIONS", "ONBOARDING_DIRECTORY"])
@pytest.mark.parametrize("command", ["list", "doctor"])
def test_a_home_that_nobody_has_is_64(door: Door, name: str, command: str) -> None:
    """And doctor says nothing more than the other commands."""
    answer = door(command, **{name: "~nobody-here/x"})

    assert answer.code == 64
    assert answer.err.startswith(name)
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("address", ["a..b:7233", f"{'x' * 300}:1"])
def test_an_address_that_no_host_can_have_is_69(door: Door, address: str) -> None:
    """As one where nobody listens."""
    answer = door("status", RUN, TEMPORAL_ADDRESS=address)

    assert answer.code == 69
    assert "cannot be connected to" in answer.err


def test_a_folder_that_cannot_be_made_is_69(door: Door) -> None:
    """The sentence names it."""
    (door.folder / "file").touch()
    answer = door("dev", "--folder", door.folder / "file" / "dev")

    assert answer.code == 69
    assert f"{str(door.folder / 'file' / 'dev')!r} cannot be used (Not a directory)" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "quick-start"),
        ("schema",),
        ("list",),
        ("status", RUN),
        ("note", RUN, "x"),
        ("doctor",),
        ("dev",),
        ("demo",),
    ],
)
def test_an_unknown_setting_ends_every_command(door: Door, arguments: tuple[str, ...]) -> None:
    """64, with the nearest name."""
    answer = door(*arguments, ONBOARDING_TASK_QUEU="x")

    assert answer.code == 64
    assert "ONBOARDING_TASK_QUEUE" in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", RUN), ("status", RUN, "--watch"), ("why", RUN, "x"), ("gate", RUN, "x"), ("trail", RUN), ("ledger", RUN),
        ("refused", RUN), ("customer", RUN), ("open-items", RUN), ("note", RUN, "x", "--actor", "dana"),
        ("note", RUN, "x", "--signal"), ("extend", RUN, "x", "--actor", "dana", "--reason", "x", "--due", "2026-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_without_a_server_it_is_69_and_says_what_to_start(door: Door, arguments: tuple[str, ...]) -> None:
    """Nothing was sent; at once, not after a minute."""
    answer = door(*arguments)

    assert answer.code == 69
    assert "starter.py dev" in answer.err
    assert answer.out == ""
    assert answer.seconds < 10


def test_doctor_names_what_is_missing(door: Door) -> None:
    """One line each; without a server that line fails, and so does doctor."""
    answer = door("doctor", "-o", "jsonl")
    rows = {row["name"]: row for row in map(json.loads, answer.lines)}

    assert answer.code == 69
    assert rows["server"]["level"] == "fail"
    assert "starter.py dev" in rows["server"]["way_out"]
    assert {"python", "packages", "definitions", "directory", "database"} <= set(rows)
    assert all(rows[name]["level"] == "ok" for name in ("python", "packages", "definitions", "database"))


def test_doctor_of_runs_needs_a_server_and_changes_nothing(door: Door) -> None:
    """Without one it ends as every command does that asks it; to register and to look are two things."""
    away, both = door("doctor", "--runs"), door("doctor", "--runs", "--fix")

    assert (away.code, away.out) == (69, "")
    assert "Temporal server" in away.err
    assert (both.code, both.out) == (64, "")
    assert "leave out --fix" in both.err


def test_doctor_as_text_is_one_line_each(door: Door) -> None:
    """What a person reads."""
    answer = door("doctor", "-o", "table")

    assert all(re.match(r"(ok  |warn|fail) .+: .+\.", line) for line in answer.lines)


def test_a_database_that_is_none_is_69(door: Door) -> None:
    """The sentence names the setting."""
    (door.folder / "rows.sqlite").write_text("this is no database at all, whatever its name says" * 50)
    answer = door("list")

    assert answer.code == 69
    assert "SQLite" in answer.err


def test_lists_of_nothing_are_empty_pages(door: Door) -> None:
    """A new installation is no error."""
    for arguments in (("list",), ("inbox", "dana"), ("outbox",), ("report",)):
        answer = door(*arguments)

        assert answer.code == 0
        assert (answer.data["rows"], answer.data["next_cursor"]) == ([], None)


@pytest.mark.parametrize(
    "arguments", [("outbox", RUN), ("report", RUN), ("report", "nonsense"), ("status", "nonsense")]
)
def test_a_run_that_nobody_knows_is_23(door: Door, arguments: tuple[str, ...]) -> None:
    """The verdict is data."""
    answer = door(*arguments)

    assert answer.code == 23
    assert answer.data["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "code", "place"),
    [
        (("note", RUN, "x"), "required", "/actor"),
        (("note", RUN, "x", "--actor", "dana@provider.example"), "mail_address", "/actor"),
        (("note", RUN, "x\x07", "--actor", "dana"), "control_characters", "/text"),
        (("hold", RUN, "--actor", "dana"), "required", "/reason"),
        (("submit", RUN, "x", "--actor", "dana", "--fields", "[1]"), "wrong_type", "/fields"),
        (("extend", RUN, "--item", "x", "--reason", "y", "--due", "2026-01-01", "--actor", "dana"), None, "/due"),
    ],
)  # fmt: skip
def test_a_message_of_wrong_shape_is_a_verdict_with_places(
    door: Door, arguments: tuple[str, ...], code: str | None, place: str
) -> None:
    """20, with every fault: shape comes first, so no server is needed to know it."""
    answer = door(*arguments)
    verdict = answer.data

    assert answer.code == 20
    assert verdict["outcome"] == "rejected"
    assert place in [fault["place"] for fault in verdict["faults"]]
    assert code is None or code in [fault["code"] for fault in verdict["faults"]]
    assert verdict["message_id"]


def test_a_key_that_stands_twice_in_a_file_is_told_as_one_that_is_typed(door: Door) -> None:
    """The last one would win, and nobody would know."""
    (door.folder / "fields.json").write_text('{"vat_id": "1",\n "vat_id": "2"}')
    answer = door("submit", RUN, "x", "--actor", "dana", "--fields", "@fields.json")

    assert answer.code == 64
    assert "--fields @fields.json has the key '/vat_id' twice" in answer.err


def test_a_list_takes_every_word_that_a_run_can_have(door: Door) -> None:
    """The words of the contract; several of one kind mean any of them."""
    words = {
        "--health": ("on_track", "at_risk", "stalled", "escalated", "on_hold"),
        "--waiting-on": ("customer", "provider", "third_party", "nobody"),
        "--state": ("running", "on_hold", "closed"),
        "--outcome": ("live", "lost", "cancelled"),
    }
    answer = door("list", *(word for option, values in words.items() for value in values for word in (option, value)))

    assert answer.code == 0


def test_a_message_over_64_kib_is_24(door: Door) -> None:
    """Whether typed or from a file."""
    (door.folder / "large.json").write_text(json.dumps({"text": "x" * 70_000}))
    (door.folder / "huge.json").write_text(json.dumps({"text": "x" * 2_000_000}))
    for name in ("large.json", "huge.json"):
        answer = door("submit", RUN, "x", "--actor", "dana", "--fields", f"@{name}", "--id", "m-1")

        assert answer.code == 24
        assert answer.data["outcome"] == "too_large"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"\x00\x01\x02 binary \x9f"])
def test_an_object_from_a_file_that_cannot_be_read_is_65(door: Door, content: bytes | None) -> None:
    """A file, not the usage, is what is wrong."""
    if content is not None:
        (door.folder / "fields.json").write_bytes(content)
    answer = door("submit", RUN, "x", "--actor", "dana", "--fields", "@fields.json")

    assert answer.code == 65
    assert "fields.json" in answer.err


def test_it_works_from_any_folder_and_with_a_plain_terminal(door: Door) -> None:
    """A machine whose language is C still gets the whole text."""
    answer = door("check", "quick-start", "-o", "table", LANG="C", LC_ALL="C", PYTHONUTF8="0")

    assert answer.code == 0
    assert answer.lines == [f"{ROOT / 'definitions' / 'quick-start.yaml'}: ok"]


def test_the_readme_names_only_commands_that_exist() -> None:
    """What people copy from the papers works."""
    names = {entry.name for entry in ENTRIES}
    papers = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "definitions" / "README.md",
    ]
    said = [
        word
        for paper in papers
        if paper.exists()
        for word, behind in re.findall(r"starter\.py ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", paper.read_text())
        if f"{word} {behind}" not in names  # a command of two words
    ]

    assert said
    assert set(said) <= names
