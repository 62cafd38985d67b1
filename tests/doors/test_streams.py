"""Where the words go: nobody reads them, nothing takes them, or the stream was closed before we came."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.calls import ENOUGH, Door
from tests.support.shell import ROOT

RUN = "onboarding/c-1/quick-start"
TALKATIVE = (
    ("--help",), (), ("schema",), ("schema", "-o", "table"), ("schema", "--help"), ("list", "-o", "table"), ("note", RUN, "x"),
    ("check", ROOT / "README.md", "-o", "json"), ("picture", "quick-start"),
)  # fmt: skip
"""Commands that write by each of the ways there are: ours, rich's and typer's; some end with 0, some do not."""


def call(door: Door, arguments: tuple[object, ...], **streams: Any) -> tuple[int, str]:
    """The exit code, and what stderr holds."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "starter.py"), *map(str, arguments)],
        cwd=door.folder, env=door.environment, timeout=ENOUGH, check=False, **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams},
    )  # fmt: skip
    return done.returncode, (done.stderr or b"").decode()


@pytest.mark.parametrize("arguments", TALKATIVE)
def test_a_reader_who_has_enough_is_no_fault(door: Door, arguments: tuple[object, ...]) -> None:
    """`starter.py … | head -1`: no word, and the code that SIGPIPE leaves."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, words = call(door, arguments, stdout=writing)
    finally:
        os.close(writing)

    assert (code, words) == (141, "")


@pytest.mark.parametrize("arguments", TALKATIVE)
def test_a_full_disk_is_told_and_is_no_bug(door: Door, arguments: tuple[object, ...]) -> None:
    """75: what was asked may be done, and asking again tells."""
    with open("/dev/full", "wb") as full:
        code, words = call(door, arguments, stdout=full)

    assert code == 75
    assert words.startswith("The answer could not be written (No space left on device)")
    assert len(words.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"), [(("schema",), 0), (("list",), 0), (("--help",), 0), (("lst",), 64), (("note", RUN, "x"), 20)]
)  # fmt: skip
@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_streams_that_are_closed_change_nothing(
    door: Door, arguments: tuple[str, ...], expected: int, closed: tuple[int, ...]
) -> None:
    """`starter.py … >&-`: the command does what it does, and the database is not where our words go."""
    shell = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, str(ROOT / "starter.py"), *arguments],
        cwd=door.folder, env=door.environment, timeout=ENOUGH, check=False, capture_output=True,
    )  # fmt: skip

    assert done.returncode == expected
    assert door("list").data == {"rows": [], "next_cursor": None, "total": 0}


@pytest.mark.parametrize(("arguments", "expected"), [(("check", "quick-start"), 0), (("lst",), 64)])
def test_hints_that_nothing_takes_are_left_out(door: Door, arguments: tuple[str, ...], expected: int) -> None:
    """They stand beside the data."""
    with open("/dev/full", "wb") as full:
        code, _ = call(door, arguments, stdout=subprocess.DEVNULL, stderr=full)

    assert code == expected
