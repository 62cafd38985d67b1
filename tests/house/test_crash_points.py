"""The named crash points: the list, the paper, the places in the code and the tests that reach them are the same."""

from __future__ import annotations

import re

from onboarding.crash_points import POINTS, REPLIES
from tests.support.shell import ROOT

_ROOMS = ("onboarding", "workflows", "activities", "storage", "integrations", "runtime", "console")


def test_the_paper_lists_every_point_as_the_code_does() -> None:
    """docs/operating.md is where a person looks for one."""
    paper = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split("## Failing on purpose")[1]
    rows = re.findall(r"(?m)^\| `([a-z]+\.[a-z_]+)` \| (.+) \|$", paper.split("\n## ")[0])

    assert list(POINTS.items()) == rows


def test_every_point_stands_in_the_code_and_no_other_does() -> None:
    """A point that nothing reaches would be tried in vain, one that has no name not at all."""
    found = {
        name
        for room in _ROOMS
        for file in (ROOT / room).rglob("*.py")
        for name in re.findall(r'\breached\("([^"]+)"\)', file.read_text(encoding="utf-8"))
    }

    assert set(POINTS) == found
    assert set(POINTS) >= REPLIES


def test_every_point_is_named_by_a_test_that_reaches_it() -> None:
    """Here and in the list of all faults none is reached."""
    others = ("tests/house", "tests/edge/test_fault_injection.py")
    files = [one for one in (ROOT / "tests").rglob("test_*.py") if not str(one.relative_to(ROOT)).startswith(others)]
    words = "\n".join(one.read_text(encoding="utf-8") for one in files)

    assert [point for point in POINTS if f'"{point}:' not in words and f'"{point}"' not in words] == []
