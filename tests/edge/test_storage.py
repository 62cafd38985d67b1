"""Rows: one list of claims for every store, then what only a database can get wrong."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import Engine, select, text

import storage.records
from onboarding.engine.effects import FaultRow, WriteRecords
from onboarding.errors import RecordConflict
from onboarding.ports import Sent
from storage.directory import Contact, SqlDirectory
from storage.engine import DatabaseUnavailable, open_database, reading, writing
from storage.inspection import integrity_of
from storage.memory import MemoryStore
from storage.read_table import CursorInvalid, ReadTable
from storage.records import SqlRecordStore
from storage.tables import ALL, RUNS, TRAIL
from tests.support.records import (
    RUN,
    a_notice,
    a_refusal,
    a_run,
    a_stage,
    a_stretch,
    a_trail,
    a_turn,
    an_item,
    at,
)
from tests.support.stores import SqlStore, others, withdraw

ROOT = Path(__file__).resolve().parents[2]


def everything(store: Any, run: str = RUN) -> dict[str, Any]:
    """All that can be read of a run."""
    if store.find(run) is None:
        return {}
    reads = ("find", "stages", "items", "trail", "ledger", "refused", "outbox")
    return {name: getattr(store, name)(run) for name in reads} | {"others": others(store, run)}


def lost(n: int, **changes: Any) -> WriteRecords:
    """What a worker decided and wrote in the place of the n-th batch, and what never became history."""
    values: dict[str, Any] = {
        "id": f"lost-{n}",
        "run": a_run(asks=90, state="closed", closed_at=at(n)),
        "trail": tuple(a_trail(k, actor="nobody") for k in range(n, n + 3)),
        "ledger": tuple(a_stretch(k, who="nobody") for k in range(n, n + 2)),
        "refused": (a_refusal(1), a_refusal(2)),
        "items": (an_item(status="returned"), an_item(round=2), an_item("never", status="done")),
        "stages": (a_stage(status="done"), a_stage(visit=2)),
    }
    return a_turn(n, **{**values, **changes})


def all_of(n: int, **changes: Any) -> WriteRecords:
    """Everything that stands after n batches, as the run brings it when the store has lost the thread."""
    values: dict[str, Any] = {
        "id": f"all-{n}",
        "whole": True,
        "trail": tuple(a_trail(k) for k in range(1, n + 1)),
        "ledger": tuple(a_stretch(k) for k in range(1, n + 1)),
    }
    return a_turn(n, **{**values, **changes})


class TestEveryStore:
    """What the run relies on, whoever keeps its rows."""

    def test_a_turn_can_be_read_back(self, store: Any) -> None:
        """Every table holds what was written, in the shapes of the contract."""
        store.write(a_turn(1, refused=(a_refusal(1),), notices=(a_notice(),)))

        assert store.find(RUN)["state"] == "running"
        assert store.find(RUN)["waiting_since"] == "2026-11-02T09:00:00Z"
        assert [stage["state"] for stage in store.stages(RUN)] == ["open"]
        assert [item["blocks"] for item in store.items(RUN)] == [["setup", "go_live"]]
        assert [entry["message_id"] for entry in store.trail(RUN)["rows"]] == ["m-1"]
        assert [(entry["from"], entry["seconds"]) for entry in store.ledger(RUN)] == [("2026-11-02T08:00:00Z", 3600)]
        assert [entry["code"] for entry in store.refused(RUN)["rows"]] == ["unknown_message"]
        assert [(line["key"], line["state"]) for line in store.outbox(RUN)["rows"]] == [("n-1", "pending")]

    def test_the_same_turn_again_is_success_and_changes_nothing(self, store: Any) -> None:
        """A retry finds its rows and is content."""
        turn = a_turn(1, refused=(a_refusal(1),), notices=(a_notice(),), withdrawn=("n-0",))
        store.write(turn)
        before = everything(store)

        store.write(turn)

        assert before == everything(store)

    def test_a_batch_answers_with_its_id_the_first_time_and_every_time(self, store: Any) -> None:
        """The run remembers the answer: what it brings next follows that."""
        assert [store.write(a_turn(1)), store.write(a_turn(2)), store.write(a_turn(2))] == ["b-1", "b-2", "b-2"]

    @pytest.mark.parametrize(
        "other",
        [a_turn(1), lost(2), a_turn(5), all_of(2, decided_at=at(2))],
        ids=["an old attempt", "of a turn decided again", "one is missing", "an old whole"],
    )
    def test_what_has_no_place_here_changes_nothing(self, store: Any, other: WriteRecords) -> None:
        """A zombie's attempt, however late, and a batch that comes too early."""
        for n in (1, 2, 3):
            store.write(a_turn(n))
        before = everything(store)
        late = replace(other, notices=(a_notice(),), withdrawn=("x",))

        assert store.write(late) == ("stale" if other.whole else "incomplete")

        assert before == everything(store)

    def test_the_first_batch_comes_first(self, store: Any) -> None:
        """Of a run that is not known here only its beginning, or all of it, can be written."""
        assert store.write(a_turn(2)) == "incomplete"
        assert store.find(RUN) is None
        assert store.write(all_of(2)) == "all-2"
        assert store.write(a_turn(3, follows="all-2")) == "b-3"
        assert [row["n"] for row in store.trail(RUN)["rows"]] == [1, 2, 3]

    @pytest.mark.parametrize("n", [1, 2])
    def test_a_turn_that_never_happened_is_replaced(self, store: Any, n: int) -> None:
        """Its entries, rounds, visits and items go; then all is as if it had never been written."""
        plain = MemoryStore()
        for k in range(1, n):
            plain.write(a_turn(k))
            store.write(a_turn(k))
        plain.write(a_turn(n))

        assert store.write(lost(n)) == f"lost-{n}"
        assert store.write(a_turn(n, decided_at=at(n + 1))) == "incomplete"
        assert store.write(all_of(n, decided_at=at(n + 1))) == f"all-{n}"

        assert everything(plain) == everything(store)
        assert store.write(a_turn(n, decided_at=at(n))) == "incomplete", "what was decided first comes late"
        assert everything(plain) == everything(store)

    def test_a_whole_batch_can_be_tried_again(self, store: Any) -> None:
        """As every other."""
        store.write(lost(1))
        store.write(all_of(1))
        before = everything(store)

        assert store.write(all_of(1)) == "all-1"

        assert before == everything(store)

    def test_older_entries_and_rounds_stay_where_a_whole_batch_brings_fewer(self, store: Any) -> None:
        """A run does not carry everything for ever."""
        store.write(a_turn(1))
        store.write(a_turn(2, items=(an_item(status="returned"), an_item(round=2))))

        store.write(all_of(3, trail=(a_trail(3),), ledger=(a_stretch(3),), items=(an_item(round=2, steps=7),)))

        assert [row["n"] for row in store.trail(RUN)["rows"]] == [1, 2, 3]
        assert [(row["round"], row["steps"]) for row in store.items(RUN)] == [(1, 0), (2, 7)]

    @pytest.mark.parametrize("whole", [False, True])
    def test_another_chain_of_executions_is_a_conflict(self, store: Any, whole: bool) -> None:
        """One name, started twice against one database: two runs would write the same rows."""
        store.write(a_turn(1))
        before = everything(store)

        with pytest.raises(RecordConflict) as caught:
            store.write(a_turn(2, chain="second", whole=whole))

        assert before == everything(store)
        assert caught.value.key == RUN

    def test_a_notice_waits_with_its_batch(self, store: Any) -> None:
        """Until it is settled; a notice that goes on its own waits for nothing."""
        store.keep(a_notice("own"))
        store.write(a_turn(1, notices=(a_notice("a"), a_notice("b"))))
        store.mark_sent(Sent("b", "outbox", at(1)))

        assert [(one.notice, one.batch, one.execution) for one in store.held(9)] == [(a_notice("a"), "b-1", "first")]
        assert store.held(0) in ((), [])

    def test_what_waits_for_a_batch_is_forgotten_alone(self, store: Any) -> None:
        """By run and batch; who waits is told which batch stands now, and what was sent stays."""
        store.write(a_turn(1, notices=(a_notice("a"), a_notice("sent"))))
        store.mark_sent(Sent("sent", "outbox", at(1)))
        store.write(a_turn(2, notices=(a_notice("b"),)))
        assert {one.notice.key: one.stands for one in store.held(9)} == {"a": "b-2", "b": "b-2"}

        store.forget("onboarding/another/run", "b-1")
        assert [one.notice.key for one in store.held(9)] == ["a", "b"]
        store.forget(RUN, "b-1")

        assert [one.notice.key for one in store.held(9)] == ["b"]
        assert {line["key"]: line["state"] for line in store.outbox()["rows"]} == {"b": "pending", "sent": "sent"}

    def test_a_notice_of_a_lost_turn_says_what_the_run_says_in_the_end(self, store: Any) -> None:
        """The same key comes again with the turn that happened; one that does not come now may come later."""
        store.write(lost(1, notices=(a_notice("a", subject="lost"), a_notice("b"))))

        store.write(all_of(1, notices=(a_notice("a", subject="true"),)))

        held = {one.notice.key: (one.notice.subject, one.batch) for one in store.held(9)}
        assert held == {"a": ("true", "all-1")}
        store.write(a_turn(2, follows="all-1", notices=(a_notice("b"),)))
        assert [one.batch for one in store.held(9)] == ["all-1", "b-2"]

    def test_state_follows_the_turns(self, store: Any) -> None:
        """Later turns replace the state of run, items and stages, and add rounds and visits."""
        store.write(a_turn(1))

        store.write(
            a_turn(
                2,
                items=(an_item(status="returned"), an_item(round=2)),
                stages=(a_stage(status="done", left_at=at(2)), a_stage(visit=2)),
            )
        )

        assert [(item["round"], item["status"]) for item in store.items(RUN)] == [(1, "returned"), (2, "open")]
        assert [(stage["visit"], stage["state"]) for stage in store.stages(RUN)] == [(1, "done"), (2, "open")]

    def test_the_last_of_two_rows_of_one_key_counts(self, store: Any) -> None:
        """Turns written together bring one item twice, the newer last."""
        store.write(a_turn(1, items=(an_item(steps=1), an_item(steps=2))))

        assert [item["steps"] for item in store.items(RUN)] == [2]

    def test_a_notice_is_kept_once(self, store: Any) -> None:
        """The first notice of a key stays, whatever comes under that key later."""
        store.keep(a_notice(subject="first"))

        store.write(a_turn(1, notices=(a_notice(subject="second"),)))

        assert [line["subject"] for line in store.outbox(RUN)["rows"]] == ["first"]

    def test_a_withdrawal_reaches_what_has_not_left(self, store: Any) -> None:
        """Pending becomes withdrawn, sent stays sent."""
        store.write(a_turn(1, notices=(a_notice("a"), a_notice("b"))))
        store.mark_sent(Sent("a", "outbox", at(1)))

        store.write(a_turn(2, withdrawn=("a", "b")))

        assert [(line["key"], line["state"]) for line in store.outbox(RUN)["rows"]] == [
            ("a", "sent"),
            ("b", "withdrawn"),
        ]

    def test_a_notice_that_was_withdrawn_before_it_came_never_leaves(self, store: Any) -> None:
        """The withdrawal overtook it: it is kept as withdrawn, and not shown."""
        assert withdraw(store, "n-1")

        assert store.keep(a_notice()) == ("withdrawn",)
        assert not store.mark_sent(Sent("n-1", "outbox", at(1)))
        assert store.outbox()["rows"] == []

    def test_several_notices_are_kept_together(self, store: Any) -> None:
        """Each as if it came alone: one that is known stays, what calls off one of them goes with it."""
        store.keep(a_notice("known", subject="first"))
        withdraw(store, "early")

        states = store.keep(
            a_notice("known", subject="second"), a_notice("alarm"), a_notice("early"), a_notice("not", retracts=("alarm",)),
            a_notice("stays"),
        )  # fmt: skip

        assert states == ("pending", "withdrawn", "withdrawn", "withdrawn", "pending")
        shown = {line["key"]: line["subject"] for line in store.outbox()["rows"] if line["state"] == "pending"}
        assert shown == {"known": "first", "stays": "Company details"}

    def test_marks_are_written_together(self, store: Any) -> None:
        """Of how many it was not known is told; one that nobody has brought is none of them."""
        store.keep(a_notice("a"), a_notice("b"))
        withdraw(store, "never came")

        marks = [Sent(key, "mail", at(1)) for key in ("b", "a", "never came")]
        assert [store.mark_sent(*marks), store.mark_sent(*marks), store.mark_sent()] == [2, 0, 0]
        assert {line["key"]: line["state"] for line in store.outbox()["rows"]} == {"a": "sent", "b": "sent"}

    def test_writers_of_many_threads_lose_nothing(self, store: Any) -> None:
        """Eight threads write ten turns each, every turn twice, some of the same run."""
        runs = [f"onboarding/c{number % 4}/d" for number in range(8)]

        def write(run: str) -> None:
            for n in range(1, 11):
                store.write(a_turn(n, run))
                store.write(a_turn(n, run))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, runs))

        for run in set(runs):
            assert list(range(1, 11)) == [row["n"] for row in store.trail(run)["rows"]]
            assert store.find(run)["asks"] == 10

    @pytest.mark.parametrize("name", ["a\x00b", "half \ud800", "'; DROP TABLE runs; --", "🚀"])
    def test_any_text_can_be_the_name_of_a_signal(self, store: Any, name: str) -> None:
        """What a stranger calls a signal must not hold up the rows of the run."""
        turn = a_turn(1, refused=(a_refusal(1, name=name),))
        store.write(turn)
        store.write(turn)

        assert len(store.refused(RUN)["rows"]) == 1

    @settings(max_examples=60, deadline=None)
    @given(
        plan=st.lists(st.tuples(st.sampled_from(["plain", "lost", "lost and late"]), st.integers(0, 30)), max_size=12)
    )
    def test_whatever_is_lost_or_late_gives_the_same_rows(self, plan: list[tuple[str, int]]) -> None:
        """A law: a run that does as the shell does ends with the rows of a run that nothing happened to."""
        plain, disturbed = MemoryStore(), MemoryStore()
        play(plan, plain, disturbed)

        assert everything(plain) == everything(disturbed)


