"""How people are reached, asked when a letter leaves: a hook, the installation's file, what a run was started with."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from integrations.channels.mail_text import address_of
from integrations.directory import REMEMBERED_FOR, SORTS, AskedDirectory, LayeredDirectory
from integrations.hooks import HookRegistry
from integrations.letters import Postponed, Reader
from onboarding.errors import DefinitionInvalid
from runtime.directory_file import DirectoryFile, read_directory
from storage.directory import Contact, SqlDirectory

RUN = "onboarding/c-1/small"
FILE = """\
groups:
  implementation: [eva, olaf]
people:
  dana:
    mail: dana@provider.example
    slack: U0123
    name: Dana Dee
    language: de
    zone: Europe/Berlin
    side: provider
    channels: [chat, mail]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "directory.yaml"
    path.write_text(text, "utf-8")
    return path


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def asked(function: Any, clock: Clock | None = None) -> AskedDirectory:
    return AskedDirectory(HookRegistry({"people": function}), "people", clock=clock or Clock())


def test_what_one_source_leaves_out_the_next_one_says(engine: Engine, tmp_path: Path) -> None:
    """The hook before the file, the file before the start input; roles come from the run."""
    rows = SqlDirectory(engine)
    rows.keep(
        RUN,
        [
            Contact(handle="dana", role="lead", address="old@provider.example", name="D", zone="UTC"),
            Contact(handle="lea", role="champion", address="lea@c.example", language="fr"),
        ],
    )
    people = read_directory(written(tmp_path, FILE), SORTS).people
    hook = asked(
        lambda given: {"ok": given["handle"] == "dana", "provides": {"teams": "T1", "name": "Dana of the hook"}}
    )
    directory = LayeredDirectory(rows, people, hook)

    assert Reader(
        handle="dana", name="Dana of the hook", side="provider", roles=("lead",), language="de", zone="Europe/Berlin",
        addresses={"mail": "dana@provider.example", "slack": "U0123", "teams": "T1"}, channels=("chat", "mail"),
    ) == directory.reader(RUN, "dana")  # fmt: skip
    assert Reader(
        handle="lea", roles=("champion",), language="fr", addresses={"mail": "lea@c.example"}
    ) == directory.reader(RUN, "lea")
    assert (
        "dana@provider.example" == LayeredDirectory(rows, people).reader("onboarding/other/x", "dana").addresses["mail"]
    )  # type: ignore[union-attr]
    assert directory.reader(RUN, "nobody") is None


