"""Everything that can happen to a run. Always with `at`, the instant at which the run hears of it (aware UTC, whole seconds)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onboarding.messages import Received, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """Somebody outside said something readable."""

    at: datetime
    received: Received


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnreadable:
    """Somebody outside said something that is no message."""

    at: datetime
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAdvanced:
    """Time has passed. What is due beyond `most` instants is left for the next time; `None` is all of it."""

    at: datetime
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSucceeded:
    """A hook or check that the run asked for came back; `result` is what it says, by the form of its registration."""

    at: datetime
    key: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed:
    """A hook or check did not come back with an answer; `code` and `sentence` say why, without values."""

    at: datetime
    key: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed:
    """A notice could not be delivered for good."""

    at: datetime
    key: str
    code: str


Event = MessageReceived | MessageUnreadable | ClockAdvanced | HookSucceeded | HookFailed | NoticeFailed
