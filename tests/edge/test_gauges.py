"""Numbers for dashboards: what is counted, how it is called, and that nothing else ever leaves with it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert
from temporalio.common import MetricMeter

from metrics.gauges import GAUGES, MOST, OTHER, Reading, readings, stuck, vanished
from onboarding.engine.effects import WaitingRow, WriteRecords
from onboarding.percentile import percentile
from onboarding.reading.watching import Kind
from runtime.gauging import Gauges
from runtime.settings import ROOT
from storage.census import census
from storage.engine import writing
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from storage.rows import values_of
from storage.tables import RUNS
from tests.support.records import a_run, at

NOW = at(24 * 30)


def waits(item: str, **changes: Any) -> WaitingRow:
    """An item that the customer's champion has."""
    values: dict[str, Any] = {
        "kind": "item", "about": item, "person": "customer:champion", "stage": "intake", "item": item, "round": 1, "role": "champion",
        "first": True, "title": "Details", "status": "open", "side": "customer", "since": at(0), "due_at": at(24), "waits_for": "An answer.",
        "stands_for": None, "mark": None, "blocks": (),
    }  # fmt: skip
    return WaitingRow(**{**values, **changes})


def ended(run: str, days: float, **changes: Any) -> WriteRecords:
    """A run that went live so many days after it was signed."""
    values: dict[str, Any] = {
        "state": "closed", "outcome": "live", "closed_at": at(24 * 20), "first_value_at": at(24 * 20), "live_at": at(24 * 20),
        "time_to_first_value": int(days * 86_400), "time_to_live": int(days * 86_400), "on_time": True, "owed_at": at(24 * 21),
        "customer_seconds": 100, "provider_seconds": 50, "customer_due": 4, "customer_on_time": 3,
    }  # fmt: skip
    return WriteRecords(run=a_run(run, **{**values, **changes}), id=run)


def told(engine: Engine, now: datetime = NOW) -> dict[tuple[Any, ...], Any]:
    """Every value by name and labels."""
    return {
        (one.name.removeprefix("onboarding_"), *one.labels.values()): one.value
        for one in readings(census(engine, now), now)
    }


def test_open_runs_are_counted_by_where_they_are_and_how_they_do(engine: Engine) -> None:
    """What has closed is in none of it."""
    store = SqlRecordStore(engine)
    store.write(
        WriteRecords(
            run=a_run("a"), waiting=(waits("x"), waits("x", person="other", first=False), waits("y", due_at=None))
        )
    )
    store.write(
        WriteRecords(
            run=a_run("b", health="stalled", waiting_on="provider", waiting_since=at(24)),
            waiting=(waits("x", side="provider"),),
        )
    )
    store.write(
        WriteRecords(
            run=a_run(
                "c", stage="setup", promised_at=at(1), definition="b2b-standard", state="on_hold", health="on_hold"
            )
        )
    )
    store.write(ended("d", 3))
    found = told(engine)

    assert found["open_runs", "quick-start", "intake"] == 2
    assert found["open_runs", "b2b-standard", "setup"] == 1
    assert found["runs_by_health", "quick-start", "stalled"] == 1
    assert found["runs_waiting", "quick-start", "provider"] == 1
    assert found["oldest_wait_seconds", "quick-start", "customer"] == 30 * 86_400
    assert found["oldest_wait_seconds", "quick-start", "provider"] == 29 * 86_400
    assert (found["runs_at_risk", "quick-start"], found["runs_at_risk", "b2b-standard"]) == (1, 1)
    assert (found["overdue_items", "quick-start", "customer"], found["overdue_items", "quick-start", "provider"]) == (
        1,
        1,
    )
    assert sum(value for key, value in found.items() if key[0] == "open_runs") == 3


