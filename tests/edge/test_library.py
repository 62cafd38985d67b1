"""Files become definitions or faults: whatever a file holds, nobody sees a traceback."""

# ruff: noqa: SIM300 – tests put the expected value first

import json
import os
import socket
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from onboarding.errors import DefinitionInvalid, Fault
from onboarding.language.rules import RULES
from runtime import library
from tests.support import pace
from tests.support.language import HERE
from tests.support.language_cases import SMALL


def write(folder: Path, content: bytes | str, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def rules(faults: list[Fault] | tuple[Fault, ...]) -> list[str]:
    return [fault.rule for fault in faults]


def test_a_definition_is_found_by_its_id_and_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)

    assert path == library.find("small", folder=tmp_path)
    assert path == library.find(str(path), folder=tmp_path)
    assert "small" == library.load("small", folder=tmp_path, installation=HERE).id


def test_an_unknown_id_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "b2b-standard.yaml")
    with pytest.raises(DefinitionInvalid) as caught:
        library.find("b2b-standart", folder=tmp_path)

    assert "did you mean 'b2b-standard'?" in str(caught.value)


@pytest.mark.parametrize("ref", ["", "../../etc/passwd-not-there", "a\0b", "x" * 5_000, "nö", "~"])
def test_no_reference_makes_the_search_fail(ref: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionInvalid):
        library.load(ref, folder=tmp_path)


def test_the_ids_of_a_folder_are_listed_in_order(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "b.yaml")
    write(tmp_path, SMALL, "a.yaml")
    write(tmp_path, "no definition", "README.md")

    assert ("a", "b") == library.known_ids(folder=tmp_path)
    assert () == library.known_ids(folder=tmp_path / "nowhere")


def test_every_shipped_definition_is_without_errors_here_and_elsewhere() -> None:
    ids = library.known_ids()

    assert ids
    for name in ids:
        faults = library.check_file(library.find(name))
        assert [] == [fault for fault in faults if fault.severity == "error"], name


def test_an_unknown_zone_is_reported_at_its_place(tmp_path: Path) -> None:
    (fault,) = library.check_file(write(tmp_path, SMALL.replace("Europe/Berlin", "Europe/Berlinn")), installation=HERE)

    assert ("unknown_zone", 16, 18) == (fault.rule, fault.line, fault.column)
    assert "Europe/Berlin" in fault.message


def test_portable_leaves_out_what_another_installation_may_have(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("make_tenant", "theirs"))

    assert ["unknown_activity"] * 2 == rules(library.check_file(path, installation=HERE))
    assert [] == library.check_file(path, installation=HERE, portable=True)


HOSTILE = {
    "cannot_read": None,
    "empty_file": b"",
    "not_utf8": b"schema: onboarding/v1\ntitle: \xff\xfe\n",
    "control_character": bytes(range(32)) * 10,
    "too_large": b"a: b\n" * 500_000,
    "too_deep": b"[" * 200_000,
    "anchor": b"a: &a [x]\n" + b"b: *a\n" * 1_000,
    "too_many_values": b"- x\n" * 60_000,
    "syntax": b"a: 'unclosed\n" * 3,
}


@pytest.mark.parametrize("rule", HOSTILE)
def test_hostile_files_are_refused_quickly_and_with_one_rule(rule: str, tmp_path: Path) -> None:
    content = HOSTILE[rule]
    path = tmp_path / "missing.yaml" if content is None else write(tmp_path, content)
    begun = time.thread_time()
    faults = library.check_file(path, installation=HERE)
    spent = time.thread_time() - begun

    assert rule in rules(faults)
    assert all(fault.severity == "error" for fault in faults)
    assert pace.within(spent, 2)
    with pytest.raises(DefinitionInvalid):
        library.read_mapping(path)


