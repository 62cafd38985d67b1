"""Zones as explicit data: every change of offset, and help with names."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from onboarding.engine.calendars import Calendar, Zone, add_working_seconds, windows
from runtime.zones import FIRST_YEAR, LAST_YEAR, UnknownZone, nearest_zones, zone

ZONES = [
    "Africa/Casablanca",
    "America/New_York",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "UTC",
]


def changes(of: Zone) -> list[tuple[str, int]]:
    """The changes of offset without the opening entry, in UTC and minutes."""
    return [(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}", offset // 60) for at, offset in of.transitions[1:]]


@pytest.mark.parametrize(
    ("name", "year", "expected"),
    [
        ("Europe/Berlin", 2025, [("2025-03-30 01:00", 120), ("2025-10-26 01:00", 60)]),
        ("America/New_York", 2025, [("2025-03-09 07:00", -240), ("2025-11-02 06:00", -300)]),
        ("Australia/Lord_Howe", 2025, [("2025-04-05 15:00", 630), ("2025-10-04 15:30", 660)]),
        ("Africa/Casablanca", 2025, [("2025-02-23 02:00", 0), ("2025-04-06 02:00", 60)]),
        ("Asia/Kolkata", 2025, []),
        ("UTC", 2025, []),
    ],
)
def test_every_change_of_offset_is_found_to_the_second(name: str, year: int, expected: list[tuple[str, int]]) -> None:
    """Half hours, Ramadan and the southern half of the year included."""
    assert expected == changes(zone(name, year, year))


@pytest.mark.parametrize(("name", "offset"), [("Asia/Kathmandu", 20_700), ("Asia/Kolkata", 19_800), ("UTC", 0)])
def test_a_zone_without_changes_is_one_entry(name: str, offset: int) -> None:
    """The opening entry alone says it all."""
    ((_, found),) = zone(name, 2020, 2030).transitions

    assert offset == found


def test_a_day_that_was_skipped_is_one_change() -> None:
    """Samoa went over the date line at the end of 2011: from ten hours behind to fourteen ahead."""
    assert ("2011-12-30 10:00", 14 * 60) in changes(zone("Pacific/Apia", 2011, 2011))


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1990, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC)),
)
def test_the_data_agree_with_the_table(name: str, at: datetime) -> None:
    """At any instant the last entry before it is the offset of the table."""
    transitions = zone(name, 1990, 2024).transitions
    found = [offset for begin, offset in transitions if begin <= at.timestamp()][-1]

    assert at.astimezone(ZoneInfo(name)).utcoffset() == timedelta(seconds=found)


def test_entries_ascend_and_each_one_changes_something() -> None:
    """What the engine relies on."""
    for name in ZONES:
        transitions = zone(name, 2000, 2030).transitions

        assert sorted(transitions) == list(transitions)
        assert all(a[1] != b[1] for a, b in pairwise(transitions))


def test_a_calendar_works_by_the_data_alone() -> None:
    """Nine o'clock in Berlin is 8:00 UTC in winter and 7:00 in summer."""
    berlin = zone("Europe/Berlin", 2025, 2025)
    clock = (Calendar(zone=berlin, week=tuple(range(7)), hours=((540, 600),)),)

    begins = [
        next(windows(clock, datetime(2025, 3, day, tzinfo=UTC), datetime(2025, 4, 9, tzinfo=UTC))) for day in (29, 30)
    ]

    for hour, (begin, _) in zip((8, 7), begins, strict=True):
        assert hour == begin.hour
        assert begin + timedelta(hours=1) == add_working_seconds(clock, begin, 3_600)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Asia/Katmandou", "Asia/Katmandu"),
        ("GMT+2", "Etc/GMT+2"),
    ],
)
def test_an_unknown_zone_comes_with_the_nearest_names(name: str, nearest: str) -> None:
    """Wrong letters, wrong case and a bare city lead to the right entry."""
    with pytest.raises(UnknownZone) as refused:
        zone(name, 2025, 2026)

    assert nearest == nearest_zones(name)[0]
    assert nearest == refused.value.nearest[0]
    assert f"found {name!r}; nearest: {nearest}" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc/localtime", "../zones", "Europe", "Europe/", "localtime", "a\0b"]
)
def test_a_name_is_never_a_path(name: str) -> None:
    """Folders, files beside the table and outside paths are unknown zones, nothing worse."""
    with pytest.raises(UnknownZone):
        zone(name, 2025, 2026)


def test_a_very_long_name_is_refused_briefly() -> None:
    """The sentence does not repeat a whole file."""
    with pytest.raises(UnknownZone) as refused:
        zone("x" * 100_000, 2025, 2026)

    assert not refused.value.nearest
    assert len(str(refused.value)) < 160


@pytest.mark.parametrize(
    ("first", "last"),
    [(2026, 2025), (FIRST_YEAR - 1, 2025), (2025, LAST_YEAR + 1), (-5, 10_000)],
)
def test_years_out_of_order_or_range_are_refused(first: int, last: int) -> None:
    """The scan is bounded on both ends."""
    with pytest.raises(ValueError, match=r"^expected years in order between 1900 and 2200"):
        zone("Europe/Berlin", first, last)


@pytest.mark.parametrize(("first", "last"), [(FIRST_YEAR, FIRST_YEAR), (LAST_YEAR, LAST_YEAR)])
def test_the_outermost_years_are_fine(first: int, last: int) -> None:
    """A bound is included."""
    assert zone("Europe/Berlin", first, last).transitions
