"""What the edge must provide. Activities know these protocols; only the doors know who fulfils them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from onboarding.engine.effects import Notice, WriteRecords

INCOMPLETE = "incomplete"
STALE = "stale"


class RecordStore(Protocol):
    """Keeps the rows of runs, batch after batch, see docs/decisions/0004-rows-of-a-turn.md."""

    def write(self, records: WriteRecords) -> str:
        """Writes a batch in one transaction, takes back what it withdraws, and answers its id; the same batch again is success.

        `INCOMPLETE`: another batch stands where this one would follow, and nothing was written; a whole one helps. `STALE`:
        something newer stands there than this whole batch. Raises `RecordConflict` when the rows are those of another
        chain of executions; any other error may be tried again.
        """


@dataclass(frozen=True, slots=True)
class HeldNotice:
    """A notice that leaves once the execution has the batch in its history."""

    notice: Notice
    batch: str
    execution: str
    stands: str
    """The batch that the store of rows has taken last from this run, before this was read."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that one sender may try for as long as its lease lasts.

    `tries` counts this one, too. `ready_at`: since when it could leave. `until`: the end of the lease; whoever brings another one than
    the store's came too late.
    """

    notice: Notice
    tries: int
    ready_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice that a channel has taken: which one, the channel, and when."""

    key: str
    by: str
    at: datetime


class HeldNotices(Protocol):
    """Knows which notices wait for history."""

    def held(self, most: int) -> Sequence[HeldNotice]:
        """So many of those that wait for history, the longest waiting first."""

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""


class Notifier(Protocol):
    """Takes what a person shall hear, once for each key; whoever sends comes later, and tells the run nothing."""

    def deliver(self, *notices: Notice) -> None:
        """Keeps all or none, each ready to leave from its `not_before` on; does nothing for a key that is known.

        One with `retracts` takes these keys back; where nobody will read any of them, it is withdrawn itself.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """What a hook answers where the work goes on elsewhere and its answer comes later.

    Somebody says how it ended (`starter.py hook finish`), or `poll` is asked `every` so many seconds, at most `within` seconds.
    """

    progress: str = ""
    """How far it is, for people."""
    poll: str = ""
    every: int = 30
    within: int = 86_400


LATER = Later()
"""For a hook that has nothing more to say than that."""

HookFunction = Callable[[Mapping[str, Any]], Mapping[str, Any] | Later]
"""Arguments in, result out: `{"ok": bool, "provides": {...}, "faults": [{"place", "code", "sentence"}]}`; a check must say `ok`."""


class HookRunner(Protocol):
    """Runs registered hooks and checks by name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, in order."""

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any] | Later:
        """Calls the hook. Raises `HookRefused` for an answer that no retry will change; any other error may be tried again."""


class HookPoller(Protocol):
    """Asks how far something is that a hook has begun elsewhere."""

    def poll(self, name: str, address: str, key: str) -> Mapping[str, Any] | Later:
        """The answer, or `Later` with what is known so far. Raises as `HookRunner.run` does."""

    def checked(self, answer: Any) -> Mapping[str, Any]:
        """An answer that came from elsewhere, with every field. Raises `HookRefused` for one that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingHook:
    """A hook whose answer comes later: the attempt that waits for it, and what is known. No value of a run is in it.

    `token` and `activity` say which attempt of the server waits; `poll_at` when the other side is asked again, if it is.
    """

    key: str
    run: str
    hook: str
    about: str
    token: bytes
    activity: str
    execution: str
    since: datetime
    ends_at: datetime
    progress: str = ""
    poll: str = ""
    every: int = 30
    poll_at: datetime | None = None
    beat_at: datetime | None = None


class HookWaits(Protocol):
    """Keeps what waits, so that it outlives every worker."""

    def keep(self, waiting: WaitingHook) -> None:
        """Remembers it; of the same key the newest attempt counts, and `since` and `ends_at` stay those of the first."""

    def find(self, key: str) -> WaitingHook | None:
        """What waits under this key."""

    def forget(self, key: str, token: bytes | None = None) -> bool:
        """Nobody waits for it any more; only where it is still this attempt, if one is named. `False`: it was not there."""

    def beats(self, before: datetime, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Takes over those whose last heartbeat was before that: for the moment they are this caller's alone."""

    def polls(self, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Takes over those whose other side is to be asked now, and puts their next time behind `every`."""

    def over(self, now: datetime, most: int) -> Sequence[WaitingHook]:
        """Those that have waited for as long as they may."""

    def tell(self, key: str, progress: str) -> None:
        """How far it is."""
