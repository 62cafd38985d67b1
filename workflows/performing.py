"""How each effect is performed: which activity, where, how long, how often, and what a manager reads about it.

The table comes first and is all the waiting policy of a run. Rows of a turn and the notices that can wait a moment leave
together in one transaction, see docs/decisions/0004-rows-of-a-turn.md.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    FailureError,
    TimeoutError as TemporalTimeout,
)

from onboarding import limits
from onboarding.clear import Clear
from onboarding.engine import rules
from onboarding.engine.effects import (
    DeliverNotice,
    Effect,
    Notice,
    NoticeKind,
    RunHook,
    WriteRecords,
)
from onboarding.engine.plan import Plan
from workflows.counting import counted_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One row of the table. `start_to_close` is one attempt, `in_all` the whole, where there is an end."""

    activity: str
    start_to_close: timedelta
    retry: RetryPolicy
    in_all: timedelta | None = None
    heartbeat: timedelta | None = None


ROWS_AT_ONCE = (
    Way(  # in the worker that decides: no event but a marker, and a dead database costs an answer two seconds
        activity="write_records",
        start_to_close=timedelta(seconds=2),
        in_all=timedelta(seconds=2),
        retry=RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3),
    )
)
ROWS_LATER = Way(  # what could not be written at once: for ever, because rows are the record
    activity="write_records",
    start_to_close=timedelta(seconds=10),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
)
NOTICE = Way(  # a day is longer than any outage of mail that nobody repairs
    activity="deliver_notice",
    start_to_close=timedelta(seconds=10),
    in_all=timedelta(days=1),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)),
)
HOOK = Way(  # attempts, backoff and the limit of one attempt are the definition's
    activity="run_hook",
    start_to_close=timedelta(0),
    heartbeat=timedelta(seconds=30),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(hours=1)),
)

URGENT = (NoticeKind.ESCALATION, NoticeKind.RETRACTION, NoticeKind.HANDOFF)
"""Notices that do not wait for rows, and that managers see in the history one by one."""

_WORDS = MappingProxyType(
    {
        NoticeKind.ESCALATION: "Escalate",
        NoticeKind.RETRACTION: "Call off",
        NoticeKind.HANDOFF: "Hand over",
    }
)
_SUMMARY_BYTES = 200
_ID_LENGTH = 24
_ENTRIES = ("trail", "ledger", "refused", "promises", "events")
_ROWS: TypeAdapter[WriteRecords] = TypeAdapter(WriteRecords)
_HOOK: TypeAdapter[RunHook] = TypeAdapter(RunHook)
_PARTS = (
    "trail", "ledger", "items", "stages", "refused", "handoffs", "promises", "faults", "events", "waited", "waiting", "notices", "withdrawn",
)  # fmt: skip


def sort(effects: Iterable[Effect]) -> tuple[list[DeliverNotice | RunHook], list[WriteRecords]]:
    """What starts an activity of its own, in order; and the rows, with the notices that travel in them."""
    own: list[DeliverNotice | RunHook] = []
    rows: list[WriteRecords] = []
    notices: list[Notice] = []
    for effect in effects:
        match effect:
            case WriteRecords():
                rows.append(effect)
            case DeliverNotice(notice=notice) if notice.kind not in URGENT:
                notices.append(_cut(notice))
            case DeliverNotice(notice=notice):
                own.append(DeliverNotice(notice=_cut(notice)))
            case _:
                own.append(effect)
    if rows:
        rows[-1] = replace(rows[-1], notices=(*rows[-1].notices, *notices))
    else:  # no rows to travel in
        own.extend(DeliverNotice(notice=notice) for notice in notices)
    return own, rows


def is_sendable(effect: RunHook) -> bool:
    """Whether a hook's arguments stay within the limit: the server fails the workflow task for ever over more than its own."""
    return len(_HOOK.dump_json(effect)) <= limits.HOOK_BYTES


def _cut(notice: Notice) -> Notice:
    """The notice with as many lines as one may have, for the same reason."""
    size, lines = 0, notice.lines
    for n, line in enumerate(lines):
        size += len(line.encode("utf-8", "replace"))
        if size > limits.NOTICE_BYTES:
            return replace(notice, lines=lines[:n])
    return notice


