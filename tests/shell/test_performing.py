"""The table of effects, and how rows of several turns become batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError

from onboarding import limits
from onboarding.engine import effects
from onboarding.engine.effects import DeliverNotice, Notice, NoticeKind, RunHook, StageRow, WriteRecords
from onboarding.engine.machine import start
from onboarding.engine.plan import Plan
from onboarding.engine.state import RefusedEntry
from tests.support.shell import Edge, an_order
from workflows import performing

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def rows(**parts: object) -> WriteRecords:
    """Rows of a run that has just begun, with these parts and no others."""
    begun = start(Plan(an_order("short", customer="c-1")), AT)
    run = next(one.run for one in begun.effects if isinstance(one, WriteRecords))
    return WriteRecords(run=run, **parts)  # type: ignore[arg-type]


def notice(key: str, kind: NoticeKind = NoticeKind.ASK) -> Notice:
    """A notice to somebody."""
    return Notice(
        key=key,
        kind=kind,
        to="dana",
        template="ask",
        subject="First thing",
        lines=("x",),
        run="r",
        customer="c-1",
        at=AT,
    )


def refused(n: int, sentence: str = "no") -> RefusedEntry:
    """An entry that is written once."""
    return RefusedEntry(n=n, at=AT, via="signal", name="note", message_id=f"m-{n}", code="c", sentence=sentence)


def test_every_way_leads_to_an_activity_of_the_worker() -> None:
    """The names in the table are the names that activities are registered under."""
    known = {activity._Definition.must_from_callable(one).name for one in Edge().activities()}

    ways = (performing.ROWS_AT_ONCE, performing.ROWS_LATER, performing.NOTICE, performing.HOOK)
    assert {way.activity for way in ways} <= known
    assert len(get_args(effects.Effect)) == 3, "a new effect needs a row in workflows/performing.py"


def test_notices_that_can_wait_travel_with_the_rows() -> None:
    """Urgent ones go on their own, in their order."""
    urgent, ask = DeliverNotice(notice=notice("u", NoticeKind.ESCALATION)), DeliverNotice(notice=notice("a"))

    own, written = performing.sort((ask, urgent, rows()))

    assert own == [urgent]
    assert [one.notices for one in written] == [(ask.notice,)]


def test_a_notice_without_rows_goes_on_its_own() -> None:
    """Nothing is lost because a turn has no rows."""
    ask = DeliverNotice(notice=notice("a"))

    assert performing.sort((ask,)) == ([ask], [])


def test_rows_of_two_turns_are_one_batch_and_the_later_state_stays() -> None:
    """Entries written once are all kept, in order; of a stage that changed twice the later row."""
    stage = StageRow(
        stage="only", visit=1, place=0, title="t", owner="dana", status="open", milestone=None, entered_at=AT, left_at=None,
        target_at=None,
    )  # fmt: skip
    done = replace(stage, status="done")

    first = rows(stages=(stage,), refused=(refused(1),))
    (batch,) = performing.gather([first], [rows(stages=(done,), refused=(refused(2),))])

    assert batch.stages == (done,)
    assert [entry.n for entry in batch.refused] == [1, 2]


def test_no_batch_is_larger_than_the_limit() -> None:
    """A turn with too many rows is split, order kept; what does not fit beside others waits in a batch of its own."""
    large = rows(refused=tuple(refused(n, "x" * 4_000) for n in range(200)), notices=(notice("k"),), withdrawn=("k",))

    batches = performing.gather([rows(refused=(refused(-1),))], [large, rows(refused=(refused(200),))])

    sizes = [len(performing._ROWS.dump_json(batch)) for batch in batches]
    assert [entry.n for batch in batches for entry in batch.refused] == list(range(-1, 201))
    assert max(sizes) <= limits.ROWS_PER_TURN_BYTES
    assert len(batches) <= 8
    order = [("notice" if batch.notices else "") + ("back" if batch.withdrawn else "") for batch in batches]
    assert "".join(order) == "noticeback"


def a_call(size: int) -> RunHook:
    """A hook with arguments of about so many bytes."""
    return RunHook(
        key="r/x/1/hook", activity="provision_tenant", stage="s", item="x", title="X", round=1, check=None,
        arguments={"facts": {"a": "x" * size}}, attempts=1, backoff=1.0, timeout_seconds=1,
    )  # fmt: skip


def test_a_hook_is_told_only_so_much() -> None:
    """More would fail the workflow task again and again."""
    assert performing.is_sendable(a_call(limits.HOOK_BYTES - 1_000))
    assert not performing.is_sendable(a_call(limits.HOOK_BYTES))


def test_a_notice_that_is_too_long_is_cut() -> None:
    """Its first lines say what it is about; both ways of a notice are alike."""
    long = tuple("x" * 1_000 for _ in range(10_000))
    mail, alarm = (replace(notice("k", kind), lines=long) for kind in (NoticeKind.ASK, NoticeKind.ESCALATION))

    own, written = performing.sort((DeliverNotice(notice=mail), DeliverNotice(notice=alarm), rows()))

    sent = [written[0].notices[0], *(one.notice for one in own if isinstance(one, DeliverNotice))]
    assert [len(one.lines) for one in sent] == [limits.NOTICE_BYTES // 1_000] * 2


def test_a_whole_batch_takes_along_every_entry_that_waits() -> None:
    """What the run carries no more, and what is too much for one batch, is written all the same, in order and each once."""
    waiting = [rows(refused=tuple(refused(n, "x" * 4_000) for n in range(1, 151))), rows(refused=(refused(151),))]
    carried = tuple(refused(n, "y" * 4_000) for n in range(140, 160))

    whole, *more = performing.completed(replace(rows(refused=carried), whole=True), waiting)

    assert whole.whole
    assert not any(batch.whole for batch in more)
    assert all(len(performing._ROWS.dump_json(batch)) <= limits.ROWS_PER_TURN_BYTES for batch in (whole, *more))
    told = [entry.n for batch in more for entry in batch.refused] + [entry.n for entry in whole.refused]
    assert told == list(range(1, 160))


@pytest.mark.parametrize(
    ("details", "told", "sentence"),
    [
        (({"code": "http_404", "sentence": "The other side answered 404."},), True, "The other side answered 404."),
        (
            ({"code": "http_404", "sentence": "The other side answered 404."},),
            False,
            "The call failed at every attempt.",
        ),
        ((), True, "The call failed at every attempt."),
        (("words",), True, "The call failed at every attempt."),
        (({"sentence": 7},), True, "The call failed at every attempt."),
        (({"sentence": "x" * 5_000},), True, "x" * limits.SENTENCE_LENGTH),
    ],
)
def test_a_hook_that_failed_tells_its_own_sentence_to_runs_that_want_it(
    details: tuple[object, ...], told: bool, sentence: str
) -> None:
    """Runs that began before that rule keep the sentence that was the same for all."""
    failed = ApplicationError("http_404: x", *details, type="http_404")

    assert performing.why_failed(failed, told=told) == ("http_404", sentence)
