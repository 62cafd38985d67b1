"""What letters are made of in this installation: templates, languages, and how people are reached. Put together here for both doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from integrations.directory import LayeredDirectory
    from integrations.rendering import TemplateRenderer
    from integrations.template_check import Broken
    from integrations.template_folders import Folders
    from onboarding.ports import HookRunner
    from runtime.directory_file import DirectoryFile


def folders(settings: Settings) -> Folders:
    """Where templates come from: the folder that ONBOARDING_TEMPLATES names, then the shipped ones."""
    from integrations.rendering import READABLE
    from integrations.template_folders import Folders

    return Folders(settings.templates, settings.language, readable=READABLE)


def demand_languages(found: Folders) -> Folders:
    """The same, with its languages read. Raises `SettingsInvalid` for a language file that cannot be used."""
    from integrations.wording import WordingInvalid
    from runtime.errors import SettingsInvalid

    try:
        found.chosen(found.language)
    except WordingInvalid as error:
        raise SettingsInvalid(str(error), place="ONBOARDING_TEMPLATES", way_out="Mend the file.") from None
    return found


def template_names(settings: Settings) -> tuple[str, ...]:
    """What definitions may name; a language file that nobody can read is told elsewhere, and keeps no definition from being read."""
    from integrations.template_names import TEMPLATES

    if settings.templates is None:
        return TEMPLATES
    from integrations.wording import WordingInvalid

    try:
        return folders(settings).names
    except WordingInvalid:
        return TEMPLATES


def broken_templates(settings: Settings, definition: str | None = None) -> tuple[Broken, ...]:
    """What is wrong with the installation's own templates; only with those that a definition may use, where one is named."""
    if settings.templates is None:
        return ()
    from integrations.template_check import broken

    return broken(settings.templates, settings.language, definition)


def demand_templates(settings: Settings) -> None:
    """Raises `SettingsInvalid` for a template that cannot be used: it is found before anybody waits for a letter."""
    from runtime.errors import SettingsInvalid

    found = broken_templates(settings)
    if found:
        first = found[0]
        raise SettingsInvalid(
            f"{len(found)} faults in templates; the first is {first.path}:{first.fault.line}: {first.fault.sentence}",
            place="ONBOARDING_TEMPLATES",
            way_out="`python starter.py doctor` shows more of them.",
        )


def directory_file(settings: Settings) -> DirectoryFile:
    """What the file says that ONBOARDING_DIRECTORY names. Raises `DefinitionInvalid` with every fault."""
    from integrations.directory import SORTS
    from runtime.directory_file import read_directory

    return read_directory(settings.directory, SORTS, _channels(settings))


def _channels(settings: Settings) -> tuple[str, ...] | None:
    """The names of channels; what is wrong with their own file is told where that is read."""
    from onboarding.errors import DefinitionInvalid
    from runtime.channels_file import channel_names

    try:
        return None if settings.channels is None else channel_names(settings.channels)
    except DefinitionInvalid:
        return None


def unknown_directory_hook(settings: Settings, hooks: HookRunner) -> str | None:
    """Why the hook of the directory cannot be asked, as a sentence; every letter would be put off."""
    name = settings.directory_hook
    if name is None or name in hooks.names:
        return None
    return f"ONBOARDING_DIRECTORY_HOOK names {name!r}, and no hook of this name is registered."


def directory(settings: Settings, database: Engine, hooks: HookRunner) -> LayeredDirectory:
    """How people are reached: a hook where one is set, the file, what runs were started with.

    Raises `DefinitionInvalid` for the file, and `SettingsInvalid` for a hook that is not registered.
    """
    from integrations.directory import AskedDirectory, LayeredDirectory
    from runtime.errors import SettingsInvalid
    from storage.directory import SqlDirectory

    sentence, name = unknown_directory_hook(settings, hooks), settings.directory_hook
    if sentence is not None:
        raise SettingsInvalid(
            sentence, place="ONBOARDING_DIRECTORY_HOOK", way_out=f"Registered are {', '.join(hooks.names)}."
        )
    asked = AskedDirectory(hooks, name) if name is not None else None
    return LayeredDirectory(SqlDirectory(database), directory_file(settings).people, asked)


def renderer(settings: Settings, database: Engine, answers: Mapping[str, str] | None = None) -> TemplateRenderer:
    """What makes letters of notices; `answers` is how to answer, by side, where that is not what a language says."""
    from integrations.rendering import TemplateRenderer
    from storage.about import SqlAbout

    return TemplateRenderer(SqlAbout(database), folders(settings), answers=answers)


def answers(settings: Settings) -> Mapping[str, str]:
    """How to answer, as the file of channels says it; needs none of its secrets. Raises `DefinitionInvalid`."""
    from runtime import channels_file

    return {} if settings.channels is None else channels_file.answers(settings.channels)
