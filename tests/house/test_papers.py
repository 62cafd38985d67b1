"""Papers that are made from the code say what the code says."""

from __future__ import annotations

from tests.support.shell import ROOT
from tools import make_docs


def test_the_page_for_integrators_names_every_message_and_attribute_of_today() -> None:
    """`python tools/make_docs.py` brings it up to date."""
    assert make_docs.integrating() == (ROOT / make_docs.INTEGRATING).read_text(encoding="utf-8")


def test_the_readme_leads_integrators_to_their_page() -> None:
    """It is where a message that is no object is sent for its fields."""
    assert "(docs/integrating.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_type_of_event_has_its_schema_of_today_and_no_other_has_one() -> None:
    """What a receiver once got stays: another version is another file."""
    wanted = {path: make() for path, make in make_docs.event_schemas().items()}

    assert {
        path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "events").iterdir()
    } == wanted
    assert make_docs.events_page() == (ROOT / make_docs.EVENTS).read_text(encoding="utf-8")
