"""What an erasure does to rows, in each database: texts go, digests and numbers stay, and nothing comes back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from console.reconcile import inside
from onboarding.engine.chain import content_of, digest_of
from onboarding.engine.effects import WriteRecords
from onboarding.errors import RecordConflict
from onboarding.language.units import parse_duration
from onboarding.reading.seals import Sealer, verify
from runtime.masters import MasterFile
from storage import copying, desk
from storage.carrying import carry_over
from storage.chosen import Chosen
from storage.directory import Contact, SqlDirectory
from storage.engine import open_database, reading, writing
from storage.erasing import Erasures, compact
from storage.exporting import rows
from storage.keys import CustomerKeys, destroy
from storage.notices import SqlNoticeStore
from storage.records import SqlRecordStore
from storage.tables import ALL, ERASURES, NOTICES, PEOPLE, PROMISES, RUNS, TRAIL
from storage.whole_runs import tables_of
from tests.support.builders import Run, a_definition, a_run, an_order
from tests.support.known_runs import BEGIN
from tests.support.records import a_notice

NOW = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
TEXTS = ("Kanariennote", "Kanariengrund", "Kanarienende")


def a_told_run(version: int = 2, *, keep: str | None = "400d") -> Run:
    """A run in which a note was made, a date was promised with a reason, and which was cancelled with another."""
    definition = replace(a_definition(), keep_facts=parse_duration(keep) if keep else None)
    run = a_run(
        replace(an_order(definition, run=f"onboarding/acme/{definition.id}", customer="acme"), rules_version=version),
        BEGIN,
    )
    for name, content in (
        ("note", {"text": TEXTS[0]}),
        ("promise", {"due": "2031-01-01T00:00:00Z", "reason": TEXTS[1]}),
        ("cancel", {"reason": TEXTS[2]}),
    ):
        verdict = run.say(name, "olga", when=BEGIN + timedelta(hours=1), **content)
        assert not verdict.refused, verdict.sentence
    return run


def written(engine: Engine, run: Run) -> str:
    """The rows of a run, and somebody who can be reached; its name."""
    store = SqlRecordStore(engine)
    for n, batch in enumerate([effect for effect in run.effects if isinstance(effect, WriteRecords)], start=1):
        follows = f"b{n - 1}" if n > 1 else ""
        store.write(replace(batch, id=f"b{n}", follows=follows, chain="first", execution="first", decided_at=BEGIN))
    name = run.state.run
    SqlDirectory(engine).keep(name, [Contact(handle="customer:champion", role="champion", address="a@b.example")])
    SqlNoticeStore(engine).keep(a_notice(run=name, lines=(TEXTS[0],)))
    return name


def a_master_file(folder: Path) -> MasterFile:
    """A file with one master key."""
    masters = MasterFile(folder / "keys.json")
    masters.add()
    return masters


def everything(engine: Engine) -> str:
    """Every row of every table, as text."""
    with reading(engine) as connection:
        return "\n".join(str(row) for table in ALL for row in connection.execute(select(table)))


def erased(engine: Engine, run: str, **more: Any) -> dict[str, int]:
    """Erases the rows of a run."""
    return Erasures(engine).tombstone(run, "acme", **{"by": "dana", "cause": "asked", "at": NOW, **more})


@pytest.mark.parametrize("version", [1, 2])
def test_texts_go_and_the_trail_verifies(engine: Engine, version: int) -> None:
    """Of runs of this release and of earlier ones, which told the reason of a promise in full."""
    name = written(engine, a_told_run(version))
    before = tables_of(engine, name)
    assert before is not None
    assert all(text in everything(engine) for text in TEXTS)
    assert list(inside(before)) == []

    counts = erased(engine, name)
    after = tables_of(engine, name)

    assert after is not None
    assert [text for text in TEXTS if text in everything(engine)] == []
    assert (counts["people"], counts["notices"], counts["sentences"] >= 4) == (1, 1, True)
    assert list(inside(after)) == []
    assert [row["digest"] for row in after["trail"]] == [row["digest"] for row in before["trail"]]
    for table in ("runs", "items", "stages", "ledger", "milestones", "handoffs"):
        assert after[table] == before[table]
    export = [f"{line}\n".encode() for line in Sealer().lines(rows(engine, "trail", Chosen(runs=(name,))))]
    assert verify(export).flaws == []


@pytest.mark.parametrize("column", ["actor", "outcome", "code", "at", "said"])
def test_an_erased_entry_that_is_changed_is_found(engine: Engine, column: str) -> None:
    """Of a run of this release also the one whose reason went."""
    name = written(engine, a_told_run())
    erased(engine, name)
    with reading(engine) as connection:
        entries = connection.execute(select(TRAIL).where(TRAIL.c.run == name)).all()
    others = {"actor": "henk", "outcome": "rejected", "code": "other", "at": NOW, "said": "0" * 64}
    for entry in entries:
        with writing(engine) as connection:
            this = TRAIL.c.run == name, TRAIL.c.n == entry.n
            connection.execute(update(TRAIL).where(*this).values({column: others[column]}))
        tables = tables_of(engine, name)
        assert tables is not None
        assert [one for one in inside(tables) if one.where == f"trail/{entry.n}"], entry.message
        with writing(engine) as connection:
            connection.execute(update(TRAIL).where(*this).values({column: getattr(entry, column)}))


@pytest.mark.parametrize("changes", ["promise/9", "no mapping"])
def test_nobody_makes_an_entry_pass_by_saying_that_a_reason_was_erased(engine: Engine, changes: str) -> None:
    """Only runs of the first rules told reasons in full, and every other is begun with its name."""
    name = written(engine, a_told_run())
    erased(engine, name)
    lie = {changes: {"reason": {"erased": "0" * 64}} if changes == "promise/9" else 1}
    export = list(rows(engine, "trail", Chosen(runs=(name,))))
    for n, entry in enumerate(export):
        forged = [*export[:n], {**entry, "actor": "mallory", "said": "0" * 64, "changes": lie}, *export[n + 1 :]]
        found = verify(f"{line}\n".encode() for line in Sealer().lines(forged))
        assert [(flaw.n, flaw.code) for flaw in found.flaws][:1] == [(entry["n"], "changed")], entry["message"]


def test_a_sentence_that_is_gone_without_an_erasure_is_a_difference(engine: Engine) -> None:
    """The digest alone would not tell."""
    name = written(engine, a_told_run())
    erased(engine, name)
    with writing(engine) as connection:
        connection.execute(ERASURES.delete())
    tables = tables_of(engine, name)

    assert tables is not None
    assert {one.source for one in inside(tables)} >= {"erasures"}


def test_a_text_that_comes_back_into_an_erased_run_is_a_difference(engine: Engine) -> None:
    """By hand only: the store refuses it."""
    run = a_told_run()
    name = written(engine, run)
    erased(engine, name)
    last = [effect for effect in run.effects if isinstance(effect, WriteRecords)][-1]
    with pytest.raises(RecordConflict):
        SqlRecordStore(engine).write(replace(last, id="late", follows="b4", chain="first", whole=True, decided_at=NOW))
    with writing(engine) as connection:
        connection.execute(update(PROMISES).where(PROMISES.c.run == name, PROMISES.c.n == 1).values(reason="again"))
    tables = tables_of(engine, name)

    assert tables is not None
    assert [one.where for one in inside(tables) if one.source == "erasures"] == ["promises/1"]


def test_the_second_erasure_changes_nothing(engine: Engine) -> None:
    """Not even who did it and when."""
    name = written(engine, a_told_run())
    erased(engine, name)
    Erasures(engine).gone(name, 1, NOW)
    before = everything(engine)

    assert erased(engine, name, by="henk", at=NOW + timedelta(days=1)) == {"people": 0, "notices": 0, "sentences": 0}
    assert everything(engine) == before
    assert Erasures(engine).done([name]) == {name}


def test_a_run_that_was_terminated_waits_for_nobody_any_more(engine: Engine) -> None:
    """Its rows stood as if it went on."""
    run = a_told_run()
    while not isinstance(run.effects[-1], WriteRecords) or run.effects[-1].run.state == "closed":
        run.effects.pop()
    name = written(engine, run)
    before = tables_of(engine, name)
    erased(engine, name)
    after = tables_of(engine, name)

    assert before is not None
    assert after is not None
    assert (bool(before["waiting"]), after["waiting"], after["runs"][0]["state"]) == (True, [], "running")
    assert list(inside(after)) == []


def test_a_run_without_a_row_is_not_written_after_its_erasure(engine: Engine) -> None:
    """It was terminated before its first batch arrived."""
    run = a_told_run()
    erased(engine, run.state.run)

    with pytest.raises(RecordConflict):
        written(engine, run)
    with reading(engine) as connection:
        assert connection.execute(select(RUNS)).all() == []


def test_a_late_notice_of_an_erased_run_brings_no_word_back(engine: Engine) -> None:
    """An activity of a run that was terminated may still be on its way."""
    run = written(engine, a_told_run())
    erased(engine, run)

    assert SqlNoticeStore(engine).keep(a_notice("late", run=run, lines=(TEXTS[0],))) == ("withdrawn",)
    with reading(engine) as connection:
        assert "late" not in connection.execute(select(NOTICES.c.key)).scalars().all()


def test_nobody_writes_how_to_reach_people_of_an_erased_run(engine: Engine) -> None:
    """A start that was under way may keep them, or settle, only afterwards."""
    directory, somebody = SqlDirectory(engine), [Contact(handle="h", role="r", address="x@y.example")]
    erased(engine, "onboarding/acme/x")

    with pytest.raises(RecordConflict):
        directory.keep("onboarding/acme/x", somebody)
    directory.settle("onboarding/acme/x", somebody)
    assert directory.of("onboarding/acme/x") == ()


def test_people_who_were_written_after_an_erasure_go_with_the_next_one(engine: Engine) -> None:
    """By a release that did not ask whether there was one; they are counted, too."""
    name = written(engine, a_told_run())
    erased(engine, name)
    with writing(engine) as connection:
        late = {"run": name, "handle": "h", "role": "r", "address": "x@y.example"}
        connection.execute(PEOPLE.insert().values(late))

    assert erased(engine, name) == {"people": 1, "notices": 0, "sentences": 0}
    assert erased(engine, name) == {"people": 0, "notices": 0, "sentences": 0}
    assert SqlDirectory(engine).of(name) == ()
    with reading(engine) as connection:
        assert connection.execute(select(ERASURES.c.people, ERASURES.c.notices)).one() == (2, 1)


def test_why_a_notice_was_dropped_is_erased_too(engine: Engine) -> None:
    """A person wrote it, so anything may stand in it."""
    run = written(engine, a_told_run())
    SqlNoticeStore(engine).keep(a_notice("dropped", run=run))
    desk.drop(engine, ["dropped"], TEXTS[0], datetime.now(UTC))
    erased(engine, run)

    shown = desk.show(engine, "dropped")
    assert shown is not None
    assert (shown["reason"], shown["state"]) == (None, "withdrawn")


def test_an_erasure_waits_for_a_batch_that_is_on_its_way(
    engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed a moment later would stay for ever."""
    run = a_told_run()
    inside_it, go_on = threading.Event(), threading.Event()

    def pause(point: str) -> None:
        if point == "rec.mid_tx":
            inside_it.set()
            go_on.wait(10)

    monkeypatch.setattr("storage.records.reached", pause)
    (batch, *_) = [effect for effect in run.effects if isinstance(effect, WriteRecords)]
    late = replace(batch, id="b1", follows="", chain="first", execution="first", decided_at=BEGIN)
    other = open_database(url)
    with ThreadPoolExecutor(2) as pool:
        writes = pool.submit(SqlRecordStore(engine).write, late)
        assert inside_it.wait(10)
        erases = pool.submit(erased, other, run.state.run)
        early = wait([erases], timeout=0.5).done
        go_on.set()
        assert (not early, writes.result(10), erases.result(10)["sentences"] > 0) == (True, "b1", True)
    with reading(other) as connection:
        assert set(connection.execute(select(TRAIL.c.sentence)).scalars()) == {""}
    other.dispose()