def start_hook(effect: RunHook, plan: Plan) -> workflow.ActivityHandle[dict[str, Any]]:
    """Starts a hook or check. Of one whose work can be taken back, the run hears how it ended also where it was called back."""
    leaves = effect.check is None and effect.item in plan.items and plan.items[effect.item].undo is not None
    kind = workflow.ActivityCancellationType
    retry = replace(HOOK.retry, maximum_attempts=effect.attempts, backoff_coefficient=max(1.0, effect.backoff))
    limit = timedelta(seconds=max(1, effect.timeout_seconds))
    return _start(
        replace(HOOK, start_to_close=limit, retry=retry),
        effect,
        f"Run {effect.activity}: {effect.title}",
        dict[str, Any],
        kind.WAIT_CANCELLATION_COMPLETED if leaves else kind.TRY_CANCEL,
    )


def start_notice(notice: Notice, plan: Plan) -> workflow.ActivityHandle[None]:
    """Starts the delivery of a notice of its own."""
    title = plan.items[notice.item].title if notice.item in plan.items else notice.subject
    step = f" step {notice.step}" if notice.kind is NoticeKind.ESCALATION and notice.step else ""
    word = _WORDS.get(notice.kind, notice.kind.capitalize())
    return _start(NOTICE, notice, f"{word}{step}: {title}, to {notice.to}")


def start_rows(batch: WriteRecords, plan: Plan, *, number: int | None) -> workflow.ActivityHandle[str]:
    """Starts the writing of a batch, inside this workflow task as the one with this number, or as an activity that never gives up.

    Only an activity of its own is sure to belong to the history: what is written at once may be decided again.
    """
    if number is None:
        count = sum(len(getattr(batch, part)) for part in _PARTS)
        why = "the run as it stands" if batch.whole else "what waits for the database"
        return _start(ROWS_LATER, batch, f"Write {count} rows: {why}", str)
    apart = plan.order.rules_version >= rules.COUNTS_APART
    with counted_apart(number) if apart else nullcontext():
        return workflow.start_local_activity(
            ROWS_AT_ONCE.activity, batch, result_type=str, start_to_close_timeout=ROWS_AT_ONCE.start_to_close,
            schedule_to_close_timeout=ROWS_AT_ONCE.in_all, retry_policy=ROWS_AT_ONCE.retry, summary=Clear("Write the rows of this turn"),
        )  # fmt: skip


def _start(
    way: Way,
    argument: Any,
    summary: str,
    result: type | None = None,
    called_back: workflow.ActivityCancellationType = workflow.ActivityCancellationType.TRY_CANCEL,
) -> workflow.ActivityHandle[Any]:
    return workflow.start_activity(
        way.activity, argument, result_type=result, start_to_close_timeout=way.start_to_close,
        schedule_to_close_timeout=way.in_all, heartbeat_timeout=way.heartbeat, retry_policy=way.retry, cancellation_type=called_back,
        summary=Clear(summary.encode("utf-8", "replace")[:_SUMMARY_BYTES].decode("utf-8", "ignore")),
    )  # fmt: skip


def why_failed(error: FailureError, *, told: bool = False) -> tuple[str, str]:
    """A code and a sentence for an activity that did not answer, without anything the other side said.

    `told`: the sentence is the one of the failure, which is ours (`activities/failures.py`), where it has one.
    """
    cause = error.cause if isinstance(error, ActivityError) else error  # a local activity fails as what it raised
    match cause:
        case TemporalTimeout():
            return "timeout", "No answer came in time."
        case ApplicationError(type=str(kind)) if kind.isidentifier():
            return kind, (_told(cause) if told else "") or "The call failed at every attempt."
        case CancelledError():
            return "called_back", "It was called back before it had answered."
        case _:
            return "failed", "The call failed at every attempt."


def _told(error: ApplicationError) -> str:
    first = error.details[0] if error.details else None
    sentence = first.get("sentence") if isinstance(first, dict) else None
    return sentence[: limits.SENTENCE_LENGTH] if isinstance(sentence, str) else ""


