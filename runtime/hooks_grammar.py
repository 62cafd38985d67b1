"""What may be written in the file of hooks, one pydantic model per level. What needs more than one value is checked in `hooks_file.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from onboarding.hook_terms import AT_ONCE
from onboarding.language.grammar import Flag, Model
from onboarding.language.words import DurationText, Id, Text
from runtime.secret_values import SecretSource


def _pointer(value: str) -> str:
    if value and not value.startswith("/"):
        raise PydanticCustomError("bad_pointer", "A place is written as a JSON pointer, such as /tenant/id.")
    return value


def _pointer_or_status(value: str) -> str:
    if value not in ("", "status") and not value.startswith("/"):
        sentence = "Whether it is a yes stands at a JSON pointer, such as /ok; `status` takes every 2xx for one."
        raise PydanticCustomError("bad_pointer", sentence)
    return value


Pointer = Annotated[str, Field(strict=True, max_length=200), AfterValidator(_pointer)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Hosts = Annotated[list[Text], Field(max_length=50)]
Headers = Annotated[dict[str, Text | SecretSource], Field(max_length=40)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=60)]


class RefusedModel(Model):
    """What a no means to whoever gave the answer that was checked."""

    place: Pointer = ""
    code: Id
    sentence: Text


class AnswerModel(Model):
    """Where in the answer our words stand."""

    ok: Annotated[str, Field(strict=True, max_length=200), AfterValidator(_pointer_or_status)] = "/ok"
    provides: dict[Id, Pointer] | None = None
    note: Pointer = "/note"
    faults: Pointer = "/faults"
    refused: RefusedModel | None = None


class LaterModel(Model):
    """What 202 means."""

    within: DurationText
    poll: Pointer = ""
    every: DurationText | None = None
    progress: Pointer = ""


class HookEntry(Model):
    """One hook."""

    url: Annotated[str, Field(strict=True, max_length=2_000)] | None = None
    use: Literal["scan_files"] | None = None
    megabytes: Annotated[int, Field(strict=True, ge=1, le=100)] = 25
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = "POST"
    allow: Hosts = Field(default_factory=list)
    plain: Flag = False
    headers: Headers = Field(default_factory=dict)
    secret: SecretSource | None = None
    body: Annotated[str, Field(strict=True, max_length=20_000)] = ""
    answer: AnswerModel = AnswerModel.model_construct()
    seconds: Seconds = 10
    at_once: Annotated[int, Field(strict=True, ge=1, le=50)] = AT_ONCE
    per_minute: Count | None = None
    later: LaterModel | None = None


class HooksFile(Model):
    """The whole file."""

    inside: Hosts = Field(default_factory=list)
    hooks: dict[Id, HookEntry]
