"""Faults on purpose: read exactly, refused in production, each action what it says, and nothing at all without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from onboarding import crash_points
from runtime.errors import SettingsInvalid
from runtime.fault_injection import Fault, InjectedFault, ReplyDropped, arm, read_fault
from tests.support.shell import ROOT


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    """What a test arms ends with it."""
    yield
    crash_points.listen(None)


@pytest.mark.parametrize("action", ["kill", "raise", "pause-500"])
@pytest.mark.parametrize("point", crash_points.POINTS)
def test_every_point_takes_every_action_that_fits(point: str, action: str) -> None:
    """`drop-reply` only where somebody waits."""
    assert str(read_fault(f"{point}:{action}:3")) == f"{point}:{action}:3"
    if point in crash_points.REPLIES:
        assert read_fault(f"{point}:drop-reply:1") == Fault(point, "drop-reply", 1)
    else:
        with pytest.raises(SettingsInvalid, match="nobody waits"):
            read_fault(f"{point}:drop-reply:1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rec.after_commit", "point:action:nth"),
        ("rec.after_comit:kill:1", "did you mean 'rec.after_commit'"),
        ("rec.after_commit:kil:1", "did you mean 'kill'"),
        ("rec.after_commit:pause-0:1", "1 to 600000"),
        ("rec.after_commit:pause-600001:1", "1 to 600000"),
        ("rec.after_commit:pause-:1", "no action"),
        ("rec.after_commit:kill:0", "from 1"),
        ("rec.after_commit:kill:-1", "from 1"),
        ("rec.after_commit:kill:\u0663", "from 1"),
        ("rec.after_commit:kill:1:2", "point:action:nth"),
    ],
)
def test_what_is_no_fault_is_64_with_the_nearest_name(text: str, words: str) -> None:
    """A misspelt fault that did nothing would prove something that was never tried."""
    with pytest.raises(SettingsInvalid, match=words) as refused:
        arm(text, environment="local")

    assert (refused.value.exit_code, refused.value.code, refused.value.place) == (64, "fault_invalid", "FAULT")


@pytest.mark.parametrize("name", ["production", "Production", " PRODUCTION "])
def test_production_refuses_every_fault(name: str) -> None:
    """Also one that could not be read."""
    for text in ("rec.after_commit:raise:1", "nonsense"):
        with pytest.raises(SettingsInvalid) as refused:
            arm(text, environment=name)
        assert (refused.value.exit_code, refused.value.code) == (64, "fault_in_production")

    crash_points.reached("rec.after_commit")  # nobody listens


def test_a_fault_happens_once_at_its_count_and_its_point() -> None:
    """The second time here, and never elsewhere."""
    arm("act.after_effect:raise:2", environment="local")

    crash_points.reached("act.after_effect")
    crash_points.reached("act.before_effect")
    with pytest.raises(InjectedFault):
        crash_points.reached("act.after_effect")
    crash_points.reached("act.after_effect")


def test_a_dropped_reply_is_a_timeout() -> None:
    """Whoever waits for an answer treats it as one."""
    arm("deliver.after_accept:drop-reply:1", environment="local")

    with pytest.raises(ReplyDropped) as dropped:
        crash_points.reached("deliver.after_accept")
    assert isinstance(dropped.value, TimeoutError)


def test_a_pause_takes_its_time() -> None:
    """And then everything goes on."""
    arm("act.after_effect:pause-60:1", environment="local")
    began = time.monotonic()
    crash_points.reached("act.after_effect")

    assert time.monotonic() - began >= 0.06


def test_a_kill_is_a_kill() -> None:
    """No handler, no clean-up, and a line that says where."""
    code = (
        "from runtime.logs import set_up_logs; from runtime.fault_injection import arm; from onboarding import crash_points\n"
        "set_up_logs('json'); arm('rec.mid_tx:kill:2', environment='test')\n"
        "try:\n"
        "  for n in range(3): crash_points.reached('rec.mid_tx'); print(n, flush=True)\n"
        "finally: print('clean-up', flush=True)\n"
    )
    died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "0\n")
    assert "rec.mid_tx:kill:2" in died.stderr


@pytest.mark.parametrize("door", [("worker.py",), ("starter.py", "list")])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ONBOARDING_ENVIRONMENT": "production", "FAULT": "rec.mid_tx:kill:1"}, "says production"),
        ({"FAULT": "rec.mid-tx:kill:1"}, "did you mean 'rec.mid_tx'"),
    ],
    ids=["production", "misspelt"],
)
def test_both_doors_refuse_before_anything_is_done(door: tuple[str, ...], settings: dict[str, str], words: str) -> None:
    """64, a sentence, no traceback."""
    answer = subprocess.run(
        [sys.executable, *door], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 64
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_command_with_a_fault_warns() -> None:
    """Whoever finds the variable set must see it."""
    answer = subprocess.run(
        [sys.executable, "starter.py", "check", "definitions/quick-start.yaml"],
        cwd=ROOT, env={**os.environ, "FAULT": "deliver.before_update:kill:9"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 0
    assert "fail on purpose (deliver.before_update:kill:9)" in answer.stderr
