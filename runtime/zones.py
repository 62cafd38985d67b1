"""Time zones as explicit data, read from the IANA tables when a definition is compiled.

The core consults no table: what a zone means in a run must not change with the machine that
replays it. So the changes of offset are written out here, once, for the years a definition needs.

Only the `tzdata` package is read, never the tables of the machine (which `ZoneInfo(name)` prefers):
the same checkout compiles the same definition, with the same hash, everywhere.
"""

from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from onboarding.engine.calendars import Zone

# The offsets are looked up day by day: a span of years is cheap, one of millennia is a mistake.
FIRST_YEAR = 1900
LAST_YEAR = 2200

_DAY = 86_400
_NEAREST = 3
_ALIKE = 0.6
_COMPARED = 64


class UnknownZone(ValueError):
    """Raised for a name that is not in the IANA table, with the names that come nearest.

    You got here with a typing error, an abbreviation or a city without a table entry; show the
    sentence to the author of the definition.
    """

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        super().__init__(name, nearest)
        self.name = name
        self.nearest = nearest

    def __str__(self) -> str:
        found = self.name if len(self.name) <= _COMPARED else self.name[:_COMPARED] + "…"
        hint = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        return f"expected an IANA time zone like Europe/Berlin, found {found!r}{hint}."


@lru_cache(maxsize=256)
def zone(name: str, from_year: int, to_year: int) -> Zone:
    """The zone with every change of offset in these years, both included.

    Outside them the first and the last offset hold.
    """
    if not FIRST_YEAR <= from_year <= to_year <= LAST_YEAR:
        raise ValueError(
            f"expected years in order between {FIRST_YEAR} and {LAST_YEAR}, found {from_year} to {to_year}."
        )
    # A name becomes a path: only listed ones do.
    if name not in _names():
        raise UnknownZone(name, nearest_zones(name))
    return Zone(name=name, transitions=_transitions(_table(name), from_year, to_year))


def nearest_zones(name: str) -> tuple[str, ...]:
    """Up to three names of zones that look like `name` or end in a city like it, best first."""
    wanted = _plain(name)
    scores = [(-_likeness(wanted, _plain(known)), known) for known in _names()]
    return tuple(known for score, known in sorted(scores)[:_NEAREST] if -score >= _ALIKE)


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    return tuple(sorted(files("tzdata").joinpath("zones").read_text("utf-8").split()))


def _table(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _transitions(table: ZoneInfo, from_year: int, to_year: int) -> tuple[tuple[int, int], ...]:
    # A day more at both ends, because local years begin and end at other instants.
    start = _second(from_year) - _DAY
    end = _second(to_year + 1) + _DAY
    found = [(start, _offset(table, start))]
    for low in range(start, end, _DAY):
        high = low + _DAY
        if _offset(table, high) != found[-1][1]:
            found.append(_change(table, low, high))
    return tuple(found)


def _change(table: ZoneInfo, low: int, high: int) -> tuple[int, int]:
    """The second in (low, high] from which another offset holds than at `low`."""
    before = _offset(table, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(table, middle) == before:
            low = middle
        else:
            high = middle
    return high, _offset(table, high)


def _offset(table: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, table).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


def _second(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _plain(name: str) -> str:
    return name[:_COMPARED].strip().replace(" ", "_").lower()


def _likeness(wanted: str, known: str) -> float:
    city = SequenceMatcher(None, known.rpartition("/")[2], wanted.rpartition("/")[2]).ratio()
    # The full name counts more, so that Europe/Berln does not suggest a Berlin elsewhere first.
    return max(SequenceMatcher(None, known, wanted).ratio(), city * 0.95)
