"""FAULT=point:action:nth: a fault of choice at a named place, to try what the program promises when it dies there.

The points are in `onboarding/crash_points.py`. Only the doors arm one, once, before anything is done; an installation that is called
production refuses to. `nth` counts how often this process reaches the point, from 1; the fault happens once.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from typing import Final

from onboarding import crash_points
from onboarding.nearest import nearest
from runtime.errors import SettingsInvalid

VARIABLE: Final = "FAULT"
"""No setting of an installation, so it has no prefix: nobody sets it by following `.env.example`."""
LONGEST_PAUSE: Final = 600_000
"""Milliseconds: ten minutes outlast every time limit that a pause could try."""

_ACTIONS = ("kill", "raise", "drop-reply", "pause-500")
_PAUSE = re.compile(r"pause-(\d{1,6})", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_log = logging.getLogger("faults")


class InjectedFault(RuntimeError):
    """Raised by `raise`: stands for a bug or a broken library, and is treated as any other. Never catch it by name."""


class ReplyDropped(TimeoutError):
    """Raised by `drop-reply`: what was asked is done, and whoever waits hears nothing. Handle it as the time-out it stands for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens when `point` is reached for the `nth` time; `pause` are the milliseconds of a pause."""

    point: str
    action: str
    nth: int
    pause: int = 0

    def __str__(self) -> str:
        return f"{self.point}:{self.action}:{self.nth}"


def arm(text: str, *, environment: str) -> str:
    """Makes this process fail as `text` says; the sentence with which its door warns.

    Raises `SettingsInvalid` for an installation that is called production, and for a text that is no fault.
    """
    if environment.strip().casefold() == "production":
        raise SettingsInvalid(
            f"{VARIABLE} is set, and ONBOARDING_ENVIRONMENT says production: faults are for tests.",
            place=VARIABLE,
            way_out=f"Unset {VARIABLE}; nothing was started.",
            code="fault_in_production",
        )
    fault = read_fault(text)
    crash_points.listen(_Armed(fault).reached)
    return f"{VARIABLE} is set: this process will fail on purpose ({fault}). Never set it where customers are."


def read_fault(text: str) -> Fault:
    """A fault from its text. Raises `SettingsInvalid`, with the nearest name of a point or action that is unknown."""
    parts = text.strip().split(":")
    if len(parts) != 3:
        raise _invalid("it is not point:action:nth, such as rec.after_commit:kill:1")
    point, action, nth = parts
    if point not in crash_points.POINTS:
        raise _invalid(f"there is no point {point[:60]!r}{nearest(point, crash_points.POINTS)}")
    paused = _PAUSE.fullmatch(action)
    if action not in _ACTIONS and not paused:
        raise _invalid(f"there is no action {action[:60]!r}{nearest(action, _ACTIONS)}")
    if paused and not 0 < int(paused[1]) <= LONGEST_PAUSE:
        raise _invalid(f"a pause takes 1 to {LONGEST_PAUSE} milliseconds")
    if action == "drop-reply" and point not in crash_points.REPLIES:
        raise _invalid(
            f"nobody waits for a reply at {point}; drop-reply fits {', '.join(sorted(crash_points.REPLIES))}"
        )
    if not _COUNT.fullmatch(nth):
        raise _invalid("the last part is a count, from 1")
    return Fault(point, action, int(nth), int(paused[1]) if paused else 0)


def _invalid(what: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"{VARIABLE} cannot be used: {what}.",
        place=VARIABLE,
        way_out=f"docs/operating.md lists every point; unset {VARIABLE} to run without a fault.",
        code="fault_invalid",
    )


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._seen = itertools.count(1)  # one step of it cannot be interrupted by another thread

    def reached(self, point: str) -> None:
        fault = self._fault
        if point != fault.point or next(self._seen) != fault.nth:
            return
        _log.warning("fault_injected", extra={"reason": str(fault)})
        match fault.action:
            case "kill":
                for handler in logging.getLogger().handlers:
                    handler.flush()
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise InjectedFault(str(fault))
            case "drop-reply":
                raise ReplyDropped(str(fault))
            case _:
                time.sleep(fault.pause / 1000)
