"""The pictures of a report: what is drawn is what the report says, and a page is one harmless file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import altair as alt
import pytest
from hypothesis import given, strategies as st
from sqlalchemy import Engine

from metrics import charts, page, report as of_one, shown
from metrics.page import Material
from metrics.spread import spread
from onboarding.engine import booking
from storage import report_terms
from storage.bottlenecks import Bottlenecks
from storage.chosen import Chosen
from storage.engine import open_database
from storage.read_table import ReadTable
from storage.records import SqlRecordStore
from storage.reporting import Reporting
from tests.support.drawings import Page, bars, written
from tests.support.known_runs import NOW, known_batches

EVERYTHING = Chosen()
NASTY = '</title><script>alert("x")</script> & \x1b[31m\u202e "quoted"'


def fill(engine: Engine) -> None:
    """The known runs, as rows."""
    store = SqlRecordStore(engine)
    for batch in known_batches():
        assert store.write(batch) == batch.id


def test_every_floor_knows_the_same_sides() -> None:
    """Each has words of its own for them, because the core's are slow to load; the order is that of a report."""
    sides = tuple(str(side) for side in booking.SIDES)

    assert sides == report_terms.SIDES == of_one.SIDES == tuple(shown.SIDES) == tuple(charts.COLOURS)


def material_of(engine: Engine, *by: str, chosen: Chosen = EVERYTHING) -> Material:
    """What the command gives to the page."""
    groups, stages = Reporting(engine).read(by or ("definition",), chosen, NOW)
    more = Bottlenecks(engine)
    titles = more.titles(tuple(sorted({one["definition"] for one in stages})))
    return Material(groups=groups, stages=stages, spent=more.read(chosen), titles=titles, at=NOW, chosen="all runs")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The known runs in a file; nobody writes to it."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('known') / 'rows.sqlite'}")
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def material(known: Engine) -> Material:
    """One line: all of them have the same definition."""
    return material_of(known)


def told_of(material: Material, chart: str) -> list[Any]:
    """The bars of a chart, as they stand in its drawing."""
    return bars(charts.svg(page.chart(material, chart)))


# What is drawn -------------------------------------------------------------------------------------------------------


def test_the_distribution_holds_every_run_once(material: Material) -> None:
    """Those that are there, those that wait, and those that closed without; heights are counts."""
    drawn = told_of(material, "time-to-value")
    sums: dict[str, int] = defaultdict(int)
    for bar in drawn:
        count, what = re.search(r": (\d+) (.*)", bar.told).groups()  # type: ignore[union-attr]
        sums[what] += int(count)
    told = material.lines[0]["with_open"]["time_to_first_value"]

    assert dict(sums) == {
        "reached first value": told["reached"], "still wait, for so long": told["open"], "closed without": told["ended"],
    }  # fmt: skip
    assert sum(sums.values()) == told["n"] == 11
    heights = {round(bar.height / int(re.search(r": (\d+) ", bar.told).group(1)), 3) for bar in drawn}  # type: ignore[union-attr]
    assert len(heights) == 1


@given(
    st.lists(st.integers(0, 10**8), max_size=50),
    st.lists(st.integers(-(10**6), 10**6)),
    st.lists(st.integers(0, 10**6)),
)
def test_every_time_lies_in_its_bar(reached: list[int], waiting: list[int], without: list[int]) -> None:
    """However long some of them are, and of what is signed only later; there are never more bars than can be told apart."""
    found = shown.bins(reached, waiting, without)

    assert len(found) <= shown.BINS + 1
    for name, values in (("reached", reached), ("waiting", waiting), ("without", without)):
        for bar in found:
            inside = [
                one for one in values if bar["since"] <= max(one, 0) and (bar["until"] is None or one < bar["until"])
            ]
            assert bar[name] == len(inside)
        assert sum(bar[name] for bar in found) == len(values)


def test_the_funnel_is_as_wide_as_its_counts(material: Material) -> None:
    """Each part says its number, and all are drawn in one scale."""
    drawn = told_of(material, "funnel")
    words = {"left": "went on", "open": "there now", "lost": "lost there", "cancelled": "cancelled there"}
    expected = {
        f"{material.titles[stage['definition'], stage['stage']]}: {stage[name]} {what}": stage[name]
        for stage in material.lines[0]["stages"]
        for name, what in words.items()
        if stage[name]
    }

    assert {bar.told for bar in drawn} == set(expected)
    scales = {round(bar.width / expected[bar.told], 3) for bar in drawn}
    assert len(scales) == 1