def merge(a: WriteRecords, b: WriteRecords) -> WriteRecords:
    """Both in one, `b` after `a`. Of a row that says how something stands now, the later one stays."""
    return WriteRecords(
        run=b.run,
        trail=(*a.trail, *b.trail),
        ledger=(*a.ledger, *b.ledger),
        items=tuple({(row.item, row.round): row for row in (*a.items, *b.items)}.values()),
        stages=tuple({(row.stage, row.visit): row for row in (*a.stages, *b.stages)}.values()),
        refused=(*a.refused, *b.refused),
        milestones=a.milestones if b.milestones is None else b.milestones,
        handoffs=tuple({(row.item, row.n): row for row in (*a.handoffs, *b.handoffs)}.values()),
        promises=(*a.promises, *b.promises),
        faults=(*a.faults, *b.faults),
        events=(*a.events, *b.events),
        waiting=(*(row for row in a.waiting if (row.kind, row.about) not in b.waited), *b.waiting),
        waited=tuple(dict.fromkeys((*a.waited, *b.waited))),
        notices=(*a.notices, *b.notices),
        withdrawn=(*a.withdrawn, *b.withdrawn),
    )


def gather(waiting: Sequence[WriteRecords], new: Iterable[WriteRecords]) -> list[WriteRecords]:
    """The batches to write, in order: as few as possible, none over the limit, since the server ends a run for one."""
    batches = list(waiting)
    for rows in new:
        if batches and _fits(merged := merge(batches[-1], rows)):
            batches[-1] = merged
        elif _fits(rows):
            batches.append(rows)
        else:
            batches.extend(_split(rows))
    return batches


def sealed(batch: WriteRecords, follows: str) -> WriteRecords:
    """The batch as it is written: with its place in the chain and where it comes from."""
    info = workflow.info()
    placed = replace(batch, follows=follows, chain=info.first_execution_run_id)
    digest = hashlib.sha256(_ROWS.dump_json(placed)).hexdigest()[:_ID_LENGTH]
    return replace(placed, id=digest, execution=info.run_id, decided_at=workflow.now())


def as_json(batch: WriteRecords) -> dict[str, Any]:
    """A batch as whoever writes rows reads it."""
    plain: dict[str, Any] = _ROWS.dump_python(batch, mode="json")
    return plain


def completed(whole: WriteRecords, waiting: Sequence[WriteRecords]) -> list[WriteRecords]:
    """A whole batch in the place of those that wait: with their notices, entries, and last words on earlier rounds and visits.

    Where that is too much for one batch, earlier entries follow in batches of their own. Of events the later ones do: a receiver that
    has had those is sent none with a lower number.
    """
    told = reduce(merge, waiting, WriteRecords(run=whole.run))
    entries: dict[str, Any] = {part: _in_order(getattr(told, part), getattr(whole, part)) for part in _ENTRIES}
    whole = replace(
        whole, items=(*told.items, *whole.items), stages=(*told.stages, *whole.stages), handoffs=(*told.handoffs, *whole.handoffs),
        faults=(*told.faults, *whole.faults), notices=told.notices, withdrawn=told.withdrawn,
        **entries,
    )  # fmt: skip
    earlier: dict[str, Any] = {}
    while not _fits(whole) and any(len(getattr(whole, part)) > 1 for part in _ENTRIES):
        for part in _ENTRIES:
            rows, others = getattr(whole, part), earlier.get(part, ())
            if part == "events":
                middle = len(rows) - len(rows) // 2
                entries[part], earlier[part] = rows[:middle], (*rows[middle:], *others)
            else:
                middle = len(rows) // 2
                entries[part], earlier[part] = rows[middle:], (*others, *rows[:middle])
        whole = replace(whole, **entries)
    rest = WriteRecords(run=whole.run, **earlier)
    return [whole, *(_split(rest) if any(earlier.values()) else ())]


def _in_order(some: Sequence[Any], others: Sequence[Any]) -> tuple[Any, ...]:
    """Numbered entries, each once."""
    found = {row.n: row for row in (*some, *others)}
    return tuple(found[n] for n in sorted(found))


def _fits(rows: WriteRecords) -> bool:
    return len(_ROWS.dump_json(rows)) <= limits.ROWS_PER_TURN_BYTES


def _split(rows: WriteRecords) -> list[WriteRecords]:
    """Halves of halves. Notices come before the keys that withdraw them, so order is kept; a single row is sent as it is."""
    flat = [(part, row) for part in _PARTS for row in getattr(rows, part)]
    if len(flat) < 2 or _fits(rows):
        return [rows]
    middle = len(flat) // 2
    return [piece for half in (flat[:middle], flat[middle:]) for piece in _split(_of(rows, half))]


def _of(rows: WriteRecords, flat: list[tuple[str, Any]]) -> WriteRecords:
    parts: dict[str, Any] = {part: tuple(row for name, row in flat if name == part) for part in _PARTS}
    return replace(rows, **parts)
