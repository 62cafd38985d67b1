"""The worker of worker.py with a world that can be read: `python -m tests.support.faults.worker`.

Its notifier tells the sink what leaves, and one hook does nothing else. Everything that a fault may hit is the shipped code.
"""

from __future__ import annotations

import sys

import integrations.examples
import integrations.outbox
import worker
from onboarding.engine.effects import Notice
from tests.support.faults import sink


class Heard(integrations.outbox.OutboxNotifier):
    """Tells the sink at the instant at which a sender would send."""

    def _send(self, notice: Notice) -> None:
        sink.heard("notice", notice.key)


if __name__ == "__main__":
    # The door looks both up when it builds its worker.
    integrations.outbox.OutboxNotifier = Heard  # type: ignore[misc]
    integrations.examples.EXAMPLES["enable_production"] = sink.hook  # type: ignore[index]
    worker._leave(worker.main(sys.argv[1:]))
