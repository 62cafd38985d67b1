"""What a door needs before it opens: a Python that is new enough, with what `make install` puts there.

This file is read by whatever Python somebody has typed, so it uses nothing that an old one does not know.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

OLDEST = (3, 11)
NEEDED = (
    "temporalio", "pydantic", "email_validator", "pydantic_settings", "sqlmodel", "sqlalchemy", "alembic", "structlog", "cryptography", "typer", "rich", "ruamel",
    "cel_expr_python", "re2", "httpx2", "httpcore2", "aiosmtplib", "jinja2", "standardwebhooks", "cloudevents", "puremagic", "stdnum", "phonenumbers", "tzdata", "holidays",
)  # fmt: skip
"""What is imported of each dependency."""
USAGE = 64
"""As for a wrong option: what was typed has to change, and no server or later try (69, 75) would help."""


def require(door: str) -> None:
    """Ends the process with a sentence and 64 where this Python cannot run the door (`starter.py`, `worker.py`)."""
    found = sys.version_info[:2]
    missing = [name for name in NEEDED if find_spec(name) is None]
    if found >= OLDEST and not missing:
        return
    what = "has not what the onboarding engine needs (" + missing[0] + " is missing)" if missing else ""
    if found < OLDEST:
        what = "is {}.{}, and the onboarding engine needs {}.{} or newer".format(*found, *OLDEST)
    way_out = "run `make install`, then `.venv/bin/python " + door + "`"
    if sys.stderr is not None:
        sys.stderr.write("This Python (" + (sys.executable or "python") + ") " + what + ": " + way_out + ".\n")
        sys.stderr.flush()
    raise SystemExit(USAGE)
