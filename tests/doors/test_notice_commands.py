"""`notice list` and `notice preview`, and what `check`, `doctor` and the worker say of templates."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage.engine import open_database
from tests.support.calls import Door
from tests.support.letters import a_late_run, keep
from tests.support.shell import ROOT

UNKNOWN_VARIABLE = "{% extends 'letter.txt.j2' %}\n{% block intro %}\n{{ readr.name }}{% endblock %}"


@pytest.fixture
def told(door: Door) -> Door:
    """A door to a run whose customer is late, and of which somebody was alarmed."""
    engine = open_database(door.environment["ONBOARDING_DATABASE_URL"])
    keep(engine, a_late_run())
    engine.dispose()
    return door


def own(folder: Path, content: str, name: str = "en/ask.txt.j2") -> Path:
    path = folder / "letters" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return folder / "letters"


def test_a_letter_is_seen_before_it_is_sent(told: Door, tmp_path: Path) -> None:
    """From rows alone, as text and as the page of a mail, in the reader's language or another one."""
    page = tmp_path / "letter.html"
    german = told("notice", "preview", "received", "--run", "c-1/small", "--html", page, "-o", "json")
    english = told("notice", "preview", "received", "--run", "c-1/small", "--language", "en", "-o", "table")

    assert (0, "customer:champion", "de", "Eingegangen: Title of details") == (
        german.code,
        *(german.data[name] for name in ("to", "language", "subject")),
    )
    assert "Guten Tag Carla Cho," in german.data["text"]
    assert "Angekommen: legal_name, vat_id" in page.read_text("utf-8")
    assert english.out.startswith("Received: Title of details\n\nHello Carla Cho,\n\n")
    assert "\nWhat is missing\n  - Title of papers, by Monday, 7 December 2026, 10:00 (CET)" in english.out


def test_a_letter_that_nobody_was_sent_yet_is_made_up_from_what_is_open(told: Door) -> None:
    """An alarm goes to somebody of ours; whom it is for may be said."""
    silence = told("notice", "preview", "silence", "--run", "c-1/small", "-o", "json")
    reminder = told("notice", "preview", "reminder", "--run", "c-1/small", "--to", "olga", "-o", "json")

    assert ("customer:champion", "So steht es") == (silence.data["to"], silence.data["subject"])
    assert "made up from what is open now" in silence.err
    assert "Look into their debts" in reminder.data["text"]
    assert "python starter.py complete c-1/small credit_check --actor olga" in reminder.data["text"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("escalaton", "--run", "c-1/small"), 23, "did you mean 'escalation'?"),
        (("ask", "--run", "c-1/smal"), 23, "'onboarding/c-1/small'"),
        (("ask", "--run", "c-1/small", "--to", "olgo"), 23, "did you mean 'olga'?"),
        (("ask", "--run", "c-1/small", "--language", "fr"), 64, "there are de, en"),
        (("ask",), 64, "--run"),
        (("ask", "--run", "c-1/small", "--html", "no/such/folder/x.html"), 69, "no/such"),
    ],
)  # fmt: skip
def test_what_nobody_knows_is_answered_with_what_is_near(
    told: Door, words: tuple[str, ...], code: int, sentence: str
) -> None:
    """A template, a run, a reader, a language."""
    answer = told("notice", "preview", *words)

    assert code == answer.code
    assert sentence in answer.out + answer.err


def test_templates_are_listed_with_where_they_come_from(door: Door, tmp_path: Path) -> None:
    """The installation's own before those that are shipped."""
    folder = own(tmp_path, "Hello {{ reader.name }}", "small/en/kickoff.txt.j2")
    answer = door("notice", "list", "-o", "json", ONBOARDING_TEMPLATES=str(folder)).data
    rows = {row["template"]: row for row in answer["rows"]}

    assert {
        "template": "kickoff",
        "languages": ["en"],
        "definition": "small",
        "page": False,
        "from": str(folder),
    } == rows["kickoff"]
    assert (["de", "en"], "shipped") == (rows["silence"]["languages"], rows["silence"]["from"])
    assert (["de", "en"], "en") == (answer["languages"], answer["language"])


def test_a_language_file_that_cannot_be_used_is_named(told: Door, tmp_path: Path) -> None:
    """By whoever would show what it says."""
    folder = own(tmp_path, "[words]\nhello = 3\n", "de/language.toml")
    answers = [
        told("notice", *words, ONBOARDING_TEMPLATES=str(folder))
        for words in (("list",), ("preview", "ask", "--run", "c-1/small"))
    ]

    assert [64, 64] == [answer.code for answer in answers]
    assert all("What 'hello' in 'words' says is a text." in answer.out + answer.err for answer in answers)


