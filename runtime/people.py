"""How files of the configuration name people: by a handle, of which there is one spelling."""

from __future__ import annotations

from onboarding.engine.roster import CONTACT
from onboarding.language.values import HANDLE
from onboarding.messages import UNVERIFIED, canonical_actor

NO_HANDLE = (
    "A handle is written as dana, or customer:champion for a contact: letters, digits, dot, dash and _, at most 63."
)


def handle_from(text: str) -> str | None:
    """The handle as runs and notices write it, or `None` for what nobody can be called by."""
    found = canonical_actor(text)
    return found if HANDLE.fullmatch(found.removeprefix(CONTACT)) and found != UNVERIFIED else None
