"""What a command stands on: settings, what this installation offers, the database, a connection. Each made when it is asked for."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from console.leaving import Answered
from console.printing import hint
from runtime.settings import Settings, read_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from temporalio.client import Client

    from onboarding.language.installation import Installation
    from storage.read_table import ReadTable

_Result = TypeVar("_Result")

NEAREST_AMONG = 1_000
"""Runs whose names are compared to a wrong one."""


_adopted: list[Settings] = []


def settings() -> Settings:
    """The settings of this process; every command asks for them first, so that an unknown variable ends it."""
    if not _adopted:
        _adopted.append(read_settings())
    return _adopted[0]


def adopt(own: Settings) -> None:
    """From here on this process works with settings of its own: the demo must touch nothing that is configured."""
    _adopted[:] = [own]


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Runs what talks to Temporal, with the SDK's own words on stderr. Ctrl-C ends it, as `KeyboardInterrupt`."""
    try:
        from console.interrupting import woken_by_signals
        from runtime.logs import set_up_logs

        chosen = settings()
        set_up_logs(chosen.log_format, "DEBUG" if chosen.log_level == "DEBUG" else "WARNING")
        # What an abandoned call says when it is collected means nothing to a person at a terminal.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        with asyncio.Runner() as runner, woken_by_signals(runner.get_loop()):
            return runner.run(work)
    finally:
        if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            work.close()  # interrupted before it began, it would tell the terminal that nobody has awaited it


async def client(*, sends: bool = False) -> Client:
    """A connection to the configured server; `Unreachable` (exit 69) within five seconds where there is none.

    Whoever `sends` what people say is refused where it would have to be encrypted and is not (`SettingsInvalid`, `KeysUnavailable`).
    """
    from console.keys_here import cache_of, demand_keys
    from runtime.connection import connect

    if sends:
        demand_keys(settings())
    return await connect(settings(), keys=cache_of(settings()))


@contextmanager
def database() -> Iterator[Engine]:
    """The configured database, with its tables."""
    from storage.engine import open_database

    engine = open_database(settings().database_url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def read_table() -> Iterator[ReadTable]:
    """What was written about all runs."""
    from storage.read_table import ReadTable

    with database() as engine:
        yield ReadTable(engine)


def groups() -> dict[str, tuple[str, ...]]:
    """The members of groups, from the file that ONBOARDING_DIRECTORY names: `group: [handle or address, …]`."""
    from console.letters_here import directory_file

    return dict(directory_file(settings()).groups)


def installation() -> Installation:
    """The names that definitions may use here: registered hooks, templates, webhooks, and groups where a directory names them."""
    from console.channels_here import webhooks_here
    from console.hooks_here import hooks_here
    from console.letters_here import template_names
    from onboarding.language.installation import Installation

    hooks = hooks_here(settings().hooks)
    known = tuple(groups()) if settings().directory is not None else None
    webhooks = webhooks_here(settings().channels)
    return Installation(activities=hooks.names, templates=template_names(settings()), webhooks=webhooks, groups=known)


def workflow_id(name: str) -> str:
    """The workflow id of a run's name, which may be `customer/definition`; `Answered` unknown for what is none."""
    from workflows.address import parse_run

    parsed = parse_run(name.strip())
    if parsed is None:
        raise unknown_run(name)
    return str(parsed)


def unknown_run(name: str) -> Answered:
    """The answer for a run that nobody knows, with the nearest one that is known."""
    from onboarding.nearest import nearest

    shown = name[:200]
    if "/" not in name.strip("/"):
        return _customer_only(shown)
    found = nearest(name, known_runs())
    sentence = f"No run {shown!r} is known here{found or '; python starter.py list shows what is.'}"
    return Answered({"outcome": "unknown", "code": "unknown_run", "sentence": sentence, "run": shown})


def _customer_only(name: str) -> Answered:
    """The answer for a name that is half of one; their runs are named where they are known."""
    theirs = [run.removeprefix("onboarding/") for run in known_runs() if run.split("/")[1] == name.strip()]
    sentence = f"A run is named CUSTOMER/DEFINITION, and {name!r} is no such name"
    if len(theirs) == 1:
        sentence += f"; did you mean {theirs[0]!r}?"
    elif theirs:
        sentence += f"; this customer has {len(theirs)} runs: {', '.join(theirs[:5])}."
    else:
        sentence += "; python starter.py list shows what is known here."
    return Answered({"outcome": "unknown", "code": "unknown_run", "sentence": sentence, "run": name})


def known_runs() -> list[str]:
    """Names of runs in the read table; none where there is no table to read."""
    from onboarding.errors import OnboardingError

    names: list[str] = []
    cursor = None
    try:
        with read_table() as table:
            while len(names) < NEAREST_AMONG:
                page = table.runs(cursor=cursor)
                names += [row["run"] for row in page["rows"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
    except OnboardingError:
        pass  # a hint must not be the reason why a command fails
    return names


def remembered(run: str) -> dict[str, Any] | None:
    """What the read table says of a run, or `None`, also when it cannot be read."""
    from onboarding.errors import OnboardingError

    try:
        with read_table() as table:
            return table.find(run)
    except OnboardingError as error:
        hint(str(error))
        return None
