"""The clock on the wall of a zone, read by Python itself from the same tables as ours: those of the machine may be older."""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def wall_of(name: str) -> ZoneInfo:
    """A zone of the `tzdata` package."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as table:
        return ZoneInfo.from_file(table, key=name)
