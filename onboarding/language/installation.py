"""The names that a definition may use and this installation must provide."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is registered here; `None` means that this kind of name is not checked."""

    activities: tuple[str, ...] | None = None
    templates: tuple[str, ...] | None = None
    webhooks: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None


PORTABLE = Installation()
"""Checks nothing outside the file: the definition may be meant for another installation."""
