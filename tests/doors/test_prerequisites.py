"""The doors under a Python that cannot run them: a sentence with the way out, and 64."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib

import pytest

from runtime import prerequisites
from tests.support.shell import ROOT

DOORS = ("starter.py", "worker.py")


@pytest.mark.parametrize("door", DOORS)
def test_a_python_without_the_packages_hears_how_to_get_them(door: str) -> None:
    """`python3 starter.py` of a fresh clone is what most people type first."""
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / door)], capture_output=True, text=True, check=False, timeout=30
    )

    assert (done.returncode, done.stdout) == (64, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"run `make install`, then `.venv/bin/python {door}`." in done.stderr


def test_an_old_python_hears_which_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Debian's of some years ago, for instance."""
    monkeypatch.setattr(prerequisites.sys, "version_info", (3, 9, 18, "final", 0))

    with pytest.raises(SystemExit) as left:
        prerequisites.require("worker.py")

    assert left.value.code == 64
    assert "is 3.9, and the onboarding engine needs 3.11 or newer: run `make install`" in capsys.readouterr().err


@pytest.mark.parametrize("path", [*DOORS, "runtime/prerequisites.py", "runtime/__init__.py"])
def test_an_old_python_can_read_as_far_as_that_sentence(path: str) -> None:
    """What it cannot read, it answers with a SyntaxError."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 7))

    ours = [one.module for one in tree.body if isinstance(one, ast.ImportFrom) and one.module]
    assert {name for name in ours if (ROOT / name.split(".")[0]).exists()} <= {"runtime.prerequisites"}


def test_every_dependency_is_asked_for() -> None:
    """One that is added to pyproject.toml is added here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    # pydantic[email] brings the one that is counted here, too
    assert len(project["dependencies"]) + 1 == len(prerequisites.NEEDED)


def test_the_first_commands_of_the_readme_find_the_right_python() -> None:
    """Word by word: a `python` that is typed as it stands there comes after the line that makes it ours."""
    block = re.findall(r"(?m)^    .+$", (ROOT / "README.md").read_text().partition("by hand")[2])
    first = next(n for n, line in enumerate(block) if line.startswith("    python "))

    assert block[:first] == ["    make install", "    . .venv/bin/activate"]
