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

from console import ground, letters_here
from onboarding.errors import DefinitionInvalid, OnboardingError

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

Row = dict[str, str]


def row(name: str, level: str, sentence: str, way_out: str = "") -> Row:
    """One line: `ok`, `warn` or `fail`, a sentence, and the way out."""
    return {"name": name, "level": level, "sentence": sentence, "way_out": way_out}


def line(one: Row) -> str:
    """A row as text."""
    return f"{one['level']:<5}{one['name']}: {one['sentence']}{' ' + one['way_out'] if one['way_out'] else ''}"


async def examine(*, fix: bool) -> list[Row]:
    """Every line, from what is on this machine to what is on the server. Raises only for settings that cannot be read."""
    ground.settings()
    found = [
        *_python(),
        *_definitions(),
        *_directory(),
        *_directory_hook(),
        *_templates(),
        *_channels(),
        *_database(),
        *_notices(),
        *_events(),
        *_hooks(),
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


def _definitions() -> Iterator[Row]:
    from runtime import library

    folder = ground.settings().definitions
    known = library.known_ids(folder=folder)
    if not known:
        yield row(
            "definitions", "warn", f"There is none in {folder}.", "Set ONBOARDING_DEFINITIONS, or name files by path."
        )
        return
    try:
        installation = ground.installation()
    except DefinitionInvalid as invalid:
        yield row("definitions", "fail", str(invalid).replace("\n", " "), "Mend that file first.")
        return
    broken = [
        name
        for name in known
        if any(
            fault.severity == "error"
            for fault in library.check_file(folder / f"{name}.yaml", installation=installation)
        )
    ]
    if broken:
        yield row("definitions", "fail", f"With errors: {', '.join(broken)}.", "`python starter.py check` shows them.")
    else:
        yield row("definitions", "ok", f"{len(known)} without an error: {', '.join(known)}.")


def _directory() -> Iterator[Row]:
    path = ground.settings().directory
    if path is None:
        yield row("directory", "ok", "No directory is set: a group's name stands for its members.")
        return
    try:
        found = letters_here.directory_file(ground.settings())
    except DefinitionInvalid as invalid:
        yield row("directory", "fail", str(invalid).replace("\n", " "), "Correct ONBOARDING_DIRECTORY.")
        return
    yield row("directory", "ok", f"{path} names {len(found.groups)} groups and {len(found.people)} people.")


def _templates() -> Iterator[Row]:
    found, own = letters_here.broken_templates(ground.settings()), ground.settings().templates
    if found:
        told = "; ".join(f"{one.path}:{one.fault.line}: {one.fault.sentence}" for one in found[:5])
        more = f" And {len(found) - 5} more." if len(found) > 5 else ""
        yield row("templates", "fail", f"{told}{more}", "`python starter.py check` shows them, too.")
        return
    folders = letters_here.folders(ground.settings())
    where = f"; of {own} {sum(one.own for one in folders.places())} files" if own else ""
    language = folders.chosen(folders.language)
    if language != folders.language:
        yield row(
            "templates",
            "fail",
            f"Nothing is written in {folders.language!r}.",
            "Correct ONBOARDING_LANGUAGE, or write its language.toml.",
        )
        return
    yield row(
        "templates",
        "ok",
        f"{len(folders.names)} in {', '.join(folders.languages)}; the language here is {language}{where}.",
    )


def _directory_hook() -> Iterator[Row]:
    from console.hooks_here import hooks_here

    try:
        hooks = hooks_here(ground.settings().hooks)
    except DefinitionInvalid:
        return  # told in a line of its own
    sentence = letters_here.unknown_directory_hook(ground.settings(), hooks)
    if sentence is not None:
        yield row("directory", "fail", sentence, f"Registered are {', '.join(hooks.names)}.")


def _channels() -> Iterator[Row]:
    from console.channels_here import channels_here

    path = ground.settings().channels
    if path is None:
        yield row("channels", "ok", "ONBOARDING_CHANNELS names no file: a notice that is kept counts as sent.")
        return
    try:
        ways = channels_here(path)
    except DefinitionInvalid as invalid:
        for fault in invalid.faults:
            level = "fail" if fault.severity == "error" else "warn"
            yield row("channels", level, f"{invalid.file}:{fault}", "Correct ONBOARDING_CHANNELS.")
        return
    for fault in ways.said.warnings:
        yield row("channels", "warn", f"{path}:{fault}")
    if ways.channels:
        named = ", ".join(f"{name} ({way.kind})" for name, way in ways.said.channels.items())
        yield row("channels", "ok", f"{path} can be used: {named}; {len(ways.said.routes)} routes.")
    else:
        yield row("channels", "warn", f"{path} names no channel: a notice that is kept counts as sent.")
    if ways.said.webhooks:
        yield row("webhooks", "ok", f"Events go to {', '.join(ways.said.webhooks)}, where a definition says so.")


async def greet() -> list[Row]:
    """Each channel, connected to without a letter. Raises `DefinitionInvalid` where the file cannot be used."""
    from console.channels_here import channels_here
    from integrations.letters import NotTaken, Postponed

    ways = channels_here(ground.settings().channels)
    found = []
    for name, channel in ways.channels.items():
        try:
            await channel.hello()
            found.append(row(name, "ok", "It can be reached; nothing was sent."))
        except (NotTaken, Postponed, TimeoutError) as error:
            code = getattr(error, "code", "timeout")
            found.append(
                row(name, "fail", f"It cannot be reached now ({code}).", "docs/channels.md says what this means.")
            )
        finally:
            await channel.close()
    return found or [row("channels", "warn", "No channel is configured: a notice that is kept counts as sent.")]


def _hooks() -> Iterator[Row]:
    from console.hooks_here import hooks_here

    path = ground.settings().hooks
    try:
        hooks = hooks_here(path)
    except DefinitionInvalid as invalid:
        for fault in invalid.faults:
            yield row("hooks", "fail", f"{invalid.file}:{fault}", "Correct ONBOARDING_HOOKS.")
        return
    if path is None:
        yield row("hooks", "ok", f"{len(hooks.names)} are registered; ONBOARDING_HOOKS names no file of more.")
    else:
        yield row("hooks", "ok", f"{len(hooks.names)} are registered, as {path} says.")


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
