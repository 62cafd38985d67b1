"""The notifier that sends nothing: it keeps what would be sent and shows it. For tests, the demo and a dry run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from onboarding.crash_points import reached
from onboarding.engine.effects import Notice


class NoticeStore(Protocol):
    """Where notices are kept, once for each key. `storage.notices` and `storage.memory` fulfil it.

    A notice is `pending` (kept), `sent`, `withdrawn` (before it was sent) or `failed`.
    """

    def keep(self, notice: Notice) -> str:
        """Keeps a notice as pending unless its key is known; its state now."""

    def settle(self, key: str, state: str, at: datetime) -> bool:
        """Turns a pending or failed notice into `sent` or `failed`; `False` when it was not either."""

    def early(self, key: str) -> None:
        """A pending notice waits for nothing any more but its reader's hours."""

    def withdraw(self, key: str) -> bool:
        """`True` when nobody will read the notice. A key that is not known stays withdrawn for ever."""


class UnderWay(Exception):
    """Somebody else in this process is bringing the same notice: whether it left can be asked a moment later."""

    code = "under_way"


class OutboxNotifier:
    """Fulfils `onboarding.ports.Notifier`. What is kept counts as sent.

    An attempt that ran out of time goes on beside the next one, and a mark may fail after its notice has left: neither must make
    a second one of it. What this process knows of both dies with it, so after its death a key may come once more.
    """

    def __init__(self, store: NoticeStore) -> None:
        """Give it the store of the read table, so that `outbox` shows what it did."""
        self._store = store
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._unmarked: dict[str, datetime] = {}

    def deliver(self, notice: Notice) -> None:
        """Keeps the notice and marks it as sent; a key that was sent or withdrawn is left alone.

        One that comes before its reader's hours stays pending until it is brought again. Raises what the store raises,
        and `UnderWay`; try again.
        """
        with self._alone(notice.key):
            self._deliver(notice)

    def _deliver(self, notice: Notice) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        if self._store.keep(notice) not in ("pending", "failed"):
            return
        reached("outbox.after_claim")
        if notice.key in self._unmarked:
            self._mark(notice.key)
        elif self._retracts_nothing(notice):
            self._store.withdraw(notice.key)
        elif notice.not_before is not None and notice.not_before > now:
            self._store.early(notice.key)
        else:
            self._send(notice)
            self._unmarked[notice.key] = now
            reached("outbox.after_send")
            self._mark(notice.key)

    def _mark(self, key: str) -> None:
        at = self._unmarked.get(key)
        if at is not None:
            self._store.settle(key, "sent", at)
            self._unmarked.pop(key, None)
        reached("outbox.after_mark")

    def _send(self, notice: Notice) -> None:
        """Nothing leaves: what is kept counts as sent. Between here and the mark a worker may die, so the same key may come again."""

    def _retracts_nothing(self, notice: Notice) -> bool:
        """Whether everything it calls off is taken back, so that its reader has heard of nothing.

        The rows of the same turn take the same keys back. They may come later, and an alarm that left in between would never be
        called off: so each is taken back here as well.
        """
        gone = [self._store.withdraw(key) for key in notice.retracts]
        return bool(gone) and all(gone)

    def withdraw(self, key: str) -> bool:
        """Takes a notice back that was not sent; also one that was not even brought yet."""
        if key in self._unmarked:
            self._mark(key)
        return self._store.withdraw(key)

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._under_way:
                raise UnderWay(key)
            self._under_way.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(key)