def test_the_second_alias_bomb_line_is_not_even_read(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert ["anchor", "anchor", "anchor"] == rules(library.check_file(write(tmp_path, bomb)))


@pytest.mark.parametrize("content", [b"x: [" * 60_000, b'"' + b"\\x41" * 60_000, b"? " * 120_000, b"{a: " * 60_000])
def test_memory_stays_bounded(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    tracemalloc.start()
    try:
        library.check_file(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 64_000_000 > peak


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert ["cannot_read"] == rules(library.check_file(tmp_path))


@pytest.mark.parametrize("name", ["input.yaml", "input.json"])
def test_a_start_input_is_read_from_yaml_and_json(name: str, tmp_path: Path) -> None:
    value = {
        "customer_id": "c-1",
        "sso": True,
        "seats": 3,
        "rate": 1.5,
        "note": "täg \U0001f600\n",
        "list": ["a", None, {}],
    }

    assert value == library.read_mapping(write(tmp_path, json.dumps(value, indent="\t"), name))


def test_a_start_input_keeps_words_of_yaml_1_1_as_texts(tmp_path: Path) -> None:
    path = write(tmp_path, "country: NO\nsigned_at: 2026-11-02T09:00:00Z\nplan: on\n")

    assert {"country": "NO", "signed_at": "2026-11-02T09:00:00Z", "plan": "on"} == library.read_mapping(path)


@pytest.mark.parametrize(
    "content", ["[1, 2]", "a: 1\na: 2", "a: .nan", '{"a": "\\ud800"}', "{} {}", '{"a": 1e999}', "1: 2"]
)
def test_a_start_input_that_is_no_plain_mapping_is_refused_with_places(content: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        library.read_mapping(write(tmp_path, content))

    assert all(fault.line >= 1 and fault.column >= 1 for fault in caught.value.faults)


FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LINES = SMALL.split("\n")
WORDS = ["{}", "[]", "null", "~", "true", "-1", "1e99", "x: y", "- a", "*a", "&a b", "!t", "'", '"', "%", "@", "`", "|", ">", "? ", "<<", "\t", "\0", "\ud800", "😀", "stages", "id", "needs", "when", "9" * 30, "'" * 3, "[[[[", "}}"]  # fmt: skip


def sound(faults: list[Fault]) -> bool:
    return all(fault.rule in RULES and fault.line >= 1 and fault.column >= 1 and fault.message for fault in faults)


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_give_faults_and_never_an_exception(content: bytes) -> None:
    faults = library.check_text(content, installation=HERE)

    assert faults
    assert sound(faults)


@FUZZ
@given(st.text(max_size=300))
def test_any_text_gives_faults_and_never_an_exception(text: str) -> None:
    assert sound(library.check_text(text.encode("utf-8", "surrogatepass"), installation=HERE))


@FUZZ
@given(st.integers(0, len(SMALL)), st.integers(0, 40), st.sampled_from(WORDS) | st.text(max_size=10))
def test_a_definition_with_a_hole_or_a_splinter_gives_faults_and_never_an_exception(
    at: int, cut: int, word: str
) -> None:
    text = SMALL[:at] + word + SMALL[at + cut :]

    assert sound(library.check_text(text.encode("utf-8", "surrogatepass"), installation=HERE))


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)), max_size=6))
def test_lines_in_wrong_places_give_faults_and_never_an_exception(moves: list[tuple[int, int]]) -> None:
    lines = list(LINES)
    for source, target in moves:
        lines[target] = lines[source]

    assert sound(library.check_text("\n".join(lines).encode(), installation=HERE))


def _replaced(data: object, at: int, value: object) -> object:
    """The data with its nth part replaced."""
    count = -1

    def walk(part: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            return value
        if isinstance(part, dict):
            return {key: walk(inner) for key, inner in part.items()}
        return [walk(inner) for inner in part] if isinstance(part, list) else part

    return walk(data)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "x", "intake", "details", "pass", "due", "3bd", "input.sso"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "title", "owner", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@FUZZ
@given(st.integers(0, 260), values)
def test_any_value_in_any_place_gives_faults_and_never_an_exception(at: int, value: object) -> None:
    data = _replaced(library.parse(SMALL.encode()).data, at, value)

    assert sound(library.check_text(json.dumps(data).encode(), installation=HERE))


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "null\n"])
def test_an_empty_input_is_told_what_an_input_holds(content: str, tmp_path: Path) -> None:
    """The keywords of a definition would be wrong in it."""
    with pytest.raises(DefinitionInvalid) as caught:
        library.read_mapping(write(tmp_path, content, "input.yaml"))

    assert ["empty_file"] == rules(caught.value.faults)
    assert "name: value" in str(caught.value)
    assert "schema" not in str(caught.value)
    assert "schema: onboarding/v1" in library.check_file(tmp_path / "input.yaml")[0].message


def test_what_is_no_mapping_is_told_in_words_that_fit_every_such_file(tmp_path: Path) -> None:
    """A directory of groups is read by the same function as a start input."""
    with pytest.raises(DefinitionInvalid) as caught:
        library.read_mapping(write(tmp_path, "- eva\n", "people.yaml"))

    assert "start input" not in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("kind", "word"), [("pipe", "a pipe"), ("directory", "a directory"), ("socket", "a socket"), ("device", "a device")]
)
def test_only_files_are_read_and_nothing_is_waited_for(kind: str, word: str, tmp_path: Path) -> None:
    """A pipe has an end only when somebody writes; a device may have none."""
    path = tmp_path / "x.yaml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(path))
        case _:
            path.symlink_to("/dev/zero")
    (fault,) = library.check_file(path)
    with pytest.raises(DefinitionInvalid) as caught:
        library.read_mapping(path)

    assert "cannot_read" == fault.rule
    assert f"(it is {word}, and only files are read)" in fault.message
    assert (fault,) == caught.value.faults
