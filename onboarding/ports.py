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


class HeldNotices(Protocol):
    """Knows which notices wait."""

    def held(self, most: int, before: datetime | None = None) -> Sequence[HeldNotice]:
        """So many of those that wait for history, the longest waiting first; only those that have waited since `before`."""

    def forget(self, run: str, batch: str) -> None:
        """Takes away what still waits for a batch that never became history; the keys are free again."""

    def ripe(self, most: int, now: datetime) -> Sequence[Notice]:
        """So many of those that waited for nothing but their reader's hours, and these have come."""


class Notifier(Protocol):
    """Brings a notice to a person, once for each key."""

    def deliver(self, notice: Notice) -> None:
        """Delivers, or does nothing when this key was delivered before.

        Before `not_before` it only keeps the notice, which is brought again when that has come. One with `retracts` takes these
        keys back first; where nobody will read any of them, it is withdrawn itself.
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


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """Rows whose events leave once the execution has them in its history; `stands` as in `HeldNotice`."""

    run: str
    batch: str
    execution: str
    stands: str


class HeldEvents(Protocol):
    """Knows which events wait for their rows to be history."""

    def held(self, most: int) -> Sequence[HeldBatch]:
        """So many of the batches with events that wait, by run."""

    def release(self, run: str, batches: Sequence[str]) -> int:
        """These are history: their events may leave; how many those are."""

    def forget(self, run: str, batches: Sequence[str]) -> None:
        """These never became history: their events never were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """An event with everything that its receiver is told."""

    run: str
    customer: str
    definition: str
    version: int
    variant: str
    n: int
    id: str
    type: str
    at: datetime
    subject: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One run's events to one webhook, which somebody has taken to send: `sent` is the number of the last that arrived.

    `tries` counts the attempts at the next one that have failed.
    """

    webhook: str
    run: str
    sent: int
    tries: int


class EventQueue(Protocol):
    """How far each webhook is in each run. What is claimed is nobody else's until `until`; whoever lost it changes nothing."""

    def claim(self, webhook: str, by: str, most: int, now: datetime, until: datetime) -> Sequence[Claimed]:
        """So many runs that have something for this webhook, the longest waiting first."""

    def following(self, claimed: Claimed, most: int) -> tuple[Sequence[OutgoingEvent], int]:
        """The next events for this webhook, in order, and up to which number that was looked at."""

    def arrived(self, claimed: Claimed, by: str, n: int, now: datetime, until: datetime) -> bool:
        """Everything up to `n` has arrived; `False` for whoever does not have the claim any more."""

    def put_off(self, claimed: Claimed, by: str, code: str, again: datetime, now: datetime) -> None:
        """It did not arrive, and is tried again."""

    def park(self, claimed: Claimed, by: str, code: str, now: datetime) -> None:
        """The receiver will never take it: nothing of this run is sent there until somebody says so."""

    def give_back(self, claimed: Claimed, by: str) -> None:
        """There was no more, or no time for more."""
