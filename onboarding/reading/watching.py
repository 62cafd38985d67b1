"""Does a run go on? Judged from what its rows and the server say of it, so that nobody waits unnoticed.

Pure: whoever looks brings the instant. Nothing here holds the contents of a message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

PATIENCE = timedelta(seconds=60)
"""How long anything may take before it counts as standing still: a worker that is killed and comes back takes less."""
ATTEMPTS = 3
"""From this attempt on a failure is no accident. A workflow task comes to its third after ten seconds."""
SHOWN = {
    "OnboardingStage": "stage", "OnboardingOwner": "owner", "OnboardingHealth": "health", "OnboardingWaitingOn": "waiting_on",
}  # fmt: skip
"""Search attributes that change with the turn, and the column of `runs` that holds the same."""
_ROWS = "write_records"
_HOOK = "run_hook"


class Kind(StrEnum):
    """What is wrong with a run; docs/operating.md says of each what to do."""

    FAILING_TASK = "failing_task"
    OVERDUE_ALARM = "overdue_alarm"
    TASK_WAITS = "task_waits"
    ROWS_LAG = "rows_lag"
    NOTICE_LAG = "notice_lag"
    NO_ROWS = "no_rows"
    NO_RUN = "no_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the rows say of an open run. `passed_at` is the earliest due date that is over and after which nothing was written."""

    run: str
    shown: Mapping[str, str]
    decided_at: datetime | None
    started_at: datetime
    passed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """A notice that should have left at `since`. `held` says that it waits for its rows to be history."""

    run: str
    since: datetime
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the rows say of all open runs, and the notices that should have left, the longest waiting first."""

    runs: Mapping[str, Kept]
    notices: tuple[KeptNotice, ...] = ()
    ended: frozenset[str] = frozenset()
    """Runs that have ended not long ago: the server may have them open while the work of their hooks is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A workflow task that is not done: which attempt it is, since when it is wanted, and whether a worker has it."""

    attempt: int
    since: datetime
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An activity that is not done."""

    activity: str
    attempt: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What the server says of a run. `state` is its word, `running` while it is open, `unknown` where it knows none."""

    run: str
    state: str = "running"
    started_at: datetime | None = None
    closed_at: datetime | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    task: Task | None = None
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with one run, since when, and the way out."""

    run: str
    kind: Kind
    since: datetime | None
    sentence: str
    way_out: str


def suspicious(kept: Kept | None, there: There | None, now: datetime) -> bool:
    """Whether a run deserves a closer look, from what a list of the server and the rows say without asking anybody."""
    if kept is None or there is None:
        return True
    return _is_over(kept.passed_at, now) or unlike(kept, there)


def unlike(kept: Kept, there: There) -> bool:
    """Whether rows and server show a run differently: the rows are behind, or it has just moved."""
    return any(there.shown.get(name, "") != kept.shown[column] for name, column in SHOWN.items())


def judge(
    there: There, kept: Kept | None, now: datetime, *, rows_read: bool = True, ended: bool = False
) -> Iterator[Finding]:
    """What is wrong with one run; the first reason explains the others. Without `rows_read` nothing is said of rows.

    `ended`: by its rows it is over; it is well as long as it calls hooks, which take back what others have done.
    """
    if there.state != "running":
        if kept is not None and (there.closed_at is None or _is_over(there.closed_at, now)):
            yield _no_run(there, kept)
        return
    standing = _standing(there, kept, now)
    if standing is not None:
        yield standing
        return
    late = _late_rows(there, kept, now)
    if late is not None:
        yield late
    elif rows_read and kept is None and _is_over(there.started_at, now) and not (ended and _calls_hooks(there)):
        yield Finding(
            run=there.run, kind=Kind.NO_ROWS, since=there.started_at,
            sentence="The run is open on the server, and no row of it is in this database.",
            way_out="Is this the database of its worker? Then `rows_refused` in the worker's log says why nothing was written.",
        )  # fmt: skip
    for call in there.calls:
        if call.activity == "deliver_notice" and call.attempt >= ATTEMPTS:
            yield Finding(
                run=there.run, kind=Kind.NOTICE_LAG, since=call.since,
                sentence=f"A notice has failed to leave {call.attempt - 1} times.",
                way_out="Look at what notices leave by and at the worker's log; it is tried for a day.",
            )  # fmt: skip


