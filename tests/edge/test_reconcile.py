"""Rows and what they follow from: a run that was left alone agrees with itself, and whatever somebody changes is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from console.reconcile import inside, is_older
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from onboarding.reading.rebuilding import Difference, from_definition, rebuild
from storage.engine import open_database, reading, writing
from storage.exporting import TABLES, columns_of
from storage.records import SqlRecordStore
from storage.whole_runs import RowUnreadable, names, tables_of
from tests.edge.test_chain import Shell, ghost_of
from tests.support.chains import chained_turns
from tests.support.records import RUN
from tests.support.simulation import Simulation, order_of, random_definition

BY_THE_RUN_ITSELF = {
    "runs": {
        "segment", "wave", "health", "stage", "owner", "waiting_on", "waiting_since", "due_at", "metrics", "longest_silence", "on_time",
        "forecast_at", "forecast_late_at", "forecast_runs", "forecast_item",
    },
    "trail": {"sentence"},
    "refused": {"at", "via", "name", "message_id", "code", "sentence", "item"},
    "faults": {"source", "item", "n", "k", "place", "code", "at"},
}  # fmt: skip
"""Columns that no trail tells of and nothing in the rows adds up to: what stands now, and words beside the record."""
ELSEWHERE = ("notices", "events", "event_cursors", "erasures")
"""Tables that are no record of what a run has done."""


def played(engine: Engine, seed: int, steps: int) -> tuple[Plan, Simulation]:
    """A run by chance, turn by turn, in the database."""
    rng = Random(seed)
    plan = Plan(order_of(random_definition(rng)))
    simulation = Simulation(plan, rng, restores=0)
    shell = Shell(SqlRecordStore(engine), plan)
    shell.write(simulation.decisions[0])
    for _ in range(steps):
        shell.write(simulation.step())
        if simulation.state.status is RunStatus.CLOSED:
            break
    return plan, simulation


def found(engine: Engine, plan: Plan, run: str) -> list[Difference]:
    """Everything that differs, from the rows and the definition alone."""
    try:
        tables = tables_of(engine, run)
    except RowUnreadable as no:
        return [Difference(where=no.table, column="", source="rows", row=None, expected=None)]
    assert tables is not None
    return [*inside(tables), *from_definition(plan, tables)]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_was_left_alone_agrees_with_itself(seed: int, engine: Engine) -> None:
    """At the end of eighty turns, and at a few places on the way."""
    rng = Random(seed)
    plan = Plan(order_of(random_definition(rng)))
    simulation = Simulation(plan, rng, restores=0)
    shell = Shell(SqlRecordStore(engine), plan)
    shell.write(simulation.decisions[0])
    for n in range(80):
        if n % 20 == 0:
            assert found(engine, plan, simulation.state.run) == []
        shell.write(simulation.step())
        if simulation.state.status is RunStatus.CLOSED:
            break

    assert found(engine, plan, simulation.state.run) == []


@pytest.mark.parametrize("seed", range(8))
def test_turns_that_were_lost_leave_no_difference(seed: int, engine: Engine) -> None:
    """Workers die after they have written what never became history; what is written in its place is the record."""
    rng = Random(seed)
    plan = Plan(order_of(random_definition(rng)))
    simulation = Simulation(plan, rng, restores=0)
    shell = Shell(SqlRecordStore(engine), plan)
    shell.write(simulation.decisions[0])
    for n in range(60):
        if rng.random() < 0.25:
            ghost, dying = ghost_of(simulation, seed * 1_000 + n), shell.lost()
            for _ in range(rng.randint(1, 3)):
                dying.write(ghost.step(), f"lost-{n}-")
        decision = simulation.step()
        shell.write(decision)
        if decision.effects:
            assert found(engine, plan, simulation.state.run) == [], n
        if simulation.state.status is RunStatus.CLOSED:
            break


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Plan, str]]:
    """A run that has a row in every table."""
    folder = tmp_path_factory.mktemp("full")
    for seed in range(400):
        engine = open_database(f"sqlite:///{folder / f'{seed}.sqlite'}")
        plan, simulation = played(engine, seed, 80)
        tables = tables_of(engine, simulation.state.run)
        assert tables is not None
        if all(tables[name] for name in TABLES if name not in ELSEWHERE):
            yield engine, plan, simulation.state.run
            engine.dispose()
            return
        engine.dispose()
    raise AssertionError("no seed gives a run with a row in every table")


COLUMNS = [
    (table, column)
    for table in TABLES
    if table not in ELSEWHERE
    for column in columns_of(table)
    if column != "run" and column not in BY_THE_RUN_ITSELF.get(table, ())
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_any_column_of_any_row_that_is_changed_is_named(
    full: tuple[Engine, Plan, str], table: str, column: str
) -> None:
    """By its table and its name; of a key the row is missing and another one is too many."""
    engine, plan, run = full
    target = TABLES[table]
    keys = [key for key in target.primary_key if key.name != "run"]
    named = "counted_from" if column == "signed_at" else column
    for row in _rows(engine, table, run)[:3]:
        this = [target.c.run == run, *(key == row[key.name] for key in keys)]
        with writing(engine) as connection:
            connection.execute(
                update(target).where(*this).values({column: _other(row[column], columns_of(table)[column])})
            )
        told = found(engine, plan, run)
        now = [key == (_other(row[column], "") if key.name == column else row[key.name]) for key in keys]
        with writing(engine) as connection:
            changed = now if column in {key.name for key in keys} else this[1:]
            restored = connection.execute(
                update(target).where(target.c.run == run, *changed).values({column: row[column]})
            )
            assert restored.rowcount == 1
        assert any(one.where.startswith(table) and one.column in ("", named, "digest") for one in told), (
            row[column],
            told,
        )
        assert found(engine, plan, run) == []


def _rows(engine: Engine, table: str, run: str) -> list[Any]:
    target = TABLES[table]
    with reading(engine) as connection:
        return list(
            connection.execute(select(target).where(target.c.run == run).order_by(*target.primary_key)).mappings()
        )


def _other(value: Any, kind: str) -> Any:
    """Another value that the column can hold."""
    match value:
        case None if kind == "instant":
            return datetime(2020, 1, 1, tzinfo=UTC)
        case None if kind == "truth":
            return True
        case None if kind == "number":
            return 12_345
        case None:
            return "x"
        case bool():
            return not value
        case int():
            return value + 1_000
        case str():
            return f"{value}x"
        case datetime():
            return value + timedelta(seconds=77)
        case dict() if value and all(isinstance(one, datetime) for one in value.values()):
            return {**value, "x": datetime(2020, 1, 1, tzinfo=UTC)}
        case dict():
            return {**value, "run": {"state": "closed"}, "x": {}}
    return (*value, "x")


@pytest.mark.parametrize(
    "table", ["trail", "ledger", "items", "stages", "milestones", "handoffs", "promises", "refused"]
)
def test_a_row_that_is_gone_and_one_that_is_too_many_are_named(full: tuple[Engine, Plan, str], table: str) -> None:
    """Each of them; what is no end of a list by its key."""
    engine, plan, run = full
    target = TABLES[table]
    keys = [key for key in target.primary_key if key.name != "run"]
    for row in _rows(engine, table, run):
        this = [target.c.run == run, *(key == row[key.name] for key in keys)]
        with writing(engine) as connection:
            connection.execute(delete(target).where(*this))
        gone = found(engine, plan, run)
        more = {**row, **{key.name: _other(row[key.name], "") for key in keys}}
        with writing(engine) as connection:
            connection.execute(insert(target).values([dict(row), more]))
        added = found(engine, plan, run)
        with writing(engine) as connection:
            connection.execute(delete(target).where(target.c.run == run, *(key == more[key.name] for key in keys)))

        # The last entry of a trail or list is missed by what it has told of; only the run itself knows of one that told of nothing.
        assert gone if table in ("trail", "refused") else any(one.where.startswith(table) for one in gone), row
        assert any(one.where.startswith(table) for one in added), more
    assert found(engine, plan, run) == []


@pytest.mark.parametrize("text", ["never", "[]", "{", "null", '"x"', "[1]", '{"run": 5}'])
def test_what_no_column_can_hold_is_named_and_disturbs_nobody(full: tuple[Engine, Plan, str], text: str) -> None:
    """Somebody wrote it past us."""
    engine, plan, run = full
    (row, *_) = _rows(engine, "trail", run)
    for table, column in (("runs", "started_at"), ("runs", "milestones"), ("trail", "changes"), ("items", "blocks")):
        with engine.connect() as connection:
            raw = connection.exec_driver_sql(f"select rowid, {column} from {table} where run = ? limit 1", (run,)).one()
            connection.exec_driver_sql(f"update {table} set {column} = ? where rowid = ?", (text, raw[0]))
            connection.commit()
        told = found(engine, plan, run)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"update {table} set {column} = ? where rowid = ?", (raw[1], raw[0]))
            connection.commit()

        assert told or raw[1] == text, (table, column)
    assert found(engine, plan, run) == []
    assert row["n"] == 1


def test_a_milestone_that_is_reached_no_more_is_in_no_record() -> None:
    """The last word counts, for every column by itself."""
    told = [
        {"milestone/m": {"at": "2026-11-02T08:00:00Z", "seconds": 5}, "item/a/1": {"status": "open", "steps": 1}},
        {"milestone/m": {"at": None, "seconds": None}, "item/a/1": {"status": "done"}},
        {"milestone/o": {"at": "2026-11-02T08:00:00Z", "seconds": 5}},
    ]

    assert rebuild(told) == {
        "item/a/1": {"status": "done", "steps": 1},
        "milestone/o": {"at": "2026-11-02T08:00:00Z", "seconds": 5},
    }


def test_a_run_of_an_older_release_is_judged_by_what_it_has(engine: Engine) -> None:
    """Its trail tells of no changes, so there is nothing to rebuild it from; its chain and its ledger are looked at."""
    store = SqlRecordStore(engine)
    for turn in chained_turns(3):
        store.write(turn)
    tables = tables_of(engine, RUN)
    assert tables is not None
    with writing(engine) as connection:
        connection.execute(update(TABLES["ledger"]).where(TABLES["ledger"].c.n == 2).values(seconds=7_200))
    broken = tables_of(engine, RUN)
    assert broken is not None

    assert is_older(tables)
    assert list(inside(tables)) == []
    assert [(one.where, one.source) for one in inside(broken)] == [("ledger/2", "ledger")]


def test_runs_that_closed_long_ago_are_left_out(full: tuple[Engine, Plan, str]) -> None:
    """Open ones never are."""
    engine, _, run = full
    (row,) = _rows(engine, "runs", run)
    later = datetime(2100, 1, 1, tzinfo=UTC)

    assert list(names(engine, None)) == list(names(engine, row["started_at"])) == [run]
    assert list(names(engine, later)) == ([] if row["closed_at"] else [run])