def test_nobody_else_loses_a_word(engine: Engine) -> None:
    """Another run of the same customer among them."""
    name = written(engine, a_told_run())
    SqlDirectory(engine).keep("onboarding/beta/x", [Contact(handle="h", role="r", address="x@y.example")])
    SqlNoticeStore(engine).keep(a_notice("other", run="onboarding/beta/x"))
    erased(engine, name)

    with reading(engine) as connection:
        notices = dict(connection.execute(select(NOTICES.c.run, NOTICES.c.state)).all())  # type: ignore[arg-type]
        assert connection.execute(select(PEOPLE.c.run)).scalars().all() == ["onboarding/beta/x"]
    assert notices == {name: "withdrawn", "onboarding/beta/x": "pending"}


def test_a_run_is_due_when_its_definition_says_so(engine: Engine) -> None:
    """Counted from its end; an open run and one that is kept for ever are not, and what is done is not again."""
    name = written(engine, a_told_run())
    with reading(engine) as connection:
        closed_at, forget_at = connection.execute(select(RUNS.c.closed_at, RUNS.c.forget_at)).one()
    erasures = Erasures(engine)

    assert forget_at - closed_at == timedelta(days=400)
    assert erasures.due(forget_at - timedelta(seconds=1)) == ()
    assert [one.run for one in erasures.due(forget_at)] == [name]
    erased(engine, name)
    assert [one.run for one in erasures.due(forget_at)] == [name]  # its history is still there
    erasures.gone(name, 1, NOW)
    assert erasures.due(forget_at) == ()