def test_the_answer_of_a_hook_counts_for_five_minutes() -> None:
    """Also that it knows nobody: a thousand letters ask once."""
    clock, calls = Clock(), []

    def people(given: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append((given["run"], given["handle"]))
        return {"ok": given["handle"] != "nobody", "provides": {"mail": f"{len(calls)}@x.example"}}

    hook = asked(people, clock)
    first = [hook(RUN, "dana"), hook(RUN, "dana"), hook(RUN, "nobody"), hook(RUN, "nobody")]
    clock.at += REMEMBERED_FOR - 1
    hook(RUN, "dana")
    clock.at += 1

    assert [{"mail": "1@x.example"}] * 2 + [None] * 2 == first
    assert {"mail": "3@x.example"} == hook(RUN, "dana")
    assert [(RUN, "dana"), (RUN, "nobody"), (RUN, "dana")] == calls


@pytest.mark.parametrize("answer", [OSError("dana@x.example is down"), {"provides": {}}, "nonsense", {"ok": "yes"}])
def test_a_hook_that_fails_puts_the_letter_off(engine: Engine, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It must not leave for an old address, and no word of the hook is kept."""

    def people(_: Mapping[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(Postponed) as caught:
        LayeredDirectory(SqlDirectory(engine), {"dana": {"mail": "dana@p.example"}}, asked(people)).reader(RUN, "dana")

    assert "directory_hook" == caught.value.code
    assert "dana@" not in caplog.text
    assert ["directory_hook_failed"] == [record.message for record in caplog.records]


def test_what_a_hook_answers_is_taken_only_where_it_is_a_text_of_reasonable_length(engine: Engine) -> None:
    """Numbers, lists and novels are nothing; so are sorts that no channel has."""
    details = {
        "mail": 7,
        "slack": "x" * 501,
        "teams": " T1 ",
        "name": ["a"],
        "channels": ["chat", 3],
        "roles": "lead",
        "fax": "1",
    }
    reader = LayeredDirectory(SqlDirectory(engine), hook=asked(lambda _: {"ok": True, "provides": details})).reader(
        RUN, "dana"
    )

    assert Reader(handle="dana", addresses={"teams": "T1"}, channels=("chat",)) == reader


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("implementation: [eva, olaf@provider.example]\n", {"implementation": ("eva", "olaf@provider.example")}),
        ("people: [eva]\ngroups: [olaf]\n", {"people": ("eva",), "groups": ("olaf",)}),
        ("groups: {lead: [dana]}\n", {"lead": ("dana",)}),
        (FILE, {"implementation": ("eva", "olaf")}),
        ("people: {dana: {mail: d@x.example}}\n", {}),
    ],
)  # fmt: skip
def test_files_of_both_shapes_are_read(tmp_path: Path, text: str, groups: dict[str, tuple[str, ...]]) -> None:
    """The one with groups only goes on working, also where a group is called as a part of the new one."""
    assert groups == read_directory(written(tmp_path, text), SORTS).groups


@pytest.mark.parametrize(
    "address", ["dana@corp.local", "dana@localhost", "dana@mail.test", "dana@mx", "dana@Firm.Invalid", "dana@host.internal"]
)  # fmt: skip
def test_an_address_of_ones_own_network_is_one(tmp_path: Path, address: str) -> None:
    """A firm's own server may serve names that the world never gave out; in the file as where a letter leaves."""
    text = f"groups: {{csm: [{address}]}}\npeople: {{dana: {{mail: {address}}}}}\n"
    file = read_directory(written(tmp_path, text), SORTS)

    assert ({"csm": (address,)}, {"mail": address}) == (file.groups, file.people["dana"])
    assert address.lower() == address_of(address)


@pytest.mark.parametrize(
    "text", ["a@b@corp.local", "no address@corp.local", "dana@.local", "dana@-x.local", "@localhost", "dana@corp.local>", "dana@corp.local."]
)  # fmt: skip
def test_what_is_no_address_is_none_in_ones_own_network_either(tmp_path: Path, text: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_directory(written(tmp_path, f"groups: {{csm: [{text!r}]}}\npeople: {{dana: {{mail: {text!r}}}}}\n"), SORTS)

    assert [(1, 16, "not_a_handle"), (2, 23, "bad_address")] == [
        (one.line, one.column, one.rule) for one in caught.value.faults
    ]


def test_no_file_is_nobody() -> None:
    """A group's own name is its member then."""
    assert DirectoryFile() == read_directory(None, SORTS)


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "words"),
    [
        ("    slack:", "    slak:", (6, 5), "unknown_key", "did you mean 'slack'?"),
        ("language: de", "language: deutsch!", (8, 15), "wrong_form", "pt-BR"),
        ("Europe/Berlin", "Europe/Berln", (9, 11), "unknown_zone", "Europe/Berlin"),
        ("side: provider", "side: ours", (10, 11), "wrong_form", "customer, provider, third_party"),
        ("[chat, mail]", "chat", (11, 15), "wrong_type", "list"),
        ("name: Dana Dee", "name: 7", (7, 11), "wrong_type", "text"),
        ("people:", "poeple:", (3, 1), "unknown_key", "did you mean 'people'?"),
        ("[eva, olaf]", "eva", (2, 19), "wrong_type", "'implementation'"),
        ("[eva, olaf]", "[eva, not a handle!]", (2, 25), "not_a_handle", "dana@firm.example"),
        ("[eva, olaf]", "[eva, 'customer:lead']", (2, 25), "not_a_handle", "dana@firm.example"),
        ("[eva, olaf]", "[eva, olaf@]", (2, 25), "not_a_handle", "dana@firm.example"),
        ("[eva, olaf]", "[eva, olaf, EVA]", (2, 31), "handle_twice", "'eva'"),
        ("[eva, olaf]", "[olaf@a.example, Olaf]", (2, 36), "handle_twice", "'olaf'"),
        ("  dana:\n", "  not a handle!:\n", (4, 3), "not_a_handle", "customer:champion"),
        ("  dana:\n", "  dana@provider.example:\n", (4, 3), "not_a_handle", "customer:champion"),
        ("  dana:\n", "  unverified:\n", (4, 3), "not_a_handle", "customer:champion"),
        ("  dana:\n", "  Dana: {slack: U1}\n  dana:\n", (5, 3), "handle_twice", "'dana'"),
        ("mail: dana@provider.example", "mail: no address", (5, 11), "bad_address", "name@firm.example"),
        ("mail: dana@provider.example", "mail: Dana <dana@p.example>", (5, 11), "bad_address", "name@firm.example"),
        ("    slack:", "\tslack:", (6, 1), "tab", "blanks"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], code: str, words: str
) -> None:
    """And with the way out; never with the value of an address."""
    with pytest.raises(DefinitionInvalid) as caught:
        read_directory(written(tmp_path, FILE.replace(old, new, 1)), SORTS)
    fault = caught.value.faults[0]

    assert (place, code) == ((fault.line, fault.column), fault.rule)
    assert words in fault.message
    assert "dana@provider.example" not in str(caught.value)


@pytest.mark.parametrize("spelling", ["Dana", "' DANA '", "\uff24\uff41\uff4e\uff41"])
def test_another_spelling_of_a_handle_is_the_same_person(engine: Engine, tmp_path: Path, spelling: str) -> None:
    """In the file as in messages: notices carry the one of runs."""
    file = read_directory(
        written(tmp_path, FILE.replace("  dana:", f"  {spelling}:").replace("eva", "Eva").replace("olaf", "Olaf@x.example")), SORTS
    )  # fmt: skip
    reader = LayeredDirectory(SqlDirectory(engine), file.people).reader(RUN, "dana")

    assert reader is not None
    assert "dana@provider.example" == reader.addresses["mail"]
    assert {"implementation": ("eva", "Olaf@x.example")} == file.groups


def test_a_contact_stands_in_the_file_by_the_handle_that_runs_give(tmp_path: Path) -> None:
    text = "people: {'Customer:Champion': {mail: lea@c.example}, dana: {mail: d\u00e4na@m\u00fcller.example}}\n"

    assert ["customer:champion", "dana"] == list(read_directory(written(tmp_path, text), SORTS).people)


def test_a_wish_for_a_channel_that_nobody_configured_is_refused(tmp_path: Path) -> None:
    """Where channels are known; else the file may be read on a desk without them."""
    with pytest.raises(DefinitionInvalid) as caught:
        read_directory(written(tmp_path, FILE), SORTS, ("chats", "mail"))
    (fault,) = caught.value.faults

    assert (11, 16, "unknown_channel") == (fault.line, fault.column, fault.rule)
    assert "No channel is called 'chat'; did you mean 'chats'?" == fault.message
    assert ("chat", "mail") == tuple(read_directory(written(tmp_path, FILE), SORTS).people["dana"]["channels"])