def play(plan: Sequence[tuple[str, int]], plain: Any, disturbed: Any) -> None:
    """Writes batches to both stores, to one of them with lost turns before and late attempts after."""
    follows, seen = "", []
    for n, (kind, late) in enumerate(plan, start=1):
        plain.write(a_turn(n))
        if kind != "plain":
            phantom = lost(n, id=f"lost-{n}-{late}", follows=follows)
            disturbed.write(phantom)
            seen.append(phantom)
        batch = a_turn(n, follows=follows)
        if disturbed.write(batch) != batch.id:
            batch = all_of(n, follows=follows)
            assert disturbed.write(batch) == batch.id
        follows = batch.id
        seen.append(batch)
        if kind == "lost and late":
            disturbed.write(seen[late % len(seen)])


class TestOpening:
    """The file may be missing, shared, foreign or broken."""

    def test_folder_file_and_tables_are_made_once(self, empty_url: str) -> None:
        """The second opening finds what the first one made."""
        for _ in range(2):
            engine = open_database(empty_url)
            assert integrity_of(engine) == "ok"
            engine.dispose()

    def test_the_file_is_set_up_to_survive(self, sqlite_url: str) -> None:
        """Write-ahead log, everything on the disk, bounded waiting, foreign keys; also after the tables were made."""
        wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
        engine = open_database(sqlite_url)

        with reading(engine) as connection:
            found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in wanted}
        engine.dispose()

        assert wanted == found

    def test_twenty_openings_at_once_agree(self, empty_url: str) -> None:
        """Whoever comes first makes the tables; nobody fails."""
        start = threading.Barrier(20)

        def open_and_close(_: int) -> str:
            start.wait()
            engine = open_database(empty_url)
            try:
                return integrity_of(engine)
            finally:
                engine.dispose()

        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(open_and_close, range(20))) == ["ok"] * 20

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ("nonsense", "database_url_invalid"),
            ("sqlite://", "database_url_invalid"),
            ("mysql://host/name", "database_url_invalid"),
            ("sqlite:///{here}/junk", "not_a_database"),
            ("sqlite:///{here}/junk/below/a-file", "database_unreachable"),
            ("sqlite:///{here}", "database_unreachable"),
            ("sqlite:///file:{here}/none.sqlite?mode=ro&uri=true", "database_unreachable"),
            ("postgresql://127.0.0.1:9/none", "database_unreachable"),
            ("postgresql+missing://host/name", "database_driver_missing"),
        ],
    )
    def test_what_cannot_be_opened_says_why(self, tmp_path: Path, form: str, code: str) -> None:
        """A code, a sentence, a way out; never a traceback of the driver."""
        (tmp_path / "junk").write_bytes(b"this is no database " * 300)

        with pytest.raises(DatabaseUnavailable) as caught:
            open_database(form.format(here=tmp_path))

        assert code == caught.value.code
        assert caught.value.way_out

    def test_a_missing_driver_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`postgresql://` without psycopg installed."""
        monkeypatch.setitem(sys.modules, "psycopg", None)

        with pytest.raises(DatabaseUnavailable, match="pip install") as caught:
            open_database("postgresql://127.0.0.1:9/none")

        assert caught.value.code == "database_driver_missing"

    def test_a_file_that_may_only_be_read_can_be_read(self, sqlite_url: str) -> None:
        """Reads go on; a write says what is wrong."""
        open_database(sqlite_url).dispose()
        path = sqlite_url.removeprefix("sqlite:///")
        engine = open_database(f"sqlite:///file:{path}?mode=ro&uri=true")

        assert ReadTable(engine).runs()["rows"] == []
        with pytest.raises(DatabaseUnavailable) as caught:
            SqlRecordStore(engine).write(a_turn(1))
        engine.dispose()

        assert caught.value.code == "database_read_only"


class TestDatabase:
    """What only a file that outlives processes can get wrong."""

    def test_instants_come_back_in_utc_whatever_zone_they_had(self, engine: Engine) -> None:
        """SQLite drops zones: they are put back, and the instant is the same."""
        local = at(5).astimezone(timezone(timedelta(hours=-9, minutes=-30)))

        SqlRecordStore(engine).write(a_turn(1, run=a_run(promised_at=local, milestones={"m": local})))
        with reading(engine) as connection:
            row = connection.execute(select(RUNS)).one()

        assert at(5) == row.promised_at
        assert timedelta(0) == row.promised_at.utcoffset()
        assert {"m": at(5)} == row.milestones

    def test_an_instant_without_an_offset_is_not_stored(self, engine: Engine) -> None:
        """Nobody knows when that was."""
        with pytest.raises(ValueError, match="offset"):
            SqlRecordStore(engine).write(a_turn(1, run=a_run(promised_at=datetime(2026, 1, 1))))
        with pytest.raises(ValueError, match="stored"), writing(engine) as connection:
            connection.execute(TRAIL.update().values(at=datetime(2026, 1, 1)).where(TRAIL.c.n == 1))

        assert ReadTable(engine).find(RUN) is None

    def test_a_failure_in_the_middle_undoes_the_turn(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last step of a turn fails: none of the steps before it stays."""
        store = SqlRecordStore(engine)
        store.write(a_turn(1))

        def fail(*_: object) -> None:
            raise OSError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr(storage.records, "withdraw", fail)
            with pytest.raises(OSError, match="gone"):
                store.write(a_turn(2, notices=(a_notice(),), withdrawn=("x",)))

        reads = ReadTable(engine)
        assert reads.find(RUN)["asks"] == 1
        assert [row["n"] for row in reads.trail(RUN)["rows"]] == [1]
        assert reads.outbox()["rows"] == []

    def test_whatever_is_lost_or_late_gives_the_same_rows(self, engine: Engine) -> None:
        """The law of the memory store, tried on the tables with one fixed seed."""
        dice = random.Random(7)
        plain, disturbed = MemoryStore(), SqlStore(engine)

        play(
            [(dice.choice(("plain", "lost", "lost and late")), dice.randint(0, 40)) for _ in range(40)],
            plain,
            disturbed,
        )

        assert everything(plain) == everything(disturbed)

    def test_processes_write_into_one_file(self, url: str, engine: Engine) -> None:
        """Three processes with a run each and one that repeats the work of another."""
        runs = ["r0", "r1", "r2", "r0"]
        children = [spawn(url, run, "25") for run in runs]

        assert [child.wait(60) for child in children] == [0] * 4
        for child in children:
            child.stdout.close()
        reads = ReadTable(engine)
        for run in set(runs):
            assert list(range(1, 26)) == [row["n"] for row in reads.trail(run)["rows"]]
        assert integrity_of(engine) == "ok"

    def test_a_killed_writer_leaves_whole_turns(self, url: str, engine: Engine) -> None:
        """kill -9 at ten moments: what was said to be written is, nothing is half-written, work goes on."""
        dice = random.Random(1)
        for trial in range(10):
            run = f"killed-{trial}"
            child = spawn(url, run)
            child.stdout.readline()
            time.sleep(dice.random() * 0.1)
            child.kill()
            said = [int(line) for line in child.stdout.read().split()] or [1]
            child.stdout.close()
            child.wait(10)
            until_alone(engine)

            with reading(engine) as connection:
                rows = [
                    connection.execute(
                        text(f"SELECT count(*), max(n) FROM {table} WHERE run = :run"),
                        {"run": run},
                    ).one()
                    for table in ("trail", "ledger")
                ]
            last = rows[0][1]
            assert last >= said[-1]
            assert [(last, last)] * 2 == [tuple(row) for row in rows]
            assert last == ReadTable(engine).find(run)["asks"]
            SqlRecordStore(engine).write(a_turn(last + 1, run))
        assert integrity_of(engine) == "ok"

    def test_errors_name_no_values(self, engine: Engine) -> None:
        """The text of a failed statement must not carry what a customer wrote."""
        with pytest.raises(DatabaseUnavailable) as caught, writing(engine) as connection:
            connection.execute(TRAIL.insert(), [{"run": "nobody", "n": 1, "sentence": "canary-4711"}])

        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert any(word in str(caught.value) for word in ("CONSTRAINT", "23502"))


