"""A worker whose channel has moods: `python -m tests.support.faults.moody`. A file says which one holds; without it all is well."""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from pathlib import Path

import integrations.examples
import integrations.kept
import worker
from integrations.letters import Letter, Postponed
from tests.support.faults import sink
from tests.support.faults.worker import Heard

VARIABLE = "FAULTS_MOOD"
"""Names the file to a worker."""


class Mood(StrEnum):
    """What happens to a notice that leaves."""

    WELL = "well"
    FAILS = "fails"
    HANGS = "hangs"
    REFUSES = "refuses"
    """As an answer of the other side that a repetition does not change, while the mood lasts."""


class Moody(Heard):
    """Takes letters as its mood lets it."""

    async def send(self, letter: Letter) -> None:
        """Hangs until somebody gives up, raises what no channel should, or says no."""
        while (mood := _mood()) is not Mood.WELL:
            if mood is Mood.FAILS:
                raise ConnectionError("nobody is there")
            if mood is Mood.REFUSES:
                raise Postponed("busy")
            await asyncio.sleep(0.05)
        await super().send(letter)


def _mood() -> Mood:
    try:
        return Mood(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there yet, or half-written
        return Mood.WELL


if __name__ == "__main__":
    # The door looks both up when it builds its worker.
    integrations.kept.KeptChannel = Moody  # type: ignore[misc]
    integrations.examples.EXAMPLES["enable_production"] = sink.hook  # type: ignore[index]
    worker._leave(worker.main(sys.argv[1:]))