def judge_notices(rows: Rows, now: datetime) -> Iterator[Finding]:
    """Notices that should have left long ago, one finding for each run."""
    told: dict[str, None] = {}
    for notice in rows.notices:
        if notice.run in told or not _is_over(notice.since, now):
            continue
        told[notice.run] = None
        why = "for the turn that asked for it to be history" if notice.held else "though its instant has come"
        yield Finding(
            run=notice.run, kind=Kind.NOTICE_LAG, since=notice.since, sentence=f"A notice is still pending {why}.",
            way_out="Start a worker: each lets notices go. Where one runs, the turn was lost; the next turn of the run takes the notice away."
            if notice.held
            else "Start a worker: each sends. Where one runs, `python starter.py outbox RUN` shows what is in its way.",
        )  # fmt: skip


def _standing(there: There, kept: Kept | None, now: datetime) -> Finding | None:
    """The run itself does not move."""
    task = there.task
    if task is not None and task.attempt >= ATTEMPTS:
        return Finding(
            run=there.run, kind=Kind.FAILING_TASK, since=task.since,
            sentence=f"Its workflow task has failed {task.attempt - 1} times and is tried again; the run stands still and loses nothing.",
            way_out="The worker's log says why: `program_fault` names the place, and the run goes on by itself under a mended worker;"
            " after `rules_unknown` it goes on under a worker of the release that began it.",
        )  # fmt: skip
    # Without a task of its own to do, and with rows on their way, it has acted and only its rows do not know.
    acted = task is None and any(call.activity == _ROWS for call in there.calls)
    passed = kept.passed_at if kept is not None and not acted else None
    if passed is not None and _is_over(passed, now):
        waits = "its workflow task waits for a worker" if task is not None else "nothing was written since"
        return Finding(
            run=there.run, kind=Kind.OVERDUE_ALARM, since=passed, sentence=f"A date has passed and {waits}.",
            way_out="Is a worker polling its task queue? `python starter.py doctor` says; start one: python worker.py",
        )  # fmt: skip
    if task is not None and _is_over(task.since, now):
        taken = "a worker has it and does not answer" if task.taken else "no worker has taken it"
        return Finding(
            run=there.run, kind=Kind.TASK_WAITS, since=task.since, sentence=f"Something has happened, and {taken}.",
            way_out="Is a worker polling its task queue? `python starter.py doctor` says; start one: python worker.py",
        )  # fmt: skip
    return None


def _late_rows(there: There, kept: Kept | None, now: datetime) -> Finding | None:
    """The run has moved and its rows have not."""
    for call in there.calls:
        if call.activity == _ROWS and (call.attempt >= ATTEMPTS or _is_over(call.since, now)):
            return _behind(there, kept, f"Its rows cannot be written: attempt {call.attempt}.", call.since)
    if kept is not None and unlike(kept, there):
        return _behind(there, kept, "Its rows show it as it was before.", None)
    return None


def _behind(there: There, kept: Kept | None, sentence: str, since: datetime | None) -> Finding:
    return Finding(
        run=there.run, kind=Kind.ROWS_LAG, since=since or (kept.decided_at if kept is not None else there.started_at), sentence=sentence,
        way_out="`python starter.py database check`; the run brings its rows by itself, within a minute of the database being back.",
    )  # fmt: skip


def _no_run(there: There, kept: Kept) -> Finding:
    word = "does not know it" if there.state == "unknown" else f"says that it is {there.state}"
    return Finding(
        run=kept.run, kind=Kind.NO_RUN, since=there.closed_at or kept.decided_at,
        sentence=f"By its rows the run is open, and the server {word}.",
        way_out="Another namespace or database is set, or somebody ended it on the server: start it again under another customer key.",
    )  # fmt: skip


def _calls_hooks(there: There) -> bool:
    return any(call.activity == _HOOK for call in there.calls)


def _is_over(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and now - instant >= PATIENCE
