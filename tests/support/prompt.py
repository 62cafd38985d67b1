"""A notifier for tests that are not about sending: what may leave has left when it returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.outbox import OutboxNotifier
from onboarding.engine.effects import Notice
from onboarding.ports import Sent


class Prompt(OutboxNotifier):
    """Keeps a notice as the shipped one, and lets go at once whatever may leave."""

    def deliver(self, *notices: Notice) -> None:
        """As the shipped one, and a sender that never fails right behind it."""
        super().deliver(*notices)
        leave(self._store)


def leave(outbox: Any, at: datetime | None = None) -> list[str]:
    """Everything that may leave at this instant leaves; the keys in their order."""
    now = at or datetime.now(UTC)
    keys: list[str] = []
    while claimed := outbox.claim(100, now, timedelta(seconds=60)):
        outbox.mark_sent(*(Sent(one.notice.key, "outbox", now.replace(microsecond=0)) for one in claimed))
        keys.extend(one.notice.key for one in claimed)
    return keys


def ripe(outbox: Any, most: int, at: datetime) -> list[Notice]:
    """What a sender would be given at this instant, and gives back at once."""
    return [one.notice for one in outbox.claim(most, at, timedelta(0))]
