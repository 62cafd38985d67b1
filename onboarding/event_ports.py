"""What the edge provides for events to other systems: which wait for history, and how far each receiver is in each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """Rows whose events leave once the execution has them in its history; `stands` is the batch that the store has taken last."""

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
class ClaimedEvents:
    """One run's events to one webhook, which somebody has taken to send: `sent` is the number of the last that arrived.

    `tries` counts the attempts at the next one that have failed.
    """

    webhook: str
    run: str
    sent: int
    tries: int


class EventQueue(Protocol):
    """How far each webhook is in each run. What is claimed is nobody else's until `until`; whoever lost it changes nothing."""

    def claim(self, webhook: str, by: str, most: int, now: datetime, until: datetime) -> Sequence[ClaimedEvents]:
        """So many runs that have something for this webhook, the longest waiting first."""

    def following(self, claimed: ClaimedEvents, most: int) -> tuple[Sequence[OutgoingEvent], int]:
        """The next events for this webhook, in order, and up to which number that was looked at."""

    def arrived(self, claimed: ClaimedEvents, by: str, n: int, now: datetime, until: datetime) -> bool:
        """Everything up to `n` has arrived; `False` for whoever does not have the claim any more."""

    def put_off(self, claimed: ClaimedEvents, by: str, code: str, again: datetime, now: datetime) -> None:
        """It did not arrive, and is tried again."""

    def park(self, claimed: ClaimedEvents, by: str, code: str, now: datetime) -> None:
        """The receiver will never take it: nothing of this run is sent there until somebody says so."""

    def give_back(self, claimed: ClaimedEvents, by: str) -> None:
        """There was no more, or no time for more."""
