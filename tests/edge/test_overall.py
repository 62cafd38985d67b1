"""Reports over many runs: known figures, a thousand runs by chance counted twice, and runs that were recorded twice or half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from metrics.overall import report
from onboarding.engine.effects import WriteRecords
from onboarding.engine.plan import Plan
from onboarding.engine.state import RunStatus
from storage.chosen import Chosen
from storage.engine import open_database
from storage.records import SqlRecordStore
from storage.reporting import Reporting
from tests.edge.test_chain import Shell, ghost_of
from tests.support.known_runs import NOW, known_batches
from tests.support.records import a_run, a_stage, at
from tests.support.recount import Told, recount
from tests.support.simulation import BEGIN, Simulation, order_of, random_definition
from tests.support.stores import SqlStore

HOUR = 3_600
RUNS = 1_000
STEPS = 30
LATER = BEGIN + timedelta(days=40)


def found(
    engine: Engine, by: Sequence[str] = ("definition",), now: datetime = NOW, **chosen: Any
) -> list[dict[str, Any]]:
    """The report over the rows of a database."""
    groups, stages = Reporting(engine).read(by, Chosen(**chosen), now)
    return report(groups, stages, now)


@pytest.fixture
def known(engine: Engine) -> Engine:
    """The known runs, written turn by turn."""
    store = SqlRecordStore(engine)
    for batch in known_batches():
        assert store.write(batch) == batch.id
    return engine


def hours(spread: dict[str, Any]) -> list[float | None]:
    """Median, p80 and p90 in hours."""
    return [None if spread[name] is None else spread[name] / HOUR for name in ("median", "p80", "p90")]


def test_the_known_runs_have_the_known_numbers(known: Engine) -> None:
    """Setup of 1, 2, 2, 3, 5, 8 and 13 hours, two open runs, a lost and a cancelled one: worked out by hand."""
    (line,) = found(known)
    metrics, rates = line["metrics"], line["rates"]

    assert (line["runs"], line["open"], line["outcomes"]) == (11, 2, {"live": 7, "lost": 1, "cancelled": 1})
    # Signed an hour before the start, an hour of intake, an hour until the first use: setup and three hours; f lost one more.
    assert (metrics["time_to_first_value"]["n"], hours(metrics["time_to_first_value"])) == (7, [6, 11.2, 13.6])
    assert metrics["time_to_live"] == metrics["time_to_first_value"]
    # 0.5, 3, 4, 4, 5, 5, 7, 11 and 15 hours from start to close.
    assert (metrics["elapsed"]["n"], hours(metrics["elapsed"])) == (9, pytest.approx([5, 8.6, 11.8]))
    assert metrics["hold_seconds"] == {"n": 9, "median": 0, "p80": 0, "p90": 0.2 * 2 * HOUR}
    assert "own.time_to_first_value" not in metrics
    # The ones that wait have waited longer than most, so that the middle one of all needs 8 hours and not 6.
    waits = {"n": 11, "reached": 7, "open": 2, "ended": 2, "median": 8 * HOUR, "p80": None, "p90": None}
    assert line["with_open"] == {"time_to_first_value": waits, "time_to_live": waits}
    counts = {name: (told["runs"], told["n"], told["count"]) for name, told in rates.items()}
    assert counts == {
        "on_time": (11, 11, 5),  # a to e; f and g were late, h and i are, j and k closed without
        "went_live": (9, 9, 7),
        "escalated": (9, 9, 5),  # the promised date of f and g, and the two hours for setup of d, e and j
        "customer_on_time": (10, 11, 10),  # h twice; i is overdue, k was never due
        "first_pass": (9, 9, 8),  # not h
    }
    assert line["sides"]["hold"] == 2 * HOUR
    assert line["sides"]["elapsed"] == sum(
        line["sides"][side] for side in ("customer", "provider", "third_party", "hold", "off_hours")
    )
    assert line["sides"]["elapsed"] == 54.5 * HOUR
    assert line["owners"] == {"n": 1, "median": 11, "p80": 11, "p90": 11}


def test_the_known_stages_have_the_known_numbers(known: Engine) -> None:
    """Who came, who went on, who is there, who ended there; planned against actual."""
    intake, setup, live = found(known)[0]["stages"]

    counts = [
        [stage[name] for name in ("entered", "left", "open", "lost", "cancelled")] for stage in (intake, setup, live)
    ]
    assert counts == [[11, 9, 1, 0, 1], [9, 7, 1, 1, 0], [7, 7, 0, 0, 0]]
    assert (setup["actual"]["n"], hours(setup["actual"])) == (7, [3, 7.4, 10])
    # The hold has moved the target of e by its two hours.
    assert (setup["planned"]["n"], hours(setup["planned"])) == (7, [4, 4, 4.8])
    # f, g and h have missed it; j went away in the very moment.
    assert setup["within_target"] == {"runs": 8, "n": 8, "count": 5, "rate": 0.625}
    reached = {"n": 9, "reached": 7, "open": 1, "ended": 1}
    assert setup["with_open"] == {**reached, "median": 5 * HOUR, "p80": 13 * HOUR, "p90": None}
    # f was in the last stage while it was in setup again.
    assert hours(live["actual"]) == [1, 1, 3.4]
    assert live["within_target"]["rate"] is None


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        (("version",), [({"version": 1}, 9, 2), ({"version": 2}, 2, 0)]),
        (("segment",), [({"segment": "large"}, 3, 0), ({"segment": "small"}, 8, 2)]),
        (("definition", "month"), [({"definition": "known", "month": "2026-11"}, 11, 2)]),
        (("wave", "variant", "owner"), [({"wave": "", "variant": "", "owner": "olga"}, 11, 2)]),
        (("segment", "version"), [
            ({"segment": "large", "version": 1}, 2, 0), ({"segment": "large", "version": 2}, 1, 0),
            ({"segment": "small", "version": 1}, 7, 2), ({"segment": "small", "version": 2}, 1, 0),
        ]),
    ],
)  # fmt: skip
def test_a_report_is_made_by_what_runs_have_in_common(known: Engine, by: tuple[str, ...], lines: list[Any]) -> None:
    """A line for each combination that occurs, each with its own stages; together they are all runs."""
    told = found(known, by)

    assert [(line["by"], line["runs"], line["open"]) for line in told] == lines
    assert all(line["stages"][0]["entered"] == line["runs"] for line in told)


def test_a_period_begins_at_its_first_instant_and_ends_before_its_last(known: Engine) -> None:
    """All were signed at 08:00, though they start at 09:00."""
    signed = datetime.fromisoformat("2026-11-30T08:00:00Z")
    second = timedelta(seconds=1)

    assert [line["runs"] for line in found(known, since=signed)] == [11]
    assert found(known, since=signed + second) == []
    assert found(known, until=signed) == []
    assert [line["runs"] for line in found(known, since=signed, until=signed + second)] == [11]
    assert [line["runs"] for line in found(known, owner=("olga", "dana"), definition=("known",))] == [11]
    assert found(known, owner=("dana",)) == []


def test_what_a_definition_counts_otherwise_stands_beside(engine: Engine) -> None:
    """A metric with the name of a number is told once where it says the same; an open run has the name and no value."""
    store = SqlRecordStore(engine)
    for n, own in enumerate((7, 8, None)):
        changes = {"state": "closed", "closed_at": at(9)} if own else {}
        times = {"time_to_live": 7 + n, "time_to_first_value": 7} if own else {}
        metrics = {"time_to_live": own, "time_to_first_value": own and 5, "wait": own}
        run = a_run(f"r{n}", metrics=metrics, **changes, **times)
        assert store.write(WriteRecords(run=run, stages=(a_stage(),), id="b")) == "b"

    metrics = found(engine)[0]["metrics"]

    assert metrics["time_to_live"] == {"n": 2, "median": 7.5, "p80": 7.8, "p90": 7.9}
    assert "own.time_to_live" not in metrics
    assert (metrics["time_to_first_value"]["median"], metrics["own.time_to_first_value"]["median"]) == (7, 5)
    assert metrics["wait"]["n"] == 2


def test_a_report_of_nothing_has_no_lines(engine: Engine) -> None:
    """A new installation is no error."""
    assert found(engine) == []
    assert Reporting(engine).count() == 0
    assert Reporting(engine).known("owner") == ()


class Played:
    """A run by chance, played for a while or to its end."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        named = {
            "id": rng.choice(("chance", "other")),
            "version": rng.randint(1, 3),
            "variant": rng.choice(("", "smb")),
        }
        definition = replace(random_definition(rng), **named)
        order = order_of(definition, legacy=rng.random() < 0.5)
        signed = {"signed_at": (BEGIN - timedelta(days=rng.randint(0, 60))).isoformat()} if rng.random() < 0.7 else {}
        inputs = {**order.inputs, **signed, "segment": rng.choice(("smb", "large")), "wave": rng.choice(("", "w1"))}
        self.plan = Plan(replace(order, run=f"onboarding/c-{seed}/{definition.id}", inputs=inputs))
        self.simulation = Simulation(self.plan, rng, restores=0)
        for _ in range(rng.randint(1, STEPS)):
            self.simulation.step()
        if rng.random() < 0.6:
            self.simulation.finish(60)
        self.told = Told(self.plan, self.simulation.decisions)

    def batch(self) -> WriteRecords:
        """All rows of all turns at once, the last one of each key."""
        rows: dict[tuple[str, Any], dict[Any, Any]] = {}
        last = None
        for decision in self.simulation.decisions:
            for effect in decision.effects:
                if isinstance(effect, WriteRecords):
                    last = effect
                    for name, key in (("items", "item round"), ("stages", "stage visit"), ("ledger", "n")):
                        kept = rows.setdefault((name, key), {})
                        kept.update(
                            {tuple(getattr(row, one) for one in key.split()): row for row in getattr(effect, name)}
                        )
        assert last is not None
        return WriteRecords(run=last.run, **{name: tuple(kept.values()) for (name, _), kept in rows.items()}, id="all")