def test_without_a_word_in_the_definition_nothing_is_ever_due() -> None:
    """And while a run is open there is no such date."""
    run = a_told_run(keep=None)
    batches = [effect for effect in run.effects if isinstance(effect, WriteRecords)]
    kept = [effect for effect in a_told_run().effects if isinstance(effect, WriteRecords)]

    assert [batch.run.forget_at for batch in batches] == [None] * len(batches)
    assert [batch.run.forget_at is None for batch in kept] == [True] * (len(kept) - 1) + [False]


def test_a_new_run_tells_a_reason_by_its_digest() -> None:
    """An earlier one in full, so that its digests stay what they were."""
    for version, told in ((1, True), (2, False)):
        trail = a_told_run(version).state.trail
        assert (TEXTS[1] in str([entry.changes for entry in trail])) is told
        before = trail[0].digest
        for entry in trail[1:]:
            assert entry.digest == digest_of(before, content_of(entry))
            before = entry.digest


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Engine, Path, Path]]:
    """A database in use, its file, and a copy of an earlier day, made by each test."""
    engine = open_database(f"sqlite:///{tmp_path / 'live.sqlite'}")
    yield engine, tmp_path / "live.sqlite", tmp_path / "part.sqlite"
    engine.dispose()


def test_no_page_of_a_file_holds_what_was_erased(two: tuple[Engine, Path, Path]) -> None:
    """Nor the log beside it."""
    engine, live, _ = two
    name = written(engine, a_told_run())
    erased(engine, name)

    assert compact(engine)
    content = b"".join(path.read_bytes() for path in live.parent.glob("live.sqlite*"))
    assert [text for text in TEXTS if text.encode() in content] == []


