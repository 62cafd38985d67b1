"""Definition files made to hurt, read in a process of their own whose memory is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support import pace
from tests.support.figures import Figure
from tests.support.hostile_files import FILES
from tests.support.shell import ROOT

_READ = """
import json, pathlib, resource, sys, time
from runtime import library
from tests.support.hostile_files import FILES
from tests.support.language import HERE

def most():
    # The most memory that this program has held. Linux's ru_maxrss of a child begins with what its parent held before.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


library.check_text(b"a: 1", installation=HERE)
for name, (content, _) in FILES.items():
    begun = time.process_time()
    faults = library.check_text(content, installation=HERE)
    spent = time.process_time() - begun
    errors = [(one.rule, one.line, one.column, one.message) for one in faults if one.severity == "error"]
    print(json.dumps({"name": name, "seconds": spent, "mebibytes": most() / 1_024, "errors": errors[:60]}))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """What the check says to every file."""
    done = subprocess.run(
        [sys.executable, "-c", _READ], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", FILES)
def test_a_file_made_to_hurt_is_refused_at_its_line_within_two_seconds(
    name: str, told: dict[str, dict[str, Any]]
) -> None:
    """Or it is a definition like any other."""
    one, rules = told[name], FILES[name][1]

    assert pace.within(one["seconds"], 2)
    assert all(line >= 1 and column >= 1 and message for _, line, column, message in one["errors"])
    if rules:
        assert any(rule in rules for rule, *_ in one["errors"]), one["errors"][:3]
    else:
        assert one["errors"] == []


def test_all_of_them_together_take_little_memory(told: dict[str, dict[str, Any]], figure: Figure) -> None:
    """The figures, for whoever looks at them."""
    slowest = max(told.values(), key=lambda one: one["seconds"])
    most = max(one["mebibytes"] for one in told.values())
    refused = sum(bool(one["errors"]) for one in told.values())
    figure(
        f"S5: {refused} hostile definitions of {len(told)} files refused with a line, slowest {slowest['seconds']:.2f} s"
        f" ({slowest['name']}), {most:.0f} MiB at most"
    )

    assert refused >= 25
    assert most < 300
