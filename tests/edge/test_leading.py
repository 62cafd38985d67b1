"""Of several workers one lets notices go, until it dies; a notice that waits too long for it is taken by another one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from integrations.outbox import OutboxNotifier
from runtime.releasing import PATIENCE, Releaser
from storage.leading import Leading
from storage.notices import SqlNoticeStore
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from tests.support.records import a_notice, a_turn
from tests.support.shell import ROOT

_OTHER = """
import sys, time
from storage.engine import open_database
from storage.leading import Leading
leading = Leading(open_database(sys.argv[1]))
print(leading.lead(), leading.lead(), flush=True)
time.sleep(100)
"""


@pytest.fixture
def other(url: str, engine: Engine) -> Iterator[subprocess.Popen[str]]:
    """Another process that leads."""
    child = subprocess.Popen([sys.executable, "-c", _OTHER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "True True\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_one_leads_until_it_is_killed(other: subprocess.Popen[str], engine: Engine) -> None:
    """And then the next one that asks, which keeps it."""
    mine = Leading(engine)
    assert not mine.lead()
    other.kill()
    ends = time.monotonic() + 20
    while not mine.lead():
        assert time.monotonic() < ends, "nobody leads though the one that did is dead"
        time.sleep(0.05)

    assert mine.lead()
    assert not Leading(engine).lead()
    mine.close()
    after = Leading(engine)
    assert after.lead()
    after.close()


async def test_others_take_only_what_has_waited_too_long(engine: Engine) -> None:
    """Two that look at the same time would both send it; one that stands still must not keep it for ever."""
    store, now = SqlNoticeStore(engine), datetime.now(UTC).replace(microsecond=0)
    notifier = OutboxNotifier(store)
    for key, waited in (("fresh", timedelta(seconds=5)), ("old", PATIENCE + timedelta(seconds=1))):
        store.keep(a_notice(key, not_before=now - waited))

    followed = await Releaser(None, store, notifier, lambda: False).look()  # type: ignore[arg-type]
    states = {line["key"]: line["state"] for line in ReadTable(engine).outbox()["rows"]}
    led = await Releaser(None, store, notifier, lambda: True).look()  # type: ignore[arg-type]

    assert (followed, states, led) == (1, {"fresh": "pending", "old": "sent"}, 1)


def test_words_that_wait_for_history_wait_for_the_leader_first(engine: Engine) -> None:
    """Since they were written, not since their turn."""
    store, now = SqlNoticeStore(engine), datetime.now(UTC)
    SqlRecordStore(engine).write(a_turn(1, notices=(a_notice("a"),)))

    assert list(store.held(9, now - PATIENCE)) == []
    assert [one.notice.key for one in store.held(9, now + timedelta(seconds=1))] == ["a"]
