"""The names that a definition may use and this installation must provide, and the tables it is checked against."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from onboarding.language.model import CalendarRule, Region
from onboarding.language.units import Duration


class CalendarTables(Protocol):
    """What is known about zones and countries. The core holds no such tables: whoever checks a definition hands them in.

    Every rule handed to `works` and `reaches` has a fixed zone.
    """

    def zone_fault(self, name: str) -> str | None:
        """Why there is no such zone, as a sentence; `None` where there is."""
        ...

    def region_fault(self, region: Region) -> str | None:
        """Why there are no such holidays, as a sentence; `None` where there are."""
        ...

    def works(self, rules: Sequence[CalendarRule]) -> bool:
        """Whether there are hours in which all these calendars work."""
        ...

    def reaches(self, rules: Sequence[CalendarRule], duration: Duration) -> bool:
        """Whether so much working time passes within any reasonable span."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is registered here; `None` means that this kind of name is not checked."""

    activities: tuple[str, ...] | None = None
    templates: tuple[str, ...] | None = None
    webhooks: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    calendars: CalendarTables | None = None


PORTABLE = Installation()
"""Checks nothing outside the file: the definition may be meant for another installation."""
