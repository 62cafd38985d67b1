"""What a test has counted or measured: printed at the end of a session, whichever process the test ran in."""

from __future__ import annotations

from collections.abc import Callable

Figure = Callable[[str], None]
"""Of the fixture `figure`: one line, in words."""

PROPERTY = "figure"
"""The property of a test's report that carries one."""
