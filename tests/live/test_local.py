"""`dev` and `demo`: everything on one machine, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.calls import Door
from tests.support.shell import ROOT

pytestmark = pytest.mark.live

EXAMPLE = ROOT / "definitions" / "examples" / "quick-start.input.yaml"


class Long:
    """A command that goes on until it is told to stop."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.words = folder / "words.txt"
        environment = Door(folder).environment
        environment.pop("TEMPORAL_ADDRESS")
        with self.words.open("wb") as words:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "starter.py"), *arguments],
                stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, cwd=folder, env=environment, start_new_session=True,
            )  # fmt: skip

    def said(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Waits until it has said this."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(pattern, self.words.read_text("utf-8", "replace"))
            if found:
                return found
            assert self.process.poll() is None, self.words.read_text()
            time.sleep(0.1)
        raise AssertionError(f"it did not say {pattern!r}:\n{self.words.read_text()}")

    def stopped(self, number: signal.Signals) -> int:
        """Its exit code after this signal; no traceback in what it said."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert "Traceback" not in self.words.read_text("utf-8", "replace")
        return code

    def kill(self) -> None:
        """The end of a test that failed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def lives(pid: int) -> bool:
    """Whether a process is there (an ended one that nobody has collected counts as gone)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def gone(pid: int) -> bool:
    """Whether it is gone within ten seconds."""
    for _ in range(100):
        if not lives(pid):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_is_up_until_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """Another terminal starts a run and asks for it; then Ctrl-C, 0, and nothing is left."""
    dev = Long(tmp_path, "dev", "--folder", str(tmp_path / "dev"))
    try:
        address = dev.said(r"Temporal server +(\d\S+)").group(1)
        worker = int(dev.said(r"worker +process (\d+)").group(1))
        other = Door(tmp_path, TEMPORAL_ADDRESS=address)
        started = other("start", "quick-start", "--customer", "c-1", "--input", EXAMPLE)
        status = other("status", "c-1/quick-start")
        second = Door(tmp_path)("dev", "--folder", tmp_path / "dev")
        code = dev.stopped(number)
    finally:
        dev.kill()

    assert (started.code, status.code, status.data["state"]) == (0, 0, "running")
    assert second.code == 69
    assert "Another development server" in second.err
    assert code == 0
    assert gone(worker)


def test_a_killed_dev_leaves_nothing_behind(tmp_path: Path) -> None:
    """kill -9 gives it no chance to tidy up; server and worker end all the same."""
    dev = Long(tmp_path, "dev", "--folder", str(tmp_path / "dev"))
    try:
        worker = int(dev.said(r"worker +process (\d+)").group(1))
        address = dev.said(r"Temporal server +(\d\S+)").group(1)
    finally:
        dev.kill()

    assert gone(worker)
    assert Door(tmp_path, TEMPORAL_ADDRESS=address)("list").code == 0
    assert Door(tmp_path, TEMPORAL_ADDRESS=address)("status", "c-1/quick-start").code == 69


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_shows_what_it_claims(tmp_path: Path) -> None:
    """0, every claim holds, the numbers and the address of the run stand at the end; in under two minutes."""
    demo = Long(tmp_path, "demo")
    began = time.monotonic()
    try:
        worker = int(demo.said(r"worker is process (\d+)").group(1))
        code = demo.process.wait(200)
        words = demo.words.read_text()
    finally:
        demo.kill()

    assert code == 0, words
    assert time.monotonic() - began < 120
    assert words.count("✓") == 10
    assert "✗" not in words
    assert "time_to_first_value" in words
    assert re.search(r"http://127\.0\.0\.1:\d+/namespaces/default/workflows/\S+/user-metadata", words)
    assert gone(worker)


def test_a_demo_that_is_interrupted_stops_what_it_started(tmp_path: Path) -> None:
    """130, as shells expect."""
    demo = Long(tmp_path, "demo")
    try:
        worker = int(demo.said(r"worker is process (\d+)").group(1))
        demo.said(r"Onboarding accepts the handoff")
        code = demo.stopped(signal.SIGINT)
    finally:
        demo.kill()

    assert code == 130
    assert gone(worker)
