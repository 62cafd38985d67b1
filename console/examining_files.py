"""What `doctor` says of the files that an installation writes itself: definitions, directory, letters, channels, hooks."""

from __future__ import annotations

from collections.abc import Iterator

from console import ground, letters_here
from console.examination_rows import Row, row
from onboarding.errors import DefinitionInvalid


def files() -> Iterator[Row]:
    """A line for each, and one for each fault in it."""
    yield from _definitions()
    yield from _directory()
    yield from _directory_hook()
    yield from _templates()
    yield from _channels()
    yield from _hooks()


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