@pytest.fixture(scope="module")
def played() -> list[Played]:
    """A thousand runs by chance."""
    return [Played(seed) for seed in range(RUNS)]


BY = {
    ("definition",): lambda run: {"definition": run.definition.id},
    ("version", "variant"): lambda run: {"version": run.definition.version, "variant": run.definition.variant},
    ("month", "segment"): lambda run: {"month": f"{run.signed:%Y-%m}", "segment": run.plan.order.inputs["segment"]},
    ("wave",): lambda run: {"wave": run.plan.order.inputs["wave"]},
}  # fmt: skip


@pytest.mark.slow
def test_a_thousand_runs_have_the_same_numbers_counted_twice(played: list[Played], engine: Engine) -> None:
    """From rows by the report, and from what was decided by code that knows neither rows nor report."""
    store = SqlRecordStore(engine)
    for run in played:
        assert store.write(run.batch()) == "all"

    for by, of in BY.items():
        report_, again = found(engine, by, LATER), recount([run.told for run in played], of, LATER)
        assert len(report_) > 1
        for line, expected in zip(report_, again, strict=True):
            _compare(line, expected, str(line["by"]))
    since, until, told = BEGIN - timedelta(days=40), BEGIN - timedelta(days=5), [run.told for run in played]
    some = [run for run in told if since <= run.signed < until and run.owner in ("olga", "henk")]
    part = found(engine, ("variant",), LATER, since=since, until=until, owner=("olga", "henk"))
    _compare(part, recount(some, lambda run: {"variant": run.definition.variant}, LATER), "some")
    assert 0 < sum(line["runs"] for line in part) < RUNS
    states = [run.told.state for run in played]
    assert sum(state.outcome == "live" for state in states) > 100
    assert sum(state.status is not RunStatus.CLOSED for state in states) > 100
    assert sum(any(stage.visit > 1 for stage in state.stages.values()) for state in states) > 10
    assert len({run.told.owner for run in played}) > 2