class TestReads:
    """What lists and people see over all runs."""

    @pytest.fixture
    def reads(self, engine: Engine) -> ReadTable:
        """Twelve runs; every third is closed, every fourth at risk."""
        store = SqlRecordStore(engine)
        for n in range(12):
            closed = n % 3 == 0
            row = a_run(
                f"run-{n:02}",
                state="closed" if closed else "running",
                closed_at=at(n) if closed else None,
                health="at_risk" if n % 4 == 0 else "on_track",
                definition="quick-start" if n < 6 else "b2b-standard",
            )
            item = an_item(owner="dana" if n % 2 else "erik", due_at=at(100 - n))
            store.write(WriteRecords(run=row, items=(item,), stages=(a_stage("kickoff"),), id="b-1"))
        return ReadTable(engine)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, 12),
            ({"health": "at_risk"}, 3),
            ({"state": "closed", "definition": "quick-start"}, 2),
            ({"health": ["at_risk", "on_track"], "variant": "smb", "segment": "smb"}, 12),
            ({"stage": "intake"}, 12),
            ({"stage": "kickoff"}, 12),
            ({"stage": "nowhere"}, 0),
            ({"owner": "dana", "waiting_on": "customer"}, 12),
            ({"ids": ["run-01", "run-02", "none"]}, 2),
        ],
    )
    def test_lists_are_narrowed(self, reads: ReadTable, filters: dict[str, Any], expected: int) -> None:
        """Every filter, alone and together; `stage` finds one that is open beside the first."""
        assert expected == len(reads.runs(**filters)["rows"])

    def test_pages_show_every_run_once(self, reads: ReadTable) -> None:
        """Following the cursor ends, and nothing is missing or twice."""
        seen, cursor, pages = [], None, 0
        while True:
            page = reads.runs(limit=5, cursor=cursor)
            seen += [row["run"] for row in page["rows"]]
            pages += 1
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert [f"run-{n:02}" for n in range(12)] == seen
        assert pages == 3

    def test_a_closed_run_is_told_from_an_unknown_one(self, reads: ReadTable) -> None:
        """Both are not found by the server; only the rows know."""
        assert [reads.closed(run) for run in ("run-00", "run-01", "none")] == [True, False, False]
        assert reads.find("none") is None

    def test_trail_and_outbox_come_in_pages(self, engine: Engine) -> None:
        """More entries than a page holds; a cursor goes on exactly there."""
        store = SqlRecordStore(engine)
        for n in range(1, 8):
            store.write(a_turn(n, notices=(a_notice(f"k{n}", at=at(n // 3)),)))
        reads = ReadTable(engine)

        first = reads.trail(RUN, limit=4)
        second = reads.trail(RUN, limit=4, cursor=first["next_cursor"])
        outbox = reads.outbox(limit=4)
        more = reads.outbox(RUN, limit=4, cursor=outbox["next_cursor"])

        assert list(range(1, 8)) == [row["n"] for row in first["rows"] + second["rows"]]
        assert [row["n"] for row in reads.trail(RUN, 5)["rows"]] == [5, 6, 7]
        assert [f"k{n}" for n in range(1, 8)] == [row["key"] for row in outbox["rows"] + more["rows"]]
        assert second["next_cursor"] is None
        assert more["next_cursor"] is None

    @pytest.mark.parametrize("cursor", ["", "-1", "x" * 40, "9" * 30, "²"])
    def test_a_made_up_cursor_is_refused(self, engine: Engine, cursor: str) -> None:
        """Not a page of something else, and no traceback of the driver."""
        with pytest.raises(CursorInvalid):
            ReadTable(engine).trail("x", cursor=cursor)
        with pytest.raises(CursorInvalid):
            ReadTable(engine).outbox(cursor=cursor)

    def test_people_are_reached_by_handle_and_can_be_forgotten(self, engine: Engine) -> None:
        """Addresses stand in one table, by run, and nowhere else."""
        directory = SqlDirectory(engine)
        dana = Contact(handle="dana", role="onboarding", address="dana@provider.example", language="de")
        directory.keep(RUN, [dana, Contact(handle="dana", role="lead")])
        directory.keep(RUN, [dana])

        assert directory.known(RUN, "dana") == {
            "roles": ["lead", "onboarding"], "mail": "dana@provider.example", "name": None, "zone": None, "language": "de",
        }  # fmt: skip
        assert directory.known("other", "dana") is None
        assert directory.forget(RUN) == 2
        assert directory.of(RUN) == ()


@pytest.mark.parametrize(
    ("place", "code", "kept"),
    [
        ("", "required", ""),
        ("/fields/iban", "wrong_form", "/fields/iban"),
        ("/files/0/name", "wrong_form", "/files/0/name"),
        ("/fields/zephyrine", "unknown_field", "/fields/*"),
        ("/call Mrs. Quill", "unknown_field", "/*"),
        ("/fields/call Mrs. Quill/[key]", "too_long", "/fields/*/*"),
    ],
)
def test_a_fault_is_kept_without_the_names_that_a_sender_made_up(store: Any, place: str, code: str, kept: str) -> None:
    """The table says what goes wrong how often, and no word of anybody."""
    fault = FaultRow(source="signal", item="", n=1, k=0, place=place, code=code, at=at(1))
    store.write(a_turn(1, faults=(fault,)))

    assert [row["place"] for row in others(store, RUN)["faults"]] == [kept]


def test_every_table_has_a_natural_key() -> None:
    """No made-up ids: the same row twice is the same row."""
    keys = {table.name: [column.name for column in table.primary_key] for table in ALL}

    assert keys == {
        "runs": ["run"],
        "stages": ["run", "stage", "visit"],
        "items": ["run", "item", "round"],
        "ledger": ["run", "n"],
        "milestones": ["run", "name"],
        "handoffs": ["run", "item", "n"],
        "promises": ["run", "n"],
        "faults": ["run", "source", "item", "n", "k"],
        "waiting": ["run", "kind", "about", "person"],
        "trail": ["run", "n"],
        "refused": ["run", "n"],
        "notices": ["key"],
        "people": ["run", "handle", "role"],
        "customer_keys": ["customer", "generation"],
        "erasures": ["run"],
        "hook_waits": ["key"],
        "events": ["run", "n"],
        "event_cursors": ["webhook", "run"],
    }


def until_alone(engine: Engine) -> None:
    """PostgreSQL hears a little later that a client is dead, and finishes or undoes what it was at."""
    if engine.dialect.name == "sqlite":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with reading(engine) as connection:
            if not connection.execute(others).scalar():
                return
        time.sleep(0.01)
    raise AssertionError("a dead writer is still at it")


def spawn(*words: str) -> Any:
    """A writing process; its output is a few bytes a turn and is read by the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.writer", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
