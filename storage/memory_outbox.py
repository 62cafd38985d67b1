"""The outbox in memory, by the same words as the table of notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from onboarding.engine.effects import Notice
from onboarding.ports import Claimed, Sent
from storage.claims import HOLDS, IN_ORDER, OVERTAKEN, PASSING


@dataclass(slots=True, kw_only=True)
class Kept:
    """A key of the outbox. `notice` is `None` for one that was withdrawn before it came. The rest as in `NoticeRecord`."""

    state: str
    notice: Notice | None
    sent_at: datetime | None = None
    batch: str | None = None
    execution: str = ""
    ready_at: datetime | None = None
    next_at: datetime | None = None
    leased_until: datetime | None = None
    tries: int = 0
    doubtful: bool = False
    recalled: bool = False
    last_code: str | None = None
    sent_by: str | None = None
    reason: str | None = None

    @property
    def is_doubtful(self) -> bool:
        """As `storage.claims` says it."""
        return self.doubtful or self.leased_until is not None

    def is_leased(self, at: datetime) -> bool:
        """Whether one sender has it."""
        return self.state == "pending" and self.leased_until is not None and self.leased_until > at

    def comes_first(self, now: datetime) -> bool:
        """Whether its turn has come, or comes back soon, as `storage.claims` says it."""
        next_at = self.next_at or now
        if self.last_code is None:
            return next_at <= now
        return (self.ready_at or now) > now - HOLDS and next_at <= now + HOLDS

    def go(self, state: str, code: str | None) -> None:
        """It leaves no more."""
        self.doubtful = self.is_doubtful
        self.state, self.last_code, self.leased_until, self.next_at = state, code, None, None


class MemoryOutbox:
    """As `SqlNoticeStore`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Empty."""
        self._lock = threading.RLock()
        self._clock = clock
        self.notices: dict[str, Kept] = {}

    def keep(self, *notices: Notice) -> tuple[str, ...]:
        """As `SqlNoticeStore.keep`."""
        with self._lock:
            for notice in notices:
                self._keep(notice)
            return tuple(self.notices[notice.key].state for notice in notices)

    def _keep(self, notice: Notice) -> None:
        now = self._clock()
        kept = self.notices.setdefault(notice.key, Kept(state="pending", notice=notice))
        if kept.state != "pending":
            return
        if kept.next_at is None:
            kept.batch, kept.execution = None, ""
            kept.next_at = notice.not_before or now
            kept.ready_at = max(kept.next_at, now)
        gone = [self.withdraw(key) for key in notice.retracts]
        if gone and all(gone):
            self.withdraw(notice.key)

    def claim(self, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]:
        """As `SqlNoticeStore.claim`."""
        with self._lock:
            due = [
                (kept.next_at, notice.at, notice.key, kept, notice)
                for kept, notice in self._ready()
                if kept.next_at is not None and kept.next_at <= now and not kept.is_leased(now) and not self._one_before(notice, now)
            ]  # fmt: skip
            taken = []
            for *_, kept, notice in sorted(due, key=lambda one: one[:3])[:most]:
                if kept.recalled:
                    kept.go("withdrawn", kept.last_code)
                elif (kept.tries or kept.last_code) and notice.kind in PASSING and self._newer(notice):
                    kept.go("withdrawn", OVERTAKEN)
                elif self._may_call_off(kept, notice, now):
                    kept.doubtful, kept.leased_until, kept.tries = kept.is_doubtful, now + lease, kept.tries + 1
                    taken.append(Claimed(notice, kept.tries, kept.ready_at or now, now + lease))
            return taken

    def _ready(self) -> list[tuple[Kept, Notice]]:
        return [
            (kept, kept.notice)
            for kept in self.notices.values()
            if kept.state == "pending" and kept.batch is None and kept.notice is not None
        ]

    def _one_before(self, notice: Notice, now: datetime) -> bool:
        return any(
            (other.run, other.to) == (notice.run, notice.to)
            and (other.at, other.key) < (notice.at, notice.key)
            and (kept.is_leased(now) or (kept.tries < IN_ORDER and kept.comes_first(now)))
            for kept, other in self._ready()
        )

    def _newer(self, notice: Notice) -> bool:
        same = (notice.run, notice.kind, notice.to, notice.stage, notice.item)
        return any(
            (other.run, other.kind, other.to, other.stage, other.item) == same and other.at > notice.at
            for kept in self.notices.values()
            if (other := kept.notice) is not None and kept.state in ("pending", "sent") and kept.batch is None
        )

    def _may_call_off(self, kept: Kept, notice: Notice, now: datetime) -> bool:
        if not notice.retracts:
            return True
        if any(self.notices[key].is_leased(now) for key in notice.retracts if key in self.notices):
            return False
        gone = [self.withdraw(key) for key in notice.retracts]
        if all(gone) and not kept.is_doubtful:
            kept.go("withdrawn", "nothing_to_retract")
            return False
        return True

    def mark_sent(self, *marks: Sent) -> int:
        """As `SqlNoticeStore.mark_sent`."""
        with self._lock:
            return sum(self._mark_sent(mark) for mark in marks)

    def _mark_sent(self, mark: Sent) -> bool:
        kept = self.notices.get(mark.key)
        if kept is None or kept.notice is None or kept.state == "sent":
            return False
        kept.state, kept.sent_at, kept.sent_by = "sent", mark.at, mark.by
        kept.leased_until = kept.next_at = kept.last_code = None
        return True

    def put_off(self, claimed: Claimed, code: str, next_at: datetime, *, doubtful: bool, tried: bool = True) -> bool:
        """As `SqlNoticeStore.put_off`."""
        return self._end(claimed, "pending", code, doubtful, next_at, claimed.tries - (not tried))

    def fail(self, claimed: Claimed, code: str, at: datetime, *, doubtful: bool = False) -> bool:
        """As `SqlNoticeStore.fail`."""
        return self._end(claimed, "failed", code, doubtful, None)

    def lapse(self, claimed: Claimed, at: datetime, *, doubtful: bool = False) -> bool:
        """As `SqlNoticeStore.lapse`."""
        return self._end(claimed, "withdrawn", OVERTAKEN, doubtful, None)

    def _end(
        self,
        claimed: Claimed,
        state: str,
        code: str,
        doubtful: bool,
        next_at: datetime | None,
        tries: int | None = None,
    ) -> bool:
        with self._lock:
            kept = self.notices.get(claimed.notice.key)
            if kept is None or kept.state != "pending" or kept.leased_until != claimed.until:
                return False
            kept.tries = claimed.tries if tries is None else tries
            kept.leased_until, kept.last_code, kept.doubtful = None, code, kept.doubtful or doubtful
            kept.state, kept.next_at = ("withdrawn", None) if kept.recalled else (state, next_at)
            return True

    def withdraw(self, key: str) -> bool:
        """As `storage.claims.withdraw`, for one key."""
        with self._lock:
            kept = self.notices.setdefault(key, Kept(state="withdrawn", notice=None))
            if kept.is_leased(self._clock()):
                kept.recalled = True
                return False
            if kept.state in ("pending", "failed"):
                kept.go("withdrawn", kept.last_code)
            return kept.state == "withdrawn" and not kept.doubtful