def test_keys_outlive_a_restore_and_who_was_erased_is_named(two: tuple[Engine, Path, Path], tmp_path: Path) -> None:
    """One that was made since, one that was destroyed since, and one that both know."""
    engine, live, part = two
    name = written(engine, a_told_run())
    masters = a_master_file(tmp_path)
    keys = CustomerKeys(engine, masters)
    old, gone = keys.active("beta"), keys.active("acme")
    copying.copy(engine, part)
    young = keys.active("gamma")
    destroy(engine, "acme")
    erased(engine, name)

    assert carry_over(live, part) == ("acme",)
    restored = open_database(f"sqlite:///{part}")
    found = CustomerKeys(restored, masters)
    assert found.find(old.id, "beta") == old
    assert found.find(young.id, "gamma") == young
    assert found.find(gone.id, "acme") is None
    restored.dispose()
    assert carry_over(live, part) == ("acme",)


def test_a_new_database_takes_no_key_from_a_copy(two: tuple[Engine, Path, Path], tmp_path: Path) -> None:
    """Somebody lost the file and a worker began another one: both keys of a customer open what they have closed."""
    engine, live, part = two
    masters = a_master_file(tmp_path)
    old = CustomerKeys(engine, masters).active("beta")
    copying.copy(engine, part)
    engine.dispose()
    live.unlink()
    another = open_database(f"sqlite:///{live}")
    new = CustomerKeys(another, masters).active("beta")
    another.dispose()

    assert carry_over(live, part) == ()
    restored = open_database(f"sqlite:///{part}")
    found = CustomerKeys(restored, masters)
    assert (found.find(old.id, "beta"), found.find(new.id, "beta")) == (old, new)
    assert found.active("beta") == new
    restored.dispose()


@pytest.mark.parametrize("damage", ["DELETE FROM runs", "UPDATE alembic_version SET version_num = '0004'"])
def test_keys_are_taken_from_whatever_still_tells_them(
    two: tuple[Engine, Path, Path], tmp_path: Path, damage: str
) -> None:
    """A database is restored because it is damaged: that is no reason to lose the keys that stand in it whole."""
    engine, live, _ = two
    masters, part = a_master_file(tmp_path), tmp_path / "part.sqlite"
    written(engine, a_told_run())
    copying.copy(engine, part)
    key = CustomerKeys(engine, masters).active("younger")
    engine.dispose()
    with closing(sqlite3.connect(live)) as rows_of_live:
        rows_of_live.execute(damage)
        rows_of_live.commit()

    assert copying.unfit(live, any_release=False) is not None
    assert carry_over(live, part) == ()
    with copying.opened(part) as restored:
        assert CustomerKeys(restored, masters).find(key.id, "younger") == key


def test_nobody_knows_what_a_lost_database_held(tmp_path: Path) -> None:
    """`None`, which is not nothing."""
    (tmp_path / "text").write_text("no database")

    assert carry_over(tmp_path / "none.sqlite", tmp_path / "part.sqlite") is None
    assert carry_over(tmp_path / "text", tmp_path / "part.sqlite") is None
