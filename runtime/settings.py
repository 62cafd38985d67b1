"""The settings of one process: read once, at a door, and then handed on as a value.

The connection to Temporal is not here: Temporal's own configuration (`TEMPORAL_ADDRESS`,
`TEMPORAL_PROFILE`, `temporal.toml`) is read by `runtime/connection.py`. Business durations are not here
either: they belong in definitions.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from onboarding.engine import rules
from runtime.errors import SettingsInvalid

PREFIX = "ONBOARDING_"
ROOT = Path(__file__).resolve().parent.parent
"""The project folder. Doors run from any folder, so defaults hang here and not on the current one."""
DATA = ROOT / ".data"
"""What this machine keeps: database, dev server file, logs. Never committed."""

# The drivers that are installed; another one would fail much later, at the first query.
_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
_HTTP: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)


_PLAIN_URL = re.compile(
    r"sqlite:///[^?]*|postgresql(\+psycopg)?://([\w.-]+(:[\w.-]*)?@)?[\w.-]+(:[0-9]{1,5})?/[\w-]+", re.ASCII
)
"""An address in which SQLAlchemy could find no fault; another one may still be right."""


def _database_url(value: str) -> str:
    if _PLAIN_URL.fullmatch(value):
        return value
    # Late: most commands ask no database, and this would be half of what they import.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ValueError("it is not an SQLAlchemy URL, such as sqlite:////folder/file.sqlite") from None
    if url.drivername not in _DATABASES:
        raise ValueError(f"it names {url.drivername!r}; possible are {', '.join(_DATABASES)}")
    return value


def _plain_word(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise ValueError("it has space around it or characters that cannot be printed")
    return value


def _web_address(value: str) -> str:
    try:
        _HTTP.validate_python(value)
    except ValidationError:
        raise ValueError("it is not an address that begins with http:// or https://") from None
    return value.rstrip("/")


def _listening_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("it is not an address and port of this machine, such as 127.0.0.1:9464") from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("it does not end with a port, such as 127.0.0.1:9464")
    return value


def _token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.replace("-", "").replace("_", "").isalnum()):
        raise ValueError("it may have letters, digits, - and _ only, because it stands in an address")
    return value


Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_word)]


class Settings(BaseSettings):
    """Every `ONBOARDING_*` variable with its safe default; `.env.example` lists the same ones."""

    # A default is right as it stands: to look at it would import what looks.
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, validate_default=False)

    channels: Path | None = None
    """A YAML file with the ways by which notices and events leave; without it what is kept counts as sent. See docs/channels.md."""
    codec_token: Annotated[SecretStr, Field(min_length=24, max_length=200), AfterValidator(_token)] | None = None
    """What whoever asks `starter.py codec-server` must know; without it each start makes one of its own."""
    database_url: Annotated[str, AfterValidator(_database_url)] = f"sqlite:///{DATA / 'onboarding.sqlite'}"
    """Where ledger, trail and open items are kept."""
    environment: Word = "local"
    """The name of this installation, for logs and notices."""
    definitions: Path = ROOT / "definitions"
    """The folder in which a definition is found by its id."""
    directory: Path | None = None
    """A YAML file with the members of groups and how people are reached; a group that is in none has one member, of its own name."""
    directory_hook: Word | None = None
    """The registered hook that is asked how people are reached, before the file and the start input."""
    hooks: Path | None = None
    """A YAML file with the hooks that are requests to other systems, and with the limits of all; see docs/hooks.md."""
    keys: Path = DATA / "keys.json"
    """The master keys. Where the file is missing nothing is encrypted, which `production` refuses."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")] = "en"
    """In which language letters are written to readers of whom nobody knows another one."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least important line that is written."""
    metrics_address: Annotated[str, AfterValidator(_listening_address)] | None = None
    """Where a worker shows its numbers to Prometheus, `host:port`; without it nothing listens."""
    rules_version: Annotated[int, Field(ge=rules.FIRST, le=rules.NEWEST)] = rules.NEWEST
    """With which rules runs start; a smaller number while workers of an earlier release still run, see docs/operating.md."""
    task_queue: Word = "onboarding"
    """The Temporal task queue that workers poll and starts name."""
    templates: Path | None = None
    """A folder with templates of this installation's own, before those that are shipped."""
    ui_url: Annotated[str, AfterValidator(_web_address)] | None = None
    """The address of the Temporal UI, for links; without it it is guessed for a server on this machine."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`read_settings` has read the environment already, so that unknown names are seen there."""
        return (init_settings,)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process, from `environ` (default: the process environment).

    Raises `SettingsInvalid` with every fault at once: an unknown `ONBOARDING_*` name with the nearest
    known one, or a value that cannot be used. An empty variable counts as not set.
    """
    environ = os.environ if environ is None else environ
    fields = {PREFIX + name.upper(): name for name in Settings.model_fields}
    given = {key: value for key, value in environ.items() if key.upper().startswith(PREFIX)}

    faults = [_unknown(key, list(fields)) for key in sorted(given) if key not in fields]
    values = {fields[key]: value for key, value in given.items() if key in fields and value.strip()}
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # strings are what variables hold
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            faults.append((PREFIX + str(fault["loc"][0]).upper(), _sentence(fault["msg"])))
    else:
        if not faults:
            return _absolute(settings)
    raise SettingsInvalid(
        " ".join(f"{name} {sentence}" for name, sentence in faults),
        place=faults[0][0],
        way_out="All settings are listed in .env.example.",
    )


def _unknown(key: str, known: list[str]) -> tuple[str, str]:
    near = difflib.get_close_matches(key.upper(), known, n=1, cutoff=0.0)[0]
    return key, f"is not a setting; the nearest one is {near}."


def _sentence(message: str) -> str:
    """Pydantic's own words, without the class of the exception and never with the value: it may be secret."""
    text = message.removeprefix("Value error, ").rstrip(".")
    return f"cannot be used: {text[:1].lower()}{text[1:]}."


def _absolute(settings: Settings) -> Settings:
    """A relative path means the folder the command was typed in; a later `chdir` must not move it."""
    found = {}
    for name in ("channels", "definitions", "directory", "hooks", "keys", "templates"):
        path: Path | None = getattr(settings, name)
        try:
            found[name] = path and path.expanduser().absolute()
        except RuntimeError:
            raise SettingsInvalid(
                f"{PREFIX}{name.upper()} cannot be used: it begins with a home folder that nobody has here.",
                place=PREFIX + name.upper(),
                way_out="Write the whole path.",
            ) from None
    return settings.model_copy(update=found)
