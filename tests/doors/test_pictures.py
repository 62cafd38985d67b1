"""`report -o html|png|svg` and `ledger -o html` on the command line: files that are there whole, and ways out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from console import pictures
from console.leaving import Misused
from tests.support.calls import Door
from tests.support.drawings import Page, bars
from tests.support.known_runs import fill
from tests.support.shell import ROOT

RUN = "onboarding/c-1/quick-start"


@pytest.fixture
def filled(door: Door) -> Door:
    """A door whose database holds the known runs."""
    fill(door.environment["ONBOARDING_DATABASE_URL"])
    return door


def without(door: Door, module: str) -> dict[str, str]:
    """The environment of an installation that lacks a package."""
    folder = door.folder / "lacking"
    folder.mkdir()
    (folder / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}', name={module!r})\n")
    return {"PYTHONPATH": str(folder)}


def test_a_page_is_written_whole_and_nothing_is_left_beside(filled: Door) -> None:
    """To the file that is named, over an older one; stdout stays empty."""
    (filled.folder / "report.html").write_text("older")
    answer = filled("report", "-o", "html", "--file", "report.html")

    assert (answer.code, answer.out) == (0, "")
    assert "Written to report.html." in answer.err
    made = Page((filled.folder / "report.html").read_text(encoding="utf-8"))
    assert made.outside == []
    assert "of 11 runs" in made.text
    assert sorted(path.name for path in filled.folder.iterdir() if "report" in path.name) == ["report.html"]


def test_a_page_says_which_runs_it_is_about(filled: Door) -> None:
    """Whoever gets it did not see the command."""
    answer = filled("report", "-o", "html", "--definition", "known", "--from", "2026-11-01", "--to", "2026-12-01")

    assert answer.code == 0
    assert "from runs of known, signed (else started) from 2026-11-01 00:00 UTC on, signed (else started) before 2026-12-01 00:00 UTC." in Page(answer.out).text  # fmt: skip


@pytest.mark.parametrize("chart", ["time-to-value", "funnel", "stages", "sides", "bottlenecks"])
def test_each_chart_is_drawn_by_itself(filled: Door, chart: str) -> None:
    """As SVG to wherever the answer goes."""
    answer = filled("report", "-o", "svg", "--chart", chart)

    assert answer.code == 0
    assert bars(answer.out)
    assert Page(answer.out).outside == []


def test_a_png_goes_to_a_file(filled: Door) -> None:
    """Of the time to value, where nothing else is asked for; lines of a report are one below the other."""
    one = filled("report", "-o", "png", "--file", "one.png")
    three = filled("report", "--by", "version", "-o", "png", "--file", "several.png")

    assert (one.code, three.code) == (0, 0)
    small, large = ((filled.folder / name).read_bytes() for name in ("one.png", "several.png"))
    assert small[:8] == large[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(large[20:24], "big") > 1.8 * int.from_bytes(small[20:24], "big")


def test_a_png_is_not_thrown_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would write noise."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    with pytest.raises(Misused, match="--file"):
        pictures.check_place("png", None)


def test_without_a_run_a_page_says_so(door: Door) -> None:
    """And a chart is not drawn; both are no error."""
    page, chart = door("report", "-o", "html"), door("report", "-o", "svg")

    assert (page.code, chart.code, chart.out) == (0, 0, "")
    assert "No run has been recorded here yet" in Page(page.out).text
    assert "nothing to draw yet" in chart.err


@pytest.mark.parametrize(
    ("module", "package", "words"),
    [
        ("vl_convert", "vl-convert-python", ("report", "-o", "html")),
        ("vl_convert", "vl-convert-python", ("report", "-o", "png")),
        ("vl_convert", "vl-convert-python", ("ledger", RUN, "-o", "html")),
    ],
)
def test_an_installation_that_cannot_draw_says_what_is_missing(
    filled: Door, module: str, package: str, words: tuple[str, ...]
) -> None:
    """One sentence with the way out and 69; everything else works."""
    lacking = without(filled, module)
    answer = filled(*words, **lacking)

    assert (answer.code, answer.out) == (69, "")
    assert f"pip install '{package}' (the extra `reports` of pyproject.toml)" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert filled("report", "-o", "json", **lacking).data["rows"][0]["runs"] == 11


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "--chart", "funnel"), "--chart is for -o png and -o svg"),
        (("report", "--chart", "funnel", "-o", "html"), "--chart is for -o png and -o svg"),
        (("report", "--chart", "pie", "-o", "svg"), "pie"),
        (("report", "--file", "x.csv", "-o", "csv"), "send other forms to a file with >"),
        (("report", RUN, "-o", "html"), "ledger RUN -o html"),
        (("report", "-o", "html", "--by", "colour"), "not by 'colour'"),
        (("ledger", RUN, "--file", "x.html"), "--file is for -o html"),
        (("ledger", RUN, "-o", "png"), "png"),
    ],
)
def test_wrong_words_are_64(door: Door, words: tuple[str, ...], said: str) -> None:
    """With what is right."""
    answer = door(*words)

    assert (answer.code, answer.out) == (64, "")
    assert said in answer.err


def test_a_place_that_cannot_be_written_to_is_69(filled: Door) -> None:
    """Named, without a traceback; and a device is not replaced by a page."""
    nowhere = filled("report", "-o", "html", "--file", filled.folder / "no" / "such" / "x.html")
    device = filled("report", "-o", "html", "--file", "/dev/null")

    assert nowhere.code == 69
    assert "cannot be used" in nowhere.err
    assert device.code == 64


def test_an_unknown_owner_of_a_page_is_23(filled: Door) -> None:
    """An empty page would look like an answer."""
    answer = filled("report", "-o", "html", "--owner", "olgaa")

    assert answer.code == 23
    assert "did you mean 'olga'?" in answer.data["sentence"]


def test_nobody_who_draws_nothing_waits_for_what_draws() -> None:
    """The libraries take a second to load."""
    words = "import sys, console.report, console.ledger, console.pictures; print({'altair', 'vl_convert', 'polars'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
