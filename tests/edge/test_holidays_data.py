"""Holidays of countries as dates, and help with names; and that a definition is checked against them."""

# ruff: noqa: SIM300 – tests put the expected value first

from datetime import date

import pytest

from onboarding.language.model import CalendarRule, Region
from onboarding.language.units import parse_duration
from runtime.calendar_tables import TABLES
from runtime.holidays_data import UnknownRegion, check_region, public_holidays
from tests.support.language import errors_in
from tests.support.language_cases import SMALL


def test_the_holidays_of_a_part_are_those_of_the_country_and_its_own() -> None:
    """Women's day is a day off in Berlin and none in all of Germany."""
    country, berlin = public_holidays("DE", None, 2026, 2026), public_holidays("DE", "BE", 2026, 2026)

    assert [date(2026, 3, 8)] == sorted(set(berlin) - set(country))
    assert {date(2026, 4, 6), date(2026, 12, 25), date(2026, 12, 26)} <= set(country)
    assert list(berlin) == sorted(berlin)


def test_years_are_included_at_both_ends_and_no_others() -> None:
    """A day of another year that the library finds beside them is left out."""
    assert {2025, 2026, 2027} == {day.year for day in public_holidays("US", None, 2025, 2027)}


def test_a_day_that_is_made_good_is_a_day_off() -> None:
    """The fourth of July 2026 is a Saturday; Americans have the Friday before."""
    assert date(2026, 7, 3) in public_holidays("US", None, 2026, 2026)


@pytest.mark.parametrize(("name", "code"), [("Berlin", "BE"), ("Bayern", "BY")])
def test_a_subdivision_may_have_its_name(name: str, code: str) -> None:
    """As the library knows it."""
    assert public_holidays("DE", code, 2026, 2026) == public_holidays("DE", name, 2026, 2026)


@pytest.mark.parametrize(
    ("country", "subdivision", "words"),
    [
        ("de", None, "did you mean 'DE'?"),
        ("Germany", None, "did you mean 'DE'?"),
        ("United States", None, "did you mean 'US'?"),
        ("Q7", None, "two letters"),
        ("DE", "be", "did you mean 'BE'?"),
        ("DE", "Bayrn", "did you mean 'Bayern'?"),
        ("DE", "Bavaria", "one of BB"),
        ("MC", "X", "it has none"),
        ("x" * 500, None, "two letters"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(country: str, subdivision: str | None, words: str) -> None:
    """In one short sentence."""
    with pytest.raises(UnknownRegion) as refused:
        check_region(country, subdivision)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 250


def test_a_country_called_no_is_no_truth_value() -> None:
    """Norway is a text in YAML 1.2, and has holidays."""
    assert [] == errors_in(SMALL.replace("holidays: [2026-12-25]", "holidays: {country: NO}"))


def test_a_list_of_days_off_mixes_dates_and_countries() -> None:
    """Each fault stands at its own entry."""
    days = "[2026-12-25, {country: DE, subdivision: XX}, {country: XX}, 2026-02-30]"
    faults = errors_in(SMALL.replace("[2026-12-25]", days))

    assert [
        ("unknown_country", "calendars.provider.holidays[1].subdivision"),
        ("unknown_country", "calendars.provider.holidays[2].country"),
        ("bad_date", "calendars.provider.holidays[3]"),
    ] == [(fault.rule, fault.place) for fault in faults]


def test_holidays_may_leave_a_calendar_without_working_time() -> None:
    """Written dates and those of a country together; judged in the years that are written."""
    tuesdays = CalendarRule(
        id="x", tz="Europe/Berlin", week=(1,), holidays=("2026-12-01",), regions=(Region(country="DE"),)
    )

    assert TABLES.works((tuesdays,))
    assert TABLES.reaches((tuesdays,), parse_duration("10bd"))