def test_a_stage_is_as_long_as_its_median(material: Material) -> None:
    """And its words are the numbers of the report."""
    stages = [stage for stage in material.lines[0]["stages"] if stage["actual"]["n"]]
    svg = charts.svg(page.chart(material, "stages"))
    drawn = [bar for bar in bars(svg) if "median" in bar.told]

    assert [bar.told.split(": ")[1] for bar in drawn] == [
        f"median {stage['actual']['median']} seconds, p80 {stage['actual']['p80']} seconds" for stage in stages
    ]
    assert len({round(bar.width / stage["actual"]["median"], 5) for bar, stage in zip(drawn, stages, strict=True)}) == 1
    setup = next(stage for stage in stages if stage["stage"] == "setup")
    kept = setup["within_target"]
    assert any(
        f"half within {shown.time(setup['actual']['median'])}" in text
        and f"{kept['count']} of {kept['n']} in time" in text
        for text in written(svg)
    )


def test_the_sides_add_up_from_bar_to_bar(material: Material) -> None:
    """Each begins where the one before ends, and the last one ends at the elapsed time."""
    told = material.lines[0]["sides"]
    rows = shown.sides(material.lines[0])
    drawn = told_of(material, "sides")

    assert [round(row["until"] - row["since"], 6) * told["n"] for row in rows] == pytest.approx(
        [told[side] for side in shown.SIDES]
    )
    assert rows[-1]["until"] * told["n"] == pytest.approx(told["elapsed"])
    for before, after in pairwise(drawn):
        assert after.x == pytest.approx(before.x + before.width, abs=0.01)


def test_bottlenecks_are_the_ledger_by_stage_and_side(engine: Engine) -> None:
    """On each database: added up here from every stretch of every closed run, and all of it is there."""
    fill(engine)
    table, sums = ReadTable(engine), defaultdict(int)
    closed = [run["run"] for run in table.runs(limit=100)["rows"] if run["state"] == "closed"]
    for run in closed:
        for entry in table.ledger(run):
            sums[run, entry["stage"], entry["side"]] += entry["seconds"]
    expected: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (_, stage, side), seconds in sums.items():
        expected[stage, side].append(seconds)

    read = Bottlenecks(engine).read(Chosen())
    assert {(row["stage"], row["side"]): sorted(row["values"]) for row in read} == {
        key: sorted(one) for key, one in expected.items()
    }
    found = shown.bottlenecks(read, {})
    assert [one["seconds"] for one in found] == sorted((sum(one) for one in expected.values()), reverse=True)
    assert [one["median"] for one in found] == [spread(expected[one["title"], one["side"]])["median"] for one in found]
    (line,) = page.overall.report(*Reporting(engine).read(("definition",), Chosen(), NOW), NOW)
    assert sum(one["seconds"] for one in found) == line["sides"]["elapsed"]
    assert sum(one["share"] for one in found) == pytest.approx(1)


def test_only_chosen_runs_are_in_the_bottlenecks(known: Engine) -> None:
    """As in everything else on the page."""
    nobody = Chosen(since=datetime(2030, 1, 1, tzinfo=UTC))

    assert Bottlenecks(known).read(nobody) == []
    assert Bottlenecks(known).read(Chosen(definition=("known",))) == Bottlenecks(known).read(Chosen())


def test_stages_are_called_what_the_latest_run_calls_them(engine: Engine) -> None:
    """A new version may have another word for the same stage."""
    fill(engine)
    titles = Bottlenecks(engine).titles(("known", "unknown"))

    assert set(titles) == {("known", "intake"), ("known", "setup"), ("known", "live")}
    assert all(titles.values())


# The page ------------------------------------------------------------------------------------------------------------


