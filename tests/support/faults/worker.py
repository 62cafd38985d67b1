"""The worker of worker.py with a world that can be read: `python -m tests.support.faults.worker`.

Its channel tells the sink what leaves, and one hook does nothing else. Everything that a fault may hit is the shipped code.
"""

from __future__ import annotations

import sys

import integrations.examples
import integrations.kept
import worker
from integrations.letters import Letter
from tests.support.faults import sink


class Heard(integrations.kept.KeptChannel):
    """Tells the sink at the instant at which the other side takes a letter."""

    async def send(self, letter: Letter) -> None:
        """Takes it."""
        sink.heard("notice", letter.key)


if __name__ == "__main__":
    # The door looks both up when it builds its worker.
    integrations.kept.KeptChannel = Heard  # type: ignore[misc]
    integrations.examples.EXAMPLES["enable_production"] = sink.hook  # type: ignore[index]
    worker._leave(worker.main(sys.argv[1:]))
