"""`check`, `schema`, `picture`: exit codes and words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.calls import Door
from tests.support.shell import ROOT

FAULTY = Path(__file__).parent / "data" / "ten-faults.yaml"
SHIPPED = sorted((ROOT / "definitions").glob("*.yaml"))

BROKEN: dict[str, bytes | None] = {
    "binary": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
    "empty": b"",
    "two megabytes": b"title: " + b"x" * 2_000_000,
    "not UTF-8": "title: Grüße".encode("latin-1"),
    "aliases": b"a: &a [1, 2]\nb: [*a, *a]\n",
    "a bomb of aliases": b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n",
    "deep": b"[" * 5_000,
    "broken": b"a: [1, 2\nb: }",
    "a list": b"- 1\n- 2\n",
    "absent": None,
}
CYCLIC = b"""
schema: onboarding/v1
id: round
version: 1
title: Round and round
roles: {us: {side: provider, value: dana}}
stages:
  - {id: one, title: One, owner: us, needs: [two], tasks: [{id: a, title: A}]}
  - {id: two, title: Two, owner: us, needs: [one], tasks: [{id: b, title: B}]}
"""


def test_the_shipped_definitions_are_green(door: Door) -> None:
    """All of them in one call."""
    answer = door("check", *SHIPPED)

    assert answer.code == 0
    assert [(file["ok"], file["faults"]) for file in answer.data["files"]] == [(True, [])] * len(SHIPPED)


def test_ten_faults_are_ten_lines_with_places(door: Door) -> None:
    """As compilers write them, so that an editor can jump there."""
    answer = door("check", FAULTY, "-o", "table")

    assert answer.code == 65
    assert len(answer.lines) == 10
    for line in answer.lines:
        place, _, rest = line.removeprefix(f"{FAULTY}:").partition(": ")
        row, _, column = place.partition(":")
        assert int(row) >= 1
        assert int(column) >= 1
        assert rest.startswith("error: ")
        assert rest.endswith("]")


def test_faults_as_json_have_the_shape_of_the_contract(door: Door) -> None:
    """One object per file, one per fault."""
    answer = door("check", FAULTY, "quick-start")
    first, second = answer.data["files"]

    assert answer.code == 65
    assert (first["ok"], second["ok"]) == (False, True)
    assert all({"line", "column", "rule", "severity", "message"} <= set(fault) for fault in first["faults"])
    assert len({fault["rule"] for fault in first["faults"]}) >= 7


def test_json_lines_are_one_file_each(door: Door) -> None:
    """For programs that read line by line."""
    answer = door("check", FAULTY, "quick-start", "-o", "jsonl")

    assert [json.loads(line)["ok"] for line in answer.lines] == [False, True]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_65_with_its_fault(door: Door, name: str) -> None:
    """As a definition, as something to start, and as an input: every fault is told, nothing is started."""
    content = BROKEN[name]
    if content is not None:
        (door.folder / "broken.yaml").write_bytes(content)
    checked = door("check", "broken.yaml")
    started = door("start", "broken.yaml", "--customer", "c-1")
    given = door("start", "quick-start", "--customer", "c-1", "--input", "broken.yaml")

    assert (checked.code, started.code, given.code) == (65, 65, 65)
    assert checked.data["files"][0]["faults"]
    assert started.data["faults"]
    assert given.data["faults"]
    assert all({"place", "code", "sentence"} <= set(fault) for fault in given.data["faults"])


def test_a_pipe_is_refused_at_once_wherever_a_file_is_named(door: Door) -> None:
    """Nobody may ever write into it."""
    os.mkfifo(door.folder / "pipe.yaml")
    note = ("submit", "c-1/quick-start", "x", "--actor", "dana", "--fields", "@pipe.yaml")
    for arguments in (
        ("check", "pipe.yaml"), ("picture", "pipe.yaml"), ("start", "quick-start", "--customer", "c-1", "--input", "pipe.yaml"), note,
    ):  # fmt: skip
        answer = door(*arguments)

        assert answer.code == 65
        assert "it is a pipe, and only files are read" in answer.out + answer.err
    assert door("check", "quick-start", ONBOARDING_DIRECTORY="pipe.yaml").code == 65


def test_an_input_without_a_name_is_not_left_out(door: Door) -> None:
    """`--input "$FILE"` of a script whose variable is empty must not start a run without its input."""
    answer = door("start", "quick-start", "--customer", "c-1", "--input", "", "--dry-run")

    assert answer.code == 65
    assert "cannot_read" in answer.out


def test_a_circle_of_needs_is_65(door: Door) -> None:
    """A definition that could never run does not load."""
    (door.folder / "round.yaml").write_bytes(CYCLIC)

    assert door("check", "round.yaml").code == 65
    assert door("start", "round.yaml", "--customer", "c-1", "--dry-run").code == 65
    assert door("picture", "round.yaml").code == 65


def test_warnings_are_errors_only_when_strict(door: Door) -> None:
    """An unused role hurts nobody today."""
    text = (ROOT / "definitions" / "quick-start.yaml").read_text()
    (door.folder / "warned.yaml").write_text(
        text.replace("\nroles:\n", "\nroles:\n  idle: {side: provider, value: nobody.yet}\n", 1)
    )
    plain, strict = door("check", "warned.yaml"), door("check", "warned.yaml", "--strict")

    assert [fault["severity"] for fault in plain.data["files"][0]["faults"]] == ["warning"]
    assert (plain.code, strict.code) == (0, 65)


def test_names_of_this_installation_are_checked_unless_portable(door: Door) -> None:
    """A hook that nobody has registered would fail in the middle of a run."""
    text = (ROOT / "definitions" / "quick-start.yaml").read_text()
    (door.folder / "elsewhere.yaml").write_text(text.replace("provision_tenant", "provision_tenants", 1))
    here, portable = door("check", "elsewhere.yaml"), door("check", "elsewhere.yaml", "--portable")

    assert (here.code, portable.code) == (65, 0)
    assert "provision_tenant" in here.out


def test_groups_are_checked_where_a_directory_names_them(door: Door) -> None:
    """And a directory that is none is 65, with its place."""
    (door.folder / "people.yaml").write_text("implementation: [eva@provider.example, olaf]\n")
    (door.folder / "wrong.yaml").write_text("implementation: eva\n")

    assert door("check", "b2b-standard", ONBOARDING_DIRECTORY="people.yaml").code == 0
    assert door("check", "b2b-standard", ONBOARDING_DIRECTORY="wrong.yaml").code == 65
    assert door("check", "b2b-standard", ONBOARDING_DIRECTORY="absent.yaml").code == 65


def test_the_schema_is_a_json_schema(door: Door) -> None:
    """With the keywords of a definition at its top."""
    schema = door("schema").data

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"id", "version", "title", "roles", "stages"} <= set(schema["properties"])


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_a_picture_is_mermaid_with_every_stage(door: Door, name: str) -> None:
    """It is the graph, and nothing else is on stdout."""
    answer = door("picture", name)

    assert answer.code == 0
    assert answer.lines[0] == "flowchart TB"
    assert "subgraph s_" in answer.out


def test_a_name_that_is_no_definition_tells_the_nearest(door: Door) -> None:
    """A typing error costs one look."""
    answer = door("picture", "quick-strat")

    assert answer.code == 65
    assert "quick-start" in answer.out
