"""What a definition's calendars are checked against: the zone tables and holidays of this house, without a clock.

A check must say the same today and next year, so it looks at the years that a definition itself writes down, and at a fixed one.
"""

from collections.abc import Sequence
from datetime import date

from onboarding.engine.calendars import Calendar, ever_works, reaches
from onboarding.language.model import CalendarRule, Region
from onboarding.language.units import Duration
from runtime.holidays_data import UnknownRegion, check_region, public_holidays
from runtime.zones import FIRST_YEAR, LAST_YEAR, UnknownZone, zone

YEAR = 2026
_YEARS_AFTER = 2


class Tables:
    """`onboarding.language.installation.CalendarTables` over the packages `tzdata` and `holidays`."""

    def zone_fault(self, name: str) -> str | None:
        """Why there is no such zone."""
        try:
            zone(name, YEAR, YEAR)
        except UnknownZone as unknown:
            sentence = str(unknown)
            return sentence[0].upper() + sentence[1:]
        return None

    def region_fault(self, region: Region) -> str | None:
        """Why there are no such holidays."""
        try:
            check_region(region.country, region.subdivision)
        except UnknownRegion as unknown:
            return str(unknown)
        return None

    def works(self, rules: Sequence[CalendarRule]) -> bool:
        """Whether these calendars ever work together."""
        return ever_works(_clock(rules))

    def reaches(self, rules: Sequence[CalendarRule], duration: Duration) -> bool:
        """Whether `duration` passes in them."""
        return reaches(_clock(rules), duration)


TABLES = Tables()


def _clock(rules: Sequence[CalendarRule]) -> tuple[Calendar, ...]:
    years = [YEAR, *(int(day[:4]) for rule in rules for day in rule.holidays)]
    first, last = max(min(years), FIRST_YEAR), min(max(years) + _YEARS_AFTER, LAST_YEAR)
    return tuple(_calendar(rule, first, last) for rule in rules)


def _calendar(rule: CalendarRule, first: int, last: int) -> Calendar:
    days = [date.fromisoformat(day) for day in rule.holidays]
    for region in rule.regions:
        days += public_holidays(region.country, region.subdivision, first, last)
    found = zone(rule.tz or "UTC", first, last)
    return Calendar(zone=found, week=rule.week, hours=rule.hours, holidays=tuple(sorted(dict.fromkeys(days))))
