"""What the edge must provide. Activities know these protocols; only the doors know who fulfils them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from onboarding.engine.effects import Notice, WriteRecords

INCOMPLETE = "incomplete"
STALE = "stale"


class RecordStore(Protocol):
    """Keeps the rows of runs, batch after batch, see docs/decisions/0004-rows-of-a-turn.md."""

    def write(self, records: WriteRecords) -> str:
        """Writes a batch in one transaction and answers its id; the same batch again is success.

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

    `tries` counts this one, too; whoever brings another count than the store's came too late. `ready_at`: since when it could leave.
    """

    notice: Notice
    tries: int
    ready_at: datetime


class HeldNotices(Protocol):
    """Knows which notices wait for history."""

    def held(self, most: int) -> Sequence[HeldNotice]:
        """So many of those that wait for history, the longest waiting first."""

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""


class Notifier(Protocol):
    """Takes what a person shall hear, once for each key; whoever sends comes later, and tells the run nothing."""

    def deliver(self, notice: Notice) -> None:
        """Keeps it, ready to leave from `not_before` on; does nothing for a key that is known.

        One with `retracts` takes these keys back; where nobody will read any of them, it is withdrawn itself.
        """

    def withdraw(self, key: str) -> bool:
        """Takes back a notice that has not left; `True` when nobody will read it."""


HookFunction = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Arguments in, result out: `{"ok": bool, "provides": {...}, "faults": [{"place", "code", "sentence"}]}`; a check must say `ok`."""


class HookRunner(Protocol):
    """Runs registered hooks and checks by name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, in order."""

    def run(self, name: str, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Calls the hook. Raises `HookRefused` for an answer that no retry will change; any other error may be tried again."""
