"""What `doctor` looks at: each prerequisite is one line with the way out."""

from __future__ import annotations

import asyncio
import platform
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from console import examining_files, ground
from console.examination_rows import Row, row
from onboarding.errors import OnboardingError

if TYPE_CHECKING:
    from temporalio.client import Client

OLDEST_PYTHON = (3, 11)
_PACKAGES = (
    "temporalio",
    "pydantic",
    "sqlmodel",
    "typer",
    "rich",
    "ruamel.yaml",
    "cel-expr-python",
    "google-re2",
    "structlog",
    "cryptography",
)


async def examine(*, fix: bool) -> list[Row]:
    """Every line, from what is on this machine to what is on the server. Raises only for settings that cannot be read."""
    ground.settings()
    found = [
        *_python(),
        *examining_files.files(),
        *_database(),
        *_notices(),
        *_events(),
        *_keys(),
        *await asyncio.to_thread(_binary),
    ]
    try:
        client = await ground.client()
    except OnboardingError as error:
        sentence, way_out = getattr(error, "sentence", str(error)), getattr(error, "way_out", "")
        return [*found, row("server", "fail", sentence, way_out)]
    return [*found, *await _server(client, fix=fix)]


def _python() -> Iterator[Row]:
    version = platform.python_version()
    good = sys.version_info[:2] >= OLDEST_PYTHON
    wanted = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"
    yield row("python", "ok" if good else "fail", f"Python {version}.", "" if good else f"Use {wanted} or newer.")
    missing = [name for name in _PACKAGES if not _installed(name)]
    if missing:
        yield row("packages", "fail", f"Not installed: {', '.join(missing)}.", "Run `make install`.")
    else:
        yield row("packages", "ok", f"All are installed; temporalio {metadata.version('temporalio')}.")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _database() -> Iterator[Row]:
    from storage.engine import writing
    from storage.inspection import integrity_of

    try:
        with ground.database() as engine:
            with writing(engine):
                pass
            words = integrity_of(engine)
            where = engine.url.render_as_string(hide_password=True)
    except OnboardingError as error:
        sentence, way_out = getattr(error, "sentence", str(error)), getattr(error, "way_out", "")
        yield row("database", "fail", sentence, way_out)
        return
    good = words == "ok"
    way_out = "" if good else "Restore it from a backup."
    yield row("database", "ok" if good else "fail", f"{where} can be read and written; the file says {words}.", way_out)


def _notices() -> Iterator[Row]:
    """What no channel took: somebody waits for it who knows of nothing."""
    from storage import desk

    try:
        with ground.database() as engine:
            found = desk.unheard(engine)
    except OnboardingError:  # said by the line of the database
        return
    if not found.notices:
        yield row("notices", "ok", "Nothing has failed for good.")
        return
    since = f" since {found.since:%Y-%m-%d %H:%M} UTC" if found.since else ""
    said = f"{found.notices} notices of {found.runs} runs have reached nobody{since} ({', '.join(found.codes)})."
    way_out = "`python starter.py outbox --state failed` shows them; mend what is wrong, then `outbox resend --failed`."
    yield row("notices", "warn", said, way_out)


def _events() -> Iterator[Row]:
    """What other systems have not been told yet; a minute is nothing, and a refusal is."""
    from console.channels_here import webhooks_here
    from storage.event_reading import EventReading

    try:
        named = webhooks_here(ground.settings().channels)
        with ground.database() as engine:
            behind = EventReading(engine).behind()
    except OnboardingError:  # said by the lines of that file and of the database
        return
    for one in behind:
        since = f" since {one.since:%Y-%m-%d %H:%M} UTC" if one.since else ""
        said = f"{one.webhook} has not got {one.events} events of {one.runs} runs{since}"
        codes = f" ({', '.join(one.codes)})" if one.codes else ""
        if one.webhook not in named:
            yield row(
                "events", "warn", f"{said}: ONBOARDING_CHANNELS names no such webhook.", "Name it under `webhooks`."
            )
        elif one.parked:
            way_out = f"Mend the receiver, then `python starter.py events resend --to {one.webhook}`."
            yield row("events", "warn", f"{said}{codes}; {one.parked} of the runs were refused for good.", way_out)
        else:
            way_out = f"`python starter.py events --to {one.webhook}` shows them." if codes else ""
            yield row("events", "warn" if codes else "ok", f"{said}{codes}.", way_out)
    if not behind:
        yield row("events", "ok", "Every event has arrived where it was to go.")


