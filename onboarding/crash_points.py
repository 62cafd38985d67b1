"""Named places at which a test may end, pause or fail the program: between two things that must not come apart.

Nothing happens here: `reached` tells whoever listens, and nobody does unless a door has armed a fault (`runtime/fault_injection.py`,
FAULT=point:action:nth). Every floor may call it, since it knows nothing of any. docs/operating.md lists the same points.
"""

from collections.abc import Callable, Mapping

POINTS: Mapping[str, str] = {
    "wf.before_apply": "the machine is about to judge what a run has heard",
    "wf.after_apply": "the machine has judged it, and nobody knows yet",
    "wf.at_timer": "the alarm of a run has rung, and nothing was done about it",
    "wf.before_can": "a run is about to go on in a new history",
    "wf.after_can": "a run has begun to go on in a new history",
    "act.before_effect": "an activity begins",
    "act.after_effect": "an activity has done its work, and the server was not told",
    "act.after_db_commit": "the rows of a turn are on the disk; their notices and the server wait",
    "rec.mid_tx": "half of a batch is written, in a transaction that is still open",
    "rec.after_commit": "a batch is committed, and its writer was not told",
    "outbox.after_claim": "a sender has claimed a notice, and has not sent it",
    "outbox.after_send": "a notice was sent, and is not marked as sent",
    "outbox.after_mark": "a notice is marked as sent, and its sender was not told",
    "events.after_send": "an event has arrived at its receiver, and is not marked as sent",
    "events.after_mark": "an event is marked as sent, and the next one waits",
    "start.before_run": "the people of a run are kept, and it is not started",
    "start.after_run": "a run was started, and whoever starts it was not told",
    "deliver.before_update": "the command line is about to send a message",
    "deliver.after_accept": "a message has its verdict, and its sender was not told",
    "backup.mid_copy": "part of a backup is written, under another name than it will have",
    "erase.after_key": "the keys of a customer are destroyed, and their rows say what they said",
    "erase.after_tombstone": "the rows of a run are erased, and the server still has its history",
}
"""Each point, and what is true when it is reached. A turn that is replayed reaches the points of its run again."""

REPLIES = frozenset(
    (
        "act.after_effect", "act.after_db_commit", "rec.after_commit", "outbox.after_send", "outbox.after_mark",
        "start.after_run", "deliver.after_accept",
    )
)  # fmt: skip
"""Points behind which somebody waits for an answer, so that it can be dropped."""


def _nobody(point: str) -> None:
    pass


_tell: Callable[[str], None] = _nobody


def reached(point: str) -> None:
    """Says that this place is reached. Whoever listens may end the process, wait, or raise."""
    _tell(point)


def listen(tell: Callable[[str], None] | None) -> None:
    """From here on `tell` hears of every point, in the thread that reaches it; `None` ends that."""
    global _tell
    _tell = _nobody if tell is None else tell
