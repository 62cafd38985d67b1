"""The worker of ours: `python -m benchmarks.engine.ours_worker FILE`. It is `worker.py`, whose escalations leave as those by hand do.

Without channels what is kept counts as sent, and nobody outside could tell how often. Here each escalation is a line of FILE at the
moment at which a channel takes it, so that it counts only once it has left, and one that leaves twice shows.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from integrations import kept
from integrations.letters import Letter
from onboarding.engine.effects import NoticeKind
from runtime.settings import ROOT


class Lines(kept.KeptChannel):
    """Takes everything; an escalation is a line with the name of its run."""

    file: Path

    async def send(self, letter: Letter) -> None:
        """At once, as the activity by hand writes it."""
        if letter.kind == NoticeKind.ESCALATION:
            with self.file.open("a") as lines:
                lines.write(f"{letter.run}\n")


if __name__ == "__main__":
    Lines.file = Path(sys.argv.pop())
    kept.KeptChannel = Lines  # type: ignore[misc]  # the only way that `worker.py` knows without a file of channels
    runpy.run_path(str(ROOT / "worker.py"), run_name="__main__")
