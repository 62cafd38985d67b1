"""What comes from others, and what must not leave the house: bill of materials, audit, licences, secrets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from runtime.settings import ROOT
from tests.house.test_house import texts
from tests.support.figures import Figure
from tests.support.secrets import secrets_in
from tools import audit, make_sbom

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LICENCES = (
    "Apache-2.0", "Apache 2", "BSD", "BSD License", "3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause", "Dual License", "ISC", "ISC License", "LGPL",
    "LGPL-3.0-only", "MIT", "MIT-0", "MIT License", "MIT OR Apache-2.0", "MPL-2.0", "Apache-2.0 OR BSD-2-Clause", "Apache-2.0 OR BSD-3-Clause", "PSF-2.0", "Unlicense",
)  # fmt: skip
"""What packages of an installation may say: they are used as they come, so weak copyleft asks nothing of us."""


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The bill of what is locked now."""
    found: dict[str, Any] = json.loads(make_sbom.as_json(LOCK))
    return found


def test_the_bill_holds_every_locked_package_with_its_hashes(bill: dict[str, Any]) -> None:
    """And nothing else."""
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", LOCK)
    digests = {digest for one in bill["components"] for digest in (part["content"] for part in one["hashes"])}

    assert {(one["name"], one["version"]) for one in bill["components"]} == set(pins)
    assert digests == set(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def test_every_package_says_its_licence_and_it_is_one_that_we_may_use(figure: Figure) -> None:
    """Those that are not installed on this system are for another one."""
    found = make_sbom.licences(LOCK)
    figure(f"S12: {sum(found.values())} packages in the bill, {len(found)} licences")

    assert set(found) - {"not installed here"} <= set(LICENCES)
    assert found["not installed here"] <= 2


def test_the_bill_is_what_cyclonedx_wants_and_a_broken_one_is_not(bill: dict[str, Any]) -> None:
    """By the schema, strictly."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)

    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps({**bill, "components": [{"name": "x"}]})) is not None


def test_the_same_lock_makes_the_same_bill_and_it_names_nobody(bill: dict[str, Any]) -> None:
    """No instant, no machine, no registry."""
    again = make_sbom.as_json(LOCK)

    assert json.loads(again) == bill
    assert make_sbom.as_json(LOCK) == again
    assert set(re.findall(r"https?://[^\"/]+", again)) == {"http://cyclonedx.org"}


def package(name: str, **more: Any) -> dict[str, Any]:
    """What pip-audit says of one package."""
    return {"name": name, "version": "1", **({"vulns": []} if "skip_reason" not in more else {}), **more}


HIT = {"id": "PYSEC-1", "fix_versions": ["2"]}


@pytest.mark.parametrize(
    ("packages", "code", "word"),
    [
        ([package("a"), package("b")], 0, "2 packages, none"),
        ([package("a", vulns=[HIT]), package("b")], 1, "a 1: PYSEC-1, mended in 2"),
        ([package("a", vulns=[{"id": "P", "fix_versions": []}])], 1, "not mended yet"),
        ([package("a"), package("b", skip_reason="not found")], 69, "1 of 2 packages could not be looked up"),
        ([package("a", vulns=[HIT]), package("b", skip_reason="not found")], 1, "PYSEC-1"),
        ([], 69, "No package"),
    ],
)
def test_an_audit_is_well_only_where_every_package_was_looked_up(
    packages: list[dict[str, Any]], code: int, word: str
) -> None:
    """pip-audit itself ends with 0 where a registry knows nothing of vulnerabilities."""
    found, told = audit.judge([{"dependencies": packages}])

    assert found == code
    assert word in "\n".join(told)


def test_an_audit_that_nobody_answers_is_69_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No all-clear, no traceback."""
    monkeypatch.setattr(audit, "ask", lambda _: None)

    assert audit.main(["requirements.lock"]) == 69
    assert "No service told of vulnerabilities. Run `make audit` where" in capsys.readouterr().err


def history() -> str:
    """Every line that was ever committed here; nothing where this is an archive."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return ""
    command = ["git", "log", "-p", "-U0", "--no-color", "--no-textconv", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode("utf-8", "replace")


def test_no_secret_stands_in_a_file_or_ever_stood_in_one(figure: Figure) -> None:
    """Kinds and places only: what was found is not printed."""
    past, files = history(), texts()
    kinds = [(name, kind) for name, text in files for kind, _ in secrets_in(text)]
    kinds += [("history", kind) for kind, _ in secrets_in(past)]
    figure(f"S13: {len(kinds)} findings in {len(files)} files and {past.count(chr(10)):,} lines of history")

    assert kinds == []


@pytest.mark.parametrize(
    "parts",
    [
        ("AKIA", "IOSFODNN7EXAMPLR"), ("ghp_", "a1B2" * 9), ("-----BEGIN ", "RSA PRIVATE KEY-----"), ("postgresql://temporal:", "Tr0ub4dor@db/x"),
        ("xoxb-", "1234567890-abcdefghij"), ("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"), ("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxIn0.abc"),
    ],
)  # fmt: skip
def test_a_secret_would_be_seen(parts: tuple[str, str], tmp_path: Path) -> None:
    """Put together here, so that this file holds none."""
    assert [kind for kind, _ in secrets_in(f'token = "{"".join(parts)}"\n')]
