"""Commands start quickly because they import little; how quickly is the claim of a benchmark and not of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import doors

ROOT = Path(__file__).resolve().parent.parent.parent

_SAID = "import sys, starter; code = starter.main(sys.argv[1:]); print('loaded', *sorted(sys.modules)); sys.exit(code)"


def loaded(tmp_path: Path, *arguments: str) -> set[str]:
    """Which modules a command has imported when it is done."""
    done = subprocess.run(
        (sys.executable, "-c", _SAID, *arguments), cwd=ROOT, env=doors.surroundings(tmp_path), capture_output=True, text=True, check=True
    )  # fmt: skip
    return set(done.stdout.rsplit("loaded", 1)[1].split())


def test_help_imports_neither_settings_nor_a_grammar(tmp_path: Path) -> None:
    """It is the first thing that a newcomer sees."""
    assert loaded(tmp_path, "--help").isdisjoint({"pydantic", "sqlalchemy", "temporalio", "jinja2", "runtime.settings"})


def test_check_imports_neither_database_nor_server_nor_letters(tmp_path: Path) -> None:
    """Also where the database is configured: an address that is plainly right is not asked of SQLAlchemy."""
    assert loaded(tmp_path, "check", "b2b-standard").isdisjoint(
        {"sqlalchemy", "temporalio", "jinja2", "httpx2", "structlog"}
    )


def test_the_benchmark_of_commands_runs_from_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command with its reference, and the reference that stands alone; both are kept."""
    monkeypatch.setattr(doors, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(doors, "DOORS", doors.DOORS[:1])

    assert doors.main(["--repeats", "1"]) == 0
    kept = json.loads((tmp_path / "results" / "doors.json").read_text())["commands"]

    assert [row["command"] for row in kept] == [doors.DOORS[0].name, doors.SERVER.name]
    assert kept[0]["ours_cpu_median"] > 0 < kept[0]["least_wall_median"]
    assert [row["ratio"] is None for row in kept] == [False, True]
    assert "temporalio.client" in capsys.readouterr().out
