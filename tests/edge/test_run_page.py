"""The ledger of one run as bars: on a terminal, and as a page. Both are drawn from what the run answers."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import altair as alt
import pytest
from rich.console import Console

from console import tables
from console.run_bars import LETTERS, RunBars
from metrics import charts, run_page
from metrics.shown import SIDES, time
from metrics.stretches import Bar, Bars, Stretch, bars_of, cells
from onboarding.reading import views
from tests.support.builders import Run, a_run
from tests.support.drawings import Page, bars, written
from tests.support.known_runs import NOW, known_run

NASTY = '<script>alert("x")</script> \x1b[31mred\u202e'
Answers = tuple[dict[str, Any], dict[str, Any]]


def answers_of(run: Run) -> Answers:
    """All of the ledger, and how the run stands, as a client gets them."""
    ledger = views.ledger(run.plan, run.state, NOW)
    assert ledger["next_cursor"] is None
    return json.loads(json.dumps(ledger)), json.loads(json.dumps(views.status(run.plan, run.state, NOW)))


@pytest.fixture(params="adefhijk")
def answers(request: pytest.FixtureRequest) -> Answers:
    """Each of the known runs: live, open, lost, held, waived, reopened."""
    return answers_of(known_run(request.param))


@pytest.fixture
def held() -> Answers:
    """The run that was on hold for two hours."""
    return answers_of(known_run("e"))


def days(count: int) -> Bars:
    """One stage of so many days: eight hours of each of the first are the customer's, none of the second, of the last ours."""
    begin = NOW.replace(hour=0)
    found: list[Stretch] = []
    for n in range(count):
        side = ("customer", "off_hours", "provider")[n * 3 // count]
        hours = [begin + timedelta(days=n, hours=hour) for hour in (0, 9, 17, 24)]
        found += [
            Stretch(one, *pair) for one, pair in zip(("off_hours", side, "off_hours"), pairwise(hours), strict=True)
        ]
    bar = Bar("Long", "done", begin, found[-1].until, None, tuple(found))
    return Bars(begin, found[-1].until, found[-1].until, (bar,), (), None)


def printed(whole: Bars, width: int, **how: Any) -> list[str]:
    """The lines of a terminal of this width."""
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False, **how).print(RunBars(whole))
    return out.getvalue().splitlines()


# Both ----------------------------------------------------------------------------------------------------------------


def test_bars_hold_all_the_time_of_the_run(answers: Answers) -> None:
    """Stage by stage, and side by side."""
    ledger, status = answers
    whole = bars_of(ledger, status)

    sums = {side: sum(bar.by_side.get(side, 0) for bar in whole.bars) for side in ledger["by_side"]}
    assert sums == ledger["by_side"]
    assert (whole.end - whole.since).total_seconds() == ledger["elapsed"]


def test_a_cell_belongs_to_the_side_that_has_most_of_it(held: Answers) -> None:
    """Of the setup of this run two hours in the middle are a hold."""
    whole = bars_of(*held)
    setup = next(bar for bar in whole.bars if "hold" in bar.by_side)
    hours = int((whole.until - whole.since) / timedelta(hours=1))
    found = cells(setup, whole, hours)

    assert found[2:4] == ["hold", "hold"]
    assert "".join(LETTERS.get(side, " ") for side in found).strip() == "PHHPP"
    assert len(cells(setup, whole, 1)) == 1


def test_nights_do_not_hide_the_days_of_a_long_run() -> None:
    """A part longer than a night belongs to who worked in it, as little as that was; only what is nothing else is off hours."""
    whole = days(60)
    (bar,) = whole.bars

    assert cells(bar, whole, 30) == ["customer"] * 10 + ["off_hours"] * 10 + ["provider"] * 10
    assert cells(bar, whole, 60 * 24)[:10] == ["off_hours"] * 9 + ["customer"]


def test_a_run_of_years_is_drawn_by_points() -> None:
    """Its page stays small, and says how it was drawn; the words beside the bars count every second."""
    whole = days(2_100)
    figure = run_page.stages_figure(whole, 720)
    drawn = charts.svg([figure])

    assert "Each point of a bar shows who has most of it." in figure.caption
    assert len(drawn) < 60_000
    assert len({bar.told.split(" ")[-1] for bar in bars(drawn)}) == 3
    assert any("customer 233d 8h, provider 233d 8h" in text for text in written(drawn))


