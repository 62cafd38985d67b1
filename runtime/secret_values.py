"""Secrets that a file of the configuration names and never holds: `{env: NAME}` or `{file: PATH}`.

The value is read when the file is, once, and handed on as a `SecretStr`, which no log, error or picture of a value shows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from runtime.files import Unreadable, read_at_most

MOST_BYTES = 16_384
"""Of a file with a secret: the longest key that anybody pastes has a quarter of that."""

# A variable with our own prefix that is no setting ends every process, so it cannot hold a secret.
_RESERVED = "ONBOARDING_"


class SecretMissing(Exception):
    """What should hold a secret does not. The words name the variable or the file, never what stands in it.

    Raised while a file of the configuration is read: report it at the place that names the secret.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class SecretSource(BaseModel):
    """Where one secret is: a variable of the environment, or a file whose whole text it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    env: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_the_value(cls, data: object) -> object:
        """A text here is most likely the secret itself, so it is refused without being repeated."""
        if not isinstance(data, dict):
            sentence = "A secret is never written down: name where it is, `{env: NAME}` or `{file: PATH}`."
            raise PydanticCustomError("secret_written_down", sentence)
        return data

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise PydanticCustomError("secret_source", "A secret has exactly one of `env` and `file`.")
        return self

    def read(self, folder: Path, environ: Mapping[str, str] | None = None) -> SecretStr:
        """The secret, without line ends and blanks around it. A relative file is meant from `folder`. Raises `SecretMissing`."""
        return self._of_environment(os.environ if environ is None else environ) if self.env else self._of_file(folder)

    def open_to_others(self, folder: Path) -> bool:
        """Whether other users of this machine may read the file; `False` for a variable and for a file that is not there."""
        try:
            return self.file is not None and bool(self.path(folder).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
        except OSError:
            return False

    def path(self, folder: Path) -> Path:
        """The file, from `folder` where it is relative."""
        return folder / Path(self.file or "")

    def _of_environment(self, environ: Mapping[str, str]) -> SecretStr:
        name = str(self.env)
        if name.startswith(_RESERVED):
            sentence = f"The variable {name} cannot hold a secret, because names with {_RESERVED} are settings: give it another name."
            raise SecretMissing("secret_name", sentence)
        where = f"the variable {name}"
        if name not in environ:
            raise SecretMissing(
                "secret_missing", f"There is no secret in {where}: set it where this process is started."
            )
        return _usable(environ[name], where)

    def _of_file(self, folder: Path) -> SecretStr:
        where = f"the file {self.path(folder)}"
        try:
            content = read_at_most(self.path(folder), MOST_BYTES + 1)
        except Unreadable as why:
            raise SecretMissing("secret_missing", f"There is no secret in {where} ({why}).") from None
        if len(content) > MOST_BYTES:
            raise SecretMissing("secret_unusable", f"What stands in {where} is too long for a secret.")
        try:
            return _usable(content.decode("utf-8"), where)
        except UnicodeDecodeError:
            raise SecretMissing("secret_unusable", f"What stands in {where} is no text.") from None


def _usable(text: str, where: str) -> SecretStr:
    value = text.strip()
    if not value:
        raise SecretMissing("secret_missing", f"There is no secret in {where}: it is empty.")
    if not value.isprintable():
        raise SecretMissing("secret_unusable", f"What stands in {where} is more than one line, and a secret is one.")
    return SecretStr(value)