def _keys() -> Iterator[Row]:
    from console.keys_here import demand_keys
    from runtime.masters import MasterFile
    from storage.keys import CustomerKeys

    file = MasterFile(ground.settings().keys)
    try:
        demand_keys(ground.settings())
        if not file.exists():
            yield row(
                "keys",
                "warn",
                "There is no key file: what people say is not encrypted.",
                "`python starter.py keys new`.",
            )
            return
        with ground.database() as engine:
            counted = CustomerKeys(engine, file).count()
    except OnboardingError as error:
        sentence, way_out = getattr(error, "sentence", str(error)), getattr(error, "way_out", "")
        yield row("keys", "fail", sentence, way_out)
        return
    content = file.read()
    held = [one for one in counted if one["state"] != "destroyed"]
    lost = sum(one["keys"] for one in held if content.find(one["master"]) is None)
    behind = sum(one["keys"] for one in held if one["master"] != content.current) - lost
    if lost:
        yield row(
            "keys",
            "fail",
            f"{lost} keys of customers are under a master key that is not in {file.path}.",
            "Restore that file.",
        )
    elif behind:
        yield row(
            "keys",
            "warn",
            f"{behind} keys of customers are under an older master key.",
            "`python starter.py keys rotate`.",
        )
    else:
        waits = f"; {content.waiting.id} waits to be rotated in" if content.waiting else ""
        customers = sum(one["keys"] for one in held if one["state"] == "active")
        yield row("keys", "ok", f"{content.current} encrypts for {customers} customers{waits}.")


def _binary() -> list[Row]:
    """Only the local server needs a binary, so its absence is no failure."""
    from runtime.temporal_cli import VARIABLE, explain

    steps = explain()
    return [
        row(
            f"temporal binary ({step.name})",
            "fail" if step.name == VARIABLE and step.level == "fail" else step.level,
            step.sentence,
            step.way_out,
        )
        for step in steps
    ]


async def _server(client: Client, *, fix: bool) -> list[Row]:
    from temporalio.service import RPCError

    from runtime.connection import ui_base
    from runtime.health import pollers
    from runtime.search_attributes import ensure_search_attributes

    address = client.service_client.config.target_host
    found = [row("server", "ok", f"{address} answers.")]
    try:
        checks = await ensure_search_attributes(client, fix=fix)
    except OnboardingError as error:
        return [*found, row("namespace", "fail", getattr(error, "sentence", str(error)), getattr(error, "way_out", ""))]
    found.append(row("namespace", "ok", f"{client.namespace!r} exists."))
    wrong = [check for check in checks if not check.ok]
    added = [check for check in checks if check.added and check.ok]
    found += [row("search attribute", "fail", check.sentence) for check in wrong]
    if not wrong:
        news = f"; {len(added)} were registered now" if added else ""
        found.append(row("search attributes", "ok", f"All {len(checks)} are there{news}."))
    queue = ground.settings().task_queue
    try:
        polling = await pollers(client, queue)
    except RPCError as error:
        return [*found, row("worker", "warn", f"The server does not tell who polls: {error.message}.")]
    if polling:
        found.append(row("worker", "ok", f"{len(polling)} poll the task queue {queue!r}."))
    else:
        found.append(row("worker", "warn", f"Nobody polls the task queue {queue!r}.", "Start one: python worker.py"))
    base = ui_base(ground.settings(), address)
    return [*found, await asyncio.to_thread(_ui, base)]


def _ui(base: str | None) -> Row:
    if base is None:
        return row(
            "ui",
            "warn",
            "Nobody says where the Temporal UI is.",
            "Set ONBOARDING_UI_URL, so that links can be printed.",
        )
    # No proxy of the environment: most UIs are on this machine or in this network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(base, timeout=3):
            return row("ui", "ok", f"{base} answers.")
    except urllib.error.HTTPError:
        return row("ui", "ok", f"{base} answers and wants a login.")
    except (urllib.error.URLError, OSError, ValueError):
        return row("ui", "warn", f"{base} does not answer.", "Set ONBOARDING_UI_URL, or start the UI.")
