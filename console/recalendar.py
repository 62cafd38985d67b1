"""`set-calendar`: the one message whose command looks something up. A run knows no zones and no countries, so data are sent to it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from console import ground, messages, sending
from console.leaving import Misused
from console.ordering import holidays_around, zone_around
from onboarding.messages import SetCalendar

app = typer.Typer()

_OPTIONS: Mapping[str, tuple[Any, str, str]] = {
    "tz": (str | None, "--tz", "The zone, such as Europe/Madrid; it is sent as data."),
    "week": (str | None, "--week", "Working days: a range such as mon-fri, or days with commas: mon,tue,thu."),
    "hours": (list[str] | None, "--hours", "A window of working hours, such as 09:00-17:00; may be given several times."),
    "country": (str | None, "--country", "Two capital letters: its public holidays are days off."),
    "subdivision": (str | None, "--subdivision", "A state, canton or region of the country, such as BE or Berlin."),
    "holiday": (list[str] | None, "--holiday", "A day off, such as 2026-12-24; may be given several times, also beside --country."),
    "no_holidays": (bool, "--no-holidays", "There are no days off any more."),
}  # fmt: skip
"""Name, type, option and meaning of what stands for `zone`, `week`, `hours` and `holidays` on a command line."""


def parts(
    *,
    year: int,
    tz: str | None = None,
    week: str | None = None,
    hours: Sequence[str] | None = None,
    country: str | None = None,
    subdivision: str | None = None,
    holiday: Sequence[str] | None = None,
    no_holidays: bool = False,
) -> dict[str, Any]:
    """The parts of a calendar as the message carries them; `Misused` for a zone or country that nobody knows."""
    found: dict[str, Any] = {}
    if tz is not None:
        try:
            zone = zone_around(tz, year)
        except ValueError as unknown:
            raise Misused(f"--tz: {unknown}") from None
        found["zone"] = {"name": zone.name, "transitions": [list(change) for change in zone.transitions]}
    if week is not None:
        days = [day.strip() for day in week.split(",")]
        found["week"] = days if len(days) > 1 else week
    if hours:
        found["hours"] = list(hours)
    if subdivision is not None and country is None:
        raise Misused("--subdivision is a part of a country: give --country, too.")
    if no_holidays and (country is not None or holiday):
        raise Misused("--no-holidays leaves none: leave out --country and --holiday.")
    if no_holidays or country is not None or holiday:
        found["holidays"] = sorted({*(holiday or ()), *_of(country, subdivision, year)})
    return found


def _of(country: str | None, subdivision: str | None, year: int) -> list[str]:
    if country is None:
        return []
    try:
        return [str(day) for day in holidays_around(country, subdivision, year)]
    except ValueError as unknown:
        raise Misused(f"--country: {unknown}") from None


def _send(**given: Any) -> int:
    ground.settings()
    run, signal = given.pop("run"), given.pop("signal")
    given.pop("output")
    own = {name: given.pop(name) for name in _OPTIONS}
    content = {**messages.content(SetCalendar, given), **parts(year=datetime.now(UTC).year, **own)}
    return messages.told(sending.speak(run, SetCalendar.name, content, signal=signal), signal=signal)


def _parameters() -> list[inspect.Parameter]:
    """What every message has, with the options of this command before them."""
    run, calendar, *others = messages.parameters(SetCalendar, without=("zone", "week", "hours", "holidays"))
    own = [
        inspect.Parameter(
            name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False if kind is bool else None,
            annotation=Annotated[kind, typer.Option(option, help=said, show_default=False)],
        )
        for name, (kind, option, said) in _OPTIONS.items()
    ]  # fmt: skip
    return [run, calendar, *own, *others]


_send.__doc__ = SetCalendar.__doc__
_send.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
_send.__annotations__ = {one.name: one.annotation for one in _parameters()}
app.command("set-calendar")(_send)
