"""The page about hostile input names tests that exist, and limits as they are."""

from __future__ import annotations

import re

from onboarding import limits
from tests.support.shell import ROOT

PAGE = (ROOT / "docs" / "hostile-input.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    """A test that was renamed or taken out would leave a promise without proof."""
    named = re.findall(r"`(test_\w+)`", PAGE)
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 30
    assert [name for name in named if f"def {name}(" not in written] == []


def test_every_limit_stands_in_the_table_with_its_reason() -> None:
    """A limit that is not told, or told as it was before, surprises somebody."""
    names = [name for name in vars(limits) if name.isupper()]

    assert len(names) > 50
    rows = {name: rf"\| `{name}` \| {getattr(limits, name):,} \| \S.{{15,}} \|" for name in names}
    assert [name for name, row in rows.items() if not re.search(row, PAGE)] == []
