"""Signals that wait for the next workflow task, because one task takes only so many.

Note [In parts]
    A worker that was away finds everything at once that came meanwhile, and a workflow task that computes for more than two seconds
    is given up and tried again, with the same end. So a task applies only so many signals, and acts on only so many instants, and
    sets a timer for the rest. No signal overtakes another: while some wait, later ones wait behind them, and the clock stands still. An
    update may overtake a few, because its sender waits for the answer; while there are many, it is told to come again. Runs of earlier releases do everything at once, see `onboarding/engine/rules.py`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import timedelta

from temporalio.common import RawValue

from onboarding import limits
from onboarding.messages import OutcomeWord, Verdict

PAUSE = timedelta(milliseconds=1)
"""Until the next part: whatever ends this workflow task."""

Signal = tuple[str, Sequence[RawValue], str]
"""Name, arguments, and the id it gets if it brings none."""


class Backlog:
    """What one turn has heard, and what waits for the next."""

    def __init__(self, *, in_parts: bool) -> None:
        """`in_parts`: whether this run does in parts what is too much at once."""
        self._in_parts = in_parts
        self._waiting: deque[Signal] = deque()
        self._count = 0
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def is_long(self) -> bool:
        """Whether so many wait that nothing may overtake them any more."""
        return len(self._waiting) >= limits.SIGNALS_PER_TURN

    def keeps(self, signal: Signal) -> bool:
        """Whether a signal that has just arrived waits for another turn."""
        if not self._waiting and self._fits(signal):
            self._take(signal)
            return False
        if not self._in_parts:
            return False
        self._waiting.append(signal)
        return True

    def next_part(self) -> Iterator[Signal]:
        """The signals of this turn that waited; the turn is over when there are no more."""
        while self._waiting and self._fits(self._waiting[0]):
            signal = self._waiting.popleft()
            self._take(signal)
            yield signal
        self._count = self._bytes = 0

    def _fits(self, signal: Signal) -> bool:
        if self._count == 0:
            return True
        return self._count < limits.SIGNALS_PER_TURN and self._bytes + _size(signal) <= limits.SIGNAL_BYTES_PER_TURN

    def _take(self, signal: Signal) -> None:
        self._count += 1
        self._bytes += _size(signal)


def come_again(update_id: str) -> Verdict:
    """What a sender hears whose update would overtake too many signals: nothing of it is kept."""
    sentence = (
        "Many signals wait before this message, and it would overtake them. Send the same again in a few seconds."
    )
    return Verdict(
        outcome=OutcomeWord.RETRY_LATER, code="signals_wait", sentence=sentence, message_id=update_id[: limits.MESSAGE_ID_LENGTH],
    )  # fmt: skip


def _size(signal: Signal) -> int:
    return sum(len(argument.payload.data) for argument in signal[1])
