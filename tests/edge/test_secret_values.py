"""Secrets are named and never written down, and what is wrong with one is said without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.secret_values import SecretMissing, SecretSource

VALUE = "a-value-that-nobody-may-see"


def test_a_variable_and_a_file_give_the_same_secret(tmp_path: Path) -> None:
    """A line end behind it does not belong to it; a relative file is meant from the folder of the one that names it."""
    (tmp_path / "secret").write_text(VALUE + "\n")
    os.chmod(tmp_path / "secret", 0o600)
    named, kept = SecretSource(env="CRM"), SecretSource(file="secret")

    assert named.read(tmp_path, {"CRM": VALUE}).get_secret_value() == VALUE
    assert kept.read(tmp_path).get_secret_value() == VALUE
    assert VALUE not in repr(kept.read(tmp_path))
    assert not kept.open_to_others(tmp_path)


def test_a_file_that_others_may_read_is_told(tmp_path: Path) -> None:
    """For a warning; a container mounts secrets with modes that nobody chose."""
    (tmp_path / "secret").write_text(VALUE)
    os.chmod(tmp_path / "secret", 0o644)

    assert SecretSource(file="secret").open_to_others(tmp_path)
    assert not SecretSource(file="elsewhere").open_to_others(tmp_path)
    assert not SecretSource(env="CRM").open_to_others(tmp_path)


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ({"env": "CRM_GONE"}, "secret_missing", "CRM_GONE"),
        ({"env": "CRM_EMPTY"}, "secret_missing", "CRM_EMPTY"),
        ({"env": "ONBOARDING_CRM"}, "secret_name", "ONBOARDING_CRM"),
        ({"env": "CRM_LINES"}, "secret_unusable", "CRM_LINES"),
        ({"file": "gone"}, "secret_missing", "gone"),
        ({"file": "empty"}, "secret_missing", "empty"),
        ({"file": "bytes"}, "secret_unusable", "bytes"),
        ({"file": "long"}, "secret_unusable", "long"),
        ({"file": "."}, "secret_missing", "directory"),
    ],
)
def test_what_holds_no_secret_is_named_and_never_repeated(
    source: dict[str, str], code: str, told: str, tmp_path: Path
) -> None:
    """Missing, empty, no text, several lines, too long."""
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" + VALUE.encode())
    (tmp_path / "long").write_text(VALUE * 1_000)
    environ = {"CRM_EMPTY": " ", "CRM_LINES": f"{VALUE}\r\nX-Other: 1", "ONBOARDING_CRM": VALUE}
    with pytest.raises(SecretMissing) as refused:
        SecretSource(**source).read(tmp_path, environ)

    assert (refused.value.code, told in str(refused.value), VALUE in str(refused.value)) == (code, True, False)


@pytest.mark.parametrize("written", [VALUE, {}, {"env": "A", "file": "b"}, {"env": "a b"}, {"vault": "x"}])
def test_a_secret_that_is_written_down_is_refused_without_being_repeated(written: object) -> None:
    """Exactly one place is named."""
    with pytest.raises(ValidationError) as refused:
        SecretSource.model_validate(written)

    told = [fault["msg"] for fault in refused.value.errors(include_url=False, include_input=False)]
    assert told
    assert VALUE not in " ".join(told)
