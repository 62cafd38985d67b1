"""A child process: stopped in order, ended when it does not listen, gone when we are, and left alone when asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.child import Child
from tests.support.shell import ROOT

SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"]  # fmt: skip
OWNER = """
import os, signal, sys
from runtime.child import Child
with open(sys.argv[1], "wb") as log:
    child = Child([sys.executable, "-c", "import time; time.sleep(60)"], log=log, environment=os.environ, stops_within=5)
if sys.argv[2] == "leave":
    child.leave_running()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def begin(command: list[str], folder: Path) -> Child:
    """A child that has said its first word."""
    with (folder / "log").open("wb") as log:
        child = Child(command, log=log, environment=os.environ, stops_within=1)
    until = time.monotonic() + 20
    while not (folder / "log").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.02)
    return child


def gone(pid: int, within: float = 10) -> bool:
    """Whether the process ends in time. It is no child of ours, so it can only be looked for."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or ") Z " in status.read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("command", "code"), [(SLEEPS, -signal.SIGTERM), (DEAF, -signal.SIGKILL)])
async def test_a_child_is_asked_and_then_ended(command: list[str], code: int, tmp_path: Path) -> None:
    """Whoever does not listen to SIGTERM gets SIGKILL, and is waited for."""
    child = begin(command, tmp_path)

    assert child.ended is None

    await child.stop()

    assert child.ended == code


@pytest.mark.parametrize(("how", "ends"), [("keep", True), ("leave", False)])
def test_a_child_ends_with_its_owner_unless_it_is_left_running(how: str, ends: bool, tmp_path: Path) -> None:
    """Also when the owner is killed and cannot say a word."""
    done = subprocess.run(
        [sys.executable, "-c", OWNER, str(tmp_path / "log"), how], cwd=ROOT, capture_output=True, timeout=30, check=False
    )  # fmt: skip
    pid = int(done.stdout)
    try:
        assert gone(pid, within=10 if ends else 1) is ends
    finally:
        if not ends:
            os.kill(pid, signal.SIGTERM)