def test_a_dashboard_and_a_list_mean_the_same(engine: Engine) -> None:
    """Each of these runs is at risk in both or in neither, and so with what is overdue."""
    states = ("running", "on_hold", "closed")
    dates = [
        {
            "promised_at": at(promised),
            "forecast_late_at": late,
            "first_value_at": value,
            "live_at": live,
            "on_time": kept,
        }
        for promised in (1, 24 * 60)
        for late in (None, at(24 * 61))
        for value, live, kept in ((None, None, None), (at(1), None, True), (at(1), None, False), (None, at(1), None))
    ]
    things = [
        {"kind": kind, "about": kind, "status": status, "due_at": due}
        for kind in ("item", "hold", "debt", "gate")
        for status in ("open", "answered", "in_review", "waived")
        for due in (at(1), None)
    ]
    for state in states:
        for n, changes in enumerate(dates):
            name = f"{state} {n}"
            SqlRecordStore(engine).write(
                WriteRecords(run=a_run(name, definition=name, state=state, **changes), id=name)
            )
        for n, changes in enumerate(things):
            name = f"{state} thing {n}"
            rows = waits("x", **changes), waits("x", person="other", first=False, **changes)
            SqlRecordStore(engine).write(
                WriteRecords(run=a_run(name, definition=name, state=state), waiting=rows, id=name)
            )
    counted = census(engine, NOW)

    for name in ("at_risk", "overdue"):
        filters: Any = {name: NOW}
        listed = {row["run"] for row in ReadTable(engine).runs(limit=1_000, **filters)["rows"]}
        assert listed == {row["definition"] for row in counted[name]}
        assert len(listed) == {"at_risk": 6, "overdue": 8}[name]
        assert {row["count"] for row in counted[name]} == {1}


def test_percentiles_are_those_of_a_report(engine: Engine) -> None:
    """Though the database gives only the values between which they lie."""
    days = [9, 1, 4, 30, 2, 2, 7]
    for n, value in enumerate(days):
        SqlRecordStore(engine).write(ended(f"r{n}", value))
    found = told(engine)
    seconds = sorted(day * 86_400 for day in days)

    for percent, quantile in ((50, "0.5"), (80, "0.8"), (90, "0.9")):
        assert found["time_to_first_value_seconds", "quick-start", quantile] == percentile(seconds, percent)
        assert found["time_to_live_seconds", "quick-start", quantile] == percentile(seconds, percent)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11])
def test_percentiles_of_any_number_of_runs(engine: Engine, count: int) -> None:
    """Where all of them fall on one place, too."""
    for n in range(count):
        SqlRecordStore(engine).write(ended(f"r{n}", n * n))
    expected = percentile([n * n * 86_400 for n in range(count)], 90)

    assert told(engine)["time_to_live_seconds", "quick-start", "0.9"] == expected


def test_what_has_ended_counts_for_ninety_days(engine: Engine) -> None:
    """Shares say nothing where there is nothing to share."""
    store = SqlRecordStore(engine)
    store.write(ended("a", 3))
    store.write(ended("b", 3, on_time=False, escalations=2))
    store.write(ended("c", 3, outcome="lost", customer_due=0, customer_on_time=0))
    store.write(WriteRecords(run=a_run("open", owed_at=at(24 * 40))))
    store.write(WriteRecords(run=a_run("late and silent", owed_at=at(24 * 5))))
    found, later = told(engine), told(engine, NOW + timedelta(days=200))

    assert (found["closed_runs", "quick-start", "live"], found["closed_runs", "quick-start", "lost"]) == (2, 1)
    assert found["on_time_ratio", "quick-start"] == 2 / 4
    assert found["customer_on_time_ratio", "quick-start"] == 6 / 8
    assert found["escalated_ratio", "quick-start"] == pytest.approx(1 / 3)
    assert found["side_seconds", "quick-start", "customer"] == 300
    assert not any(key[0].endswith("ratio") or key[0] == "closed_runs" for key in later)
    assert later["numbers_read_at_seconds",] == int((NOW + timedelta(days=200)).timestamp())


def test_labels_are_few_and_name_nobody(engine: Engine) -> None:
    """Four hundred definitions are fifty and the others; the sums are the same."""
    rows = []
    for n in range(400):
        run = a_run(
            f"onboarding/customer-{n}/d-{n}",
            customer=f"customer-{n}",
            definition=f"d-{n:03}",
            owner=f"owner-{n}",
            stage=f"s-{n}",
        )
        rows.append({**values_of(run), "chain": "", "batch": "", "decided_at": None})
    with writing(engine) as connection:
        connection.execute(insert(RUNS), [*rows, {**rows[7], "run": "onboarding/x/d-7"}])
    found = readings(census(engine, NOW), NOW)
    text = repr(found)

    assert len({one.labels["definition"] for one in found if "definition" in one.labels}) == MOST + 1
    assert [one.value for one in found if one.labels == {"definition": OTHER, "stage": OTHER}] == [350]
    assert "d-007" in text
    assert not re.search(r"customer-|owner-|onboarding/", text)


