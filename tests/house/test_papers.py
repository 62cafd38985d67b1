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