def _compare(line: Any, expected: Any, place: str) -> None:
    """Number by number, so that a difference says where it is."""
    if isinstance(expected, dict):
        assert set(line) == set(expected), place
        for name, value in expected.items():
            _compare(line[name], value, f"{place} {name}")
    elif isinstance(expected, list):
        assert len(line) == len(expected), place
        for n, value in enumerate(expected):
            _compare(line[n], value, f"{place} {n}")
    elif isinstance(expected, float):
        assert line == pytest.approx(expected, rel=1e-9, abs=0.006), place
    else:
        assert line == expected, place


@pytest.mark.parametrize("seeds", [range(8), range(8, 16)])
def test_turns_that_were_recorded_twice_or_lost_change_no_number(seeds: range, tmp_path: Path) -> None:
    """One database gets every turn once; the other gets some twice, and some from workers that died and whose turns went otherwise."""
    plain, disturbed = (open_database(f"sqlite:///{tmp_path / name}.sqlite") for name in ("plain", "disturbed"))
    for seed in seeds:
        _write_to_both(seed, plain, disturbed)

    assert found(plain, ("version",), LATER) == found(disturbed, ("version",), LATER) != []
    plain.dispose()
    disturbed.dispose()


def _write_to_both(seed: int, plain: Engine, disturbed: Engine) -> None:
    rng = Random(seed)
    definition = replace(random_definition(rng), version=seed % 3)
    plan = Plan(replace(order_of(definition), run=f"onboarding/c-{seed}/chance"))
    simulation = Simulation(plan, rng, restores=0)
    once, often = Shell(SqlStore(plain), plan), Shell(SqlStore(disturbed), plan)
    for shell in (once, often):
        shell.write(simulation.decisions[0])
    for n in range(25):
        if rng.random() < 0.3:
            ghost, dying = ghost_of(simulation, seed * 1_000 + n), often.lost()
            dying.write(ghost.step(), f"lost-{n}-")
        decision = simulation.step()
        twice = often.lost()
        for shell in (once, often):
            shell.write(decision)
        if rng.random() < 0.3:
            twice.write(decision)
        if simulation.state.status is RunStatus.CLOSED:
            return