def test_every_reading_has_the_labels_of_its_gauge(engine: Engine) -> None:
    """And every gauge has a reading, once there are runs."""
    SqlRecordStore(engine).write(WriteRecords(run=a_run("a", health="stalled"), waiting=(waits("x"),)))
    SqlRecordStore(engine).write(ended("b", 2))
    found = [*readings(census(engine, NOW), NOW), *stuck(dict.fromkeys(Kind, 0))]

    assert {one.name for one in found} == set(GAUGES)
    assert [one for one in found if tuple(one.labels) != GAUGES[one.name].labels] == []


def test_an_installation_without_runs_tells_only_when_it_looked(engine: Engine) -> None:
    """No row, no number."""
    assert list(told(engine)) == [("numbers_read_at_seconds",)]


def test_what_is_gone_is_no_run_or_no_number() -> None:
    """A gauge keeps its last value for ever, so it is told."""
    before = [
        Reading(name="onboarding_open_runs", labels={"definition": "d", "stage": "s"}, value=3),
        Reading(name="onboarding_on_time_ratio", labels={"definition": "d"}, value=0.5),
        Reading(name="onboarding_open_runs", labels={"definition": "d", "stage": "t"}, value=1),
    ]
    gone = vanished(before, before[2:])

    assert [(one.name, one.labels.get("stage")) for one in gone] == [
        ("onboarding_open_runs", "s"),
        ("onboarding_on_time_ratio", None),
    ]
    assert gone[0].value == 0
    assert math.isnan(gone[1].value)


async def test_a_database_that_is_away_is_said_once_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """And that it is back."""
    away = [True, True, True, False, True]

    def read() -> Sequence[Reading]:
        if away.pop(0):
            raise RuntimeError("away")
        return []

    caplog.set_level(logging.INFO, "gauging")
    gauges = Gauges(MetricMeter.noop, GAUGES.values(), read)
    for _ in range(5):
        await gauges.look()

    assert [record.message for record in caplog.records] == ["gauges_unread", "gauges_read_again", "gauges_unread"]


async def test_gauges_are_read_until_they_are_stopped() -> None:
    """The first time at once, so that a dashboard does not wait."""
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> Sequence[Reading]:
        loop.call_soon_threadsafe(looked.set)
        return readings(
            {
                name: []
                for name in (
                    "open",
                    "health",
                    "waiting",
                    "at_risk",
                    "overdue",
                    "closed",
                    "on_time",
                    "first_value",
                    "live",
                )
            },
            datetime.now(UTC),
        )

    running = asyncio.create_task(Gauges(MetricMeter.noop, GAUGES.values(), read).run())
    await asyncio.wait_for(looked.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


DASHBOARD: Mapping[str, Any] = json.loads((ROOT / "dashboards" / "onboarding.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_dashboard_shows_every_number_of_ours_and_no_other() -> None:
    """A gauge that nobody shows is work for nothing; a panel without a gauge is empty for ever."""
    used = set(re.findall(r"\bonboarding_\w+", json.dumps([panel["targets"] for panel in PANELS])))

    assert used == set(GAUGES)


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    """Whole, without two panels in one place, and of no data source but the one that is chosen."""
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    sources = {json.dumps(one["datasource"], sort_keys=True) for panel in PANELS for one in (panel, *panel["targets"])}

    assert {"title", "uid", "schemaVersion", "templating", "time", "panels"} <= set(DASHBOARD)
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] and panel["description"] for panel in PANELS)


def test_no_panel_adds_up_what_every_worker_tells() -> None:
    """Two workers would double every number."""
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]

    for expression in expressions:
        for name in re.findall(r"\bonboarding_\w+", expression):
            assert re.search(rf"max (by \([\w, ]+\) )?\({name}|max\({name}", expression), expression
