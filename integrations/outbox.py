"""The notifier of a run: it keeps what people shall hear. `integrations/sending.py` brings it to them."""

from __future__ import annotations

from typing import Protocol

from onboarding.engine.effects import Notice


class NoticeStore(Protocol):
    """Where notices are kept, once for each key. `storage.notices` and `storage.memory` fulfil it.

    A notice is `pending` (kept), `sent`, `withdrawn` (before it was sent) or `failed`.
    """

    def keep(self, *notices: Notice) -> tuple[str, ...]:
        """Keeps all or none, each ready to leave from its `not_before` on, unless its key is known; their states now."""


class OutboxNotifier:
    """Fulfils `onboarding.ports.Notifier`. A channel that is slow or dead never reaches a run: nothing is sent here."""

    def __init__(self, store: NoticeStore) -> None:
        """Give it the store of the read table, so that `outbox` shows what it keeps."""
        self._store = store

    def deliver(self, *notices: Notice) -> None:
        """Keeps the notices, together; a key that is known is left alone. Raises what the store raises; try again."""
        if notices:
            self._store.keep(*notices)
