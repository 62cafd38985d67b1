"""Settings and logs of a process: read once, refused with a sentence, never on stdout."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from runtime.errors import SettingsInvalid
from runtime.logs import set_up_logs
from runtime.settings import ROOT, Settings, read_settings


def test_an_empty_environment_gives_safe_defaults_from_any_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The doors run from any folder."""
    monkeypatch.chdir(tmp_path)

    settings = read_settings({"HOME": "x", "TEMPORAL_ADDRESS": "a:1"})

    assert f"sqlite:///{ROOT / '.data' / 'onboarding.sqlite'}" == settings.database_url
    assert settings.definitions == ROOT / "definitions"
    assert settings.task_queue == "onboarding"
    assert settings.directory is None


def test_settings_do_not_change_after_they_are_read() -> None:
    """One frozen object."""
    with pytest.raises(ValidationError, match="frozen"):
        read_settings({}).task_queue = "other"  # type: ignore[misc]


def test_a_relative_folder_is_the_one_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And stays it when the process changes folder."""
    monkeypatch.chdir(tmp_path)

    settings = read_settings({"ONBOARDING_DEFINITIONS": "mine", "ONBOARDING_DIRECTORY": "people.yaml"})

    assert tmp_path / "mine" == settings.definitions
    assert tmp_path / "people.yaml" == settings.directory


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ONBOARDING_DATABSE_URL", "ONBOARDING_DATABASE_URL"),
        ("ONBOARDING_TASKQUEUE", "ONBOARDING_TASK_QUEUE"),
        ("ONBOARDING_UI", "ONBOARDING_UI_URL"),
        ("onboarding_log_level", "ONBOARDING_LOG_LEVEL"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    """A typing error must not mean the default."""
    with pytest.raises(SettingsInvalid) as caught:
        read_settings({name: "x"})

    assert f"{name} is not a setting; the nearest one is {nearest}." == caught.value.sentence
    assert ("settings_invalid", name, 64) == (
        caught.value.code,
        caught.value.place,
        caught.value.exit_code,
    )
    assert ".env.example" in caught.value.way_out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONBOARDING_DATABASE_URL", "nonsense"),
        ("ONBOARDING_DATABASE_URL", "mysql://user:s3cret@host/x"),
        ("ONBOARDING_DATABASE_URL", "postgresql://user:s3cret@host:port/x"),
        ("ONBOARDING_DATABASE_URL", "postgresql+asyncpg://user:s3cret@host/x"),
        ("ONBOARDING_UI_URL", "s3cret.example"),
        ("ONBOARDING_LOG_LEVEL", "s3cret"),
        ("ONBOARDING_LOG_FORMAT", "s3cret"),
        ("ONBOARDING_TASK_QUEUE", " s3cret"),
        ("ONBOARDING_TASK_QUEUE", "s3cret\x00"),
    ],
)
def test_a_bad_value_is_a_sentence_that_does_not_repeat_it(name: str, value: str) -> None:
    """A database address holds a password."""
    with pytest.raises(SettingsInvalid) as caught:
        read_settings({name: value})

    assert caught.value.sentence.startswith(f"{name} cannot be used: ")
    assert "s3cret" not in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    """One round of corrections is enough."""
    with pytest.raises(SettingsInvalid) as caught:
        read_settings({"ONBOARDING_LOG_LEVEL": "loud", "ONBOARDING_UI_URL": "x", "ONBOARDING_X": "1"})

    assert sum(caught.value.sentence.count(name) for name in ("_LEVEL can", "_UI_URL can", "ONBOARDING_X is")) == 3


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    """`.env.example` is the manual of the settings."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    assert [f"ONBOARDING_{name.upper()}" for name in Settings.model_fields] == list(listed)
    assert read_settings({}) == read_settings(listed)
    written = {name.removeprefix("ONBOARDING_").lower(): value for name, value in listed.items() if value}
    defaults = read_settings({}).model_dump()
    assert written == {name: defaults[name] for name in written}


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logs_as_before")
def test_a_json_line_holds_allowed_fields_and_the_run_but_no_contents() -> None:
    """What a customer wrote may be in a record's extra by mistake; it stays out."""
    stream = io.StringIO()
    set_up_logs("auto", "INFO", stream)

    extra = {
        "item": "tax_form",
        "answer": "s3cret",
        "temporal_workflow": {"workflow_id": "w", "args": "s3cret"},
    }
    logging.getLogger("shell").info("item_submitted", extra=extra)
    structlog.get_logger("edge").warning("notice_sent", run_key="c/b2b")
    logging.getLogger("shell").debug("too fine")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())

    assert (first["event"], first["item"], first["workflow_id"]) == (
        "item_submitted",
        "tax_form",
        "w",
    )
    assert (second["event"], second["run_key"], second["level"]) == (
        "notice_sent",
        "c/b2b",
        "warning",
    )
    assert "s3cret" not in stream.getvalue()


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(log_format: str) -> None:
    """They hold what customers wrote."""
    stream = io.StringIO()
    set_up_logs(log_format, "INFO", stream)  # type: ignore[arg-type]
    answer = "s3c" + "ret"
    try:
        assert answer
        int("x")
    except ValueError:
        logging.getLogger("edge").exception("hook_failed")

    assert "ValueError" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()


@pytest.mark.usefixtures("_logs_as_before")
def test_setting_up_twice_writes_each_line_once() -> None:
    """A door and a test may both do it."""
    first, second = io.StringIO(), io.StringIO()
    set_up_logs("json", "INFO", first)
    set_up_logs("json", "INFO", second)
    logging.getLogger("x").info("said")

    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/a file#1.sqlite",
        "sqlite:///C:/data/x.sqlite",
        "postgresql://host/x",
        "postgresql://user:s3cret@10.0.0.7:5432/on-boarding",
        "postgresql+psycopg://user:@db.example.test/x",
        "postgresql+psycopg://user:s%40cret@[::1]:5432/x?sslmode=require",
        "postgresql://user:s3cret@host:99999999/x",
    ],
)
def test_an_address_that_is_not_asked_of_sqlalchemy_is_one_that_it_takes(url: str) -> None:
    """The short way refuses nothing and lets nothing pass that the long one would not."""
    parsed = make_url(url)

    assert read_settings({"ONBOARDING_DATABASE_URL": url}).database_url == url
    assert parsed.drivername.startswith(("sqlite", "postgresql"))
