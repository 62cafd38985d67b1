"""Public holidays as plain dates, looked up when a run starts and frozen into it: the data of a country changes with each release.

Only what the `holidays` library calls public: days off by law in the whole country or subdivision, with the days on which they
are made good (`observed`). Half days, bank holidays and school holidays are none. Dates that the moon decides are estimates.
"""

from datetime import date
from functools import lru_cache

from holidays import country_holidays
from holidays.registry import COUNTRIES, EntityLoader

from onboarding.nearest import nearest

_SHOWN = 64
_LISTED = 12


class UnknownRegion(ValueError):
    """Raised for a country or subdivision without known holidays; its text names the nearest one.

    You got here with a typing error or with a name where a code belongs; show the sentence to the author of the definition.
    """


@lru_cache(maxsize=256)
def public_holidays(country: str, subdivision: str | None, from_year: int, to_year: int) -> tuple[date, ...]:
    """The public holidays of these years, both included, in order."""
    check_region(country, subdivision)
    found = country_holidays(country, subdiv=subdivision, years=range(from_year, to_year + 1))
    return tuple(sorted(day for day in found if from_year <= day.year <= to_year))


def check_region(country: str, subdivision: str | None) -> None:
    """Nothing for a known country and subdivision, by code or by a name the library knows; else `UnknownRegion`."""
    if country not in _codes():
        hint = _hint(country) or ": write its two letters, such as DE."
        raise UnknownRegion(f"There are no holidays of a country {country[:_SHOWN]!r}{hint}")
    if subdivision is None:
        return  # no need to load the data of all countries, which the library does for one
    parts = _parts(country)
    if subdivision not in parts:
        some = f": one of {', '.join(list(parts)[:_LISTED])} …" if parts else ": it has none here; leave it out."
        raise UnknownRegion(
            f"{country} has no subdivision {subdivision[:_SHOWN]!r}{_alike(subdivision, parts) or some}"
        )


def _hint(country: str) -> str:
    """The code of a country whose English name was written, or the nearest code."""
    wanted = country[:_SHOWN].replace(" ", "").lower()
    by_name = next((names[1] for names in COUNTRIES.values() if names[0].lower() == wanted), "")
    return f"; did you mean {by_name!r}?" if by_name else _alike(country, _codes())


def _alike(wrong: str, known: tuple[str, ...]) -> str:
    """The same in other letters, else the nearest one."""
    same = next((one for one in known if one.lower() == wrong.strip().lower()), None)
    return f"; did you mean {same!r}?" if same else nearest(wrong.upper() if len(wrong) < 4 else wrong, known)


@lru_cache(maxsize=1)
def _codes() -> tuple[str, ...]:
    return tuple(EntityLoader.get_country_codes())


def _parts(country: str) -> tuple[str, ...]:
    """What a subdivision may be called: its code, or a name that the library takes for one."""
    known = country_holidays(country)
    names = known.get_subdivision_aliases()
    return (*names, *(alias for aliases in names.values() for alias in aliases))
