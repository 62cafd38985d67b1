"""A worker whose notifier has moods: `python -m tests.support.faults.moody`. A file says which one holds; without it all is well."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from pathlib import Path

import integrations.examples
import integrations.outbox
import worker
from onboarding.engine.effects import Notice
from tests.support.faults import sink
from tests.support.faults.worker import Heard

VARIABLE = "FAULTS_MOOD"
"""Names the file to a worker."""
LONGEST = 60.0
"""Seconds after which a call that hangs is given up by whatever it is made with."""


class Mood(StrEnum):
    """What happens to a notice that leaves."""

    WELL = "well"
    FAILS = "fails"
    HANGS = "hangs"
    REFUSES = "refuses"
    """As an answer of the other side that a repetition does not change, while the mood lasts."""


class NotNow(Exception):
    """The other side says no."""

    code = "not_now"


class Moody(Heard):
    """Sends as its mood lets it."""

    def _send(self, notice: Notice) -> None:
        began = time.monotonic()
        while (mood := _mood()) is not Mood.WELL:
            if mood is Mood.FAILS:
                raise ConnectionError("nobody is there")
            if mood is Mood.REFUSES:
                raise NotNow
            if time.monotonic() - began > LONGEST:
                raise TimeoutError
            time.sleep(0.05)
        super()._send(notice)


def _mood() -> Mood:
    try:
        return Mood(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there yet, or half-written
        return Mood.WELL


if __name__ == "__main__":
    # The door looks both up when it builds its worker.
    integrations.outbox.OutboxNotifier = Moody  # type: ignore[misc]
    integrations.examples.EXAMPLES["enable_production"] = sink.hook  # type: ignore[index]
    worker._leave(worker.main(sys.argv[1:]))