def test_a_promise_far_away_does_not_flatten_the_picture(held: Answers) -> None:
    """It is told, and not drawn; one that is near is."""
    ledger, status = held
    end = bars_of(ledger, status).end
    near, far = (f"{end + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (3, 300))

    assert bars_of(ledger, {**status, "promised_at": near}).until == end + timedelta(hours=3)
    assert bars_of(ledger, {**status, "promised_at": far}).until == end
    assert "beyond what is shown" in Page(run_page.ledger(ledger, {**status, "promised_at": far})).text
    assert "the dashed line" in Page(run_page.ledger(ledger, {**status, "promised_at": near})).text


def test_a_run_that_has_only_begun_is_drawn() -> None:
    """It has no length yet."""
    run = a_run()
    ledger = views.ledger(run.plan, run.state, run.now)
    status = views.status(run.plan, run.state, run.now)

    assert ledger["elapsed"] == 0
    assert len(printed(bars_of(ledger, status), 80)) >= 4
    assert Page(run_page.ledger(ledger, status)).outside == []


# On a terminal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 80, 100, 180, 400])
def test_no_line_is_longer_than_the_terminal_is_wide(answers: Answers, width: int) -> None:
    """Bars, dates and key fit, whatever the titles are."""
    ledger, status = answers
    long = {
        **status,
        "stages": [{**stage, "title": f"{stage['title']} {'漢字 and more ' * 5}"} for stage in status["stages"]],
    }

    for told in (status, long):
        lines = printed(bars_of(ledger, told), width, no_color=True)
        assert max(Console().measure(line).maximum if line else 0 for line in lines) <= width


def test_a_bar_reads_without_colour(held: Answers) -> None:
    """By its letters, of which the key names those that are there; in a log nothing else is written."""
    lines = printed(bars_of(*held), 80, no_color=True)
    text = "\n".join(lines)

    assert re.search(r"P+H+P+", text)
    assert "C customer  P provider  H hold" in text
    assert "third party" not in text
    assert "\x1b" not in text


def test_every_milestone_and_the_promise_has_a_mark_of_its_own(held: Answers) -> None:
    """In the order in which they came, at the place where they came."""
    ledger, status = held
    whole = bars_of(ledger, {**status, "promised_at": status["closed_at"]})
    lines = printed(whole, 100, no_color=True)
    told = [line.strip() for line in lines if re.match(r" +\d ", line) and "UTC" in line]

    assert [line.split(",")[0] for line in told] == ["1 ready", "2 first_value", "3 going live is promised"]
    assert any(re.fullmatch(r" +1 +[+2]", line) for line in lines)


def test_what_a_title_says_does_not_steer_the_terminal(held: Answers) -> None:
    """As in every table."""
    ledger, status = held
    nasty = {**status, "stages": [{**stage, "title": NASTY} for stage in status["stages"]]}

    assert "\x1b" not in "".join(printed(bars_of(ledger, nasty), 100, no_color=True))


def test_the_bars_and_what_might_have_been_stand_in_the_table(held: Answers) -> None:
    """Below the stretches, above the sums."""
    ledger, status = held
    out = io.StringIO()
    told = {**ledger, "counterfactual": {"sentence": "Without the hold it would have been two hours."}}
    Console(file=out, width=120).print(tables.ledger(told, RunBars(bars_of(ledger, status))))
    text = out.getvalue()

    assert text.index("H hold") < text.index("Elapsed: ") < text.index("Without the hold it would have been two hours.")


# As a page -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", "efi")
def test_the_page_draws_every_second(letter: str) -> None:
    """The seconds that its bars say, by side, are those of the ledger: of one that was held, one that was reopened, an open one."""
    ledger, status = answers_of(known_run(letter))
    made = run_page.ledger(ledger, status)
    wide = next(svg for svg in re.findall(r"<svg.*?</svg>", made, re.DOTALL) if "runw-title" in svg)
    sums = dict.fromkeys(ledger["by_side"], 0)
    names = {words: side for side, words in SIDES.items()}
    for bar in bars(wide):
        seconds, words = re.search(r": (\d+) seconds (.*)", bar.told).groups()  # type: ignore[union-attr]
        sums[names[words]] += int(seconds)

    assert sums == ledger["by_side"]


def test_the_page_tells_promise_milestones_holds_and_numbers(held: Answers) -> None:
    """And the sentence on what might have been, where the run has one."""
    ledger, status = held
    told = {**ledger, "counterfactual": {"sentence": "Without the hold it would have been two hours."}}
    made = Page(run_page.ledger(told, status))

    for words in ("Milestone ready", "Milestone first_value", "Holds", "Going live was promised for", "that was kept", told["counterfactual"]["sentence"]):  # fmt: skip
        assert words in made.text
    assert f"{time(ledger['elapsed'])}\nfrom start to close" in made.text
    assert all(name in made.text for name in ledger["metrics"])
    assert made.outside == []
    assert len(made.ids) == len(set(made.ids))


def test_the_page_of_an_open_run_says_when_it_will_be_live() -> None:
    """As `status` does."""
    ledger, status = answers_of(known_run("i"))

    assert status["forecast"]["sentence"] in Page(run_page.ledger(ledger, status)).text


def test_what_a_run_says_is_text_on_its_page(held: Answers) -> None:
    """Titles, names and reasons of people run nothing."""
    ledger, status = held
    nasty = {
        **status,
        "definition": {**status["definition"], "title": NASTY},
        "stages": [{**stage, "title": NASTY} for stage in status["stages"]],
        "milestones": {NASTY: status["closed_at"]},
    }
    entries = [{**entry, "who": NASTY} for entry in ledger["entries"]]
    made = Page(run_page.ledger({**ledger, "entries": entries, "counterfactual": {"sentence": NASTY}}, nasty))

    assert made.outside == []
    assert not re.search("[\x1b\u202e]", made.html)


def test_stretches_that_the_run_no_longer_carries_are_told(held: Answers) -> None:
    """A very long run has given its oldest rows away."""
    ledger, status = held

    assert "7 earlier stretches are in the sums" in Page(run_page.ledger({**ledger, "earlier": 7}, status)).text


def test_the_picture_of_a_run_keeps_to_the_grammar_of_vega_lite(answers: Answers) -> None:
    """A word that the grammar does not know is drawn without a complaint, and is then simply missing."""
    ledger, status = answers
    promised = {**status, "promised_at": status["read_at"]}

    for width in (charts.WIDE, charts.NARROW):
        figure = run_page.stages_figure(bars_of(ledger, promised), width)
        assert alt.Chart.from_dict(charts.spec([figure], alone=True), validate=True)


def test_a_page_is_the_same_bytes_each_time(held: Answers) -> None:
    """Only what the run says is in it."""
    assert run_page.ledger(*held) == run_page.ledger(*held)