def test_a_template_that_cannot_be_used_is_told_by_its_preview(told: Door, tmp_path: Path) -> None:
    """A letter would leave with the shipped one; whoever looks at it beforehand is not shown what they did not write."""
    folder = own(
        tmp_path, "{% extends 'letter.txt.j2' %}\n{% block intro %}\n{{ points[0].titel }}{% endblock %}", "en/reminder.txt.j2"
    )  # fmt: skip
    words = ("notice", "preview", "reminder", "--run", "c-1/small", "--to", "olga", "--language", "en")
    plain = told(*words, "-o", "table", ONBOARDING_TEMPLATES=str(folder))
    data = told(*words, "-o", "json", ONBOARDING_TEMPLATES=str(folder))

    assert (65, 65) == (plain.code, data.code)
    assert f"{folder}/en/reminder.txt.j2:3:1: error: " in plain.out + plain.err
    assert "'titel'" in plain.out + plain.err
    assert "A reminder" not in plain.out + data.out
    assert "template_failed" not in plain.err


def test_a_template_with_an_unknown_variable_is_refused_with_its_line(door: Door, tmp_path: Path) -> None:
    """By `check` as a fault of a file, by `doctor`, and by a worker before it begins."""
    folder = own(tmp_path, UNKNOWN_VARIABLE)
    told = f"{folder / 'en' / 'ask.txt.j2'}:3"
    sentence = "No letter has a value 'readr'; did you mean 'reader'?"
    check = door("check", "quick-start", "-o", "table", ONBOARDING_TEMPLATES=str(folder))
    doctor = door("doctor", "-o", "table", ONBOARDING_TEMPLATES=str(folder))
    worker = subprocess.run(
        [sys.executable, str(ROOT / "worker.py")], env={**door.environment, "ONBOARDING_TEMPLATES": str(folder)}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert 65 == check.code
    assert f"{told}:1: error: {sentence} [unknown_variable]" in check.out
    assert 0 == door("check", "quick-start", "--portable", "-o", "table", ONBOARDING_TEMPLATES=str(folder)).code
    assert f"fail templates: {told}: {sentence}" in doctor.out
    assert (64, True) == (worker.returncode, f"{told}: {sentence}" in worker.stderr)
    assert "Traceback" not in worker.stderr


def test_a_definition_may_name_what_the_installation_has_written(door: Door, tmp_path: Path) -> None:
    """Without the folder it is refused with the nearest name, as ever."""
    text = (
        (ROOT / "definitions" / "quick-start.yaml")
        .read_text("utf-8")
        .replace("template: welcome", "template: wellcome")
    )
    definition = tmp_path / "quick-start.yaml"
    definition.write_text(text, "utf-8")
    folder = own(tmp_path, "Hello {{ reader.name }}", "en/wellcome.txt.j2")

    assert "did you mean 'welcome'?" in door("check", definition, "-o", "table").out
    assert 0 == door("check", definition, ONBOARDING_TEMPLATES=str(folder)).code


def test_a_hook_as_the_directory_must_be_registered(door: Door) -> None:
    """Else every letter would be put off, and nobody would know why."""
    answer = door("doctor", "-o", "table", ONBOARDING_DIRECTORY_HOOK="people")

    assert (
        "fail directory: ONBOARDING_DIRECTORY_HOOK names 'people', and no hook of this name is registered."
        in answer.out
    )


def test_a_preview_says_how_to_answer_as_the_installation_does(told: Door, tmp_path: Path) -> None:
    """The file of channels says it; a secret of a channel is not needed to look at a letter."""
    channels = tmp_path / "channels.yaml"
    channels.write_text(
        "channels: {mail: {kind: mail, host: mail.example, from: a@b.example, user: u, password: {env: NOT_HERE}}}\n"
        "routes: [{to: [mail]}]\nanswer: 'Open https://portal.example/{run} and name {items}.'\n",
        "utf-8",
    )
    answer = told(
        "notice", "preview", "reminder", "--run", "c-1/small", "-o", "json", ONBOARDING_CHANNELS=str(channels)
    )

    assert "    Open https://portal.example/c-1/small and name papers.\n" in answer.data["text"]