def test_the_page_begins_with_the_sentence_that_everybody_reads(material: Material) -> None:
    """The median with open runs, how many runs, how many are open, and how many went live as promised."""
    line = material.lines[0]
    told, kept = line["with_open"]["time_to_first_value"], line["rates"]["on_time"]
    text = Page(page.report(material)).text

    assert (
        f"Half of all runs reach first value within {shown.time(told['median'])} of signing; of 11 runs {line['open']} are still open, "
        f"and {kept['count']} of {kept['n']} ({shown.share(kept['rate'])}) went live by the date they were promised."
    ) in text
    parts = [
        "From signing to first value",
        "Funnel by stage",
        "Stages, planned and actual",
        "Time by side",
        "Where the days go",
        "What the numbers rest on",
        "Made ",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_every_number_of_the_page_says_what_it_rests_on(material: Material) -> None:
    """The tables at the end have each one with its runs."""
    text = " ".join(Page(page.report(material)).text.split())
    line = material.lines[0]

    for name in ("elapsed", "longest_silence", "rounds"):
        told = line["metrics"][name]
        words = page.WORDS[name]
        assert f"{words} {told['n']} {page.amount(name, told['median'])} {page.amount(name, told['p80'])}" in text
    first_pass = line["rates"]["first_pass"]
    assert f"right at the first attempt {first_pass['runs']} {first_pass['count']} of {first_pass['n']}" in text


@pytest.mark.parametrize("by", [("definition",), ("segment", "version")])
def test_a_page_is_one_file_that_asks_nobody_for_anything(known: Engine, by: tuple[str, ...]) -> None:
    """It loads nothing, runs nothing, and no two of its parts have one id."""
    made = Page(page.report(material_of(known, *by)))

    assert made.outside == []
    assert len(made.ids) == len(set(made.ids)) > 0
    assert made.tags["svg"] == made.tags["desc"] >= 10


def test_what_files_say_is_text_on_the_page(known: Engine) -> None:
    """Titles, owners and segments come from outside: they run nothing, and no character of theirs steers the eye."""
    plain = material_of(known, "segment")
    groups = [{**group, "by": {"segment": f"{NASTY}{n}"}} for n, group in enumerate(plain.groups)]
    names = {tuple(old["by"].values()): new["by"] for old, new in zip(plain.groups, groups, strict=True)}
    stages = [{**stage, "by": names[tuple(stage["by"].values())]} for stage in plain.stages]
    nasty = replace(plain, groups=groups, stages=stages, titles=dict.fromkeys(plain.titles, NASTY), chosen=NASTY)
    made = Page(page.report(nasty))

    assert made.outside == []
    assert '<script>alert("x")</script>' in made.text
    assert not re.search("[\x1b\u202e]", made.html)
    assert charts.png(page.chart(nasty, "time-to-value")).startswith(b"\x89PNG")
    assert Page(charts.svg(page.chart(nasty, "funnel"))).outside == []


def test_the_same_values_give_the_same_bytes(known: Engine) -> None:
    """Whatever was drawn in between."""
    first = page.report(material_of(known))
    page.report(material_of(known, "segment"))

    assert page.report(material_of(known)) == first


def test_many_lines_are_all_compared_and_the_largest_are_drawn(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page for each of a hundred owners is read by nobody."""
    monkeypatch.setattr(page, "SECTIONS", 2)
    group = material.groups[0]
    groups = [{**group, "by": {"owner": f"person-{n}"}, "runs": 10 - n % 3} for n in range(4)]
    stages = [{**stage, "by": {"owner": f"person-{n}"}} for n in range(4) for stage in material.stages]
    text = Page(page.report(replace(material, groups=groups, stages=stages))).text

    assert text.count("What the numbers rest on") == 2
    assert [text.count(f"owner person-{n}\n") for n in range(4)] == [2, 1, 1, 2]
    assert "Only the 2 with the most runs have charts of their own; the table above has all 4." in text


def test_no_runs_are_a_page_with_a_sentence() -> None:
    """Somebody may have a link to it already."""
    nothing = Material(
        groups=[], stages=[], spent=[], titles={}, at=NOW, chosen="all runs", empty="No run has come yet."
    )
    made = Page(page.report(nothing))

    assert "No run has come yet." in made.text
    assert made.outside == []
    assert made.tags["svg"] == 0


def test_runs_that_have_no_first_value_are_led_by_going_live(material: Material) -> None:
    """A definition need not have that milestone."""
    told = {**material.whole["with_open"]}
    none = {**told["time_to_first_value"], "reached": 0, "median": None}

    assert "reach fully live within" in page.headline(
        {**material.whole, "with_open": {**told, "time_to_first_value": none}}
    )
    assert "No run has reached first value yet" in page.headline(
        {**material.whole, "with_open": {"time_to_first_value": none, "time_to_live": none}}
    )


@pytest.mark.parametrize("chart", ["time-to-value", "funnel", "stages", "sides", "bottlenecks"])
def test_every_chart_keeps_to_the_grammar_of_vega_lite(material: Material, chart: str) -> None:
    """A word that the grammar does not know is drawn without a complaint, and is then simply missing."""
    drawn = page.chart(material, chart)

    for alone in (True, False):
        assert alt.Chart.from_dict(charts.spec(drawn, alone=alone), validate=True)
    for width in (charts.WIDE, charts.NARROW):
        assert alt.Chart.from_dict(_of_width(material, chart, width), validate=True)


def _of_width(material: Material, chart: str, width: int) -> dict[str, Any]:
    (group, line), titles = material.pairs[0], material.titles
    drawn = {
        "time-to-value": lambda: page.time_to_value(group, line, width),
        "funnel": lambda: page.funnel(line, titles, width),
        "stages": lambda: page.plan(line, titles, width),
        "sides": lambda: page.sides(line, width),
        "bottlenecks": lambda: page.bottlenecks(material.spent, titles, width),
    }
    return charts.spec(drawn[chart](), alone=False)


def test_a_long_title_leaves_room_for_its_numbers() -> None:
    """And wide characters are as wide as two."""
    row = {
        "title": "A stage " * 20,
        "said": "3 in",
        "brief": "3 in",
        "entered": 3,
        "left": 3,
        "open": 0,
        "lost": 0,
        "cancelled": 0,
    }
    latin, wide = (charts.svg([charts.Figure("t", "c", charts.funnel([{**row, "title": title}], charts.WIDE))]) for title in (row["title"], "漢" * 160))  # fmt: skip

    cut = next(text for text in written(latin) if text.startswith("A stage"))
    assert cut.endswith("…")
    assert 60 < len(cut) < 100
    assert 30 < len(next(text for text in written(wide) if text.startswith("漢"))) < 50
