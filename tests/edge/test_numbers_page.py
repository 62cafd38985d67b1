"""docs/numbers.md: each query of the page finds in the rows what the report tells, on both databases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from metrics.overall import report
from metrics.spread import spread
from onboarding.engine.state import ItemStatus, RunStatus
from storage.bottlenecks import Bottlenecks
from storage.chosen import Chosen
from storage.records import SqlRecordStore
from storage.reporting import CLOSED, REACHED, Reporting
from storage.tables import ITEMS
from tests.support.known_runs import NOW, known_batches, known_runs
from tests.support.shell import ROOT

PAGE = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"```sql (\S+)\n(.*?)```", PAGE, re.DOTALL))
TEMPLATES = ("percentile", "product_limit")
COUNTS = ("entered", "left", "open", "lost", "cancelled")


class Tables:
    """The rows of the known runs, for the queries of the page, and what the report says of them."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self.connection = connection
        self.postgresql = engine.dialect.name == "postgresql"
        groups, stages = Reporting(engine).read(("definition",), Chosen(), NOW)
        self.spent = Bottlenecks(engine).read(Chosen())
        (self.line,) = report(groups, stages, NOW)

    def rows(self, name: str, template: str = "", **values: Any) -> Sequence[Sequence[Any]]:
        """What a query of the page finds, put into one of its templates where it gives values."""
        query = QUERIES[template].replace(":values", QUERIES[name]) if template else QUERIES[name]
        if self.postgresql:
            query = _for_postgresql(query)
        at = NOW if self.postgresql else f"{NOW:%Y-%m-%d %H:%M:%S}"
        given = {"definition": "known", "at": at, **values}
        wanted = {word: value for word, value in given.items() if re.search(rf"(?<!:):{word}\b", query)}
        return [tuple(row) for row in self.connection.execute(text(query), wanted)]

    def values(self, name: str, template: str, **values: Any) -> list[float | None]:
        """How many there are, and the three percentiles."""
        found = [self.rows(name, template, percent=percent, **values)[0] for percent in (50, 80, 90)]
        return [found[0][0] or 0, *(None if row[1] is None else float(row[1]) for row in found)]


def _for_postgresql(query: str) -> str:
    """The two exchanges that the page tells of."""
    query = re.sub(r"unixepoch\(((?:[^()]|\([^()]*\))*)\)", r"EXTRACT(EPOCH FROM \1)::bigint", query)
    return re.sub(r"(metrics ->> '\w+')", r"(\1)::bigint", query)


@pytest.fixture
def known(engine: Engine) -> Any:
    """The known runs, written turn by turn."""
    store = SqlRecordStore(engine)
    for batch in known_batches():
        assert store.write(batch) == batch.id
    with engine.connect() as connection:
        yield Tables(engine, connection)


def told(spread_: dict[str, Any]) -> list[Any]:
    return [spread_[name] for name in ("n", "median", "p80", "p90")]


def rate(rate_: dict[str, Any]) -> tuple[Any, ...]:
    return rate_["runs"], rate_["n"], rate_["count"]


def test_the_queries_of_the_page_find_what_the_report_says(known: Tables) -> None:
    """Every one of them, for the one definition."""
    line = known.line

    assert known.rows("counts") == [(line["runs"], line["open"], *line["outcomes"].values())]
    assert spread([int(row[0]) for row in known.rows("owners")]) == line["owners"]
    for name in (*REACHED, *CLOSED):
        assert known.values(name, "percentile") == pytest.approx(told(line["metrics"][name])), name
    assert known.values("own", "percentile") == pytest.approx(told(line["metrics"]["time_to_ready"]))
    for name in REACHED:
        assert known.values(f"with_open.{name}", "product_limit") == told(line["with_open"][name]), name
    for name, found in line["rates"].items():
        assert known.rows(name) == [rate(found)], name
    assert known.rows("sides") == [tuple(line["sides"].values())]
    for spent in known.spent:
        of = {"stage": spent["stage"], "side": spent["side"]}
        assert known.values("spent", "percentile", **of) == pytest.approx(told(spread(spent["values"]))), of
    for stage in line["stages"]:
        of = {"stage": stage["stage"]}
        assert known.rows("stage.counts", **of) == [tuple(stage[name] for name in COUNTS)]
        for name in ("planned", "actual"):
            found = known.values(f"stage.{name}", "percentile", **of)
            assert found == pytest.approx(told(stage[name])), (name, of)
        assert known.values("stage.with_open", "product_limit", **of) == told(stage["with_open"]), of
        assert known.rows("stage.within_target", **of) == [rate(stage["within_target"])], of


def test_open_items_are_found_though_older_rounds_stand_still(known: Tables) -> None:
    """As many as the runs themselves have, and a plain count by status finds more as soon as something was opened again."""
    runs = known_runs().values()
    items = [one for run in runs if run.status is not RunStatus.CLOSED for one in run.items.values()]
    before = [(sum(one.status is ItemStatus.OPEN for one in items),)]
    columns = ", ".join(column.name for column in ITEMS.columns)
    again = columns.replace("round", "round + 1", 1).replace("status", "'done'", 1)
    newer = (
        f"INSERT INTO items ({columns}) SELECT {again} FROM items WHERE run = 'onboarding/i/known' AND status = 'open'"
    )

    assert known.rows("items_open") == before
    gone = known.connection.execute(text(newer)).rowcount
    assert gone > 0
    assert known.rows("items_open") == [(before[0][0] - gone,)]


def test_the_page_has_every_number_of_the_report_and_no_other(known: Tables) -> None:
    """A number without a query could mean anything."""
    line = known.line
    stages = {name for name in line["stages"][0] if isinstance(line["stages"][0][name], dict)}
    numbers = {*REACHED, *CLOSED, *line["rates"], *(f"with_open.{name}" for name in line["with_open"])}
    parts = {
        "items_open",
        "counts",
        "owners",
        "own",
        "sides",
        "spent",
        "stage.counts",
        *(f"stage.{name}" for name in stages),
    }

    assert set(QUERIES) == {*numbers, *parts, *TEMPLATES}
    assert set(line["metrics"]) - {*REACHED, *CLOSED} == {"asks_made", "time_to_ready"}
    assert all(
        f"`{name}`" in PAGE for name in {*line, *line["stages"][0]} - {"by", "metrics", "definition", "place", "stage"}
    )
