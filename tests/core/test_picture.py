"""Pictures: drawn from what runs, and no text of a definition can change what is drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from onboarding.engine import effects, events
from onboarding.engine.machine import TRANSITIONS
from onboarding.engine.state import ItemStatus
from onboarding.reading.picture import definition_picture, label, machine_page, status_diagram
from tests.support.builders import a_definition

HOSTILE = 'end "x"]; %%{init: {"theme":"dark"}}%% `md` <script> [a](b) | # \\ {c} --> d\n subgraph e & click f call g()'


def test_a_picture_shows_every_stage_and_item_in_its_stage() -> None:
    """Boxes for stages, a shape for each kind."""
    text = definition_picture(a_definition())
    boxes = dict(re.findall(r"subgraph s_(\w+)\[.*?\n(.*?)\n  end", text, flags=re.DOTALL))

    assert text.startswith("flowchart TB\n")
    assert list(boxes) == ["intake", "setup", "live"]
    assert 'i_details[/"Title of details<br/>request · champion · due 3bd"/]' in boxes["intake"]
    assert 'i_credit_check["Look into their debts<br/>task · lead · due 2bd"]' in boxes["intake"]
    assert 'i_provision[["Title of provision<br/>hook · lead"]]' in boxes["setup"]
    assert 'i_go{{"Title of go<br/>approval · champion, lead"}}' in boxes["setup"]
    assert "only if input.legacy" in boxes["setup"]
    assert 'i_first_use(["Title of first_use<br/>event · champion"])' in boxes["live"]


def test_a_picture_shows_needs_gates_and_what_goes_back() -> None:
    """Solid arrows for needs, dotted ones for returns, a flag for the gate."""
    text = definition_picture(a_definition())

    for line in ("s_intake --> s_setup", "s_setup --> s_live", "i_provision --> i_go", 'i_go -. "stop" .-> i_details'):
        assert f"  {line}\n" in text
    assert "g_intake_all>\"gate, all of<br/>facts.legal_name<br/>facts.rating #33;#61; 'bad'\"]" in text
    assert "target 3bd · milestone collected" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('say "yes"', "say #34;yes#34;"),
        ("a\nb", "a b"),
        ("100 %", "100 #37;"),
        ("{x}", "#123;x#125;"),
        ("#1;", "#35;1#59;"),
        ("größe 漢字", "größe 漢字"),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_a_label_is_only_text(text: str, shown: str) -> None:
    """Everything that Mermaid or HTML reads goes in as a number."""
    assert shown == label(text)


def test_hostile_titles_draw_nothing() -> None:
    """The same lines as with tame titles, but for what stands between the quotes."""
    tame = a_definition()
    hostile = replace(
        tame,
        items=tuple(replace(item, title=HOSTILE, when=HOSTILE) for item in tame.items),
        stages=tuple(replace(stage, title=HOSTILE, when=HOSTILE, milestone=HOSTILE) for stage in tame.stages),
    )
    drawn = [re.sub(r'"[^"]*"', '""', definition_picture(one)) for one in (tame, hostile)]

    assert drawn[0] == drawn[1]


def test_the_diagram_is_drawn_from_the_table_of_the_machine() -> None:
    """Every status of the code is in it, and no other."""
    text = status_diagram()
    named = set(re.findall(r"^  (\w+) -->", text, flags=re.MULTILINE))
    named |= set(re.findall(r"--> (\w+)", text))

    assert set(ItemStatus) == named
    assert "  [*] --> not_ready\n" in text
    assert "  answered --> in_review: no blocking check open, review\n" in text


def test_a_move_that_stays_is_not_drawn_as_a_move() -> None:
    """A reminder leaves an open item open and a returned one returned."""
    text = status_diagram()

    assert "open --> returned" not in text
    assert "returned --> open" not in text


def test_the_lines_of_the_diagram_have_one_colon() -> None:
    """A second one, a semicolon or a hash would end the line for Mermaid."""
    for line in status_diagram().splitlines()[2:]:
        assert re.fullmatch(r"  [\w\[\]*]+ --> [\w\[\]*]+(: [\w (),/-]+)?", line), line


def test_the_page_lists_every_transition_event_and_effect() -> None:
    """What the code can do is what the page says."""
    text = machine_page()

    for *_, effect in TRANSITIONS:
        assert effect.replace("|", "\\|") in text
    for kind in (*get_args(events.Event), *get_args(effects.Effect)):
        assert f"| `{kind.__name__}` |" in text
